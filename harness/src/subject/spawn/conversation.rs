//! The processes of one trial, and what was heard and seen of them.
//!
//! One thread handles all events in their order. It never polls: it sleeps until an event or until the earliest time limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::{Failure, ThreadEvidence};

use super::events::{EVENTS_MAX, Event, Stamp, watch};
use super::interrupt::Interrupt;
use super::kernel;
use super::process::{Collected, Launch, Process, is_in_group};
use super::talk::{Talk, line_too_long};
use super::{Limits, failure};
use crate::host::noise::{CpuSample, CpuShares};
use crate::subject::protocol::{PhaseName, Phases, Request, Role, Trial};

/// Why a trial cannot go on.
#[derive(Debug)]
pub enum Stop {
    /// The process with this index broke the protocol or a limit; without a failure, the way it ended tells.
    Failed(usize, Option<Failure>),
    /// The run shall stop.
    Interrupted,
}

/// One process of a trial.
#[derive(Debug)]
pub struct Member {
    /// What it said.
    pub talk: Talk,
    /// What it does.
    pub role: Role,
    /// The process, until it is collected.
    pub process: Process,
    stderr: PathBuf,
    threads: Vec<ThreadEvidence>,
    rss_peak_bytes: Option<u64>,
    cpus: Vec<u32>,
    phases: Phases,
    watched: Arc<AtomicU32>,
    /// When its standard input was closed.
    asked_to_end: Option<Instant>,
    answered: Option<Instant>,
    output_ended: Option<Instant>,
    exited: Option<Instant>,
}

impl Member {
    /// It said all, its output ended and it exited.
    fn is_finished(&self) -> bool {
        self.output_ended.is_some() && self.exited.is_some()
    }

    /// When patience ends, and what is to be said then.
    fn deadline(&self, limits: &Limits, started: Instant) -> (Instant, &'static str, &'static str) {
        let Phases { warmup_ms, measure_ms, drain_ms, .. } = self.phases;
        // An overload is over before the drain begins, and a watched runtime is left alone for a moment after it.
        let drain_ms = drain_ms + self.phases.overload_ms + self.phases.recovery_ms;
        let planned = |ms: u64| Duration::from_millis(ms) + limits.margin;
        match (self.answered, self.output_ended, self.exited) {
            (_, None, Some(exited)) => (exited + limits.exit, "output-kept-open", "exited, but a process it started keeps its output open"),
            (None, Some(ended), None) => (ended + limits.exit, "closed-output", "closed its output without a record and went on running"),
            (Some(answered), _, _) => (answered + limits.exit, "no-exit", "wrote its answer but did not exit"),
            _ => match (self.asked_to_end, &self.talk.ready, self.talk.phases.last()) {
                (Some(asked), ..) => (asked + planned(drain_ms), "timeout", "wrote no record after its input had ended"),
                (None, None, _) => (started + limits.ready, "timeout", "did not become ready in time"),
                (None, Some((_, ready)), None) => {
                    (ready.at + planned(warmup_ms + measure_ms + drain_ms), "timeout", "was ready, then silent past the planned phases")
                }
                (None, _, Some((PhaseName::Warmup, stamp))) => (
                    stamp.at + planned(warmup_ms + measure_ms + drain_ms),
                    "timeout",
                    "did not come to an end of its warm-up and measurement",
                ),
                (None, _, Some((PhaseName::Measure, stamp))) => {
                    (stamp.at + planned(measure_ms + drain_ms), "timeout", "measured longer than planned and did not answer")
                }
                (None, _, Some((PhaseName::Overload | PhaseName::Drain, stamp))) => {
                    (stamp.at + planned(drain_ms), "timeout", "did not end its drain with a record")
                }
            },
        }
    }
}

/// What is left of a member when its process is reaped.
#[derive(Debug)]
pub struct Heard {
    /// What it said.
    pub talk: Talk,
    /// What it did.
    pub role: Role,
    /// Where its standard error is.
    pub stderr: PathBuf,
    /// Its threads while it measured.
    pub threads: Vec<ThreadEvidence>,
    /// Peak memory since its exec.
    pub rss_peak_bytes: Option<u64>,
}

/// The CPUs when the first phase began.
#[derive(Debug)]
struct ShareMark {
    sample: CpuSample,
    own_cpu_ns: u64,
}

/// All processes of one trial.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// In the order they were started.
    pub members: Vec<Member>,
    limits: &'a Limits,
    interrupt: &'a Interrupt,
    sender: SyncSender<Event>,
    events: Receiver<Event>,
    started: Instant,
    mark: Option<ShareMark>,
    shares: Option<CpuShares>,
}

