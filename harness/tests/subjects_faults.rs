//! What goes wrong is told by its class, is never counted as success, and never hangs.
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{RunningServer, SUBJECTS, alone, open_files, spoilt, tcp, trial};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling::Ceiling;
use zokio_bench::subject::protocol::Role;
use zokio_bench::subject::serve::{Session, Subject as _};
use zokio_bench::workload::tcp::TcpMode;
use zokio_bench::workload::tcp::payload::{Payload, Stamp};

#[test]
fn one_flipped_bit_in_a_request_is_a_mismatch() {
    let _alone = alone();
    for (name, _, run_with) in SUBJECTS {
        for mode in [TcpMode::Rr, TcpMode::Crr, TcpMode::Churn, TcpMode::Stream] {
            let size = if mode == TcpMode::Stream { 64 << 10 } else { 500 };
            let mut trial = trial(name, Role::Both, tcp(mode, size), 4);
            trial.phases.measure_ms = 200;
            let record = spoilt(run_with, &trial, 1, 2).expect("a record");
            assert_eq!(record.work.errors.get("mismatch"), Some(&1), "{name} {mode:?}: {:?}", record.work.errors);
            assert_eq!(record.work.verified, record.work.ok);
            assert!(record.work.attempted > record.work.ok && record.work.ok > 0, "{name} {mode:?}");
        }
    }
}

#[test]
fn a_server_that_damages_its_answers_is_never_a_success() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut message = [0; 64];
                while stream.read_exact(&mut message).is_ok() {
                    message[63] ^= 0x80;
                    if stream.write_all(&message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    for (name, _, run_with) in SUBJECTS {
        let mut client = trial(name, Role::Client, tcp(TcpMode::Rr, 64), 2);
        client.connect = vec![address.clone()];
        let record = run_with(&client, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
        assert_eq!((record.work.ok, record.work.verified, record.work.bytes), (0, 0, 0), "{name}");
        assert!(record.work.errors["mismatch"] > 0, "{name}: {:?}", record.work.errors);
    }
}

#[test]
fn every_server_refuses_a_damaged_request_and_closes() {
    let _alone = alone();
    let workload = tcp(TcpMode::Rr, 64);
    let payload = Payload::new(&workload, 11);
    for (name, subject, _) in SUBJECTS {
        let server = RunningServer::start(subject, trial(name, Role::Server, workload.clone(), 2));
        let mut stream = TcpStream::connect(server.addresses[0]).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("option");
        let (mut message, mut answer) = ([0; 64], [0; 64]);
        let stamp = Stamp::first(0);
        payload.fill(&mut message, stamp);
        stream.write_all(&message).expect("write");
        stream.read_exact(&mut answer).expect("a plain echo is the answer");
        assert_eq!(answer, message, "{name}");
        payload.fill(&mut message, stamp.next());
        message[40] ^= 1;
        stream.write_all(&message).expect("write");
        assert!(!matches!(stream.read(&mut answer), Ok(1..)), "{name} answered a damaged request");
        let record = server.end();
        assert_eq!((record.work.ok, record.work.errors["mismatch"]), (1, 1), "{name}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let _alone = alone();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    for (name, subject, _) in SUBJECTS {
        let mut trial = trial(name, Role::Both, tcp(TcpMode::Rr, 64), 2);
        trial.network.listen = vec![address.clone()];
        let failure = subject.run(&trial, &Session::detached()).expect_err("the port is taken");
        assert_eq!(failure.class, "port-in-use", "{name}: {failure:?}");
        assert!(failure.message.contains(&address) && failure.message.contains("port 0"), "{name}: {failure:?}");
    }
}

#[test]
fn too_few_files_end_the_trial_with_their_own_class() {
    let _alone = alone();
    let limit = getrlimit(Resource::Nofile);
    for (name, subject, _) in SUBJECTS {
        let room = open_files() as u64 + 40;
        setrlimit(Resource::Nofile, Rlimit { current: Some(room), maximum: limit.maximum }).expect("lower is allowed");
        // The ring holds its connections in a table of its own: there the listeners' side of a stream is what runs out.
        let mode = if name == "ceiling" { TcpMode::Stream } else { TcpMode::Rr };
        let mut trial = trial(name, Role::Both, tcp(mode, 4_096), 200);
        if let zokio_bench::workload::Workload::Tcp(workload) = &mut trial.workload {
            workload.connections = 200;
        }
        let outcome = subject.run(&trial, &Session::detached());
        setrlimit(Resource::Nofile, limit).expect("back to what it was");
        let failure = outcome.expect_err("two hundred connections do not fit");
        assert_eq!(failure.class, "nofile", "{name}: {failure:?}");
        assert!(failure.message.contains("ulimit -n"), "{name}: {failure:?}");
    }
}

#[test]
fn a_server_that_is_not_there_fails_the_set_up() {
    let _alone = alone();
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string();
    let mut client = trial("ceiling", Role::Client, tcp(TcpMode::Rr, 64), 2);
    client.connect = vec![gone];
    let failure = Ceiling.run(&client, &Session::detached()).expect_err("nobody listens");
    assert!(failure.message.contains("refused"), "{failure:?}");
}
