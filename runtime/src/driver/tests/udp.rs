//! Datagrams over UDP.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::executor::{Executor, poll_once};
use super::files::pattern;
use super::for_each_driver;
use crate::driver::{DriverConfig, Wait};
use crate::net::UdpSocket;

for_each_driver! {
    datagrams_come_back_to_whoever_sent_them
    a_thousand_datagrams_arrive_in_order
    what_the_buffer_has_no_room_for_is_lost_and_said_so
    an_empty_datagram_is_one
    a_connected_socket_hears_one_address_alone
    a_port_without_a_listener_is_an_error_of_a_connected_socket
    a_peek_leaves_the_datagram
    ipv6_is_spoken
    groups_are_joined_and_left
    options_reach_the_socket
    a_datagram_too_long_to_send_is_an_error
    sockets_go_to_std_and_back
    a_receive_begun_first_gets_what_is_sent_later
}

pub(super) async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

fn datagrams_come_back_to_whoever_sent_them(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (server, address) = socket().await;
        executor.spawn(async move {
            let mut buffer = Vec::with_capacity(2048);
            for _ in 0..200 {
                let (received, filled) = server.recv_from(buffer).await;
                let (count, source) = received.expect("a datagram");
                assert_eq!(count, filled.len());
                buffer = server.send_to(filled, source).await.1;
            }
        });
        let clients = [socket().await, socket().await];
        for round in 0..100 {
            for (index, (client, _)) in clients.iter().enumerate() {
                let message = format!("message {round} of {index}");
                assert_eq!(client.send_to(message.clone(), address).await.0.expect("a send"), message.len());
                let (received, answer) = client.recv_from(Vec::with_capacity(64)).await;
                assert_eq!(received.expect("an answer"), (message.len(), address));
                assert_eq!(answer, message.as_bytes());
            }
        }
    });
    executor.run_all();
    assert_eq!(executor.in_flight(), 0);
}

fn a_thousand_datagrams_arrive_in_order(config: &DriverConfig) {
    const DATAGRAMS: usize = 1_000;
    let executor = Executor::new(config);
    executor.run(async {
        let (receiver, address) = socket().await;
        executor.spawn(async move {
            let (sender, _) = socket().await;
            sender.connect(address).await.expect("an address");
            for index in 0..DATAGRAMS {
                // Of different lengths; the receiver answers every tenth, so that its buffer is never full.
                let message = pattern(4 + index % 1200);
                assert_eq!(sender.send(message).await.0.expect("a send"), 4 + index % 1200);
                if index % 10 == 9 {
                    let (count, answer) = sender.recv(Vec::with_capacity(8)).await;
                    assert_eq!((count.expect("an answer"), answer), (8, index.to_ne_bytes().to_vec()));
                }
            }
        });
        let mut buffer = vec![0; 2048];
        for index in 0..DATAGRAMS {
            let (received, filled) = receiver.recv_from(buffer).await;
            assert_eq!(received.as_ref().expect("a datagram").0, 4 + index % 1200);
            assert!(filled == pattern(4 + index % 1200), "datagram {index}");
            if index % 10 == 9 {
                receiver.send_to(index.to_ne_bytes().to_vec(), received.expect("a datagram").1).await.0.expect("a send");
            }
            buffer = filled;
        }
    });
    executor.run_all();
}

fn what_the_buffer_has_no_room_for_is_lost_and_said_so(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (receiver, address) = socket().await;
        for message in ["0123456789", "01234567", "abcdefghij", "next"] {
            receiver.send_to(message, address).await.0.expect("a send");
        }
        let room = || vec![0; 8].into_boxed_slice();
        let (received, bytes) = receiver.receive_from(room()).await;
        let received = received.expect("a datagram");
        assert_eq!((received.bytes, received.source, received.is_truncated, &bytes[..]), (8, address, true, &b"01234567"[..]));
        let received = receiver.receive_from(room()).await.0.expect("a datagram");
        assert_eq!((received.bytes, received.is_truncated), (8, false), "it fits exactly");
        let (count, bytes) = receiver.recv(room()).await;
        assert_eq!((count.expect("a datagram"), &bytes[..]), (8, &b"abcdefgh"[..]));
        assert_eq!(receiver.recv(Vec::with_capacity(8)).await.1, b"next", "the rest is not the next datagram");
    });
}

