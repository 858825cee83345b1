//! The pipe between two splices.

use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// What a pipe may hold without privileges; the same that zokio asks for.
const PIPE_BYTES: usize = 1 << 20;

/// Read end and write end of a pipe that holds as much as the kernel allows, closed on exec.
///
/// # Errors
/// The system's.
pub fn pipe(flags: PipeFlags) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | flags)?;
    // A refusal leaves the default of 64 KiB.
    let _ = fcntl_setpipe_size(&write, PIPE_BYTES);
    Ok((read, write))
}
