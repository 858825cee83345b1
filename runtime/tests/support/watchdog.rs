//! A time limit for a test: a hang becomes an abort with a message.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Aborts the process if it lives for longer than its limit.
#[must_use = "the limit ends when this is dropped"]
pub(crate) struct Watchdog {
    _ends: Sender<()>,
}

/// Gives the test `what` a minute, several times what it takes under a sanitizer on a busy host.
pub(crate) fn watchdog(what: &'static str) -> Watchdog {
    let (ends, ended) = channel::<()>();
    std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("watchdog: `{what}` stood still for a minute; the process is aborted");
            std::process::abort();
        }
    });
    Watchdog { _ends: ends }
}
