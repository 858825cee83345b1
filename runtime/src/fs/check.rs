//! What must be right before an operation: the offset, and for direct I/O the alignment.

use std::io;

use crate::op::file::SharedFile;

/// A file is never longer: the kernel counts offsets with a sign.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Whether `file` can transfer the bytes of `range` (address and length) at `offset`.
pub(super) fn check(file: &SharedFile, range: (usize, usize), offset: u64) -> io::Result<()> {
    check_offset(offset)?;
    let Some(direct) = file.direct() else { return Ok(()) };
    let (address, length) = range;
    aligned("the buffer's address", address as u64, direct.memory)?;
    aligned("the length", length as u64, direct.offset)?;
    aligned("the offset", offset, direct.offset)
}

/// Whether a file may have a byte at `offset`. (To the ring, the highest offset of all means the file's own position.)
pub(super) fn check_offset(offset: u64) -> io::Result<()> {
    if offset <= OFFSET_MAX {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("offset {offset} is beyond any file")))
}

/// As [`check`], for several ranges.
pub(super) fn check_ranges(file: &SharedFile, ranges: &[libc::iovec], offset: u64) -> io::Result<()> {
    check(file, (0, 0), offset)?;
    ranges.iter().try_for_each(|range| check(file, (range.iov_base.addr(), range.iov_len), offset))
}

fn aligned(what: &str, value: u64, alignment: u64) -> io::Result<()> {
    if value.is_multiple_of(alignment) {
        return Ok(());
    }
    let message = format!("direct I/O: {what} {value} is no multiple of {alignment} bytes");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
