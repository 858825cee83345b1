//! Connections as they are meant to be.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use super::executor::Executor;
use super::for_each_driver;
use crate::driver::DriverConfig;
use crate::net::{TcpListener, TcpSocket, TcpStream};

for_each_driver! {
    a_message_comes_back
    large_transfers_arrive_whole_in_both_directions
    a_refused_connection_is_an_error
    a_later_address_is_tried_when_the_first_refuses
    half_a_connection_can_be_closed
    writing_to_a_closed_peer_is_an_error_and_no_signal
    a_thousand_connections_at_once
    sockets_of_std_work_in_either_mode
    options_reach_the_socket
    a_peek_leaves_the_data
}

/// A connected pair: accepted and connecting end.
pub(super) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let connecting = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
    let (accepted, peer) = listener.accept().await.expect("a connection");
    assert_eq!(peer, connecting.local_addr().expect("an address"));
    (accepted, connecting)
}

/// Sends back whatever comes, until the end.
pub(super) async fn echo(stream: TcpStream) {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let (count, filled) = stream.read(buffer).await;
        if count.expect("a read") == 0 {
            return;
        }
        let (sent, back) = stream.write_all(filled).await;
        sent.expect("a write");
        buffer = back;
    }
}

fn a_message_comes_back(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(echo(accepted));
        for round in 0..100u32 {
            let message = format!("message {round}");
            let (sent, message) = connecting.write_all(message).await;
            assert_eq!(sent.expect("a write"), message.len());
            let (read, answer) = connecting.read_exact(vec![0; message.len()]).await;
            assert_eq!(read.expect("a read"), message.len());
            assert_eq!(answer, message.as_bytes());
        }
        connecting.close().await.expect("a close");
    });
    executor.run_all();
    assert_eq!(executor.in_flight(), 0);
}

fn large_transfers_arrive_whole_in_both_directions(config: &DriverConfig) {
    const BYTES: usize = 3 << 20;
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        executor.spawn(echo(accepted));
        let connecting = std::sync::Arc::new(connecting);
        let writer = connecting.clone();
        executor.spawn(async move {
            let bytes: Vec<u8> = (0..BYTES).map(|index| (index / 7) as u8).collect();
            assert_eq!(writer.write_all(bytes).await.0.expect("a write"), BYTES);
            writer.shutdown(Shutdown::Write).await.expect("a shutdown");
        });
        let (read, bytes) = connecting.read_exact(vec![0; BYTES]).await;
        assert_eq!(read.expect("a read"), BYTES);
        assert!(bytes.iter().enumerate().all(|(index, &byte)| byte == (index / 7) as u8));
        assert_eq!(connecting.read(vec![0; 1]).await.0.expect("the end"), 0);
    });
    executor.run_all();
}

/// An address on which nobody listens.
fn unused_address() -> SocketAddr {
    // Bound but not listening: nobody else can take the port while the socket lives, but it was closed, which is as good for a moment.
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address")
}

fn a_refused_connection_is_an_error(config: &DriverConfig) {
    let executor = Executor::new(config);
    let error = executor.run(TcpStream::connect(unused_address())).expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

fn a_later_address_is_tried_when_the_first_refuses(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let addresses = [unused_address(), listener.local_addr().expect("an address")];
        let stream = TcpStream::connect(&addresses[..]).await.expect("the second listens");
        assert_eq!(stream.peer_addr().expect("an address"), addresses[1]);
        let none: &[SocketAddr] = &[];
        assert_eq!(TcpStream::connect(none).await.expect_err("no address").kind(), io::ErrorKind::InvalidInput);
    });
}

fn half_a_connection_can_be_closed(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        connecting.write_all("last words").await.0.expect("a write");
        connecting.shutdown(Shutdown::Write).await.expect("a shutdown");
        let (read, words) = accepted.read_exact(vec![0; 10]).await;
        assert_eq!((read.expect("a read"), &words[..]), (10, &b"last words"[..]));
        assert_eq!(accepted.read(Vec::with_capacity(8)).await.0.expect("the end"), 0);
        accepted.write_all("heard").await.0.expect("the other direction is open");
        assert_eq!(connecting.read(Vec::with_capacity(8)).await.1, b"heard");
        let (result, buffer) = accepted.read_exact(vec![7; 3]).await;
        assert_eq!((result.expect_err("the end").kind(), buffer), (io::ErrorKind::UnexpectedEof, vec![7; 3]));
    });
}

fn writing_to_a_closed_peer_is_an_error_and_no_signal(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        accepted.close().await.expect("a close");
        // The first write may still be taken; the answer to it is a reset.
        let error = loop {
            if let (Err(error), _) = connecting.write_all(vec![0; 1024]).await {
                break error;
            }
        };
        assert!(matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{error}");
    });
}

fn a_thousand_connections_at_once(config: &DriverConfig) {
    const CONNECTIONS: usize = 1_000;
    let executor = Executor::new(config);
    executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut streams = Vec::new();
        for index in 0..CONNECTIONS {
            let stream = TcpStream::connect(address).await.expect("a connection");
            executor.spawn(echo(listener.accept().await.expect("a connection").0));
            stream.write_all((index as u32).to_ne_bytes().to_vec()).await.0.expect("a write");
            streams.push(stream);
        }
        for (index, stream) in streams.into_iter().enumerate() {
            let (read, bytes) = stream.read_exact(vec![0; 4]).await;
            read.expect("a read");
            assert_eq!(bytes, (index as u32).to_ne_bytes());
        }
    });
    executor.run_all();
}

fn sockets_of_std_work_in_either_mode(config: &DriverConfig) {
    for nonblocking in [false, true] {
        let executor = Executor::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let stream = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        listener.set_nonblocking(nonblocking).expect("a mode");
        stream.set_nonblocking(nonblocking).expect("a mode");
        executor.run(async {
            let listener = TcpListener::from_std(listener);
            executor.spawn(echo(listener.accept().await.expect("a connection").0));
            let stream = TcpStream::from_std(stream);
            stream.write_all("across").await.0.expect("a write");
            assert_eq!(stream.read_exact(vec![0; 6]).await.1, b"across");
        });
        executor.run_all();
    }
}

fn options_reach_the_socket(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let listening = TcpSocket::new_v4().expect("a socket");
        listening.set_reuseaddr(true).expect("an option");
        listening.set_reuseport(true).expect("an option");
        listening.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a bind");
        let listener = listening.listen(16).expect("a listener");
        let connecting = TcpSocket::new_v4().expect("a socket");
        connecting.set_nodelay(true).expect("an option");
        connecting.set_recv_buffer_size(1 << 16).expect("an option");
        let stream = connecting.connect(listener.local_addr().expect("an address")).await.expect("a connection");
        assert!(stream.nodelay().expect("an option"));
        stream.set_nodelay(false).expect("an option");
        assert!(!stream.nodelay().expect("an option"));
        stream.set_ttl(5).expect("an option");
        stream.set_send_buffer_size(1 << 16).expect("an option");
        // Closing with zero linger resets the connection, which the other end sees.
        stream.set_linger(Some(Duration::ZERO)).expect("an option");
        let (accepted, _) = listener.accept().await.expect("a connection");
        drop(stream);
        let error = accepted.read(vec![0; 1]).await.0.expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        listener.close().await.expect("a close");
    });
}

fn a_peek_leaves_the_data(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        connecting.write_all("seen").await.0.expect("a write");
        assert_eq!(accepted.peek(Vec::with_capacity(8)).await.1, b"seen");
        assert_eq!(accepted.read(Vec::with_capacity(8)).await.1, b"seen");
    });
}
