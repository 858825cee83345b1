//! The ceiling's variants: which one runs, and that the same work is done where io_uring is refused.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Arc;

use support::{alone, tcp, trial};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling::run::RingSupport::{Chained, Linked, None as Refused};
use zokio_bench::subject::ceiling::run::{Variant, choose, run, run_unless};
use zokio_bench::subject::protocol::Role;
use zokio_bench::subject::serve::Session;
use zokio_bench::workload::tcp::{SizeDistribution, TcpMode};

#[test]
fn the_variant_is_fixed_by_the_case() {
    let cases = [
        // (mode, role, users, longest message, what the ring can do, variant)
        (TcpMode::Rr, Role::Both, 1, 64, Chained, Variant::BareSyscalls),
        (TcpMode::Rr, Role::Both, 64, 64, Chained, Variant::RingLinked),
        (TcpMode::Rr, Role::Both, 64, 64, Refused, Variant::BareSyscalls),
        (TcpMode::Rr, Role::Both, 1, 1 << 20, Chained, Variant::RingLinked),
        (TcpMode::Rr, Role::Both, 64, 1 << 20, Refused, Variant::Epoll),
        (TcpMode::Rr, Role::Server, 64, 64, Chained, Variant::RingLinked),
        (TcpMode::Rr, Role::Client, 64, 64, Refused, Variant::Epoll),
        (TcpMode::Crr, Role::Both, 64, 1_024, Chained, Variant::RingChain),
        (TcpMode::Crr, Role::Both, 64, 1_024, Linked, Variant::BareSyscalls),
        (TcpMode::Crr, Role::Both, 64, 1_024, Refused, Variant::BareSyscalls),
        (TcpMode::Churn, Role::Both, 64, 1_024, Chained, Variant::BareSyscalls),
        (TcpMode::Crr, Role::Client, 64, 1_024, Chained, Variant::Epoll),
        (TcpMode::Stream, Role::Both, 2, 64 << 10, Chained, Variant::BareSyscalls),
    ];
    for (mode, role, users, len_max, ring, variant) in cases {
        assert_eq!(choose(&tcp(mode, 64), role, users, len_max, ring), variant, "{mode:?} {role:?} {users} {len_max} {ring:?}");
    }
}

#[test]
fn where_io_uring_is_refused_the_work_is_the_same_and_the_reason_is_told() {
    let _alone = alone();
    let refusal = || Some("io_uring: EPERM".to_owned());
    for (mode, size, variant) in [
        (TcpMode::Rr, 64, "bare-syscalls"),
        (TcpMode::Crr, 64, "bare-syscalls"),
        (TcpMode::Rr, 100 << 10, "epoll"),
        (TcpMode::Churn, 100 << 10, "epoll"),
    ] {
        let trial = trial("ceiling", Role::Both, tcp(mode, size), 8);
        let record = run_unless(refusal(), &trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
        assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{mode:?} {size}: {:?}", record.work);
        assert_eq!(record.config["variant"], variant, "{mode:?} {size}");
        // Large connections never used the ring: nothing was refused to them.
        assert_eq!(record.driver_reason.is_some(), mode != TcpMode::Churn, "{mode:?} {size}: {:?}", record.driver_reason);
        assert!(record.counters["syscalls_measured"] > 0);
    }
}

#[test]
fn messages_longer_than_a_socket_buffer_pass_whole() {
    let _alone = alone();
    let mut trial = trial("ceiling", Role::Both, tcp(TcpMode::Rr, 0), 4);
    if let zokio_bench::workload::Workload::Tcp(workload) = &mut trial.workload {
        workload.request = SizeDistribution::Fixed(1 << 20);
        workload.response = SizeDistribution::Fixed(3 << 20);
    }
    trial.phases.measure_ms = 300;
    let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
    assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{:?}", record.work);
    assert_eq!(record.work.bytes, record.work.ok * (4 << 20));
}
