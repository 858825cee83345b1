//! The calls of zokio for whole files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use zokio::fs::{self, File};
use zokio::io::SendFileVia;
use zokio::net::TcpStream;

use super::stack::ZokioStack;
use crate::subject::body::file::WholeFiles;
use crate::subject::body::stack::Lent;
use crate::workload::file::{Fsync, Via};

impl WholeFiles for ZokioStack {
    type Shared = Arc<[u8]>;

    fn shared(bytes: Vec<u8>) -> Arc<[u8]> {
        bytes.into()
    }

    async fn read_file(path: &Path, _buffer: Vec<u8>) -> Lent<()> {
        match fs::read(path).await {
            Ok(content) => (Ok(()), content),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    async fn write_file(path: &Path, content: &Arc<[u8]>, fsync: Fsync) -> io::Result<()> {
        if fsync == Fsync::None {
            return fs::write(path, Arc::clone(content)).await;
        }
        let file = File::create(path).await?;
        file.write_all_at(Arc::clone(content), 0).await.0?;
        file.sync_all().await?;
        file.close().await
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
        let via = match via {
            Via::Splice => SendFileVia::Splice,
            Via::Sendfile => SendFileVia::Sendfile,
            Via::ReadWrite | Via::CopyFileRange => SendFileVia::Copy,
        };
        let file = File::open(path).await?;
        stream.send_file_via(&file, 0, size, via).await
    }
}
