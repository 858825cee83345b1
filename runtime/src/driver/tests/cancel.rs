//! Futures dropped in flight, and drivers that end before their futures.

use std::io::Read;
use std::sync::Arc;
use std::task::Poll;

use super::echo::{echo, pair};
use super::executor::{CountedBuffer, Executor, count_alive, poll_once};
use super::{for_each_driver, uring};
use crate::driver::{Driver, DriverConfig, Submission, context};
use crate::net::TcpListener;
use crate::op::Nop;

for_each_driver! {
    a_buffer_lives_until_its_operation_ended
    echo_survives_a_cancelled_read
    an_accept_dropped_while_waiting_takes_no_connection
    a_storm_of_cancellations_leaves_nothing
    a_result_nobody_fetched_is_freed
    futures_may_outlive_their_driver
    a_closed_driver_refuses
    a_buffer_may_use_the_runtime_when_it_is_dropped
}

fn a_buffer_lives_until_its_operation_ended(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    executor.enter(|| {
        let mut read = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
        assert!(poll_once(&mut read).is_pending());
        assert_eq!(executor.in_flight(), 1);
        drop(read);
        // The kernel has it as long as the ring says so; a polling driver has it alone.
        assert_eq!(count_alive(&alive), executor.in_flight());
    });
    executor.settle();
    assert_eq!(count_alive(&alive), 0);
    assert_eq!((executor.counters().cancelled, executor.counters().orphans), (1, 1));
}

fn echo_survives_a_cancelled_read(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(echo(accepted));
        for _ in 0..10 {
            let mut cancelled = Box::pin(connecting.read(vec![0; 64]));
            assert!(poll_once(&mut cancelled).is_pending());
            drop(cancelled);
            while executor.in_flight() > 1 {
                executor.turn(crate::driver::Wait::For(std::time::Duration::from_millis(1)));
            }
            connecting.write_all("still there").await.0.expect("a write");
            assert_eq!(connecting.read_exact(vec![0; 11]).await.1, b"still there");
        }
    });
    executor.run_all();
}

fn an_accept_dropped_while_waiting_takes_no_connection(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).is_pending());
        drop(accept);
        while executor.in_flight() > 0 {
            executor.turn(crate::driver::Wait::For(std::time::Duration::from_millis(1)));
        }
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        listener.accept().await.expect("the connection waits for the next accept");
    });
}

/// Under the ring alone: a poller takes the connection itself as soon as it comes, and a dropped accept closes it (as documented).
#[test]
fn an_accept_dropped_too_late_leaves_the_connection_to_the_next() {
    let executor = Executor::new(&uring());
    executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).is_pending());
        let client = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        // The driver knows of the connection before the future is dropped.
        executor.turn(crate::driver::Wait::For(std::time::Duration::from_secs(10)));
        drop(accept);
        let (_, peer) = listener.accept().await.expect("the connection still waits");
        assert_eq!(peer, client.local_addr().expect("an address"));
    });
}

fn a_storm_of_cancellations_leaves_nothing(config: &DriverConfig) {
    const CONNECTIONS: usize = 50;
    let alive = Arc::new(());
    let executor = Executor::new(config);
    executor.run(async {
        let mut pairs = Vec::new();
        for _ in 0..CONNECTIONS {
            pairs.push(pair().await);
        }
        let mut random = 0x1234_5678_u32;
        for round in 0..200 {
            let (accepted, connecting) = &pairs[round % CONNECTIONS];
            let mut reads: Vec<_> = (0..8).map(|_| Box::pin(accepted.read(CountedBuffer::new(16, &alive)))).collect();
            // A dropped read may take what is sent, so as much is sent as reads are begun.
            reads.retain_mut(|read| poll_once(read).is_pending());
            reads.retain(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                random >> 31 == 0
            });
            if round % 3 == 0 {
                executor.turn(crate::driver::Wait::No);
            }
            connecting.write_all("0123456789abcdef").await.0.expect("a write");
            drop(reads);
        }
    });
    executor.settle();
    assert_eq!(count_alive(&alive), 0);
    let counters = executor.counters();
    assert!(counters.orphans > 0 && counters.submitted == counters.completed + polled_cancels(config, &counters), "{counters:?}");
    assert!(executor.cells() <= 256, "{} cells for at most 8 operations in flight and their late ends", executor.cells());
}

