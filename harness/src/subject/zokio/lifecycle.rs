//! Timers and abort of zokio.

use std::time::Duration;

use super::stack::ZokioStack;
use crate::subject::body::lifecycle::Lifecycle;
use crate::subject::body::tasks::Tasks;

impl Lifecycle for ZokioStack {
    type Timer = zokio::time::Sleep;

    fn timer(duration: Duration) -> Self::Timer {
        zokio::time::sleep(duration)
    }

    fn abort<O: Send + 'static>(task: &<Self as Tasks>::Join<O>) {
        task.abort();
    }

    fn is_cancelled(lost: &<Self as Tasks>::Lost) -> bool {
        lost.is_cancelled()
    }
}
