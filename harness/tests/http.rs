//! HTTP on every subject: real requests, judged at both ends, refused where they must be, and right in the eyes of other programs.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use support::{RunWith, RunningServer, alone, mean_service_ns, open_files, settles_at, spoilt, trial};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling::run::run_unless;
use zokio_bench::subject::ceiling::{self, Ceiling};
use zokio_bench::subject::hyper::Hyper;
use zokio_bench::subject::protocol::{Role, Trial};
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::http::body::Body;
use zokio_bench::workload::http::{HttpMethod, HttpWorkload};
use zokio_bench::workload::tcp::TcpMode;
use zokio_report::schema::record::TrialRecord;

const SUBJECTS: [(&str, &dyn Subject, RunWith); 5] = [
    ("zokio", &Zokio, Zokio::run_with),
    ("tokio", &Tokio, Tokio::run_with),
    ("tokio-ct", &TokioCt, TokioCt::run_with),
    ("hyper", &Hyper, Hyper::run_with),
    ("ceiling", &Ceiling, ceiling::run::run),
];

fn workload(method: HttpMethod, requests_per_connection: u32) -> HttpWorkload {
    let request_body = if method == HttpMethod::Post { 300 } else { 0 };
    HttpWorkload { method, body: 500, request_body, requests_per_connection, connections: 6, nodelay: true }
}

/// Kept connections, one for each request, one for three; and with a body.
fn workloads() -> [HttpWorkload; 4] {
    [workload(HttpMethod::Get, 0), workload(HttpMethod::Get, 1), workload(HttpMethod::Get, 3), workload(HttpMethod::Post, 0)]
}

fn http_trial(subject: &str, role: Role, workload: &HttpWorkload) -> Trial {
    let mut trial = trial(subject, role, support::tcp(TcpMode::Rr, 64), workload.connections);
    trial.workload = Workload::Http(workload.clone());
    trial
}

fn run(subject: &dyn Subject, trial: &Trial) -> TrialRecord {
    let record = subject.run(trial, &Session::detached());
    record.unwrap_or_else(|failure| panic!("{} {:?}: {failure:?}", trial.id, trial.workload))
}

fn check(name: &str, record: &TrialRecord, workload: &HttpWorkload) {
    let work = &record.work;
    assert!(work.ok > 0, "{name}: nothing was done");
    assert_eq!((work.verified, work.attempted, work.errors.len()), (work.ok, work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!(work.bytes, work.ok * workload.bytes_per_operation(), "{name}");
    assert_eq!(work.in_flight_at_end, 0, "{name}");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
}

/// As many connections as the requests of the whole life need, give or take those that the drain cut short.
fn check_connections(name: &str, record: &TrialRecord, workload: &HttpWorkload) {
    let (opened, requests) = (record.counters["connections_opened"], record.counters["operations_ever"]);
    let users = u64::from(workload.connections);
    match workload.requests_per_connection {
        0 => assert_eq!(opened, users, "{name}"),
        each => {
            let least = requests.div_ceil(each.into());
            assert!((least..=least + users).contains(&opened), "{name}: {opened} connections for {requests} requests");
        }
    }
}

#[test]
fn every_subject_answers_and_judges_real_requests_together() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for workload in workloads() {
            let name = format!("{name} {workload:?}");
            let files = open_files();
            let record = run(subject, &http_trial(&name, Role::Both, &workload));
            check(&name, &record, &workload);
            check_connections(&name, &record, &workload);
            assert_eq!(record.counters["connections_opened"], record.counters["connections_accepted"], "{name}");
            assert!(settles_at(files, open_files), "{name}: {files} descriptors before, {} after", open_files());
        }
    }
}

#[test]
fn every_server_serves_the_ceilings_client_and_counts_the_same() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for workload in workloads() {
            let name = format!("{name} {workload:?}");
            let server = RunningServer::start(subject, http_trial(&name, Role::Server, &workload));
            let mut client = http_trial("ceiling", Role::Client, &workload);
            client.connect = server.addresses.iter().map(ToString::to_string).collect();
            let record = run(&Ceiling, &client);
            check(&name, &record, &workload);
            check_connections(&name, &record, &workload);
            let served = server.end();
            assert_eq!(served.counters["connections_accepted"], record.counters["connections_opened"], "{name}");
            assert_eq!(served.work.ok, record.counters["operations_ever"], "{name}: what was served is what was received");
            assert!(served.work.errors.is_empty(), "{name}: {:?}", served.work.errors);
        }
    }
}

