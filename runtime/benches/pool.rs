//! Pools: objects, buffers and heap blocks, each beside what it saves.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use zokio::mem::{BufferPool, Heap};
use zokio::pool::ObjectPool;

fn objects(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool/object");
    group.bench_function("acquire-release", |bencher| {
        let pool = ObjectPool::new(64, || [0_u8; 256]);
        bencher.iter(|| drop(black_box(pool.try_acquire().expect("an object"))));
    });
    group.bench_function("eight-held", |bencher| {
        let pool = ObjectPool::new(64, || [0_u8; 256]);
        let _held: Vec<_> = (0..8).map(|_| pool.try_acquire().expect("an object")).collect();
        bencher.iter(|| drop(black_box(pool.try_acquire().expect("an object"))));
    });
    group.bench_function("made-anew", |bencher| bencher.iter(|| drop(black_box(Box::new([0_u8; 256])))));
    group.finish();
}

fn buffers(criterion: &mut Criterion) {
    criterion.bench_function("pool/buffer", |bencher| {
        let pool = BufferPool::new(64, 4096).expect("memory");
        bencher.iter(|| drop(black_box(pool.try_acquire().expect("a buffer"))));
    });
}

fn heap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool/heap");
    for bytes in [64_usize, 4096] {
        group.bench_with_input(BenchmarkId::new("heap", bytes), &bytes, |bencher, &bytes| {
            let mut heap = Heap::new();
            bencher.iter(|| {
                let block = black_box(heap.allocate(bytes).expect("memory"));
                heap.free(block);
            });
        });
        group.bench_with_input(BenchmarkId::new("global-allocator", bytes), &bytes, |bencher, &bytes| {
            bencher.iter(|| drop(black_box(Vec::<u8>::with_capacity(bytes))));
        });
    }
    group.finish();
}

criterion_group!(benches, objects, buffers, heap);
criterion_main!(benches);
