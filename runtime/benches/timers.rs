//! Timers: the wheel alone, and sleeps that are made and dropped beside ten thousand others.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use zokio::Builder;
use zokio::internals::TimerWheel;
use zokio::time::{Sleep, sleep};

const LIVE: u64 = 10_000;

/// Deadlines over all levels of the wheel, the same in every run.
fn deadline(number: u64) -> u64 {
    1 + number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1_000_000
}

fn wheel(criterion: &mut Criterion) {
    criterion.bench_function("timers/wheel-insert-cancel", |bencher| {
        let mut wheel = TimerWheel::new();
        let _live: Vec<_> = (0..LIVE).map(|number| wheel.insert(deadline(number))).collect();
        let mut number = 0;
        bencher.iter(|| {
            number += 1;
            let timer = wheel.insert(deadline(number));
            assert!(wheel.cancel(timer));
        });
    });
    let mut group = criterion.benchmark_group("timers/wheel-fire");
    group.throughput(Throughput::Elements(LIVE));
    group.bench_function("10000", |bencher| {
        let filled = || {
            let mut wheel = TimerWheel::new();
            for number in 0..LIVE {
                let _timer = wheel.insert(deadline(number));
            }
            wheel
        };
        bencher.iter_batched_ref(
            filled,
            |wheel| assert_eq!((0..=1_000).map(|step| wheel.advance(step * 1_000)).sum::<usize>(), LIVE as usize),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A sleep that has been registered.
fn registered(duration: Duration) -> Pin<Box<Sleep>> {
    let mut timer = Box::pin(sleep(duration));
    assert!(timer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    timer
}

fn sleeps(criterion: &mut Criterion) {
    let runtime = Builder::new().worker_threads(1).build().expect("a runtime");
    criterion.bench_function("timers/sleep-create-drop", |bencher| {
        bencher.iter_custom(|count| {
            let task = runtime.spawn(async move {
                let seconds = |number: u64| Duration::from_secs(1 + number % 60);
                let _live: Vec<_> = (0..LIVE).map(|number| registered(seconds(number))).collect();
                let began = Instant::now();
                (0..count).for_each(|number| drop(black_box(registered(seconds(number)))));
                began.elapsed()
            });
            runtime.block_on(task).expect("no panic")
        });
    });
}

criterion_group!(benches, wheel, sleeps);
criterion_main!(benches);
