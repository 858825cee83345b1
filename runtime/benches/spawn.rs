//! Spawn and join: in batches, one by one, and from a thread outside the runtime.

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::{rounds, runtime};

const BATCH: u64 = 1_000;

async fn batch() {
    let handles: Vec<_> = (0..BATCH).map(|number| zokio::spawn(async move { number })).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("the task does not panic");
    }
    assert_eq!(sum, BATCH * (BATCH - 1) / 2);
}

async fn in_one_call() {
    let mut sum = 0;
    for handle in zokio::spawn_batch((0..BATCH).map(|number| async move { number })) {
        sum += handle.await.expect("the task does not panic");
    }
    assert_eq!(sum, BATCH * (BATCH - 1) / 2);
}

fn inside(criterion: &mut Criterion) {
    for workers in [1, 2] {
        let runtime = runtime(workers);
        let mut group = criterion.benchmark_group("spawn/batch-1000");
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(BenchmarkId::new("spawn", workers), |bencher| bencher.iter_custom(|count| rounds(&runtime, count, batch)));
        group.bench_function(BenchmarkId::new("spawn_batch", workers), |bencher| {
            bencher.iter_custom(|count| rounds(&runtime, count, in_one_call))
        });
        group.finish();
        criterion.bench_function(&format!("spawn/await-one/{workers}"), |bencher| {
            bencher.iter_custom(|count| {
                rounds(&runtime, count, || async { black_box(zokio::spawn(async { 7 }).await).map(drop).expect("no panic") })
            });
        });
    }
}

fn outside(criterion: &mut Criterion) {
    let runtime = runtime(2);
    let mut group = criterion.benchmark_group("spawn/outside-1000");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("2", |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..count {
                    batch().await;
                }
                began.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, inside, outside);
criterion_main!(benches);
