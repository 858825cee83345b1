//! One user of a pool trial: handfuls of objects acquired, worked on and released.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lender::Lender;
use super::object::Object;
use crate::load::closed::Control;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::workload::pool::{Empty, Hold, PoolWorkload};

/// What the users of a trial share.
#[derive(Debug)]
pub struct Shared {
    workload: PoolWorkload,
    created: AtomicU64,
    waits: AtomicU64,
}

impl Shared {
    /// Nothing counted yet.
    pub fn new(workload: &PoolWorkload) -> Self {
        Self { workload: workload.clone(), created: AtomicU64::new(0), waits: AtomicU64::new(0) }
    }

    /// Objects made for an empty pool, and acquires that had to wait, over all users that have ended.
    pub fn counts(&self) -> (u64, u64) {
        // Relaxed: read after the users' threads were joined.
        (self.created.load(Ordering::Relaxed), self.waits.load(Ordering::Relaxed))
    }
}

/// One user, on one thread.
#[derive(Debug)]
pub struct User<'a, L: Lender> {
    shared: &'a Shared,
    lender: L,
    /// Its mark: above 0.
    mark: u64,
    held: Vec<L::Held>,
    created: u64,
    waits: u64,
}

impl<'a, L: Lender> User<'a, L> {
    /// The user with this number.
    pub fn new(shared: &'a Shared, number: u32, lender: L) -> Self {
        let held = Vec::with_capacity(shared.workload.held as usize);
        Self { shared, lender, mark: u64::from(number) + 1, held, created: 0, waits: 0 }
    }

    /// The rounds that show whether twice the work takes twice as long; nothing is written down.
    pub fn double(&mut self, control: &Control, pieces: impl Iterator<Item = u64>) {
        // Where users wait for each other, a partner whose part this thread takes too holds all objects.
        let has_partner = self.shared.workload.empty == Empty::Wait;
        let mut partner: Vec<L::Held> = if has_partner { std::iter::from_fn(|| self.lender.acquire()).collect() } else { Vec::new() };
        for times in pieces {
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            let operations = self.shared.workload.operations_per_round.saturating_mul(times);
            if has_partner {
                self.waits(&mut partner, operations, control);
            } else {
                black_box(self.objects(operations, control));
            }
        }
        partner.into_iter().for_each(|object| self.lender.release(object));
        // Not of the trial.
        (self.created, self.waits) = (0, 0);
    }

    /// Objects that are not there when they are asked for: the partner gives them back then, and takes them again after their use.
    fn waits(&mut self, partner: &mut Vec<L::Held>, operations: u32, control: &Control) {
        let held = self.shared.workload.held;
        for _ in 0..operations / held {
            // The look of whoever has to wait.
            partner.extend(black_box(self.lender.acquire()));
            let first = partner.len().saturating_sub(held as usize);
            partner.drain(first..).for_each(|object| self.lender.release(object));
            black_box(self.objects(held, control));
            partner.extend((0..held).map_while(|_| self.lender.acquire()));
        }
    }

    /// One round; every object whose marks were right is an operation.
    pub fn round(&mut self, control: &Control, recorder: &mut Recorder) {
        let counts = self.objects(self.shared.workload.operations_per_round, control);
        if counts.good > 0 {
            recorder.round(counts.good, 0);
        }
        for _ in 0..counts.wrong {
            recorder.failure(ErrorClass::Mismatch, None);
        }
        for _ in 0..counts.exhausted {
            recorder.failure(ErrorClass::Exhausted, None);
        }
    }

    #[inline]
    fn objects(&mut self, operations: u32, control: &Control) -> Counts {
        let mut counts = Counts::default();
        // The case is fixed before the loop, so no subject pays for looking it up.
        match (self.shared.workload.held, self.shared.workload.hold) {
            (1, Hold::None) => (0..operations).for_each(|_| self.one(control, &mut counts, |_| true)),
            (1, Hold::Work) => (0..operations).for_each(|turn| self.one(control, &mut counts, |object| object.work(turn.into()))),
            (held, hold) => (0..operations / held).for_each(|turn| self.handful(held, hold, turn, control, &mut counts)),
        }
        counts
    }

    /// An object, however the pool is. `None` when the trial ended while it waited, or the pool makes none.
    #[inline]
    fn acquire(&mut self, control: &Control) -> Option<L::Held> {
        match self.lender.acquire() {
            Some(object) => Some(object),
            None => self.find(control),
        }
    }

