//! Operations on datagram and Unix sockets that nobody waits for any more, and sockets by the thousand.

use std::sync::Arc;

use super::executor::{CountedBuffer, Executor, count_alive, open_descriptors, poll_once};
use super::for_each_driver;
use super::udp::socket;
use super::unix::abstract_name;
use crate::driver::{DriverConfig, Wait};
use crate::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};

for_each_driver! {
    a_storm_over_udp_leaves_nothing
    a_storm_over_unix_sockets_leaves_nothing
    a_dropped_receive_keeps_its_buffer_until_the_kernel_is_done
    connections_nobody_took_leave_no_descriptor
    five_thousand_sockets_come_and_go
}

/// Of which half is dropped.
struct Coin(u32);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 31 == 0
    }
}

/// Polls each future of `batch` once, and drops about half of those that wait.
fn drop_half<F: Future + Unpin>(batch: &mut Vec<F>, coin: &mut Coin) {
    batch.retain_mut(|future| poll_once(future).is_pending());
    batch.retain(|_| coin.toss());
}

fn a_storm_over_udp_leaves_nothing(config: &DriverConfig) {
    let alive = Arc::new(());
    let mut coin = Coin(0x1234_5678);
    let before = {
        let executor = Executor::new(config);
        let before = open_descriptors();
        executor.run(async {
            let pairs = [socket().await, socket().await, socket().await, socket().await];
            let (sender, source) = socket().await;
            for round in 0..400 {
                let (receiver, address) = &pairs[round % pairs.len()];
                let mut receives: Vec<_> = (0..8).map(|_| Box::pin(receiver.recv_from(CountedBuffer::new(16, &alive)))).collect();
                drop_half(&mut receives, &mut coin);
                if round % 3 == 0 {
                    executor.turn(Wait::No);
                }
                sender.send_to(CountedBuffer::new(16, &alive), *address).await.0.expect("a send");
                drop(receives);
                if round % 50 == 49 {
                    settle(&executor).await;
                    // What was sent to receives that were dropped may be there or not.
                    drain(receiver).await;
                    sender.send_to("intact", *address).await.0.expect("a send");
                    let (received, message) = receiver.recv_from(Vec::with_capacity(64)).await;
                    assert_eq!((received.expect("a datagram"), &message[..]), ((6, source), &b"intact"[..]));
                }
            }
        });
        executor.settle();
        assert_eq!(count_alive(&alive), 0);
        assert_eq!(open_descriptors(), before, "the sockets are closed");
        assert!(executor.counters().orphans > 0, "{:?}", executor.counters());
        assert!(executor.cells() <= 512, "{} cells for at most 9 operations in flight and their late ends", executor.cells());
        before
    };
    assert!(open_descriptors() <= before);
}

/// Until the kernel has given everything back.
async fn settle(executor: &Executor) {
    while executor.in_flight() > 0 {
        executor.turn(Wait::For(std::time::Duration::from_millis(1)));
    }
}

/// Takes what is there.
async fn drain(receiver: &UdpSocket) {
    receiver.send_to("mark", receiver.local_addr().expect("an address")).await.0.expect("a send");
    while receiver.recv(Vec::with_capacity(64)).await.1 != b"mark" {}
}

