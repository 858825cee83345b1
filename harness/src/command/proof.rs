//! `doctor --self-test`: the clock, an open loop and the gate, each proven on this host, now.
//!
//! ```text
//!  clock      100 ms by the harness's clock and by the system's           agree within 0.1 %
//!  open loop  2,000 round trips a second by a schedule, half a second     all begun, and no guard against it
//!  gate       equal sides pass, 5 % more work is found                    `gate --self-test`
//! ```
//! Open loop and gate are run as a user would run them, by this executable.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zokio_report::exit;
use zokio_report::schema::result::RunResult;
use zokio_report::schema::validity::ValidityState;

use super::report;
use super::subjects::own_executable;
use crate::error::CommandError;
use crate::measure::clock::Clock;

/// How long the clocks are compared.
const CLOCK_TIME: Duration = Duration::from_millis(100);
/// By how much they may differ.
const CLOCK_SHARE_MAX: f64 = 1e-3;
/// The least share of the schedule that must be begun.
const SENT_MIN: f64 = 0.99;

/// Round trips by a schedule, a hundredth of what the slowest host could do.
const OPEN_LOOP: &str = r#"
schema = 1
seed = 42
[suite]
name = "open-loop"
question = "Does the generator of an open loop keep its schedule on this host?"
[defaults]
subjects = ["zokio"]
[defaults.run]
trials = 3
[defaults.warmup]
time = "50ms"
[defaults.measure]
time = "500ms"
[[scenario]]
id = "round-trips"
[scenario.tcp]
mode = "rr"
[scenario.load.open]
rate = "2k/s"
users = 64
"#;

/// Proves all three; the strongest exit code.
///
/// # Errors
/// Something could not be started at all.
pub fn run() -> Result<u8, CommandError> {
    let own = own_executable()?;
    let folder = std::env::temp_dir().join(format!("zokio-self-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| {
        CommandError::could_not_run(format!("cannot create {}: {error}", folder.display()), "set TMPDIR to a writable folder")
    })?;
    let (clock, open_loop) = (told("clock", clock()), told("open loop", open_loop(&own, &folder)));
    let gate = gate(&own, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    Ok(exit::strongest([clock, open_loop, gate?]))
}

fn told(what: &str, found: Result<String, String>) -> u8 {
    let (word, text, code) = match found {
        Ok(text) => ("ok", text, exit::PASSED),
        Err(text) => ("FAILED", text, exit::INVALID),
    };
    println!("{word:<7} {what}: {text}");
    code
}

/// The harness's clock against the system's.
fn clock() -> Result<String, String> {
    let (start, system) = (Clock::now(), Instant::now());
    std::thread::sleep(CLOCK_TIME);
    let (ours, theirs) = (Clock::now().since(start) as f64, system.elapsed().as_nanos() as f64);
    compared(ours, theirs, Clock::kind())
}

fn compared(ours: f64, theirs: f64, kind: &str) -> Result<String, String> {
    let share = (ours / theirs - 1.0).abs();
    let text = format!("{:.0} ms by the {kind}, off from the system's by {:.4} %", ours / 1e6, share * 100.0);
    if share <= CLOCK_SHARE_MAX { Ok(text) } else { Err(text) }
}

fn open_loop(own: &Path, folder: &Path) -> Result<String, String> {
    let (scenario, out) = (folder.join("open-loop.toml"), folder.join("open-loop"));
    std::fs::write(&scenario, OPEN_LOOP).map_err(|error| error.to_string())?;
    let run = Command::new(own).arg("run").arg(&scenario).arg("--out").arg(&out).stdin(Stdio::null()).output();
    let run = run.map_err(|error| error.to_string())?;
    let result = report::load(&out).map_err(|error| format!("{error}; the run said: {}", String::from_utf8_lossy(&run.stderr).trim()))?;
    schedule(&result)
}

/// Whether the schedule was kept.
fn schedule(result: &RunResult) -> Result<String, String> {
    let row = result.cases.first().and_then(|case| case.subjects.first()).ok_or("nothing was measured")?;
    let value = |id: &str| row.metrics.iter().find(|metric| metric.id == id).and_then(|metric| metric.value);
    let (sent, lag) = (value("sent_ratio").unwrap_or(0.0), value("schedule_lag_ns_p99"));
    let lag = lag.map_or_else(|| "unknown".to_owned(), |lag| format!("{:.0} us", lag / 1e3));
    let text = format!("{:.1} % of the schedule was begun, p99 of its lag {lag}", sent * 100.0);
    match row.validity.state {
        ValidityState::Valid if sent >= SENT_MIN => Ok(text),
        ValidityState::Valid => Err(text),
        _ => Err(format!("{text}; {}", row.validity.reason.as_deref().unwrap_or("no reason was given"))),
    }
}

/// The gate's own self-test, told as it goes.
fn gate(own: &Path, folder: &Path) -> Result<u8, CommandError> {
    let status = Command::new(own).args(["gate", "--self-test", "--out"]).arg(folder.join("gate")).stdin(Stdio::null()).status();
    let status =
        status.map_err(|error| CommandError::could_not_run(format!("cannot start the gate: {error}"), "see `zokio-bench doctor`"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::COULD_NOT_RUN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_within_a_part_in_a_thousand() {
        assert!(compared(100.05e6, 100e6, "counter").is_ok());
        assert!(compared(100.2e6, 100e6, "counter").is_err());
        assert!(compared(99.8e6, 100e6, "counter").is_err());
        assert!(clock().is_ok());
    }

    #[test]
    fn the_open_loop_of_the_proof_is_a_scenario() {
        let suite = crate::scenario::parse(crate::scenario::Source::new("open-loop.toml", OPEN_LOOP), "open-loop", &[]);
        assert_eq!(suite.map_err(|found| crate::scenario::render(&found)).expect("no mistake").cases.len(), 1);
    }
}
