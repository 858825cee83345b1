//! A row under judgement: one subject in one case, with the trials that count and nothing computed twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::schema::histogram::{self, Histogram, HistogramError};
use crate::schema::journal::{CaseHeader, Evidence, Failure, JournalTrial, Outcome, ProcessEvidence, RunHeader, SubjectHeader};
use crate::schema::record::TrialRecord;
use crate::schema::result::TrialPoint;

/// One subject in one case.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) header: &'a RunHeader,
    pub(super) case: &'a CaseHeader,
    pub(super) subject: &'a str,
    pub(super) about: Option<&'a SubjectHeader>,
    /// Counted trials, in time order, with and without a record.
    pub(super) trials: Vec<CountedTrial<'a>>,
    /// Each distribution over all trials, merged once.
    merged: BTreeMap<String, Result<Option<Histogram<u64>>, HistogramError>>,
}

/// One trial that counts.
#[derive(Debug)]
pub(super) struct CountedTrial<'a> {
    pub(super) journal: &'a JournalTrial,
    /// Decoded distributions by id, or why one could not be decoded.
    pub(super) histograms: Result<BTreeMap<String, Histogram<u64>>, HistogramError>,
}

/// A trial with its record, as the guards see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded<'a> {
    pub(super) record: &'a TrialRecord,
    pub(super) evidence: &'a Evidence,
    pub(super) histograms: Option<&'a BTreeMap<String, Histogram<u64>>>,
}

impl<'a> Row<'a> {
    pub(super) fn new(header: &'a RunHeader, case: &'a CaseHeader, subject: &'a str, trials: &'a [JournalTrial]) -> Self {
        let mut counted: Vec<&JournalTrial> =
            trials.iter().filter(|trial| trial.counted && trial.case == case.id && trial.subject == subject).collect();
        counted.sort_by_key(|trial| trial.at_ns);
        let about = header.subjects.iter().find(|about| about.subject == subject);
        let trials: Vec<CountedTrial<'_>> = counted.into_iter().map(CountedTrial::new).collect();
        let decoded = || trials.iter().filter_map(|trial| trial.histograms.as_ref().ok());
        let ids: BTreeSet<&String> = decoded().flat_map(BTreeMap::keys).collect();
        let merged = ids.into_iter().map(|id| (id.clone(), histogram::merge(decoded().filter_map(|all| all.get(id))))).collect();
        Self { header, case, subject, about, trials, merged }
    }

    /// The counted trials that gave a record.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Recorded<'_>> {
        self.trials.iter().filter_map(CountedTrial::recorded)
    }

    /// Causes of the trials without a record.
    pub(super) fn failures(&self) -> impl Iterator<Item = &'a Failure> {
        self.trials.iter().filter_map(|trial| match &trial.journal.outcome {
            Outcome::Failed(failure) | Outcome::Skipped(failure) => Some(failure),
            Outcome::Record(_) => None,
        })
    }

    /// The distribution `id` over all trials; `None` where no trial has it.
    pub(super) fn merged(&self, id: &str) -> Result<Option<&Histogram<u64>>, &HistogramError> {
        self.merged.get(id).map_or(Ok(None), |merged| merged.as_ref().map(Option::as_ref))
    }

    /// CPUs the case was given over all roles, or as many as the host allows where placement is free; at least 1.
    pub(super) fn cpu_count(&self) -> usize {
        let mut cpus: Vec<u32> = self.case.cpus.values().flatten().copied().collect();
        cpus.sort_unstable();
        cpus.dedup();
        if cpus.is_empty() { self.header.host.cpu.allowed.len().max(1) } else { cpus.len() }
    }

    /// The distribution of the case's operations.
    pub(super) fn time_id(&self) -> &'a str {
        super::metrics::time_id(&self.case.primary_metric)
    }

    /// Times, not operations, are what this case is ranked by.
    pub(super) fn is_ranked_by_time(&self) -> bool {
        self.case.primary_metric.starts_with(self.time_id())
    }

    pub(super) fn is_apart(&self) -> bool {
        self.case.endpoints == "apart"
    }

    /// Whether its operations go over connections.
    pub(super) fn has_connections(&self) -> bool {
        let sends_files = || self.case.effective.pointer("/workload/file/mode").is_some_and(|mode| mode == "transfer");
        matches!(self.case.workload.as_str(), "tcp" | "http") || sends_files()
    }

    /// Bytes, not operations, are what this case is ranked by.
    pub(super) fn is_stream(&self) -> bool {
        self.case.primary_metric.starts_with("bytes_per_s")
    }
}

impl<'a> CountedTrial<'a> {
    fn new(journal: &'a JournalTrial) -> Self {
        let histograms = match &journal.outcome {
            Outcome::Record(record) => histogram::decode_all(&record.histograms),
            _ => Ok(BTreeMap::new()),
        };
        Self { journal, histograms }
    }

    pub(super) fn recorded(&self) -> Option<Recorded<'_>> {
        match &self.journal.outcome {
            Outcome::Record(record) => {
                Some(Recorded { record, evidence: &self.journal.evidence, histograms: self.histograms.as_ref().ok() })
            }
            _ => None,
        }
    }

    pub(super) fn point(&self) -> TrialPoint {
        let journal = self.journal;
        let failure = match &journal.outcome {
            Outcome::Record(_) => None,
            Outcome::Failed(failure) | Outcome::Skipped(failure) => Some(format!("{}: {}", failure.class, failure.message)),
        };
        TrialPoint {
            at_ns: journal.at_ns,
            block: journal.block,
            half: journal.half,
            attempt: journal.attempt,
            core_state_ns: core_state(&journal.evidence),
            failure,
        }
    }
}

impl<'a> Recorded<'a> {
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.record.elapsed_ns)
    }

    pub(super) fn errors(&self) -> u64 {
        self.record.work.errors.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The processes whose role is one of `roles`.
    pub(super) fn processes(&self, roles: &'static [&'static str]) -> impl Iterator<Item = &'a ProcessEvidence> {
        self.evidence.processes.iter().filter(move |process| roles.contains(&process.role.as_str()))
    }

    /// CPU time of the measured window by the kernel's account, over the processes of `roles`; `None` unless known for each.
    pub(super) fn window_cpu_ns(&self, roles: &'static [&'static str]) -> Option<u64> {
        let parts: Option<Vec<u64>> = self.processes(roles).map(|process| process.cpu_measure_ns).collect();
        parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
    }
}

/// Every role a process of a trial can have.
pub(super) const ALL_ROLES: &[&str] = &["both", "server", "client"];
/// The roles that belong to the subject under test: an `apart` client is the ceiling's, the same for all.
pub(super) const SUBJECT_ROLES: &[&str] = &["both", "server"];

/// Mean of the readings before and after; one of them where the other is missing.
pub(super) fn core_state(evidence: &Evidence) -> Option<f64> {
    let readings: Vec<f64> =
        [evidence.core_state_before_ns, evidence.core_state_after_ns].into_iter().flatten().filter(|ns| ns.is_finite()).collect();
    (!readings.is_empty()).then(|| readings.iter().sum::<f64>() / readings.len() as f64)
}
