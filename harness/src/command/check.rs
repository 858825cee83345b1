//! `check FILE…`: judges scenarios without running them.

use std::io::Write;

use zokio_report::exit;

use crate::orchestrate::placement::allowed_cpus;
use crate::plan::{PlanOptions, estimate};
use crate::scenario::{self, CaseSpec, Suite};

use super::list::minutes;

/// Judges each file or built-in name, with `sets` applied to each; cases, estimate and `ok` to stdout, mistakes to stderr.
///
/// Exit code 0 when all are good, 2 otherwise; every file is judged, whatever the first one holds.
pub fn run(files: &[String], sets: &[String]) -> u8 {
    report(files, sets, &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
}

/// [`run`], into any two writers. A reader that goes away does not change the judgement.
pub(crate) fn report(files: &[String], sets: &[String], out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    if files.is_empty() {
        let _ = writeln!(
            err,
            "error: no scenario to check\n  = help: name files, or built-in scenarios: {}",
            scenario::builtin_names().join(", ")
        );
        return exit::USAGE;
    }
    let mut code = exit::PASSED;
    for file in files {
        match scenario::load(file, sets) {
            Ok(suite) => {
                let _ = out.write_all(good(file, &suite).as_bytes());
            }
            Err(found) => {
                code = exit::USAGE;
                let _ = err.write_all(scenario::render(&found).as_bytes());
                let _ = writeln!(
                    err,
                    "{file}: {}",
                    if found.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", found.len()) }
                );
            }
        }
    }
    code
}

fn good(file: &str, suite: &Suite) -> String {
    let cpus = allowed_cpus().len();
    let full = estimate(suite, cpus, &PlanOptions::default());
    let quick = estimate(suite, cpus, &PlanOptions { quick: true, ..PlanOptions::default() });
    let mut text = format!("{}: {}\n", suite.name, suite.question);
    let width = suite.cases.iter().map(|case| case.id.len()).max().unwrap_or(0);
    for case in &suite.cases {
        text += &format!("  {:width$}  {}\n", case.id, words(case));
    }
    text += &format!("{} cases, about {}, with --quick about {}\n{file}: ok\n", suite.cases.len(), minutes(full), minutes(quick));
    text
}

/// What a case does, in a few words.
fn words(case: &CaseSpec) -> String {
    let role = if case.role == zokio_report::schema::journal::CaseRole::Control { "control, " } else { "" };
    format!(
        "{role}{}, {}, {} × {} trials: {}",
        case.primary_metric,
        case.placement.endpoints(),
        case.subjects.len(),
        case.trials,
        case.subjects.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(files: &[&str], sets: &[&str]) -> (u8, String, String) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = report(&owned(files), &owned(sets), &mut out, &mut err);
        (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    }

    #[test]
    fn a_good_scenario_shows_its_cases_its_time_and_ok_and_nothing_on_stderr() {
        let (code, out, err) = checked(&["tcp"], &[]);
        assert_eq!((code, err.as_str()), (exit::PASSED, ""));
        assert!(out.contains("tcp-rr/load.closed.users=64    round_trips_per_s, together, 4 × 104 trials"), "{out}");
        assert!(out.contains("9 cases, about ") && out.ends_with("tcp: ok\n"), "{out}");
    }

    #[test]
    fn every_file_is_judged_and_one_bad_one_is_enough_for_exit_2() {
        let (code, out, err) = checked(&["no-such-scenario", "tcp"], &[]);
        assert_eq!(code, exit::USAGE);
        assert!(out.ends_with("tcp: ok\n") && err.contains("no scenario `no-such-scenario`"), "{out}{err}");
        assert!(err.ends_with("no-such-scenario: 1 mistake\n"));
        let (code, _, err) = checked(&["tcp"], &["scenario.tcp-rr.tcp.mod=rr", "scenario.tcp-crr.run.trials=0"]);
        assert!(code == exit::USAGE && err.ends_with("tcp: 2 mistakes\n"), "{err}");
        assert_eq!(checked(&[], &[]).0, exit::USAGE);
    }
}
