//! The ring alone: a user's NOPs, one after the other.

use std::io;
use std::sync::Arc;

use super::files::Files;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::drive::unsupported;

/// One user; where there is no ring to go through, the trial ends as unsupported.
pub(super) async fn user<T: Files>(control: Arc<Ledger>) {
    if let Err(error) = T::nop().await {
        // What polls has no ring.
        let is_absent = error.kind() == io::ErrorKind::Unsupported;
        let class = if is_absent { "unsupported" } else { "io_uring" };
        control.fail(zokio_report::schema::journal::Failure { class: class.into(), ..unsupported(&error.to_string()) });
        return control.user_ready();
    }
    control.user_ready();
    control.gate().wait().await;
    let mut start = now_ns();
    while !control.is_draining() {
        let result = T::nop().await;
        let end = now_ns();
        recorder::with(&control, |recorder| match &result {
            Ok(()) => recorder.success(end - start, 0),
            Err(error) => recorder.failed_io(ErrorClass::Read, error),
        });
        start = end;
    }
    control.user_done();
}
