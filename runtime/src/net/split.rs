//! The two directions of a connection, for two tasks.

use std::future::Future;
use std::io;
use std::net::{Shutdown as Direction, SocketAddr};
use std::sync::Arc;

use super::TcpStream;
use super::bytes::{self, ByteStream};
use crate::buf::{BufResult, IoBuf, IoBufMut};
#[cfg(unix)]
use crate::buf::{IoBufs, IoBufsMut};
use crate::driver::Submission;
use crate::op::{self, Recv, Shutdown};
#[cfg(unix)]
use crate::op::{RecvVectored, SendVectored};

/// The receiving direction of a borrowed connection; see [`TcpStream::split`].
#[derive(Debug, Clone, Copy)]
pub struct ReadHalf<'a, S = TcpStream>(&'a S);

/// The sending direction of a borrowed connection; see [`TcpStream::split`].
#[derive(Debug, Clone, Copy)]
pub struct WriteHalf<'a, S = TcpStream>(&'a S);

/// The receiving direction of a connection; see [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf<S = TcpStream>(Arc<S>);

/// The sending direction of a connection; see [`TcpStream::into_split`]. When it is dropped, and the last write that it began is done, the
/// other end reads the end of the stream.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: ByteStream = TcpStream>(Arc<ShutdownWrite<S>>);

/// The sending direction, shared by its half and the futures of its writes: ended after the last of them.
#[derive(Debug)]
struct ShutdownWrite<S: ByteStream> {
    stream: Arc<S>,
    /// Not any more.
    forgotten: bool,
}

impl<S: ByteStream> Drop for ShutdownWrite<S> {
    fn drop(&mut self) {
        if !self.forgotten {
            // It never waits. The connection may be gone already, which is as good.
            let _ = self.stream.shared().get().shutdown(Direction::Write);
        }
    }
}

/// Why two halves do not fit.
#[derive(Debug)]
pub struct ReuniteError<S: ByteStream = TcpStream>(
    /// The half that was to take the other.
    pub OwnedReadHalf<S>,
    /// The other one.
    pub OwnedWriteHalf<S>,
);

impl<S: ByteStream> std::fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the halves are not of one connection, or a write is still in flight")
    }
}

impl<S: ByteStream + std::fmt::Debug> std::error::Error for ReuniteError<S> {}

impl TcpStream {
    /// Both directions, borrowed. Every method of a stream takes `&self`, so this only says who does what.
    pub fn split(&self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        halves(self)
    }

    /// Both directions, each for a task of its own. Dropping the writing half ends its direction; the connection closes with the last.
    ///
    /// ```
    /// # let runtime = zokio::Builder::new().worker_threads(1).build()?;
    /// # runtime.block_on(async {
    /// # let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let stream = zokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// # let (other, _) = listener.accept().await?;
    /// let (reader, writer) = stream.into_split();
    /// zokio::spawn(async move { writer.write_all("all there is").await.0 }).await.expect("no panic")?;
    /// // The task has dropped the writer: the other end reads to the end, and may still answer.
    /// assert_eq!(other.read(Vec::with_capacity(64)).await.1, b"all there is");
    /// assert_eq!(other.read(Vec::with_capacity(64)).await.0?, 0);
    /// other.write_all("heard").await.0?;
    /// assert_eq!(reader.read(Vec::with_capacity(64)).await.1, b"heard");
    /// # Ok::<(), std::io::Error>(()) })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        owned_halves(self)
    }
}

/// Both directions, borrowed.
pub(super) fn halves<S>(stream: &S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

/// Both directions, each for a task of its own.
pub(super) fn owned_halves<S: ByteStream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = ShutdownWrite { stream: stream.clone(), forgotten: false };
    (OwnedReadHalf(stream), OwnedWriteHalf(Arc::new(write)))
}

