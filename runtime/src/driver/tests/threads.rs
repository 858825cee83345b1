//! Operations that are polled, dropped or started on a thread other than their driver's.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::echo::pair;
use super::executor::{CountedBuffer, Executor, count_alive, poll_once};
use super::for_each_driver;
use crate::driver::{DriverConfig, Wait, context};
use crate::net::{TcpListener, TcpStream};

for_each_driver! {
    an_operation_dropped_elsewhere_is_cancelled_by_its_owner
    a_result_is_fetched_on_another_thread
    the_newest_waker_is_woken
    a_thread_without_a_driver_borrows_one
    a_foreign_operation_can_be_cancelled
    a_mailbox_closes_with_its_driver
    unparking_ends_a_sleep
    cells_freed_elsewhere_are_used_again
    a_socket_closed_elsewhere_frees_its_place
}

fn elsewhere<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(body).join().expect("no panic"))
}

fn an_operation_dropped_elsewhere_is_cancelled_by_its_owner(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    for _ in 0..100 {
        let mut read = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
        executor.enter(|| assert!(poll_once(&mut read).is_pending()));
        elsewhere(move || drop(read));
        assert_eq!(count_alive(&alive), 1, "the owner has not heard of it");
        executor.settle();
        assert_eq!(count_alive(&alive), 0);
    }
}

fn a_result_is_fetched_on_another_thread(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    let mut read = Box::pin(accepted.read(vec![0; 64]));
    executor.enter(|| assert!(poll_once(&mut read).is_pending()));
    executor.run(connecting.write_all("moved")).0.expect("a write");
    executor.settle();
    let Poll::Ready((count, bytes)) = elsewhere(move || poll_once(&mut read)) else { panic!("it is done") };
    assert_eq!((count.expect("a read"), &bytes[..]), (5, &b"moved"[..]));
}

#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn the_newest_waker_is_woken(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    let mut read = Box::pin(accepted.read(vec![0; 64]));
    let [old, new] = [Arc::new(Counting::default()), Arc::new(Counting::default())];
    let mut poll = |waker: &Arc<Counting>| read.as_mut().poll(&mut Context::from_waker(&Waker::from(waker.clone()))).is_ready();
    executor.enter(|| assert!(!poll(&old)));
    elsewhere(|| assert!(!poll(&new)));
    executor.run(connecting.write_all("x")).0.expect("a write");
    executor.settle();
    assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 1));
    assert!(poll(&old));
}

/// Blocks on a future on a thread without a driver.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park_timeout(Duration::from_secs(30));
    }
}