fn a_storm_over_unix_sockets_leaves_nothing(config: &DriverConfig) {
    let alive = Arc::new(());
    let mut coin = Coin(0x8765_4321);
    let executor = Executor::new(config);
    let before = open_descriptors();
    executor.run(async {
        let (datagrams, sender) = UnixDatagram::pair().expect("a pair");
        let name = abstract_name();
        let listener = UnixListener::bind_addr(&name).expect("a listener");
        for round in 0..300 {
            let (stream, peer) = UnixStream::pair().expect("a pair");
            let mut reads: Vec<_> = (0..4).map(|_| Box::pin(stream.read(CountedBuffer::new(16, &alive)))).collect();
            let mut receives: Vec<_> = (0..4).map(|_| Box::pin(datagrams.recv_from(CountedBuffer::new(16, &alive)))).collect();
            let mut accepts: Vec<_> = (0..2).map(|_| Box::pin(listener.accept())).collect();
            drop_half(&mut reads, &mut coin);
            drop_half(&mut receives, &mut coin);
            drop_half(&mut accepts, &mut coin);
            if round % 3 == 0 {
                executor.turn(Wait::No);
            }
            peer.write_all(CountedBuffer::new(16, &alive)).await.0.expect("a write");
            sender.send(CountedBuffer::new(16, &alive)).await.0.expect("a send");
            drop((reads, receives, accepts));
            if round % 50 == 49 {
                settle(&executor).await;
                sender.send("mark").await.0.expect("a send");
                while datagrams.recv(Vec::with_capacity(64)).await.1 != b"mark" {}
                sender.send("intact").await.0.expect("a send");
                assert_eq!(datagrams.recv(Vec::with_capacity(64)).await.1, b"intact");
                let client = UnixStream::connect_addr(&name).await.expect("a connection");
                let (server, _) = listener.accept().await.expect("a connection");
                client.write_all("intact").await.0.expect("a write");
                assert_eq!(server.read_exact(vec![0; 6]).await.1, b"intact");
            }
        }
    });
    executor.settle();
    assert_eq!(count_alive(&alive), 0);
    assert_eq!(open_descriptors(), before, "the sockets are closed");
    assert!(executor.counters().orphans > 0, "{:?}", executor.counters());
}

fn a_dropped_receive_keeps_its_buffer_until_the_kernel_is_done(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    let (receiver, address) = executor.run(socket());
    executor.enter(|| {
        let mut receive = Box::pin(receiver.recv_from(CountedBuffer::new(64, &alive)));
        assert!(poll_once(&mut receive).is_pending());
        assert_eq!(executor.in_flight(), 1);
        drop(receive);
        // The kernel has it as long as the ring says so; a polling driver has it alone.
        assert_eq!(count_alive(&alive), executor.in_flight());
    });
    executor.settle();
    assert_eq!(count_alive(&alive), 0);
    assert_eq!((executor.counters().cancelled, executor.counters().orphans), (1, 1));
    // Cancelled before anything came: nothing is lost.
    executor.run(async {
        receiver.send_to("kept", address).await.0.expect("a send");
        assert_eq!(receiver.recv(vec![0; 8]).await.1, b"kept");
    });
}

fn connections_nobody_took_leave_no_descriptor(config: &DriverConfig) {
    let executor = Executor::new(config);
    let before = open_descriptors();
    executor.run(async {
        let name = abstract_name();
        let listener = UnixListener::bind_addr(&name).expect("a listener");
        for _ in 0..100 {
            let mut accept = Box::pin(listener.accept());
            // On a ring, the connection of the round before may still wait: then this takes it.
            let _ = poll_once(&mut accept).is_ready();
            let client = UnixStream::connect_addr(&name).await.expect("a connection");
            executor.turn(Wait::For(std::time::Duration::from_millis(10)));
            drop(accept);
            drop(client);
        }
    });
    executor.settle();
    assert_eq!(open_descriptors(), before);
}

fn five_thousand_sockets_come_and_go(config: &DriverConfig) {
    let executor = Executor::new(config);
    let before = open_descriptors();
    executor.run(async {
        let (target, address) = socket().await;
        for round in 0..2_500_u32 {
            let (udp, _) = socket().await;
            let (one, other) = UnixStream::pair().expect("a pair");
            // Waits, so that a poller knows of the socket.
            let mut read = Box::pin(other.read(vec![0; 4]));
            assert!(poll_once(&mut read).is_pending());
            one.write_all(round.to_ne_bytes().to_vec()).await.0.expect("a write");
            assert_eq!(read.await.1, round.to_ne_bytes());
            udp.send_to(round.to_ne_bytes().to_vec(), address).await.0.expect("a send");
            assert_eq!(target.recv(vec![0; 8]).await.1, round.to_ne_bytes());
            if round % 2 == 0 {
                udp.close().await.expect("a close");
                one.close().await.expect("a close");
            }
        }
        assert!(open_descriptors() <= before + 8, "{} descriptors", open_descriptors() - before);
    });
    executor.settle();
    assert_eq!(open_descriptors(), before);
}
