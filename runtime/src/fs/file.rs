//! An open file: reads and writes at offsets.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;

use super::batch::Batch;
use super::check::{check, check_offset, check_ranges};
use super::operation::FileFuture;
use super::{Metadata, OpenOptions};
use crate::buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut};
use crate::driver::{Submission, is_ring};
use crate::op::Close;
use crate::op::file::{Change, ReadAt, ReadvAt, SharedFile, Stat, WriteAt, WritevAt};

/// An open file. It has no position: every read and write says its offset, so any number of them may be in flight, in any order.
///
/// Dropping it closes it, once the operations in flight are done. A dropped future gives up its operation: whether a write took place is
/// then not known.
#[derive(Debug, Clone)]
pub struct File {
    shared: SharedFile,
}

impl File {
    pub(super) fn new(shared: SharedFile) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &SharedFile {
        &self.shared
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing; makes it if there is none, and empties it if there is.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Takes over a file of the standard library, which must not be opened with `O_DIRECT` or `O_NONBLOCK`.
    pub fn from_std(file: std::fs::File) -> Self {
        Self::new(SharedFile::new(file, None))
    }

    /// Reads into `buffer` what begins at `offset`: at least one byte and at most what the buffer has room for. Zero bytes mean the end
    /// of the file (or no room at all). A `Vec` offers its *capacity*, and its length becomes the count.
    ///
    /// What is in memory already is read at once; a read that reaches beyond it may be short.
    pub fn read_at<B: IoBufMut>(&self, buffer: B, offset: u64) -> impl Future<Output = BufResult<usize, B>> + Send + use<B> {
        self.read(ReadAt::new(self.shared.clone(), buffer, offset), offset)
    }

    fn read<B: IoBufMut>(&self, read: ReadAt<B>, offset: u64) -> FileFuture<ReadAt<B>> {
        let checked = check(&self.shared, read.range(), offset);
        FileFuture::new(read, checked)
    }

    /// Fills the initialized bytes of `buffer`: the *length* of a `Vec`, not its capacity.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before. The bytes read so far are in the buffer.
    pub fn read_exact_at<B: IoBufMut>(&self, mut buffer: B, offset: u64) -> impl Future<Output = BufResult<usize, B>> + Send + use<B> {
        let file = self.clone();
        async move {
            let total = buffer.bytes_init();
            let mut filled = 0;
            while filled < total {
                let (result, part) = file.read_at(buffer.slice(filled..total), offset.saturating_add(filled as u64)).await;
                buffer = part.into_inner();
                match result {
                    Ok(0) => return (Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the buffer is full")), buffer),
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buffer),
                }
            }
            (Ok(total), buffer)
        }
    }

    /// Writes a first part of the initialized bytes of `buffer` at `offset`; the count may be less than all.
    pub fn write_at<B: IoBuf>(&self, buffer: B, offset: u64) -> impl Future<Output = BufResult<usize, B>> + Send + use<B> {
        self.write(WriteAt::new(self.shared.clone(), buffer, 0, offset), offset)
    }

    fn write<B: IoBuf>(&self, write: WriteAt<B>, offset: u64) -> FileFuture<WriteAt<B>> {
        let checked = check(&self.shared, write.range(), offset);
        FileFuture::new(write, checked)
    }

    /// Writes all initialized bytes of `buffer` at `offset`; the count is their number.
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was written.
    pub fn write_all_at<B: IoBuf>(&self, mut buffer: B, offset: u64) -> impl Future<Output = BufResult<usize, B>> + Send + use<B> {
        let file = self.clone();
        async move {
            let total = buffer.bytes_init();
            let mut written = 0;
            while written < total {
                let place = offset.saturating_add(written as u64);
                let (result, back) = file.write(WriteAt::new(file.shared.clone(), buffer, written, place), place).await;
                buffer = back;
                match result {
                    Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buffer),
                }
            }
            (Ok(total), buffer)
        }
    }

