//! Several buffers in one call.

use std::future::Future;

use super::{TcpStream, bytes};
use crate::buf::{BufResult, IoBufs, IoBufsMut};
use crate::driver::Submission;
use crate::op::{RecvVectored, SendVectored};

impl TcpStream {
    /// As [`read`](Self::read), into several buffers, each filled before the next.
    pub fn readv<V: IoBufsMut>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        Submission::new(RecvVectored::new(self.socket.clone(), buffers))
    }

    /// As [`write`](Self::write), from several buffers, one after the other; the kernel takes the first 1,024 of them.
    pub fn writev<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        Submission::new(SendVectored::new(self.socket.clone(), buffers, 0))
    }

    /// As [`write_all`](Self::write_all), from several buffers, one after the other.
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was sent.
    pub fn writev_all<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        bytes::writev_all(self.socket.clone(), buffers)
    }
}
