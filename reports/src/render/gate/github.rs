//! A job of GitHub Actions: workflow commands that become annotations, and the summary of the step.
//!
//! A step shows at most ten annotations of a kind and drops the rest without a word, so the last place is kept for the count of what has
//! none. Commands are read on standard output alone; the command that runs the gate writes them there.

use super::view::{self, word};
use super::{markdown, words};
use crate::schema::gate::{GateResult, GateVerdict};
use crate::units::grouped;

/// Annotations of one kind that a step shows.
pub const ANNOTATIONS_MAX: usize = 10;
/// Longest summary of a step, in bytes: 1 MiB.
pub const SUMMARY_MAX: usize = 1 << 20;

/// An annotation before it is escaped.
struct Annotation {
    title: String,
    message: String,
}

/// Workflow commands, one a line, errors first: what fails the gate is an error, what could not be decided a warning.
pub fn annotations(result: &GateResult) -> String {
    let mut errors = of_rows(result, GateVerdict::Worse);
    errors.extend(
        result
            .thresholds
            .iter()
            .filter(|threshold| threshold.fails)
            .map(|threshold| Annotation { title: format!("threshold: {}", threshold.case), message: words::threshold(threshold) }),
    );
    errors.extend(of_rows(result, GateVerdict::Invalid));
    if errors.is_empty() && result.outcome.exit_code != crate::exit::PASSED {
        errors.push(Annotation { title: format!("gate: {}", result.outcome.word.name()), message: result.outcome.line.clone() });
    }
    let mut warnings = of_rows(result, GateVerdict::Inconclusive);
    warnings.extend(words::notes(result).into_iter().map(|message| Annotation { title: "gate: note".into(), message }));
    commands("error", errors) + &commands("warning", warnings)
}

/// The summary of the step, to be appended to the file that `$GITHUB_STEP_SUMMARY` names.
pub fn summary(result: &GateResult) -> String {
    markdown::render_within(result, SUMMARY_MAX)
}

fn of_rows(result: &GateResult, verdict: GateVerdict) -> Vec<Annotation> {
    let annotation = |row| {
        let reason = view::reason(row).map_or_else(String::new, |reason| format!("; {reason}"));
        Annotation { title: format!("{}: {}", word(verdict), view::name(result, row)), message: format!("{}{reason}", view::line(row)) }
    };
    view::rows_of(result, verdict).into_iter().map(annotation).collect()
}

fn commands(kind: &str, mut annotations: Vec<Annotation>) -> String {
    if annotations.len() > ANNOTATIONS_MAX {
        let more = annotations.len() - (ANNOTATIONS_MAX - 1);
        annotations.truncate(ANNOTATIONS_MAX - 1);
        let message = format!("… {} more of this kind; the summary of the step has them all", grouped(more as u64));
        annotations.push(Annotation { title: "gate: not shown".into(), message });
    }
    let line = |annotation: &Annotation| format!("::{kind} title={}::{}\n", property(&annotation.title), data(&annotation.message));
    annotations.iter().map(line).collect()
}

/// Text for the message of a command: it cannot end its line, and a per cent sign is one.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text for a property of a command: what separates properties is escaped too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_is_escaped_once() {
        assert_eq!(property("a:b,c 5 %\r\nd"), "a%3Ab%2Cc 5 %25%0D%0Ad");
        assert_eq!(data("a:b,c %3A\n"), "a:b,c %253A%0A");
    }
}
