//! One trial of an asynchronous subject, from listeners to record; generic over the runtime.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::{CpuTime, TrialRecord};

use super::coordinate::{self, PhaseReport, SETUP_LIMIT};
use super::endpoint;
use super::exchange::TcpSite;
use super::pacer;
use super::site::{self, Ends};
use super::stack::{Fleet, FleetReport, Stack};
use crate::load::closed::Control;
use crate::measure::tally::{Ledger, Tally};
use crate::measure::{cpu, stamp};
use crate::subject::protocol::{Role, Trial};
use crate::subject::serve::Session;
use crate::workload::tcp::{TcpMode, TcpWorkload};

/// The users of a trial; for `stream`, its connections are its users.
pub fn users(trial: &Trial, workload: &TcpWorkload) -> u32 {
    if workload.mode == TcpMode::Stream { workload.connections.max(1) } else { trial.load.users() }
}

/// Runs the trial on a fleet of workers: TCP.
///
/// # Errors
/// As [`run`].
pub fn run_tcp<S: Stack, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &TcpWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    run::<S, F, TcpSite>(fleet, trial, users(trial, workload), session, control, || {
        if trial.load.pacing().is_some() && workload.mode == TcpMode::Stream {
            return Err(unsupported("the writes of a stream do not start by a schedule: use load.closed"));
        }
        if trial.role == Role::Client && workload.mode == TcpMode::Stream {
            return Err(unsupported("a stream is measured at its receiver: use the roles both or server"));
        }
        TcpSite::new(trial, workload, control)
    })
}

/// Runs the trial on a fleet of workers, with what `ends` makes at both ends of each connection.
///
/// # Errors
/// A [`Failure`] of the set-up; errors of single operations are counted instead.
pub fn run<S: Stack, F: Fleet, E: Ends<S>>(
    fleet: F,
    trial: &Trial,
    users: u32,
    session: &Session,
    control: &Arc<Ledger>,
    ends: impl FnOnce() -> Result<E, Failure>,
) -> Result<TrialRecord, Failure> {
    let outcome = ends().and_then(|ends| drive::<S, F, E>(&fleet, trial, users, session, &Arc::new(ends)));
    // Whatever happened, the workers end before the process answers: their tasks hold the sockets.
    let report = fleet.shut_down();
    let (phases, wanted) = outcome?;
    let mut record = assemble(control, &phases, trial, report);
    record.counters.insert("connections_wanted".into(), wanted);
    Ok(record)
}

fn drive<S: Stack, F: Fleet, E: Ends<S>>(
    fleet: &F,
    trial: &Trial,
    users: u32,
    session: &Session,
    ends: &Arc<E>,
) -> Result<(PhaseReport, u64), Failure> {
    let control = &ends.control;
    let addresses = match trial.role {
        Role::Both | Role::Server => listen::<S, F, E>(fleet, ends, trial, users)?,
        Role::Client => endpoint::connect_addresses(trial)?,
    };
    if trial.role == Role::Server {
        return Ok((serve_until_end(control, &addresses, session), 0));
    }
    pacer::start::<S, F>(fleet, control, trial);
    for number in 0..users {
        let worker = number as usize % fleet.workers();
        let address = addresses[if trial.role == Role::Both { worker } else { number as usize % addresses.len() }];
        fleet.spawn_on(worker, Arc::clone(ends).user(number, address));
    }
    let listening = if trial.role == Role::Both { &addresses[..] } else { &[] };
    Ok((coordinate::lead(control, u64::from(users), listening, trial, session)?, u64::from(users)))
}

/// A trial this subject cannot run.
pub fn unsupported(message: &str) -> Failure {
    Failure { class: "unsupported".into(), message: message.into() }
}