/// A polling driver ends a cancelled operation without a completion.
fn polled_cancels(config: &DriverConfig, counters: &crate::driver::DriverCounters) -> u64 {
    if config.choice == crate::driver::IoDriver::Polling { counters.cancelled } else { 0 }
}

fn a_result_nobody_fetched_is_freed(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    let mut read = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
    executor.enter(|| assert!(poll_once(&mut read).is_pending()));
    executor.run(connecting.write_all("unread")).0.expect("a write");
    executor.settle();
    assert_eq!(count_alive(&alive), 1, "the result waits in the cell");
    executor.enter(|| drop(read));
    assert_eq!(count_alive(&alive), 0);
}

fn futures_may_outlive_their_driver(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    let mut fetched = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
    let mut dropped = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
    executor.enter(|| {
        assert!(poll_once(&mut fetched).is_pending());
        assert!(poll_once(&mut dropped).is_pending());
    });
    assert_eq!(executor.driver().shut_down(), 0, "everything comes back");
    drop(executor);
    let Poll::Ready((result, buffer)) = poll_once(&mut fetched) else { panic!("a closed driver ended it") };
    assert_eq!(result.expect_err("cancelled").raw_os_error(), Some(libc::ECANCELED));
    drop(buffer);
    assert_eq!(count_alive(&alive), 1);
    drop(dropped);
    assert_eq!(count_alive(&alive), 0);
}

fn a_closed_driver_refuses(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    executor.driver().shut_down();
    executor.enter(|| {
        let Poll::Ready((Err(error), buffer)) = poll_once(&mut Box::pin(accepted.read(vec![0; 8]))) else { panic!("refused at once") };
        assert!(error.to_string().contains("shut down"), "{error}");
        assert_eq!(buffer, vec![0; 8]);
        let Poll::Ready(result) = poll_once(&mut Box::pin(accepted.close())) else { panic!("refused at once") };
        assert!(result.is_err(), "but the descriptor is closed");
    });
    let connecting = socket2::SockRef::from(&connecting);
    connecting.set_nonblocking(false).expect("a mode");
    connecting.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a timeout");
    assert_eq!((&*connecting).read(&mut [0; 1]).expect("the end, not a timeout"), 0);
}

/// A buffer that does I/O when it is dropped, the worst moment.
struct Meddler(Vec<u8>);

impl Drop for Meddler {
    fn drop(&mut self) {
        let mut nested = Submission::new(Nop);
        let _ = poll_once(&mut nested);
    }
}

mod meddler {
    #![expect(unsafe_code, reason = "a buffer type of its own")]
    use super::Meddler;
    use crate::buf::{IoBuf, IoBufMut};

    // SAFETY: as Vec.
    unsafe impl IoBuf for Meddler {
        fn stable_ptr(&self) -> *const u8 {
            self.0.stable_ptr()
        }
        fn bytes_init(&self) -> usize {
            self.0.bytes_init()
        }
    }

    // SAFETY: as Vec.
    unsafe impl IoBufMut for Meddler {
        fn stable_mut_ptr(&mut self) -> *mut u8 {
            self.0.stable_mut_ptr()
        }
        fn bytes_total(&self) -> usize {
            self.0.bytes_total()
        }
        unsafe fn set_init(&mut self, count: usize) {
            // SAFETY: the caller's promise.
            unsafe { self.0.set_init(count) };
        }
    }
}

fn a_buffer_may_use_the_runtime_when_it_is_dropped(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    executor.enter(|| {
        let mut read = Box::pin(accepted.read(Meddler(vec![0; 8])));
        assert!(poll_once(&mut read).is_pending());
    });
    executor.settle();
    assert!(executor.counters().orphans >= 1);
}

#[test]
fn a_dropped_driver_wakes_what_still_waits() {
    let (driver, _remote) = Driver::new(&uring()).expect("a driver");
    let driver = std::cell::RefCell::new(driver);
    let mut nop = Submission::new(Nop);
    context::enter_local(&driver, || assert!(poll_once(&mut nop).is_pending()));
    drop(driver);
    assert!(poll_once(&mut nop).is_ready());
}
