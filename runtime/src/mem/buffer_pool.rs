//! Page-aligned buffers of one size from one region.
//!
//! Invariants
//!  B1. Piece `n` of the region is given to the `n`-th object that the pool makes, and to no other; the pool makes at most as many as there
//!      are pieces. So a buffer is the only one that touches its piece.
//!  B2. The region belongs to the function that makes objects, which the pool drops after the last object.
//!  B3. The first `initialized` bytes of a buffer were written or are the zeroes of a fresh page; all of a piece always is.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::region::{Region, page_bytes};
use crate::buf::{IoBuf, IoBufMut};
use crate::pool::{ObjectPool, Pooled};

/// A number of page-aligned buffers of one size, in one region of memory.
///
/// Acquiring and returning work as in an [`ObjectPool`]: on the thread's own magazine, from any thread, waiting in line. A page takes up memory
/// once it was touched; on a machine with several NUMA nodes it then lies on the node of the thread that did so first, and as threads use
/// the buffers of their own magazine first, that is where it is used. The region is given back to the system when the last handle and
/// the last buffer are gone.
///
/// ```
/// use zokio::mem::BufferPool;
/// use zokio::net::{TcpListener, TcpStream};
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// let pool = BufferPool::new(8, 4096)?;
/// runtime.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let sender = TcpStream::connect(listener.local_addr()?).await?;
///     let (receiver, _) = listener.accept().await?;
///     sender.write_all("ping").await.0?;
///     let (read, buffer) = receiver.read(pool.acquire().await).await;
///     assert_eq!((read?, &*buffer), (4, &b"ping"[..]));
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct BufferPool {
    pieces: ObjectPool<Piece>,
    bytes: usize,
}

/// A part of the region.
struct Piece(NonNull<u8>);

// SAFETY: the piece is its owner's alone (B1).
unsafe impl Send for Piece {}
// SAFETY: a shared piece gives no access to its bytes.
unsafe impl Sync for Piece {}

impl BufferPool {
    /// `count` buffers of `bytes` each; a buffer begins at a page, so sizes that are not a multiple of the page leave a gap.
    ///
    /// # Errors
    /// `InvalidInput` for a count or size of zero, or when the whole exceeds the address space; otherwise what the system says when it
    /// refuses the memory.
    pub fn new(count: usize, bytes: usize) -> io::Result<Self> {
        let page = page_bytes();
        let stride = bytes.checked_next_multiple_of(page).filter(|_| bytes > 0);
        let total = stride.and_then(|stride| stride.checked_mul(count)).filter(|&total| total > 0 && isize::try_from(total).is_ok());
        let (Some(stride), Some(total)) = (stride, total) else {
            let message = format!("{count} buffers of {bytes} bytes cannot be made");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let region = Region::map(total)?;
        let next = AtomicUsize::new(0);
        // Relaxed: the numbers need only be different. `count` of them are in bounds, and no piece is ever dropped before the pool (B1).
        let pieces = ObjectPool::new(count, move || Piece(region.at(next.fetch_add(1, Ordering::Relaxed) * stride)));
        Ok(Self { pieces, bytes })
    }

    /// An empty buffer, if one is free and nobody waits for it.
    #[inline]
    pub fn try_acquire(&self) -> Option<PooledBuf> {
        self.pieces.try_acquire().map(|piece| self.buffer(piece))
    }

    /// Waits for an empty buffer; who waits longer is served first.
    pub async fn acquire(&self) -> PooledBuf {
        self.buffer(self.pieces.acquire().await)
    }

    /// Buffers that could be taken now: a snapshot.
    pub fn available(&self) -> usize {
        self.pieces.available()
    }

    /// Buffers in all.
    pub fn count(&self) -> usize {
        self.pieces.max()
    }

    /// Bytes of each buffer.
    pub fn buffer_bytes(&self) -> usize {
        self.bytes
    }

    fn buffer(&self, piece: Pooled<Piece>) -> PooledBuf {
        PooledBuf { piece, capacity: self.bytes, initialized: 0 }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BufferPool").field("bytes", &self.bytes).field("available", &self.available()).finish()
    }
}

/// A buffer of a [`BufferPool`], to which it goes back when dropped, from any thread.
///
/// It reads and grows as a `Vec<u8>` of fixed capacity: a read fills it from the start and sets its length. What an earlier owner wrote behind
/// that length is not erased; it cannot be seen before it is overwritten, except by [`Self::resize_stale`].
pub struct PooledBuf {
    piece: Pooled<Piece>,
    capacity: usize,
    initialized: usize,
}

impl PooledBuf {
    /// Bytes it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets everything from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.initialized = self.initialized.min(len);
    }

    /// Sets the length without writing: what is added are the bytes that some earlier owner left, or zeroes.
    ///
    /// # Panics
    /// When `len` is above the capacity.
    pub fn resize_stale(&mut self, len: usize) {
        assert!(len <= self.capacity, "a buffer of {} bytes cannot have a length of {len}", self.capacity);
        self.initialized = len; // initialized memory in any case (B3)
    }

    /// Appends as many bytes as there is room for, and says how many that were.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.capacity - self.initialized);
        let begin = self.initialized;
        self.initialized += count;
        self[begin..].copy_from_slice(&bytes[..count]);
        count
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: initialized (B3), and nobody else's (B1).
        unsafe { std::slice::from_raw_parts(self.piece.0.as_ptr(), self.initialized) }
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.piece.0.as_ptr(), self.initialized) }
    }
}

// SAFETY: the piece lies in the region, wherever the guard is moved; B1 and B3.
unsafe impl IoBuf for PooledBuf {
    fn stable_ptr(&self) -> *const u8 {
        self.piece.0.as_ptr()
    }
    fn bytes_init(&self) -> usize {
        self.initialized
    }
}

// SAFETY: as above; the capacity is this piece's.
unsafe impl IoBufMut for PooledBuf {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.piece.0.as_ptr()
    }
    fn bytes_total(&self) -> usize {
        self.capacity
    }
    unsafe fn set_init(&mut self, count: usize) {
        debug_assert!(count <= self.capacity);
        self.initialized = count;
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PooledBuf").field("len", &self.len()).field("capacity", &self.capacity).finish()
    }
}
