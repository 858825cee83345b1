//! What goes over the connections of a loop, as the loops see it: TCP messages or HTTP.
//!
//! A loop knows lanes by number: those below its users send requests, the others answer. Buffers of a lane stay where they are, and are
//! touched only while none of its operations is in flight.

use std::sync::Arc;

use super::lanes::{Lanes, Next};
use crate::subject::body::exchange::TcpSite;
use crate::subject::body::site::Site;
use crate::workload::tcp::TcpMode;

/// The messages of a thread's lanes.
pub trait Traffic {
    /// Phases, addresses and socket options.
    fn site(&self) -> &Site;
    /// How many requests and answers a connection carries; `None`: it is kept to the end.
    fn exchanges_each(&self) -> Option<u32>;
    /// How many of them are one operation.
    fn exchanges_per_operation(&self) -> u32;
    /// How many lanes.
    fn lanes(&self) -> usize;
    /// A client's lane belongs to this user.
    fn name(&mut self, lane: usize, user: u32);
    /// A lane as at its beginning, for a new connection.
    fn reset(&mut self, lane: usize);
    /// When the operation under way on a client's lane began.
    fn start(&mut self, lane: usize) -> &mut u64;
    /// Whether nothing has been received that was not used.
    fn is_empty(&self, lane: usize) -> bool;
    /// Where the next bytes go to.
    fn room(&mut self, lane: usize) -> &mut [u8];
    /// Where a lane's messages are made.
    fn outgoing(&self, lane: usize) -> &[u8];
    /// Makes the next request; its length on the wire.
    fn make_request(&mut self, lane: usize, damage: bool) -> usize;
    /// The request under way has failed.
    fn give_up(&mut self, lane: usize);
    /// A client's lane has received `count` more bytes; [`Next::Complete`] holds the payload bytes of the exchange.
    fn take_answer(&mut self, lane: usize, count: usize) -> Next;
    /// A server's lane has received `count` more bytes; [`Next::Complete`] holds the answer's length on the wire, and `served` gets the
    /// payload bytes of the exchange.
    fn take_request(&mut self, lane: usize, count: usize, served: &mut u64) -> Next;
}

/// TCP messages.
#[derive(Debug)]
pub struct TcpTraffic {
    site: Arc<TcpSite>,
    lanes: Lanes,
}

impl TcpTraffic {
    /// So many lanes.
    pub fn new(site: &Arc<TcpSite>, lanes: usize) -> Self {
        Self { site: Arc::clone(site), lanes: Lanes::new(lanes, &site.payload) }
    }
}

impl Traffic for TcpTraffic {
    #[inline]
    fn site(&self) -> &Site {
        &self.site
    }

    fn exchanges_each(&self) -> Option<u32> {
        (self.site.workload.mode != TcpMode::Rr).then(|| self.exchanges_per_operation())
    }

    fn exchanges_per_operation(&self) -> u32 {
        if self.site.workload.mode == TcpMode::Rr { 1 } else { self.site.workload.operations_per_connection.max(1) }
    }

    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn name(&mut self, lane: usize, user: u32) {
        self.lanes.lane(lane).stamp.connection = user;
    }

    fn reset(&mut self, lane: usize) {
        self.lanes.reset(lane, &self.site.payload);
    }

    #[inline]
    fn start(&mut self, lane: usize) -> &mut u64 {
        &mut self.lanes.lane(lane).start
    }

    fn is_empty(&self, lane: usize) -> bool {
        self.lanes.filled(lane) == 0
    }

    #[inline]
    fn room(&mut self, lane: usize) -> &mut [u8] {
        self.lanes.room(lane)
    }

    #[inline]
    fn outgoing(&self, lane: usize) -> &[u8] {
        self.lanes.made(lane)
    }

    #[inline]
    fn make_request(&mut self, lane: usize, damage: bool) -> usize {
        self.lanes.make_request(lane, &self.site.payload, damage)
    }

    fn give_up(&mut self, lane: usize) {
        let lane = self.lanes.lane(lane);
        lane.stamp = lane.stamp.next();
    }

    #[inline]
    fn take_answer(&mut self, lane: usize, count: usize) -> Next {
        self.lanes.take_answer(lane, count, &self.site.payload)
    }

    #[inline]
    fn take_request(&mut self, lane: usize, count: usize, served: &mut u64) -> Next {
        let mut request = 0;
        let next = self.lanes.take_request(lane, count, &self.site.payload, &mut request);
        if let Next::Complete(answer) = next {
            *served = (request + answer) as u64;
        }
        next
    }
}
