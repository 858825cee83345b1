//! `gate`: is the candidate slower than its base? Red for a slow-down, green for noise.
//!
//! ```text
//! arguments ─▶ sides (candidate, bases) ─▶ cases × metrics = rows ─▶ pairs, look by look ─▶ verdicts ─▶ outcome ─▶ files, table, last line
//! ```
//! The rule is a pure function in [`zokio_report::judge::gate`]; here stands what feeds it. Standard output ends with one line that begins with
//! `ZOKIO-GATE:`, whatever happens, so that a wrapper which swallows exit codes is noticed.
//!
//! Where next: `sides` for what is compared, `measure` for the pairs, `limits` for what needs no base, `self_test` for the gate of the gate.

pub mod arguments;
mod conclude;
mod limits;
mod measure;
mod prepare;
mod rows;
mod self_test;
mod show;
mod sides;

use std::path::Path;
use std::time::Duration;

use zokio_report::judge::calibration::clock_tick_of;
use zokio_report::judge::hosts::{self, HostSide};
use zokio_report::schema::gate::{GateBase, GateBaseKind, GateResult, GateSide, UnlikeField};
use zokio_report::schema::host::HostProfile;
use zokio_report::schema::journal::{CaseRole, JournalLine, RunEnd};

use self::arguments::{GateArgs, OnUnlike};
use self::limits::Stored;
use self::prepare::Cases;
use self::sides::{Named, Sides};
use super::here::Here;
use super::subjects::{described, own_executable};
use crate::doctor::{self, Facts};
use crate::error::CommandError;
use crate::orchestrate::gate::pairs::{Pairs, Stop};
use crate::orchestrate::gate::sides::Side;
use crate::orchestrate::journal::Journal;
use crate::orchestrate::output::OutputFolder;
use crate::orchestrate::progress::short_time;
use crate::orchestrate::roster::Entry;
use crate::orchestrate::run::CLIENT_SUBJECT;
use crate::orchestrate::signals;
use crate::scenario::Suite;
use crate::subject::spawn::Limits;
use crate::subject::spawn::interrupt::Interrupt;

/// A trial of a gate with its process and what is seen of it.
const TRIAL: Duration = Duration::from_millis(42);

/// Runs the gate; its exit code.
///
/// # Errors
/// Bad usage or scenarios, a host or an executable that lacks something.
pub fn run(arguments: &GateArgs) -> Result<u8, CommandError> {
    let outcome = Start::new(arguments)
        .and_then(|start| if arguments.self_test { self_test::run(&start) } else { start.gate(arguments).map(|result| result.outcome) });
    match outcome {
        Ok(outcome) => {
            println!("{}", outcome.line);
            Ok(outcome.exit_code)
        }
        Err(error) => {
            println!("ZOKIO-GATE: ERROR 0/0, could not run (exit {})", error.exit_code());
            Err(error)
        }
    }
}

/// What holds for the whole command.
struct Start<'a> {
    limits: Limits,
    interrupt: Interrupt,
    host: HostProfile,
    arguments: &'a GateArgs,
}

impl<'a> Start<'a> {
    fn new(arguments: &'a GateArgs) -> Result<Self, CommandError> {
        refuse_debug(arguments.allow_debug)?;
        let interrupt = Interrupt::default();
        signals::install(&interrupt)
            .map_err(|error| CommandError::could_not_run(format!("cannot watch for Ctrl-C: {error}"), "raise the limit of threads"))?;
        let facts = doctor::read();
        refuse_host(&facts, arguments.allow_debug)?;
        Ok(Self { limits: Limits::default(), interrupt, host: facts.profile, arguments })
    }

    fn gate(&self, arguments: &GateArgs) -> Result<GateResult, CommandError> {
        // What makes no sense is refused before anything is built or measured.
        rows::rule(1, arguments)?;
        let suites = super::run::load_all(&arguments.scenarios, &arguments.sets)?;
        let stored = stored(&arguments.baseline)?;
        let subject = first_subject(&suites);
        let taken: Vec<String> = stored.iter().map(|stored| stored.name.clone()).collect();
        let sides = Sides::of(arguments, &subject, &taken, self.limits.describe, &self.interrupt)?;
        let seed = arguments.seed.or(suites[0].seed).unwrap_or(0);
        let all = Cases::of(suites, &sides.labels(), seed)?;
        rows::refuse_unknown(&all.cases, arguments)?;
        let gated = rows::rows(&all.cases, sides.bases.iter().filter(|base| !base.about.identical).count(), arguments);
        rows::rule(gated.len(), arguments)?;
        let here = Here::look(self.host.clone());
        let gate = Gate { arguments, limits: self.limits, interrupt: &self.interrupt, sides, seed, all, here };
        gate.announce();
        gate.measure(stored)
    }
}

/// A build whose numbers say nothing cannot say that they got worse.
fn refuse_debug(allowed: bool) -> Result<(), CommandError> {
    if cfg!(debug_assertions) && !allowed {
        return Err(CommandError::could_not_run("a debug build is not gated: its numbers say nothing", "build with --release"));
    }
    Ok(())
}

/// Where a gate's answer would be one about the host, nothing is measured.
fn refuse_host(facts: &Facts, debug_allowed: bool) -> Result<(), CommandError> {
    let mut blocking = doctor::blocking(facts);
    blocking.retain(|check| !(debug_allowed && check.id == "build"));
    let Some(first) = blocking.first() else { return Ok(()) };
    let found: Vec<String> = blocking.iter().map(|check| format!("{}: {}", check.id, check.found)).collect();
    let help = first.mend.clone().unwrap_or_else(|| "`zokio-bench doctor` says more".into());
    Err(CommandError::could_not_run(format!("this host is not fit for a gate: {}", found.join("; ")), help))
}

