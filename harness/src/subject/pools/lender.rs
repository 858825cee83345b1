//! Pools behind one interface: a queue without locks, a vector behind a lock, and a list per thread.
#![expect(clippy::vec_box, reason = "an object is lent as its box, and never moves")]

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_queue::ArrayQueue;

use super::object::Object;

/// One thread's access to a pool.
pub trait Lender {
    /// An object on loan.
    type Held: Deref<Target = Object>;

    /// An object that waits in the pool, if one does.
    fn acquire(&mut self) -> Option<Self::Held>;

    /// A new object, for a pool that is empty; `None` where the pool makes none beyond its capacity.
    fn create(&mut self) -> Option<Self::Held>;

    /// Gives an object back; one beyond the pool's capacity is dropped.
    fn release(&mut self, object: Self::Held);
}

fn objects(count: usize) -> impl Iterator<Item = Box<Object>> {
    (0..count).map(|_| Box::default())
}

/// crossbeam-queue's bounded queue: the object released longest ago is acquired next.
#[derive(Debug)]
pub struct Queue(ArrayQueue<Box<Object>>);

impl Queue {
    /// A full pool.
    pub fn new(capacity: usize) -> Self {
        let queue = ArrayQueue::new(capacity);
        objects(capacity).for_each(|object| drop(queue.push(object)));
        Self(queue)
    }
}

impl Lender for &Queue {
    type Held = Box<Object>;

    #[inline]
    fn acquire(&mut self) -> Option<Box<Object>> {
        self.0.pop()
    }

    fn create(&mut self) -> Option<Box<Object>> {
        Some(Box::default())
    }

    #[inline]
    fn release(&mut self, object: Box<Object>) {
        drop(self.0.push(object));
    }
}

/// A vector behind the standard library's lock.
#[derive(Debug)]
pub struct Locked {
    objects: Mutex<Vec<Box<Object>>>,
    capacity: usize,
}

impl Locked {
    /// A full pool.
    pub fn new(capacity: usize) -> Self {
        Self { objects: Mutex::new(objects(capacity).collect()), capacity }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Vec<Box<Object>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lender for &Locked {
    type Held = Box<Object>;

    #[inline]
    fn acquire(&mut self) -> Option<Box<Object>> {
        self.lock().pop()
    }

    fn create(&mut self) -> Option<Box<Object>> {
        Some(Box::default())
    }

    #[inline]
    fn release(&mut self, object: Box<Object>) {
        let mut objects = self.lock();
        if objects.len() < self.capacity {
            objects.push(object);
        }
    }
}

/// The ceiling of `pool`: a list of one thread alone, with its share of the objects.
#[derive(Debug)]
pub struct Local {
    objects: Vec<Box<Object>>,
    capacity: usize,
}

impl Local {
    /// A full list.
    pub fn new(capacity: usize) -> Self {
        Self { objects: objects(capacity).collect(), capacity }
    }
}

impl Lender for Local {
    type Held = Box<Object>;

    #[inline]
    fn acquire(&mut self) -> Option<Box<Object>> {
        self.objects.pop()
    }

    fn create(&mut self) -> Option<Box<Object>> {
        Some(Box::default())
    }

    #[inline]
    fn release(&mut self, object: Box<Object>) {
        if self.objects.len() < self.capacity {
            self.objects.push(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_its_capacity(mut lender: impl Lender, capacity: usize) {
        let held: Vec<_> = std::iter::from_fn(|| lender.acquire()).collect();
        assert_eq!(held.len(), capacity);
        let more = lender.create().expect("this pool makes more");
        held.into_iter().chain([more]).for_each(|object| lender.release(object));
        assert_eq!(std::iter::from_fn(|| lender.acquire()).count(), capacity, "one object too many was dropped");
    }

    #[test]
    fn every_pool_keeps_what_it_can_hold() {
        keeps_its_capacity(&Queue::new(5), 5);
        keeps_its_capacity(&Locked::new(5), 5);
        keeps_its_capacity(Local::new(5), 5);
    }
}
