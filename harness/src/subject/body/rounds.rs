//! The rounds of a user that is a task: those that show whether twice the work takes twice as long, then those of the trial.
//!
//! ```text
//!  doubling (first user alone, nothing counts) ──▶ ready ──gate──▶ rounds until the drain, each written down
//! ```

use std::hint::black_box;
use std::sync::Arc;

use super::turns::{Turn, Turns};
use crate::measure::doubling::Pieces;
use crate::measure::tally::Ledger;

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// From 0, one after the other.
    pub number: u64,
    /// How many times the operations of a round of the trial; 1 in the trial itself.
    pub times: u32,
    /// A test wants its damage.
    pub is_damaged: bool,
}

/// The rounds of one user, one after the other.
#[derive(Debug)]
pub struct Rounds<'a> {
    control: &'a Arc<Ledger>,
    user: u32,
    pieces: Option<Pieces<'a>>,
    /// Rounds of the piece under way that are still to do.
    left: u64,
    is_long: bool,
    number: u64,
    is_ready: bool,
    has_trial: bool,
    turns: Turns,
    turn: Option<Turn>,
}

impl<'a> Rounds<'a> {
    /// Of a user whose operations are calls: a piece of the doubling is as many rounds.
    pub fn new(control: &'a Arc<Ledger>, user: u32) -> Self {
        let pieces = Some(control.doubling(user));
        let turns = Turns::new(control, user);
        Self { control, user, pieces, left: 0, is_long: false, number: 0, is_ready: false, has_trial: true, turns, turn: None }
    }

    /// Of a user whose operations are turns of a loop: a piece of the doubling is one round of as many times the operations.
    pub fn long(control: &'a Arc<Ledger>, user: u32) -> Self {
        Self { is_long: true, ..Self::new(control, user) }
    }

    /// The doubling alone, for a thread that becomes ready by itself.
    pub fn doubling(control: &'a Arc<Ledger>, user: u32) -> Self {
        Self { has_trial: false, ..Self::long(control, user) }
    }

    /// The trial alone, for a thread that has been through the gate.
    pub fn trial(control: &'a Arc<Ledger>, user: u32) -> Self {
        Self { pieces: None, is_ready: true, ..Self::long(control, user) }
    }

    /// The next round; says that the user is ready, and waits for the start, when the trial begins.
    pub async fn next(&mut self) -> Option<Round> {
        if let Some(times) = self.of_doubling() {
            return Some(self.round(times, false));
        }
        if !self.has_trial {
            return None;
        }
        if !self.is_ready {
            self.is_ready = true;
            self.control.user_ready();
            self.control.gate().wait().await;
        }
        self.turn = Some(self.turns.next().await?);
        let is_damaged = self.control.takes_corruption(self.user);
        Some(self.round(1, is_damaged))
    }

    fn of_doubling(&mut self) -> Option<u32> {
        let pieces = self.pieces.as_mut()?;
        if self.left == 0 {
            let Some(rounds) = pieces.next() else {
                self.pieces = None;
                return None;
            };
            if self.is_long {
                return Some(u32::try_from(rounds).unwrap_or(u32::MAX));
            }
            self.left = rounds;
        }
        self.left -= 1;
        Some(1)
    }

    fn round(&mut self, times: u32, is_damaged: bool) -> Round {
        self.number += 1;
        Round { number: self.number - 1, times, is_damaged }
    }

    /// The round has ended; it is written down unless it belongs to the doubling.
    #[inline]
    pub fn end(&self, is_right: bool, operations: u64) {
        match self.turn {
            Some(turn) => self.turns.ended_round(turn, is_right, operations),
            None => {
                black_box(is_right);
            }
        }
    }
}
