//! What a running subject makes known, as one stream of events.
//!
//! A reader and a waiter thread per process sleep in the kernel and wake for a line or the exit. The reader takes the clock and the
//! processes' CPU clocks itself, the moment it has a line: the evidence does not wait for the orchestrator to be scheduled.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::process::wait_without_reaping;
use crate::host::noise::process_cpu_ns;
use crate::subject::protocol::LINE_BYTES_MAX;

/// Events under way; a subject that writes faster than it is read has to wait, so it cannot fill our memory.
pub const EVENTS_MAX: usize = 64;

/// Something happened; `process` is the index of the process in its trial.
#[derive(Debug)]
pub enum Event {
    /// A whole line, without its end.
    Line {
        /// Who wrote it.
        process: usize,
        /// When it was read, and the CPU clocks then.
        stamp: Stamp,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A line grew over the limit; nothing more is read.
    LineTooLong {
        /// Who wrote it.
        process: usize,
    },
    /// Standard output ended.
    OutputEnded {
        /// Whose.
        process: usize,
    },
    /// The process exited and can be reaped.
    Exited {
        /// Which.
        process: usize,
    },
    /// The run shall stop.
    Interrupted,
}

/// The moment of a line.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The orchestrator's clock.
    pub at: Instant,
    /// CPU clock of each process of the trial, in nanoseconds, by process index; `None` where it could not be read.
    pub cpu_ns: Vec<Option<u64>>,
}

impl Stamp {
    /// Now.
    pub fn now(watched: &[Arc<AtomicU32>]) -> Self {
        // Relaxed: a process id alone; a stale one gives the wrapper's clock for one line.
        let cpu_ns = watched.iter().map(|pid| process_cpu_ns(pid.load(Ordering::Relaxed))).collect();
        Self { at: Instant::now(), cpu_ns }
    }
}

/// Watches one process: a thread for its output, a thread for its exit.
///
/// # Errors
/// The host has no thread to give.
pub fn watch(
    process: usize,
    pid: u32,
    output: impl Read + Send + 'static,
    watched: Vec<Arc<AtomicU32>>,
    events: &SyncSender<Event>,
) -> io::Result<()> {
    let (lines, exit) = (events.clone(), events.clone());
    std::thread::Builder::new().name("subject-output".into()).spawn(move || read_lines(process, output, &watched, &lines))?;
    std::thread::Builder::new().name("subject-exit".into()).spawn(move || {
        wait_without_reaping(pid);
        let _ = exit.send(Event::Exited { process });
    })?;
    Ok(())
}

/// Splits `output` into lines until it ends, a line is too long, or nobody listens any more.
fn read_lines(process: usize, mut output: impl Read, watched: &[Arc<AtomicU32>], events: &SyncSender<Event>) {
    let mut chunk = [0; 64 * 1024];
    let mut line = Vec::new();
    loop {
        let count = match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let stamp = Stamp::now(watched);
        let mut rest = &chunk[..count];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            line.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let bytes = std::mem::take(&mut line);
            if events.send(Event::Line { process, stamp: stamp.clone(), bytes }).is_err() {
                return;
            }
        }
        line.extend_from_slice(rest);
        if line.len() > LINE_BYTES_MAX {
            let _ = events.send(Event::LineTooLong { process });
            return;
        }
    }
    if !line.is_empty() {
        let _ = events.send(Event::Line { process, stamp: Stamp::now(watched), bytes: line });
    }
    let _ = events.send(Event::OutputEnded { process });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn lines_of(output: &'static [u8]) -> Vec<String> {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        read_lines(0, output, &[], &sender);
        drop(sender);
        let name = |event| match event {
            Event::Line { bytes, .. } => String::from_utf8(bytes).expect("test text"),
            other => format!("<{other:?}>"),
        };
        receiver.iter().map(name).collect()
    }

    #[test]
    fn lines_are_split_and_an_unfinished_last_line_is_one_too() {
        assert_eq!(lines_of(b"one\ntwo\nthree"), ["one", "two", "three", "<OutputEnded { process: 0 }>"]);
        assert_eq!(lines_of(b""), ["<OutputEnded { process: 0 }>"]);
    }

    #[test]
    fn a_line_without_end_is_cut_off_at_the_limit() {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        read_lines(0, io::repeat(b'x'), &[], &sender);
        drop(sender);
        let events: Vec<Event> = receiver.iter().collect();
        assert!(matches!(events[..], [Event::LineTooLong { process: 0 }]), "{events:?}");
    }
}