impl<'a> Conversation<'a> {
    /// No process yet.
    pub fn new(limits: &'a Limits, interrupt: &'a Interrupt) -> Self {
        let (sender, events) = sync_channel(EVENTS_MAX);
        interrupt.wake_through(Some(sender.clone()));
        Self { members: Vec::new(), limits, interrupt, sender, events, started: Instant::now(), mark: None, shares: None }
    }

    /// Starts a process and gives it its trial; its index.
    ///
    /// # Errors
    /// The process could not be started.
    pub fn start(&mut self, executable: &Path, trial: &Trial, stderr: PathBuf) -> Result<usize, Failure> {
        let (mut process, stdout) =
            Process::start(&Launch { executable, cpus: &trial.cpus, stderr: &stderr, seed: trial.seed ^ self.members.len() as u64 })?;
        let pid = process.id();
        self.interrupt.group_started(pid);
        let watched = Arc::new(AtomicU32::new(pid));
        let all = self.members.iter().map(|member| Arc::clone(&member.watched)).chain([Arc::clone(&watched)]).collect();
        let index = self.members.len();
        let watching = watch(index, pid, stdout, all, &self.sender);
        let mut line = serde_json::to_vec(&Request::Trial(Box::new(trial.clone()))).expect("a trial has string keys");
        line.push(b'\n');
        process.send(line);
        self.members.push(Member {
            talk: Talk::new(trial.role, &trial.id),
            role: trial.role,
            process,
            stderr,
            threads: Vec::new(),
            rss_peak_bytes: None,
            cpus: trial.cpus.clone(),
            phases: trial.phases.clone(),
            watched,
            asked_to_end: None,
            answered: None,
            output_ended: None,
            exited: None,
        });
        watching.map_err(|error| failure("spawn", format!("cannot watch the subject: {error}")))?;
        Ok(index)
    }

    /// Waits until a process is ready, or finished because it could not become ready.
    ///
    /// # Errors
    /// A failure of any process, a time limit, an interruption.
    pub fn until_ready(&mut self, index: usize) -> Result<(), Stop> {
        let started = Instant::now();
        while self.members[index].talk.ready.is_none() && !self.members[index].is_finished() {
            self.step(index, started)?;
        }
        if self.members[index].talk.ready.is_none() {
            return Err(Stop::Failed(index, None));
        }
        Ok(())
    }

    /// Waits until a process has answered and exited.
    ///
    /// # Errors
    /// A failure of any process, a time limit, an interruption.
    pub fn until_finished(&mut self, index: usize) -> Result<(), Stop> {
        let started = Instant::now();
        while !self.members[index].is_finished() {
            self.step(index, started)?;
        }
        Ok(())
    }

    /// Ends a server's standard input: it shall drain and answer.
    pub fn ask_to_end(&mut self, index: usize) {
        self.members[index].asked_to_end = Some(Instant::now());
        self.members[index].process.close_stdin();
    }

    /// Gives the other processes a moment to show that they, not the one blamed, ended first; the index of the one that did.
    pub fn settle(&mut self, blamed: usize) -> usize {
        let until = Instant::now() + Duration::from_millis(100);
        while let Ok(Some(event)) = self.next_event(until) {
            let _ = self.handle(event);
        }
        let ended_unasked = |member: &Member| member.exited.is_some() && member.asked_to_end.is_none() && member.role == Role::Server;
        self.members.iter().position(ended_unasked).unwrap_or(blamed)
    }

    fn step(&mut self, waited_for: usize, started: Instant) -> Result<(), Stop> {
        let (deadline, class, sentence) = self.members[waited_for].deadline(self.limits, started);
        match self.next_event(deadline)? {
            Some(event) => self.handle(event)?,
            None => return Err(Stop::Failed(waited_for, Some(failure(class, format!("the subject {sentence}"))))),
        }
        // A server that is gone, or answered unasked, is the cause of whatever the client sees next.
        let deserted = |member: &Member| {
            member.role == Role::Server && member.asked_to_end.is_none() && (member.is_finished() || member.answered.is_some())
        };
        match self.members.iter().position(deserted) {
            Some(index) if index != waited_for => {
                let early = failure("ended-early", "the server answered before its input had ended");
                let answered_well = matches!(self.members[index].talk.answer, Some(Ok(_)));
                Err(Stop::Failed(index, answered_well.then_some(early)))
            }
            _ => Ok(()),
        }
    }

