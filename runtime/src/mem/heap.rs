//! Blocks of memory of any size, by size class: allocated and freed by their owner without an atomic, freed by others in batches.
//!
//! ```text
//!  Heap (one thread's)                      Chunk: 1 MiB, aligned to 1 MiB, all blocks of one class
//!  ┌ class 16 B: free list, bump ┐          ┌────────┬───────┬───────┬───────┬───
//!  │ class 32 B: …               │ ───────▶ │ header │ block │ block │ block │ …
//!  └ 64 KiB and less             ┘          └────────┴───────┴───────┴───────┴───
//!        ▲ when a class is empty
//!        └── Home: blocks that other threads freed, in chains of up to 64 ──◀── outgoing of their heaps
//! ```
//! The heap of a block is found by masking its address. A chunk costs memory only where it was touched; larger blocks are the system's. How
//! long a chunk serves its class, where it lies, and whether there are classes at all is the [`MemoryStrategy`]'s. It is asked where a class
//! has no block, and where a block is not of a chunk whose frees go straight to their class, so that `pooled` does not pay for the others.
//!
//! Invariants
//!  H1. A block is cut from a chunk once; it is with its owner, on a free list, in an outgoing chain, or at its home.
//!  H2. `Shared` and its chunks live until the heap is dropped and every block has come back ([`Home`] says who is the last), but for chunks
//!      of which no block is out.
//!  H3. The free lists, the bump, the list of chunks and their states are the heap's alone, until it is dropped; then the last one's.
#![expect(unsafe_code, reason = "memory is handed out by address; invariants H1 to H3")]

use std::fmt;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::adaptive::{Adaptive, REST};
use super::block::{HeapBlock, Origin};
use super::chunk::{self, CHUNK_BYTES, ChunkHeader, Class, Shared};
use super::class::{self, CLASSES};
use super::home::{Home, Node};
use super::numa::Numa;
use super::region::Region;
use super::report::{HeapReport, Placement};
use crate::config::MemoryStrategy;

/// Blocks on their way to one home before they are given: an exchange of 20 to 50 ns is shared by so many.
const OUTGOING_MAX: usize = 64;

/// Foreign blocks on their way home, all of one home; the newest first.
#[derive(Debug)]
struct Outgoing {
    shared: *const Shared,
    first: *mut Node,
    last: *mut Node,
    count: usize,
}

/// A thread's source of memory.
///
/// Every thread has a heap of its own and frees what it has with it, whichever heap it came from: own blocks go on a list, others are sent home
/// in batches. At most 64 blocks of others wait here, until more come, [`Heap::flush`] is called, this heap has to look for memory,
/// or it is dropped. Inside a runtime, [`with_heap`](crate::with_heap) is the worker's.
///
/// ```
/// use zokio::mem::Heap;
///
/// let mut heap = Heap::new();
/// let mut block = heap.allocate(100).expect("memory");
/// block.as_uninit_mut().fill(std::mem::MaybeUninit::new(7));
/// // Another thread frees it with its own heap; a block that is dropped goes home by itself.
/// std::thread::spawn(move || Heap::new().free(block)).join().expect("no panic");
/// ```
pub struct Heap {
    shared: NonNull<Shared>,
    classes: Box<[Class; CLASSES]>,
    /// Blocks of this home go on the list of their class without another look: the heap's own, or null with `adaptive`.
    direct: *const Shared,
    outgoing: Outgoing,
    strategy: MemoryStrategy,
    adaptive: Option<Box<Adaptive>>,
    numa: Option<Box<Numa>>,
    blocks_from_system: u64,
    bytes_mapped: u64,
    bytes_returned: u64,
}

// SAFETY: what the pointers lead to is this heap's alone (H3), or given away by `Home`, which is made for threads.
unsafe impl Send for Heap {}

impl Heap {
    /// A pooled heap without memory yet.
    pub fn new() -> Self {
        Self::with_strategy(MemoryStrategy::Pooled)
    }

    /// A heap without memory yet.
    pub fn with_strategy(strategy: MemoryStrategy) -> Self {
        Self::made_of(strategy, REST, Numa::here)
    }

    pub(super) fn made_of(strategy: MemoryStrategy, rest: Duration, numa: impl FnOnce() -> Numa) -> Self {
        let shared = NonNull::from(Box::leak(Box::new(Shared { home: Home::new(), chunks: Vec::new().into() })));
        let is_adaptive = strategy == MemoryStrategy::Adaptive;
        Self {
            shared,
            classes: Box::new([Class::NOTHING; CLASSES]),
            direct: if is_adaptive { std::ptr::null() } else { shared.as_ptr() },
            outgoing: Outgoing::none(),
            strategy,
            adaptive: is_adaptive.then(|| Box::new(Adaptive::new(rest))),
            numa: (strategy == MemoryStrategy::NumaAware).then(|| Box::new(numa())),
            blocks_from_system: 0,
            bytes_mapped: 0,
            bytes_returned: 0,
        }
    }

