//! `ping-pong` without a runtime: both sides on one thread.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::executor::Executor;
use super::tasks::in_rounds;
use crate::measure::tally::Ledger;
use crate::workload::scheduling::{ExpectedSum, answer, question};

/// Who is ready.
#[derive(Clone, Copy)]
enum Side {
    Asks,
    Answers,
}

/// Two sides that stay, a slot each way, a queue of who is ready.
pub(super) fn two_slots(control: &Arc<Ledger>, users: Range<u32>, repeat: u32) {
    let expected = ExpectedSum::of(repeat);
    let mut ready = VecDeque::with_capacity(2);
    in_rounds(control, users, repeat, |round, is_damaged| {
        let (mut there, mut back) = (None, None);
        let (mut number, mut sum) = (0, Some(0u64));
        ready.push_back(Side::Asks);
        while let Some(side) = black_box(&mut ready).pop_front() {
            match side {
                Side::Asks => {
                    if number > 0 {
                        sum = sum.zip(black_box(&mut back).take()).map(|(sum, answer)| sum.wrapping_add(answer));
                    }
                    if number < repeat {
                        there = Some(question(number, round) ^ u64::from(is_damaged && number == 0));
                        number += 1;
                        ready.push_back(Side::Answers);
                    }
                }
                Side::Answers => {
                    back = black_box(&mut there).take().map(answer);
                    ready.push_back(Side::Asks);
                }
            }
        }
        sum == Some(expected.of_answers(round))
    });
}

/// Both oneshots of a pair.
#[derive(Default)]
struct Slots {
    there: Cell<Option<u64>>,
    back: Cell<Option<u64>>,
}

/// A side of a pair that lives for one round trip.
enum Pair {
    Asks { executor: Rc<Executor<Pair>>, question: u64 },
    Waits(Rc<Slots>),
    Answers(Rc<Slots>),
}

impl Future for Pair {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        match &*self {
            Self::Asks { executor, question } => {
                let slots = Rc::new(Slots::default());
                slots.there.set(Some(black_box(*question)));
                executor.detach(Self::Answers(Rc::clone(&slots)));
                // The executor polls what is pending again at the tail of its queue, behind the partner: that is the wake-up.
                *self = Self::Waits(slots);
                Poll::Pending
            }
            Self::Waits(slots) => black_box(slots).back.take().map_or(Poll::Pending, Poll::Ready),
            Self::Answers(slots) => {
                slots.back.set(black_box(slots).there.take().map(answer));
                Poll::Ready(0)
            }
        }
    }
}

/// A task and its partner for each round trip, all of a round at once.
pub(super) fn pairs(control: &Arc<Ledger>, users: Range<u32>, repeat: u32) {
    let expected = ExpectedSum::of(repeat);
    let executor = Rc::new(Executor::new());
    let mut handles = Vec::with_capacity(repeat as usize);
    in_rounds(control, users, repeat, |round, is_damaged| {
        for number in 0..repeat {
            let question = question(number, round) ^ u64::from(is_damaged && number == 0);
            handles.push(executor.spawn(Pair::Asks { executor: Rc::clone(&executor), question }));
        }
        executor.run();
        let mut sum = Some(0u64);
        for handle in handles.drain(..) {
            sum = sum.zip(executor.join(handle)).map(|(sum, value)| sum.wrapping_add(value));
        }
        sum == Some(expected.of_answers(round))
    });
}
