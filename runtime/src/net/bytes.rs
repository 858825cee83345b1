//! What all streams of bytes do alike, whatever the family of their sockets.

use std::future::Future;
use std::io;

use crate::buf::{BufResult, IoBuf, IoBufMut};
use crate::driver::Submission;
#[cfg(unix)]
use crate::op::SendVectored;
use crate::op::{Recv, Send, SharedSocket};

/// A connection that has halves: [`TcpStream`](super::TcpStream) or `UnixStream`. No other type can be one.
pub trait ByteStream: std::marker::Send + Sync {
    /// The connection.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "for this crate alone")]
    fn shared(&self) -> &SharedSocket;
}

/// As [`TcpStream::read_exact`](super::TcpStream::read_exact).
pub(super) async fn read_exact<B: IoBufMut>(socket: SharedSocket, mut buffer: B) -> BufResult<usize, B> {
    let total = buffer.bytes_init();
    let mut filled = 0;
    while filled < total {
        let (result, part) = Submission::new(Recv::new(socket.clone(), buffer.slice(filled..total))).await;
        buffer = part.into_inner();
        match result {
            Ok(0) => return (Err(unexpected_eof()), buffer),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (Err(error), buffer),
        }
    }
    (Ok(total), buffer)
}

/// As [`TcpStream::write_all`](super::TcpStream::write_all).
pub(super) async fn write_all<B: IoBuf>(socket: SharedSocket, buffer: B) -> BufResult<usize, B> {
    let total = buffer.bytes_init();
    send_all(total, buffer, |buffer, sent| Submission::new(Send::new(socket.clone(), buffer, sent))).await
}

/// As [`TcpStream::writev_all`](super::TcpStream::writev_all).
#[cfg(unix)]
pub(super) async fn writev_all<V: crate::buf::IoBufs>(socket: SharedSocket, buffers: V) -> BufResult<usize, V> {
    let total = buffers.bytes_init();
    send_all(total, buffers, |buffers, sent| Submission::new(SendVectored::new(socket.clone(), buffers, sent))).await
}

/// Repeats `send`, which is given how much was sent before, until all is.
async fn send_all<B, F: Future<Output = BufResult<usize, B>>>(
    total: usize,
    mut buffer: B,
    mut send: impl FnMut(B, usize) -> F,
) -> BufResult<usize, B> {
    let mut sent = 0;
    while sent < total {
        let (result, back) = send(buffer, sent).await;
        buffer = back;
        match result {
            Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (Err(error), buffer),
        }
    }
    (Ok(total), buffer)
}

#[cold]
fn unexpected_eof() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed before the buffer was filled")
}
