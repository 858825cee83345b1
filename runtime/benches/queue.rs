//! The ready queue of a worker: what a push, a pop and a theft cost, beside a queue that nobody steals from.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use zokio::internals::ReadyQueue;

fn push_then_pop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue/push-pop");
    for waiting in [1_usize, 64, 1_000] {
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("ready", waiting), &waiting, |bencher, &waiting| {
            let queue = ReadyQueue::new();
            (1..waiting).for_each(|entry| queue.push(entry));
            bencher.iter(|| {
                queue.push(black_box(7));
                black_box(queue.pop())
            });
        });
        group.bench_with_input(BenchmarkId::new("vec-deque", waiting), &waiting, |bencher, &waiting| {
            let mut queue: VecDeque<usize> = (1..waiting).collect();
            bencher.iter(|| {
                queue.push_back(black_box(7));
                black_box(queue.pop_front())
            });
        });
    }
    group.finish();
}

fn warm_lane(criterion: &mut Criterion) {
    criterion.bench_function("queue/warm-push-pop", |bencher| {
        let queue = ReadyQueue::new();
        bencher.iter(|| {
            queue.push_warm(black_box(7));
            black_box(queue.pop())
        });
    });
}

/// A theft of 32 of 64 entries, and the pops of all 64.
fn steal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue/steal");
    group.throughput(Throughput::Elements(64));
    group.bench_function("half-of-64", |bencher| {
        let (victim, own) = (ReadyQueue::new(), ReadyQueue::new());
        let thief = victim.thief();
        bencher.iter(|| {
            (0..64).for_each(|entry| victim.push(entry));
            assert!(thief.steal_into(&own, 32));
            let popped = |queue: &ReadyQueue| std::iter::from_fn(|| queue.pop()).count();
            assert_eq!(popped(&victim) + popped(&own), 64);
        });
    });
    group.finish();
}

criterion_group!(benches, push_then_pop, warm_lane, steal);
criterion_main!(benches);
