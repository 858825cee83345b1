//! What is shown: a result in, text out; nothing is computed here that the result does not hold.
//!
//! | for | module |
//! |---|---|
//! | machines | [`json`], [`csv`], [`junit`] |
//! | a person at a terminal | [`terminal`] |
//! | a pull request | [`markdown`] |
//! | two results side by side | [`compare`], [`terminal::compare`] |
//! | everybody else | [`html`]: one file, no network |
//! | who changed the code: what a gate found | [`gate`] |
//! | readers of the Zokio performance guide | [`guide`]: its rows, and what honest work of the kind gives |
//!
//! All of them show the same rows in the same words, from `view`. What was lost comes first, everywhere.

pub mod compare;
pub mod csv;
pub mod gate;
pub mod guide;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod plot;
mod scaling;
mod stress;
pub mod terminal;
mod view;

#[cfg(test)]
mod tests;
