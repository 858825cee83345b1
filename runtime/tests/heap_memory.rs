//! The memory of heaps, as the kernel counts it: alone in its process, as other tests take memory too.
#![cfg(target_os = "linux")]

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use zokio::MemoryStrategy;
use zokio::mem::Heap;

/// Resident bytes of this process.
fn resident_bytes() -> usize {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Takes 64 MiB in small blocks, writes to all, and frees them.
fn burst(heap: &mut Heap) {
    let blocks: Vec<_> = (0..64 << 10).map(|_| heap.allocate(1 << 10).unwrap()).collect();
    for mut block in blocks {
        block.as_uninit_mut().fill(MaybeUninit::new(1));
        heap.free(block);
    }
}

fn pair(heap: &mut Heap) {
    let block = heap.allocate(64).unwrap();
    heap.free(block);
}

#[test]
fn memory_of_a_burst_goes_back_with_adaptive_while_the_thread_works_on() {
    const TOUCHED: usize = 60 << 20;
    let before = resident_bytes();
    {
        let mut pooled = Heap::with_strategy(MemoryStrategy::Pooled);
        burst(&mut pooled);
        pooled.trim();
        assert!(resident_bytes() >= before + TOUCHED, "pooled keeps what it has");
    }
    assert!(resident_bytes() < before + TOUCHED / 4, "until it ends");

    let mut adaptive = Heap::with_strategy(MemoryStrategy::Adaptive);
    burst(&mut adaptive);
    assert!(resident_bytes() >= before + TOUCHED, "it may be needed again");
    // Small pairs alone, no call to trim: after a second it goes.
    let began = Instant::now();
    while resident_bytes() >= before + TOUCHED / 4 {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", adaptive.report());
        (0..1_000).for_each(|_| pair(&mut adaptive));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(began.elapsed() >= Duration::from_millis(500), "not at once: a burst may come again");
    burst(&mut adaptive);
    assert!(resident_bytes() >= before + TOUCHED);
    adaptive.trim();
    assert!(resident_bytes() < before + TOUCHED / 4, "trim does not wait");

    // Every chunk has a block out when the heap goes: the last one takes all of it along.
    let mut blocks: Vec<_> = (0..64 << 10).map(|_| adaptive.allocate(1 << 10).unwrap()).collect();
    for block in &mut blocks {
        block.as_uninit_mut().fill(MaybeUninit::new(1));
    }
    let (kept, freed): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(number, _)| number % 500 == 0);
    freed.into_iter().for_each(|(_, block)| adaptive.free(block));
    drop(adaptive);
    assert!(resident_bytes() >= before + TOUCHED, "blocks outlive their heap");
    drop(kept);
    assert!(resident_bytes() < before + TOUCHED / 4, "the last block releases it");
}
