//! The memory of a buffer pool, as the kernel counts it: alone in its process, as other tests take memory too.
#![cfg(target_os = "linux")]

use zokio::mem::BufferPool;

/// Resident bytes of this process.
fn resident_bytes() -> usize {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn memory_is_taken_when_touched_and_given_back_at_the_end() {
    const COUNT: usize = 64;
    const BYTES: usize = 1 << 20;
    let before = resident_bytes();
    let pool = BufferPool::new(COUNT, BYTES).unwrap();
    assert!(resident_bytes() < before + (8 << 20), "nothing was touched yet");
    let mut out: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
    for buffer in &mut out {
        buffer.resize_stale(BYTES);
        buffer.fill(1);
    }
    assert!(resident_bytes() >= before + (60 << 20));
    drop(pool);
    let last = out.pop().unwrap();
    drop(out);
    assert!(last.iter().all(|&byte| byte == 1), "a buffer outlives its pool");
    drop(last);
    assert!(resident_bytes() < before + (16 << 20), "given back");
}
