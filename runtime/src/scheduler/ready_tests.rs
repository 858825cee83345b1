//! Properties of a worker's queues with real thieves: each task goes to one taker, whatever the order of pushes, pops and thefts.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_deque::Injector;
use proptest::prelude::*;

use super::ready::Ready;

/// Pinned tasks carry this bit, so that a thief that gets one is found out.
const PINNED: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
enum Step {
    Push { count: u32, is_pinned: bool },
    PushWarm { count: u32, is_pinned: bool },
    Pop(u32),
    TakeInjected(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // Above 64 the deque's buffer grows; below, its indices wrap.
        (1_u32..200, any::<bool>()).prop_map(|(count, is_pinned)| Step::Push { count, is_pinned }),
        (1_u32..20, any::<bool>()).prop_map(|(count, is_pinned)| Step::PushWarm { count, is_pinned }),
        (1_u32..250).prop_map(Step::Pop),
        (1_usize..40).prop_map(Step::TakeInjected),
    ]
}

/// Steals until `over`, and then until there is nothing.
fn thief(stealers: &super::ready::Stealers<u32>, injector: Option<&Injector<u32>>, limit: usize, over: &AtomicBool) -> Vec<u32> {
    let (own, mut taken) = (Ready::new(61), Vec::new());
    loop {
        let last = over.load(Ordering::Acquire);
        let mut found = stealers.steal_into(&own, limit);
        found |= injector.is_some_and(|injector| own.take_from(injector, limit));
        while let Some(task) = own.pop() {
            taken.push(task);
        }
        if last && !found {
            return taken;
        }
    }
}

/// Every number below `pushed` once; the pinned ones all with the owner.
fn check(owned: &[u32], stolen: &[Vec<u32>], pushed: u32) -> Result<(), TestCaseError> {
    prop_assert!(stolen.iter().flatten().all(|task| task & PINNED == 0), "a thief got a pinned task");
    let mut all: Vec<u32> = owned.iter().chain(stolen.iter().flatten()).map(|task| task & !PINNED).collect();
    all.sort_unstable();
    prop_assert!(all.iter().copied().eq(0..pushed), "{} of {} tasks, or some twice", all.len(), pushed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn each_task_goes_to_one_taker(steps in prop::collection::vec(step(), 1..60), limits in prop::collection::vec(1_usize..33, 1..3), injected in 0_u32..500) {
        let (ready, injector, over) = (Ready::new(61), Injector::new(), AtomicBool::new(false));
        let (stealers, barrier) = (ready.stealers(), Barrier::new(limits.len() + 1));
        let mut pushed = injected;
        let mut owned = Vec::new();
        let stolen: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let thieves: Vec<_> = limits
                .iter()
                .map(|&limit| scope.spawn({ let (stealers, injector, over, barrier) = (&stealers, &injector, &over, &barrier); move || { barrier.wait(); thief(stealers, Some(injector), limit, over) } }))
                .collect();
            let pusher = scope.spawn(|| (0..injected).for_each(|task| injector.push(task)));
            barrier.wait();
            for step in steps {
                match step {
                    Step::Push { count, is_pinned } => {
                        (pushed..pushed + count).for_each(|task| ready.push(task | if is_pinned { PINNED } else { 0 }, is_pinned));
                        pushed += count;
                    }
                    Step::PushWarm { count, is_pinned } => {
                        (pushed..pushed + count).for_each(|task| ready.push_warm(task | if is_pinned { PINNED } else { 0 }, is_pinned));
                        pushed += count;
                    }
                    Step::Pop(count) => owned.extend((0..count).map_while(|_| ready.pop())),
                    Step::TakeInjected(limit) => drop(ready.take_from(&injector, limit)),
                }
            }
            pusher.join().expect("no panic");
            owned.extend(std::iter::from_fn(|| ready.pop()));
            over.store(true, Ordering::Release);
            thieves.into_iter().map(|thief| thief.join().expect("no panic")).collect()
        });
        check(&owned, &stolen, pushed)?;
    }
}

/// One task in each lane, and everybody wants it at once.
#[test]
fn the_last_task_goes_to_one_of_those_who_reach_for_it() {
    const ROUNDS: usize = if cfg!(debug_assertions) { 500 } else { 50_000 };
    let ready = Ready::new(61);
    let stealers = ready.stealers();
    let (thieves, round, taken) = (2, AtomicUsize::new(0), AtomicUsize::new(0));
    let ended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..thieves {
            scope.spawn(|| {
                let own = Ready::new(61);
                for mine in 1..=ROUNDS {
                    while round.load(Ordering::Acquire) < mine {
                        std::thread::yield_now();
                    }
                    stealers.steal_into(&own, 1);
                    taken.fetch_add(std::iter::from_fn(|| own.pop()).count(), Ordering::AcqRel);
                    ended.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        for mine in 1..=ROUNDS {
            // A task popped from the queue gives credit, so every second round ends in the warm lane.
            if mine % 2 == 0 {
                ready.push_warm(0, false)
            } else {
                ready.push(0, false)
            }
            round.store(mine, Ordering::Release);
            let own = usize::from(ready.pop().is_some());
            while ended.load(Ordering::Acquire) < thieves * mine {
                std::thread::yield_now();
            }
            let left = std::iter::from_fn(|| ready.pop()).count();
            assert_eq!(taken.swap(0, Ordering::AcqRel) + own + left, 1, "round {mine}");
        }
    });
}
