//! Task cells: a worker's slab beside the global allocator, freed at home and from elsewhere.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zokio::internals::{Cells, TaskCell};

/// A small task: header, and a future of some words.
const BYTES: usize = 128;
const BATCH: usize = 1_000;

fn one_at_a_time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cell/one");
    group.bench_function("slab", |bencher| {
        let mut cells = Cells::new();
        bencher.iter(|| {
            let cell = black_box(cells.allocate(BYTES));
            cells.free(cell);
        });
    });
    group.bench_function("global-allocator", |bencher| bencher.iter(|| drop(black_box(Box::new([0_u8; BYTES])))));
    group.finish();
}

fn a_thousand_live(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cell/batch-1000");
    group.throughput(Throughput::Elements(BATCH as u64));
    let freed = |criterion: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, name, is_remote| {
        criterion.bench_function(name, |bencher| {
            let (mut cells, mut live): (_, Vec<TaskCell>) = (Cells::new(), Vec::with_capacity(BATCH));
            bencher.iter(|| {
                live.extend((0..BATCH).map(|_| cells.allocate(BYTES)));
                for cell in live.drain(..) {
                    if is_remote { cell.free_remote() } else { cells.free(cell) }
                }
            });
        });
    };
    freed(&mut group, "slab", false);
    freed(&mut group, "slab-freed-remotely", true);
    group.bench_function("global-allocator", |bencher| {
        let mut live: Vec<Box<[u8; BYTES]>> = Vec::with_capacity(BATCH);
        bencher.iter(|| {
            live.extend((0..BATCH).map(|_| Box::new([0_u8; BYTES])));
            black_box(&live);
            live.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, one_at_a_time, a_thousand_live);
criterion_main!(benches);
