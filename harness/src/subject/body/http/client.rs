//! One user: request after request, each answer judged before the next.

use std::net::SocketAddr;

use super::HttpSite;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::subject::body::site::{BACK_OFF, Broken, Buffers, Caller};
use crate::subject::body::stack::Stack;
use crate::subject::body::turns::Turns;
use crate::workload::http::client::Verdict;

struct User<'a, S: Stack> {
    site: &'a HttpSite,
    caller: Caller,
    buffers: Buffers,
    stream: Option<S::Stream>,
    /// Requests sent on this connection.
    sent: u32,
    /// The outgoing buffer holds this request: the plain one, or the last of a connection.
    holds: Option<bool>,
}

/// One user, from its first connection to its last.
pub(super) async fn user<S: Stack>(site: &HttpSite, number: u32, address: SocketAddr) {
    let control = &site.control;
    let buffers = Buffers::new(Vec::new(), site.client.buffer());
    let mut user = User::<S> { site, caller: Caller::new(number, address), buffers, stream: None, sent: 0, holds: None };
    if site.keeps() {
        let Some(stream) = user.caller.connect_or_fail::<S>(site).await else { return };
        user.stream = Some(stream);
    } else {
        control.user_ready();
    }
    control.gate().wait().await;
    user.requests().await;
    if let Some(stream) = user.stream {
        S::close(stream).await;
    }
    control.user_done();
}

impl<S: Stack> User<'_, S> {
    async fn requests(&mut self) {
        let bytes = self.site.workload.bytes_per_operation();
        let mut turns = Turns::new(&self.site.control, self.caller.number);
        while let Some(turn) = turns.next().await {
            match self.operation(turn.start_ns).await {
                Ok(()) => turns.succeeded(turn, bytes),
                Err(broken) => {
                    turns.failed(turn, &broken);
                    if let Some(stream) = self.stream.take() {
                        S::close(stream).await;
                    }
                    S::sleep(BACK_OFF).await;
                    turns.restart();
                }
            }
        }
    }

    /// A connection if there is none, a request, its answer, and the end of the connection if it was the last.
    async fn operation(&mut self, start: u64) -> Result<(), Broken> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let connected = self.caller.connect::<S>(self.site).await;
                let stream = connected.map_err(|error| Broken::io(ErrorClass::Connect, &error))?;
                let connect_ns = now_ns() - start;
                recorder::with(&self.site.control, |recorder| recorder.connected(connect_ns));
                self.sent = 0;
                stream
            }
        };
        let is_last = self.site.is_last(self.sent);
        self.sent = self.sent.wrapping_add(1);
        let outcome = self.exchange(&mut stream, is_last).await;
        match outcome {
            // A server may end a connection that the client would keep: the next request then opens a new one.
            Ok(keeps) if keeps && !is_last => self.stream = Some(stream),
            _ => S::close(stream).await,
        }
        outcome.map(drop)
    }

    /// One request and its answer, judged; whether the server keeps the connection.
    async fn exchange(&mut self, stream: &mut S::Stream, is_last: bool) -> Result<bool, Broken> {
        let client = &self.site.client;
        let request = client.request(is_last);
        if self.holds != Some(is_last) {
            self.buffers.outgoing.clear();
            self.buffers.outgoing.extend_from_slice(request);
            self.holds = Some(is_last);
        }
        if self.site.control.takes_corruption(self.caller.number) {
            self.buffers.outgoing[client.fragile_byte(is_last)] ^= 1;
            self.holds = None;
        }
        self.buffers.filled = 0;
        let mut count = S::exchange(stream, &mut self.buffers, request.len()).await?;
        loop {
            if count == 0 {
                return Err(Broken::new(ErrorClass::Read));
            }
            match client.judge(&self.buffers.incoming[..self.buffers.filled]) {
                Verdict::Partial => count = self.buffers.more::<S>(stream).await?,
                Verdict::Right { keeps } => return Ok(keeps),
                Verdict::Status => return Err(Broken::new(ErrorClass::Status)),
                Verdict::Wrong => return Err(Broken::new(ErrorClass::Mismatch)),
            }
        }
    }
}
