//! Measures the gate itself: false alarms between equal sides, calm and beside a bursty neighbour, and planted slow-downs found.
//!
//! ```text
//! cargo run --release --example gate_power -- target/release/zokio-bench 100
//! ```
//! Runs that many gates for each scenario of the suite `gate` in each condition (a third or a sixth of them where work is planted), and prints a
//! table in Markdown; further arguments choose conditions by how their names begin. A gate takes some three seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The scenarios of the suite.
const SCENARIOS: [&str; 3] = ["gate-cpu", "gate-memory", "gate-tcp"];
/// Bursts of the neighbour: mean length, and the share of time they take, which changes every few seconds.
const BURST: Duration = Duration::from_millis(30);
const DUTIES: [f64; 3] = [0.02, 0.10, 0.25];
/// Threads of the neighbour.
const NEIGHBOURS: usize = 2;

/// What is planted in the candidate, and beside whom it is measured.
struct Condition {
    name: &'static str,
    plant: &'static [&'static str],
    is_noisy: bool,
    /// Share of the gates that are run in this condition.
    share: f64,
}

const CONDITIONS: [Condition; 6] = [
    Condition { name: "equal, calm", plant: &[], is_noisy: false, share: 1.0 },
    Condition { name: "equal, bursty neighbour", plant: &[], is_noisy: true, share: 1.0 },
    Condition { name: "+5 %, calm", plant: &["--plant", "5%"], is_noisy: false, share: 0.34 },
    Condition { name: "+5 %, bursty neighbour", plant: &["--plant", "5%"], is_noisy: true, share: 0.34 },
    Condition { name: "+10 %, calm", plant: &["--plant", "10%"], is_noisy: false, share: 0.17 },
    Condition {
        name: "one millisecond in ten twice as slow",
        plant: &["--plant", "100%", "--plant-one-in", "10"],
        is_noisy: false,
        share: 0.17,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "neighbour") {
        neighbour();
    }
    let [tool, gates, wanted @ ..] = arguments.as_slice() else {
        eprintln!("usage: gate_power ZOKIO-BENCH GATES [CONDITION…]");
        std::process::exit(2);
    };
    let gates: f64 = gates.parse().expect("a number of gates");
    let tool = std::fs::canonicalize(tool).expect("the executable of zokio-bench");
    println!("| condition | gates | worse | of them by p99 alone | inconclusive | median s a metric |");
    println!("|---|--:|--:|--:|--:|--:|");
    let is_wanted = |condition: &&Condition| wanted.is_empty() || wanted.iter().any(|wanted| condition.name.starts_with(wanted));
    for condition in CONDITIONS.iter().filter(is_wanted) {
        let beside = condition.is_noisy.then(Neighbour::start);
        let mut sums = BTreeMap::new();
        let mut seconds = Vec::new();
        for number in 0..(gates * condition.share).ceil() as u32 {
            for scenario in SCENARIOS {
                let found = gate(&tool, scenario, condition.plant, number, &mut seconds);
                *sums.entry(found).or_insert(0) += 1;
                if found == Found::Other {
                    eprintln!("{}: {scenario} seed {number} could not be judged", condition.name);
                }
            }
        }
        drop(beside);
        let of = |found| sums.get(&found).copied().unwrap_or(0);
        let all: u32 = sums.values().sum();
        seconds.sort_by(f64::total_cmp);
        let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
        let worse = of(Found::Worse) + of(Found::WorseInTail);
        println!("| {} | {all} | {worse} | {} | {} | {median:.2} |", condition.name, of(Found::WorseInTail), of(Found::Inconclusive));
        assert_eq!(of(Found::Other), 0, "a gate that could not be judged is neither red nor green");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Worse,
    /// Worse in a quantile and in nothing else.
    WorseInTail,
    Inconclusive,
    Passed,
    Other,
}

/// One gate over one scenario; its wall time for each of its rows goes to `seconds`.
fn gate(tool: &Path, scenario: &str, plant: &[&str], seed: u32, seconds: &mut Vec<f64>) -> Found {
    let out = std::env::temp_dir().join(format!("zokio-gate-power-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&out);
    let mut command = Command::new(tool);
    command.args(["gate", "gate", "--measure-identical", "--base-bin"]).arg(tool).args(plant).arg("--out").arg(&out);
    command.args(["--seed", &seed.to_string()]);
    for other in SCENARIOS.iter().filter(|other| **other != scenario) {
        command.arg("--set").arg(format!("scenario.{other}.enabled=false"));
    }
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the gate starts");
    let wall = start.elapsed().as_secs_f64();
    let found = judge(&out.join("gate.json"), status.code(), wall, seconds);
    let _ = std::fs::remove_dir_all(&out);
    found
}

fn judge(file: &PathBuf, code: Option<i32>, wall: f64, seconds: &mut Vec<f64>) -> Found {
    let Some(result) = std::fs::read_to_string(file).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok()) else {
        return Found::Other;
    };
    let rows = result["rows"].as_array().cloned().unwrap_or_default();
    seconds.push(wall / rows.len() as f64);
    let is = |row: &serde_json::Value, verdict: &str| row["verdict"] == verdict;
    let worse: Vec<&serde_json::Value> = rows.iter().filter(|row| is(row, "worse")).collect();
    let is_tail = |row: &&serde_json::Value| row["metric"].as_str().is_some_and(|metric| metric.contains("_ns_p"));
    match code {
        Some(1) if worse.iter().all(is_tail) => Found::WorseInTail,
        Some(1) => Found::Worse,
        Some(0) if rows.iter().any(|row| is(row, "inconclusive")) => Found::Inconclusive,
        Some(0) => Found::Passed,
        _ => Found::Other,
    }
}

/// This program again, as a neighbour; ended when dropped.
struct Neighbour(std::process::Child);

impl Neighbour {
    fn start() -> Self {
        let own = std::env::current_exe().expect("this program");
        Self(Command::new(own).arg("neighbour").stdin(Stdio::piped()).spawn().expect("the neighbour starts"))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bursts of exponential length on each thread, in phases of two to five seconds with a duty each. Ends with its parent, however that ends: its input
/// is a pipe that nobody else holds.
fn neighbour() -> ! {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let busy = |seed: u64| {
        let mut random = seed;
        let mut unit = || {
            // xorshift64: any sequence will do, and the same every time.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as f64 / (1u64 << 53) as f64
        };
        loop {
            let duty = DUTIES[(unit() * DUTIES.len() as f64) as usize % DUTIES.len()];
            let phase = Instant::now() + Duration::from_secs_f64(2.0 + 3.0 * unit());
            while Instant::now() < phase {
                let burst = BURST.mul_f64(-(1.0 - unit()).ln());
                let end = Instant::now() + burst;
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
                std::thread::sleep(burst.mul_f64(1.0 / duty - 1.0));
            }
        }
    };
    for thread in 1..NEIGHBOURS as u64 {
        std::thread::spawn(move || -> ! { busy(0x9e37_79b9 + thread) });
    }
    busy(0x9e37_79b9)
}
