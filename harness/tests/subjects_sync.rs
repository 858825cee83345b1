//! Channels and mutexes under many tasks: every subject does the rounds it claims and tells the shares, and whatever loses, invents or mixes up
//! messages or counts is refused.
#![cfg(target_os = "linux")]

mod support;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use support::{RunWith, SUBJECTS, alone, check_rounds, spoilt, trial_of};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::body::tasks::{Guarded, Tasks};
use zokio_bench::subject::body::{fan_in, mutex};
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::tokio::fleet::MultiThread;
use zokio_bench::subject::tokio::stack::TokioStack;
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::scheduling::{FanIn, Hold, SchedulingMode, SchedulingWorkload};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

const PRODUCERS: u32 = 3;
const TASKS: u32 = 5;
const REPEAT: u32 = 20;

fn subjects() -> impl Iterator<Item = (&'static str, RunWith)> {
    SUBJECTS.into_iter().map(|(name, _, run)| (name, run)).chain([("zokio", Zokio::run_with as RunWith)])
}

fn channel(capacity: u32) -> SchedulingWorkload {
    let fan_in = Some(FanIn { producers: PRODUCERS, capacity });
    SchedulingWorkload {
        mode: SchedulingMode::MpscFanIn,
        tasks: 1,
        repeat: REPEAT,
        hand_over: None,
        fan_in,
        hold: None,
        timers: None,
        state: None,
    }
}

fn shared(hold: Hold) -> SchedulingWorkload {
    let mode = SchedulingMode::MutexContended;
    SchedulingWorkload { mode, tasks: TASKS, repeat: REPEAT, hand_over: None, fan_in: None, hold: Some(hold), timers: None, state: None }
}

/// Each workload, and how many share in it.
fn workloads() -> Vec<(SchedulingWorkload, u64)> {
    let mut all: Vec<_> = [1, 4, 64].map(|capacity| (channel(capacity), PRODUCERS.into())).into();
    all.extend([Hold::Yield, Hold::Nothing].map(|hold| (shared(hold), TASKS.into())));
    all
}

fn trial(name: &str, workload: &SchedulingWorkload, users: u32) -> Trial {
    trial_of(name, Workload::Scheduling(workload.clone()), users)
}

#[test]
fn every_round_is_whole_and_the_slowest_share_is_told() {
    let _alone = alone();
    for (name, run) in subjects() {
        for (workload, sharers) in workloads() {
            for users in [1, 2] {
                let label = format!("{name} {workload:?} {users}");
                let once = |_| {
                    let record = run(&trial(name, &workload, users), &Session::detached(), &Arc::new(Ledger::default()));
                    record.unwrap_or_else(|failure| panic!("{label}: {failure:?}"))
                };
                // A busy host lets a short window pass without a round.
                let record = (0..5).map(once).find(|record| record.work.ok > 0).unwrap_or_else(|| panic!("{label}: nothing was done"));
                check_rounds(&label, &record, REPEAT.into());
                let counter = |name: &str| record.counters.get(name).copied().unwrap_or_else(|| panic!("{label}: {:?}", record.counters));
                assert_eq!(counter("sharers"), sharers, "{label}");
                assert!(counter("slowest_sharer_operations") * sharers <= counter("sharers_operations"), "{label}: {:?}", record.counters);
                if name == "ceiling" && users == 1 {
                    let (least, mean) = (counter("slowest_sharer_operations"), counter("sharers_operations") / sharers);
                    assert!(mean - least <= 1, "{label}: turns are taken one by one: {:?}", record.counters);
                    // The window of the shares ends with the round that sees the end of the other.
                    assert!(counter("sharers_operations").abs_diff(record.work.ok) <= 2 * u64::from(REPEAT), "{label}: {:?}", record.work);
                }
                assert!(counter("doubling_twice_ns") > counter("doubling_once_ns"), "{label}: {:?}", record.counters);
            }
        }
    }
}

#[test]
fn a_message_or_a_count_that_gets_lost_ends_the_trial() {
    let _alone = alone();
    for (name, run) in subjects() {
        for (workload, _) in workloads() {
            let mut trial = trial(name, &workload, 1);
            trial.phases.measure_ms = 100;
            let failure = (0..5).find_map(|_| spoilt(run, &trial, 0, 0).err());
            assert_eq!(failure.map(|failure| failure.class).as_deref(), Some("mismatch"), "{name} {workload:?}");
        }
    }
}

/// What a runtime may do wrong.
mod fault {
    pub(super) const LOSES: u8 = 0;
    pub(super) const INVENTS: u8 = 1;
    pub(super) const OVERTAKES: u8 = 2;
    pub(super) const LETS_TWO_IN: u8 = 3;
    pub(super) const NONE: u8 = 4;
}

/// One message of so many is treated wrongly.
const ONE_IN: u64 = 1_000;

/// tokio's tasks with a channel or a mutex that has a fault.
struct Faulty<const FAULT: u8>;

#[derive(Clone)]
struct FaultySender {
    sender: <TokioStack as Tasks>::Sender,
    sent: Arc<AtomicU64>,
    held_back: Arc<Mutex<Option<u64>>>,
}

/// A mutex that everybody holds at once: each works on a copy, and the last one wins.
struct Copies<'a> {
    shared: &'a Mutex<Guarded>,
    mine: Guarded,
}

