//! The future of one operation on a file: through the ring, or on a thread that may block.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::blocking::{Blocking, run_blocking};
use crate::driver::{Submission, Way, way_of};
use crate::op::Nop;
use crate::op::file::FileOperation;

/// See the module page. Nothing happens before the first poll.
pub(crate) struct FileFuture<O: FileOperation>(Phase<O>);

enum Phase<O: FileOperation> {
    Created(O),
    /// Something is wrong with it already.
    Refused(O, io::Error),
    /// This thread did enough at once: a NOP makes its driver turn before the operation begins.
    Later(O, Submission<Nop>),
    Driver(Submission<O>),
    Thread(Blocking<O::Output>),
    Finished,
}

impl<O: FileOperation> Unpin for FileFuture<O> {}

impl<O: FileOperation> fmt::Debug for FileFuture<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Phase::Created(_) | Phase::Refused(..) => "FileFuture(created)",
            Phase::Later(..) | Phase::Driver(_) | Phase::Thread(_) => "FileFuture(in flight)",
            Phase::Finished => "FileFuture(finished)",
        })
    }
}

impl<O: FileOperation> FileFuture<O>
where
    O::Output: Send,
{
    /// `operation`, unless it is refused.
    pub(crate) fn new(operation: O, checked: io::Result<()>) -> Self {
        Self(match checked {
            Ok(()) => Phase::Created(operation),
            Err(error) => Phase::Refused(operation, error),
        })
    }

    /// `operation` as it is.
    pub(crate) fn unchecked(operation: O) -> Self {
        Self(Phase::Created(operation))
    }

    /// The output, if the operation in flight is done; leaves the waker as it is.
    pub(crate) fn take_if_done(&mut self) -> Option<O::Output> {
        let output = match &mut self.0 {
            Phase::Driver(submission) => submission.take_if_done(),
            Phase::Thread(job) => job.take_if_done(),
            _ => None,
        };
        if output.is_some() {
            self.0 = Phase::Finished;
        }
        output
    }

    /// Begins the operation. With `limited`, no more operations are done at once than a turn of the driver allows.
    pub(crate) fn start(&mut self, limited: bool, context: &mut Context<'_>) -> Poll<O::Output> {
        let mut operation = match std::mem::replace(&mut self.0, Phase::Finished) {
            Phase::Created(operation) => operation,
            Phase::Refused(operation, error) => return Poll::Ready(operation.complete(Err(error))),
            _ => panic!("an operation was begun twice"),
        };
        match way_of(operation.code(), limited) {
            Way::Driver => {
                self.0 = Phase::Driver(Submission::new(operation));
            }
            Way::Later => {
                self.0 = Phase::Later(operation, Submission::new(Nop));
            }
            Way::Thread => match operation.attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0 = Phase::Thread(run_blocking(move || operation.block()));
                }
                result => return Poll::Ready(operation.complete(result)),
            },
        }
        Pin::new(self).poll(context)
    }
}

impl<O: FileOperation> Future for FileFuture<O>
where
    O::Output: Send,
{
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O::Output> {
        if let Phase::Later(_, turn) = &mut self.0 {
            // Its error is that of a driver that ends, which the operation is told in turn.
            if Pin::new(turn).poll(context).is_pending() {
                return Poll::Pending;
            }
            let Phase::Later(operation, _) = std::mem::replace(&mut self.0, Phase::Finished) else { unreachable!("looked at above") };
            self.0 = Phase::Created(operation);
        }
        let output = match &mut self.0 {
            Phase::Created(_) | Phase::Refused(..) => return self.start(true, context),
            Phase::Driver(submission) => Pin::new(submission).poll(context),
            Phase::Thread(job) => Pin::new(job).poll(context),
            Phase::Later(..) | Phase::Finished => panic!("an operation was polled after it had completed"),
        };
        if output.is_ready() {
            self.0 = Phase::Finished;
        }
        output
    }
}
