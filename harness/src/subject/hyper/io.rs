//! A tokio socket as hyper wants it.
#![expect(unsafe_code, reason = "hyper's read buffer may be uninitialised, and only its unsafe half lends it without a copy")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The server's end of a connection.
pub(super) struct Socket<'a>(pub(super) &'a mut TcpStream);

impl Read for Socket<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        // SAFETY: `ReadBuf` writes to the part it is given and never takes the mark of an initialised byte away.
        let room = unsafe { buffer.as_mut() };
        let mut read = ReadBuf::uninit(room);
        std::task::ready!(Pin::new(&mut *self.0).poll_read(context, &mut read))?;
        let count = read.filled().len();
        // SAFETY: the bytes are filled, so they are initialised.
        unsafe { buffer.advance(count) };
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write_vectored(context, parts)
    }
}
