//! The file calls of tokio, which has no file I/O of the kernel's: `spawn_blocking` around positioned reads with owned buffers.
//!
//! `tokio::fs::File` seeks, locks and copies besides, and is slower. A batch that the page cache answers is one blocking call, since a
//! hand-over costs more than the reads; one that waits for the device is one call for each read, so that they wait together. A splice of what is in
//! memory is what its users write: an `AsyncFd` of the pipe, and the kernel's call inside `async_io`.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, SpliceFlags, splice};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, spawn_blocking};
use zokio::buf::AlignedBuf;

use super::stack::TokioStack;
use crate::measure::page_cache;
use crate::subject::body::io::files::{Files, Filled};
use crate::subject::body::pipe::pipe;
use crate::workload::storage::CacheState;

/// A file that jobs share.
#[derive(Clone, Debug)]
pub struct SharedFile {
    file: Arc<File>,
    /// Whether reads wait for the device.
    waits: bool,
}

impl AsFd for SharedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A pipe whose write end the runtime watches.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: AsyncFd<OwnedFd>,
}

/// The output of a job; one that panicked, or that an ending runtime did not take, ends the user as well.
async fn output<O>(job: JoinHandle<O>) -> O {
    job.await.expect("a read does not panic, and the runtime ends after its users")
}

fn read(file: &File, mut buffer: AlignedBuf, offset: u64) -> Filled {
    (file.read_at(&mut buffer, offset), buffer)
}

impl Files for TokioStack {
    const NO_NOP: Option<&'static str> = Some("tokio has no ring to send a NOP through");
    type File = SharedFile;
    type Pipe = Pipe;

    async fn open(path: PathBuf, state: CacheState) -> io::Result<SharedFile> {
        let file = output(spawn_blocking(move || page_cache::open_options(state).open(path))).await?;
        Ok(SharedFile { file: Arc::new(file), waits: state != CacheState::Warm })
    }

    async fn read_at(file: &SharedFile, buffer: AlignedBuf, offset: u64) -> Filled {
        let file = Arc::clone(&file.file);
        output(spawn_blocking(move || read(&file, buffer, offset))).await
    }

    async fn readv_at(file: &SharedFile, mut buffers: Vec<AlignedBuf>, offset: u64) -> (io::Result<usize>, Vec<AlignedBuf>) {
        let file = Arc::clone(&file.file);
        let job = move || {
            let mut slices: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
            let result = rustix::io::preadv(&*file, &mut slices, offset).map_err(io::Error::from);
            (result, buffers)
        };
        output(spawn_blocking(job)).await
    }

    async fn read_many_at(file: &SharedFile, reads: Vec<(AlignedBuf, u64)>) -> Vec<Filled> {
        let shared = Arc::clone(&file.file);
        if !file.waits {
            let job = move || reads.into_iter().map(|(buffer, offset)| read(&shared, buffer, offset)).collect();
            return output(spawn_blocking(job)).await;
        }
        let start = |(buffer, offset)| {
            let shared = Arc::clone(&shared);
            spawn_blocking(move || read(&shared, buffer, offset))
        };
        let jobs: Vec<_> = reads.into_iter().map(start).collect();
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            done.push(output(job).await);
        }
        done
    }

    fn pipe() -> io::Result<Pipe> {
        let (read, write) = pipe(PipeFlags::NONBLOCK)?;
        #[expect(deprecated, reason = "the replacement is unsafe for types that may lose their descriptor; an OwnedFd keeps it")]
        let write = AsyncFd::with_interest(write, Interest::WRITABLE)?;
        Ok(Pipe { read, write })
    }

    async fn splice(file: &SharedFile, pipe: &mut Pipe, mut buffer: AlignedBuf, offset: u64) -> Filled {
        let mut total = 0;
        while total < buffer.len() {
            let (mut place, left) = (offset + total as u64, buffer.len() - total);
            let fill = |write: &OwnedFd| Ok(splice(&file.file, Some(&mut place), write, None, left, SpliceFlags::NONBLOCK)?);
            let filled = pipe.write.async_io(Interest::WRITABLE, fill).await;
            // What was filled in is there: this read does not wait.
            match filled.and_then(|count| Ok(rustix::io::read(&pipe.read, &mut buffer[total..total + count])?)) {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(total), buffer)
    }

    async fn nop() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
