//! A send and a receive as one operation: each way it may go, and each moment at which it may be given up.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::echo::pair;
use super::executor::{CountedBuffer, Executor, count_alive, poll_once};
use super::files::pattern;
use super::vectored::narrow_pair;
use super::{for_each_driver, uring};
use crate::buf::IoBuf;
use crate::driver::{DriverConfig, Wait, context};
use crate::net::TcpStream;

for_each_driver! {
    a_conversation_takes_turns
    a_slow_peer_gets_the_whole_request_and_answers_it
    parts_of_buffers_are_sent_and_filled
    nothing_to_send_is_a_read
    a_gone_peer_is_an_error_of_either_step
    both_buffers_live_until_the_step_in_flight_ended
    a_send_that_succeeds_too_late_begins_no_receive
    a_dropped_exchange_closes_its_connection
    a_storm_of_cancellations_leaves_nothing
    an_exchange_dropped_elsewhere_is_cancelled_by_its_owner
    a_thread_without_a_driver_borrows_one
    an_exchange_may_outlive_its_driver
}

fn a_conversation_takes_turns(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(async move {
            let (mut count, mut message) = accepted.read(Vec::with_capacity(64)).await;
            while count.expect("a request") > 0 {
                message.make_ascii_uppercase();
                (count, _, message) = accepted.write_all_then_read(message, Vec::with_capacity(64)).await;
            }
        });
        for round in 0..200 {
            let request = format!("request {round}");
            let (count, request, answer) = connecting.write_all_then_read(request, Vec::with_capacity(64)).await;
            assert_eq!((count.expect("an answer"), answer), (request.len(), request.to_ascii_uppercase().into_bytes()));
        }
        connecting.shutdown(Shutdown::Write).await.expect("a shutdown");
    });
    executor.run_all();
    assert_eq!(executor.in_flight(), 0);
}

/// Each step has its completion, but the operation is one: so is its cell, and the wake-up of its task.
#[test]
fn a_round_trip_is_one_operation_an_end() {
    let executor = Executor::new(&uring());
    let (accepted, connecting) = executor.run(pair());
    let before = executor.counters();
    executor.spawn(async move {
        let (count, request) = accepted.read(Vec::with_capacity(8)).await;
        assert_eq!(count.expect("a request"), 4);
        assert_eq!(accepted.write_all_then_read(request, vec![0; 8]).await.0.expect("the end"), 0);
    });
    executor.spawn(async move {
        assert_eq!(connecting.write_all_then_read("ping", vec![0; 8]).await.0.expect("an answer"), 4);
    });
    executor.run_all();
    let after = executor.counters();
    assert_eq!((after.submitted - before.submitted, after.completed - before.completed), (3, 3));
}

fn a_slow_peer_gets_the_whole_request_and_answers_it(config: &DriverConfig) {
    const BYTES: usize = 1 << 20;
    for rung in [0, 2, 3] {
        let executor = Executor::new(&DriverConfig { first_rung: rung, ..config.clone() });
        executor.run(async {
            let (accepted, connecting) = narrow_pair().await;
            executor.spawn(async move {
                let mut received = Vec::new();
                while received.len() < BYTES {
                    let (count, part) = accepted.read(vec![0; 30_001]).await;
                    received.extend_from_slice(&part[..count.expect("a part")]);
                }
                assert!(received == pattern(BYTES), "all bytes, in their order");
                accepted.write_all("got it").await.0.expect("a write");
            });
            let (count, request, answer) = connecting.write_all_then_read(pattern(BYTES), vec![0; 64]).await;
            assert_eq!((count.expect("an answer"), &answer[..6]), (6, &b"got it"[..]));
            assert!(request == pattern(BYTES), "the request comes back as it was");
        });
        executor.run_all();
    }
}

fn parts_of_buffers_are_sent_and_filled(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(super::echo::echo(accepted));
        let (outgoing, incoming) = (b"-middle-".to_vec().slice(1..7), b"abcdefgh".to_vec().slice(2..5));
        let (count, outgoing, incoming) = connecting.write_all_then_read(outgoing, incoming).await;
        assert_eq!((count.expect("a part"), outgoing.into_inner(), incoming.into_inner()), (3, b"-middle-".to_vec(), b"abmidfgh".to_vec()));
        // Too large for a cell: boxed.
        let (outgoing, incoming) = (b"xyz".to_vec().slice(..).slice(1..), Box::<[u8]>::from(*b"....").slice(..).slice(1..).slice(..2));
        let rest = connecting.read_exact(vec![0; 3]).await.1;
        let (count, _, incoming) = connecting.write_all_then_read(outgoing, incoming).await;
        let bytes: Box<[u8]> = incoming.into_inner().into_inner().into_inner();
        assert_eq!((rest, count.expect("a part"), &*bytes), (b"dle".to_vec(), 2, &b".yz."[..]));
    });
    executor.run_all();
}