/// The subject that the first measured scenario names first.
fn first_subject(suites: &[Suite]) -> String {
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    cases.filter(|case| case.role == CaseRole::Measured).find_map(|case| case.subjects.first().cloned()).unwrap_or_default()
}

/// The stored baselines, read before anything is measured.
fn stored(given: &[String]) -> Result<Vec<Stored>, CommandError> {
    let mut stored: Vec<Stored> = Vec::new();
    for text in given {
        let named = sides::named(text);
        let taken: Vec<String> = stored.iter().map(|stored: &Stored| stored.name.clone()).collect();
        let name = sides::label(&Named { name: Some(named.name.unwrap_or("stored")), value: named.value }, false, &taken);
        let result = super::report::load(Path::new(named.value)).map_err(|error| {
            let CommandError::Usage { message, help } = error else { return error };
            CommandError::CouldNotRun { message, help }
        })?;
        stored.push(Stored { name, result });
    }
    Ok(stored)
}

/// A gate that is about to measure.
struct Gate<'a> {
    arguments: &'a GateArgs,
    limits: Limits,
    interrupt: &'a Interrupt,
    sides: Sides,
    seed: u64,
    all: Cases,
    here: Here,
}

impl Gate<'_> {
    fn announce(&self) {
        let (cases, bases) = (self.all.cases.len(), self.sides.bases.iter().filter(|base| !base.about.identical).count());
        let looks = &self.arguments.looks;
        let trials = |pairs: Option<&u32>| TRIAL * pairs.copied().unwrap_or(0) * 2 * u32::try_from(cases * bases).unwrap_or(u32::MAX);
        if bases > 0 {
            let (least, most) = (short_time(trials(looks.first())), short_time(trials(looks.last())));
            eprintln!("gate: {cases} cases against {bases} bases, {least} to {most}, seed {}", self.seed);
        }
        self.all.notes.iter().for_each(|note| eprintln!("note: {note}"));
    }

    fn measure(&self, stored: Vec<Stored>) -> Result<GateResult, CommandError> {
        let (stored, unlike) = self.like_this_host(stored)?;
        let header = prepare::header(&self.all, &self.sides, &self.here, self.seed, self.arguments);
        let output = OutputFolder::create(self.arguments.out.as_deref(), "gate", &header.run_id)?;
        let mut journal = Journal::create(&output.journal())?;
        journal.append(&JournalLine::Header(Box::new(header.clone())))?;
        let stderr = output.stderr();
        let tick = clock_tick_of(&self.here.calibration);
        let mut pairs = Pairs::new(&mut journal, &stderr, self.limits, self.interrupt, self.seed);
        pairs.client = Some(client()?);
        let measured = measure::measure(self, &mut pairs, tick)?;
        let duration_s = pairs.started.elapsed().as_secs_f64();
        let trials = std::mem::take(&mut pairs.trials);
        drop(pairs);
        // Without a base there is nothing but limits; with one, its trials are too short for them.
        let wants_run = self.sides.bases.is_empty() || !stored.is_empty();
        let limits = if wants_run && measured.stop.is_none() { Some(limits::judge(self, &stored, &output)?) } else { None };
        let interrupted = matches!(measured.stop, Some(Stop::Interrupted)) || limits.as_ref().is_some_and(|limits| limits.interrupted);
        let end = RunEnd { complete: measured.stop.is_none() && !interrupted, interrupted, duration_s };
        journal.append(&JournalLine::End(end.clone()))?;
        let of = conclude::Trials { header: &header, trials: &trials, end: &end };
        conclude::conclude(self, measured, limits, unlike, &of, &output)
    }

    /// The stored results of hosts like this one, and all of them as bases.
    fn like_this_host(&self, stored: Vec<Stored>) -> Result<(Vec<Stored>, Vec<GateBase>), CommandError> {
        let this = HostSide { fingerprint: &self.here.host.fingerprint, calibration: &self.here.calibration };
        let (mut alike, mut bases) = (Vec::new(), Vec::new());
        for stored in stored {
            let unlike = hosts::unlike(HostSide::from(&stored.result), this);
            let refused = hosts::is_refused(&unlike);
            if refused && self.arguments.on_unlike == OnUnlike::Fail {
                return Err(unlike_host(&stored.name, &unlike));
            }
            let side = GateSide {
                source: format!("run {}", stored.result.run_id),
                revision: stored.result.tool.git_sha.clone(),
                committed_at: None,
                dirty: stored.result.tool.dirty,
                version: stored.result.tool.version.clone(),
                ..GateSide::default()
            };
            bases.push(GateBase { name: stored.name.clone(), kind: GateBaseKind::Stored, side, identical: false, layouts: None, unlike });
            if !refused {
                alike.push(stored);
            }
        }
        Ok((alike, bases))
    }
}

/// Exit 3 with a table, field by field.
fn unlike_host(name: &str, unlike: &[UnlikeField]) -> CommandError {
    let refused: Vec<UnlikeField> = unlike.iter().filter(|field| field.refused).cloned().collect();
    let table = hosts::table(&refused).join("\n  ");
    let message = format!("the stored baseline `{name}` is of a host unlike this one:\n  {table}");
    CommandError::could_not_run(message, "measure it again on this host, compare builds with --base-rev or --base-bin, or --on-unlike skip")
}

/// The ceiling's client of this executable, which drives cases with their ends apart.
fn client() -> Result<Entry, CommandError> {
    let side = Side::described("client", &own_executable()?, described(), Some(CLIENT_SUBJECT.into()));
    side.entry(CLIENT_SUBJECT).map_err(|failure| CommandError::could_not_run(failure.message, "build zokio-bench whole"))
}
