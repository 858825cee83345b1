//! Everything a gate knows before its first trial: sides, cases, rows, host.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zokio_report::schema::gate::{GateBase, GateBaseKind, GateSide};
use zokio_report::schema::host::HostProfile;
use zokio_report::schema::journal::{RunHeader, SubjectHeader};
use zokio_report::schema::result::SuiteInfo;

use super::arguments::GateArgs;
use super::sides::CANDIDATE;
use crate::error::CommandError;
use crate::host::{self, build};
use crate::measure::calibrate::calibrate;
use crate::orchestrate::gate::sides::Side;
use crate::orchestrate::identity;
use crate::orchestrate::placement::allowed_cpus;
use crate::orchestrate::preflight;
use crate::plan::{GateCase, gate_cases, needs};
use crate::scenario::{Suite, sha256};

/// The cases of all suites, and which suite each is of.
pub struct Cases {
    /// The suites.
    pub suites: Vec<Suite>,
    /// The cases.
    pub cases: Vec<GateCase>,
    /// For each case the place of its suite.
    pub suite_of: Vec<usize>,
    /// What the user should know of them.
    pub notes: Vec<String>,
}

impl Cases {
    /// The gated cases of these suites, with the sides as their subjects.
    ///
    /// # Errors
    /// Nothing to gate, two cases of one id, or a host that is too small.
    pub fn of(suites: Vec<Suite>, sides: &[String], seed: u64) -> Result<Self, CommandError> {
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

/// A base: what is told of it, and how it is started; a stored one is not.
#[derive(Clone, Debug)]
pub struct Base {
    /// For the result.
    pub about: GateBase,
    /// To be started.
    pub side: Side,
    /// The same source in other code layouts.
    pub layouts: Vec<Side>,
}

/// What the result says of an executable the user gave.
pub fn about(side: &Side, source: &str, subject: &str, binary_sha256: Option<String>) -> Result<GateSide, CommandError> {
    let entry = side.entry(subject).map_err(|failure| CommandError::could_not_run(failure.message, "name the subject: PATH#SUBJECT"))?;
    let build = entry.description.build;
    Ok(GateSide {
        source: source.to_owned(),
        subject: entry.description.name,
        version: entry.description.version,
        binary_sha256: binary_sha256.or_else(|| build.binary_sha256.clone()),
        build,
        ..GateSide::default()
    })
}

/// Whether the base is the candidate: the same file, and the same subject in it.
pub fn is_identical(base: &GateSide, candidate: &GateSide) -> bool {
    base.binary_sha256.is_some() && base.binary_sha256 == candidate.binary_sha256 && base.subject == candidate.subject
}

/// A base that was given as a file.
pub fn base(name: String, kind: GateBaseKind, side: GateSide, candidate: &GateSide, measure_identical: bool) -> GateBase {
    let identical = !measure_identical && is_identical(&side, candidate);
    GateBase { name, kind, side, identical, layouts: None, unlike: Vec::new() }
}

/// The host, and the bounds measured on it.
pub struct Here {
    /// The profile.
    pub host: HostProfile,
    /// The bounds.
    pub calibration: BTreeMap<String, Option<f64>>,
}

impl Here {
    /// Looks at the host; takes a second.
    pub fn look() -> Self {
        let (mut host, calibration) = (host::profile(), calibrate());
        host.notes.extend(calibration.cut);
        Self { host, calibration: calibration.bounds }
    }
}

/// The journal's first line: the cases with candidate and bases as their subjects.
pub fn header(all: &Cases, candidate: &GateSide, bases: &[Base], here: &Here, seed: u64, arguments: &GateArgs) -> RunHeader {
    let now = Timestamp::now();
    let subject = |label: &str, side: &GateSide| SubjectHeader {
        subject: label.into(),
        version: side.version.clone(),
        build: side.build.clone(),
    };
    let mut subjects = vec![subject(CANDIDATE, candidate)];
    subjects.extend(bases.iter().map(|base| subject(&base.about.name, &base.about.side)));
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
