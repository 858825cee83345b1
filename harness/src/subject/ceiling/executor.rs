//! The smallest executor there is: one thread, a queue of type-erased tasks, counts without atomics, cells that are used again.
//!
//! What a task needs at least is here: a cell, an entry in a queue, a virtual call, a place for its output. What a runtime adds for other
//! threads, wakers, cancellation and I/O is not.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Ready tasks and free cells of one thread.
pub(super) struct Executor<F> {
    ready: RefCell<VecDeque<Rc<dyn Run>>>,
    free: RefCell<Vec<Rc<TaskCell<F>>>>,
}

/// A future and the place for its output.
pub(super) struct TaskCell<F> {
    future: RefCell<Option<F>>,
    output: Cell<Option<u64>>,
}

trait Run {
    /// Polls once; true when the task has ended.
    fn run(&self, context: &mut Context<'_>) -> bool;
}

impl<F: Future<Output = u64> + Unpin> Run for TaskCell<F> {
    fn run(&self, context: &mut Context<'_>) -> bool {
        let mut future = self.future.borrow_mut();
        let Poll::Ready(output) = Pin::new(future.as_mut().expect("a queued task has its future")).poll(context) else { return false };
        *future = None;
        self.output.set(Some(output));
        true
    }
}

impl<F: Future<Output = u64> + Unpin + 'static> Executor<F> {
    pub(super) fn new() -> Self {
        Self { ready: RefCell::default(), free: RefCell::default() }
    }

    /// Queues a task that nobody joins.
    pub(super) fn detach(&self, future: F) {
        drop(self.spawn(future));
    }

    /// Queues a task; the handle takes its output.
    pub(super) fn spawn(&self, future: F) -> Rc<TaskCell<F>> {
        let free = self.free.borrow_mut().pop();
        let cell = free.unwrap_or_else(|| Rc::new(TaskCell { future: RefCell::new(None), output: Cell::new(None) }));
        *cell.future.borrow_mut() = Some(future);
        self.ready.borrow_mut().push_back(Rc::clone(&cell) as Rc<dyn Run>);
        cell
    }

    /// Runs what is ready until nothing is; a task that is not done goes to the tail.
    pub(super) fn run(&self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let next = self.ready.borrow_mut().pop_front();
            let Some(task) = next else { return };
            if !task.run(&mut context) {
                self.ready.borrow_mut().push_back(task);
            }
        }
    }

    /// The output of a task that has ended; its cell may be used again.
    pub(super) fn join(&self, task: Rc<TaskCell<F>>) -> Option<u64> {
        let output = task.output.take();
        self.free.borrow_mut().push(task);
        output
    }
}

/// Polls futures in turn until all have ended: tasks that are always ready, with no queue at all.
pub(super) fn run_in_turn(mut futures: Vec<Pin<Box<dyn Future<Output = ()>>>>) {
    let mut context = Context::from_waker(Waker::noop());
    while !futures.is_empty() {
        futures.retain_mut(|future| future.as_mut().poll(&mut context).is_pending());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_and_cells_are_used_again() {
        let executor = Executor::new();
        for round in 0..3 {
            let handles: Vec<_> = (0..100).map(|number| executor.spawn(std::future::ready(number + round))).collect();
            executor.run();
            let sum: u64 = handles.into_iter().map(|handle| executor.join(handle).expect("it ran")).sum();
            assert_eq!(sum, 4_950 + 100 * round);
            assert_eq!(executor.free.borrow().len(), 100);
        }
    }

    #[test]
    fn tasks_in_turn_overtake_nobody() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let task = |name: char| {
            let order = Rc::clone(&order);
            Box::pin(async move {
                for _ in 0..2 {
                    order.borrow_mut().push(name);
                    super::super::tasks::suspend().await;
                }
            }) as Pin<Box<dyn Future<Output = ()>>>
        };
        run_in_turn(vec![task('a'), task('b')]);
        assert_eq!(*order.borrow(), ['a', 'b', 'a', 'b']);
    }
}
