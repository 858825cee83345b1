//! The subject `ceiling`: the same work with no runtime at all, as fast as we can write it by hand.
//!
//! The variant is fixed per case in code and named in `config.variant`, so a row never changes its meaning between two runs:
//!
//! | case | variant | why |
//! |---|---|---|
//! | `rr`, one user, together | `bare-syscalls` | four calls and no wait; a ring costs more than it saves |
//! | `rr`, more users; every server; the `rr` client | `ring-linked` | linked send → receive on direct descriptors: the fewest kernel entries |
//! | `crr` together | `ring-chain` | a connection is one submission; 2–5 % less CPU than bare calls |
//! | `churn` together | `bare-syscalls` | the hand-shake ends inside `connect` on loopback, so nothing ever waits |
//! | `crr`, `churn` as the client of a server apart | `epoll` | users connect anew while others wait |
//! | `stream` | `bare-syscalls` | one thread writes and reads the same 64 KiB while they are in its cache |
//! | `http`, kept connections | as `rr` | the loop is the same, with HTTP in its messages |
//! | `http`, a connection for some requests, together | `bare-syscalls` | as `churn` |
//! | the same as either end apart | `epoll` | users connect anew while others wait |
//! | `file`: `read`, warm | `bare-syscalls` | the fewest calls, one buffer at a page's begin that stays in the cache |
//! | `file`: `read`, cold | `ring-chain` | open, read and close are one linked submission on a direct descriptor; all users wait together |
//! | `file`: `write`, `copy` | `thread-per-user` | emptying a file waits for the disk to let go of it: a thread per CPU does 0.6 of it |
//! | `file`: `transfer` together | `bare-syscalls` | one thread sends and receives in turn, and never waits |
//! | the same as either end apart | `ring-linked` | as `rr`; a server alone reads and writes |
//! | `spawn-inside`, `chain` | `local-executor` | the smallest executor: one thread, type-erased tasks, no atomics |
//! | `yield` | `in-turn` | type-erased tasks polled in turn, without a queue |
//! | `ping-pong`: `channel`, `cell` | `two-slots` | two tasks on one thread, a slot each way, a queue of who is ready |
//! | `ping-pong`: `oneshot` | `local-executor` | as `spawn-inside`; one cell for both oneshots of a pair |
//! | `mpsc-fan-in` | `round-robin` | producers and consumer on one thread: each producer fills its place of a ring in turn, nobody waits |
//! | `mutex-contended` | `cas-in-turn` | tasks on one thread take turns: the mutex is a compare-and-swap and a store, free whenever one comes |
//! | `stealing`: `queue`, `skew` | `one-cas`, `static-split` | one compare-and-swap an item; each thread has its share from the start |
//! | `polling` | `bare-loop` | the same futures, polled by a thread |
//! | `latency`, woken from outside | `futex` | a thread that sleeps, and one that wakes it |
//! | the same beside a busy neighbour | `in-turn` | one thread, which looks for wakes after each piece of other work |
//! | `sleep` | `nanosleep` | a heap of deadlines and the system's own sleep |
//! | `atomics` | `bare-threads` | the instructions themselves |
//! | `memory` | `free-list` | a list of free blocks per thread and size class ([`super::allocators`]) |
//! | `pool` | `thread-local` | a list of objects per thread ([`super::pools`]) |
//! | `io`: `nop` | `ring-batch` | the NOPs of all users of a thread are one submission |
//! | `io`: `splice` | `splice-read` | two calls; a ring gives every splice to a thread of the kernel's |
//! | `io`, at most one read outstanding a thread | `pread` | a call that waits; a ring costs half as much again |
//! | `io`, more | `ring-fixed` | what is outstanding is one submission, on a direct descriptor, into registered memory |
//!
//! Where io_uring is refused, bare system calls (`both`) or epoll (`server`, `client`) take over; the variant and `driver_reason` say so.
//! It is the best loop we know, not a proven bound: whoever beats it improves it.
#![cfg(target_os = "linux")]

pub mod atomics;
pub mod counter;
pub mod crr;
pub mod epoll;
mod executor;
pub mod file;
mod file_ring;
mod file_traffic;
mod file_transfer;
pub mod http;
pub mod http_pairs;
mod io;
mod io_ring;
pub mod lanes;
mod meeting;
mod ping_pong;
pub mod poll;
pub mod ring;
pub mod ring_crr;
pub mod ring_loop;
pub mod rr;
pub mod run;
mod skew;
pub mod sleep;
pub mod sockets;
pub mod stream;
mod tasks;
pub mod traffic;
mod wake;

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::tally::Ledger;
use crate::subject::protocol::{SubjectDescription, Trial};
use crate::subject::serve::{Session, Subject};

/// The ceiling.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling;

impl Subject for Ceiling {
    fn describe(&self) -> SubjectDescription {
        SubjectDescription {
            name: "ceiling".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            build: super::build_info(),
            workloads: ["tcp", "http", "scheduling", "stealing", "polling", "latency", "atomics", "memory", "pool", "io", "file", "sleep"]
                .map(String::from)
                .to_vec(),
        }
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        run::run(trial, session, &Arc::new(Ledger::default()))
    }
}
