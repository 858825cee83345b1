//! What a gate compares, built: a revision, the working tree, and the same program in other code layouts.
//!
//! ```text
//!  --base-rev REV ──▶ revision ──▶ Snapshot ─┐  write out   cargo build    ┌─▶ Built: executable, sha256
//!  files as they are ▶ (a git tree) ─────────┴▶ cache/tree ─────────────▶ bin/KEY ─┬─▶ layout: relinked, functions shuffled
//!  --base-bin PATH[#SUBJECT] ───────────────────────────────────────────▶ identity ┴─▶ GateSide, for the result
//! ```
//!
//! Both sides are built in the same folder, by the same compiler, with the same flags, and no fact about the commit gets into the
//! executable. So two trees that differ only in what is not compiled give the same bytes, and there is nothing to measure; what differs, differs in
//! code. The candidate is never an executable that happens to lie in `target/`.
//!
//! Two executables of different code differ in where their functions lie too, and that alone can cost per cents. The [`layout`]s of
//! the base are the same object code in other orders: measured against the base, they tell how much of a difference is no more than that.
//!
//! Where next: [`revision`] for what is compared, [`build`] for how it is made, [`layout`], [`cache`] for where it is kept.

pub mod build;
pub mod cache;
pub mod child;
pub mod git;
pub mod identity;
pub mod layout;
pub mod revision;
pub mod toolchain;

pub use build::{Baseline, Built, Options};
pub use layout::Layouts;
