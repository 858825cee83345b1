//! What an operation costs in our own code: `cargo test --release -p zokio cost -- --nocapture`.

#![expect(unsafe_code, reason = "a bare ring to compare with")]

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Instant;

use super::executor::Executor;
use super::uring;
use crate::driver::{DriverConfig, Submission, Wait};
use crate::op::Nop;

/// Nanoseconds an operation, in batches as a worker makes them.
fn nop_ns(batch: usize, rounds: usize) -> f64 {
    let executor = Executor::new(&DriverConfig { queue_depth: 1024, ..uring() });
    let mut nops: Vec<Submission<Nop>> = Vec::with_capacity(batch);
    let mut wakers = Vec::with_capacity(batch);
    let mut context = Context::from_waker(Waker::noop());
    executor.enter(|| {
        let start = Instant::now();
        for _ in 0..rounds {
            nops.extend((0..batch).map(|_| Submission::new(Nop)));
            for nop in &mut nops {
                assert!(Future::poll(Pin::new(nop), &mut context).is_pending());
            }
            assert_eq!(executor.driver().turn(Wait::No, &mut wakers).expect("a turn"), batch);
            wakers.clear();
            for nop in &mut nops {
                assert!(Future::poll(Pin::new(nop), &mut context).is_ready());
            }
            nops.clear();
        }
        start.elapsed().as_nanos() as f64 / (batch * rounds) as f64
    })
}

/// The same without us: entries straight into a ring with the same flags.
fn bare_nop_ns(batch: usize, rounds: usize) -> f64 {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
    let mut ring: io_uring::IoUring = builder.build(1024).expect("a ring");
    let start = Instant::now();
    for _ in 0..rounds {
        for index in 0..batch {
            let entry = io_uring::opcode::Nop::new().build().user_data(index as u64);
            // SAFETY: a NOP points nowhere.
            unsafe { ring.submission().push(&entry) }.expect("room");
        }
        ring.submit_and_wait(batch).expect("an enter");
        assert_eq!(ring.completion().count(), batch);
    }
    start.elapsed().as_nanos() as f64 / (batch * rounds) as f64
}

#[test]
fn every_nop_of_every_batch_comes_back_at_a_cost_that_is_printed() {
    // The figures want a release build and a quiet machine, so none is asserted; that all come back is, inside.
    let rounds = if cfg!(debug_assertions) { 2_000 } else { 50_000 };
    for batch in [1, 8, 32, 256] {
        // In turns, and the best of many: what disturbs one disturbs the other.
        let [mut ours, mut bare] = [f64::INFINITY; 2];
        for _ in 0..10 {
            ours = ours.min(nop_ns(batch, rounds / batch));
            bare = bare.min(bare_nop_ns(batch, rounds / batch));
        }
        println!("batch {batch:3}: {ours:.1} ns a NOP, {bare:.1} of them without us");
    }
}