    #[cold]
    fn find(&mut self, control: &Control) -> Option<L::Held> {
        if self.shared.workload.empty == Empty::Create {
            self.created += 1;
            return self.lender.create();
        }
        self.waits += 1;
        while !control.is_draining() {
            std::hint::spin_loop();
            if let Some(object) = self.lender.acquire() {
                return Some(object);
            }
        }
        None
    }

    #[inline]
    fn one(&mut self, control: &Control, counts: &mut Counts, work: impl Fn(&Object) -> bool) {
        let Some(object) = self.acquire(control) else { return counts.nothing(control) };
        let was_free = object.acquire(self.mark);
        let is_right = work(&object);
        let was_own = object.release(self.mark);
        self.lender.release(object);
        counts.judge(was_free & is_right & was_own);
    }

    #[inline]
    fn handful(&mut self, held: u32, hold: Hold, turn: u32, control: &Control, counts: &mut Counts) {
        let mut wrong = 0;
        for _ in 0..held {
            let Some(object) = self.acquire(control) else {
                counts.nothing(control);
                continue;
            };
            wrong += u64::from(!object.acquire(self.mark));
            self.held.push(object);
        }
        let count = self.held.len() as u64;
        for object in self.held.drain(..) {
            let is_right = hold == Hold::None || object.work(turn.into());
            wrong += u64::from(!(is_right & object.release(self.mark)));
            self.lender.release(object);
        }
        let wrong = wrong.min(count);
        counts.good += count - wrong;
        counts.wrong += wrong;
    }

    /// Ends the user.
    pub fn end(self) {
        self.shared.created.fetch_add(self.created, Ordering::Relaxed);
        self.shared.waits.fetch_add(self.waits, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Counts {
    good: u64,
    wrong: u64,
    exhausted: u64,
}

impl Counts {
    #[inline]
    fn judge(&mut self, is_right: bool) {
        self.good += u64::from(is_right);
        self.wrong += u64::from(!is_right);
    }

    /// An acquire that got nothing: no error when the trial ended meanwhile.
    #[cold]
    fn nothing(&mut self, control: &Control) {
        self.exhausted += u64::from(!control.is_draining());
    }
}

#[cfg(test)]
mod tests {
    use super::super::lender::Queue;
    use super::*;

    /// A pool that counts its calls.
    struct Watched<'a> {
        queue: &'a Queue,
        /// Acquires that got an object, acquires that got none, releases.
        calls: &'a [AtomicU64; 3],
    }

    impl Lender for Watched<'_> {
        type Held = Box<Object>;

        fn acquire(&mut self) -> Option<Box<Object>> {
            let object = Lender::acquire(&mut self.queue);
            self.calls[usize::from(object.is_none())].fetch_add(1, Ordering::Relaxed);
            object
        }

        fn create(&mut self) -> Option<Box<Object>> {
            self.queue.create()
        }

        fn release(&mut self, object: Box<Object>) {
            self.calls[2].fetch_add(1, Ordering::Relaxed);
            self.queue.release(object);
        }
    }

    fn calls(empty: Empty, capacity: u32, pieces: &[u64]) -> [u64; 3] {
        let workload = PoolWorkload { capacity, hold: Hold::Work, held: 1, empty, operations_per_round: 10 };
        let (shared, queue, calls) = (Shared::new(&workload), Queue::new(capacity as usize), Default::default());
        let mut user = User::new(&shared, 0, Watched { queue: &queue, calls: &calls });
        user.double(&Control::default(), pieces.iter().copied());
        assert_eq!((user.created, user.waits), (0, 0), "the trial begins with nothing counted");
        assert_eq!(std::iter::from_fn(|| Lender::acquire(&mut &queue)).count(), capacity as usize, "all objects are back");
        calls.map(AtomicU64::into_inner)
    }

    #[test]
    fn twice_the_rounds_are_twice_the_objects_and_who_waits_finds_none_first() {
        assert_eq!(calls(Empty::Create, 3, &[1, 2]), [30, 0, 30]);
        for (capacity, pieces, operations) in [(1, &[1][..], 10), (1, &[1, 2], 30), (3, &[2, 4, 2], 80)] {
            // The partner takes all once, and again what the user has used; each operation looks in vain first.
            let (got, in_vain) = (u64::from(capacity) + 2 * operations, 1 + operations);
            assert_eq!(calls(Empty::Wait, capacity, pieces), [got, in_vain, got], "{capacity} {pieces:?}");
        }
    }
}
