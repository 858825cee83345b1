//! One piece of page-aligned memory.
//!
//! Fresh pages are zero and cost nothing until they are touched; the kernel puts a page on the NUMA node of the thread that touches it first.

use std::io;
use std::ptr::NonNull;

/// Memory that is given back to the system when it is dropped.
#[derive(Debug)]
pub(super) struct Region {
    first: NonNull<u8>,
    bytes: usize,
}

// SAFETY: plain memory; who may touch which part of it is up to the owner.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// `bytes` of zeroes, aligned to a page; `bytes` is a multiple of [`page_bytes`], above zero.
    #[cfg(unix)]
    pub(super) fn map(bytes: usize) -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address that the kernel chooses touches nothing that exists.
        let first = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if first == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { first: NonNull::new(first.cast()).expect("a mapping never begins at address zero"), bytes })
    }

    /// As on unix, from the global allocator.
    #[cfg(not(unix))]
    pub(super) fn map(bytes: usize) -> io::Result<Self> {
        let layout = Self::layout(bytes);
        // SAFETY: the layout has a size.
        let first = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { first, bytes })
    }

    #[cfg(not(unix))]
    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, page_bytes()).expect("a page is a power of two, and the size was checked")
    }

    /// The byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.bytes, "offset {offset} lies outside of {} bytes", self.bytes);
        // SAFETY: inside the region.
        unsafe { self.first.add(offset) }
    }
}

impl Drop for Region {
    #[cfg(unix)]
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, unmapped once; the owner says that nobody uses it any more.
        unsafe { libc::munmap(self.first.as_ptr().cast(), self.bytes) };
    }

    #[cfg(not(unix))]
    fn drop(&mut self) {
        // SAFETY: allocated by `map` with this layout, freed once.
        unsafe { std::alloc::dealloc(self.first.as_ptr(), Self::layout(self.bytes)) };
    }
}

/// Bytes of a page.
pub(super) fn page_bytes() -> usize {
    #[cfg(unix)]
    {
        // SAFETY: asks for a constant of the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a page has a size")
    }
    #[cfg(not(unix))]
    {
        4096
    }
}
