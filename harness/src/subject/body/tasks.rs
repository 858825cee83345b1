//! The calls of a runtime that the task bodies use: spawn, join, yield; beside [`Stack`](super::stack::Stack), which has the I/O calls.

use super::stack::Fleet;

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

    /// The sending end of a channel.
    type Sender: Send + Sync + 'static;
    /// Its receiving end.
    type Receiver: Send + 'static;
    /// The sending end of a oneshot.
    type OneSender: Send + 'static;
    /// Its receiving end.
    type OneReceiver: Send + 'static;

    /// A channel of one slot.
    fn channel() -> (Self::Sender, Self::Receiver);

    /// Sends when there is room; a receiver that is gone loses the value, and shows it by the missing answer.
    fn send(sender: &Self::Sender, value: u64) -> impl Future<Output = ()> + Send;

    /// The next value; `None` when the sender is gone.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;

    /// A channel for one value.
    fn oneshot() -> (Self::OneSender, Self::OneReceiver);

    /// Sends the one value; as with [`send`](Self::send), a loss shows by itself.
    fn send_one(sender: Self::OneSender, value: u64);

    /// The one value; `None` when the sender is gone.
    fn receive_one(receiver: Self::OneReceiver) -> impl Future<Output = Option<u64>> + Send;
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
