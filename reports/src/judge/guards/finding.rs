//! What one guard found, and how the findings of several trials become one.

use super::super::row::{Recorded, Row};
use crate::schema::validity::{Check, CheckState};

/// The outcome of a guard before it has its id.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) state: CheckState,
    pub(super) detail: String,
    observed: Option<f64>,
    limit: Option<f64>,
}

impl Finding {
    pub(super) fn new(state: CheckState, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into(), observed: None, limit: None }
    }

    pub(super) fn pass(detail: impl Into<String>) -> Self {
        Self::new(CheckState::Pass, detail)
    }

    pub(super) fn skipped(detail: impl Into<String>) -> Self {
        Self::new(CheckState::Skipped, detail)
    }

    pub(super) fn suspect(detail: impl Into<String>) -> Self {
        Self::new(CheckState::Suspect, detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(CheckState::Invalid, detail)
    }

    /// The same, as a doubt.
    pub(super) fn softened(self) -> Self {
        Self { state: CheckState::Suspect, ..self }
    }

    /// With what was seen and what was allowed, in the unit that the detail names.
    pub(super) fn with(mut self, observed: f64, limit: f64) -> Self {
        self.observed = Some(observed).filter(|value| value.is_finite());
        self.limit = Some(limit).filter(|value| value.is_finite());
        self
    }

    pub(super) fn into_check(self, id: &str) -> Check {
        Check { id: id.into(), state: self.state, detail: self.detail, observed: self.observed, limit: self.limit }
    }
}

/// The worst finding over the trials with a record, saying in how many of them it holds.
pub(super) fn worst_trial(row: &Row<'_>, guard: impl Fn(&Recorded<'_>) -> Finding) -> Finding {
    let findings: Vec<Finding> = row.recorded().map(|trial| guard(&trial)).collect();
    let Some(worst) = findings.iter().map(|finding| finding.state).max() else {
        return Finding::skipped("no trial gave a record");
    };
    let count = findings.iter().filter(|finding| finding.state == worst).count();
    let mut finding = findings.iter().find(|finding| finding.state == worst).cloned().unwrap_or_else(|| Finding::pass(""));
    if worst > CheckState::Skipped && findings.len() > 1 {
        finding.detail.push_str(&format!(" ({count} of {} trials)", findings.len()));
    }
    finding
}
