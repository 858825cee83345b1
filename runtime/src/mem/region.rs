//! One piece of memory, aligned to a page or more.
//!
//! Fresh pages are zero and cost nothing until they are touched; the kernel puts a page on the NUMA node of the thread that touches it first.

use std::io;
use std::ptr::NonNull;

/// Memory that is given back to the system when it is dropped.
#[derive(Debug)]
pub(super) struct Region {
    first: NonNull<u8>,
    bytes: usize,
    #[cfg(not(unix))]
    align: usize,
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

    /// As [`Self::map`], beginning at a multiple of `align`: a power of two, at least a page, and a divisor of `bytes`.
    #[cfg(unix)]
    pub(super) fn map_aligned(bytes: usize, align: usize) -> io::Result<Self> {
        // As much more as the kernel's choice of a page may be off; what lies before and behind goes back at once.
        let whole = std::mem::ManuallyDrop::new(Self::map(bytes + align - page_bytes())?);
        let before = whole.first.as_ptr().align_offset(align);
        let part = |offset, bytes| (bytes > 0).then(|| Self { first: whole.at(offset), bytes });
        drop(part(0, before));
        drop(part(before + bytes, whole.bytes - before - bytes));
        Ok(Self { first: whole.at(before), bytes })
    }

    /// As on unix, from the global allocator.
    #[cfg(not(unix))]
    pub(super) fn map(bytes: usize) -> io::Result<Self> {
        Self::map_aligned(bytes, page_bytes())
    }

    /// As on unix, from the global allocator.
    #[cfg(not(unix))]
    pub(super) fn map_aligned(bytes: usize, align: usize) -> io::Result<Self> {
        let layout = Self::layout(bytes, align);
        // SAFETY: the layout has a size.
        let first = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { first, bytes, align })
    }

    #[cfg(not(unix))]
    fn layout(bytes: usize, align: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, align).expect("a power of two, and the size was checked")
    }

    /// How long it is.
    #[cfg(target_os = "linux")]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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
        unsafe { std::alloc::dealloc(self.first.as_ptr(), Self::layout(self.bytes, self.align)) };
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

#[cfg(all(test, unix, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_aligned_region_begins_where_it_should_and_is_all_there() {
        const BYTES: usize = 1 << 20;
        let regions: Vec<Region> = (0..16).map(|_| Region::map_aligned(BYTES, BYTES).unwrap()).collect();
        for region in &regions {
            assert!(region.first.addr().get().is_multiple_of(BYTES));
            for offset in [0, BYTES / 2, BYTES - 1] {
                // SAFETY: inside a fresh region of this test.
                unsafe { region.at(offset).write(1) };
            }
        }
    }
}
