//! Two records, one trial: the subject under test served, the ceiling's client drove and measured.
//!
//! | of the combined record | comes from |
//! |---|---|
//! | elapsed, work, batches, histograms, warm-up | the client: it alone saw requests begin and end |
//! | driver, reason, config, workers | the server: it is the subject under test; the client's stand in `config.client` |
//! | counters | the server; the client's where the server has none of that name, else as `client_NAME` |
//! | connections opened and wanted | the client, which alone opens them |
//! | `cpu_ns` | the kernel's CPU clocks of both processes over the client's measured window |
//!
//! A mismatch that only the server saw is an error of the trial too (class `server-mismatch`): bytes are checked at both ends.

use serde_json::{Map, Value, json};
use zokio_report::schema::open::SeriesRecord;
use zokio_report::schema::record::{CpuTime, TrialRecord};

/// Counters of the client's own doing: a server that counts them too counts nothing.
const CLIENTS: [&str; 2] = ["connections_opened", "connections_wanted"];

/// The record of a trial whose server and client were two processes.
pub fn combine(server: TrialRecord, client: TrialRecord, cpu_server_ns: Option<u64>, cpu_client_ns: Option<u64>) -> TrialRecord {
    let client_cpu = cpu_client_ns.or(client.cpu_ns.client).or(client.cpu_ns.total);
    let cpu_ns =
        CpuTime { client: client_cpu, server: cpu_server_ns, total: client_cpu.zip(cpu_server_ns).map(|(client, server)| client + server) };
    let mut config = server.config;
    config.insert("client".into(), describe_client(&client.driver, client.driver_reason.as_deref(), client.config));

    let mut counters = server.counters;
    counters.insert("server_ok".into(), server.work.ok);
    counters.insert("server_verified".into(), server.work.verified);
    counters.insert("server_bytes".into(), server.work.bytes);
    counters.insert("server_errors".into(), server.work.errors.values().sum());
    for (name, value) in client.counters {
        if CLIENTS.contains(&name.as_str()) {
            counters.insert(name, value);
        } else if counters.contains_key(&name) {
            counters.insert(format!("client_{name}"), value);
        } else {
            counters.insert(name, value);
        }
    }

    let mut work = client.work;
    let mismatches: u64 = server.work.errors.iter().filter(|(class, _)| class.contains("mismatch")).map(|(_, count)| count).sum();
    if mismatches > 0 {
        work.attempted += mismatches;
        *work.errors.entry("server-mismatch".into()).or_default() += mismatches;
    }
    TrialRecord {
        id: client.id,
        elapsed_ns: client.elapsed_ns,
        work,
        batches: client.batches,
        // What the server took in the client's slices is not known.
        batches_cpu_ns: Vec::new(),
        histograms: client.histograms,
        cpu_ns,
        counters,
        workers: server.workers,
        driver: server.driver,
        driver_reason: server.driver_reason,
        config,
        warmup: client.warmup,
        open: client.open,
        overload: client.overload,
        series: client.series.map(without_memory),
    }
}

/// The client sees how the operations went; its own memory says nothing about the subject.
fn without_memory(mut series: SeriesRecord) -> SeriesRecord {
    series.rss_after_bytes = None;
    series.points.iter_mut().for_each(|point| point.rss_bytes = None);
    series
}

fn describe_client(driver: &str, reason: Option<&str>, config: Map<String, Value>) -> Value {
    json!({ "driver": driver, "driver_reason": reason, "config": config })
}

#[cfg(test)]
mod tests {
    use zokio_report::schema::record::Work;

    use super::*;

    fn record(driver: &str, ok: u64, counters: &[(&str, u64)]) -> TrialRecord {
        TrialRecord {
            driver: driver.into(),
            elapsed_ns: ok,
            work: Work { attempted: ok, ok, verified: ok, ..Work::default() },
            counters: counters.iter().map(|&(name, value)| (name.to_string(), value)).collect(),
            ..TrialRecord::default()
        }
    }

    #[test]
    fn the_client_measures_and_the_server_is_the_subject() {
        let server = record("epoll", 120, &[("syscalls", 7), ("connections_opened", 0), ("connections_accepted", 64)]);
        let client = record("io_uring", 100, &[("syscalls", 3), ("connections_opened", 64), ("connections_accepted", 0)]);
        let both = combine(server, client, Some(40), Some(2));
        assert_eq!((both.elapsed_ns, both.work.ok, both.driver.as_str()), (100, 100, "epoll"));
        assert_eq!((both.cpu_ns.client, both.cpu_ns.server, both.cpu_ns.total), (Some(2), Some(40), Some(42)));
        assert_eq!(both.config["client"]["driver"], "io_uring");
        let counter = |name: &str| both.counters.get(name).copied();
        assert_eq!((counter("syscalls"), counter("client_syscalls"), counter("connections_opened")), (Some(7), Some(3), Some(64)));
        assert_eq!(counter("connections_accepted"), Some(64), "the server accepts");
        assert_eq!(counter("server_verified"), Some(120));
    }

    #[test]
    fn a_mismatch_at_the_server_is_an_error_of_the_trial() {
        let mut server = record("epoll", 10, &[]);
        server.work.errors.insert("mismatch".into(), 2);
        let both = combine(server, record("io_uring", 10, &[]), None, Some(2));
        assert_eq!((both.work.attempted, both.work.errors["server-mismatch"]), (12, 2));
        assert_eq!(both.cpu_ns.total, None, "a total of one half would be a wrong number");
    }
}
