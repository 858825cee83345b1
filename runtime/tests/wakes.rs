//! Every wake leads to a poll that begins after it, in graphs of tasks that wake each other, from threads, beside aborts and drops.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use proptest::prelude::*;

#[path = "support/watchdog.rs"]
mod watchdog;

use watchdog::watchdog;
use zokio::Builder;

/// A runtime with so many workers.
fn runtime(workers: usize) -> zokio::Runtime {
    Builder::new().worker_threads(workers).build().expect("a runtime")
}

/// What others see of a task.
#[derive(Default)]
struct Node {
    /// Wakes so far, counted before the waker is used.
    asked: AtomicU64,
    /// What `asked` was when the last poll began.
    seen: AtomicU64,
    waker: Mutex<Option<Waker>>,
    is_over: AtomicBool,
    /// Aborted or dropped: it may end in the middle of everything.
    is_lost: AtomicBool,
}

impl Node {
    /// Asks for a poll. The waker stays where it is in one of two cases, so that wakes by value and by reference meet.
    fn wake(&self) {
        let by_value = self.asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let waker = { if by_value { self.waker.lock().unwrap().take() } else { self.waker.lock().unwrap().clone() } };
        waker.into_iter().for_each(Waker::wake);
    }

    fn is_settled(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst) || self.seen.load(Ordering::SeqCst) == self.asked.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug)]
struct Plan {
    workers: usize,
    /// For each task: whom it wakes, and whether it is pinned.
    edges: Vec<(Vec<usize>, bool)>,
    /// Wakes by the tasks in all.
    budget: i64,
    /// What two threads do: wake, abort or drop the handle of a task.
    threads: Vec<Vec<(usize, u8)>>,
}

fn plan() -> impl Strategy<Value = Plan> {
    (2_usize..20).prop_flat_map(|count| {
        let edges = prop::collection::vec((prop::collection::vec(0..count, 0..4), any::<bool>()), count);
        let threads = prop::collection::vec(prop::collection::vec((0..count, 0_u8..40), 0..200), 2);
        (1_usize..4, edges, 0_i64..3_000, threads).prop_map(|(workers, edges, budget, threads)| Plan { workers, edges, budget, threads })
    })
}

fn run(plan: &Plan) -> Result<(), TestCaseError> {
    let runtime = runtime(plan.workers);
    let nodes: Arc<Vec<Node>> = Arc::new(plan.edges.iter().map(|_| Node::default()).collect());
    let budget = Arc::new(AtomicI64::new(plan.budget));
    let handles: Vec<_> = plan
        .edges
        .iter()
        .enumerate()
        .map(|(index, (targets, is_pinned))| {
            let (nodes, budget, targets) = (nodes.clone(), budget.clone(), targets.clone());
            let task = poll_fn(move |cx| {
                let node = &nodes[index];
                // First the waker, then what was asked: who asks after that finds the waker.
                let old = node.waker.lock().unwrap().replace(cx.waker().clone());
                drop(old);
                node.seen.store(node.asked.load(Ordering::SeqCst), Ordering::SeqCst);
                if node.is_over.load(Ordering::SeqCst) {
                    return Poll::Ready(index);
                }
                for &target in &targets {
                    if budget.fetch_sub(1, Ordering::SeqCst) > 0 {
                        nodes[target].wake();
                    }
                }
                Poll::Pending
            });
            let handle = if *is_pinned { runtime.spawn_on(index, task) } else { runtime.spawn(task) };
            Mutex::new(Some(handle))
        })
        .collect();
    std::thread::scope(|scope| {
        for actions in &plan.threads {
            let (nodes, handles) = (&nodes, &handles);
            scope.spawn(move || {
                for &(target, action) in actions {
                    let node = &nodes[target];
                    match action {
                        0 => {
                            node.is_lost.store(true, Ordering::SeqCst);
                            handles[target].lock().unwrap().iter().for_each(zokio::task::JoinHandle::abort);
                        }
                        1 => {
                            node.is_lost.store(true, Ordering::SeqCst);
                            drop(handles[target].lock().unwrap().take());
                        }
                        _ => node.wake(),
                    }
                }
            });
        }
    });
    // Nobody asks any more once the budget is used up or has ended in tasks that wake nobody.
    let began = Instant::now();
    while !nodes.iter().all(Node::is_settled) {
        prop_assert!(began.elapsed() < Duration::from_secs(20), "a task was woken and not polled");
        std::thread::yield_now();
    }
    for node in nodes.iter() {
        node.is_over.store(true, Ordering::SeqCst);
        node.wake();
    }
    for (index, (node, handle)) in nodes.iter().zip(&handles).enumerate() {
        let Some(handle) = handle.lock().unwrap().take() else { continue };
        match runtime.block_on(handle) {
            Ok(output) => prop_assert_eq!(output, index),
            Err(error) => prop_assert!(error.is_cancelled() && node.is_lost.load(Ordering::SeqCst), "{}", error),
        }
    }
    // A cell that waits for a waker of its own would never go.
    nodes.iter().for_each(|node| drop(node.waker.lock().unwrap().take()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_wake_leads_to_a_poll_that_begins_after_it(plan in plan()) {
        let _limit = watchdog("a graph of wakes");
        run(&plan)?;
    }
}