fn a_thread_without_a_driver_borrows_one(config: &DriverConfig) {
    let executor = Executor::new(config);
    let remote = executor.remote.clone();
    let client = std::thread::spawn(move || {
        context::enter_remote(&remote, || {
            block_on(async {
                let (accepted, connecting) = pair().await;
                for _ in 0..100 {
                    connecting.write_all("borrowed").await.0.expect("a write");
                    assert_eq!(accepted.read_exact(vec![0; 8]).await.1, b"borrowed");
                }
                connecting.close().await.expect("a close");
                assert_eq!(accepted.read(vec![0; 1]).await.0.expect("the end"), 0);
            });
        });
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    while !client.is_finished() {
        executor.turn(Wait::For(Duration::from_millis(50)));
        assert!(Instant::now() < deadline);
    }
    client.join().expect("no panic");
    assert_eq!(executor.in_flight(), 0);
}

fn a_foreign_operation_can_be_cancelled(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    for turn_between in [false, true] {
        let mut read = Box::pin(accepted.read(CountedBuffer::new(64, &alive)));
        let remote = executor.remote.clone();
        elsewhere(|| context::enter_remote(&remote, || assert!(poll_once(&mut read).is_pending())));
        if turn_between {
            executor.turn(Wait::No);
            assert_eq!(executor.in_flight(), 1);
        }
        drop(read);
        executor.turn(Wait::No);
        executor.settle();
        assert_eq!(count_alive(&alive), 0);
    }
}

fn a_mailbox_closes_with_its_driver(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (accepted, _connecting) = executor.run(pair());
    let mut posted = Box::pin(accepted.read(CountedBuffer::new(8, &alive)));
    context::enter_remote(&executor.remote, || assert!(poll_once(&mut posted).is_pending()));
    let remote = executor.remote.clone();
    drop(executor);
    let Poll::Ready((result, _)) = poll_once(&mut posted) else { panic!("a letter that nobody will read is answered") };
    assert_eq!(result.expect_err("cancelled").raw_os_error(), Some(libc::ECANCELED));
    context::enter_remote(&remote, || {
        let Poll::Ready((Err(error), _)) = poll_once(&mut Box::pin(accepted.read(CountedBuffer::new(8, &alive)))) else {
            panic!("refused at once")
        };
        assert!(error.to_string().contains("shut down"), "{error}");
    });
    assert_eq!(count_alive(&alive), 0);
}

fn unparking_ends_a_sleep(config: &DriverConfig) {
    const LONG: Duration = Duration::from_secs(20);
    let executor = Executor::new(config);
    let start = Instant::now();
    executor.remote.unpark();
    executor.turn(Wait::Forever);
    for _ in 0..20 {
        let remote = executor.remote.clone();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(2));
            remote.unpark();
        });
        executor.turn(Wait::For(LONG));
        other.join().expect("no panic");
        // The notification may have come while running: the next sleep must have taken it.
    }
    assert!(start.elapsed() < LONG);
    let start = Instant::now();
    executor.turn(Wait::No);
    let slept = (0..50).find(|_| {
        let before = Instant::now();
        executor.turn(Wait::For(Duration::from_millis(30)));
        before.elapsed() >= Duration::from_millis(30)
    });
    assert!(slept.is_some() && start.elapsed() < LONG, "without notifications it sleeps its time");
}

fn cells_freed_elsewhere_are_used_again(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (accepted, connecting) = executor.run(pair());
    let (send, receive) = mpsc::channel::<Pin<Box<dyn Future<Output = (io::Result<usize>, Vec<u8>)> + Send>>>();
    let (taken, acknowledge) = mpsc::channel();
    let other = std::thread::spawn(move || {
        for mut read in receive {
            taken.send(poll_once(&mut read).is_ready()).expect("the test waits");
        }
    });
    for _ in 0..500 {
        let mut read: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(accepted.read(vec![0; 8]));
        executor.enter(|| assert!(poll_once(&mut read).is_pending()));
        executor.run(connecting.write_all("12345678")).0.expect("a write");
        executor.settle();
        send.send(read).expect("the thread waits");
        assert!(acknowledge.recv().expect("the thread answers"));
    }
    drop(send);
    other.join().expect("no panic");
    assert!(executor.cells() <= 128, "{} cells for two at a time", executor.cells());
}

fn a_socket_closed_elsewhere_frees_its_place(config: &DriverConfig) {
    let executor = Executor::new(config);
    for _ in 0..20 {
        let (accepted, connecting) = executor.run(pair());
        let mut read = Box::pin(accepted.read(vec![0; 8]));
        executor.enter(|| assert!(poll_once(&mut read).is_pending()));
        executor.run(connecting.write_all("12345678")).0.expect("a write");
        executor.settle();
        executor.enter(|| assert!(poll_once(&mut read).is_ready()));
        elsewhere(move || drop((accepted, connecting, read)));
    }
    // The same numbers are used again; an event of an old socket must not be taken for one of the new.
    executor.run(async {
        let (accepted, connecting) = pair().await;
        connecting.write_all("fresh").await.0.expect("a write");
        assert_eq!(accepted.read_exact(vec![0; 5]).await.1, b"fresh");
    });
}

#[test]
fn outside_a_runtime_every_operation_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let Poll::Ready(Err(error)) = poll_once(&mut Box::pin(TcpStream::connect(address))) else { panic!("refused at once") };
    assert!(error.to_string().contains("outside a zokio runtime"), "{error}");
    let listener = TcpListener::from_std(listener);
    let Poll::Ready(Err(error)) = poll_once(&mut Box::pin(listener.accept())) else { panic!("refused at once") };
    assert!(error.to_string().contains("outside a zokio runtime"), "{error}");
}
