//! One trial from the start of its first process to the end of its last.
//!
//! ```text
//!  together:  start ─ ready ─ warmup ─ measure ─ drain ─ record ─ exit
//!  apart:     start server ─ ready ─▶ start client(connect) … record ─ exit ─▶ end of the server's input ─ record ─ exit ─▶ combine
//! ```

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::{Evidence, Failure, Outcome, ProcessEvidence};
use zokio_report::schema::record::TrialRecord;

use super::combine::combine;
use super::conversation::{Conversation, Heard, Stop};
use super::interrupt::Interrupt;
use super::kernel::{TcpCounters, has_private_network, tcp_sockets_in_use};
use super::process::Collected;
use super::{Limits, failure};
use crate::subject::protocol::{Role, Trial};

/// How much of a crashed subject's last words is read, and how many lines of it are quoted.
const STDERR_TAIL_BYTES: u64 = 2048;
const STDERR_TAIL_LINES: usize = 3;

/// A process to start, with what it shall do.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The executable.
    pub executable: &'a Path,
    /// Its request; `cpus` are the CPUs it is pinned to.
    pub trial: Trial,
}

/// The processes of a trial.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one exists per trial")]
pub enum Parts<'a> {
    /// One process is both ends.
    Together(Part<'a>),
    /// The subject serves, the ceiling's client drives.
    Apart {
        /// The subject under test.
        server: Part<'a>,
        /// The ceiling's client; `connect` is filled in when the server is ready.
        client: Part<'a>,
    },
}

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct TrialRun {
    /// `None`: interrupted.
    pub outcome: Option<Outcome>,
    /// What was seen; the core states are the caller's.
    pub evidence: Evidence,
}

/// Runs one trial; standard errors go to `stderr_folder`, in files named after the trial.
pub fn run(parts: Parts<'_>, stderr_folder: &Path, limits: &Limits, interrupt: &Interrupt) -> TrialRun {
    let (tcp_before, sockets_before) = (TcpCounters::read(), tcp_sockets_in_use());
    let mut conversation = Conversation::new(limits, interrupt);
    let stop = match parts {
        Parts::Together(part) => run_together(&mut conversation, &part, stderr_folder),
        Parts::Apart { server, client } => run_apart(&mut conversation, &server, client, stderr_folder),
    }
    .err();
    let stop = match stop {
        Some(Stop::Failed(blamed, found)) => {
            let culprit = if conversation.members.len() > 1 { conversation.settle(blamed) } else { blamed };
            Some(Stop::Failed(culprit, if culprit == blamed { found } else { None }))
        }
        other => other,
    };
    let (started, shares) = (conversation.started(), conversation.shares());
    let mut ended = collect(&mut conversation, interrupt);
    drop(conversation);

    let mut evidence = evidence_of(&ended, started);
    evidence.foreign_cpu_share = shares.map(|shares| shares.foreign);
    evidence.steal_share = shares.map(|shares| shares.steal);
    if let Some((before, after)) = tcp_before.zip(TcpCounters::read()) {
        evidence.tcp_active_opens = Some(after.active_opens.saturating_sub(before.active_opens));
        evidence.tcp_passive_opens = Some(after.passive_opens.saturating_sub(before.passive_opens));
    }
    // Where process 1 may not be looked at, a namespace without any socket before and after held nothing but the trial as well.
    evidence.tcp_namespace_is_private = has_private_network().unwrap_or(sockets_before == Some(0) && tcp_sockets_in_use() == Some(0));
    let outcome = match stop {
        Some(Stop::Interrupted) => None,
        Some(Stop::Failed(index, found)) => Some(Outcome::Failed(cause(&mut ended, index, found))),
        None => Some(conclude(&mut ended).map_or_else(Outcome::Failed, |record| Outcome::Record(Box::new(record)))),
    };
    TrialRun { outcome, evidence }
}

fn run_together(conversation: &mut Conversation<'_>, part: &Part<'_>, folder: &Path) -> Result<(), Stop> {
    let both = start(conversation, part, folder)?;
    conversation.until_ready(both)?;
    conversation.until_finished(both)
}

fn run_apart(conversation: &mut Conversation<'_>, server: &Part<'_>, mut client: Part<'_>, folder: &Path) -> Result<(), Stop> {
    let server = start(conversation, server, folder)?;
    conversation.until_ready(server)?;
    client.trial.connect = conversation.members[server].talk.addresses().to_vec();
    let client = start(conversation, &client, folder)?;
    conversation.until_ready(client)?;
    conversation.until_finished(client)?;
    if !matches!(conversation.members[client].talk.answer, Some(Ok(_))) {
        return Err(Stop::Failed(client, None));
    }
    conversation.ask_to_end(server);
    conversation.until_finished(server)
}

