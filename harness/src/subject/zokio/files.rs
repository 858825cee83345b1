//! The file calls of zokio.
//!
//! Its reads may be short, as the system's: what the page cache has at once comes at once. Whoever wants all asks for the rest.

use std::io;
use std::path::PathBuf;

use zokio::buf::{AlignedBuf, IoBuf as _};
use zokio::fs::{File, OpenOptions};
use zokio::io::Pipe;

use super::stack::ZokioStack;
use crate::subject::body::io::files::{Files, Filled};
use crate::workload::storage::CacheState;

impl Files for ZokioStack {
    const NO_NOP: Option<&'static str> = None;
    type File = File;
    type Pipe = Pipe;

    async fn open(path: PathBuf, state: CacheState) -> io::Result<File> {
        OpenOptions::new().read(true).direct(state == CacheState::Direct).open(path).await
    }

    async fn read_at(file: &File, buffer: AlignedBuf, offset: u64) -> Filled {
        let (result, buffer) = file.read_at(buffer, offset).await;
        whole(file, result, buffer, offset).await
    }

    async fn readv_at(file: &File, buffers: Vec<AlignedBuf>, offset: u64) -> (io::Result<usize>, Vec<AlignedBuf>) {
        let (result, mut buffers) = file.readv_at(buffers, offset).await;
        let Ok(mut count) = result else { return (result, buffers) };
        let mut place = offset;
        let mut total = 0;
        for slot in &mut buffers {
            let (here, wanted) = (count.min(slot.len()), slot.len());
            if here < wanted {
                let (rest, filled) = whole(file, Ok(here), std::mem::replace(slot, AlignedBuf::zeroed(0, 1)), place).await;
                *slot = filled;
                if rest.is_err() {
                    return (rest, buffers);
                }
            }
            (count, place, total) = (count - here, place + wanted as u64, total + wanted);
        }
        (Ok(total), buffers)
    }

    async fn read_many_at(file: &File, reads: Vec<(AlignedBuf, u64)>) -> Vec<Filled> {
        let offsets: Vec<u64> = reads.iter().map(|(_, offset)| *offset).collect();
        let mut done = file.read_many_at(reads).await;
        for (index, offset) in offsets.into_iter().enumerate() {
            if matches!(&done[index], (Ok(count), buffer) if *count < buffer.len()) {
                let (result, buffer) = std::mem::replace(&mut done[index], (Ok(0), AlignedBuf::zeroed(0, 1)));
                done[index] = whole(file, result, buffer, offset).await;
            }
        }
        done
    }

    fn pipe() -> io::Result<Pipe> {
        Pipe::new()
    }

    async fn splice(file: &File, pipe: &mut Pipe, mut buffer: AlignedBuf, offset: u64) -> Filled {
        let mut total = 0;
        while total < buffer.len() {
            let filled = pipe.fill(file, offset + total as u64, buffer.len() - total).await;
            match filled.and_then(|_| pipe.read(&mut buffer[total..])) {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(total), buffer)
    }

    async fn nop() -> io::Result<()> {
        zokio::io::nop().await
    }
}

/// The rest of a read that was short.
#[inline]
async fn whole(file: &File, result: io::Result<usize>, buffer: AlignedBuf, offset: u64) -> Filled {
    match result {
        Ok(count) if count < buffer.len() => {
            let (rest, part) = file.read_exact_at(buffer.slice(count..), offset + count as u64).await;
            (rest.map(|rest| count + rest), part.into_inner())
        }
        result => (result, buffer),
    }
}
