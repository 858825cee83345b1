//! Cells for tasks: allocated by the slab's owner without an atomic, freed from any thread.
//!
//! ```text
//!  Slab (owner's)                         Chunk: 64 KiB, aligned to 64 KiB
//!  ┌ class 0: free list, bump ┐           ┌─────────┬──────┬──────┬──────┬───
//!  │ class 1: …               │ ────────▶ │ header  │ cell │ cell │ cell │ …
//!  └ chunks                   ┘           └─────────┴──────┴──────┴──────┴───
//!        ▲ drained when a class is empty      │ `remote`
//!        └──────────── Remote: stack of cells freed elsewhere ◀──┘
//! ```
//!
//! The chunk of a cell is found by masking its address, so a task carries no pointer to its runtime: the chunk has it. The walk over all
//! chunks finds every live task, hence there is no list of owned tasks and no lock at spawn.
//!
//! Invariants
//!  S1. The first four bytes of a cell are zero exactly while the cell is vacant (chunks start zeroed; [`State::vacate`] precedes a free).
//!  S2. A cell is freed once, by whoever gave up the last reference.
//!  S3. The remote stack is only pushed to and only emptied whole (R1 of [`home`](super::home)).
//!  S4. A chunk is released by its owner when it closes with no live cell, otherwise by whoever frees its last cell afterwards: exactly one
//!      party finds that nothing is outstanding (R3 there).
//!
//! [`State::vacate`]: crate::task::state::State::vacate
#![expect(unsafe_code, reason = "a slab hands out raw cells; invariants S1 to S4")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::home::{Node, Outstanding, Returns};
use crate::primitives::Arc;

/// Size and alignment of a chunk. 64 KiB: some hundred small tasks, and a mask that finds the header.
const CHUNK_BYTES: usize = 64 * 1024;
/// Room for the header; keeps the first cell aligned.
const HEADER_BYTES: usize = 128;
/// Alignment of every cell. Not 128: on glibc an alignment of 128 doubles the cost of the allocation that this slab replaces.
pub(crate) const CELL_ALIGN: usize = 64;
/// Cell sizes in bytes. A larger future is boxed by its spawner.
const CLASSES: [usize; 10] = [64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];
/// The largest cell.
pub(crate) const CELL_BYTES_MAX: usize = CLASSES[CLASSES.len() - 1];

/// A vacant cell, linked into a list through its second word; the first stays as it is (S1).
#[repr(C)]
struct Vacant {
    state: usize,
    link: Node,
}

/// The link of a vacant cell, by which lists know it.
fn link_of(cell: NonNull<u8>) -> NonNull<Node> {
    // SAFETY: every cell has room for a `Vacant`.
    unsafe { cell.byte_add(std::mem::offset_of!(Vacant, link)) }.cast()
}

/// The cell of a link.
fn cell_of(link: NonNull<Node>) -> NonNull<u8> {
    // SAFETY: a link is inside its cell.
    unsafe { link.byte_sub(std::mem::offset_of!(Vacant, link)) }.cast()
}

#[repr(C)]
struct ChunkHeader<O> {
    remote: Arc<Remote<O>>,
    class: usize,
    /// Cells that are still live after closing (S4).
    live: Outstanding,
}

/// What chunks of one slab share: the stack of cells freed elsewhere, and the slab's owner.
#[derive(Debug)]
pub(crate) struct Remote<O> {
    returns: Returns,
    owner: O,
}

impl<O> Remote<O> {
    /// What the slab was made for.
    pub(crate) fn owner(&self) -> &O {
        &self.owner
    }
}

#[derive(Debug)]
struct Class {
    free: *mut Node,
    bump: *mut u8,
    bump_end: *mut u8,
}

/// Allocates cells for one owner.
#[derive(Debug)]
pub(crate) struct Slab<O> {
    remote: Arc<Remote<O>>,
    classes: [Class; CLASSES.len()],
    chunks: Vec<NonNull<ChunkHeader<O>>>,
}

