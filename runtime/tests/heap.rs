//! The heap, with every strategy: blocks are apart, come home from other threads, and outlive it.

use std::mem::MaybeUninit;
use std::sync::mpsc;

use zokio::MemoryStrategy;
use zokio::mem::{BLOCK_ALIGN, Heap, HeapBlock, Origin};

/// Few enough for an interpreter.
const MANY: usize = if cfg!(miri) { 100 } else { 3_000 };

fn write(block: &mut HeapBlock, byte: u8) {
    block.as_uninit_mut().fill(MaybeUninit::new(byte));
}

fn holds(block: &mut HeapBlock, byte: u8) -> bool {
    // SAFETY: every block here was filled by `write`.
    block.as_uninit_mut().iter().all(|found| unsafe { found.assume_init() } == byte)
}

/// A heap of each strategy, one after the other.
fn heaps() -> impl Iterator<Item = Heap> {
    MemoryStrategy::ALL.into_iter().map(Heap::with_strategy)
}

#[test]
fn blocks_of_all_sizes_are_aligned_and_apart() {
    heaps().for_each(check_blocks_of_all_sizes);
}

fn check_blocks_of_all_sizes(mut heap: Heap) {
    let sizes = [0, 1, 16, 17, 100, 1_000, 1_024, 1_025, 5_000, 64 << 10, (64 << 10) + 1, 300_000];
    let mut blocks: Vec<HeapBlock> = (0..MANY / 10).flat_map(|_| sizes).map(|size| heap.allocate(size).expect("memory")).collect();
    for (number, block) in blocks.iter_mut().enumerate() {
        assert_eq!(block.bytes(), sizes[number % sizes.len()]);
        assert!(block.as_ptr().addr().get().is_multiple_of(BLOCK_ALIGN));
        write(block, number as u8);
    }
    for (number, mut block) in blocks.into_iter().enumerate() {
        assert!(holds(&mut block, number as u8), "block {number} was written by another");
        heap.free(block);
    }
}

#[test]
fn a_freed_block_is_the_next_of_its_class() {
    heaps().filter(|heap| heap.report().strategy != MemoryStrategy::System).for_each(check_the_next_of_a_class);
}

fn check_the_next_of_a_class(mut heap: Heap) {
    let (first, second) = (heap.allocate(64).expect("memory"), heap.allocate(64).expect("memory"));
    let address = first.as_ptr();
    heap.free(first);
    assert_eq!(heap.allocate(50).expect("memory").as_ptr(), address, "50 bytes are of the class of 64");
    heap.free(second);
}

#[test]
fn blocks_that_others_free_come_home() {
    heaps().filter(|heap| heap.report().strategy != MemoryStrategy::System).for_each(check_who_comes_home);
}

fn check_who_comes_home(mut heap: Heap) {
    let mut addresses = std::collections::HashSet::new();
    let (sender, receiver) = mpsc::channel::<Vec<HeapBlock>>();
    let (back, returned) = mpsc::channel();
    let other = std::thread::spawn(move || {
        let mut own = Heap::new();
        for blocks in receiver {
            for mut block in blocks {
                assert!(holds(&mut block, 5));
                own.free(block);
            }
            own.flush();
            back.send(()).expect("it waits");
        }
    });
    for _ in 0..5 {
        let blocks: Vec<HeapBlock> = (0..MANY)
            .map(|_| {
                let mut block = heap.allocate(64).expect("memory");
                write(&mut block, 5);
                addresses.insert(block.as_ptr());
                block
            })
            .collect();
        sender.send(blocks).expect("it lives");
        returned.recv().expect("it lives");
    }
    drop(sender);
    other.join().expect("no panic");
    assert_eq!(addresses.len(), MANY, "the second round takes what the first one gave back");
}

#[test]
fn blocks_outlive_their_heap_on_any_thread() {
    heaps().for_each(check_who_outlives_the_heap);
}

fn check_who_outlives_the_heap(mut heap: Heap) {
    let mut blocks: Vec<HeapBlock> = (0..MANY).map(|number| heap.allocate(16 + number % 2_000).expect("memory")).collect();
    blocks.iter_mut().for_each(|block| write(block, 9));
    let late = blocks.split_off(MANY / 2);
    drop(heap);
    assert!(blocks.iter_mut().all(|block| holds(block, 9)));
    // Half are dropped, half freed with another heap, which ends before it has sent all of them.
    let threads = [
        std::thread::spawn(move || drop(blocks)),
        std::thread::spawn(move || {
            let mut other = Heap::new();
            late.into_iter().for_each(|block| other.free(block));
        }),
    ];
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_block_can_be_taken_apart_and_put_together() {
    for mut heap in heaps() {
        for size in [0, 77, 100_000] {
            let block = heap.allocate(size).expect("memory");
            let (address, origin) = (block.as_ptr(), block.origin());
            assert_eq!(origin == Origin::System, heap.report().strategy == MemoryStrategy::System);
            let (pointer, bytes, origin) = block.into_raw();
            // SAFETY: all from the line above, once.
            let block = unsafe { HeapBlock::from_raw(pointer, bytes, origin) };
            assert_eq!((block.as_ptr(), block.bytes()), (address, size));
            heap.free(block);
        }
    }
}

#[test]
fn a_strategy_shows_in_what_a_heap_reports() {
    for mut heap in heaps() {
        let blocks = [16, 16, 5_000, 65_537].map(|size| heap.allocate(size).expect("memory"));
        let report = heap.report();
        let (from_system, chunks) = if report.strategy == MemoryStrategy::System { (4, 0) } else { (1, 2) };
        assert_eq!((report.blocks_from_system, report.bytes_mapped), (from_system, chunks << 20), "{report:?}");
        assert_eq!(report.numa_nodes.is_some(), report.strategy == MemoryStrategy::NumaAware && cfg!(target_os = "linux"));
        blocks.into_iter().for_each(|block| heap.free(block));
        assert_eq!(heap.trim(), if report.strategy == MemoryStrategy::Adaptive { 2 << 20 } else { 0 });
    }
}

#[test]
fn a_runtime_gives_its_workers_heaps_of_its_strategy() {
    for strategy in MemoryStrategy::ALL {
        let runtime = zokio::Builder::new().worker_threads(2).memory_strategy(strategy).build().expect("a runtime");
        let (sender, receiver) = mpsc::channel();
        let block = runtime.block_on(runtime.spawn_on(0, async move {
            assert_eq!(zokio::with_heap(|heap| heap.report().strategy), strategy);
            let mut block = zokio::with_heap(|heap| heap.allocate(1_000)).expect("memory");
            write(&mut block, 3);
            block
        }));
        let freed = runtime.spawn_on(1, async move {
            let mut block = block.expect("no panic");
            assert!(holds(&mut block, 3));
            zokio::with_heap(|heap| {
                heap.free(block);
                heap.flush();
            });
            sender.send(()).expect("it waits");
        });
        runtime.block_on(freed).expect("no panic");
        receiver.recv().expect("it was sent");
    }
}

#[test]
fn a_heap_of_a_worker_is_not_to_be_had_elsewhere() {
    assert!(std::panic::catch_unwind(|| zokio::with_heap(|_| ())).is_err());
}
