//! Writing and then reading in one step: a request and its answer, or an answer and the next request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::TcpStream;
use crate::buf::{IoBuf, IoBufMut};
use crate::driver::Submission;
use crate::op::{CHAIN_BYTES_MAX, Exchanged, Recv, Send, SendThenRecv, SharedSocket};

impl TcpStream {
    /// Sends all initialized bytes of `outgoing`, then reads what comes, at least one byte and at most what `incoming` has room for: as
    /// [`write_all`](Self::write_all) and then [`read`](Self::read), and the way to write both ends of a conversation.
    ///
    /// Under io_uring both are one submission with one completion (`IOSQE_IO_LINK`), which saves a wake-up and half of the bookkeeping,
    /// and the read begins when the answer is likelier to be there. Under polling, and on kernels without such links, it is a write and
    /// a read. Both buffers come back in every case; the count is that of the read, and zero if the other end sends no more.
    ///
    /// ```
    /// # let runtime = zokio::Builder::new().worker_threads(1).build()?;
    /// # runtime.block_on(async {
    /// # let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = zokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// zokio::spawn(async move {
    ///     let (mut count, mut message) = server.read(vec![0; 64]).await;
    ///     while count? > 0 {
    ///         message.make_ascii_uppercase();
    ///         // The answer, and then the next request.
    ///         (count, _, message) = server.write_all_then_read(message, vec![0; 64]).await;
    ///     }
    ///     Ok::<(), std::io::Error>(())
    /// });
    /// for (request, expected) in [("hello", b"HELLO"), ("again", b"AGAIN")] {
    ///     let (count, _, answer) = client.write_all_then_read(request, Vec::with_capacity(64)).await;
    ///     assert_eq!((count?, &answer[..]), (5, &expected[..]));
    /// }
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
    ) -> impl Future<Output = (io::Result<usize>, A, B)> + std::marker::Send + use<A, B> {
        let (socket, total) = (self.socket.clone(), outgoing.bytes_init());
        Exchange(if total > 0 && total <= CHAIN_BYTES_MAX {
            Stage::Chain(Submission::new(SendThenRecv::new(socket, outgoing, incoming)))
        } else {
            Stage::after(socket, outgoing, incoming, 0)
        })
    }
}

/// The future of [`TcpStream::write_all_then_read`]. Written by hand: as an `async` block it would hold the buffers twice.
struct Exchange<A: IoBuf, B: IoBufMut>(Stage<A, B>);

enum Stage<A: IoBuf, B: IoBufMut> {
    /// All in one.
    Chain(Submission<SendThenRecv<A, B>>),
    /// Without a chain, or what a short send left.
    Sending { submission: Submission<Send<A>>, socket: SharedSocket, incoming: B, sent: usize },
    /// All is sent.
    Receiving { submission: Submission<Recv<B>>, outgoing: A },
    /// The result was returned.
    Finished,
}

impl<A: IoBuf, B: IoBufMut> Stage<A, B> {
    /// What is to be done when so much is sent.
    fn after(socket: SharedSocket, outgoing: A, incoming: B, sent: usize) -> Self {
        if sent >= outgoing.bytes_init() {
            Self::Receiving { submission: Submission::new(Recv::new(socket, incoming)), outgoing }
        } else {
            Self::Sending { submission: Submission::new(Send::new(socket.clone(), outgoing, sent)), socket, incoming, sent }
        }
    }
}

/// How much more was sent; a signal only interrupts.
fn progress(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        result => result,
    }
}

impl<A: IoBuf, B: IoBufMut> Future for Exchange<A, B> {
    type Output = (io::Result<usize>, A, B);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (sent, socket, outgoing, incoming) = match &mut self.0 {
                Stage::Chain(submission) => match ready!(Pin::new(submission).poll(context)) {
                    (Exchanged::Received(result), _, outgoing, incoming) => return self.finish(result, outgoing, incoming),
                    (Exchanged::Unlinked, socket, outgoing, incoming) => (Ok(0), socket, outgoing, incoming),
                    (Exchanged::Sent(result), socket, outgoing, incoming) => (progress(result), socket, outgoing, incoming),
                },
                Stage::Sending { submission, sent, .. } => {
                    let (result, outgoing) = ready!(Pin::new(submission).poll(context));
                    let sent = progress(result).map(|count| *sent + count);
                    let Stage::Sending { socket, incoming, .. } = std::mem::replace(&mut self.0, Stage::Finished) else { unreachable!() };
                    (sent, socket, outgoing, incoming)
                }
                Stage::Receiving { submission, .. } => {
                    let (result, incoming) = ready!(Pin::new(submission).poll(context));
                    let Stage::Receiving { outgoing, .. } = std::mem::replace(&mut self.0, Stage::Finished) else { unreachable!() };
                    return Poll::Ready((result, outgoing, incoming));
                }
                Stage::Finished => panic!("an exchange was polled after it had completed"),
            };
            match sent {
                Ok(sent) => self.0 = Stage::after(socket, outgoing, incoming, sent),
                Err(error) => return self.finish(Err(error), outgoing, incoming),
            }
        }
    }
}

impl<A: IoBuf, B: IoBufMut> Exchange<A, B> {
    fn finish(&mut self, result: io::Result<usize>, outgoing: A, incoming: B) -> Poll<(io::Result<usize>, A, B)> {
        self.0 = Stage::Finished;
        Poll::Ready((result, outgoing, incoming))
    }
}