fn an_empty_datagram_is_one(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (receiver, address) = socket().await;
        let (sender, source) = socket().await;
        assert_eq!(sender.send_to("", address).await.0.expect("a send"), 0);
        sender.connect(address).await.expect("an address");
        assert_eq!(sender.send("").await.0.expect("a send"), 0);
        sender.send("after").await.0.expect("a send");
        assert_eq!(receiver.recv_from(vec![1; 8]).await.0.expect("a datagram"), (0, source));
        assert_eq!(receiver.recv(vec![1; 8]).await.1, b"");
        assert_eq!(receiver.recv(vec![1; 8]).await.1, b"after");
    });
}

fn a_connected_socket_hears_one_address_alone(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, one_address) = socket().await;
        let (other, other_address) = socket().await;
        let (stranger, _) = socket().await;
        assert_eq!(one.peer_addr().expect_err("not connected").kind(), ErrorKind::NotConnected);
        let error = one.send("to whom?").await.0.expect_err("not connected");
        assert!(matches!(error.raw_os_error(), Some(libc::EDESTADDRREQ | libc::ENOTCONN)), "{error}");
        one.connect(other_address).await.expect("an address");
        assert_eq!(one.peer_addr().expect("an address"), other_address);
        stranger.send_to("noise", one_address).await.0.expect("a send");
        other.send_to("signal", one_address).await.0.expect("a send");
        assert_eq!(one.recv(vec![0; 64]).await.1, b"signal");
        one.send("back").await.0.expect("a send");
        assert_eq!(other.recv_from(vec![0; 64]).await.0.expect("a datagram"), (4, one_address));
        // Connected anew, to the first address that can be.
        one.connect(&[one_address, other_address][..]).await.expect("an address");
        assert_eq!(one.peer_addr().expect("an address"), one_address);
        let none: &[SocketAddr] = &[];
        assert_eq!(one.connect(none).await.expect_err("no address").kind(), ErrorKind::InvalidInput);
    });
}

fn a_port_without_a_listener_is_an_error_of_a_connected_socket(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (client, _) = socket().await;
        let (gone, address) = socket().await;
        gone.close().await.expect("a close");
        client.connect(address).await.expect("an address");
        // One receive is in flight when the ICMP message comes, the other finds it.
        for begin_first in [true, false] {
            let mut receive = Box::pin(client.recv(vec![0; 8]));
            if begin_first {
                assert!(poll_once(&mut receive).is_pending());
            }
            client.send("anybody?").await.0.expect("a send");
            let error = receive.await.0.expect_err("nobody listens");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        client.send("anybody?").await.0.expect("a send");
        let error = client.recv_from(vec![0; 8]).await.0.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // Unconnected, nobody is told; and the socket is as good as before.
        let (loose, loose_address) = socket().await;
        loose.send_to("anybody?", address).await.0.expect("a send");
        loose.send_to("me", loose_address).await.0.expect("a send");
        assert_eq!(loose.recv(vec![0; 8]).await.1, b"me");
    });
}

fn a_peek_leaves_the_datagram(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (receiver, address) = socket().await;
        receiver.send_to("seen twice", address).await.0.expect("a send");
        let (received, bytes) = receiver.peek_from(vec![0; 4].into_boxed_slice()).await;
        let received = received.expect("a datagram");
        assert_eq!((received.bytes, received.source, received.is_truncated, &bytes[..]), (4, address, true, &b"seen"[..]));
        assert_eq!(receiver.peek(vec![0; 64]).await.1, b"seen twice");
        assert_eq!(receiver.recv_from(vec![0; 64]).await.1, b"seen twice", "all of it");
    });
}

fn ipv6_is_spoken(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let Ok(server) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            return eprintln!("skipped: this host has no ::1");
        };
        let client = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.expect("a socket");
        let (server_address, client_address) = (server.local_addr().expect("an address"), client.local_addr().expect("an address"));
        client.send_to("six", server_address).await.0.expect("a send");
        assert_eq!(server.recv_from(vec![0; 8]).await.0.expect("a datagram"), (3, client_address));
        client.connect(server_address).await.expect("an address");
        server.send_to("back", client_address).await.0.expect("a send");
        assert_eq!(client.recv(vec![0; 8]).await.1, b"back");
    });
}

