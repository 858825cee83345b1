//! How a file is opened.

use std::io;
use std::path::Path;

use super::File;
use super::operation::FileFuture;
use crate::op::file::{Open, SharedFile, Stat, direct_alignment, to_c_path};

/// How a file is opened: as `std::fs::OpenOptions`, and for direct I/O.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("log");
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     let file = zokio::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).await?;
///     file.write_all_at("first", 0).await.0?;
///     let again = zokio::fs::OpenOptions::new().write(true).create_new(true).open(&path).await;
///     assert_eq!(again.expect_err("it exists").kind(), std::io::ErrorKind::AlreadyExists);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    direct: bool,
    mode: libc::mode_t,
}

/// Adds one setter a flag.
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: bool) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl OpenOptions {
    /// Nothing is allowed yet. New files get the mode 0o666, less the process's umask.
    pub fn new() -> Self {
        Self { read: false, write: false, truncate: false, create: false, create_new: false, direct: false, mode: 0o666 }
    }

    flags! {
        /// May read.
        read
        /// May write.
        write
        /// Empties the file; needs `write`.
        truncate
        /// Makes the file if there is none; needs `write`.
        create
        /// Makes the file, and fails if there is one; needs `write`.
        create_new
        /// Passes the page cache by (`O_DIRECT`). Buffer address, length and offset must then be multiples of what
        /// [`File::direct_alignment`] says; see [`AlignedBuf`](crate::buf::AlignedBuf). Such operations always go to the ring or a thread
        /// that may block.
        direct
    }

    /// Who may do what with a new file, less the process's umask.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    fn flags(&self) -> io::Result<libc::c_int> {
        let access = match (self.read, self.write) {
            (true, true) => libc::O_RDWR,
            (true, false) => libc::O_RDONLY,
            (false, true) => libc::O_WRONLY,
            (false, false) => return Err(invalid("neither reading nor writing was asked for")),
        };
        if !self.write && (self.truncate || self.create || self.create_new) {
            return Err(invalid("creating or truncating a file needs `write`"));
        }
        let flag = |wanted, flag| if wanted { flag } else { 0 };
        Ok(access
            | flag(self.truncate, libc::O_TRUNC)
            | flag(self.create, libc::O_CREAT)
            | flag(self.create_new, libc::O_CREAT | libc::O_EXCL)
            | flag(self.direct, libc::O_DIRECT))
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The operating system's, among them `EINVAL` where the file system refuses direct I/O; or the options contradict each other.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (flags, direct) = (self.flags()?, self.direct);
        let opened = FileFuture::unchecked(Open::new(to_c_path(path.as_ref())?, flags, self.mode)).await?;
        let file = std::fs::File::from(opened);
        if !direct {
            return Ok(File::new(SharedFile::new(file, None)));
        }
        let plain = SharedFile::new(file, None);
        let answer = FileFuture::unchecked(Stat::of_file(plain.clone())).await?;
        let file = plain.into_sole().ok_or_else(|| io::Error::other("a new file is shared"))?;
        Ok(File::new(SharedFile::new(file.into(), Some(direct_alignment(&answer)))))
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
