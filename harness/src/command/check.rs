//! `check FILE…`: judges scenarios without running them.

use std::io::Write;

use zokio_report::exit;

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
    let full = estimate(suite, &PlanOptions::default());
    let quick = estimate(suite, &PlanOptions { quick: true, ..PlanOptions::default() });
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
