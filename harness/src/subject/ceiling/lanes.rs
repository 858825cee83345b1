//! The state of all connection ends a ring thread holds, and one block of memory for all their buffers.
//!
//! A lane is one end of one connection; its index is its direct descriptor. Lanes below `clients` send requests, the others answer.
//! A lane's buffers are read and written here only while none of its operations is in flight.

use crate::measure::recorder::ErrorClass;
use crate::workload::tcp::payload::{Expectation, Payload, STAMP_BYTES, Stamp, write_stamp};

/// One end of one connection.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Bytes received and not yet used.
    pub filled: usize,
    /// Client: the operation under way. Server: unused.
    pub stamp: Stamp,
    /// Client: when the operation under way began.
    pub start: u64,
    /// Server: the message that must come next.
    pub expected: Expectation,
    /// A hello must come (server) or go (client) before the next request.
    pub owes_hello: bool,
    /// The outgoing buffer holds the pattern.
    has_pattern: bool,
}

/// All lanes of a thread.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    memory: Vec<u8>,
    /// Bytes from one buffer to the next: whole cache lines.
    stride: usize,
}

/// What a lane must do after bytes have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The message is not whole.
    ReceiveMore,
    /// A verified message; for a server, so many bytes of an answer are ready to be sent.
    Complete(usize),
    /// The message is not the one expected, in this way.
    Damaged(ErrorClass),
}

impl Lanes {
    /// So many lanes; [`Lanes::reset`] makes one ready.
    pub fn new(count: usize, payload: &Payload) -> Self {
        let stride = (payload.len_max() + STAMP_BYTES + 1).next_multiple_of(64);
        let owes_hello = payload.hello_bytes() > 0;
        let lane = Lane { filled: 0, stamp: Stamp::first(0), start: 0, expected: Expectation::default(), owes_hello, has_pattern: false };
        Self { lanes: vec![lane; count], memory: vec![0; 2 * stride * count], stride }
    }

    /// The lane.
    #[inline]
    pub fn lane(&mut self, index: usize) -> &mut Lane {
        &mut self.lanes[index]
    }

    /// A lane as at its beginning, for a new connection.
    pub fn reset(&mut self, index: usize, payload: &Payload) {
        let lane = &mut self.lanes[index];
        lane.filled = 0;
        lane.expected = Expectation::default();
        lane.owes_hello = payload.hello_bytes() > 0;
        // Only lanes that are used touch their memory.
        if !std::mem::replace(&mut lane.has_pattern, true) {
            let pattern = payload.buffer();
            let len = self.stride.min(pattern.len());
            self.outgoing(index)[..len].copy_from_slice(&pattern[..len]);
        }
    }

    /// How many lanes.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Where a lane's messages are made.
    #[inline]
    pub fn outgoing(&mut self, index: usize) -> &mut [u8] {
        let at = 2 * self.stride * index;
        &mut self.memory[at..at + self.stride]
    }

    /// What [`Lanes::outgoing`] holds.
    #[inline]
    pub fn made(&self, index: usize) -> &[u8] {
        let at = 2 * self.stride * index;
        &self.memory[at..at + self.stride]
    }

    /// Bytes a lane has received and not yet used.
    pub fn filled(&self, index: usize) -> usize {
        self.lanes[index].filled
    }

    /// Where bytes arrive: all of the buffer.
    #[inline]
    pub fn incoming(&mut self, index: usize) -> &mut [u8] {
        let at = 2 * self.stride * index + self.stride;
        &mut self.memory[at..at + self.stride]
    }

    /// The part of the incoming buffer that the next bytes go to.
    #[inline]
    pub fn room(&mut self, index: usize) -> &mut [u8] {
        let filled = self.lanes[index].filled;
        &mut self.incoming(index)[filled..]
    }

    /// Makes the request of a client lane's current stamp; its length on the wire.
    #[inline]
    pub fn make_request(&mut self, index: usize, payload: &Payload, damage: bool) -> usize {
        let lane = &mut self.lanes[index];
        let (stamp, hello) = (lane.stamp, if lane.owes_hello { payload.hello_bytes() } else { 0 });
        lane.owes_hello = false;
        let len = payload.request_len(stamp);
        let outgoing = self.outgoing(index);
        if payload.hello_bytes() == 0 {
            write_stamp(&mut outgoing[..len], stamp);
        } else {
            outgoing[..hello].copy_from_slice(&stamp.to_bytes()[..hello]);
            payload.fill(&mut outgoing[hello..hello + len], stamp);
        }
        if damage {
            outgoing[hello + len - 1] ^= 1;
            self.lanes[index].has_pattern = false;
        }
        hello + len
    }

