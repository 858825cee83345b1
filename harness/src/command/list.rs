//! `list`: built-in scenarios, subjects, metrics.

use crate::orchestrate::placement::allowed_cpus;
use crate::orchestrate::progress::short_time;
use std::io::Write;
use std::time::Duration;

use zokio_report::exit;
use zokio_report::schema::result::Better;

use crate::plan::{PlanOptions, estimate};
use crate::scenario;
use crate::subject::protocol::SubjectDescription;

/// Prints what there is to run, on what, and what it measures. `subjects`: those found, with what each said of itself.
pub fn run(subjects: &[SubjectDescription]) -> u8 {
    report(subjects, &mut std::io::stdout().lock())
}

/// [`run`], into any writer.
pub(crate) fn report(subjects: &[SubjectDescription], out: &mut dyn Write) -> u8 {
    let _ = out.write_all(text(subjects).as_bytes());
    exit::PASSED
}

fn text(subjects: &[SubjectDescription]) -> String {
    let mut text = String::from("scenarios (`run NAME`)\n");
    let cpus = allowed_cpus().len();
    for name in scenario::builtin_names() {
        let suite = scenario::load_builtin(name);
        let full = estimate(&suite, cpus, &PlanOptions::default());
        let quick = estimate(&suite, cpus, &PlanOptions { quick: true, ..PlanOptions::default() });
        text += &format!("  {name:12}  {}\n", suite.question);
        text += &format!("  {:12}  {} cases, about {}, with --quick about {}\n", "", suite.cases.len(), minutes(full), minutes(quick));
    }
    text += "\nsubjects (`--subject NAME,…`)\n";
    for subject in subjects {
        text += &format!("  {:12}  {}, runs {}\n", subject.name, subject.version, subject.workloads.join(", "));
    }
    if subjects.is_empty() {
        text += "  none found\n";
    }
    text += "\nmetrics (for thresholds and targets)\n";
    for metric in scenario::metrics() {
        let better = if metric.better == Better::Higher { "higher" } else { "lower" };
        text += &format!("  {:24} {:4} {:6}  {}\n", metric.id, metric.unit, better, metric.meaning);
    }
    text
}

/// `3 min 20 s`, rounded up to whole seconds.
pub(crate) fn minutes(time: Duration) -> String {
    short_time(Duration::from_secs(time.as_millis().div_ceil(1_000) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_never_down() {
        assert_eq!(minutes(Duration::from_millis(1)), "1 s");
        assert_eq!(minutes(Duration::from_secs(120)), "2 min");
        assert_eq!(minutes(Duration::from_millis(200_001)), "3 min 21 s");
    }

    #[test]
    fn the_list_names_every_scenario_with_its_question_and_every_metric() {
        let mut out = Vec::new();
        assert_eq!(report(&[], &mut out), exit::PASSED);
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("tcp           How many round trips"), "{text}");
        assert!(text.contains("service_time_ns_p99") && text.contains("none found"));
    }
}