// SAFETY: the raw pointers lead to chunks that this slab owns; the free lists hold vacant cells that nobody else can reach (S2).
unsafe impl<O: Send + Sync> Send for Slab<O> {}

fn chunk_layout() -> Layout {
    Layout::from_size_align(CHUNK_BYTES, CHUNK_BYTES).expect("64 KiB is a power of two")
}

fn chunk_of<O>(cell: NonNull<u8>) -> NonNull<ChunkHeader<O>> {
    let header = cell.as_ptr().map_addr(|address| address & !(CHUNK_BYTES - 1)).cast();
    NonNull::new(header).expect("a chunk never lies at address zero")
}

/// The remote half of the slab that `cell` came from.
///
/// # Safety
/// `cell` is a live cell of a `Slab<O>`; the reference must not outlive it.
pub(crate) unsafe fn remote_of<'a, O>(cell: NonNull<u8>) -> &'a Remote<O> {
    // SAFETY: a live cell keeps its chunk (S4), whose header was written when the chunk was made.
    unsafe { &chunk_of::<O>(cell).as_ref().remote }
}

/// A cell whose content is gone, on its way back to its slab.
#[derive(Debug)]
pub(crate) struct VacantCell(NonNull<u8>);

impl VacantCell {
    /// Takes `cell` back.
    ///
    /// # Safety
    /// `cell` came from a `Slab<O>` of the type it will be freed with, its content is dropped and its first four bytes are zero (S1), and
    /// nobody uses it any more (S2).
    pub(crate) unsafe fn new(cell: NonNull<u8>) -> Self {
        Self(cell)
    }
}

/// Frees a cell from a thread that does not own its slab.
pub(crate) fn free_remote<O>(cell: VacantCell) {
    let cell = cell.0;
    let chunk = chunk_of::<O>(cell);
    let link = link_of(cell);
    // SAFETY: the cell is live until it is on the stack, so its chunk is there (S4).
    let header = unsafe { chunk.as_ref() };
    // SAFETY: a chain of one cell, which is ours until it is on the stack (S2).
    if unsafe { header.remote.returns.push(link, link) } {
        return;
    }
    // The slab is closed, so the count decides (S4).
    if header.live.freed(1) {
        // SAFETY: this was the last live cell, and the owner has counted (S4).
        unsafe { release_chunk(chunk) };
    }
}

/// Frees a cell of `slab` without an atomic; gives it back when it came from another slab.
pub(crate) fn free_local<O>(slab: &mut Slab<O>, cell: VacantCell) -> Result<(), VacantCell> {
    // SAFETY: until it is freed, the cell keeps its chunk (S4).
    if !slab.is_owner_of(unsafe { remote_of::<O>(cell.0) }) {
        return Err(cell);
    }
    // SAFETY: it is this slab's, vacant (S1) and nobody else's (S2).
    unsafe { slab.free(cell.0) };
    Ok(())
}

/// # Safety
/// Nobody uses the chunk or a cell of it any more.
unsafe fn release_chunk<O>(chunk: NonNull<ChunkHeader<O>>) {
    // SAFETY: the header was written when the chunk was made and is dropped once.
    unsafe { std::ptr::drop_in_place(chunk.as_ptr()) };
    // SAFETY: allocated with this layout by `grow`.
    unsafe { dealloc(chunk.as_ptr().cast(), chunk_layout()) };
}

impl<O> Slab<O> {
    /// An empty slab for `owner`.
    pub(crate) fn new(owner: O) -> Self {
        let class = || Class { free: std::ptr::null_mut(), bump: std::ptr::null_mut(), bump_end: std::ptr::null_mut() };
        let remote = Arc::new(Remote { returns: Returns::new(), owner });
        Self { remote, classes: std::array::from_fn(|_| class()), chunks: Vec::new() }
    }

    /// Whether `remote`, found by [`remote_of`], is this slab's: then [`Self::free`] is the way to free.
    pub(crate) fn is_owner_of(&self, remote: &Remote<O>) -> bool {
        std::ptr::eq(&*self.remote, remote)
    }