    /// A block of `bytes`; `None` where the system has no memory.
    #[inline]
    pub fn allocate(&mut self, bytes: usize) -> Option<HeapBlock> {
        if bytes > class::BYTES_MAX {
            return self.allocate_from_system(bytes);
        }
        let class = class::of(bytes);
        match self.classes[class].pop() {
            Some(pointer) => Some(HeapBlock::pooled(pointer, bytes)),
            None => self.refill(class, bytes),
        }
    }

    /// Frees a block, of this heap or another.
    #[inline]
    pub fn free(&mut self, block: HeapBlock) {
        let (pointer, bytes) = match block.into_pooled() {
            Ok(pooled) => pooled,
            Err(of_the_system) => return drop(of_the_system),
        };
        let chunk = ChunkHeader::of(pointer);
        // SAFETY: the block is out, so its chunk is there (H2).
        let shared = unsafe { chunk.as_ref() }.shared;
        let node: NonNull<Node> = pointer.cast();
        if std::ptr::eq(shared.as_ptr(), self.direct) {
            // SAFETY: the block is ours now (H1).
            unsafe { self.classes[class::of(bytes)].push(node) };
        } else {
            self.free_apart(chunk, node, bytes);
        }
    }

    /// Frees a block of another heap, or of this one with `adaptive`. A call of its own: so `free` is small enough to be part of its caller,
    /// which is worth a tenth of a batch of small blocks.
    #[inline(never)]
    fn free_apart(&mut self, chunk: NonNull<ChunkHeader>, node: NonNull<Node>, bytes: usize) {
        // SAFETY: the block was out, and is on no list yet, so its chunk is there (H2).
        let shared = unsafe { chunk.as_ref() }.shared;
        if shared == self.shared {
            self.take_one_back(chunk, node, class::of(bytes));
            self.count_down();
        } else {
            self.send(shared, node);
        }
    }

    /// Sends home what waits here of other heaps' blocks.
    pub fn flush(&mut self) {
        let Outgoing { shared, first, last, count } = std::mem::replace(&mut self.outgoing, Outgoing::none());
        if let (Some(shared), Some(first), Some(last)) = (NonNull::new(shared.cast_mut()), NonNull::new(first), NonNull::new(last)) {
            // SAFETY: the chain is this heap's, and given away here (H1).
            unsafe { chunk::send_home(shared, first, last, count) };
        }
    }

    /// With `adaptive`: gives all chunks that stand empty back to the system, at once. Bytes that went.
    ///
    /// Other strategies keep their chunks, and give back nothing.
    pub fn trim(&mut self) -> u64 {
        self.flush();
        self.take_home();
        // SAFETY: this heap's list, for the next call alone (H3).
        let chunks = unsafe { chunks(self.shared) };
        let bytes = self.adaptive.as_mut().map_or(0, |adaptive| adaptive.trim(&mut self.classes, chunks));
        self.bytes_returned += bytes;
        bytes
    }

    /// What it has done so far.
    pub fn report(&self) -> HeapReport {
        let not_asked = || Placement::FirstTouch(format!("the strategy is {}", self.strategy));
        HeapReport {
            strategy: self.strategy,
            blocks_from_system: self.blocks_from_system,
            bytes_mapped: self.bytes_mapped,
            bytes_returned: self.bytes_returned,
            numa_nodes: self.numa.as_ref().and_then(|numa| numa.nodes()),
            placement: self.numa.as_ref().map_or_else(not_asked, |numa| numa.placement()),
        }
    }

    /// With `adaptive`: gives back what has stood empty for long enough, if it is time to look.
    #[cold]
    pub(crate) fn look(&mut self) {
        if self.adaptive.is_some() {
            self.look_at(Instant::now());
        }
    }

    pub(super) fn look_at(&mut self, now: Instant) {
        if self.adaptive.as_ref().is_some_and(|adaptive| adaptive.is_due(now)) {
            self.take_home();
            // SAFETY: this heap's list, for the next call alone (H3).
            let chunks = unsafe { chunks(self.shared) };
            let bytes = self.adaptive.as_mut().map_or(0, |adaptive| adaptive.look(now, &mut self.classes, chunks));
            self.bytes_returned += bytes;
        }
    }

    fn send(&mut self, shared: NonNull<Shared>, node: NonNull<Node>) {
        if !std::ptr::eq(self.outgoing.shared, shared.as_ptr()) {
            self.flush();
            self.outgoing = Outgoing { shared: shared.as_ptr(), first: std::ptr::null_mut(), last: node.as_ptr(), count: 0 };
        }
        // SAFETY: the block is ours, large enough and aligned for a node (H1).
        unsafe { node.write(Node { next: self.outgoing.first }) };
        self.outgoing.first = node.as_ptr();
        self.outgoing.count += 1;
        if self.outgoing.count == OUTGOING_MAX {
            self.flush();
        }
    }

    #[cold]
    fn allocate_from_system(&mut self, bytes: usize) -> Option<HeapBlock> {
        let origin = if self.strategy == MemoryStrategy::System { Origin::System } else { Origin::Pooled };
        let block = HeapBlock::from_system(bytes, origin)?;
        self.blocks_from_system += 1;
        Some(block)
    }

