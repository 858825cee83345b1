//! Blocks of memory: every allocator runs every lifetime, all blocks come back, and a block that was overwritten is noticed.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Arc;

use support::{RunWith, alone, check_rounds, spoilt, trial_of};
use zokio_bench::measure::tally::Ledger;
#[cfg(feature = "mimalloc")]
use zokio_bench::subject::allocators::Mimalloc;
use zokio_bench::subject::allocators::System;
use zokio_bench::subject::ceiling;
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::memory::{Lifetime, MemoryWorkload};
use zokio_bench::workload::tcp::SizeDistribution;

const LIFETIMES: [Lifetime; 4] = [Lifetime::Pair, Lifetime::Batch, Lifetime::Shift, Lifetime::Remote];
const LIVE: u32 = 32;

fn subjects() -> Vec<(&'static str, RunWith)> {
    vec![
        ("zokio", Zokio::run_with as RunWith),
        ("system", System::run_with),
        #[cfg(feature = "mimalloc")]
        ("mimalloc", Mimalloc::run_with),
        ("ceiling", ceiling::run::run),
    ]
}

fn memory(name: &str, lifetime: Lifetime, size: SizeDistribution, users: u32) -> Trial {
    let operations_per_round = if lifetime == Lifetime::Remote { LIVE } else { 4 * LIVE };
    trial_of(name, Workload::Memory(MemoryWorkload { size, lifetime, live: LIVE, operations_per_round }), users)
}

fn round(lifetime: Lifetime) -> u64 {
    u64::from(if lifetime == Lifetime::Remote { LIVE } else { 4 * LIVE })
}

fn has_two_cpus() -> bool {
    zokio_bench::measure::cpu::thread_cpus().len() >= 2
}

#[test]
fn every_lifetime_gives_back_what_it_took() {
    let _alone = alone();
    let sizes =
        [SizeDistribution::Fixed(64), SizeDistribution::Range(1, 700), SizeDistribution::Split(vec![(8, 60), (20_000, 3), (1_200_000, 1)])];
    for (name, run) in subjects() {
        for lifetime in LIFETIMES.into_iter().filter(|lifetime| *lifetime != Lifetime::Remote || has_two_cpus()) {
            for size in &sizes {
                let mut trial = memory(name, lifetime, size.clone(), 2);
                trial.phases.measure_ms = 100;
                let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default()));
                let record = record.unwrap_or_else(|failure| panic!("{name} {lifetime:?} {size:?}: {failure:?}"));
                check_rounds(&format!("{name} {lifetime:?} {size:?}"), &record, round(lifetime));
                assert_eq!(record.driver, "none");
                let variant = match name {
                    "ceiling" => "free-list",
                    "zokio" => "heap",
                    library => library,
                };
                assert_eq!(record.config["variant"], variant);
                let has_looked = record.counters.contains_key("doubling_once_ns");
                assert_eq!(has_looked, trial.workload.no_doubling().is_none(), "{name} {lifetime:?}");
                assert_eq!(record.counters["operations_per_round"], round(lifetime), "{name} {lifetime:?}");
            }
        }
    }
}

/// A trial of the subject with this strategy, of blocks whose size changes from batch to batch.
fn strategy_trial(name: &str, strategy: &str) -> Trial {
    let mut trial = memory(name, Lifetime::Shift, SizeDistribution::Split([9_000, 30_000, 60_000, 70_000].map(|size| (size, 1)).into()), 1);
    trial.runtime = serde_json::from_value(serde_json::json!({ "memory_strategy": strategy })).expect("a table");
    trial.phases.measure_ms = 100;
    trial
}

#[test]
fn a_record_says_what_the_strategy_of_the_heap_did() {
    let _alone = alone();
    for strategy in zokio::MemoryStrategy::ALL {
        let run = |name: &str, run: RunWith| {
            let record = run(&strategy_trial(name, strategy.as_str()), &Session::detached(), &Arc::new(Ledger::default()));
            record.unwrap_or_else(|failure| panic!("{name} {strategy}: {failure:?}"))
        };
        let record = run("zokio", Zokio::run_with);
        assert_eq!(record.config["memory_strategy"], strategy.as_str());
        let [from_system, mapped] = ["blocks_from_system", "bytes_mapped"].map(|name| record.counters[name]);
        let is_system = strategy == zokio::MemoryStrategy::System;
        assert_eq!((from_system >= record.work.ok, mapped == 0), (is_system, is_system), "{strategy}: {:?}", record.counters);
        assert!(record.counters["bytes_returned"] <= mapped);
        assert_eq!(record.config.contains_key("numa_placement"), strategy == zokio::MemoryStrategy::NumaAware);
        let peer = run("system", System::run_with);
        assert!(!peer.config.contains_key("memory_strategy") && !peer.counters.contains_key("bytes_mapped"), "it has no strategy");
    }
}

#[test]
fn a_strategy_that_there_is_not_is_refused() {
    let _alone = alone();
    let failure = Zokio::run_with(&strategy_trial("zokio", "numa"), &Session::detached(), &Arc::new(Ledger::default()));
    let failure = failure.expect_err("no such strategy");
    assert_eq!(failure.class, "bad-request");
    assert!(failure.message.contains("`numa`") && failure.message.contains("`numa_aware`"), "{}", failure.message);
}

#[test]
fn a_block_that_lost_its_pattern_is_an_error_and_no_operation() {
    let _alone = alone();
    for (name, run) in subjects() {
        for lifetime in LIFETIMES.into_iter().filter(|lifetime| *lifetime != Lifetime::Remote || has_two_cpus()) {
            let mut trial = memory(name, lifetime, SizeDistribution::Fixed(5_000), 2);
            // Long enough that the block spoilt at its start is freed within it, however busy the host.
            trial.phases.measure_ms = 200;
            let record = spoilt(run, &trial, 1, 0).expect("a record");
            assert_eq!(record.work.errors.get("mismatch"), Some(&1), "{name} {lifetime:?}: {:?}", record.work);
            assert_eq!(record.work.attempted, record.work.ok + 1, "{name} {lifetime:?}");
            assert_eq!(record.work.attempted % round(lifetime), 0, "{name} {lifetime:?}: the round counts but for the block");
        }
    }
}

#[test]
fn what_cannot_be_remote_is_refused() {
    let _alone = alone();
    let cpus = u32::try_from(zokio_bench::measure::cpu::thread_cpus().len()).expect("few");
    for users in [1, cpus + 1] {
        let trial = memory("system", Lifetime::Remote, SizeDistribution::Fixed(64), users);
        let failure = System::run_with(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect_err("no other thread");
        assert_eq!(failure.class, "unsupported", "{users}: {failure:?}");
    }
}