fn start(conversation: &mut Conversation<'_>, part: &Part<'_>, folder: &Path) -> Result<usize, Stop> {
    let role = role_name(part.trial.role);
    let stderr = folder.join(format!("{}.{role}.txt", file_name(&part.trial.id)));
    let index = conversation.members.len();
    conversation.start(part.executable, &part.trial, stderr).map_err(|failure| Stop::Failed(index, Some(failure)))
}

/// A trial's id as a file name.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.=".contains(c) { c } else { '-' }).collect()
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Both => "both",
        Role::Server => "server",
        Role::Client => "client",
    }
}

/// A process that was reaped.
struct Ended {
    member: Heard,
    collected: Collected,
}

fn collect(conversation: &mut Conversation<'_>, interrupt: &Interrupt) -> Vec<Ended> {
    // The client ends first: a server that goes first would make it busy with errors.
    let mut ended: Vec<Ended> = Vec::new();
    while let Some(member) = conversation.members.pop() {
        let group = member.process.id();
        let (member, collected) = member.collect();
        interrupt.group_ended(group);
        ended.insert(0, Ended { member, collected });
    }
    ended
}

fn evidence_of(ended: &[Ended], started: Instant) -> Evidence {
    let nanoseconds = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    // The last process started is the one that drives.
    let window = ended.last().and_then(|driver| driver.member.talk.window());
    let cpu_measure_ns = |index: usize| {
        let (measure, end) = window?;
        Some((*end.cpu_ns.get(index)?)?.saturating_sub((*measure.cpu_ns.get(index)?)?))
    };
    let process = |(index, Ended { member, collected }): (usize, &Ended)| ProcessEvidence {
        role: role_name(member.role).into(),
        exit: collected.exit(),
        cpu_ns: collected.cpu_ns,
        cpu_measure_ns: cpu_measure_ns(index),
        rss_peak_bytes: member.rss_peak_bytes.unwrap_or(collected.rss_peak_bytes),
        context_switches_voluntary: collected.switches_voluntary,
        context_switches_involuntary: collected.switches_involuntary,
        page_faults_minor: collected.faults_minor,
        threads: member.threads.clone(),
    };
    Evidence {
        wall_ns: nanoseconds(started.elapsed()),
        ready_ns: ended.first().and_then(|first| first.member.talk.ready.as_ref()).map(|(_, stamp)| nanoseconds(stamp.at - started)),
        measure_wall_ns: window.map(|(measure, end)| nanoseconds(end.at - measure.at)),
        processes: ended.iter().enumerate().map(process).collect(),
        ..Evidence::default()
    }
}

fn conclude(ended: &mut [Ended]) -> Result<TrialRecord, Failure> {
    let cpu = |index: usize, ended: &[Ended]| {
        let (measure, end) = ended.last()?.member.talk.window()?;
        Some((*end.cpu_ns.get(index)?)?.saturating_sub((*measure.cpu_ns.get(index)?)?))
    };
    let (cpu_first, cpu_second) = (cpu(0, ended), cpu(1, ended));
    match ended {
        [both] => answer_of(both).map(|record| *record),
        [server, client] => Ok(combine(*answer_of(server)?, *answer_of(client)?, cpu_first, cpu_second)),
        _ => Err(failure("spawn", "no process was started")),
    }
}

fn answer_of(ended: &mut Ended) -> Result<Box<TrialRecord>, Failure> {
    let tail = stderr_tail(&ended.member.stderr);
    ended.member.talk.conclude(&ended.collected, &tail)
}

/// Why the process with this index spoiled the trial.
fn cause(ended: &mut [Ended], index: usize, found: Option<Failure>) -> Failure {
    let is_apart = ended.len() > 1;
    let Some(culprit) = ended.get_mut(index) else {
        return found.unwrap_or_else(|| failure("spawn", "the process could not be started"));
    };
    let mut cause = match found {
        Some(found) => found,
        None => match answer_of(culprit) {
            Err(failure) => failure,
            Ok(_) => failure("ended-early", "the subject answered and exited before it was asked to"),
        },
    };
    if is_apart && culprit.member.role == Role::Client {
        cause.message = format!("the client: {}", cause.message);
    }
    cause
}

/// The last lines of a file, in one line.
fn stderr_tail(path: &PathBuf) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(STDERR_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(STDERR_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(STDERR_TAIL_LINES)..].join(" / ")
}
