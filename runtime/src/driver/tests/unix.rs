//! Unix sockets: streams and datagrams within the host.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};

use super::executor::{Executor, poll_once};
use super::files::pattern;
use super::for_each_driver;
use crate::driver::DriverConfig;
use crate::net::{UnixDatagram, UnixListener, UnixStream};

for_each_driver! {
    a_stream_goes_to_a_path_and_back
    a_mebibyte_arrives_as_it_was_sent
    half_a_stream_can_be_closed
    halves_of_a_stream_go_their_own_ways
    a_request_and_its_answer_are_one_operation
    buffers_go_and_come_in_order
    a_peer_that_has_gone_is_an_error_and_no_signal
    unread_data_makes_a_closed_peer_a_reset
    a_path_is_bound_once
    a_path_without_a_socket_is_an_error
    names_have_a_greatest_length
    abstract_names_need_no_file
    the_peer_is_who_it_says
    an_accept_dropped_while_waiting_takes_no_connection
    sockets_of_std_work_in_either_mode
}

/// A name that no other test uses.
pub(super) fn abstract_name() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("zokio-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    SocketAddr::from_abstract_name(name).expect("a name")
}

fn a_stream_goes_to_a_path_and_back(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("socket");
    let executor = Executor::new(config);
    executor.run(async {
        let listener = UnixListener::bind(&path).expect("a listener");
        assert_eq!(listener.local_addr().expect("an address").as_pathname(), Some(&*path));
        let client = UnixStream::connect(&path).await.expect("a connection");
        assert_eq!(client.peer_addr().expect("an address").as_pathname(), Some(&*path));
        assert!(client.local_addr().expect("an address").is_unnamed());
        let (server, peer) = listener.accept().await.expect("a connection");
        assert!(peer.is_unnamed() && server.peer_addr().expect("an address").is_unnamed());
        assert_eq!(server.local_addr().expect("an address").as_pathname(), Some(&*path));
        executor.spawn(async move {
            for _ in 0..100 {
                let (count, message) = server.read(Vec::with_capacity(64)).await;
                assert!(count.expect("a read") > 0);
                server.write_all(message).await.0.expect("a write");
            }
            server.close().await.expect("a close");
        });
        for round in 0..100 {
            let message = format!("message {round}");
            client.write_all(message.clone()).await.0.expect("a write");
            assert_eq!(client.peek(vec![0; 3].into_boxed_slice()).await.1[..], *b"mes");
            assert_eq!(client.read_exact(vec![0; message.len()]).await.1, message.as_bytes());
        }
        assert_eq!(client.read(vec![0; 1]).await.0.expect("the end"), 0);
        listener.close().await.expect("a close");
        assert!(path.exists(), "the file stays");
    });
    executor.run_all();
    assert_eq!(executor.in_flight(), 0);
}

fn a_mebibyte_arrives_as_it_was_sent(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        let bytes = pattern(1 << 20);
        let expected = Sha256::digest(&bytes);
        executor.spawn(async move {
            assert_eq!(one.write_all(bytes).await.0.expect("a write"), 1 << 20);
        });
        let mut hash = Sha256::new();
        let mut total = 0;
        let mut buffer = Vec::with_capacity(10_000);
        loop {
            let (count, filled) = other.read(buffer).await;
            if count.expect("a read") == 0 {
                break;
            }
            total += filled.len();
            hash.update(&filled);
            buffer = filled;
        }
        assert_eq!((total, hash.finalize()), (1 << 20, expected));
    });
    executor.run_all();
}

