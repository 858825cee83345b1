//! The calls of a runtime that the task bodies use: spawn, join, yield, channels, the mutex; beside [`Stack`](super::stack::Stack), which has
//! the I/O calls.

use std::ops::DerefMut;

use super::stack::Fleet;

/// What a mutex guards: plain counts, so that a mutex that let two tasks in would lose some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Of all tasks.
    pub count: u64,
    /// Of each.
    pub of_task: Vec<u64>,
}

impl Guarded {
    /// Zeros, for so many tasks.
    pub fn new(tasks: u32) -> Self {
        Self { count: 0, of_task: vec![0; tasks as usize] }
    }
}

/// Tasks of one runtime, from inside it.
pub trait Tasks: Send + Sync + 'static {
    /// Why a task has no output.
    type Lost: Send + 'static;
    /// The handle of a task; awaiting it gives the output, dropping it lets the task go on alone.
    type Join<O: Send + 'static>: Future<Output = Result<O, Self::Lost>> + Send + Unpin + 'static;

    /// Starts a task that any worker may run, the way that is cheapest from inside the runtime.
    fn spawn<O: Send + 'static>(future: impl Future<Output = O> + Send + 'static) -> Self::Join<O>;

    /// Lets the other ready tasks run; the cheapest way the runtime has.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// The sending end of a channel; it ends with its last clone.
    type Sender: Clone + Send + Sync + 'static;
    /// Its receiving end.
    type Receiver: Send + 'static;
    /// The sending end of a oneshot.
    type OneSender: Send + 'static;
    /// Its receiving end.
    type OneReceiver: Send + 'static;

    /// The runtime's mutex.
    type Mutex: Send + Sync + 'static;
    /// The right of who holds it.
    type Held<'a>: DerefMut<Target = Guarded> + Send;

    /// A channel for so many values that wait.
    fn channel(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// Sends when there is room; false: the receiver is closed or gone, and the value not sent.
    fn send(sender: &Self::Sender, value: u64) -> impl Future<Output = bool> + Send;

    /// The next value; `None` when all senders are gone, or the channel was closed and all that was sent before is received.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;

    /// Refuses new values; those that were sent are still received.
    fn close_channel(receiver: &mut Self::Receiver);

    /// A channel for one value.
    fn oneshot() -> (Self::OneSender, Self::OneReceiver);

    /// Sends the one value; a receiver that is gone loses it, and shows it by the missing answer.
    fn send_one(sender: Self::OneSender, value: u64);

    /// The one value; `None` when the sender is gone.
    fn receive_one(receiver: Self::OneReceiver) -> impl Future<Output = Option<u64>> + Send;

    /// A mutex around this.
    fn mutex(guarded: Guarded) -> Self::Mutex;

    /// Waits until nobody else holds it.
    fn lock(mutex: &Self::Mutex) -> impl Future<Output = Self::Held<'_>> + Send;
}

/// Which of so many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Place {
    /// The worker whose share this task is in, where each gets consecutive ones: one wake-up for many tasks.
    pub fn worker(self, workers: usize) -> usize {
        (u64::from(self.number) * workers as u64 / u64::from(self.of.max(1))) as usize
    }
}

/// Starting tasks from a thread that is none of the runtime's.
pub trait Outside<T: Tasks>: Fleet + Sync {
    /// Starts a task that any worker may run; where a worker cannot give tasks away, on the one whose share it is in.
    fn spawn<O: Send + 'static>(&self, place: Place, future: impl Future<Output = O> + Send + 'static) -> T::Join<O>;
}

/// A user for [`users::run`](super::users::run) that is an ordinary task of the runtime: it starts on its worker and may be moved like any
/// other. [`Fleet::spawn_on`] would bind it.
pub async fn unbound<T: Tasks>(user: impl Future<Output = ()> + Send + 'static) {
    drop(T::spawn(user));
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn every_worker_has_consecutive_tasks_and_the_same_number() {
        let workers: Vec<usize> = (0..6).map(|number| Place { number, of: 6 }.worker(3)).collect();
        assert_eq!(workers, [0, 0, 1, 1, 2, 2]);
    }
}
