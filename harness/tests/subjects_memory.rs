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

const LIFETIMES: [Lifetime; 3] = [Lifetime::Pair, Lifetime::Batch, Lifetime::Remote];
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
