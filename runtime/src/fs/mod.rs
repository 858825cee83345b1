//! Files, on Linux: reads and writes at offsets with owned buffers, whole files, folders.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("greeting");
//! use zokio::fs::{self, File};
//!
//! let runtime = zokio::Builder::new().worker_threads(1).build()?;
//! runtime.block_on(async {
//!     fs::write(&path, "hello, world").await?;
//!     let file = File::open(&path).await?;
//!     let (read, world) = file.read_exact_at(vec![0; 5], 7).await;
//!     assert_eq!((read?, &world[..]), (5, &b"world"[..]));
//!     assert_eq!(fs::read(&path).await?, b"hello, world");
//!     fs::remove_file(&path).await
//! })
//! # }
//! ```
//!
//! | what | where it is done |
//! | --- | --- |
//! | reads and writes of what is in memory, opening a cached path | at once, on the task's own thread: about 1 µs |
//! | what would block | by the ring; without one, or where it does not know the operation, by a thread that may block |
//! | [`write()`], [`copy`], [`create_dir_all`], [`remove_dir_all`] | by a thread that may block, as one job |
//!
//! Errors are the operating system's, as they are: `EFBIG` beyond `RLIMIT_FSIZE`, `ENOSPC` on a full disk. (The former also sends SIGXFSZ,
//! which ends a process that does not ignore it.)
//!
//! A future dropped in flight gives its operation up: the buffer lives until the kernel, or the thread, lets go of it. A job that no
//! thread has begun is never done; one that was begun runs to its end.

mod batch;
pub(crate) mod blocking;
mod check;
mod file;
mod metadata;
mod operation;
mod options;
mod whole;

pub(crate) use blocking::run_blocking;
pub use file::File;
pub use metadata::Metadata;
pub(crate) use operation::FileFuture;
pub use options::OpenOptions;
pub use whole::{copy, create_dir, create_dir_all, metadata, read, read_to_string, remove_dir, remove_dir_all, remove_file, rename, write};