fn half_a_stream_can_be_closed(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        one.write_all("last words").await.0.expect("a write");
        one.shutdown(Shutdown::Write).await.expect("a shutdown");
        assert_eq!(other.read(vec![0; 64]).await.1, b"last words");
        assert_eq!(other.read(vec![0; 64]).await.0.expect("the end"), 0);
        assert_eq!(one.write_all("more").await.0.expect_err("ended").kind(), ErrorKind::BrokenPipe);
        other.write_all("heard").await.0.expect("the other direction is open");
        assert_eq!(one.read(vec![0; 64]).await.1, b"heard");
        let error = other.read_exact(vec![0; 3]).await.0.expect_err("the end");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

fn halves_of_a_stream_go_their_own_ways(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        let (reader, writer) = one.into_split();
        executor.spawn(async move {
            writer.write_all("all there is").await.0.expect("a write");
        });
        let (read, write) = other.split();
        assert_eq!(read.read(vec![0; 64]).await.1, b"all there is");
        assert_eq!(read.read(vec![0; 64]).await.0.expect("the writer was dropped"), 0);
        write.write_all("heard").await.0.expect("a write");
        assert_eq!(reader.read(vec![0; 64]).await.1, b"heard");

        let (one, other) = UnixStream::pair().expect("a pair");
        let (reader, writer) = one.into_split();
        let (strange, _writer) = other.into_split();
        let crate::net::ReuniteError(_, writer) = strange.reunite(writer).expect_err("of another stream");
        reader.reunite(writer).expect("of one stream").write_all("whole").await.0.expect("a write");
    });
    executor.run_all();
}

fn a_request_and_its_answer_are_one_operation(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (client, server) = UnixStream::pair().expect("a pair");
        executor.spawn(async move {
            let (mut count, mut message) = server.read(Vec::with_capacity(64)).await;
            while count.expect("a read") > 0 {
                message.make_ascii_uppercase();
                (count, _, message) = server.write_all_then_read(message, Vec::with_capacity(64)).await;
            }
        });
        for (request, answer) in [("hello", b"HELLO"), ("again", b"AGAIN")] {
            let (count, _, incoming) = client.write_all_then_read(request, Vec::with_capacity(64)).await;
            assert_eq!((count.expect("an answer"), &incoming[..]), (5, &answer[..]));
        }
    });
    executor.run_all();
}

fn buffers_go_and_come_in_order(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        assert_eq!(one.writev(("head", "body")).await.0.expect("a write"), 8);
        let (count, buffers) = other.readv([Vec::with_capacity(3), vec![0; 9]]).await;
        assert_eq!((count.expect("a read"), buffers), (8, [b"hea".to_vec(), b"dbody".to_vec()]));
        assert_eq!(one.writev_all(vec!["ab"; 3_000]).await.0.expect("a write"), 6_000);
        assert!(other.read_exact(vec![0; 6_000]).await.1.chunks(2).all(|two| two == b"ab"));
    });
}

fn a_peer_that_has_gone_is_an_error_and_no_signal(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        other.close().await.expect("a close");
        assert_eq!(one.write_all("x").await.0.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
        let (one, other) = UnixDatagram::pair().expect("a pair");
        other.close().await.expect("a close");
        let error = one.send("x").await.0.expect_err("nobody reads");
        assert!(matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::NotConnected), "{error}");
    });
}

fn unread_data_makes_a_closed_peer_a_reset(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        one.write_all("never read").await.0.expect("a write");
        let mut read = Box::pin(one.read(vec![0; 8]));
        assert!(poll_once(&mut read).is_pending());
        other.close().await.expect("a close");
        assert_eq!(read.await.0.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    });
}

fn a_path_is_bound_once(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("socket");
    Executor::new(config).run(async {
        let listener = UnixListener::bind(&path).expect("a listener");
        assert_eq!(UnixListener::bind(&path).expect_err("bound").kind(), ErrorKind::AddrInUse);
        assert_eq!(UnixDatagram::bind(&path).expect_err("bound").kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(UnixListener::bind(&path).expect_err("the file stays").kind(), ErrorKind::AddrInUse);
        assert_eq!(UnixStream::connect(&path).await.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).expect("a file");
        UnixListener::bind(&path).expect("a listener");
    });
}

fn a_path_without_a_socket_is_an_error(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("nothing");
    Executor::new(config).run(async {
        assert_eq!(UnixStream::connect(&path).await.expect_err("no file").kind(), ErrorKind::NotFound);
        let socket = UnixDatagram::unbound().expect("a socket");
        assert_eq!(socket.connect(&path).await.expect_err("no file").kind(), ErrorKind::NotFound);
        let (result, buffer) = socket.send_to(b"kept".to_vec(), &path).await;
        assert_eq!((result.expect_err("no file").kind(), buffer), (ErrorKind::NotFound, b"kept".to_vec()));
    });
}

fn names_have_a_greatest_length(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let room = 107 - dir.path().as_os_str().len() - 1;
    let (longest, too_long) = (dir.path().join("n".repeat(room)), dir.path().join("n".repeat(room + 1)));
    Executor::new(config).run(async {
        let listener = UnixListener::bind(&longest).expect("it fits");
        UnixStream::connect(&longest).await.expect("a connection");
        assert_eq!(listener.local_addr().expect("an address").as_pathname(), Some(&*longest));
        let socket = UnixDatagram::unbound().expect("a socket");
        let errors = [
            UnixListener::bind(&too_long).expect_err("too long"),
            UnixDatagram::bind(&too_long).expect_err("too long"),
            UnixStream::connect(&too_long).await.expect_err("too long"),
            socket.connect(&too_long).await.expect_err("too long"),
            socket.send_to("", &too_long).await.0.expect_err("too long"),
            UnixListener::bind("with a \0 inside").expect_err("no path"),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidInput), "{errors:?}");
    });
}