    /// A vacant cell of at least `bytes` (at most [`CELL_BYTES_MAX`]), aligned to [`CELL_ALIGN`]. Its first four bytes are zero.
    pub(crate) fn allocate(&mut self, bytes: usize) -> NonNull<u8> {
        let class = class_of(bytes);
        if self.classes[class].free.is_null() {
            self.refill(class);
        }
        let slot = &mut self.classes[class];
        if let Some(link) = NonNull::new(slot.free) {
            // SAFETY: a cell on the free list is vacant and linked (S1, S2).
            slot.free = unsafe { link.as_ref() }.next;
            return cell_of(link);
        }
        let cell = slot.bump;
        slot.bump = cell.wrapping_add(CLASSES[class]);
        NonNull::new(cell).expect("refill leaves a free or an untouched cell")
    }

    /// Frees a cell of this slab on the owner's thread.
    ///
    /// # Safety
    /// As [`VacantCell::new`], and `cell` is one of this slab's.
    pub(crate) unsafe fn free(&mut self, cell: NonNull<u8>) {
        // SAFETY: the cell's chunk is ours.
        let class = unsafe { chunk_of::<O>(cell).as_ref() }.class;
        let slot = &mut self.classes[class];
        let link = link_of(cell).as_ptr();
        // SAFETY: the cell is vacant and nobody else has it (S2).
        unsafe { (*link).next = slot.free };
        slot.free = link;
    }

    /// Cells freed elsewhere come back; if there are none of `class`, a new chunk is cut.
    fn refill(&mut self, class: usize) {
        self.take_list(self.remote.returns.take_all());
        let slot = &self.classes[class];
        if slot.free.is_null() && slot.bump == slot.bump_end {
            self.grow(class);
        }
    }

    fn take_list(&mut self, mut list: *mut Node) {
        while let Some(link) = NonNull::new(list) {
            // SAFETY: the list was taken whole (S3); each cell on it is vacant.
            list = unsafe { link.as_ref() }.next;
            // SAFETY: freed by whoever pushed it; it is one of this slab's.
            unsafe { self.free(cell_of(link)) };
        }
    }

    fn grow(&mut self, class: usize) {
        // SAFETY: the layout has a size.
        let Some(chunk) = NonNull::new(unsafe { alloc_zeroed(chunk_layout()) }) else { handle_alloc_error(chunk_layout()) };
        const { assert!(size_of::<ChunkHeader<O>>() <= HEADER_BYTES) };
        let header: NonNull<ChunkHeader<O>> = chunk.cast();
        // SAFETY: fresh memory of sufficient size and alignment.
        unsafe { header.write(ChunkHeader { remote: self.remote.clone(), class, live: Outstanding::new() }) };
        self.chunks.push(header);
        let cells = (CHUNK_BYTES - HEADER_BYTES) / CLASSES[class];
        let slot = &mut self.classes[class];
        slot.bump = chunk.as_ptr().wrapping_add(HEADER_BYTES);
        slot.bump_end = slot.bump.wrapping_add(cells * CLASSES[class]);
    }

    /// Calls `visit` with every cell that was ever handed out; vacant ones have four zero bytes first (S1).
    pub(crate) fn for_each_cell(&self, mut visit: impl FnMut(NonNull<u8>)) {
        for &chunk in &self.chunks {
            for cell in self.handed_out(chunk) {
                visit(cell);
            }
        }
    }

    fn handed_out(&self, chunk: NonNull<ChunkHeader<O>>) -> impl Iterator<Item = NonNull<u8>> + use<O> {
        // SAFETY: a chunk of this slab lives until the slab is dropped.
        let class = unsafe { chunk.as_ref() }.class;
        let slot = &self.classes[class];
        let first = chunk.cast::<u8>().as_ptr().wrapping_add(HEADER_BYTES);
        let all = (CHUNK_BYTES - HEADER_BYTES) / CLASSES[class];
        let end = first.wrapping_add(all * CLASSES[class]);
        let cut = if end == slot.bump_end { (slot.bump.addr() - first.addr()) / CLASSES[class] } else { all };
        (0..cut).filter_map(move |index| NonNull::new(first.wrapping_add(index * CLASSES[class])))
    }

