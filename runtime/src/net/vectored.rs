//! Several buffers in one call.

use std::future::Future;
use std::io;

use super::TcpStream;
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
    pub fn writev_all<V: IoBufs>(&self, mut buffers: V) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        let socket = self.socket.clone();
        async move {
            let total = buffers.bytes_init();
            let mut sent = 0;
            while sent < total {
                let (result, back) = Submission::new(SendVectored::new(socket.clone(), buffers, sent)).await;
                buffers = back;
                match result {
                    Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffers),
                    Ok(count) => sent += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buffers),
                }
            }
            (Ok(total), buffers)
        }
    }
}
