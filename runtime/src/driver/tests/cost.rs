//! What an operation costs in our own code: `cargo test --release -p zokio cost -- --ignored --nocapture`.

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

#[test]
#[ignore = "a measurement: wants a release build and a quiet machine"]
fn a_nop_through_the_ring() {
    for batch in [1, 8, 32, 256] {
        let ns = (0..5).map(|_| nop_ns(batch, 200_000 / batch)).fold(f64::INFINITY, f64::min);
        println!("batch {batch:3}: {ns:.1} ns a NOP, kernel included");
        assert!(ns < 10_000.0);
    }
}
