//! Memory, descriptors and threads of this process over time, and whether they grew.

use std::fs;
use std::time::Duration;

/// Growth between the second and the last quarter that is no fault: arenas of the allocator that a thread happened to use, and caches that fill.
/// A leak of 64 bytes in each spawned task is ten times as much in ten minutes. `ZOKIO_SOAK_SLACK_MIB` in its place: a sanitizer has memory of its
/// own, and tells of leaks by itself.
fn slack_kib() -> u64 {
    1_024 * std::env::var("ZOKIO_SOAK_SLACK_MIB").map_or(16, |mib| mib.parse().expect("ZOKIO_SOAK_SLACK_MIB is a number"))
}
/// A part may have so many connections, files or runtimes open more than it had at the least.
const SLACK_COUNT: u64 = 24;

#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    values: [u64; 3],
}

/// See the module page.
#[derive(Default)]
pub(crate) struct Samples(Vec<Sample>);

fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(key)).expect("a line of /proc/self/status");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

impl Samples {
    pub(crate) fn take(&mut self, at: Duration) {
        let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").count() as u64;
        self.0.push(Sample { at, values: [status("VmRSS:"), descriptors, status("Threads:")] });
    }

    /// The least of the quarter that begins at `from` quarters of `length`; peaks say what was in use, the least says what stays.
    fn least(&self, length: Duration, from: u32, value: usize) -> Option<u64> {
        let quarter = length * from / 4..=length * (from + 1) / 4;
        self.0.iter().filter(|sample| quarter.contains(&sample.at)).map(|sample| sample.values[value]).min()
    }

    /// Prints the quarters; whatever grew is a fault.
    pub(crate) fn judge(&self, length: Duration, faults: &mut Vec<String>) {
        println!("{:<20} {:>12} {:>12} {:>12}", "least of a quarter", "second", "last", "slack");
        for (value, (name, slack)) in
            [("memory, KiB", slack_kib()), ("descriptors", SLACK_COUNT), ("threads", SLACK_COUNT)].into_iter().enumerate()
        {
            let (Some(before), Some(after)) = (self.least(length, 1, value), self.least(length, 3, value)) else {
                faults.push(format!("{name}: no sample in a quarter"));
                continue;
            };
            println!("{name:<20} {before:>12} {after:>12} {slack:>12}");
            if after > before + slack {
                faults.push(format!("{name}: grew from {before} to {after}"));
            }
        }
    }
}