fn groups_are_joined_and_left(config: &DriverConfig) {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
    Executor::new(config).run(async {
        let member = UdpSocket::bind("0.0.0.0:0").await.expect("a socket");
        let port = member.local_addr().expect("an address").port();
        member.join_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).expect("a group");
        let (sender, _) = socket().await;
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST).expect("an option");
        sender.set_multicast_ttl_v4(0).expect("an option");
        assert!(sender.multicast_loop_v4().expect("an option"));
        sender.send_to("to all", (GROUP, port).into()).await.0.expect("a send");
        assert_eq!(member.recv(vec![0; 64]).await.1, b"to all");
        member.leave_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).expect("a member");
        member.leave_multicast_v4(GROUP, Ipv4Addr::LOCALHOST).expect_err("no member any more");
        let six = "ff01::7:1".parse().expect("an address");
        if let Ok(member) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await {
            member.leave_multicast_v6(&six, 1).expect_err("no member");
        }
    });
}

fn options_reach_the_socket(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (socket, address) = socket().await;
        let error = socket.send_to("", (Ipv4Addr::BROADCAST, address.port()).into()).await.0.expect_err("not allowed");
        assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NetworkUnreachable), "{error}");
        assert!(!socket.broadcast().expect("an option"));
        socket.set_broadcast(true).expect("an option");
        assert!(socket.broadcast().expect("an option"));
        socket.set_ttl(7).expect("an option");
        assert_eq!(socket.ttl().expect("an option"), 7);
        socket.set_recv_buffer_size(1 << 16).expect("an option");
        assert!(socket.recv_buffer_size().expect("an option") >= 1 << 16);
        socket.set_send_buffer_size(1 << 16).expect("an option");
        socket.set_multicast_loop_v4(false).expect("an option");
        assert!(!socket.multicast_loop_v4().expect("an option"));
    });
}

fn a_datagram_too_long_to_send_is_an_error(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (socket, address) = socket().await;
        let (result, buffer) = socket.send_to(vec![7; 65_508], address).await;
        assert_eq!(result.expect_err("too long").raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(buffer.len(), 65_508, "the buffer comes back");
        let longest = pattern(65_507);
        assert_eq!(socket.send_to(longest.clone(), address).await.0.expect("a send"), 65_507);
        assert!(socket.recv_from(Vec::with_capacity(1 << 16)).await.1 == longest);
    });
}

fn sockets_go_to_std_and_back(config: &DriverConfig) {
    let executor = Executor::new(config);
    let (socket, address) = executor.run(socket());
    let mut receive = Box::pin(socket.recv(vec![0; 8]));
    executor.enter(|| assert!(poll_once(&mut receive).is_pending()));
    let socket = socket.into_std().expect_err("a receive is in flight");
    executor.enter(|| drop(receive));
    executor.settle();
    let socket = socket.into_std().expect("nothing is in flight");
    socket.send_to(b"by std", address).expect("a send");
    assert_eq!(socket.recv(&mut [0; 8]).expect("it waits"), 6);
    for nonblocking in [false, true] {
        let copy = socket.try_clone().expect("a descriptor");
        copy.set_nonblocking(nonblocking).expect("a mode");
        executor.run(async {
            let socket = UdpSocket::from_std(copy);
            socket.send_to("by us", address).await.0.expect("a send");
            assert_eq!(socket.recv_from(vec![0; 8]).await.1, b"by us");
        });
    }
}

fn a_receive_begun_first_gets_what_is_sent_later(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (receiver, address) = socket().await;
        // Moved after it has begun: what the kernel borrows stays.
        let mut receives: Vec<_> = (0..16).map(|_| Box::pin(receiver.recv_from(Vec::with_capacity(64)))).collect();
        for receive in &mut receives {
            assert!(poll_once(receive).is_pending());
        }
        executor.turn(Wait::No);
        for index in 0..16 {
            receiver.send_to(format!("datagram {index:02}"), address).await.0.expect("a send");
        }
        let mut messages = Vec::new();
        for receive in receives {
            let (received, message) = receive.await;
            assert_eq!(received.expect("a datagram"), (11, address));
            messages.push(String::from_utf8(message).expect("text"));
        }
        messages.sort();
        let expected: Vec<_> = (0..16).map(|index| format!("datagram {index:02}")).collect();
        assert_eq!(messages, expected);
    });
}
