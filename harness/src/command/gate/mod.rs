//! `gate`: is the candidate slower than its base? Red for a slow-down, green for noise.
//!
//! ```text
//! arguments ─▶ sides (candidate, bases) ─▶ cases × metrics = rows ─▶ pairs, look by look ─▶ verdicts ─▶ outcome ─▶ files, table, last line
//! ```
//! The rule is a pure function in [`zokio_report::judge::gate`]; here stands what feeds it. Standard output ends with one line that begins with
//! `ZOKIO-GATE:`, whatever happens, so that a wrapper which swallows exit codes is noticed.

pub mod arguments;
mod conclude;
mod prepare;
mod rows;
mod show;
mod sides;

use std::time::Duration;

use zokio_report::judge::calibration::clock_tick_of;
use zokio_report::schema::gate::{GateBaseKind, GateOutcome, GateSide};
use zokio_report::schema::journal::{JournalLine, RunEnd};

use self::arguments::GateArgs;
use self::conclude::{Rows, Trials};
use super::subjects::described;
use self::prepare::{Base, Cases, Here};
use crate::error::CommandError;
use crate::measure::planted::Planted;
use crate::orchestrate::gate::contest::{Contest, Ended};
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
    match gate(arguments) {
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

fn gate(arguments: &GateArgs) -> Result<GateOutcome, CommandError> {
    refuse_debug(arguments.allow_debug)?;
    let limits = Limits::default();
    let suites = super::run::load_all(&arguments.scenarios, &arguments.sets)?;
    let (candidate, about_candidate, bases) = sides_of(arguments, &suites, &limits)?;
    let seed = arguments.seed.or(suites[0].seed).unwrap_or(0);
    let mut labels = vec![candidate.label.clone()];
    labels.extend(bases.iter().map(|base| base.about.name.clone()));
    let all = Cases::of(suites, &labels, seed)?;
    let interrupt = Interrupt::default();
    signals::install(&interrupt)
        .map_err(|error| CommandError::could_not_run(format!("cannot watch for Ctrl-C: {error}"), "raise the limit of threads"))?;
    let gate = Gate { arguments, limits, interrupt: &interrupt, candidate, about_candidate, bases, seed, all };
    gate.announce();
    gate.measure()
}

/// A build whose numbers say nothing cannot say that they got worse.
fn refuse_debug(allowed: bool) -> Result<(), CommandError> {
    if cfg!(debug_assertions) && !allowed {
        return Err(CommandError::could_not_run("a debug build is not gated: its numbers say nothing", "build with --release"));
    }
    Ok(())
}

fn sides_of(arguments: &GateArgs, suites: &[Suite], limits: &Limits) -> Result<(Side, GateSide, Vec<Base>), CommandError> {
    let first_subject = suites[0].cases.first().and_then(|case| case.subjects.first()).cloned().unwrap_or_default();
    let candidate = sides::candidate(arguments, limits.describe)?;
    let about_candidate = prepare::about(&candidate, "this executable", &first_subject, None)?;
    let mut bases: Vec<Base> = Vec::new();
    let count = arguments.base_bin.len();
    for given in &arguments.base_bin {
        let named = sides::named(given);
        let taken: Vec<String> = bases.iter().map(|base| base.about.name.clone()).collect();
        let label = sides::label(&named, count == 1, &taken);
        let mut side = sides::side(&label, named.value, limits.describe)?;
        side.inner = side.inner.or_else(|| candidate.inner.clone());
        let file_name = named.value.rsplit('/').next().unwrap_or(named.value);
        let about = prepare::about(&side, file_name, &first_subject, None)?;
        let about = prepare::base(label, GateBaseKind::Binary, about, &about_candidate, arguments.measure_identical || arguments.plant.is_some());
        bases.push(Base { about, side, layouts: Vec::new() });
    }
    Ok((candidate, about_candidate, bases))
}

/// A gate that is about to measure.
struct Gate<'a> {
    arguments: &'a GateArgs,
    limits: Limits,
    interrupt: &'a Interrupt,
    candidate: Side,
    about_candidate: GateSide,
    bases: Vec<Base>,
    seed: u64,
    all: Cases,
}

/// What became of the measuring.
struct Measured {
    stop: Option<Stop>,
    ended: Option<Ended>,
    notes: Vec<String>,
}

impl Gate<'_> {
    fn announce(&self) {
        let (cases, bases) = (self.all.cases.len(), self.bases.iter().filter(|base| !base.about.identical).count());
        let first = self.arguments.looks.first().copied().unwrap_or(0);
        let last = self.arguments.looks.last().copied().unwrap_or(0);
        let trials = |pairs: u32| TRIAL * pairs * 2 * u32::try_from(cases * bases).unwrap_or(u32::MAX);
        eprintln!(
            "gate: {cases} cases against {bases} bases, {} to {}, seed {}",
            short_time(trials(first)),
            short_time(trials(last)),
            self.seed
        );
        self.all.notes.iter().for_each(|note| eprintln!("note: {note}"));
    }

    fn measure(&self) -> Result<GateOutcome, CommandError> {
        let here = Here::look();
        let header = prepare::header(&self.all, &self.about_candidate, &self.bases, &here, self.seed, self.arguments);
        let output = OutputFolder::create(self.arguments.out.as_deref(), "gate", &header.run_id)?;
        let mut journal = Journal::create(&output.journal())?;
        journal.append(&JournalLine::Header(Box::new(header.clone())))?;
        let tick = clock_tick_of(&here.calibration);
        let stderr = output.stderr();
        let mut pairs = Pairs::new(&mut journal, &stderr, self.limits, self.interrupt, self.seed);
        pairs.client = self.client();
        let deadline = self.arguments.max_time.map(|time| pairs.started + time);

        let plans = rows::rows(&self.all.cases, self.bases.len(), self.arguments);
        let abouts: Vec<_> = self.bases.iter().map(|base| base.about.clone()).collect();
        let (mut table, rows, places) = rows::table(&plans, &abouts, self.arguments, tick, |_| None)?;
        let sides: Vec<Side> = self.bases.iter().map(|base| base.side.clone()).collect();
        let planted = self.arguments.plant.map(|share| Planted { share, one_in: self.arguments.plant_one_in });
        let contest =
            Contest { cases: &self.all.cases, candidate: &self.candidate, bases: &sides, rows: &rows, planted, clock_tick: tick, deadline };
        let mut measured = Measured { stop: None, ended: None, notes: Vec::new() };
        match contest.measure(&mut pairs, &mut table, |_, _| ()) {
            Ok(ended) => measured.ended = Some(ended),
            Err(stop) => measured.stop = Some(stop),
        }
        table.settle();
        let duration_s = pairs.started.elapsed().as_secs_f64();
        let trials = std::mem::take(&mut pairs.trials);
        drop(pairs);
        let interrupted = matches!(measured.stop, Some(Stop::Interrupted));
        let end = RunEnd { complete: measured.stop.is_none(), interrupted, duration_s };
        journal.append(&JournalLine::End(end.clone()))?;
        let of = Trials { header: &header, trials: &trials, end: &end };
        conclude::conclude(self, measured, &of, Rows { table, plans: &plans, places: &places }, &output)
    }

    fn client(&self) -> Option<Entry> {
        let own = std::env::current_exe().ok()?;
        Side::described("client", &own, described(), Some(CLIENT_SUBJECT.into())).entry(CLIENT_SUBJECT).ok()
    }
}
