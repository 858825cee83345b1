//! Writing and then reading in one operation: a request and its answer, or an answer and the next request.

use std::future::Future;
use std::io;

use super::TcpStream;
use crate::buf::{IoBuf, IoBufMut};
use crate::driver::Submission;
use crate::op::SendThenRecv;

impl TcpStream {
    /// Sends all initialized bytes of `outgoing`, then reads what comes, at least one byte and at most what `incoming` has room for: as
    /// [`write_all`](Self::write_all) and then [`read`](Self::read), and the way to write either end of a conversation.
    ///
    /// It is one operation of the driver, which begins the read itself once all is written: the task is woken and polled once and not
    /// twice. Both buffers come back in every case; the count is that of the read, and zero if the other end sends no more (or if
    /// `incoming` has no room at all).
    ///
    /// ```
    /// # let runtime = zokio::Builder::new().worker_threads(1).build()?;
    /// # runtime.block_on(async {
    /// # let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = zokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// # let serving =
    /// zokio::spawn(async move {
    ///     let (mut count, mut message) = server.read(Vec::with_capacity(64)).await;
    ///     while count? > 0 {
    ///         message.make_ascii_uppercase();
    ///         // The answer, and then the next request.
    ///         (count, _, message) = server.write_all_then_read(message, Vec::with_capacity(64)).await;
    ///     }
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// for (request, expected) in [("hello", b"HELLO"), ("again", b"AGAIN")] {
    ///     let (count, _, answer) = client.write_all_then_read(request, Vec::with_capacity(64)).await;
    ///     assert_eq!((count?, &answer[..]), (5, &expected[..]));
    /// }
    /// # client.close().await?;
    /// # serving.await.expect("no panic")?;
    /// # Ok::<(), std::io::Error>(()) })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The operating system's, of the write or of the read; after one of the write it is not known how much was sent, and nothing was read.
    pub fn write_all_then_read<A: IoBuf, B: IoBufMut>(
        &self,
        outgoing: A,
        incoming: B,
    ) -> impl Future<Output = (io::Result<usize>, A, B)> + Send + use<A, B> {
        Submission::new(SendThenRecv::new(self.socket.clone(), outgoing, incoming))
    }
}
