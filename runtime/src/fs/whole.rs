//! Whole files and folders by their paths.

use std::io;
use std::path::{Path, PathBuf};

use super::{File, FileFuture, Metadata, run_blocking};
use crate::buf::{IoBuf, IoBufMut, initialized};
use crate::op::file::{FolderChange, Stat, to_c_path};

/// Room for the first read of a file that does not tell its length, as those of /proc.
const UNKNOWN_LENGTH_BYTES: usize = 4096;

/// Everything in the file at `path`.
///
/// # Errors
/// The operating system's.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = File::open(path).await?;
    let hint = usize::try_from(Stat::length_hint(file.shared())).unwrap_or(0);
    // One byte more than there should be, so that the same read that fetches the last byte finds the end.
    let mut content = Vec::new();
    content.try_reserve_exact(if hint == 0 { UNKNOWN_LENGTH_BYTES } else { hint.saturating_add(1) })?;
    loop {
        let filled = content.len();
        if filled == content.capacity() {
            content.try_reserve(filled)?;
        }
        let (result, part) = file.read_at(content.slice(filled..), filled as u64).await;
        let room = part.bytes_total();
        content = part.into_inner();
        match result {
            Ok(0) => return Ok(content),
            Ok(count) if count < room && filled + count == hint => return Ok(content),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The text in the file at `path`.
///
/// # Errors
/// The operating system's; [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(read(path).await?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Makes `content` all that is in the file at `path`, which is made if there is none.
///
/// Opening, writing and closing is one job of one thread: each of them may wait for the disk, and three hand-overs cost more than one.
///
/// # Errors
/// The operating system's; then the file may have a first part of the content.
pub async fn write(path: impl AsRef<Path>, content: impl IoBuf) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    run_blocking(move || std::fs::write(path, initialized(&content))).await
}

/// Copies content and permissions of the file at `from` to `to`, which is made or replaced; returns the bytes copied.
///
/// The kernel copies where it can (copy_file_range), without the data ever leaving it; else it is read and written. Dropping the future does
/// not stop a copy that was begun.
///
/// # Errors
/// The operating system's; then `to` may have a first part of the content.
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    run_blocking(move || std::fs::copy(from, to)).await
}

/// Gives the file or folder `from` the name `to`; what was there before is replaced.
///
/// # Errors
/// The operating system's, among them [`CrossesDevices`](io::ErrorKind::CrossesDevices).
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (to_c_path(from.as_ref())?, to_c_path(to.as_ref())?);
    FileFuture::unchecked(FolderChange::Rename { from, to }).await
}

/// Removes a file.
///
/// # Errors
/// The operating system's.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    FileFuture::unchecked(FolderChange::RemoveFile(to_c_path(path.as_ref())?)).await
}

/// Makes a folder.
///
/// # Errors
/// The operating system's, among them [`AlreadyExists`](io::ErrorKind::AlreadyExists).
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    FileFuture::unchecked(FolderChange::CreateDir(to_c_path(path.as_ref())?)).await
}

/// Removes an empty folder.
///
/// # Errors
/// The operating system's, among them [`DirectoryNotEmpty`](io::ErrorKind::DirectoryNotEmpty).
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    FileFuture::unchecked(FolderChange::RemoveDir(to_c_path(path.as_ref())?)).await
}

/// Makes a folder and those above it, as far as they are missing.
///
/// # Errors
/// The operating system's.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path(path, std::fs::create_dir_all).await
}

/// Removes a folder and everything in it.
///
/// # Errors
/// The operating system's; then a part of it may be gone.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path(path, std::fs::remove_dir_all).await
}

async fn on_path<T: Send + 'static>(path: impl AsRef<Path>, job: impl FnOnce(PathBuf) -> T + Send + 'static) -> T {
    let path = path.as_ref().to_owned();
    run_blocking(move || job(path)).await
}

/// What the file system tells about the file that `path` leads to.
///
/// # Errors
/// The operating system's.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    FileFuture::unchecked(Stat::of_path(to_c_path(path.as_ref())?)).await.map(Metadata)
}