    /// A block for a class whose list is empty: one that came home, else a new one.
    #[cold]
    fn refill(&mut self, class: usize, bytes: usize) -> Option<HeapBlock> {
        if self.strategy == MemoryStrategy::System {
            return self.allocate_from_system(bytes);
        }
        self.flush();
        self.take_home();
        self.count_down();
        let mut pointer = self.classes[class].pop().or_else(|| self.classes[class].cut(class));
        if pointer.is_none() {
            self.classes[class] = match self.adaptive.as_mut().and_then(|adaptive| adaptive.take(class)) {
                Some(current) => current,
                None => self.grow(class)?,
            };
            pointer = self.classes[class].pop().or_else(|| self.classes[class].cut(class));
        }
        Some(HeapBlock::pooled(pointer?, bytes))
    }

    /// With `adaptive`: looks every so often.
    #[inline]
    fn count_down(&mut self) {
        if self.adaptive.as_mut().is_some_and(|adaptive| adaptive.counts_down()) {
            self.look();
        }
    }

    /// Takes back what others freed.
    fn take_home(&mut self) {
        // SAFETY: `shared` lives as long as the heap (H2).
        let back = unsafe { self.shared.as_ref() }.home.take_all();
        self.take_back(back);
    }

    fn take_back(&mut self, mut list: *mut Node) {
        while let Some(node) = NonNull::new(list) {
            // SAFETY: the list was taken whole and is ours (H1).
            list = unsafe { node.as_ref() }.next;
            let chunk = ChunkHeader::of(node.cast());
            // SAFETY: a chunk of this heap with a block that was out, so it is there (H2), and no other reference to its state (H3).
            let class = unsafe { ChunkHeader::state(chunk) }.class;
            self.take_one_back(chunk, node, class);
        }
    }

    /// Takes back a free block of this heap.
    #[inline]
    fn take_one_back(&mut self, chunk: NonNull<ChunkHeader>, node: NonNull<Node>, class: usize) {
        let slot = &mut self.classes[class];
        match &mut self.adaptive {
            // SAFETY: the block is ours, free, and of this chunk (H1).
            Some(adaptive) if !slot.is_current(chunk) => unsafe { adaptive.put(chunk, node) },
            // SAFETY: the block is ours, free, and of this class (H1).
            _ => unsafe { slot.push(node) },
        }
    }

    /// A new chunk, as the current one of its class.
    fn grow(&mut self, class: usize) -> Option<Class> {
        let region = Region::map_aligned(CHUNK_BYTES, CHUNK_BYTES).ok()?;
        // Before the header is written, which is the first touch.
        if let Some(numa) = &mut self.numa {
            numa.place(&region);
        }
        self.bytes_mapped += CHUNK_BYTES as u64;
        // SAFETY: this heap's list, for the next lines alone (H3).
        let chunks = unsafe { chunks(self.shared) };
        let chunk = ChunkHeader::write(&region, self.shared, class, chunks.len());
        chunks.push(region);
        // SAFETY: a new chunk of this heap.
        Some(unsafe { ChunkHeader::begin(chunk, class) })
    }

    /// Blocks that were handed out and have not come back, those on their way included.
    fn live(&self) -> usize {
        // SAFETY: chunks of this heap, one at a time (H3).
        let cut = |region: &Region| unsafe { ChunkHeader::cut_count(region.at(0).cast(), self.classes.as_slice()) };
        let free: usize = self.classes.iter().map(Class::free_count).sum();
        // SAFETY: this heap's list, for this line alone (H3).
        unsafe { chunks(self.shared) }.iter().map(cut).sum::<usize>() - free
    }
}

/// The list of chunks of a heap.
///
/// # Safety
/// The caller is the heap, or all that is left of it (H3), and has no other reference to the list.
unsafe fn chunks<'a>(shared: NonNull<Shared>) -> &'a mut Vec<Region> {
    // SAFETY: `shared` lives as long as the heap (H2).
    let chunks = unsafe { shared.as_ref() }.chunks.get();
    // SAFETY: the caller's promise.
    unsafe { &mut *chunks }
}

impl Outgoing {
    fn none() -> Self {
        Self { shared: std::ptr::null(), first: std::ptr::null_mut(), last: std::ptr::null_mut(), count: 0 }
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Heap {
    /// Memory goes now where no block is out, otherwise with the last one (H2).
    fn drop(&mut self) {
        self.flush();
        // SAFETY: `shared` is there until `leave` has said who releases it (H2).
        let back = unsafe { self.shared.as_ref() }.home.close();
        self.take_back(back);
        if let Some(adaptive) = &mut self.adaptive {
            // SAFETY: this heap's list, for this line alone (H3).
            adaptive.trim(&mut self.classes, unsafe { chunks(self.shared) });
        }
        let live = self.live();
        // SAFETY: as above.
        if unsafe { self.shared.as_ref() }.home.leave(live) {
            // SAFETY: no block is out (H2).
            unsafe { chunk::release(self.shared) };
        }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Heap").field("report", &self.report()).field("outgoing", &self.outgoing.count).finish_non_exhaustive()
    }
}
