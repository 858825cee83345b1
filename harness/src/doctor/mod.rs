//! Whether this host is fit to measure on, and what would mend it. Read-only: nothing is changed, whatever is found.
//!
//! ```text
//! HostProfile + 200 ms of watching ─ read ─▶ Facts ─ check ─▶ ok · warn · blocks-gate · unknown, each with its reason and its remedy
//! ```
//! The checks are pure functions of [`Facts`], so tests feed hosts that nobody has. What cannot be read is `unknown` with the reason, never
//! `ok`. *Blocks the gate* is kept for what would make a gate's answer one about the host: then nothing is measured. Everything that
//! interleaved pairs survive, and only costs precision, is a warning.

mod processor;
mod read;
mod surroundings;
mod system;
#[cfg(test)]
mod tests;

use serde::Serialize;
use zokio_report::schema::host::HostProfile;

pub use read::read;

/// Something that was read, or why it could not be.
pub type Fact<T> = Result<T, String>;

/// What the checks know of a host.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The profile, as in a result.
    pub profile: HostProfile,
    /// Clock sources the kernel offers.
    pub clock_sources: Fact<String>,
    /// Turbo is switched by `intel_pstate` rather than by `cpufreq/boost`.
    pub boost_by_pstate: bool,
    /// CPUs taken from the scheduler (`isolcpus`), as a list; empty: none.
    pub isolated: Fact<String>,
    /// CPUs without a tick (`nohz_full`), as a list; empty: none.
    pub nohz_full: Fact<String>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Fact<i32>,
    /// The counter of system calls was really opened.
    pub perf_event_open: Fact<()>,
    /// Periods cut short by the control group's quota while watching.
    pub throttled_periods: Fact<u64>,
    /// Load average of the last minute.
    pub load_1min: Fact<f64>,
    /// CPU use while watching.
    pub use_now: Fact<CpuUse>,
    /// Pages swapped in and out while watching.
    pub swapped_pages: Fact<u64>,
    /// A battery is what feeds this host; `None`: it has none.
    pub on_battery: Fact<Option<bool>>,
    /// Connections in TIME_WAIT.
    pub time_wait: Fact<u64>,
    /// A connection over 127.0.0.1 was made.
    pub loopback: Fact<()>,
    /// Frequency of a CPU while it works, in MHz.
    pub mhz_now: Fact<u32>,
}

/// Who used the CPUs while watching, as shares of all CPUs allowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// Anything but this process.
    pub foreign: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
    /// The busiest processes, by name, with their share of one CPU.
    pub busiest: Vec<(String, f64)>,
}

/// How a check came out, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It could not be read; `found` says why.
    Unknown,
    /// It costs precision, or makes figures of this host its own.
    Warn,
    /// A gate on this host would say something about the host.
    BlocksGate,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Its fixed name.
    pub id: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found.
    pub found: String,
    /// Why it matters to a measurement.
    pub why: &'static str,
    /// The command that would mend it, never run; `None` where nothing is to mend, or nothing here can.
    pub mend: Option<String>,
}

impl Check {
    fn new(id: &'static str, why: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { id, state, found: found.into(), why, mend: None }
    }

    fn mend(mut self, command: impl Into<String>) -> Self {
        if self.state > State::Unknown {
            self.mend = Some(command.into());
        }
        self
    }
}

/// All checks, in a fixed order.
pub fn check(facts: &Facts) -> Vec<Check> {
    [processor::checks(facts), system::checks(facts), surroundings::checks(facts)].concat()
}

/// The checks that forbid a gate; empty on a host that is fit for one.
pub fn blocking(facts: &Facts) -> Vec<Check> {
    check(facts).into_iter().filter(|check| check.state == State::BlocksGate).collect()
}

/// Why the profile does not have a fact, by its notes.
fn note(profile: &HostProfile, fact: &str) -> String {
    let prefix = format!("{fact}: ");
    profile.notes.iter().find_map(|note| note.strip_prefix(&prefix)).unwrap_or("this system does not tell").to_owned()
}

/// Warns past one limit and blocks past a higher one.
fn by_limits(value: f64, warn: f64, block: f64) -> State {
    if value >= block {
        State::BlocksGate
    } else if value >= warn {
        State::Warn
    } else {
        State::Ok
    }
}