    fn next_event(&self, deadline: Instant) -> Result<Option<Event>, Stop> {
        if self.interrupt.is_raised() {
            return Err(Stop::Interrupted);
        }
        match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Event::Interrupted) => Err(Stop::Interrupted),
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => unreachable!("this conversation holds a sender itself"),
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Line { process, stamp, bytes } => {
                self.handle_line(process, stamp, &bytes).map_err(|failure| Stop::Failed(process, Some(failure)))
            }
            Event::LineTooLong { process } => Err(Stop::Failed(process, Some(line_too_long()))),
            Event::OutputEnded { process } => {
                self.members[process].output_ended = Some(Instant::now());
                Ok(())
            }
            Event::Exited { process } => {
                self.members[process].exited = Some(Instant::now());
                Ok(())
            }
            Event::Interrupted => Err(Stop::Interrupted),
        }
    }

    fn handle_line(&mut self, index: usize, stamp: Stamp, bytes: &[u8]) -> Result<(), Failure> {
        let member = &mut self.members[index];
        let (was_ready, phases_before) = (member.talk.ready.is_some(), member.talk.phases.len());
        member.talk.take(bytes, stamp.clone())?;
        if !was_ready && member.talk.ready.is_some() {
            member.check_start()?;
        }
        if member.talk.answer.is_some() {
            member.answered = Some(stamp.at);
            member.read_memory();
        }
        // A server has no measured window of its own: its client's phases are the trial's.
        if member.role != Role::Server && member.talk.phases.len() > phases_before {
            let name = member.talk.phases[phases_before].0;
            self.look(name, phases_before == 0, &stamp);
        }
        Ok(())
    }

    /// Looks at the processes when a phase begins: at their threads as they measure, at their memory when they have measured.
    fn look(&mut self, phase: PhaseName, is_first: bool, stamp: &Stamp) {
        if phase == PhaseName::Measure {
            for member in &mut self.members {
                member.threads = kernel::threads(member.watched.load(Ordering::Relaxed));
            }
        }
        if phase > PhaseName::Measure {
            self.members.iter_mut().for_each(Member::read_memory);
        }
        let own_cpu_ns = stamp.cpu_ns.iter().copied().sum::<Option<u64>>();
        if is_first {
            let sample = CpuShares::sample(&self.cpus()).ok();
            self.mark = sample.zip(own_cpu_ns).map(|(sample, own_cpu_ns)| ShareMark { sample, own_cpu_ns });
        } else if phase > PhaseName::Measure && self.shares.is_none() {
            let shares = |(mark, own): (&ShareMark, u64)| CpuShares::since(&mark.sample, own.saturating_sub(mark.own_cpu_ns)).ok();
            self.shares = self.mark.as_ref().zip(own_cpu_ns).and_then(shares);
        }
    }

    fn cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = self.members.iter().flat_map(|member| member.cpus.iter().copied()).collect();
        cpus.sort_unstable();
        cpus.dedup();
        cpus
    }

    /// Who used the trial's CPUs from the first phase to the end of the measured window.
    pub fn shares(&self) -> Option<CpuShares> {
        self.shares
    }

    /// When the first process was about to be started.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl Drop for Conversation<'_> {
    /// Nothing outlives its trial, whatever went wrong: a process that nobody collected is killed.
    fn drop(&mut self) {
        self.interrupt.wake_through(None);
        for member in self.members.drain(..) {
            let group = member.process.id();
            member.process.collect();
            self.interrupt.group_ended(group);
        }
    }
}

impl Member {
    /// Reaps its process, and removes an empty standard error.
    pub fn collect(self) -> (Heard, Collected) {
        let collected = self.process.collect();
        if std::fs::metadata(&self.stderr).is_ok_and(|file| file.len() == 0) {
            let _ = std::fs::remove_file(&self.stderr);
        }
        let heard =
            Heard { talk: self.talk, role: self.role, stderr: self.stderr, threads: self.threads, rss_peak_bytes: self.rss_peak_bytes };
        (heard, collected)
    }

    /// Where it runs, as the kernel says; its measured process may be a child of the one started (a wrapper script).
    fn check_start(&mut self) -> Result<(), Failure> {
        let claimed = self.talk.ready.as_ref().map_or(0, |(ready, _)| ready.pid);
        if is_in_group(claimed, self.process.id()) {
            self.watched.store(claimed, Ordering::Relaxed);
        }
        let Some((allowed, _)) = kernel::cpus_and_peak_memory(self.watched.load(Ordering::Relaxed)) else { return Ok(()) };
        if self.cpus.is_empty() {
            self.cpus = allowed;
            return Ok(());
        }
        if allowed.iter().any(|cpu| !self.cpus.contains(cpu)) {
            let message = format!("the subject may run on the CPUs {allowed:?}, but was given {:?}", self.cpus);
            return Err(failure("placement", message));
        }
        Ok(())
    }

    fn read_memory(&mut self) {
        let peak = kernel::cpus_and_peak_memory(self.watched.load(Ordering::Relaxed)).and_then(|(_, peak)| peak);
        self.rss_peak_bytes = self.rss_peak_bytes.max(peak);
    }
}
