//! The table a person reads after a run: one per case, then what was lost, what that means, and the exit code.
//!
//! Without colour everything is plain ASCII (`us`, `+-`, `x`), so a log or a serial console shows it as it is. Suspect rows are struck
//! through in colour and marked `~` without; invalid ones are marked `!` and give their reason instead of a verdict.

mod compare;
pub(super) mod paint;
mod rows;
mod scaling;
mod summary;
pub(super) mod table;

use crate::schema::compare::CompareResult;
use crate::schema::host::HostProfile;
use crate::schema::result::{CaseResult, RunResult};
use crate::schema::validity::ValidityState;

use self::paint::Paint;
use super::{stress, view};

/// The whole report for a terminal of `width` columns.
///
/// The last line states `result.verdict.exit_code`; a caller with `--strict` sets it to what it will exit with.
pub fn render(result: &RunResult, color: bool, width: usize) -> String {
    let paint = Paint::new(color, width);
    let title = paint.wrapped(&view::printable(&format!("{}: {}", result.suite.name, result.suite.question)), 0);
    let mut lines: Vec<String> = title.iter().map(|line| paint.strong(line)).collect();
    lines.extend(paint.wrapped(&view::printable(&host_line(&result.host)), 0));
    lines.push(String::new());
    for case in &result.cases {
        lines.extend(case_lines(case, &paint));
    }
    lines.extend(scaling::lines(result, &paint));
    lines.extend(summary::lines(result, &paint));
    paint.text(&lines)
}

/// Two sides of a comparison for a terminal of `width` columns.
pub fn compare(compared: &CompareResult, color: bool, width: usize) -> String {
    let paint = Paint::new(color, width);
    paint.text(&compare::lines(compared, &paint))
}

/// The host in one line.
pub(super) fn host_line(host: &HostProfile) -> String {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    format!(
        "{}, {} CPUs, kernel {}, virt {}",
        known(&host.cpu.model),
        host.cpu.allowed.len(),
        known(&host.kernel.release),
        known(&host.virt)
    )
}

fn case_lines(case: &CaseResult, paint: &Paint) -> Vec<String> {
    let conditions = view::conditions(case);
    let fits = case.id.chars().count() + 2 + conditions.chars().count() <= paint.width;
    let mut lines = if fits {
        vec![format!("{}  {conditions}", paint.strong(&case.id))]
    } else {
        [vec![paint.strong(&case.id)], paint.wrapped(&format!("  {conditions}"), 4)].concat()
    };
    lines.extend(rows::lines(case, paint));
    for row in case.subjects.iter().filter(|row| row.validity.state != ValidityState::Valid) {
        let reason = view::printable(row.validity.reason.as_deref().unwrap_or(""));
        let state = format!("{:?}", row.validity.state).to_lowercase();
        lines.extend(paint.wrapped(&format!("  {} is {state}: {reason}", row.subject), 4));
    }
    for (name, comparison) in view::headlines(case) {
        let ratio = comparison.ratio.map_or_else(|| crate::units::ABSENT.into(), |ratio| crate::units::Ratio(ratio).to_string());
        lines.push(format!("  {} / {name}: {ratio} {}", comparison.subject, paint.verdict(view::verdict(comparison.verdict))));
    }
    for line in stress::lines(case) {
        lines.extend(paint.wrapped(&format!("  {}", view::printable(&line)), 4));
    }
    for target in &case.targets {
        let figure = if target.comparable { String::new() } else { format!(" {}", view::target_figure(case, target)) };
        lines.extend(paint.wrapped(&format!("  target{figure}: {}; {}", view::target_outcome(target), view::printable(&target.source)), 4));
    }
    for threshold in case.thresholds.iter().filter(|threshold| threshold.passed != Some(true)) {
        lines.extend(paint.wrapped(&format!("  threshold: {}", view::threshold_line(threshold)), 4));
    }
    lines.push(String::new());
    lines
}
