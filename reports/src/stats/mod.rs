//! Statistics: slices in, numbers out, `None` where too little was measured for a number.
//!
//! | question | answer |
//! |---|---|
//! | where is the middle? | [`quantile::median`] |
//! | how sure is that? | [`interval::median_interval`]: order statistics, no shape assumed |
//! | do two subjects differ? | [`wilcoxon::signed_rank`] on paired log ratios, exact at every n |
//! | and over a whole table? | [`holm::adjusted`] |
//! | what do more workers bring? | [`usl::fit`]: contention and coherency, with intervals from [`bootstrap::intervals`] |
//! | does something grow? | [`slope::slope`]: least squares, within one trial |
//!
//! No number of a run is a mean over trials, and nothing between trials is taken for normal: the noise of shared hosts is one-sided and
//! comes in bursts, and means of it lose power as more is measured.

pub mod bootstrap;
pub mod holm;
pub mod interval;
pub mod quantile;
pub(crate) mod random;
pub mod slope;
pub mod usl;
pub mod wilcoxon;

#[cfg(test)]
mod simulation;