    /// Cells on the free lists, per chunk.
    fn count_free(&self) -> std::collections::HashMap<NonNull<ChunkHeader<O>>, usize> {
        let mut free = std::collections::HashMap::new();
        for class in &self.classes {
            let mut list = class.free;
            while let Some(link) = NonNull::new(list) {
                *free.entry(chunk_of::<O>(cell_of(link))).or_default() += 1;
                // SAFETY: cells on a free list are vacant and linked.
                list = unsafe { link.as_ref() }.next;
            }
        }
        free
    }
}

fn class_of(bytes: usize) -> usize {
    CLASSES.iter().position(|&size| bytes <= size).expect("larger futures are boxed by their spawner")
}

impl<O> Drop for Slab<O> {
    /// Closes the slab: chunks without a live cell go now, the others with their last cell (S4).
    fn drop(&mut self) {
        self.take_list(self.remote.returns.close());
        let free = self.count_free();
        for chunk in std::mem::take(&mut self.chunks) {
            let live = self.handed_out(chunk).count() - free.get(&chunk).copied().unwrap_or(0);
            // SAFETY: the chunk is there until its last cell is freed (S4).
            if unsafe { chunk.as_ref() }.live.left(live) {
                // SAFETY: no live cell is left, and no foreign thread will free one (S4).
                unsafe { release_chunk(chunk) };
            }
        }
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_distinct_and_come_back() {
        let mut slab = Slab::new(());
        let cells: Vec<_> = (0..3_000).map(|index| slab.allocate(64 + (index % 5) * 64)).collect();
        let distinct: std::collections::HashSet<_> = cells.iter().collect();
        assert_eq!(distinct.len(), cells.len());
        assert!(cells.iter().all(|cell| cell.addr().get().is_multiple_of(CELL_ALIGN)));
        for &cell in &cells {
            // SAFETY: allocated above, never written, freed once.
            unsafe { slab.free(cell) };
        }
        let chunks = slab.chunks.len();
        let again: Vec<_> = (0..3_000).map(|index| slab.allocate(64 + (index % 5) * 64)).collect();
        assert_eq!(slab.chunks.len(), chunks, "freed cells are used again");
        for cell in again {
            // SAFETY: allocated above, never written, freed once.
            unsafe { slab.free(cell) };
        }
    }

    #[test]
    fn cells_freed_by_other_threads_come_back_and_late_ones_release_their_chunk() {
        let owner = std::sync::Arc::new(());
        let mut slab = Slab::new(owner.clone());
        let cells: Vec<usize> = (0..2_000).map(|_| slab.allocate(100).as_ptr().expose_provenance()).collect();
        let (early, late) = cells.split_at(1_000);
        let free_all = |cells: &[usize]| {
            for &cell in cells {
                let cell = NonNull::new(std::ptr::with_exposed_provenance_mut(cell)).unwrap();
                // SAFETY: allocated above, never written, freed once.
                free_remote::<std::sync::Arc<()>>(unsafe { VacantCell::new(cell) });
            }
        };
        std::thread::scope(|scope| {
            let free_all = &free_all;
            for part in early.chunks(250) {
                scope.spawn(move || free_all(part));
            }
        });
        let chunks = slab.chunks.len();
        for _ in 0..1_000 {
            let cell = slab.allocate(100);
            // SAFETY: just allocated.
            unsafe { slab.free(cell) };
        }
        assert_eq!(slab.chunks.len(), chunks);
        drop(slab);
        assert!(std::sync::Arc::strong_count(&owner) > 1, "live cells keep their chunks");
        std::thread::scope(|scope| {
            let free_all = &free_all;
            for part in late.chunks(250) {
                scope.spawn(move || free_all(part));
            }
        });
        assert_eq!(std::sync::Arc::strong_count(&owner), 1, "the last cell releases its chunk");
    }
}
