//! What a waiting user sees, on standard error alone: one status line on a terminal, few plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Plain output tells of its progress this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Progress of one run.
#[derive(Debug)]
pub struct Progress {
    is_terminal: bool,
    total: usize,
    done: usize,
    started: Instant,
    last_plain: Instant,
    has_status: bool,
}

impl Progress {
    /// A run of `total` trials starts now.
    pub fn new(total: usize) -> Self {
        let now = Instant::now();
        Self { is_terminal: io::stderr().is_terminal(), total, done: 0, started: now, last_plain: now, has_status: false }
    }

    /// A trial starts.
    pub fn starting(&mut self, case: &str, subject: &str) {
        let (done, total) = (self.done, self.total);
        if self.is_terminal {
            eprint!("\r\x1b[K[{done}/{total}] {case}  {subject}{}", self.left());
            let _ = io::stderr().flush();
            self.has_status = true;
        } else if self.last_plain.elapsed() >= PLAIN_INTERVAL {
            self.last_plain = Instant::now();
            eprintln!("[{done}/{total}] {case}  {subject}{}", self.left());
        }
    }

    /// A trial, or several that were left out, are done with.
    pub fn done(&mut self, trials: usize) {
        self.done += trials;
    }

    /// A line for the reader, above the status line.
    pub fn note(&mut self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }

    /// Takes the status line away.
    pub fn clear(&mut self) {
        if self.has_status {
            eprint!("\r\x1b[K");
            self.has_status = false;
        }
    }

    fn left(&self) -> String {
        /// Fewer trials say nothing about the rest.
        const TRIALS_MIN: usize = 3;
        if self.done < TRIALS_MIN || self.done >= self.total {
            return String::new();
        }
        let seconds = self.started.elapsed().as_secs_f64() / self.done as f64 * (self.total - self.done) as f64;
        format!("  about {} left", short_time(Duration::from_secs_f64(seconds)))
    }
}

/// `45 s`, `2 min 5 s`.
pub fn short_time(length: Duration) -> String {
    let seconds = length.as_secs_f64().round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_have_units() {
        let cases = [(0, "0 s"), (59, "59 s"), (60, "1 min"), (125, "2 min 5 s")];
        for (seconds, text) in cases {
            assert_eq!(short_time(Duration::from_secs(seconds)), text);
        }
    }
}
