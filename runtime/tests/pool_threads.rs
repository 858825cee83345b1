//! Random sequences on a pool from several threads at once: an object has one owner, and all of them come back.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use zokio::pool::{Acquire, ObjectPool, Pooled};

#[path = "support/watchdog.rs"]
mod watchdog;

use watchdog::watchdog;

type Object = (usize, AtomicBool);

#[derive(Clone, Copy, Debug)]
enum Step {
    Take,
    /// A place in line, that is looked at later or given up.
    Wait,
    Look,
    GiveUp,
    Return(usize),
    /// Through a box that all threads reach: returned by another one.
    Exchange(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Take),
        2 => Just(Step::Wait),
        3 => Just(Step::Look),
        1 => Just(Step::GiveUp),
        3 => (0_usize..8).prop_map(Step::Return),
        1 => (0_usize..8).prop_map(Step::Exchange),
    ]
}

/// Marks the object as this owner's.
fn own(object: Pooled<Object>) -> Pooled<Object> {
    assert!(!object.1.swap(true, Ordering::Relaxed), "object {} has two owners", object.0);
    object
}

fn give_back(object: Pooled<Object>) {
    assert!(object.1.swap(false, Ordering::Relaxed), "object {} has no owner", object.0);
    drop(object);
}

fn play(pool: &ObjectPool<Object>, steps: &[Step], exchange: &Mutex<Vec<Pooled<Object>>>) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut out, mut line): (Vec<Pooled<Object>>, Vec<Acquire<'_, Object>>) = (Vec::new(), Vec::new());
    for step in steps {
        match *step {
            Step::Take => out.extend(pool.try_acquire().map(own)),
            Step::Wait => line.push(pool.acquire()),
            Step::GiveUp => drop(line.pop()),
            Step::Look => {
                line.retain_mut(|waiting| match Pin::new(waiting).poll(&mut cx) {
                    Poll::Ready(object) => {
                        out.push(own(object));
                        false
                    }
                    Poll::Pending => true,
                });
            }
            Step::Return(at) if !out.is_empty() => give_back(out.swap_remove(at % out.len())),
            Step::Exchange(at) if !out.is_empty() => {
                let mine = out.swap_remove(at % out.len());
                let other = {
                    let mut exchange = exchange.lock().unwrap();
                    exchange.push(mine);
                    if exchange.len() > 3 { Some(exchange.remove(0)) } else { None }
                };
                other.into_iter().for_each(give_back);
            }
            Step::Return(_) | Step::Exchange(_) => {}
        }
    }
    drop(line);
    out.into_iter().for_each(give_back);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn an_object_has_one_owner_whatever_threads_do(max in 1_usize..40, threads in prop::collection::vec(prop::collection::vec(step(), 0..300), 2..4)) {
        let _limit = watchdog("a pool with threads");
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let pool = ObjectPool::new(max, move || (count.fetch_add(1, Ordering::Relaxed), AtomicBool::new(false)));
        let exchange = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for steps in &threads {
                scope.spawn(|| play(&pool, steps, &exchange));
            }
        });
        exchange.into_inner().unwrap().into_iter().for_each(give_back);
        prop_assert!(made.load(Ordering::Relaxed) <= max);
        prop_assert_eq!(pool.available(), max);
        let all: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
        prop_assert_eq!(all.len(), max, "all of them can be had at once");
        let mut numbers: Vec<usize> = all.iter().map(|object| object.0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), max);
    }
}
