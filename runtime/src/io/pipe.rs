//! A pipe of a task's own, through which bytes of files pass.

use std::io;

use crate::fs::{File, FileFuture};
use crate::op::transfer::{self, FillPipe};

/// A pipe that is filled from a file without a copy (`splice`) and then read.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("greeting");
/// use zokio::fs::{self, File};
/// use zokio::io::Pipe;
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     fs::write(&path, "hello, world").await?;
///     let (file, mut pipe) = (File::open(&path).await?, Pipe::new()?);
///     assert_eq!(pipe.fill(&file, 7, 100).await?, 5);
///     let mut world = [0; 5];
///     assert_eq!(pipe.read(&mut world)?, 5);
///     assert_eq!(&world, b"world");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Pipe {
    pipe: transfer::Pipe,
    held: usize,
    /// A fill was given up: nobody knows what the pipe holds.
    is_lost: bool,
}

impl Pipe {
    /// An empty pipe, of 1 MiB where the kernel allows it and of 64 KiB otherwise.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        Ok(Self { pipe: transfer::Pipe::new()?, held: 0, is_lost: false })
    }

    /// Bytes that fit; fewer of a file where they do not begin with a page.
    pub fn capacity(&self) -> usize {
        self.pipe.capacity() as usize
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves at most `length` bytes of `file` from `offset` on into the pipe, which must be empty; returns how many. Zero bytes mean the end of
    /// the file.
    ///
    /// What is in memory moves at once; the ring moves what has to come from the disk, or a thread that may block. Once the future was dropped in
    /// flight, the pipe is of no more use.
    ///
    /// # Errors
    /// The operating system's; [`InvalidInput`](io::ErrorKind::InvalidInput) where the pipe is not empty, or the range is beyond any file.
    pub async fn fill(&mut self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        self.check()?;
        if self.held > 0 {
            return Err(refused("the pipe still holds bytes"));
        }
        let length = length.min(self.capacity()) as u32;
        if offset.checked_add(length.into()).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(refused("the range is beyond any file"));
        }
        if length == 0 {
            return Ok(0);
        }
        self.is_lost = true;
        let filled = loop {
            let fill = FillPipe { file: file.shared().clone(), offset, pipe: self.pipe.clone(), length, at_once: true };
            match FileFuture::unchecked(fill).await {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                filled => break filled,
            }
        };
        self.is_lost = false;
        self.held = filled? as usize;
        Ok(self.held)
    }

    /// Reads what the pipe holds, as much as `buffer` has room for, at once; zero bytes where it is empty.
    ///
    /// # Errors
    /// The operating system's; [`InvalidInput`](io::ErrorKind::InvalidInput) where a fill was dropped in flight.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        if self.held == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.pipe.read(buffer)? as usize;
        self.held -= count;
        Ok(count)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_lost { Err(refused("a fill of this pipe was dropped in flight")) } else { Ok(()) }
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