fn nothing_to_send_is_a_read(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (accepted, connecting) = pair().await;
        accepted.write_all("unasked").await.0.expect("a write");
        let (count, _, bytes) = connecting.write_all_then_read("", Vec::with_capacity(64)).await;
        assert_eq!((count.expect("a read"), bytes), (7, b"unasked".to_vec()));
        accepted.shutdown(Shutdown::Write).await.expect("a shutdown");
        let (count, request, bytes) = connecting.write_all_then_read("to no answer", Vec::with_capacity(64)).await;
        assert_eq!((count.expect("the end"), request, bytes), (0, "to no answer", Vec::new()));
        assert_eq!(accepted.read(Vec::with_capacity(64)).await.1, b"to no answer");
        assert_eq!(connecting.write_all_then_read("no room", Vec::new()).await.0.expect("nothing"), 0);
    });
}

/// Ends a connection with a reset.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).expect("an option");
    drop(stream);
}

fn a_gone_peer_is_an_error_of_either_step(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        // While the answer is waited for.
        let (accepted, connecting) = pair().await;
        executor.spawn(async move {
            accepted.read(vec![0; 64]).await.0.expect("a request");
            reset(accepted);
        });
        let (result, request, answer) = connecting.write_all_then_read("request", vec![7; 3]).await;
        assert_eq!((result.expect_err("a reset").kind(), request, answer), (ErrorKind::ConnectionReset, "request", vec![7; 3]));
        // The next request has nowhere to go.
        let (result, request, answer) = connecting.write_all_then_read("again", vec![7; 3]).await;
        assert_eq!((result.expect_err("gone").kind(), request, answer), (ErrorKind::BrokenPipe, "again", vec![7; 3]));
        // In the middle of a request.
        let (accepted, connecting) = narrow_pair().await;
        executor.spawn(async move {
            accepted.read_exact(vec![0; 100_000]).await.0.expect("a part of the request");
            reset(accepted);
        });
        let (result, request, answer) = connecting.write_all_then_read(pattern(8 << 20), vec![7; 3]).await;
        assert!(matches!(result.expect_err("a reset").kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        assert!(request == pattern(8 << 20) && answer == [7; 3]);
    });
    executor.run_all();
}

/// Turns until nothing happens any more.
fn let_it_go_on(executor: &Executor) {
    for _ in 0..10 {
        executor.turn(Wait::For(Duration::from_millis(1)));
    }
}

fn both_buffers_live_until_the_step_in_flight_ended(config: &DriverConfig) {
    // (bytes sent: a few, or more than fit; turns before the drop)
    for (bytes, turns) in [(64, false), (64, true), (8 << 20, false), (8 << 20, true)] {
        let alive = Arc::new(());
        let executor = Executor::new(config);
        let (_accepted, connecting) = executor.run(narrow_pair());
        executor.enter(|| {
            let (request, answer) = (CountedBuffer::new(bytes, &alive), CountedBuffer::new(64, &alive));
            let mut exchange = Box::pin(connecting.write_all_then_read(request, answer));
            assert!(poll_once(&mut exchange).is_pending());
            if turns {
                let_it_go_on(&executor);
            }
            assert_eq!((executor.in_flight(), count_alive(&alive)), (1, 2));
            drop(exchange);
            assert_eq!(count_alive(&alive), 2 * executor.in_flight());
        });
        executor.settle();
        assert_eq!(count_alive(&alive), 0, "{bytes} bytes, turns: {turns}");
        assert_eq!((executor.counters().cancelled, executor.counters().orphans), (1, 1));
    }
}

fn a_send_that_succeeds_too_late_begins_no_receive(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    executor.enter(|| {
        let mut exchange = Box::pin(connecting.write_all_then_read("sent all the same", vec![0; 64]));
        assert!(poll_once(&mut exchange).is_pending());
        drop(exchange);
    });
    executor.settle();
    // What was dropped has left nobody behind who would take the answer.
    executor.run(async {
        assert_eq!(accepted.read(Vec::with_capacity(64)).await.1, b"sent all the same");
        accepted.write_all("late").await.0.expect("a write");
        assert_eq!(connecting.read(Vec::with_capacity(64)).await.1, b"late");
    });
}

fn a_dropped_exchange_closes_its_connection(config: &DriverConfig) {
    for turns in [false, true] {
        let executor = Executor::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let connecting = executor.run(TcpStream::connect(listener.local_addr().expect("an address"))).expect("a connection");
        let (mut peer, _) = listener.accept().expect("a connection");
        executor.enter(|| {
            let mut exchange = Box::pin(connecting.write_all_then_read("bye", vec![0; 64]));
            assert!(poll_once(&mut exchange).is_pending());
            if turns {
                let_it_go_on(&executor);
            }
            drop((exchange, connecting));
        });
        executor.settle();
        peer.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).expect("the end, not a timeout");
        assert_eq!(heard, b"bye");
    }
}

