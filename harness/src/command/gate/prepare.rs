//! Everything a gate knows before its first trial: sides, cases, rows, host.

use jiff::Timestamp;
use zokio_report::schema::gate::GateSide;
use zokio_report::schema::journal::{RunHeader, SubjectHeader};
use zokio_report::schema::result::SuiteInfo;

use super::arguments::GateArgs;
use super::sides::{CANDIDATE, Sides};
use crate::command::here::Here;
use crate::error::CommandError;
use crate::host::build;
use crate::orchestrate::identity;
use crate::orchestrate::placement::allowed_cpus;
use crate::orchestrate::preflight;
use crate::plan::{GateCase, gate_cases, needs};
use crate::scenario::{Suite, sha256};

/// The cases of all suites, and which suite each is of.
pub(super) struct Cases {
    /// The suites.
    pub(super) suites: Vec<Suite>,
    /// The cases.
    pub(super) cases: Vec<GateCase>,
    /// For each case the place of its suite.
    pub(super) suite_of: Vec<usize>,
    /// What the user should know of them.
    pub(super) notes: Vec<String>,
}

impl Cases {
    /// The gated cases of these suites, with the sides as their subjects.
    ///
    /// # Errors
    /// Nothing to gate, two cases of one id, or a host that is too small.
    pub(super) fn of(suites: Vec<Suite>, sides: &[String], seed: u64) -> Result<Self, CommandError> {
        let allowed = allowed_cpus();
        let mut all = Self { suites, cases: Vec::new(), suite_of: Vec::new(), notes: Vec::new() };
        for (place, suite) in all.suites.iter().enumerate() {
            let cases = gate_cases(suite, &allowed, sides, &mut all.notes).map_err(super::super::run::plan_error)?;
            all.suite_of.extend(cases.iter().map(|_| place));
            all.cases.extend(cases);
        }
        let id = |case: &GateCase| case.case.header.id.clone();
        let twice = all.cases.iter().enumerate().find(|(place, case)| all.cases[..*place].iter().any(|other| id(other) == id(case)));
        if let Some((_, case)) = twice {
            return Err(CommandError::usage(format!("two of the suites have a case `{}`", id(case)), "gate them one after the other"));
        }
        if all.cases.is_empty() {
            return Err(CommandError::usage("no scenario here is gated", "see `[scenario.gate]`: enabled = false leaves one out"));
        }
        all.notes.extend(preflight::check_host(&needs(&all.cases, allowed.len(), seed))?);
        Ok(all)
    }

    /// What the journal and the result call the suites together.
    fn info(&self) -> SuiteInfo {
        let infos: Vec<SuiteInfo> = self.suites.iter().map(Suite::info).collect();
        if let [only] = infos.as_slice() {
            return only.clone();
        }
        let join = |part: fn(&SuiteInfo) -> &str, by: &str| infos.iter().map(part).collect::<Vec<_>>().join(by);
        SuiteInfo {
            name: join(|info| &info.name, "-"),
            question: join(|info| &info.question, " "),
            file: join(|info| &info.file, ","),
            sha256: sha256(join(|info| &info.sha256, "").as_bytes()),
        }
    }
}

/// The journal's first line: the cases with candidate and bases as their subjects.
pub(super) fn header(all: &Cases, sides: &Sides, here: &Here, seed: u64, arguments: &GateArgs) -> RunHeader {
    let now = Timestamp::now();
    let subject =
        |label: &str, side: &GateSide| SubjectHeader { subject: label.into(), version: side.version.clone(), build: side.build.clone() };
    let mut subjects = vec![subject(CANDIDATE, &sides.about)];
    subjects.extend(sides.bases.iter().map(|base| subject(&base.about.name, &base.about.side)));
    RunHeader {
        run_id: format!("{}-{:06x}", now.strftime("%Y%m%dT%H%M%SZ"), seed & 0xff_ffff),
        started_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seed,
        command: identity::command_line(std::env::args_os().map(|word| word.to_string_lossy().into_owned()), arguments.with_identity),
        quick: false,
        tool: build::tool_info(),
        suite: all.info(),
        host: here.host.clone(),
        calibration: here.calibration.clone(),
        cases: all.cases.iter().map(|case| case.case.header.clone()).collect(),
        subjects,
    }
}