#[test]
fn the_ceilings_loop_is_fixed_by_the_case_and_the_work_is_the_same_without_a_ring() {
    let _alone = alone();
    for (requests, users, role, variant, without) in [
        (0, 1, Role::Both, "bare-syscalls", "bare-syscalls"),
        (0, 6, Role::Both, "ring-linked", "bare-syscalls"),
        (1, 6, Role::Both, "bare-syscalls", "bare-syscalls"),
    ] {
        let mut workload = workload(HttpMethod::Get, requests);
        workload.connections = users;
        for (refusal, expected) in [(None, variant), (Some("io_uring: EPERM".to_owned()), without)] {
            let trial = http_trial("ceiling", role, &workload);
            let record = run_unless(refusal, &trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
            check(expected, &record, &workload);
            assert_eq!(record.config["variant"], expected, "{requests} requests, {users} users");
            assert_eq!(record.driver_reason.is_some(), variant != without && expected == without);
        }
    }
    // Longer than a socket buffer: no thread may hold both ends and wait.
    let mut large = workload(HttpMethod::Post, 3);
    (large.body, large.request_body) = (3 << 20, 1 << 20);
    let mut trial = http_trial("ceiling", Role::Both, &large);
    trial.phases.measure_ms = 300;
    let record = run(&Ceiling, &trial);
    check("large", &record, &large);
    assert_eq!(record.config["variant"], "epoll");
}

#[test]
fn rate_times_mean_time_is_the_number_of_users() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for requests in [0, 1] {
            let workload = workload(HttpMethod::Get, requests);
            let mut trial = http_trial(name, Role::Both, &workload);
            trial.phases.measure_ms = 250;
            // A thread that the host holds up at an edge of the window is charged for time outside it; a wrong clock is wrong always.
            let in_flight: Vec<f64> = (0..4)
                .map(|_| {
                    let record = run(subject, &trial);
                    record.work.ok as f64 * mean_service_ns(&record) / record.elapsed_ns as f64 / 6.0
                })
                .collect();
            assert!(in_flight.iter().any(|share| (share - 1.0).abs() < 0.1), "{name} {requests}: {in_flight:?} of the users");
        }
    }
}

#[test]
fn a_damaged_request_is_refused_and_never_a_success() {
    let _alone = alone();
    for (name, _, run_with) in SUBJECTS {
        for workload in [workload(HttpMethod::Get, 0), workload(HttpMethod::Get, 1), workload(HttpMethod::Post, 0)] {
            let mut trial = http_trial(name, Role::Both, &workload);
            trial.phases.measure_ms = 200;
            let record = spoilt(run_with, &trial, 1, 2).expect("a record");
            let errors = &record.work.errors;
            let at_server = if workload.method == HttpMethod::Post { "mismatch" } else { "status" };
            assert_eq!(errors.get(at_server), Some(&1), "{name} {workload:?}: {errors:?}");
            assert!(errors.values().sum::<u64>() <= 2, "{name}: {errors:?}");
            assert_eq!(record.work.verified, record.work.ok);
            assert!(record.work.ok > 0 && record.work.attempted > record.work.ok, "{name}");
        }
    }
}

/// A server whose answers are all this one.
fn parrot(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|count| count > 0) && stream.write_all(&answer).is_ok() {}
            });
        }
    });
    address
}

