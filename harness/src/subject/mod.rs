//! Subjects: what is measured, and how the orchestrator talks to it.
//!
//! A *subject* is any executable that answers the [`protocol`]. This binary holds four: [`zokio`], [`tokio`] in two layouts, and
//! the [`ceiling`] without any runtime. [`serve`] is the side inside the trial, [`spawn`] the side outside.

pub mod ceiling;
pub mod protocol;
pub mod serve;
pub mod spawn;
pub mod tokio;
pub mod zokio;

/// The subjects of this executable, in the order of comparison.
pub fn registry() -> Vec<&'static dyn serve::Subject> {
    Vec::new()
}
