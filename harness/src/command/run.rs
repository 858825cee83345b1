//! `run`: from scenario names to a result folder, one suite after the other.
//!
//! ```text
//! subjects, scenarios, options ─▶ plans ─▶ estimate said ─▶ per suite: preflight ─ folder ─ journal ─ trials ─ judge ─ files ─ table
//! ```
//! Everything that can be wrong with the command line is found before the first process is started.

use std::path::PathBuf;

use jiff::Timestamp;
use zokio_report::schema::journal::{JournalLine, JournalTrial, RunEnd, RunHeader};
use zokio_report::schema::result::{RunResult, SuiteInfo};
use zokio_report::{exit, judge};

use super::arguments::{Format, RunArgs};
use super::here::Here;
use super::subjects::roster;
use super::{baseline, report, write};
use crate::error::CommandError;
use crate::host::{self, build};
use crate::orchestrate::journal::Journal;
use crate::orchestrate::output::OutputFolder;
use crate::orchestrate::placement::allowed_cpus;
use crate::orchestrate::progress::{Progress, short_time};
use crate::orchestrate::roster::Roster;
use crate::orchestrate::run::Run;
use crate::orchestrate::{identity, preflight, signals};
use crate::plan::{Plan, PlanError, PlanOptions, plan};
use crate::scenario::{self, Suite};
use crate::subject::spawn::Limits;
use crate::subject::spawn::interrupt::Interrupt;

/// What all suites of one command share.
struct Context<'a> {
    arguments: &'a RunArgs,
    roster: Roster,
    limits: Limits,
    interrupt: Interrupt,
    baseline: Option<RunResult>,
    here: Here,
}

/// Runs the scenarios; the strongest exit code of them.
///
/// # Errors
/// Bad usage or scenarios, a host that lacks something, a result that cannot be written.
pub fn run(arguments: &RunArgs) -> Result<u8, CommandError> {
    let limits = Limits::default();
    let (roster, subjects) = roster(&arguments.subjects, limits.describe)?;
    let suites = load_all(&arguments.scenarios, &arguments.sets)?;
    let plans = plan_all(&suites, arguments, subjects)?;
    let baseline = arguments.baseline.as_deref().map(report::load).transpose()?;
    announce(&suites, &plans);

    let interrupt = Interrupt::default();
    signals::install(&interrupt)
        .map_err(|error| CommandError::could_not_run(format!("cannot watch for Ctrl-C: {error}"), "raise the limit of threads"))?;
    let context = Context { arguments, roster, limits, interrupt, baseline, here: Here::look(host::profile()) };
    let mut codes = Vec::new();
    for (suite, plan) in suites.iter().zip(&plans) {
        if context.interrupt.is_raised() {
            codes.push(exit::INTERRUPTED);
            break;
        }
        let folder = match &arguments.out {
            Some(out) if suites.len() > 1 => Some(out.join(&suite.name)),
            out => out.clone(),
        };
        codes.push(context.run_suite(suite, plan, folder)?);
    }
    Ok(exit::strongest(codes))
}

/// All suites, or the mistakes of all files at once.
pub(super) fn load_all(scenarios: &[String], sets: &[String]) -> Result<Vec<Suite>, CommandError> {
    let (mut suites, mut rendered) = (Vec::new(), String::new());
    for name in scenarios {
        match scenario::load(name, sets) {
            Ok(suite) => suites.push(suite),
            Err(mistakes) => rendered.push_str(&scenario::render(&mistakes)),
        }
    }
    if rendered.is_empty() { Ok(suites) } else { Err(CommandError::Scenario { rendered }) }
}

fn plan_all(suites: &[Suite], arguments: &RunArgs, subjects: Option<Vec<String>>) -> Result<Vec<Plan>, CommandError> {
    let allowed_cpus = allowed_cpus();
    let options = PlanOptions { seed: arguments.seed, quick: arguments.quick, trials: arguments.trials, subjects };
    suites.iter().map(|suite| plan(suite, &allowed_cpus, &options).map_err(plan_error)).collect()
}

/// A plan that cannot be made, as the user sees it.
pub(super) fn plan_error(error: PlanError) -> CommandError {
    let (message, help) = (error.to_string(), Some(error.help()));
    if error.exit_code() == exit::USAGE { CommandError::Usage { message, help } } else { CommandError::CouldNotRun { message, help } }
}