fn a_storm_of_cancellations_leaves_nothing(config: &DriverConfig) {
    const CONNECTIONS: usize = 20;
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let mut random = 0x1234_5678_u32;
    for round in 0..20 {
        executor.run(async {
            let mut pairs = Vec::new();
            for _ in 0..CONNECTIONS {
                let (accepted, connecting) = pair().await;
                executor.spawn(async move {
                    let (mut count, mut message) = accepted.read(vec![0; 64]).await;
                    // The client goes at any moment, at times with unread bytes.
                    while matches!(count, Ok(1..)) {
                        (count, _, message) = accepted.write_all_then_read(message.slice(..1), vec![0; 64]).await.map_buffers();
                    }
                });
                pairs.push(connecting);
            }
            for _ in 0..10 {
                let buffers = || (CountedBuffer::new(16, &alive), CountedBuffer::new(64, &alive));
                let mut exchanges: Vec<_> = pairs
                    .iter()
                    .map(|stream| {
                        let (outgoing, incoming) = buffers();
                        Box::pin(stream.write_all_then_read(outgoing, incoming))
                    })
                    .collect();
                exchanges.retain_mut(|exchange| poll_once(exchange).is_pending());
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                for _ in 0..random >> 30 {
                    executor.turn(Wait::No);
                }
                exchanges.retain(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    random >> 31 == 0
                });
                drop(exchanges);
            }
        });
        executor.run_all();
        assert_eq!(count_alive(&alive), 0, "round {round}");
    }
    assert_eq!(executor.in_flight(), 0);
    assert!(executor.cells() <= 512, "{} cells for 40 operations at a time and their late ends", executor.cells());
}

/// The inner buffer of a part that was sent.
trait MapBuffers<T> {
    fn map_buffers(self) -> T;
}

impl<R> MapBuffers<(R, Vec<u8>, Vec<u8>)> for (R, crate::buf::Slice<Vec<u8>>, Vec<u8>) {
    fn map_buffers(self) -> (R, Vec<u8>, Vec<u8>) {
        (self.0, self.1.into_inner(), self.2)
    }
}

fn an_exchange_dropped_elsewhere_is_cancelled_by_its_owner(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    for round in 0..60 {
        let (_accepted, connecting) = executor.run(narrow_pair());
        let bytes = if round % 2 == 0 { 64 } else { 8 << 20 };
        let (request, answer) = (CountedBuffer::new(bytes, &alive), CountedBuffer::new(64, &alive));
        let mut exchange = Box::pin(connecting.write_all_then_read(request, answer));
        executor.enter(|| assert!(poll_once(&mut exchange).is_pending()));
        if round % 3 == 0 {
            executor.enter(|| let_it_go_on(&executor));
        }
        std::thread::scope(|scope| scope.spawn(move || drop(exchange)).join().expect("no panic"));
        assert_eq!(count_alive(&alive), 2, "the owner has not heard of it");
        executor.settle();
        assert_eq!(count_alive(&alive), 0);
    }
}

fn a_thread_without_a_driver_borrows_one(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    executor.spawn(super::echo::echo(accepted));
    let remote = executor.remote.clone();
    let client = std::thread::spawn(move || {
        context::enter_remote(&remote, || {
            for _ in 0..100 {
                let exchange = connecting.write_all_then_read("borrowed", Vec::with_capacity(64));
                let (count, _, answer) = super::threads::block_on(exchange);
                assert_eq!((count.expect("an answer"), &answer[..]), (8, &b"borrowed"[..]));
            }
        });
    });
    executor.run_all();
    client.join().expect("no panic");
}

fn an_exchange_may_outlive_its_driver(config: &DriverConfig) {
    for bytes in [64, 8 << 20] {
        let alive = Arc::new(());
        let executor = Executor::new(config);
        let (_accepted, connecting) = executor.run(narrow_pair());
        let exchange = || {
            let (request, answer) = (CountedBuffer::new(bytes, &alive), CountedBuffer::new(64, &alive));
            Box::pin(connecting.write_all_then_read(request, answer))
        };
        let (mut fetched, mut dropped) = (exchange(), exchange());
        executor.enter(|| assert!(poll_once(&mut fetched).is_pending() && poll_once(&mut dropped).is_pending()));
        assert_eq!(executor.driver().shut_down(), 0, "everything comes back");
        drop(executor);
        let Poll::Ready((result, request, answer)) = poll_once(&mut fetched) else { panic!("a closed driver ended it") };
        assert_eq!(result.expect_err("cancelled").raw_os_error(), Some(libc::ECANCELED));
        drop((request, answer, dropped));
        assert_eq!(count_alive(&alive), 0);
    }
}

/// A peer of the standard library on another thread, so that each step is waited for in the kernel.
#[test]
fn a_sleeping_ring_goes_on_to_the_read_by_itself() {
    let executor = Executor::new(&uring());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 4];
        stream.read_exact(&mut request).expect("a request");
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(&request).expect("an answer");
    });
    let connecting = executor.run(TcpStream::connect(address)).expect("a connection");
    executor.enter(|| {
        let mut exchange = Box::pin(connecting.write_all_then_read("ping", Vec::with_capacity(64)));
        assert!(poll_once(&mut exchange).is_pending());
        // One turn: what the send brings is no reason to come back.
        assert_eq!(executor.turn(Wait::Forever), 1);
        let Poll::Ready((count, _, answer)) = poll_once(&mut exchange) else { panic!("it is done") };
        assert_eq!((count.expect("an answer"), &answer[..]), (4, &b"ping"[..]));
    });
    peer.join().expect("no panic");
}
