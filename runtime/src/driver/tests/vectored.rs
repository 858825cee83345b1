//! Several buffers in one call, and the two halves of a connection.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::Arc;

use super::echo::pair;
use super::executor::{CountedBuffer, Executor, count_alive, poll_once};
use super::files::pattern;
use super::for_each_driver;
use crate::driver::DriverConfig;
use crate::net::{TcpListener, TcpStream};

for_each_driver! {
    buffers_go_and_come_in_order
    a_slow_receiver_gets_every_buffer_of_a_short_write
    a_dropped_vectored_read_leaves_nothing
    a_gone_peer_is_an_error_and_no_signal
    halves_talk_beside_each_other
    a_dropped_writer_ends_its_direction_after_its_last_write
    halves_that_fit_become_a_stream_again
}

fn buffers_go_and_come_in_order(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (accepted, connecting) = pair().await;
        let (sent, back) = connecting.writev((b"head".to_vec(), "body")).await;
        assert_eq!((sent.expect("a write"), back.1), (8, "body"));
        let (count, buffers) = accepted.readv(vec![vec![0; 3], Vec::with_capacity(2), vec![0; 9]]).await;
        assert_eq!((count.expect("a read"), buffers), (8, vec![b"hea".to_vec(), b"db".to_vec(), b"ody".to_vec()]));
        // More buffers than one call takes.
        let (sent, _) = connecting.writev_all(vec!["ab"; 3_000]).await;
        assert_eq!(sent.expect("a write"), 6_000);
        let (read, bytes) = accepted.read_exact(vec![0; 6_000]).await;
        read.expect("a read");
        assert!(bytes.chunks(2).all(|two| two == b"ab"));
        assert_eq!(connecting.writev_all(vec!["", ""]).await.0.expect("nothing"), 0);
        connecting.shutdown(Shutdown::Write).await.expect("a shutdown");
        assert_eq!(accepted.readv([vec![0; 4]]).await.0.expect("the end"), 0);
    });
}

/// A pair of which the sender has as little room as the kernel allows.
pub(super) async fn narrow_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let socket = crate::net::TcpSocket::new_v4().expect("a socket");
    socket.set_send_buffer_size(4096).expect("an option");
    let connecting = socket.connect(listener.local_addr().expect("an address")).await.expect("a connection");
    (listener.accept().await.expect("a connection").0, connecting)
}

fn a_slow_receiver_gets_every_buffer_of_a_short_write(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = narrow_pair().await;
        let bytes = pattern(3 << 20);
        let buffers: Vec<Vec<u8>> = bytes.chunks(70_001).map(<[u8]>::to_vec).collect();
        executor.spawn(async move {
            assert_eq!(connecting.writev_all(buffers).await.0.expect("a write"), 3 << 20);
        });
        let mut received = Vec::new();
        loop {
            let (count, part) = accepted.readv([vec![0; 1000], vec![0; 3001]]).await;
            match count.expect("a read") {
                0 => break,
                count => received.extend_from_slice(&part.concat()[..count]),
            }
        }
        assert_eq!(received.len(), bytes.len());
        assert!(received == bytes, "the bytes arrive in their order");
    });
    executor.run_all();
}

fn a_dropped_vectored_read_leaves_nothing(config: &DriverConfig) {
    let alive = Arc::new(());
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        let buffers = || vec![CountedBuffer::aligned(16, &alive), CountedBuffer::aligned(16, &alive)];
        let mut read = Box::pin(accepted.readv(buffers()));
        assert!(poll_once(&mut read).is_pending());
        drop(read);
        while executor.in_flight() > 0 {
            executor.turn(crate::driver::Wait::For(std::time::Duration::from_millis(1)));
        }
        assert_eq!(count_alive(&alive), 0);
        connecting.write_all("still there").await.0.expect("a write");
        assert_eq!(accepted.readv(buffers()).await.0.expect("a read"), 11);
    });
}

fn a_gone_peer_is_an_error_and_no_signal(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (accepted, connecting) = pair().await;
        drop(accepted);
        let error = loop {
            if let (Err(error), _) = connecting.writev_all(vec![vec![0; 1024]; 3]).await {
                break error;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    });
}

fn halves_talk_beside_each_other(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(super::echo::echo(accepted));
        let (reader, writer) = connecting.into_split();
        executor.spawn(async move {
            writer.write_all(pattern(1 << 20)).await.0.expect("a write");
            writer.writev_all((b"the ".to_vec(), "end")).await.0.expect("a write");
        });
        assert!(reader.read_exact(vec![0; 1 << 20]).await.1 == pattern(1 << 20));
        assert_eq!(reader.read_exact(vec![0; 7]).await.1, b"the end");
        assert_eq!(reader.read(vec![0; 7]).await.0.expect("the writer is gone"), 0);
        let (accepted, connecting) = pair().await;
        let ((reader, _), (_, writer)) = (accepted.split(), connecting.split());
        writer.write_all("borrowed").await.0.expect("a write");
        writer.shutdown().await.expect("a shutdown");
        assert_eq!(reader.read(Vec::with_capacity(64)).await.1, b"borrowed");
        assert_eq!(reader.read(Vec::with_capacity(64)).await.0.expect("the end"), 0);
    });
    executor.run_all();
}

fn a_dropped_writer_ends_its_direction_after_its_last_write(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = narrow_pair().await;
        let (reader, writer) = connecting.into_split();
        // The half is gone while its write is still in flight.
        let mut write = Box::pin(writer.write_all(pattern(1 << 20)));
        let _ = poll_once(&mut write);
        drop(writer);
        executor.spawn(async move { assert_eq!(write.await.0.expect("a write"), 1 << 20) });
        assert!(accepted.read_exact(vec![0; 1 << 20]).await.1 == pattern(1 << 20));
        assert_eq!(accepted.read(vec![0; 1]).await.0.expect("the end"), 0);
        accepted.write_all("heard").await.0.expect("the other direction is open");
        assert_eq!(reader.read(Vec::with_capacity(8)).await.1, b"heard");
    });
    executor.run_all();
}

fn halves_that_fit_become_a_stream_again(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (accepted, connecting) = pair().await;
        let ((reader, writer), (other_reader, other_writer)) = (accepted.into_split(), connecting.into_split());
        let error = reader.reunite(other_writer).expect_err("they are of different ends");
        assert!(error.to_string().contains("not of one connection"));
        let accepted = error.0.reunite(writer).expect("they fit");
        let connecting = other_reader.reunite(error.1).expect("they fit");
        connecting.write_all("whole").await.0.expect("no direction was ended");
        assert_eq!(accepted.read(Vec::with_capacity(8)).await.1, b"whole");
        let (reader, writer) = accepted.into_split();
        writer.forget();
        drop(reader);
        assert_eq!(connecting.read(vec![0; 1]).await.0.expect("the last half closes"), 0);
    });
}