/// What will run, and how long it will take, before it starts.
fn announce(suites: &[Suite], plans: &[Plan]) {
    for (suite, plan) in suites.iter().zip(plans) {
        eprintln!("{}: {}", suite.name, suite.question);
        let (cases, trials) = (plan.cases.len(), plan.trials.len());
        eprintln!("{cases} cases, {trials} trials, about {}, seed {}", short_time(plan.estimate), plan.seed);
        plan.notes.iter().for_each(|note| eprintln!("note: {note}"));
    }
    if plans.len() > 1 {
        eprintln!("{} suites, about {} together", plans.len(), short_time(plans.iter().map(|plan| plan.estimate).sum()));
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build; its numbers say nothing");
    }
}

impl Context<'_> {
    fn run_suite(&self, suite: &Suite, plan: &Plan, folder: Option<PathBuf>) -> Result<u8, CommandError> {
        let header = self.header(suite, plan);
        let notes = preflight::check_host(plan)?;
        notes.iter().for_each(|note| eprintln!("{note}"));
        let output = OutputFolder::create(folder.as_deref(), &suite.name, &header.run_id)?;
        if let Err(refusal) = preflight::check_space(output.path(), plan) {
            output.discard();
            return Err(refusal.into());
        }
        let mut journal = Journal::create(&output.journal())?;
        journal.append(&JournalLine::Header(Box::new(header.clone())))?;
        let (trials, end) = self.measure(plan, &output, &mut journal)?;
        drop(journal);
        self.conclude(&header, &trials, &end, &output)
    }

    fn header(&self, suite: &Suite, plan: &Plan) -> RunHeader {
        let now = Timestamp::now();
        let mut subjects: Vec<String> = plan.cases.iter().flat_map(|case| case.header.subjects.iter().cloned()).collect();
        let mut seen = std::collections::BTreeSet::new();
        subjects.retain(|subject| seen.insert(subject.clone()));
        RunHeader {
            run_id: format!("{}-{:06x}", now.strftime("%Y%m%dT%H%M%SZ"), plan.seed & 0xff_ffff),
            started_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seed: plan.seed,
            command: identity::command_line(
                std::env::args_os().map(|word| word.to_string_lossy().into_owned()),
                self.arguments.with_identity,
            ),
            quick: self.arguments.quick,
            tool: build::tool_info(),
            suite: SuiteInfo {
                name: suite.name.clone(),
                question: suite.question.clone(),
                file: suite.file.clone(),
                sha256: suite.sha256.clone(),
            },
            host: self.here.host.clone(),
            calibration: self.here.calibration.clone(),
            cases: plan.cases.iter().map(|case| case.header.clone()).collect(),
            subjects: self.roster.headers(&subjects),
        }
    }

    fn measure(&self, plan: &Plan, output: &OutputFolder, journal: &mut Journal) -> Result<(Vec<JournalTrial>, RunEnd), CommandError> {
        let run = Run {
            plan,
            roster: &self.roster,
            stderr_folder: &output.stderr(),
            limits: self.limits,
            interrupt: &self.interrupt,
            core_state: &host::noise::core_state,
            with_identity: self.arguments.with_identity,
        };
        Ok(run.execute(journal, &mut Progress::new(plan.trials.len()))?)
    }

    fn conclude(&self, header: &RunHeader, trials: &[JournalTrial], end: &RunEnd, output: &OutputFolder) -> Result<u8, CommandError> {
        let result = [judge::summarize(header, trials, Some(end))];
        write::write(Format::Json, &result, output.path())?;
        for &format in self.arguments.formats.iter().filter(|&&format| format != Format::Json) {
            write::write(format, &result, output.path())?;
        }
        let [result] = result;
        write::print(&result);
        if let Some(before) = &self.baseline {
            print!("\n{}", baseline::compare(&result, before));
        }
        if end.interrupted {
            eprintln!("interrupted: the result holds what was measured until then, and is marked as partial");
        }
        eprintln!("result: {}", output.path().display());
        Ok(judge::exit_code(&result, self.arguments.strict, end.interrupted))
    }
}