    /// A client lane has received `count` more bytes.
    #[inline]
    pub fn take_answer(&mut self, index: usize, count: usize, payload: &Payload) -> Next {
        let at = 2 * self.stride * index + self.stride;
        let lane = &mut self.lanes[index];
        lane.filled += count;
        let (filled, stamp) = (lane.filled, lane.stamp);
        let len = payload.response_len(stamp);
        if filled < len {
            return Next::ReceiveMore;
        }
        lane.filled = 0;
        lane.stamp = stamp.next();
        if filled > len || !payload.verify(&self.memory[at..at + len], stamp) {
            return Next::Damaged(ErrorClass::Mismatch);
        }
        Next::Complete(payload.request_len(stamp) + len)
    }

    /// A server lane has received `count` more bytes; [`Next::Complete`] holds the answer's length, and the request's in `request`.
    #[inline]
    pub fn take_request(&mut self, index: usize, count: usize, payload: &Payload, request: &mut usize) -> Next {
        let (stride, at) = (self.stride, 2 * self.stride * index);
        let lane = &mut self.lanes[index];
        lane.filled += count;
        let (outgoing, incoming) = self.memory[at..at + 2 * stride].split_at_mut(stride);
        if lane.owes_hello {
            let hello = payload.hello_bytes();
            if lane.filled < hello {
                return Next::ReceiveMore;
            }
            lane.expected.stamp(&incoming[..hello]);
            incoming.copy_within(hello..lane.filled, 0);
            lane.filled -= hello;
            lane.owes_hello = false;
        }
        let Some(stamp) = lane.expected.stamp(&incoming[..lane.filled]) else { return Next::ReceiveMore };
        let len = payload.request_len(stamp);
        if lane.filled < len {
            return Next::ReceiveMore;
        }
        if lane.filled > len || !payload.verify(&incoming[..len], stamp) {
            return Next::Damaged(ErrorClass::Mismatch);
        }
        lane.filled = 0;
        lane.expected.advance();
        *request = len;
        let answer = payload.response_len(stamp);
        write_stamp(&mut outgoing[..answer], stamp);
        Next::Complete(answer)
    }
}

/// What the tag of a failed operation means for the record.
pub fn class_of(is_send: bool) -> ErrorClass {
    if is_send { ErrorClass::Write } else { ErrorClass::Read }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tcp::{SizeDistribution, TcpMode, TcpWorkload};

    #[test]
    fn a_request_in_pieces_is_answered_once_and_a_damaged_one_never() {
        let sizes = SizeDistribution::Range(20, 90);
        let workload = TcpWorkload {
            mode: TcpMode::Rr,
            request: sizes.clone(),
            response: sizes,
            connections: 1,
            operations_per_connection: 1,
            nodelay: true,
        };
        let payload = Payload::new(&workload, 3);
        let mut lanes = Lanes::new(2, &payload);
        (0..2).for_each(|lane| lanes.reset(lane, &payload));
        for round in 0..50 {
            let damage = round == 49;
            let len = lanes.make_request(0, &payload, damage);
            let sent = lanes.outgoing(0)[..len].to_vec();
            let (head, tail) = sent.split_at(5);
            lanes.room(1)[..5].copy_from_slice(head);
            let mut request = 0;
            assert_eq!(lanes.take_request(1, 5, &payload, &mut request), Next::ReceiveMore);
            lanes.room(1)[..tail.len()].copy_from_slice(tail);
            let next = lanes.take_request(1, tail.len(), &payload, &mut request);
            if damage {
                assert_eq!(next, Next::Damaged(ErrorClass::Mismatch));
                return;
            }
            let Next::Complete(answer) = next else { panic!("{next:?}") };
            let bytes = lanes.outgoing(1)[..answer].to_vec();
            lanes.room(0)[..answer].copy_from_slice(&bytes);
            assert_eq!(lanes.take_answer(0, answer, &payload), Next::Complete(request + answer));
        }
    }
}
