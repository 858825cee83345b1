//! Chunks go back when they stood empty for long enough, are used again before that, and never go while a block of them is out.
//!
//! Time is told to the heap, so no test waits.

use std::mem::MaybeUninit;

use proptest::prelude::*;

use super::super::{Heap, HeapBlock};
use super::*;
use crate::config::MemoryStrategy;

const CHUNK: u64 = CHUNK_BYTES as u64;
/// 15 of them fill a chunk.
const LARGE: usize = 64 << 10;
const LARGE_PER_CHUNK: usize = 15;

fn adaptive() -> Heap {
    Heap::with_strategy(MemoryStrategy::Adaptive)
}

fn burst(heap: &mut Heap, size: usize, count: usize) -> Vec<HeapBlock> {
    (0..count).map(|_| heap.allocate(size).expect("memory")).collect()
}

fn free_all(heap: &mut Heap, blocks: Vec<HeapBlock>) {
    blocks.into_iter().for_each(|block| heap.free(block));
}

/// Mapped and not given back.
fn held(heap: &Heap) -> u64 {
    heap.report().bytes_mapped - heap.report().bytes_returned
}

#[test]
fn what_a_burst_took_goes_back_after_a_rest_and_not_before() {
    let mut heap = adaptive();
    let blocks = burst(&mut heap, LARGE, 10 * LARGE_PER_CHUNK);
    assert_eq!(held(&heap), 10 * CHUNK);
    free_all(&mut heap, blocks);
    let freed = Instant::now();
    heap.look_at(freed + REST / 2);
    assert_eq!(heap.report().bytes_returned, 0, "it may be needed again");
    heap.look_at(freed + REST);
    assert_eq!(held(&heap), CHUNK, "but for the current chunk");
    // Its list was seen at the last survey; at the next one it stands empty, and a rest later it goes.
    heap.look_at(freed + REST * 2);
    assert_eq!(held(&heap), CHUNK);
    heap.look_at(freed + REST * 3);
    assert_eq!(held(&heap), 0);
    let again = burst(&mut heap, LARGE, 1);
    assert_eq!(held(&heap), CHUNK);
    free_all(&mut heap, again);
}

#[test]
fn a_pooled_heap_keeps_what_a_burst_took() {
    let mut heap = Heap::new();
    let blocks = burst(&mut heap, LARGE, 10 * LARGE_PER_CHUNK);
    free_all(&mut heap, blocks);
    heap.look_at(Instant::now() + REST * 9);
    assert_eq!((heap.trim(), held(&heap)), (0, 10 * CHUNK));
}

#[test]
fn a_class_that_is_needed_every_now_and_then_maps_nothing_anew() {
    let mut heap = adaptive();
    for round in 0..50 {
        let blocks = burst(&mut heap, LARGE, 3 * LARGE_PER_CHUNK);
        free_all(&mut heap, blocks);
        let small = burst(&mut heap, 64, 100);
        free_all(&mut heap, small);
        // Nearly a rest later the burst comes again. The clock of the stamps is the real one, so each look is that much after now.
        heap.look_at(Instant::now() + REST * 9 / 10);
        // The small class took one of the spare chunks, which the second burst misses.
        assert_eq!(heap.report().bytes_mapped, if round == 0 { 3 * CHUNK } else { 4 * CHUNK }, "round {round}");
        assert_eq!(heap.report().bytes_returned, 0, "round {round}");
    }
}

#[test]
fn a_class_whose_list_looks_the_same_at_each_survey_is_not_thrashed() {
    let mut heap = adaptive();
    let began = Instant::now();
    for round in 1..50 {
        for _ in 0..10 {
            let block = burst(&mut heap, 64, 1);
            free_all(&mut heap, block);
        }
        heap.look_at(began + REST * round);
    }
    // A spare chunk is stamped with the time of the survey, and taken back by the next pair.
    assert_eq!((heap.report().bytes_mapped, heap.report().bytes_returned), (CHUNK, 0));
}

#[test]
fn an_empty_chunk_serves_another_size() {
    let mut heap = adaptive();
    let mut pooled = Heap::new();
    for size in [LARGE, 40_000, 20_000, 5_000, 1_000, 100, 16] {
        for heap in [&mut heap, &mut pooled] {
            let blocks = burst(heap, size, (3 << 20) / size);
            free_all(heap, blocks);
        }
    }
    assert!(heap.report().bytes_mapped < 11 * CHUNK, "{:?}", heap.report());
    assert!(pooled.report().bytes_mapped > 20 * CHUNK, "{:?}", pooled.report());
}

#[test]
fn a_chunk_with_one_block_out_stays_wherever_that_block_is() {
    let (mut heap, mut other) = (adaptive(), Heap::new());
    let mut blocks = burst(&mut heap, LARGE, 4 * LARGE_PER_CHUNK);
    let (waiting, kept) = (blocks.remove(LARGE_PER_CHUNK + 3), blocks.remove(0));
    other.free(waiting);
    free_all(&mut heap, blocks);
    assert_eq!(heap.trim(), 2 * CHUNK, "one has a block out, one a block in the other heap's outgoing chain");
    other.flush();
    assert_eq!(heap.trim(), CHUNK, "it came home");
    free_all(&mut heap, vec![kept]);
    assert_eq!((heap.trim(), held(&heap)), (CHUNK, 0));
}

