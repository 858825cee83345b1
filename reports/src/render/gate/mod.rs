//! What a gate shows: a [`GateResult`](crate::schema::gate::GateResult) in, text out.
//!
//! | for | module |
//! |---|---|
//! | a person at a terminal, or reading the log of a job | [`terminal`] |
//! | a comment on a change | [`markdown`] |
//! | a job of GitHub Actions | [`github`]: annotations, and the summary of the step |
//! | what reads test reports | [`junit`] |
//! | what tracks values over time | [`bmf`] (Bencher), [`gha_json`] (github-action-benchmark) |
//! | everybody else | [`html`]: one file, no network |
//!
//! All of them show the same rows in the same words and the same order, from `view`: what is worse comes first.

pub mod bmf;
pub mod gha_json;
pub mod github;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod terminal;
mod track;
mod view;
mod words;

#[cfg(test)]
mod tests;