fn abstract_names_need_no_file(config: &DriverConfig) {
    Executor::new(config).run(async {
        let name = abstract_name();
        let listener = UnixListener::bind_addr(&name).expect("a listener");
        assert_eq!(listener.local_addr().expect("an address").as_abstract_name(), name.as_abstract_name());
        assert_eq!(UnixListener::bind_addr(&name).expect_err("bound").kind(), ErrorKind::AddrInUse);
        let client = UnixStream::connect_addr(&name).await.expect("a connection");
        assert_eq!(client.peer_addr().expect("an address").as_abstract_name(), name.as_abstract_name());
        let (server, _) = listener.accept().await.expect("a connection");
        client.write_all("by name").await.0.expect("a write");
        assert_eq!(server.read(vec![0; 64]).await.1, b"by name");
        listener.close().await.expect("a close");
        assert_eq!(UnixStream::connect_addr(&name).await.expect_err("gone").kind(), ErrorKind::ConnectionRefused);
        drop(server);
        let _again = UnixListener::bind_addr(&name).expect("the name went with its sockets");

        let (name, other) = (abstract_name(), abstract_name());
        let receiver = UnixDatagram::bind_addr(&name).expect("a socket");
        let sender = UnixDatagram::bind_addr(&other).expect("a socket");
        sender.send_to_addr("datagram", name).await.0.expect("a send");
        let (count, source) = receiver.recv_from(vec![0; 64]).await.0.expect("a datagram");
        assert_eq!((count, source.as_abstract_name()), (8, other.as_abstract_name()));
    });
}

fn the_peer_is_who_it_says(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixStream::pair().expect("a pair");
        let credentials = one.peer_cred().expect("a peer");
        assert_eq!(credentials.pid, Some(std::process::id() as i32));
        let own = std::os::linux::fs::MetadataExt::st_uid(&std::fs::metadata("/proc/self").expect("Linux"));
        assert_eq!((credentials.uid, other.peer_cred().expect("a peer")), (own, credentials));
    });
}

fn an_accept_dropped_while_waiting_takes_no_connection(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let name = abstract_name();
        let listener = UnixListener::bind_addr(&name).expect("a listener");
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).is_pending());
        drop(accept);
        while executor.in_flight() > 0 {
            executor.turn(crate::driver::Wait::For(std::time::Duration::from_millis(1)));
        }
        let client = UnixStream::connect_addr(&name).await.expect("a connection");
        let (server, _) = listener.accept().await.expect("the connection waits for the next accept");
        client.write_all("there").await.0.expect("a write");
        assert_eq!(server.read(vec![0; 8]).await.1, b"there");
    });
}

fn sockets_of_std_work_in_either_mode(config: &DriverConfig) {
    for nonblocking in [false, true] {
        let executor = Executor::new(config);
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        one.set_nonblocking(nonblocking).expect("a mode");
        other.set_nonblocking(nonblocking).expect("a mode");
        let back = executor.run(async {
            let (one, other) = (UnixStream::from_std(one), UnixStream::from_std(other));
            let mut read = Box::pin(other.read(vec![0; 8]));
            assert!(poll_once(&mut read).is_pending());
            one.write_all("across").await.0.expect("a write");
            assert_eq!(read.await.1, b"across");
            one.write_all("rest").await.0.expect("a write");
            other
        });
        let mut back = back.into_std().expect("nothing is in flight");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut back, &mut text).expect("it waits for the end");
        assert_eq!(text, "rest");
    }
}
