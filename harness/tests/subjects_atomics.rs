//! Atomic operations: every subject does what it counts, and a word that holds anything else is noticed.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Arc;

use support::{RunWith, SUBJECTS, alone, check_rounds, spoilt, trial_of};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::atomics::{AtomicMode, AtomicsWorkload, Sharing};
use zokio_report::schema::record::TrialRecord;

const MODES: [AtomicMode; 4] = [AtomicMode::Load, AtomicMode::FetchAdd, AtomicMode::Cas, AtomicMode::Mixed];
const ROUND: u32 = 1_024;

fn subjects() -> impl Iterator<Item = (&'static str, RunWith)> {
    SUBJECTS.into_iter().map(|(name, _, run)| (name, run)).chain([("zokio", Zokio::run_with as RunWith)])
}

fn atomics(name: &str, mode: AtomicMode, sharing: Sharing, users: u32) -> Trial {
    trial_of(name, Workload::Atomics(AtomicsWorkload { mode, sharing, operations_per_round: ROUND }), users)
}

fn run(run: RunWith, trial: &Trial) -> TrialRecord {
    run(trial, &Session::detached(), &Arc::new(Ledger::default())).unwrap_or_else(|failure| panic!("{trial:?}: {failure:?}"))
}

#[test]
fn every_mode_leaves_the_sum_it_claims() {
    let _alone = alone();
    for (name, run_with) in subjects() {
        for mode in MODES {
            for (sharing, users) in [(Sharing::Padded, 1), (Sharing::Adjacent, 9), (Sharing::Shared, 3)] {
                let record = run(run_with, &atomics(name, mode, sharing, users));
                check_rounds(&format!("{name} {mode:?} {sharing:?}"), &record, ROUND.into());
                assert_eq!(record.counters.contains_key("retries_ever"), matches!(mode, AtomicMode::Cas | AtomicMode::Mixed), "{name}");
            }
        }
    }
}

#[test]
fn an_addition_that_nobody_claims_is_noticed() {
    let _alone = alone();
    for (name, run_with) in subjects() {
        for mode in MODES {
            let record = spoilt(run_with, &atomics(name, mode, Sharing::Padded, 2), 1, 0).expect("a record with errors");
            assert!(record.work.errors.get("mismatch").is_some_and(|&count| count > 0), "{name} {mode:?}: {:?}", record.work);
        }
        // On a shared word only the sum of all users can tell.
        let failure = spoilt(run_with, &atomics(name, AtomicMode::FetchAdd, Sharing::Shared, 2), 1, 0).expect_err("the sum is off");
        assert_eq!(failure.class, "mismatch", "{name}: {failure:?}");
    }
}
