//! Round trips and connections as asynchronous bodies, the same for every runtime.
//!
//! ```text
//!  user:    connect ─▶ [gate] ─▶ ( write request, read answer ─▶ verify ─▶ record )* ─▶ close
//!  server:  accept ─▶ read request ─▶ ( verify ─▶ write answer, read request )* ─▶ end of stream ─▶ close
//! ```
//! What stands beside a comma is [`Stack::exchange`]: one call where a runtime has one for both. Both ends verify every message. `crr` and `churn` connect and close inside the loop. The client closes first, after it has read its
//! answer: the connection waits in TIME_WAIT on the client's side, where source addresses and listener ports spread it thin.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;

use super::site::{BACK_OFF, Broken, Buffers, Caller, Ends, Site};
use super::stack::Stack;
use super::turns::Turns;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::workload::tcp::payload::{Expectation, Payload, STAMP_BYTES, Stamp, write_stamp};
use crate::workload::tcp::{TcpMode, TcpWorkload};

/// What the users and servers of a trial share.
#[derive(Debug)]
pub struct TcpSite {
    /// Phases, addresses and socket options.
    pub site: Site,
    /// The workload.
    pub workload: TcpWorkload,
    /// Its bytes.
    pub payload: Payload,
}

impl TcpSite {
    /// The site of a trial.
    ///
    /// # Errors
    /// Class `bad-request`.
    pub fn new(trial: &Trial, workload: &TcpWorkload, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let (workload, payload) = (workload.clone(), Payload::new(workload, trial.seed));
        Ok(Self { site: Site::new(trial, workload.nodelay, control)?, workload, payload })
    }
}

impl Deref for TcpSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl<S: Stack> Ends<S> for TcpSite {
    async fn user(self: Arc<Self>, number: u32, address: SocketAddr) {
        match self.workload.mode {
            TcpMode::Stream => super::stream::send::<S>(self, number, address).await,
            TcpMode::Rr | TcpMode::Crr | TcpMode::Churn => user::<S>(self, number, address).await,
        }
    }

    async fn serve(&self, stream: &mut S::Stream) -> Result<(), Broken> {
        match self.workload.mode {
            TcpMode::Stream => super::stream::receive::<S>(stream, self).await,
            TcpMode::Rr | TcpMode::Crr | TcpMode::Churn => answer_all::<S>(stream, self).await,
        }
    }
}

