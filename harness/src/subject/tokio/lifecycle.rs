//! Timers and abort of tokio.

use std::time::Duration;

use super::stack::TokioStack;
use crate::subject::body::lifecycle::Lifecycle;
use crate::subject::body::tasks::Tasks;

impl Lifecycle for TokioStack {
    type Timer = tokio::time::Sleep;

    fn timer(duration: Duration) -> Self::Timer {
        tokio::time::sleep(duration)
    }

    fn abort<O: Send + 'static>(task: &<Self as Tasks>::Join<O>) {
        task.abort();
    }

    fn is_cancelled(lost: &<Self as Tasks>::Lost) -> bool {
        lost.is_cancelled()
    }
}
