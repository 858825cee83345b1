//! The calls of tokio: I/O, tasks, channels and the mutex.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use crate::subject::body::endpoint;
use crate::subject::body::stack::{Lent, Stack};
use crate::subject::body::tasks::{Guarded, Tasks};

/// Tokio's own sockets, timer and spawn.
#[derive(Clone, Copy, Debug)]
pub struct TokioStack;

impl Stack for TokioStack {
    type Stream = TcpStream;
    type Listener = TcpListener;
    // Its documentation: "millisecond granularity"; rounded up, and waited for in whole milliseconds.
    const TIMER_LATENESS: Duration = Duration::from_micros(2_200);

    fn listen(address: SocketAddr, backlog: u32, nodelay: bool) -> io::Result<(TcpListener, SocketAddr)> {
        let socket = socket(address)?;
        endpoint::prepare_listener(&socket, nodelay)?;
        socket.bind(address)?;
        let listener = socket.listen(backlog)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(address: SocketAddr, source: Option<SocketAddr>, nodelay: bool) -> io::Result<TcpStream> {
        let socket = socket(address)?;
        if nodelay {
            socket.set_nodelay(true)?;
        }
        if let Some(source) = source {
            endpoint::prepare_source(&socket)?;
            socket.bind(source)?;
        }
        socket.connect(address).await
    }

    async fn read(stream: &mut TcpStream, mut buffer: Vec<u8>, from: usize) -> Lent<usize> {
        let result = stream.read(&mut buffer[from..]).await;
        (result, buffer)
    }

    async fn write_all(stream: &mut TcpStream, buffer: Vec<u8>, len: usize) -> Lent<()> {
        let result = stream.write_all(&buffer[..len]).await;
        (result, buffer)
    }

    async fn close(stream: TcpStream) {
        drop(stream);
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Tasks for TokioStack {
    type Lost = tokio::task::JoinError;
    type Join<O: Send + 'static> = tokio::task::JoinHandle<O>;

    fn spawn<O: Send + 'static>(future: impl Future<Output = O> + Send + 'static) -> Self::Join<O> {
        tokio::spawn(future)
    }

    /// Waking oneself: a lone task that calls `tokio::task::yield_now` enters the kernel each time, and yields 12 times as slowly.
    async fn yield_now() {
        let mut is_back = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut is_back, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;
    type OneSender = oneshot::Sender<u64>;
    type OneReceiver = oneshot::Receiver<u64>;

    type Mutex = Mutex<Guarded>;
    type Held<'a> = MutexGuard<'a, Guarded>;

    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
    }

    async fn send(sender: &Self::Sender, value: u64) -> bool {
        sender.send(value).await.is_ok()
    }

    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send {
        receiver.recv()
    }

    fn close_channel(receiver: &mut Self::Receiver) {
        receiver.close();
    }

    fn oneshot() -> (Self::OneSender, Self::OneReceiver) {
        oneshot::channel()
    }

    fn send_one(sender: Self::OneSender, value: u64) {
        let _ = sender.send(value);
    }

    async fn receive_one(receiver: Self::OneReceiver) -> Option<u64> {
        receiver.await.ok()
    }

    fn mutex(guarded: Guarded) -> Self::Mutex {
        Mutex::new(guarded)
    }

    fn lock(mutex: &Self::Mutex) -> impl Future<Output = Self::Held<'_>> + Send {
        mutex.lock()
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}
