//! Which loop a trial gets, and the threads it runs on.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::counter::OneCas;
use super::ring_loop::{Assignment, RingLoop};
use super::sockets::BLOCKING_BYTES_MAX;
use super::traffic::{TcpTraffic, Traffic};
use super::{atomics, crr, epoll, file, http, io, ring, ring_crr, rr, skew, sleep, stream, tasks, wake};
use crate::measure::tally::Ledger;
use crate::subject::body::coordinate;
use crate::subject::body::drive;
use crate::subject::body::endpoint;
use crate::subject::body::exchange::TcpSite;
use crate::subject::body::site::Site;
use crate::subject::body::stack::FleetReport;
use crate::subject::protocol::{Role, Trial};
use crate::subject::serve::Session;
use crate::subject::{allocators, application, pools, queue, threads, worker_cpus};
use crate::workload::Workload;
use crate::workload::stealing::StealingMode;
use crate::workload::tcp::{TcpMode, TcpWorkload};

/// The loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A thread holds both ends, no wait.
    BareSyscalls,
    /// Raw ring, linked send → receive, direct descriptors.
    RingLinked,
    /// Raw ring, a whole connection as one linked chain.
    RingChain,
    /// Edge-triggered epoll.
    Epoll,
    /// A thread for each user, blocking calls.
    ThreadPerUser,
    /// The system's sleep.
    Nanosleep,
}

impl Variant {
    /// The name in `config.variant`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BareSyscalls => "bare-syscalls",
            Self::RingLinked => "ring-linked",
            Self::RingChain => "ring-chain",
            Self::Epoll => "epoll",
            Self::ThreadPerUser => "thread-per-user",
            Self::Nanosleep => "nanosleep",
        }
    }

    fn driver(self) -> &'static str {
        match self {
            Self::BareSyscalls | Self::ThreadPerUser | Self::Nanosleep => "none",
            Self::RingLinked | Self::RingChain => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// What the kernel's ring can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RingSupport {
    /// Refused.
    None,
    /// Linked operations on connected sockets.
    Linked,
    /// Sockets, options and connections as links too.
    Chained,
}

/// The loop of a TCP case; fixed by the case alone, except where io_uring is refused. `len_max` is its longest message.
pub fn choose(workload: &TcpWorkload, role: Role, users: u32, len_max: usize, ring: RingSupport) -> Variant {
    let has_ring = ring >= RingSupport::Linked;
    let is_alone = role == Role::Both && len_max <= BLOCKING_BYTES_MAX;
    match workload.mode {
        TcpMode::Stream if role == Role::Both => Variant::BareSyscalls,
        TcpMode::Stream => Variant::Epoll,
        TcpMode::Rr if is_alone && users == 1 => Variant::BareSyscalls,
        TcpMode::Rr if has_ring => Variant::RingLinked,
        TcpMode::Crr | TcpMode::Churn if role == Role::Server && has_ring => Variant::RingLinked,
        TcpMode::Crr if is_alone && ring == RingSupport::Chained && workload.operations_per_connection <= 1 => Variant::RingChain,
        TcpMode::Rr | TcpMode::Crr | TcpMode::Churn if is_alone => Variant::BareSyscalls,
        TcpMode::Rr | TcpMode::Crr | TcpMode::Churn => Variant::Epoll,
    }
}

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
    run_unless(ring::refusal(), trial, session, control)
}

/// Runs a trial as where io_uring is refused for this reason.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run_unless(refusal: Option<String>, trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
    match &trial.workload {
        Workload::Tcp(workload) => run_tcp(refusal, trial, session, control, workload),
        Workload::Latency(workload) => wake::run(trial, session, control, workload),
        Workload::Scheduling(workload) => tasks::run_scheduling(trial, session, control, workload),
        Workload::Stealing(workload) => match workload.mode {
            StealingMode::Queue => queue::run::<OneCas>(trial, session, control, workload, threads::report("one-cas", trial)),
            StealingMode::Skew => skew::run(trial, session, control, workload),
        },
        Workload::Polling(workload) => tasks::run_polling(trial, session, control, workload),
        Workload::Atomics(workload) => atomics::run(trial, session, control, workload),
        Workload::Memory(workload) => allocators::run_ceiling(trial, session, control, workload),
        Workload::Pool(workload) => pools::run_ceiling(trial, session, control, workload),
        Workload::Io(workload) => io::run(refusal, trial, session, control, workload),
        Workload::Http(workload) => http::run(refusal, trial, session, control, workload),
        Workload::File(workload) => file::run(refusal, trial, session, control, workload),
        Workload::Sleep(workload) => {
            threads::run(trial, session, control, "ceiling", report(Variant::Nanosleep, None, &worker_cpus(trial)), |users| {
                sleep::run(control, users.end - users.start, workload.duration_ns);
                Ok(())
            })
        }
        Workload::Custom(_) => Err(drive::unsupported(application::ONLY_CUSTOM)),
    }
}

