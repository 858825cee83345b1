//! The subject `hyper`: hyper's server as a peer of our own, on tokio in its best layout, a current-thread runtime per CPU.
//!
//! The server is hyper's, connection for connection; users, listeners and phases are those of `tokio-ct`. With both ends in one process
//! the client is the one that all subjects share, so a difference to `tokio-ct` is the server's.

mod io;
mod service;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;
use tokio::net::TcpStream;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::service::Page;
use crate::measure::recorder::ErrorClass;
use crate::measure::tally::Ledger;
use crate::subject::body::http::HttpSite;
use crate::subject::body::site::{Broken, Ends, Site};
use crate::subject::body::{drive, users};
use crate::subject::protocol::{SubjectDescription, Trial};
use crate::subject::serve::{Session, Subject};
use crate::subject::tokio::fleet::CurrentThreads;
use crate::subject::tokio::stack::TokioStack;
use crate::workload::Workload;

/// Version of hyper in this build, as the lock file has it.
const VERSION: &str = "1.12.0";

/// `hyper`.
#[derive(Clone, Copy, Debug)]
pub struct Hyper;

impl Hyper {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        let Workload::Http(workload) = &trial.workload else {
            return Err(drive::unsupported("hyper is an HTTP server: it runs the workload http alone"));
        };
        let fleet = CurrentThreads::start(trial, control)?;
        let ends = || HttpSite::new(trial, workload, control).map(|site| HyperSite(Page::new(site)));
        drive::run::<TokioStack, _, HyperSite>(fleet, trial, users::count(trial), session, control, ends)
    }
}

impl Subject for Hyper {
    fn describe(&self) -> SubjectDescription {
        SubjectDescription { name: "hyper".into(), version: VERSION.into(), build: super::build_info(), workloads: vec!["http".into()] }
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

/// Our users, hyper's server.
#[derive(Debug)]
struct HyperSite(Page);

impl Deref for HyperSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.0.site.site
    }
}

impl Ends<TokioStack> for HyperSite {
    async fn user(self: Arc<Self>, number: u32, address: SocketAddr) {
        Ends::<TokioStack>::user(Arc::clone(&self.0.site), number, address).await;
    }

    async fn serve(&self, stream: &mut TcpStream) -> Result<(), Broken> {
        let service = service_fn(|request| self.0.clone().answer(request));
        let connection = http1::Builder::new().serve_connection(io::Socket(stream), service);
        connection.await.map_err(|_| Broken::new(ErrorClass::Read))
    }
}