async fn answer_all<S: Stack>(stream: &mut S::Stream, site: &TcpSite) -> Result<(), Broken> {
    let payload = &site.payload;
    let mut buffers = Buffers::new(payload.buffer(), payload.buffer());
    let mut expected = Expectation::default();
    let hello = payload.hello_bytes();
    if hello > 0 {
        if !buffers.fill::<S>(stream, hello).await? {
            return Ok(());
        }
        expected.stamp(&buffers.incoming[..hello]);
        buffers.consume(hello);
    }
    // Without a hello every request holds a whole stamp, so the first one tells its connection.
    let first = if hello > 0 { 1 } else { STAMP_BYTES };
    while buffers.fill::<S>(stream, first).await? {
        let stamp = expected.stamp(&buffers.incoming[..buffers.filled]).ok_or(Broken::new(ErrorClass::Read))?;
        let len = payload.request_len(stamp);
        buffers.fill::<S>(stream, len).await?;
        // One operation is outstanding, so a byte too many is as wrong as one too few.
        if buffers.filled != len || !payload.verify(&buffers.incoming[..len], stamp) {
            return Err(Broken::new(ErrorClass::Mismatch));
        }
        buffers.filled = 0;
        expected.advance();
        let answer = payload.response_len(stamp);
        write_stamp(&mut buffers.outgoing[..answer], stamp);
        if site.is_server {
            recorder::with(&site.control, |recorder| recorder.served((len + answer) as u64));
        }
        if S::exchange(stream, &mut buffers, answer).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// One user of `rr`, `crr` or `churn`, from its first connection to its last.
async fn user<S: Stack>(site: Arc<TcpSite>, number: u32, address: SocketAddr) {
    let buffers = Buffers::new(site.payload.buffer(), site.payload.buffer());
    let mut user = User { site: &site, caller: Caller::new(number, address), stamp: Stamp::first(number), buffers };
    if site.workload.mode == TcpMode::Rr {
        user.round_trips::<S>().await;
    } else {
        site.control.user_ready();
        site.control.gate().wait().await;
        user.connections::<S>().await;
    }
    site.control.user_done();
}

struct User<'a> {
    site: &'a TcpSite,
    caller: Caller,
    stamp: Stamp,
    buffers: Buffers,
}

impl User<'_> {
    async fn round_trips<S: Stack>(&mut self) {
        let control = &self.site.control;
        let Some(mut stream) = self.caller.connect_or_fail::<S>(self.site).await else { return };
        control.gate().wait().await;
        let mut turns = Turns::new(control, self.caller.number);
        let mut is_first = true;
        while let Some(turn) = turns.next().await {
            match self.round_trip::<S>(&mut stream, is_first).await {
                Ok(bytes) => {
                    turns.succeeded(turn, bytes);
                    is_first = false;
                }
                Err(broken) => {
                    turns.failed(turn, &broken);
                    S::close(stream).await;
                    let Some(fresh) = self.caller.reconnect::<S>(self.site).await else { return };
                    stream = fresh;
                    turns.restart();
                    is_first = true;
                }
            }
        }
        S::close(stream).await;
    }

    async fn connections<S: Stack>(&mut self) {
        let mut turns = Turns::new(&self.site.control, self.caller.number);
        while let Some(turn) = turns.next().await {
            match self.connection::<S>(turn.start_ns).await {
                Ok(bytes) => turns.succeeded(turn, bytes),
                Err(broken) => {
                    turns.failed(turn, &broken);
                    S::sleep(BACK_OFF).await;
                    turns.restart();
                }
            }
        }
    }

    /// Connect, exchange, close; the payload bytes of it.
    async fn connection<S: Stack>(&mut self, start: u64) -> Result<u64, Broken> {
        let mut stream = self.caller.connect::<S>(self.site).await.map_err(|error| Broken::io(ErrorClass::Connect, &error))?;
        let connect_ns = now_ns() - start;
        recorder::with(&self.site.control, |recorder| recorder.connected(connect_ns));
        let mut bytes = 0;
        for operation in 0..self.site.workload.operations_per_connection.max(1) {
            bytes += self.round_trip::<S>(&mut stream, operation == 0).await?;
        }
        S::close(stream).await;
        Ok(bytes)
    }

    /// One request and its answer, verified; the payload bytes of both.
    async fn round_trip<S: Stack>(&mut self, stream: &mut S::Stream, is_first: bool) -> Result<u64, Broken> {
        let payload = &self.site.payload;
        let stamp = self.stamp;
        self.stamp = stamp.next();
        let (request, answer) = (payload.request_len(stamp), payload.response_len(stamp));
        let hello = if is_first { payload.hello_bytes() } else { 0 };
        let outgoing = &mut self.buffers.outgoing;
        if hello > 0 {
            outgoing[..hello].copy_from_slice(&stamp.to_bytes());
            payload.fill(&mut outgoing[hello..hello + request], stamp);
        } else if payload.hello_bytes() > 0 {
            // The buffer held a hello and a shifted message before.
            payload.fill(&mut outgoing[..request], stamp);
        } else {
            write_stamp(&mut outgoing[..request], stamp);
        }
        let corrupts = self.site.control.takes_corruption(self.caller.number);
        if corrupts {
            outgoing[hello + request - 1] ^= 1;
        }
        let count = S::exchange(stream, &mut self.buffers, hello + request).await?;
        if corrupts {
            self.buffers.outgoing[hello + request - 1] ^= 1;
        }
        if count == 0 || !self.buffers.fill::<S>(stream, answer).await? {
            return Err(Broken::new(ErrorClass::Read));
        }
        let filled = std::mem::take(&mut self.buffers.filled);
        if filled != answer || !payload.verify(&self.buffers.incoming[..answer], stamp) {
            return Err(Broken::new(ErrorClass::Mismatch));
        }
        Ok((request + answer) as u64)
    }
}
