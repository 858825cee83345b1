//! HTTP/1.1 as asynchronous bodies, the same for every runtime.
//!
//! ```text
//!  user:    [connect] ─▶ write request ─▶ read answer ─▶ status, length, sum ─▶ record ─▶ [close behind the last of a connection]
//!  server:  accept ─▶ ( read ─▶ answer every whole request in order, in one write )* ─▶ end of stream, `close` or refusal ─▶ close
//! ```
//! An operation is a request: its service time runs from its hand-over (with the connection it needs, where it is the first) to the last
//! byte of its body (and the close, where it is the last).

mod client;
mod server;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::site::{Broken, Ends, Site};
use super::stack::{Fleet, Stack};
use super::{drive, users};
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::http::HttpWorkload;
use crate::workload::http::client::Client;
use crate::workload::http::server::Pages;

/// What the users and servers of a trial share.
#[derive(Debug)]
pub struct HttpSite {
    /// Phases, addresses and socket options.
    pub site: Site,
    /// The workload.
    pub workload: HttpWorkload,
    /// Its requests.
    pub client: Client,
    /// Its answers.
    pub pages: Pages,
}

impl HttpSite {
    /// The site of a trial.
    ///
    /// # Errors
    /// Class `bad-request`.
    pub fn new(trial: &Trial, workload: &HttpWorkload, control: &Arc<Ledger>) -> Result<Self, Failure> {
        Ok(Self {
            site: Site::new(trial, workload.nodelay, control)?,
            workload: workload.clone(),
            client: Client::new(workload),
            pages: Pages::new(workload),
        })
    }

    /// Whether the request after `sent` others is the last of its connection.
    #[inline]
    pub fn is_last(&self, sent: u32) -> bool {
        sent + 1 == self.workload.requests_per_connection
    }

    /// Connections are kept to the end, so all are there before the start.
    pub fn keeps(&self) -> bool {
        self.workload.requests_per_connection == 0
    }
}

impl Deref for HttpSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl<S: Stack> Ends<S> for HttpSite {
    async fn user(self: Arc<Self>, number: u32, address: SocketAddr) {
        client::user::<S>(&self, number, address).await;
    }

    async fn serve(&self, stream: &mut S::Stream) -> Result<(), Broken> {
        server::serve::<S>(stream, self).await
    }
}

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up; errors of single requests are counted instead.
pub fn run<S: Stack, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &HttpWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    drive::run::<S, F, HttpSite>(fleet, trial, users::count(trial), session, control, || HttpSite::new(trial, workload, control))
}