/// One listener per worker, made by the worker itself.
fn listen<S: Stack, F: Fleet, E: Ends<S>>(fleet: &F, ends: &Arc<E>, trial: &Trial, users: u32) -> Result<Vec<SocketAddr>, Failure> {
    let wanted = endpoint::listen_addresses(trial, fleet.workers())?;
    let (sender, receiver) = mpsc::channel();
    let backlog = endpoint::backlog(users);
    for (worker, address) in wanted.iter().copied().enumerate() {
        let (ends, sender) = (Arc::clone(ends), sender.clone());
        fleet.spawn_on(worker, async move {
            match S::listen(address, backlog, ends.nodelay) {
                Ok((listener, bound)) => {
                    let _ = sender.send((worker, Ok(bound)));
                    drop(sender);
                    site::accept_loop::<S, E>(listener, ends).await;
                }
                Err(error) => {
                    let _ = sender.send((worker, Err(endpoint::listen_failure(address, &error))));
                }
            }
        });
    }
    drop(sender);
    let mut outcomes = Vec::with_capacity(wanted.len());
    for _ in &wanted {
        outcomes.push(receiver.recv_timeout(SETUP_LIMIT).map_err(|_| endpoint_timeout())?);
    }
    // The first worker's failure is the one told: the address the user gave.
    outcomes.sort_by_key(|(worker, _)| *worker);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn endpoint_timeout() -> Failure {
    Failure { class: "setup-timeout".into(), message: format!("a worker did not listen within {SETUP_LIMIT:?}") }
}

/// A server's whole life is its window: it cannot know the client's. CPU and operations cover the same time, so their ratio holds; the
/// window is open before anybody is told the addresses.
pub fn serve_until_end(control: &Control, addresses: &[SocketAddr], session: &Session) -> PhaseReport {
    let cpu_before = cpu::process_cpu_ns();
    let start = stamp::now_ns();
    control.measure(0);
    session.ready(addresses);
    while !session.wait_for_end(Duration::from_millis(500)) {}
    let deadline = stamp::now_ns() + 1_000_000_000;
    while control.accepted_open() > 0 && stamp::now_ns() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed_ns = stamp::now_ns() - start;
    let cpu_ns = cpu::process_cpu_ns().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    control.stop();
    PhaseReport { elapsed_ns, slices_ns: vec![elapsed_ns], cpu_ns, ..PhaseReport::default() }
}

/// The record of a trial whose threads have all ended.
pub fn assemble(control: &Ledger, phases: &PhaseReport, trial: &Trial, fleet: FleetReport) -> TrialRecord {
    let mut tally = Tally::of(control.take_threads());
    for worker in &mut tally.workers {
        worker.polls = fleet.polls.get(&worker.thread_id).copied();
    }
    let mut counters = fleet.counters;
    counters.insert("connections_opened".into(), tally.sum.opened);
    counters.insert("connections_accepted".into(), tally.sum.accepted);
    counters.insert("operations_ever".into(), tally.sum.ok_ever);
    if let Some(doubling) = control.doubling_found() {
        doubling.write(&mut counters);
    }
    if let Some(operations) = trial.workload.operations_per_round() {
        counters.insert("operations_per_round".into(), operations);
    }
    if trial.load.pacing().is_some() {
        counters.insert("never_begun".into(), phases.never_begun);
    }
    // Only a hand-written loop knows its calls.
    if tally.sum.syscalls > 0 {
        counters.insert("syscalls_measured".into(), tally.sum.syscalls);
    }
    if trial.workload.has_load_beside() {
        counters.insert("beside_ns".into(), tally.sum.beside_ns);
    }
    for ((class, errno), count) in &tally.sum.errnos {
        counters.insert(format!("errno_{}_{errno}", class.name()), *count);
    }
    let cpu_ns = match trial.role {
        Role::Both => CpuTime { total: phases.cpu_ns, ..CpuTime::default() },
        Role::Client => CpuTime { client: phases.cpu_ns, ..CpuTime::default() },
        Role::Server => CpuTime { server: phases.cpu_ns, ..CpuTime::default() },
    };
    let batches = phases.slices_ns.iter().zip(tally.sum.slice_ok).map(|(&nanoseconds, operations)| (operations, nanoseconds)).collect();
    TrialRecord {
        id: Some(trial.id.clone()),
        elapsed_ns: phases.elapsed_ns,
        work: tally.work(phases.in_flight_at_end),
        batches,
        batches_cpu_ns: phases.slices_cpu_ns.clone(),
        histograms: tally.histograms(trial.workload.time_id()),
        cpu_ns,
        counters,
        driver: fleet.driver,
        driver_reason: fleet.driver_reason,
        config: fleet.config,
        open: tally.sum.paced.as_ref().and_then(|paced| paced.open(&phases.parts)),
        overload: tally.sum.paced.as_ref().and_then(|paced| paced.after_full_load(&phases.parts)),
        series: phases.series.clone(),
        warmup: (trial.role != Role::Server).then(|| phases.warmup.clone()),
        workers: tally.workers,
    }
}
