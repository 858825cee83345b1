//! The calls of tokio for whole files: `tokio::fs`, and for what it has no call, the kernel's own once the socket has room.
//!
//! Sending without a copy is what its users write: the file is opened by `tokio::fs`, and sendfile(2) or splice(2) runs inside
//! `TcpStream::async_io`. It may wait for the disk there; these files are in memory.

use std::io;
use std::path::Path;

use hyper::body::Bytes;
use rustix::pipe::{PipeFlags, SpliceFlags, splice};
use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

use super::stack::TokioStack;
use crate::subject::body::file::WholeFiles;
use crate::subject::body::pipe::pipe;
use crate::subject::body::stack::Lent;
use crate::workload::file::{Fsync, Via};

/// Longest piece of a file that is read into memory at once.
const PIECE_BYTES: u64 = 1 << 20;

impl WholeFiles for TokioStack {
    type Shared = Bytes;

    fn shared(bytes: Vec<u8>) -> Bytes {
        bytes.into()
    }

    async fn read_file(path: &Path, _buffer: Vec<u8>) -> Lent<()> {
        match fs::read(path).await {
            Ok(content) => (Ok(()), content),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    async fn write_file(path: &Path, content: &Bytes, fsync: Fsync) -> io::Result<()> {
        if fsync == Fsync::None {
            return fs::write(path, content.clone()).await;
        }
        let mut file = File::create(path).await?;
        file.write_all(content).await?;
        file.sync_all().await
    }

    async fn copy_file(from: &Path, to: &Path, via: Via) -> io::Result<u64> {
        if via == Via::CopyFileRange {
            return fs::copy(from, to).await;
        }
        let content = fs::read(from).await?;
        let bytes = content.len() as u64;
        fs::write(to, content).await?;
        Ok(bytes)
    }

    async fn send_file(stream: &mut TcpStream, path: &Path, size: u64, via: Via) -> io::Result<u64> {
        match via {
            Via::Sendfile => by_sendfile(stream, &File::open(path).await?.into_std().await, size).await,
            Via::Splice => by_splice(stream, &File::open(path).await?.into_std().await, size).await,
            Via::ReadWrite | Via::CopyFileRange => by_copy(stream, path, size).await,
        }
    }
}

async fn by_copy(stream: &mut TcpStream, path: &Path, size: u64) -> io::Result<u64> {
    if size <= PIECE_BYTES {
        // One job of one thread; opening and reading apart are two.
        let content = fs::read(path).await?;
        stream.write_all(&content).await?;
        return Ok(content.len() as u64);
    }
    let mut file = tokio::io::BufReader::with_capacity(PIECE_BYTES as usize, File::open(path).await?);
    tokio::io::copy_buf(&mut file, stream).await
}

async fn by_sendfile(stream: &TcpStream, file: &std::fs::File, size: u64) -> io::Result<u64> {
    let mut sent = 0;
    while sent < size {
        let left = usize::try_from(size - sent).unwrap_or(usize::MAX);
        let send = || Ok(rustix::fs::sendfile(stream, file, Some(&mut sent), left)?);
        if stream.async_io(Interest::WRITABLE, send).await? == 0 {
            break;
        }
    }
    Ok(sent)
}

async fn by_splice(stream: &TcpStream, file: &std::fs::File, size: u64) -> io::Result<u64> {
    let (read, write) = pipe(PipeFlags::empty())?;
    let mut offset = 0;
    while offset < size {
        let left = usize::try_from(size - offset).unwrap_or(usize::MAX);
        let mut held = splice(file, Some(&mut offset), &write, None, left, SpliceFlags::empty())?;
        if held == 0 {
            break;
        }
        while held > 0 {
            let drain = || Ok(splice(&read, None, stream, None, held, SpliceFlags::NONBLOCK)?);
            held -= stream.async_io(Interest::WRITABLE, drain).await?;
        }
    }
    Ok(offset)
}