#[test]
fn an_answer_with_a_wrong_sum_status_or_length_is_never_a_success() {
    let _alone = alone();
    let workload = workload(HttpMethod::Get, 0);
    let body = Body::new(500).bytes().to_vec();
    let mut damaged = body.clone();
    damaged[250] ^= 1;
    let answer =
        |status: &str, body: &[u8]| [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    for (bytes, class) in [
        (answer("200 OK", &body), None),
        (answer("200 OK", &damaged), Some("mismatch")),
        (answer("200 OK", &body[1..]), Some("mismatch")),
        (answer("503 Busy", &body), Some("status")),
    ] {
        let address = parrot(bytes).to_string();
        for (name, _, run_with) in SUBJECTS {
            let mut client = http_trial(name, Role::Client, &workload);
            client.connect = vec![address.clone()];
            let record = run_with(&client, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
            let Some(class) = class else {
                check(name, &record, &workload);
                continue;
            };
            assert_eq!((record.work.ok, record.work.bytes), (0, 0), "{name}");
            assert!(record.work.errors.keys().eq([class]), "{name}: {:?}", record.work.errors);
        }
    }
}

/// All that a server answers to these bytes, sent in pieces, until it closes.
fn ask(address: SocketAddr, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_nodelay(true).expect("option");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("option");
    for piece in pieces {
        stream.write_all(piece).expect("write");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server closes in order");
    String::from_utf8(answer).expect("ASCII")
}

#[test]
fn servers_answer_pipelines_in_order_and_refuse_what_is_no_request() {
    let _alone = alone();
    let long = "x".repeat(5_000);
    for (name, subject, _) in &SUBJECTS[..4] {
        let workload = workload(HttpMethod::Get, 0);
        let server = RunningServer::start(*subject, http_trial(name, Role::Server, &workload));
        let address = server.addresses[0];
        let first = b"GET /body HTTP/1.1\r\nHost: a\r\n\r\nGET /other HTTP/1.1\r\nHos";
        let second =
            b"t: a\r\n\r\nPOST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /body HTTP/1.1\r\nHost: a\r\nConnection: cl";
        let answers = ask(address, &[first, second, b"ose\r\n\r\n"]);
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", "404", "405", "200"], "{name}: {answers}");
        let refused = ask(address, &[b"NONSENSE\r\n\r\n"]);
        assert!(refused.starts_with("HTTP/1.1 400 "), "{name}: {refused}");
        if *name != "hyper" {
            // Hyper takes longer heads; its limits are its own.
            let refused = ask(address, &[format!("GET /{long}").as_bytes().split_at(4096).0]);
            assert!(refused.starts_with("HTTP/1.1 431 ") && refused.contains("Connection: close"), "{name}: {refused}");
        }
        let record = server.end();
        assert_eq!(record.work.ok, 2, "{name}: the pages, not the refusals");
    }
}

#[test]
fn curl_finds_status_and_fields_right() {
    let _alone = alone();
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let workload = workload(HttpMethod::Get, 0);
    let server = RunningServer::start(&Zokio, http_trial("zokio", Role::Server, &workload));
    let url = |path: &str| format!("http://{}{path}", server.addresses[0]);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--max-time", "10", "--noproxy", "*"])
            .args(arguments)
            .output();
        let output = output.expect("curl runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("ASCII")
    };
    // Two pages on one connection, then one that ends it.
    let pages = curl(&[&url("/body"), &url("/body")]);
    assert_eq!(pages.matches("HTTP/1.1 200 OK\r\nServer: zokio-bench\r\nDate: ").count(), 2, "{pages}");
    let body = String::from_utf8(Body::new(500).bytes().to_vec()).expect("printable");
    assert_eq!(
        pages.matches(&format!(" GMT\r\nContent-Type: text/plain\r\nContent-Length: 500\r\nConnection: keep-alive\r\n\r\n{body}")).count(),
        2
    );
    assert!(curl(&["--header", "Connection: close", &url("/body")]).contains("\r\nConnection: close\r\n"));
    assert!(curl(&["--http1.0", &url("/body")]).contains("\r\nConnection: close\r\n"));
    assert!(curl(&[&url("/")]).starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(curl(&["--request", "DELETE", &url("/body")]).contains("\r\nAllow: GET\r\n"));
    let record = server.end();
    assert_eq!(record.work.ok, 4);
    assert_eq!(record.counters["connections_accepted"], 5, "two pages shared one connection");
}

/// An nginx of our own that serves one page in plain form; it ends with this value.
struct Nginx {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// `None` where it is not installed.
    fn start(page: &[u8]) -> Option<Self> {
        Command::new("nginx").arg("-v").stderr(Stdio::null()).status().ok()?;
        let folder = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let root = folder.path().display();
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {root}/{kind};")).concat();
        let configuration = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/errors; events {{}} \
             http {{ access_log off; {temporary} default_type text/plain; etag off; max_ranges 0; keepalive_requests 1000000; \
             server {{ listen {address}; root {root}; add_header Last-Modified \"\"; }} }}"
        );
        std::fs::write(folder.path().join("body"), page).expect("the page");
        std::fs::write(folder.path().join("configuration"), configuration).expect("the configuration");
        // Workers of a root's nginx would be another user, who may not enter the folder; without a master there are none.
        let process = Command::new("nginx").args(["-p".as_ref(), folder.path().as_os_str()]).args(["-c", "configuration"]).spawn();
        let nginx = Self { process: process.expect("nginx starts"), address, _folder: folder };
        let answers = || TcpStream::connect(nginx.address).is_ok() || (std::thread::sleep(Duration::from_millis(10)), false).1;
        assert!((0..500).any(|_| answers()), "nginx does not listen on {address}");
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Status line, names of the fields, the values that do not depend on time and name, and the body.
fn told(answer: &str) -> (String, Vec<String>) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let timeless = |line: &str| match line.split_once(':') {
        Some((name, _)) if ["server", "date"].contains(&name.to_ascii_lowercase().as_str()) => name.to_owned(),
        _ => line.to_owned(),
    };
    (body.to_owned(), head.split("\r\n").map(timeless).collect())
}

/// The status line and the fields as a set.
fn unordered(head: &[String]) -> BTreeSet<String> {
    head.iter().map(|line| line.to_ascii_lowercase().replace("http/1.0", "http/1.1")).collect()
}

#[test]
fn nginx_answers_the_same_and_every_client_accepts_what_it_answers() {
    let _alone = alone();
    let Some(nginx) = Nginx::start(Body::new(500).bytes()) else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let workload = workload(HttpMethod::Get, 0);
    // The loop of the ceiling knows the requests of its own clients alone.
    for (name, subject, _) in &SUBJECTS[..4] {
        let server = RunningServer::start(*subject, http_trial(name, Role::Server, &workload));
        for request in ["GET /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /body HTTP/1.0\r\nHost: a\r\n\r\n"] {
            let [ours, theirs] = [server.addresses[0], nginx.address].map(|address| told(&ask(address, &[request.as_bytes()])));
            if *name == "hyper" {
                // Its names are in small letters, in an order of its own, and its version is the client's.
                assert_eq!((ours.0, unordered(&ours.1)), (theirs.0, unordered(&theirs.1)), "{name}: {request:?}");
            } else {
                assert_eq!(ours, theirs, "{name}: {request:?}");
            }
        }
        server.end();
    }
    for (name, subject, _) in SUBJECTS {
        let mut client = http_trial(name, Role::Client, &workload);
        client.connect = vec![nginx.address.to_string()];
        check(name, &run(subject, &client), &workload);
    }
}