fn run_tcp(
    refusal: Option<String>,
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &TcpWorkload,
) -> Result<TrialRecord, Failure> {
    let users = drive::users(trial, workload);
    let site = Arc::new(TcpSite::new(trial, workload, control)?);
    if workload.mode == TcpMode::Stream && trial.role != Role::Both {
        return Err(drive::unsupported("the ceiling runs streams with both ends in one thread: use the role both"));
    }
    let ring = match refusal {
        Some(_) => RingSupport::None,
        None if workload.mode == TcpMode::Crr && !ring_crr::is_supported() => RingSupport::Linked,
        None => RingSupport::Chained,
    };
    let variant = choose(workload, trial.role, users, site.payload.len_max(), ring);
    let body = |share: &[User], listener: Option<&TcpListener>| {
        let traffic = |lanes| TcpTraffic::new(&site, lanes);
        match (variant, listener) {
            (Variant::BareSyscalls, Some(listener)) => match workload.mode {
                TcpMode::Rr => rr::run(&site, share, listener),
                TcpMode::Stream => stream::run(&site, share, listener),
                TcpMode::Crr | TcpMode::Churn => {
                    crr::run(&site, share, listener);
                    Ok(())
                }
            },
            (Variant::RingChain, Some(listener)) => {
                let drain = Duration::from_millis(trial.phases.drain_ms);
                ring_crr::run(&site, share, listener, drain).map_err(|error| ring_failure(&error))
            }
            (Variant::RingLinked, _) => run_ring(assignment(trial, users, share, listener)?, traffic),
            _ => epoll::run(assignment(trial, users, share, listener)?, traffic),
        }
    };
    let reason = refusal.filter(|_| variant != choose(workload, trial.role, users, site.payload.len_max(), RingSupport::Chained));
    let report = report(variant, reason, &worker_cpus(trial));
    run_connections(trial, session, &site, users, report, body)
}

/// A user by its number, and where it connects.
pub(super) type User = (u32, SocketAddr);

/// Runs a trial whose users have connections: listeners, a thread per CPU with its share of the users, phases and record.
///
/// # Errors
/// A [`Failure`] of the set-up or of a thread.
pub(super) fn run_connections(
    trial: &Trial,
    session: &Session,
    site: &Site,
    users: u32,
    report: FleetReport,
    body: impl Fn(&[User], Option<&TcpListener>) -> Result<(), Failure> + Sync,
) -> Result<TrialRecord, Failure> {
    let (cpus, control) = (worker_cpus(trial), &site.control);
    let listeners = if trial.role == Role::Client { Vec::new() } else { listeners(trial, &cpus, users, site.nodelay)? };
    let own: Vec<SocketAddr> = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()
        .map_err(|error| endpoint::setup_failure("listen", "cannot read a listener's address", &error))?;
    let targets = if trial.role == Role::Client { endpoint::connect_addresses(trial)? } else { own.clone() };
    let shares = shares(trial.role, users, cpus.len(), &targets);
    let body = |worker: usize| {
        // No client comes to a port without users of its own worker: the thread has no work, and is no worker.
        if trial.role != Role::Server && shares[worker].is_empty() {
            return Ok(());
        }
        body(&shares[worker], listeners.get(worker))
    };
    let (phases, wanted) = threads::pinned(control, &cpus, "ceiling", body, || {
        if trial.role == Role::Server {
            return Ok((drive::serve_until_end(control, &own, session), 0));
        }
        Ok((coordinate::lead(control, u64::from(users), &own, trial, session)?, u64::from(users)))
    })?;
    let mut record = drive::assemble(control, &phases, trial, report);
    record.counters.insert("connections_wanted".into(), wanted);
    Ok(record)
}

fn listeners(trial: &Trial, cpus: &[u32], users: u32, nodelay: bool) -> Result<Vec<TcpListener>, Failure> {
    let listen =
        |address| endpoint::listen(address, endpoint::backlog(users), nodelay).map_err(|error| endpoint::listen_failure(address, &error));
    endpoint::listen_addresses(trial, cpus.len())?.into_iter().map(listen).collect()
}

/// The users of each worker and where they connect: together to their own worker's port, apart to all in turn.
fn shares(role: Role, users: u32, workers: usize, targets: &[SocketAddr]) -> Vec<Vec<User>> {
    let mut shares = vec![Vec::new(); workers];
    if role != Role::Server {
        for number in 0..users {
            let worker = number as usize % workers;
            let target = if role == Role::Both { worker } else { number as usize % targets.len() };
            shares[worker].push((number, targets[target]));
        }
    }
    shares
}

pub(super) fn assignment(trial: &Trial, users: u32, share: &[User], listener: Option<&TcpListener>) -> Result<Assignment, Failure> {
    // A server's users may all meet on one worker; connections that are closing take a slot for a moment longer.
    let most = if trial.role == Role::Server { users } else { u32::try_from(share.len()).unwrap_or(users) };
    let listener = listener.map(TcpListener::try_clone).transpose();
    let listener = listener.map_err(|error| endpoint::setup_failure("listen", "cannot share a listener", &error))?;
    Ok(Assignment {
        users: share.to_vec(),
        listener: listener.map(|listener| (listener, most.saturating_mul(2).saturating_add(64))),
        drain: Duration::from_millis(trial.phases.drain_ms),
    })
}

/// A thread on a ring: connects its users, says so, and runs to the end of the trial.
pub(super) fn run_ring<T: Traffic>(assignment: Assignment, traffic: impl FnOnce(usize) -> T) -> Result<(), Failure> {
    let users = assignment.users.len();
    let mut done = Vec::new();
    let mut ring = RingLoop::new(assignment, traffic).map_err(|error| ring_failure(&error))?;
    ring.settle(&mut done).map_err(|error| ring_failure(&error))?;
    for _ in 0..users {
        ring.control().user_ready();
    }
    if users > 0 {
        ring.control().gate().wait_thread();
    }
    ring.run(&mut done).map_err(|error| ring_failure(&error))
}

fn ring_failure(error: &std::io::Error) -> Failure {
    endpoint::setup_failure("io_uring", "the ring of a worker failed", error)
}

pub(super) fn report(variant: Variant, reason: Option<String>, cpus: &[u32]) -> FleetReport {
    let config = [("variant".to_owned(), json!(variant.name())), ("pinned_cpus".to_owned(), json!(cpus))].into_iter().collect();
    FleetReport { driver: variant.driver().into(), driver_reason: reason, config, ..FleetReport::default() }
}
