//! What is neither a file nor a socket alone, on Linux: ways from one to the other, and the driver itself.

mod pipe;
mod send_file;

pub use pipe::Pipe;
pub use send_file::SendFileVia;
pub(crate) use send_file::send;

use std::io;

use crate::driver::{Submission, is_ring};
use crate::op::Nop;

/// One NOP through the ring of this worker and back: what the driver itself costs.
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// match runtime.block_on(zokio::io::nop()) {
///     Ok(()) => assert_eq!(runtime.driver_report().kind, zokio::DriverKind::IoUring),
///     Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// [`Unsupported`](io::ErrorKind::Unsupported) under polling: there is no ring to go through.
pub async fn nop() -> io::Result<()> {
    if is_ring() == Some(false) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "a NOP goes through a ring, and this runtime polls"));
    }
    Submission::new(Nop).await
}
