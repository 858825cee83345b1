//! Pairs of trials for a gate: base and candidate next to each other, in an order that a drift cannot favour.
//!
//! ```text
//!  block 0: A B │ B A      block 1: B A │ A B      …      a random bit of the seed chooses which
//!           pair  pair              pair  pair            A: the base, B: the candidate
//! ```
//! A block has one pair in each order, so a steady drift, or a second trial that is always slower, adds to one pair what it takes from the
//! other. Both trials of a pair have one seed: they do the same work. No pair is dropped and none repeated.
//!
//! Where next: [`sides`] for what is compared, [`pairs`] for the trials of a block.

pub mod contest;
pub mod layout;
pub mod pairs;
pub mod sides;
