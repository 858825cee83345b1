//! The calls of zokio: I/O, tasks, channels and the mutex.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use zokio::buf::IoBuf as _;
use zokio::net::{TcpListener, TcpSocket, TcpStream};
use zokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use crate::measure::recorder::ErrorClass;
use crate::subject::body::endpoint;
use crate::subject::body::site::{Broken, Buffers};
use crate::subject::body::stack::{Lent, Stack};
use crate::subject::body::tasks::{Guarded, Tasks};

/// zokio's own sockets, timer and spawn.
#[derive(Clone, Copy, Debug)]
pub struct ZokioStack;

impl Stack for ZokioStack {
    type Stream = TcpStream;
    type Listener = TcpListener;
    // A tick of 66 µs, and a wake-up.
    const TIMER_LATENESS: Duration = Duration::from_micros(150);

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

    async fn read(stream: &mut TcpStream, buffer: Vec<u8>, from: usize) -> Lent<usize> {
        let (result, part) = stream.read(buffer.slice(from..)).await;
        (result, part.into_inner())
    }

    async fn write_all(stream: &mut TcpStream, buffer: Vec<u8>, len: usize) -> Lent<()> {
        let (result, part) = stream.write_all(buffer.slice(..len)).await;
        (result.map(drop), part.into_inner())
    }

    /// One operation of the runtime, and what its documentation offers for requests and answers.
    async fn exchange(stream: &mut TcpStream, buffers: &mut Buffers, len: usize) -> Result<usize, Broken> {
        let outgoing = mem::take(&mut buffers.outgoing).slice(..len);
        let incoming = mem::take(&mut buffers.incoming).slice(buffers.filled..);
        let (read, outgoing, incoming) = stream.write_all_then_read(outgoing, incoming).await;
        (buffers.outgoing, buffers.incoming) = (outgoing.into_inner(), incoming.into_inner());
        let count = read.map_err(|error| Broken::io(class_of(&error), &error))?;
        buffers.filled += count;
        Ok(count)
    }

    async fn close(stream: TcpStream) {
        // An error of close(2) on a socket whose data is all read says nothing about the work.
        let _ = stream.close().await;
    }

    async fn sleep(duration: Duration) {
        zokio::time::sleep(duration).await;
    }
}

impl Tasks for ZokioStack {
    type Lost = zokio::task::JoinError;
    type Join<O: Send + 'static> = zokio::task::JoinHandle<O>;

    fn spawn<O: Send + 'static>(future: impl Future<Output = O> + Send + 'static) -> Self::Join<O> {
        zokio::spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        zokio::task::yield_now()
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

/// Which half of an exchange failed: a broken pipe is told to writers alone.
fn class_of(error: &io::Error) -> ErrorClass {
    if error.kind() == io::ErrorKind::BrokenPipe { ErrorClass::Write } else { ErrorClass::Read }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}
