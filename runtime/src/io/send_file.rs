//! The ways from a file to a socket.

use std::io;

use crate::driver::{Submission, Way, is_ring, way_of};
use crate::fs::{File, FileFuture, run_blocking};
use crate::op::transfer::{DrainPipe, FillPipe, Pipe, Writable, is_cached, room_to_send, send_file};
use crate::op::{Mode, Nop, Send, SharedSocket};

/// How the bytes of a file get to a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SendFileVia {
    /// Through a pipe, by splice: nothing is copied. On a ring both steps are its own; under polling a thread that may block fills the pipe.
    Splice,
    /// By sendfile: nothing is copied. Done at once as far as the socket has room and the file is in memory, else by a thread that may
    /// block; waiting for room is the driver's.
    #[default]
    Sendfile,
    /// Read into a buffer and sent from there: works with every file.
    Copy,
}

/// Bytes of one sendfile: long enough that a call's cost is lost in it.
const SENDFILE_BYTES_MAX: u32 = 256 << 10;
/// Bytes sent at once after which the driver, and with it other tasks, gets its turn: about 200 µs.
const TURN_BYTES: u64 = 1 << 20;
/// Bytes of the buffer of a copy: fits a core's second-level cache.
const COPY_BYTES_MAX: u64 = 256 << 10;

/// Sends `length` bytes of `file` from `offset` on, fewer if it ends before; returns how many.
pub(crate) async fn send(socket: SharedSocket, file: File, offset: u64, length: u64, via: SendFileVia) -> io::Result<u64> {
    if offset.checked_add(length).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{length} bytes from {offset} on are beyond any file")));
    }
    match via {
        SendFileVia::Splice => by_splice(&socket, &file, offset, length).await,
        SendFileVia::Sendfile => by_sendfile(&socket, &file, offset, length).await,
        SendFileVia::Copy => by_copy(&socket, &file, offset, length).await,
    }
}

fn is_interrupted<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

async fn by_splice(socket: &SharedSocket, file: &File, offset: u64, length: u64) -> io::Result<u64> {
    if is_ring() == Some(true) && way_of(io_uring::opcode::Splice::CODE, false) != Way::Driver {
        // The ring cannot move pipe to socket, and its sockets block a thread for as long as the receiver likes.
        return by_sendfile(socket, file, offset, length).await;
    }
    let pipe = Pipe::new()?;
    let mut sent = 0;
    while sent < length {
        let wanted = (length - sent).min(pipe.capacity().into()) as u32;
        let fill = FillPipe { file: file.shared().clone(), offset: offset + sent, pipe: pipe.clone(), length: wanted, at_once: false };
        let filled = FileFuture::unchecked(fill).await;
        if is_interrupted(&filled) {
            continue;
        }
        let mut held = filled?;
        if held == 0 {
            break;
        }
        while held > 0 {
            let drained = Submission::new(DrainPipe { pipe: pipe.clone(), socket: socket.clone(), length: held }).await;
            if is_interrupted(&drained) {
                continue;
            }
            let drained = drained?;
            if drained == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            held -= drained;
            sent += u64::from(drained);
        }
    }
    Ok(sent)
}

async fn by_sendfile(socket: &SharedSocket, file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let (mut sent, mut turned) = (0, 0);
    while sent < length {
        if sent - turned >= TURN_BYTES {
            turned = sent;
            Submission::new(Nop).await?;
        }
        Submission::new(Writable::new(socket.clone())).await?;
        let (place, wanted) = (offset + sent, (length - sent).min(SENDFILE_BYTES_MAX.into()) as u32);
        let wanted = if is_ring() == Some(true) {
            // The ring's sockets block: no more than there is room for, or this thread would wait for the receiver.
            socket.ensure_mode(Mode::Blocking)?;
            wanted.min(room_to_send(socket)?)
        } else {
            socket.ensure_mode(Mode::NonBlocking)?;
            wanted
        };
        let result = if is_cached(file.shared(), place, wanted) {
            send_file(socket, file.shared(), place, wanted)
        } else {
            let (socket, file) = (socket.clone(), file.clone());
            run_blocking(move || send_file(&socket, file.shared(), place, wanted)).await
        };
        match result {
            Ok(0) => break,
            Ok(count) => sent += u64::from(count),
            // The room went to another write meanwhile.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

async fn by_copy(socket: &SharedSocket, file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let mut buffer = Vec::with_capacity(length.min(COPY_BYTES_MAX) as usize);
    let mut sent = 0;
    while sent < length {
        let wanted = (length - sent).min(COPY_BYTES_MAX) as usize;
        let (read, part) = file.read_at(crate::buf::IoBuf::slice(buffer, ..wanted), offset + sent).await;
        if is_interrupted(&read) {
            buffer = part.into_inner();
            continue;
        }
        let count = read?;
        if count == 0 {
            break;
        }
        buffer = part.into_inner();
        let mut begin = 0;
        while begin < count {
            let (written, back) = Submission::new(Send::new(socket.clone(), buffer, begin)).await;
            buffer = back;
            if is_interrupted(&written) {
                continue;
            }
            begin += written?;
        }
        sent += count as u64;
        buffer.clear();
    }
    Ok(sent)
}
