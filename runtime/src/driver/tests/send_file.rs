//! From a file to a socket, each way.

use std::io::ErrorKind;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::echo::pair;
use super::executor::{Executor, poll_once};
use super::files::{pattern, place};
use super::{for_each_driver, uring_without_files};
use crate::driver::{DriverConfig, Wait};
use crate::fs::File;
use crate::io::SendFileVia;
use crate::net::{TcpListener, TcpSocket, TcpStream};

for_each_driver! {
    ten_mebibytes_arrive_whole_each_way
    a_slow_receiver_gets_everything
    a_file_that_ends_early_is_sent_as_far_as_it_goes
    a_part_from_the_middle_arrives
    a_stalled_receiver_keeps_no_thread
    a_gone_receiver_is_an_error
}

const WAYS: [SendFileVia; 3] = [SendFileVia::Splice, SendFileVia::Sendfile, SendFileVia::Copy];

/// Receives to the end; the hash and the number of the bytes.
async fn receive(stream: &TcpStream, pause: bool) -> (Vec<u8>, usize) {
    let (mut hash, mut total, mut buffer) = (Sha256::new(), 0, Vec::with_capacity(if pause { 5_000 } else { 1 << 16 }));
    loop {
        let (count, filled) = stream.read(buffer).await;
        match count.expect("a read") {
            0 => return (hash.finalize().to_vec(), total),
            count => total += count,
        }
        hash.update(&filled);
        if pause && total % 7 == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
        buffer = filled;
    }
}

fn ten_mebibytes_arrive_whole_each_way(config: &DriverConfig) {
    const BYTES: usize = 10 << 20;
    let (_folder, path) = place();
    let bytes = pattern(BYTES);
    std::fs::write(&path, &bytes).expect("std");
    let expected = (Sha256::digest(&bytes).to_vec(), BYTES);
    for via in WAYS {
        let executor = Executor::new(config);
        executor.run(async {
            let (accepted, connecting) = pair().await;
            let file = File::open(&path).await.expect("a file");
            executor.spawn(async move {
                assert_eq!(connecting.send_file_via(&file, 0, BYTES as u64, via).await.expect("a transfer"), BYTES as u64);
            });
            assert_eq!(receive(&accepted, false).await, expected, "{via:?}");
        });
        executor.run_all();
    }
}

/// A pair with as little room in between as the kernel allows.
async fn narrow_pair() -> (TcpStream, TcpStream) {
    let listening = TcpSocket::new_v4().expect("a socket");
    listening.set_recv_buffer_size(4096).expect("an option");
    listening.bind("127.0.0.1:0".parse().expect("an address")).expect("a bind");
    let listener: TcpListener = listening.listen(1).expect("a listener");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(4096).expect("an option");
    let connecting = socket.connect(listener.local_addr().expect("an address")).await.expect("a connection");
    (listener.accept().await.expect("a connection").0, connecting)
}

fn a_slow_receiver_gets_everything(config: &DriverConfig) {
    const BYTES: usize = 300_001;
    let (_folder, path) = place();
    let bytes = pattern(BYTES);
    std::fs::write(&path, &bytes).expect("std");
    let expected = (Sha256::digest(&bytes).to_vec(), BYTES);
    for via in WAYS {
        let executor = Executor::new(config);
        executor.run(async {
            let (accepted, connecting) = narrow_pair().await;
            let file = File::open(&path).await.expect("a file");
            executor.spawn(async move {
                assert_eq!(connecting.send_file_via(&file, 0, BYTES as u64, via).await.expect("a transfer"), BYTES as u64);
            });
            assert_eq!(receive(&accepted, true).await, expected, "{via:?}");
        });
        executor.run_all();
    }
}

fn a_file_that_ends_early_is_sent_as_far_as_it_goes(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(10_000)).expect("std");
    Executor::new(config).run(async {
        for via in WAYS {
            let (accepted, connecting) = pair().await;
            let file = File::open(&path).await.expect("a file");
            assert_eq!(connecting.send_file_via(&file, 4_000, 1 << 30, via).await.expect("what there is"), 6_000, "{via:?}");
            assert_eq!(connecting.send_file_via(&file, 20_000, 10, via).await.expect("nothing is there"), 0, "{via:?}");
            assert_eq!(connecting.send_file_via(&file, 0, 0, via).await.expect("nothing was asked for"), 0, "{via:?}");
            let error = connecting.send_file_via(&file, u64::MAX, 2, via).await.expect_err("no such offset");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            drop(connecting);
            assert_eq!(receive(&accepted, false).await, (Sha256::digest(&pattern(10_000)[4_000..]).to_vec(), 6_000), "{via:?}");
        }
    });
}

fn a_part_from_the_middle_arrives(config: &DriverConfig) {
    let (_folder, path) = place();
    let bytes = pattern(200_000);
    std::fs::write(&path, &bytes).expect("std");
    Executor::new(config).run(async {
        for via in WAYS {
            let (accepted, connecting) = pair().await;
            let file = File::open(&path).await.expect("a file");
            // Before and after the file come other bytes of the same stream: the order holds.
            connecting.write_all("<").await.0.expect("a write");
            assert_eq!(connecting.send_file_via(&file, 4_097, 100_001, via).await.expect("a transfer"), 100_001);
            connecting.write_all(">").await.0.expect("a write");
            let expected = [b"<", &bytes[4_097..104_098], b">"].concat();
            assert!(accepted.read_exact(vec![0; expected.len()]).await.1 == expected, "{via:?}");
        }
    });
}

fn a_stalled_receiver_keeps_no_thread(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(1 << 20)).expect("std");
    for via in WAYS {
        let executor = Executor::new(config);
        let (_accepted, _connecting) = executor.run(async {
            let (accepted, connecting) = narrow_pair().await;
            let file = File::open(&path).await.expect("a file");
            let mut transfer = Box::pin(connecting.send_file_via(&file, 0, 1 << 20, via));
            for _ in 0..100 {
                assert!(poll_once(&mut transfer).is_pending(), "nobody receives ({via:?})");
                executor.turn(Wait::For(Duration::from_millis(1)));
            }
            drop(transfer);
            (accepted, connecting)
        });
        executor.settle();
        assert_eq!(executor.in_flight(), 0);
    }
}

fn a_gone_receiver_is_an_error(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(1 << 20)).expect("std");
    Executor::new(config).run(async {
        for via in WAYS {
            let (accepted, connecting) = narrow_pair().await;
            drop(accepted);
            let file = File::open(&path).await.expect("a file");
            let error = connecting.send_file_via(&file, 0, 1 << 20, via).await.expect_err("nobody is there");
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{via:?}: {error}");
        }
    });
}

#[test]
fn a_ring_that_cannot_splice_goes_another_way() {
    ten_mebibytes_arrive_whole_each_way(&uring_without_files());
    a_stalled_receiver_keeps_no_thread(&uring_without_files());
}
