//! System calls per operation, counted by the kernel for any subject, while the trial warms up.
//!
//! The tracepoint `raw_syscalls:sys_enter` counts the calls of this process's threads: those of the thread that opens the counter and of all
//! it starts from then on. Being counted makes a call some 100 ns slower, so the counter is closed before the measured window begins.
//!
//! ```text
//!  gate opens ── a fifth ──▶ first reading ── two fifths ──▶ second reading, closed ── two fifths ──▶ measured window
//! ```
//! It takes tracefs and the right to count in the kernel (root, CAP_PERFMON, or kernel.perf_event_paranoid below 2); where they are missing,
//! the record says so, and the metric is absent.
#![expect(unsafe_code, reason = "perf_event_open has no safe wrapper")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;
use zokio_report::schema::record::TrialRecord;

use super::tally::Ledger;

/// Where tracefs may be mounted.
const IDS: [&str; 2] =
    ["/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id"];
/// Shorter warm-ups leave no time to count.
const WARMUP_MS_MIN: u64 = 10;

/// `struct perf_event_attr` in its first version (linux/perf_event.h, PERF_ATTR_SIZE_VER0).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint_type: u32,
    config1: u64,
}

/// PERF_TYPE_TRACEPOINT.
const TRACEPOINT: u32 = 2;
/// The second flag of `perf_event_attr`: threads started from now on are counted too.
const INHERIT: u64 = 1 << 1;
/// PERF_FLAG_FD_CLOEXEC.
const CLOSE_ON_EXEC: libc::c_ulong = 1 << 3;

/// A counter of the calls of this thread and of those it starts.
struct Counter(File);

impl Counter {
    fn open() -> Result<Self, String> {
        let id = IDS.iter().find_map(|path| std::fs::read_to_string(path).ok()).ok_or("tracefs is not mounted, or not ours to read")?;
        let config = id.trim().parse().map_err(|_| "the tracepoint raw_syscalls:sys_enter has no number")?;
        let size = u32::try_from(size_of::<Attributes>()).expect("64 bytes");
        let attributes = Attributes { kind: TRACEPOINT, size, config, flags: INHERIT, ..Attributes::default() };
        // SAFETY: the kernel reads the `size` bytes of `attributes`, which outlives the call.
        let opened = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, 0, -1, -1, CLOSE_ON_EXEC) };
        let descriptor = i32::try_from(opened).ok().filter(|descriptor| *descriptor >= 0);
        let descriptor = descriptor.ok_or_else(|| format!("perf_event_open: {}", io::Error::last_os_error()))?;
        // SAFETY: a descriptor that was just opened, and that nobody else knows.
        Ok(Self(unsafe { File::from_raw_fd(descriptor) }))
    }

    fn read(&mut self) -> Option<u64> {
        let mut count = [0; 8];
        self.0.read_exact(&mut count).ok()?;
        Some(u64::from_ne_bytes(count))
    }
}

/// Counts during the warm-up of one trial.
pub struct SyscallCount {
    control: Arc<Ledger>,
    sampler: Result<JoinHandle<Option<(u64, u64)>>, String>,
}

impl std::fmt::Debug for SyscallCount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SyscallCount").field("why_not", &self.sampler.as_ref().err()).finish_non_exhaustive()
    }
}

/// Whether this process may count system calls, found out by opening the counter; why not.
///
/// # Errors
/// What stands in the way: no tracepoint, no permission.
pub fn may_count() -> Result<(), String> {
    Counter::open().map(drop)
}

impl SyscallCount {
    /// Begins; before any thread of the subject is started, on the thread that starts them.
    pub fn start(control: &Arc<Ledger>, warmup_ms: u64) -> Self {
        let short = || Err(format!("a warm-up of {warmup_ms} ms is too short to count in"));
        let opened = if warmup_ms < WARMUP_MS_MIN { short() } else { Counter::open() };
        let shared = Arc::clone(control);
        let fifth = Duration::from_millis(warmup_ms) / 5;
        let sampler = opened.and_then(|counter| {
            let body = move || sample(&shared, counter, fifth);
            thread::Builder::new().name("zokio-syscalls".into()).spawn(body).map_err(|error| error.to_string())
        });
        Self { control: Arc::clone(control), sampler }
    }

    /// Ends, and notes `syscalls_sampled` and `operations_sampled`, or why not.
    pub fn finish(self, record: Option<&mut TrialRecord>) {
        // A trial whose set-up failed never opened it.
        self.control.gate().open();
        let counted = self.sampler.and_then(|sampler| sampler.join().ok().flatten().ok_or_else(|| "nothing was counted".into()));
        let Some(record) = record else { return };
        match counted {
            Ok((calls, operations)) => {
                record.counters.insert("syscalls_sampled".into(), calls);
                record.counters.insert("operations_sampled".into(), operations);
            }
            Err(why) => drop(record.config.insert("syscalls_not_counted".into(), json!(why))),
        }
    }
}

/// Calls and operations between two readings; `None` where no operation ended.
fn sample(control: &Ledger, mut counter: Counter, fifth: Duration) -> Option<(u64, u64)> {
    control.gate().wait_thread();
    thread::sleep(fifth);
    let (calls, operations) = (counter.read()?, control.ok_so_far());
    thread::sleep(2 * fifth);
    let (calls_after, operations_after) = (counter.read()?, control.ok_so_far());
    (operations_after > operations).then(|| (calls_after.saturating_sub(calls), operations_after - operations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_threads_started_later_are_counted_where_they_may_be() {
        let Ok(mut counter) = Counter::open() else { return };
        let before = counter.read().expect("open");
        thread::spawn(|| (0..1_000).filter_map(|_| rustix::process::getppid()).count()).join().expect("no panic");
        let calls = counter.read().expect("open") - before;
        assert!((1_000..1_300).contains(&calls), "{calls}");
    }

    #[test]
    fn a_trial_says_what_was_counted_or_why_not() {
        let mut record = TrialRecord::default();
        SyscallCount::start(&Arc::new(Ledger::default()), 1).finish(Some(&mut record));
        assert!(record.config["syscalls_not_counted"].as_str().is_some_and(|why| why.contains("too short")), "{record:?}");
        let mut record = TrialRecord::default();
        SyscallCount::start(&Arc::new(Ledger::default()), 20).finish(Some(&mut record));
        assert!(record.config.contains_key("syscalls_not_counted"), "no operation ended: {record:?}");
    }
}
