//! The file calls of zokio.

use std::io;
use std::path::PathBuf;

use zokio::buf::AlignedBuf;
use zokio::fs::{File, OpenOptions};

use super::stack::ZokioStack;
use crate::subject::body::io::files::{Files, Filled};
use crate::workload::storage::CacheState;

impl Files for ZokioStack {
    const NO_NOP: Option<&'static str> = None;
    type File = File;

    async fn open(path: PathBuf, state: CacheState) -> io::Result<File> {
        OpenOptions::new().read(true).direct(state == CacheState::Direct).open(path).await
    }

    async fn read_at(file: &File, buffer: AlignedBuf, offset: u64) -> Filled {
        file.read_at(buffer, offset).await
    }

    async fn readv_at(file: &File, buffers: Vec<AlignedBuf>, offset: u64) -> (io::Result<usize>, Vec<AlignedBuf>) {
        file.readv_at(buffers, offset).await
    }

    async fn read_many_at(file: &File, reads: Vec<(AlignedBuf, u64)>) -> Vec<Filled> {
        file.read_many_at(reads).await
    }

    async fn nop() -> io::Result<()> {
        zokio::io::nop().await
    }
}