#[test]
fn the_fullest_chunk_with_enough_free_blocks_is_used_first() {
    let of = |free_count| State { class: 0, count: 80, place: 0, free: std::ptr::null_mut(), free_count, partial_place: 0 };
    let best = |counts: &[usize]| counts.iter().copied().min_by_key(|&count| rank(&of(count)));
    assert_eq!(best(&[70, 9, 10, 20]), Some(10), "an eighth is enough");
    assert_eq!(best(&[1, 9, 3]), Some(9), "none has enough: the one that lasts longest");
}

#[derive(Clone, Debug)]
enum Step {
    /// Bursts, so that chunks fill and empty.
    Allocate {
        heap: usize,
        size: usize,
        count: usize,
    },
    Free {
        heap: usize,
        block: usize,
        count: usize,
    },
    Drop {
        block: usize,
    },
    Trim {
        heap: usize,
    },
    Rest {
        heap: usize,
    },
    Replace {
        heap: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (heap, size) = (0..4_usize, prop::sample::select(vec![1, 16, 40_000, 40_000, LARGE, LARGE, LARGE + 1]));
    prop_oneof![
        6 => (heap.clone(), size, 1..40_usize).prop_map(|(heap, size, count)| Step::Allocate { heap, size, count }),
        6 => (heap.clone(), any::<usize>(), 1..40_usize).prop_map(|(heap, block, count)| Step::Free { heap, block, count }),
        2 => any::<usize>().prop_map(|block| Step::Drop { block }),
        1 => heap.clone().prop_map(|heap| Step::Trim { heap }),
        1 => heap.clone().prop_map(|heap| Step::Rest { heap }),
        1 => heap.prop_map(|heap| Step::Replace { heap }),
    ]
}

/// Writes both ends: what was unmapped would end the process, what was given away twice shows.
fn mark(block: &mut HeapBlock, number: u8) {
    let bytes = block.as_uninit_mut();
    let ends = bytes.len().min(16);
    bytes[..ends].fill(MaybeUninit::new(number));
    let rest = bytes.len() - ends;
    bytes[rest..].fill(MaybeUninit::new(number));
}

fn is_marked(block: &mut HeapBlock, number: u8) -> bool {
    let bytes = block.as_uninit_mut();
    let ends = bytes.len().min(16);
    let rest = bytes.len() - ends;
    // SAFETY: both ends were written by `mark`.
    bytes[..ends].iter().chain(&bytes[rest..]).all(|byte| unsafe { byte.assume_init() } == number)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_memory_goes_while_a_block_of_it_is_out(steps in prop::collection::vec(step(), 1..150)) {
        // Two adaptive heaps that give back at once, and two of other kinds that free their blocks and have theirs freed.
        let make = |heap: usize| match heap {
            0 | 1 => Heap::made_of(MemoryStrategy::Adaptive, Duration::ZERO, || unreachable!("not numa_aware")),
            2 => Heap::new(),
            _ => Heap::with_strategy(MemoryStrategy::System),
        };
        let mut heaps: Vec<Heap> = (0..4).map(make).collect();
        let mut blocks: Vec<(HeapBlock, u8)> = Vec::new();
        let mut next = 0_u8;
        for step in steps {
            match step {
                Step::Allocate { heap, size, count } => for _ in 0..count {
                    let mut block = heaps[heap].allocate(size).expect("memory");
                    next = next.wrapping_add(1);
                    mark(&mut block, next);
                    blocks.push((block, next));
                },
                Step::Free { heap, block, count } => for step in 0..count.min(blocks.len()) {
                    // Neighbours mostly, so that a chunk becomes empty, but not in order.
                    let (mut block, number) = blocks.swap_remove((block % 1_000_000 + step * step) % blocks.len());
                    prop_assert!(is_marked(&mut block, number));
                    heaps[heap].free(block);
                },
                Step::Drop { block } if !blocks.is_empty() => {
                    let (mut block, number) = blocks.swap_remove(block % blocks.len());
                    prop_assert!(is_marked(&mut block, number));
                    drop(block);
                }
                Step::Drop { .. } => {}
                Step::Trim { heap } => drop(heaps[heap].trim()),
                Step::Rest { heap } => heaps[heap].look(),
                Step::Replace { heap } => heaps[heap] = make(heap),
            }
        }
        for (mut block, number) in blocks {
            prop_assert!(is_marked(&mut block, number));
            heaps[0].free(block);
        }
        heaps.iter_mut().for_each(Heap::flush);
        for heap in &mut heaps[..2] {
            heap.trim();
            prop_assert_eq!(held(heap), 0, "all blocks came back");
        }
    }
}