impl Deref for Copies<'_> {
    type Target = Guarded;

    fn deref(&self) -> &Guarded {
        &self.mine
    }
}

impl DerefMut for Copies<'_> {
    fn deref_mut(&mut self) -> &mut Guarded {
        &mut self.mine
    }
}

impl Drop for Copies<'_> {
    fn drop(&mut self) {
        *self.shared.lock().expect("nobody panics") = self.mine.clone();
    }
}

enum FaultyHeld<'a> {
    Alone(<TokioStack as Tasks>::Held<'a>),
    WithOthers(Copies<'a>),
}

impl Deref for FaultyHeld<'_> {
    type Target = Guarded;

    fn deref(&self) -> &Guarded {
        match self {
            Self::Alone(held) => held,
            Self::WithOthers(copies) => copies,
        }
    }
}

impl DerefMut for FaultyHeld<'_> {
    fn deref_mut(&mut self) -> &mut Guarded {
        match self {
            Self::Alone(held) => held,
            Self::WithOthers(copies) => copies,
        }
    }
}

impl<const FAULT: u8> Tasks for Faulty<FAULT> {
    type Lost = <TokioStack as Tasks>::Lost;
    type Join<O: Send + 'static> = <TokioStack as Tasks>::Join<O>;
    type Sender = FaultySender;
    type Receiver = <TokioStack as Tasks>::Receiver;
    type OneSender = <TokioStack as Tasks>::OneSender;
    type OneReceiver = <TokioStack as Tasks>::OneReceiver;
    type Mutex = (<TokioStack as Tasks>::Mutex, Mutex<Guarded>);
    type Held<'a> = FaultyHeld<'a>;

    fn spawn<O: Send + 'static>(future: impl Future<Output = O> + Send + 'static) -> Self::Join<O> {
        TokioStack::spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        TokioStack::yield_now()
    }

    fn channel(capacity: usize) -> (FaultySender, Self::Receiver) {
        let (sender, receiver) = TokioStack::channel(capacity);
        (FaultySender { sender, sent: Arc::default(), held_back: Arc::default() }, receiver)
    }

    async fn send(sender: &FaultySender, value: u64) -> bool {
        let is_its_turn = sender.sent.fetch_add(1, Ordering::Relaxed) % ONE_IN == ONE_IN - 1;
        match FAULT {
            fault::LOSES if is_its_turn => return true,
            fault::INVENTS if is_its_turn => {
                TokioStack::send(&sender.sender, value).await;
            }
            fault::OVERTAKES if is_its_turn => {
                let earlier = sender.held_back.lock().expect("nobody panics").replace(value);
                return match earlier {
                    Some(earlier) => TokioStack::send(&sender.sender, earlier).await,
                    None => true,
                };
            }
            _ => {}
        }
        TokioStack::send(&sender.sender, value).await
    }

    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send {
        TokioStack::receive(receiver)
    }

    fn close_channel(receiver: &mut Self::Receiver) {
        TokioStack::close_channel(receiver);
    }

    fn oneshot() -> (Self::OneSender, Self::OneReceiver) {
        TokioStack::oneshot()
    }

    fn send_one(sender: Self::OneSender, value: u64) {
        TokioStack::send_one(sender, value);
    }

    fn receive_one(receiver: Self::OneReceiver) -> impl Future<Output = Option<u64>> + Send {
        TokioStack::receive_one(receiver)
    }

    fn mutex(guarded: Guarded) -> Self::Mutex {
        (TokioStack::mutex(guarded.clone()), Mutex::new(guarded))
    }

    async fn lock(mutex: &Self::Mutex) -> FaultyHeld<'_> {
        if FAULT == fault::LETS_TWO_IN {
            let mine = mutex.1.lock().expect("nobody panics").clone();
            return FaultyHeld::WithOthers(Copies { shared: &mutex.1, mine });
        }
        FaultyHeld::Alone(TokioStack::lock(&mutex.0).await)
    }
}

fn run_faulty<const FAULT: u8>(workload: &SchedulingWorkload) -> Result<TrialRecord, Failure> {
    let (trial, control) = (trial("faulty", workload, 1), Arc::new(Ledger::default()));
    let fleet = MultiThread::start(&trial, &control).expect("a runtime");
    match workload.mode {
        SchedulingMode::MpscFanIn => fan_in::run::<Faulty<FAULT>, _>(fleet, &control, &trial, workload, &Session::detached()),
        _ => mutex::run::<Faulty<FAULT>, _>(fleet, &control, &trial, workload, &Session::detached()),
    }
}

#[test]
fn a_channel_or_mutex_with_a_fault_gives_no_record() {
    let _alone = alone();
    for workload in [channel(64), shared(Hold::Yield)] {
        run_faulty::<{ fault::NONE }>(&workload).expect("without a fault it does its work");
    }
    let outcomes = [
        ("loses", run_faulty::<{ fault::LOSES }>(&channel(64))),
        ("invents", run_faulty::<{ fault::INVENTS }>(&channel(64))),
        ("overtakes", run_faulty::<{ fault::OVERTAKES }>(&channel(64))),
        ("lets two in", run_faulty::<{ fault::LETS_TWO_IN }>(&shared(Hold::Yield))),
    ];
    for (fault, outcome) in outcomes {
        let failure = outcome.err().unwrap_or_else(|| panic!("{fault}: a record"));
        assert_eq!(failure.class, "mismatch", "{fault}: {failure:?}");
    }
}