    /// As [`read_at`](Self::read_at), into several buffers, each filled before the next.
    pub fn readv_at<V: IoBufsMut>(&self, buffers: V, offset: u64) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        let read = ReadvAt::new(self.shared.clone(), buffers, offset);
        let checked = check_ranges(&self.shared, read.ranges(), offset);
        FileFuture::new(read, checked)
    }

    /// As [`write_at`](Self::write_at), from several buffers, one after the other.
    pub fn writev_at<V: IoBufs>(&self, buffers: V, offset: u64) -> impl Future<Output = BufResult<usize, V>> + Send + use<V> {
        let write = WritevAt::new(self.shared.clone(), buffers, offset);
        let checked = check_ranges(&self.shared, write.ranges(), offset);
        FileFuture::new(write, checked)
    }

    /// Many reads, each as [`read_at`](Self::read_at), begun together: a ring takes all of them in one call, and the task is woken once,
    /// when the last is done. Results come in the order of `reads`.
    pub fn read_many_at<B: IoBufMut>(&self, reads: Vec<(B, u64)>) -> impl Future<Output = Vec<BufResult<usize, B>>> + Send + use<B> {
        let one = |(buffer, offset)| self.read(ReadAt::new(self.shared.clone(), buffer, offset).batched(), offset);
        Batch::new(reads.into_iter().map(one))
    }

    /// Many writes, each as [`write_at`](Self::write_at), begun together; they take place in any order.
    pub fn write_many_at<B: IoBuf>(&self, writes: Vec<(B, u64)>) -> impl Future<Output = Vec<BufResult<usize, B>>> + Send + use<B> {
        let one = |(buffer, offset)| self.write(WriteAt::new(self.shared.clone(), buffer, 0, offset).batched(), offset);
        Batch::new(writes.into_iter().map(one))
    }

    /// Waits until everything written, and the file's metadata, is on the disk.
    pub fn sync_all(&self) -> impl Future<Output = io::Result<()>> + Send + use<> {
        FileFuture::unchecked(Change::sync_all(self.shared.clone()))
    }

    /// Waits until everything written is on the disk, and of the metadata what reading it needs.
    pub fn sync_data(&self) -> impl Future<Output = io::Result<()>> + Send + use<> {
        FileFuture::unchecked(Change::sync_data(self.shared.clone()))
    }

    /// What the file system tells about the file.
    pub fn metadata(&self) -> impl Future<Output = io::Result<Metadata>> + Send + use<> {
        let stat = FileFuture::unchecked(Stat::of_file(self.shared.clone()));
        async move { stat.await.map(Metadata) }
    }

    /// Cuts the file to `length` bytes, or extends it with zeros.
    pub fn set_len(&self, length: u64) -> impl Future<Output = io::Result<()>> + Send + use<> {
        FileFuture::new(Change::set_len(self.shared.clone(), length), check_offset(length))
    }

    /// Reserves room on the disk for `length` bytes from `offset` on, and extends the file with zeros if it ends before.
    ///
    /// # Errors
    /// The operating system's, among them [`StorageFull`](io::ErrorKind::StorageFull), and `EOPNOTSUPP` where the file system cannot.
    pub fn allocate(&self, offset: u64, length: u64) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let checked = check_offset(offset).and_then(|()| check_offset(length));
        FileFuture::new(Change::allocate(self.shared.clone(), offset, length), checked)
    }

    /// What direct I/O demands: the multiples, in bytes, that buffer addresses, and that offsets and lengths, must be of. `None` unless
    /// the file was opened with [`OpenOptions::direct`].
    pub fn direct_alignment(&self) -> Option<(usize, usize)> {
        self.shared.direct().map(|direct| (direct.memory as usize, direct.offset as usize))
    }

    /// Closes the file, and says what closing says. With operations still in flight or another handle it only gives up this one.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn close(self) -> io::Result<()> {
        let Some(descriptor) = self.shared.into_sole() else { return Ok(()) };
        match is_ring() {
            Some(false) => super::run_blocking(move || drop(descriptor)).await,
            _ => return Submission::new(Close::new(descriptor)).await,
        }
        Ok(())
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.fd()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.get().as_fd()
    }
}
