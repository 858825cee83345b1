//! Parts that need the world outside: sockets, files, threads, and runtimes that come and go.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use zokio::net::{TcpListener, TcpStream};
use zokio::task::JoinHandle;
use zokio::time::{sleep, timeout};
use zokio::{Builder, IoDriver};

use crate::parts::Counted;
use crate::random::Random;

async fn serve(stream: TcpStream) {
    let mut buffer = vec![0; 1_024];
    loop {
        let (read, mut data) = stream.read(buffer).await;
        match read {
            Ok(0) | Err(_) => return, // the client went, perhaps in the middle of a message
            Ok(length) => data.truncate(length),
        }
        let (written, data) = stream.write_all(data).await;
        if written.is_err() {
            return;
        }
        buffer = data;
        buffer.resize(1_024, 0);
    }
}

pub(crate) async fn tcp(random: &mut Random) -> u64 {
    let (clients, messages) = (8, 5 + random.below(20));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = zokio::spawn(async move {
        let mut streams = Vec::new();
        for _ in 0..clients {
            streams.push(zokio::spawn(serve(listener.accept().await.expect("a client").0)));
        }
        // An accept that nobody comes for is given up.
        assert!(timeout(Duration::from_micros(200), listener.accept()).await.is_err());
        for stream in streams {
            stream.await.expect("no panic");
        }
    });
    let handles: Vec<JoinHandle<()>> = (0..clients)
        .map(|client| {
            let gives_up = random.below(3) == 0;
            zokio::spawn(async move {
                let stream = TcpStream::connect(address).await.expect("a server");
                for number in 0..messages {
                    let message: Vec<u8> = (0..1 + (number * 37 + client) % 900).map(|byte| (byte + number + client) as u8).collect();
                    let (written, message) = stream.write_all(message).await;
                    written.expect("a connection");
                    let mut answer = Vec::new();
                    while answer.len() < message.len() {
                        let (read, data) = stream.read(vec![0; message.len() - answer.len()]).await;
                        answer.extend_from_slice(&data[..read.expect("an answer")]);
                    }
                    assert_eq!(answer, message, "the echo");
                }
                // Nothing comes: the read is dropped in flight, and the connection with it.
                if gives_up {
                    assert!(timeout(Duration::from_micros(100), stream.read(vec![0; 64])).await.is_err());
                }
            })
        })
        .collect();
    for handle in handles {
        handle.await.expect("no panic");
    }
    server.await.expect("no panic");
    clients * messages
}

pub(crate) async fn files(random: &mut Random) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, length) = (folder.path().join("soak"), 1 + random.below(200_000));
    let byte_at = |at: u64| (at % 251) as u8;
    let content: Vec<u8> = (0..length).map(byte_at).collect();
    zokio::fs::write(&path, content).await.expect("written");
    let file = zokio::fs::File::open(&path).await.expect("opened");
    let reads = 20;
    for _ in 0..reads {
        let at = random.below(length);
        let wanted = (1 + random.below(5_000)).min(length - at);
        let (read, data) = file.read_exact_at(vec![0; wanted as usize], at).await;
        read.expect("read");
        assert!(data.iter().zip(at..).all(|(&byte, at)| byte == byte_at(at)), "the bytes at {at}");
    }
    // A read that is given up at once.
    let _ = timeout(Duration::ZERO, file.read_at(vec![0; 4_096], 0)).await;
    file.close().await.expect("closed");
    let whole = zokio::fs::read(&path).await.expect("read");
    assert!(whole.len() as u64 == length && whole.iter().zip(0..).all(|(&byte, at)| byte == byte_at(at)));
    zokio::fs::remove_file(&path).await.expect("removed");
    reads + 4
}

/// A thread sets a number and wakes; the task sees the number or a later one. A wake that leads to no later poll would stop the round.
pub(crate) async fn foreign_wakes(random: &mut Random) -> u64 {
    let wakes = 100 + random.below(200);
    let (number, kept): (Arc<AtomicU64>, Arc<Mutex<Option<Waker>>>) = Default::default();
    let thread = std::thread::spawn({
        let (number, kept) = (number.clone(), kept.clone());
        move || {
            for wake in 1..=wakes {
                number.store(wake, Ordering::Release);
                let waker = loop {
                    if let Some(waker) = kept.lock().unwrap().take() {
                        break waker;
                    }
                    std::thread::yield_now();
                };
                if wake % 2 == 0 { waker.wake() } else { waker.wake_by_ref() }
            }
        }
    });
    let mut seen = 0;
    let task = zokio::spawn(poll_fn(move |cx| {
        // First the waker, then the number: either is seen by the thread or by us.
        *kept.lock().unwrap() = Some(cx.waker().clone());
        let now = number.load(Ordering::Acquire);
        assert!(now >= seen);
        seen = now;
        if now == wakes { Poll::Ready(()) } else { Poll::Pending }
    }));
    task.await.expect("no panic");
    // The last wake may still be on its way: joined where it may block.
    zokio::spawn_blocking(move || thread.join().expect("no panic")).await.expect("no panic");
    wakes
}

/// A runtime of its own, with work of all kinds in the middle of it, dropped on a thread that may block or in a task.
pub(crate) async fn runtimes(random: &mut Random) -> u64 {
    let (workers, driver) = (1 + random.below(3) as usize, if random.below(2) == 0 { IoDriver::Auto } else { IoDriver::Polling });
    let (live, in_task, served) = (Arc::new(AtomicUsize::new(0)), random.below(4) == 0, Arc::new(AtomicBool::new(false)));
    let pause = Duration::from_micros(random.below(2_000));
    let (begun, is_served) = (live.clone(), served.clone());
    let made = zokio::spawn_blocking(move || {
        let runtime = Builder::new().worker_threads(workers).io_driver(driver).build().expect("a runtime");
        for number in 0..40_u64 {
            let guard = Counted::new(&begun);
            drop(runtime.spawn(async move {
                let _guard = guard;
                match number % 4 {
                    0 => pending::<()>().await,
                    1 => sleep(Duration::from_secs(3_600)).await,
                    2 => loop {
                        zokio::task::yield_now().await;
                    },
                    _ => {
                        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
                        let (server, _) = listener.accept().await.expect("a client");
                        drop(client.write_all(vec![7_u8; 3]).await);
                        drop(server.read(vec![0_u8; 8]).await);
                        drop(server.read(vec![0_u8; 8]).await); // for ever
                    }
                }
            }));
        }
        let number = runtime.spawn_blocking(|| 5);
        assert_eq!(runtime.block_on(number).expect("no panic"), 5);
        std::thread::sleep(pause);
        is_served.store(true, Ordering::Relaxed);
        if in_task {
            Some(runtime)
        } else {
            drop(runtime);
            assert_eq!(begun.load(Ordering::SeqCst), 0, "a task outlived its runtime");
            None
        }
    });
    drop(made.await.expect("no panic"));
    // Where it was dropped here, in a task, it ends by itself.
    while live.load(Ordering::SeqCst) != 0 {
        sleep(Duration::from_micros(500)).await;
    }
    assert!(served.load(Ordering::Relaxed));
    1
}
