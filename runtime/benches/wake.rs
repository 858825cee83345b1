//! Wakes: to the tail of the own queue, to another task, and to a worker that sleeps.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::{rounds, runtime};
use zokio::sync::{mpsc, oneshot};
use zokio::task::yield_now;

const YIELDS: usize = 100;

/// So many tasks that yield a hundred times each.
fn yields(criterion: &mut Criterion) {
    let runtime = runtime(1);
    let mut group = criterion.benchmark_group("wake/yield");
    for tasks in [1_usize, 64, 1_000] {
        group.throughput(Throughput::Elements((tasks * YIELDS) as u64));
        group.bench_function(BenchmarkId::from_parameter(tasks), |bencher| {
            bencher.iter_custom(|count| {
                rounds(&runtime, count, move || async move {
                    let yielding = || {
                        zokio::spawn(async {
                            for _ in 0..YIELDS {
                                yield_now().await
                            }
                        })
                    };
                    for handle in (0..tasks).map(|_| yielding()).collect::<Vec<_>>() {
                        handle.await.expect("no panic");
                    }
                })
            });
        });
    }
    group.finish();
}

/// A value to another task and its answer back.
fn ping_pong(criterion: &mut Criterion) {
    let runtime = runtime(1);
    criterion.bench_function("wake/ping-pong-oneshot", |bencher| {
        bencher.iter_custom(|count| {
            rounds(&runtime, count, || async {
                let ((ask, asked), (answer, answered)) = (oneshot::channel(), oneshot::channel());
                drop(zokio::spawn(async move { answer.send(asked.await.unwrap_or(0) + 1) }));
                ask.send(6).expect("the other task waits");
                assert_eq!(black_box(answered.await), Ok(7));
            })
        });
    });
    criterion.bench_function("wake/ping-pong-channel", |bencher| {
        bencher.iter_custom(|count| {
            let task = runtime.spawn(async move {
                let ((ask, mut asked), (answer, mut answered)) = (mpsc::channel(1), mpsc::channel(1));
                let echo = zokio::spawn(async move {
                    while let Some(value) = asked.recv().await {
                        answer.send(value + 1).await.expect("the asker waits");
                    }
                });
                let began = std::time::Instant::now();
                for number in 0..count {
                    ask.send(number).await.expect("the other task waits");
                    assert_eq!(answered.recv().await, Some(number + 1));
                }
                let took = began.elapsed();
                drop(ask);
                echo.await.expect("no panic");
                took
            });
            runtime.block_on(task).expect("no panic")
        });
    });
}

/// A thread outside wakes a worker that sleeps, and sleeps until it answers.
fn from_outside(criterion: &mut Criterion) {
    let runtime = runtime(1);
    criterion.bench_function("wake/sleeping-worker", |bencher| {
        let (ask, mut asked) = mpsc::channel::<u64>(1);
        let (answer, mut answered) = mpsc::channel(1);
        let echo = runtime.spawn(async move {
            while let Some(value) = asked.recv().await {
                answer.send(value + 1).await.expect("the asker waits");
            }
        });
        bencher.iter(|| {
            ask.blocking_send(1).expect("the task waits");
            assert_eq!(answered.blocking_recv(), Some(2));
        });
        drop(ask);
        runtime.block_on(echo).expect("no panic");
    });
}

criterion_group!(benches, yields, ping_pong, from_outside);
criterion_main!(benches);
