//! HTTP without a runtime: which loop a case gets, and the messages of its lanes.
//!
//! Requests and answers are made and judged by the code that every subject uses, so the difference to a runtime is the loop's.

use std::net::TcpListener;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::lanes::Next;
use super::run::{Variant, assignment, report, run_connections, run_ring};
use super::sockets::BLOCKING_BYTES_MAX;
use super::traffic::Traffic;
use super::{epoll, http_pairs};
use crate::measure::recorder::ErrorClass;
use crate::measure::tally::Ledger;
use crate::subject::body::http::HttpSite;
use crate::subject::body::site::Site;
use crate::subject::body::users;
use crate::subject::protocol::{Role, Trial};
use crate::subject::serve::Session;
use crate::subject::worker_cpus;
use crate::workload::http::HttpWorkload;
use crate::workload::http::client::Verdict;
use crate::workload::http::server::Server;

/// The loop of an HTTP case; fixed by the case alone, except where io_uring is refused.
pub fn choose(workload: &HttpWorkload, role: Role, users: u32, has_ring: bool) -> Variant {
    let len_max = workload.body.max(workload.request_body);
    let is_alone = role == Role::Both && len_max <= (BLOCKING_BYTES_MAX / 2) as u64;
    let keeps = workload.requests_per_connection == 0;
    match (is_alone, keeps) {
        (true, true) if users == 1 => Variant::BareSyscalls,
        (_, true) if has_ring => Variant::RingLinked,
        (true, _) => Variant::BareSyscalls,
        (false, _) => Variant::Epoll,
    }
}

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run(
    refusal: Option<String>,
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &HttpWorkload,
) -> Result<TrialRecord, Failure> {
    let users = users::count(trial);
    let site = Arc::new(HttpSite::new(trial, workload, control)?);
    let variant = choose(workload, trial.role, users, refusal.is_none());
    let reason = refusal.filter(|_| variant != choose(workload, trial.role, users, true));
    let body = |share: &[_], listener: Option<&TcpListener>| {
        let traffic = |lanes| HttpTraffic::new(&site, lanes);
        match (variant, listener) {
            (Variant::BareSyscalls, Some(listener)) => http_pairs::run(&site, share, listener),
            (Variant::RingLinked, _) => run_ring(assignment(trial, users, share, listener)?, traffic),
            _ => epoll::run(assignment(trial, users, share, listener)?, traffic),
        }
    };
    run_connections(trial, session, &site, users, report(variant, reason, &worker_cpus(trial)), body)
}

/// HTTP messages.
#[derive(Debug)]
pub struct HttpTraffic {
    site: Arc<HttpSite>,
    lanes: Vec<Lane>,
}

/// One end of one connection.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// Empty until the lane's first connection, so that only lanes in use touch their memory.
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    filled: usize,
    start: u64,
    sent: u32,
    server: Option<Server>,
}

impl HttpTraffic {
    /// So many lanes.
    pub fn new(site: &Arc<HttpSite>, lanes: usize) -> Self {
        Self { site: Arc::clone(site), lanes: vec![Lane::default(); lanes] }
    }
}

impl Traffic for HttpTraffic {
    #[inline]
    fn site(&self) -> &Site {
        &self.site
    }

    fn exchanges_each(&self) -> Option<u32> {
        (!self.site.keeps()).then_some(self.site.workload.requests_per_connection)
    }

    fn exchanges_per_operation(&self) -> u32 {
        1
    }

    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn name(&mut self, _lane: usize, _user: u32) {}

    fn reset(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        if lane.incoming.is_empty() {
            let (client, server) = (self.site.client.buffer(), self.site.pages.buffer());
            lane.incoming = if client.len() > server.len() { client } else { server };
        }
        (lane.filled, lane.sent) = (0, 0);
    }

    #[inline]
    fn start(&mut self, lane: usize) -> &mut u64 {
        &mut self.lanes[lane].start
    }

    fn is_empty(&self, lane: usize) -> bool {
        self.lanes[lane].filled == 0
    }

    #[inline]
    fn room(&mut self, lane: usize) -> &mut [u8] {
        let lane = &mut self.lanes[lane];
        &mut lane.incoming[lane.filled..]
    }

    #[inline]
    fn outgoing(&self, lane: usize) -> &[u8] {
        &self.lanes[lane].outgoing
    }

    #[inline]
    fn make_request(&mut self, lane: usize, damage: bool) -> usize {
        let lane = &mut self.lanes[lane];
        let is_last = self.site.is_last(lane.sent);
        let request = self.site.client.request(is_last);
        lane.sent = lane.sent.wrapping_add(1);
        lane.outgoing.clear();
        lane.outgoing.extend_from_slice(request);
        if damage {
            lane.outgoing[self.site.client.fragile_byte(is_last)] ^= 1;
        }
        request.len()
    }

    fn give_up(&mut self, lane: usize) {
        self.lanes[lane].filled = 0;
    }

    #[inline]
    fn take_answer(&mut self, lane: usize, count: usize) -> Next {
        let lane = &mut self.lanes[lane];
        lane.filled += count;
        let verdict = self.site.client.judge(&lane.incoming[..lane.filled]);
        if verdict == Verdict::Partial {
            return Next::ReceiveMore;
        }
        lane.filled = 0;
        match verdict {
            Verdict::Right { .. } => Next::Complete(usize::try_from(self.site.workload.bytes_per_operation()).unwrap_or(usize::MAX)),
            Verdict::Status => Next::Damaged(ErrorClass::Status),
            Verdict::Partial | Verdict::Wrong => Next::Damaged(ErrorClass::Mismatch),
        }
    }

    /// A request that is refused ends its connection; the refusal itself is not sent, for only our own clients call.
    #[inline]
    fn take_request(&mut self, lane: usize, count: usize, served: &mut u64) -> Next {
        let lane = &mut self.lanes[lane];
        lane.filled += count;
        lane.outgoing.clear();
        let server = lane.server.get_or_insert_default();
        let turn = server.take(&self.site.pages, &lane.incoming[..lane.filled], &mut lane.outgoing);
        if lane.outgoing.is_empty() {
            return Next::ReceiveMore;
        }
        let is_whole = turn.consumed == lane.filled;
        lane.filled = 0;
        if turn.served != 1 || !is_whole {
            return Next::Damaged(if turn.is_damaged { ErrorClass::Mismatch } else { ErrorClass::Status });
        }
        *served = self.site.workload.bytes_per_operation();
        Next::Complete(lane.outgoing.len())
    }
}