impl<S: ByteStream> OwnedReadHalf<S> {
    /// Puts both halves together again.
    ///
    /// # Errors
    /// They are of different connections, or a write of the writing half is still in flight. Both come back.
    pub fn reunite(self, write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.0.stream) {
            return Err(ReuniteError(self, write));
        }
        match Arc::try_unwrap(write.0) {
            Err(shared) => Err(ReuniteError(self, OwnedWriteHalf(shared))),
            Ok(mut write) => {
                write.forgotten = true;
                drop(write);
                Ok(Arc::into_inner(self.0).expect("the writing half held the only other share"))
            }
        }
    }
}

impl<S: ByteStream> OwnedWriteHalf<S> {
    /// Gives this half up without ending its direction. (With a write still in flight it is ended all the same, after that.)
    pub fn forget(mut self) {
        if let Some(write) = Arc::get_mut(&mut self.0) {
            write.forgotten = true;
        }
    }

    /// Runs a write that keeps the direction open until it is done.
    fn keeping<F: Future + Send>(&self, write: F) -> impl Future<Output = F::Output> + Send + use<F, S>
    where
        F::Output: Send,
    {
        let open = self.0.clone();
        async move {
            let output = write.await;
            drop(open);
            output
        }
    }
}

/// The methods of a receiving half; `$stream` leads from it to its stream.
macro_rules! reading {
    ($half:ty, $tcp:ty) => {
        impl<S: ByteStream> $half {
            /// As [`TcpStream::read`].
            pub fn read<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
                Submission::new(Recv::new(self.0.shared().clone(), buffer))
            }

            /// As [`TcpStream::read_exact`].
            pub fn read_exact<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
                bytes::read_exact(self.0.shared().clone(), buffer)
            }

            /// As [`TcpStream::readv`].
            #[cfg(unix)]
            pub fn readv<V: IoBufsMut>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V, S> {
                Submission::new(RecvVectored::new(self.0.shared().clone(), buffers))
            }
        }

        impl $tcp {
            /// As [`TcpStream::peer_addr`].
            ///
            /// # Errors
            /// The operating system's.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.0.peer_addr()
            }
        }
    };
}
reading!(ReadHalf<'_, S>, ReadHalf<'_>);
reading!(OwnedReadHalf<S>, OwnedReadHalf);

impl<S: ByteStream> WriteHalf<'_, S> {
    /// As [`TcpStream::write`].
    pub fn write<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
        Submission::new(op::Send::new(self.0.shared().clone(), buffer, 0))
    }

    /// As [`TcpStream::write_all`].
    pub fn write_all<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
        bytes::write_all(self.0.shared().clone(), buffer)
    }

    /// As [`TcpStream::writev`].
    #[cfg(unix)]
    pub fn writev<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V, S> {
        Submission::new(SendVectored::new(self.0.shared().clone(), buffers, 0))
    }

    /// Ends this direction.
    pub fn shutdown(&self) -> impl Future<Output = io::Result<()>> + Send + use<S> {
        Submission::new(Shutdown::new(self.0.shared().clone(), Direction::Write))
    }
}

impl<S: ByteStream> OwnedWriteHalf<S> {
    /// As [`TcpStream::write`].
    pub fn write<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
        self.keeping(Submission::new(op::Send::new(self.0.stream.shared().clone(), buffer, 0)))
    }

    /// As [`TcpStream::write_all`].
    pub fn write_all<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + Send + use<B, S> {
        self.keeping(bytes::write_all(self.0.stream.shared().clone(), buffer))
    }

    /// As [`TcpStream::writev`].
    #[cfg(unix)]
    pub fn writev<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V, S> {
        self.keeping(Submission::new(SendVectored::new(self.0.stream.shared().clone(), buffers, 0)))
    }

    /// As [`TcpStream::writev_all`].
    #[cfg(unix)]
    pub fn writev_all<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V, S> {
        self.keeping(bytes::writev_all(self.0.stream.shared().clone(), buffers))
    }

    /// Ends this direction now.
    pub fn shutdown(&self) -> impl Future<Output = io::Result<()>> + Send + use<S> {
        Submission::new(Shutdown::new(self.0.stream.shared().clone(), Direction::Write))
    }
}
