//! The calls of a runtime that end what has not run to its end: timers that are cancelled, tasks that are aborted.

use std::time::Duration;

use super::tasks::Tasks;

/// Timers and abort of one runtime, beside its tasks.
pub trait Lifecycle: Tasks {
    /// The future of a sleep, as a user keeps it in a place of its own; dropping it cancels the timer.
    type Timer: Future<Output = ()> + Send + 'static;

    /// A sleep from now; it is a timer from its first poll on.
    fn timer(duration: Duration) -> Self::Timer;

    /// Asks a task to end.
    fn abort<O: Send + 'static>(task: &Self::Join<O>);

    /// Whether a task has no output because it was aborted.
    fn is_cancelled(lost: &Self::Lost) -> bool;
}
