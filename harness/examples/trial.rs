//! Runs one trial in this process and prints one line: `cargo run --release --example trial -- ceiling rr 64 300`.
//!
//! Arguments: subject, mode (`rr`, `crr`, `churn`, `stream`, `sleep`), users, milliseconds, then any of `size=64 cpus=0,1 sources=8`.
//! For choosing between variants and for tuning; a result comes from `zokio-bench run`.

use std::process::ExitCode;

use zokio_bench::load::{ClosedLoad, Load};
use zokio_bench::measure::tally;
use zokio_bench::subject::protocol::{Network, PROTOCOL, Phases, Role, Trial};
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::subject::{ceiling::Ceiling, tokio::Tokio, tokio::TokioCt, worker_cpus, zokio::Zokio};
use zokio_bench::workload::tcp::{SizeDistribution, TcpMode, TcpWorkload};
use zokio_bench::workload::{SleepWorkload, Workload};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [subject, mode, users, milliseconds, options @ ..] = arguments.as_slice() else {
        eprintln!("usage: trial SUBJECT rr|crr|churn|stream|sleep USERS MILLISECONDS [size=N] [cpus=0,1] [sources=N]");
        return ExitCode::from(2);
    };
    let option = |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
    let users: u32 = users.parse().expect("users: a number");
    let measure_ms: u64 = milliseconds.parse().expect("milliseconds: a number");
    let (tcp_mode, default_size) = match mode.as_str() {
        "rr" => (TcpMode::Rr, 64),
        "crr" => (TcpMode::Crr, 1024),
        "churn" => (TcpMode::Churn, 1024),
        _ => (TcpMode::Stream, 64 << 10),
    };
    let size = SizeDistribution::Fixed(option("size").map_or(default_size, |size| size.parse().expect("size: a number")));
    let tcp = TcpWorkload {
        mode: tcp_mode,
        request: size.clone(),
        response: size,
        connections: users,
        operations_per_connection: if mode == "churn" { 10 } else { 1 },
        nodelay: true,
    };
    let workload = if mode == "sleep" { Workload::Sleep(SleepWorkload { duration_ns: 1_000 }) } else { Workload::Tcp(tcp) };
    let sources: u32 = option("sources").map_or(0, |sources| sources.parse().expect("sources: a number"));
    let cpus = option("cpus").map_or(Vec::new(), |cpus| cpus.split(',').map(|cpu| cpu.parse().expect("a CPU")).collect());
    let trial = Trial {
        protocol: PROTOCOL,
        id: "trial".into(),
        subject: subject.clone(),
        role: Role::Both,
        connect: Vec::new(),
        workload,
        load: Load::Closed(ClosedLoad { users }),
        runtime: serde_json::Map::new(),
        cpus,
        network: Network { sources: (0..sources).map(|turn| format!("127.0.0.{}", turn + 2)).collect(), ..Network::default() },
        phases: Phases { warmup_ms: 300, warmup_window_ms: Some(100), measure_ms, drain_ms: 1_000, ..Phases::default() },
        seed: 7,
        gate: Default::default(),
    };
    let subjects: [&dyn Subject; 4] = [&Ceiling, &Tokio, &TokioCt, &Zokio];
    let Some(chosen) = subjects.into_iter().find(|known| known.describe().name == *subject) else {
        eprintln!("no subject `{subject}`");
        return ExitCode::from(2);
    };
    match chosen.run(&trial, &Session::detached()) {
        Ok(record) => {
            let ok = record.work.ok.max(1) as f64;
            let times = record.histograms.iter().find(|payload| payload.id == "service_time");
            let times = times.map(|payload| tally::decode(payload).expect("our own histogram"));
            let quantile = |at: f64| times.as_ref().map_or(0, |times| times.value_at_quantile(at)) as f64 / 1e3;
            println!(
                "{subject} {mode} {users}: {:.0} op/s, {:.0} ns CPU/op, p50 {:.1} us, p99 {:.1} us, {:.0} MB/s, {} workers, {:?}, errors {:?}, {}, {:?}",
                ok * 1e9 / record.elapsed_ns as f64,
                record.cpu_ns.total.unwrap_or(0) as f64 / ok,
                quantile(0.5),
                quantile(0.99),
                record.work.bytes as f64 * 1e3 / record.elapsed_ns as f64,
                worker_cpus(&trial).len(),
                record.config.get("variant").or_else(|| record.config.get("flavor")).map(ToString::to_string),
                record.work.errors,
                record.driver,
                record.counters,
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{}: {}", failure.class, failure.message);
            ExitCode::from(3)
        }
    }
}
