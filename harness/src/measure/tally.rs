//! From the recorders of all threads to the counts and histograms of a record.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use zokio_report::schema::record::{HISTOGRAM_ENCODING, HistogramPayload, Work, WorkerRecord};

use super::doubling::{Doubling, Pieces};
use super::paced::PacedTally;
use super::recorder::{ErrorClass, add_counts, time_histogram};
use crate::load::closed::{Control, SLICES_MAX};

/// What one thread counted.
#[derive(Clone, Debug)]
pub struct ThreadTally {
    /// The kernel's id of the thread.
    pub thread_id: u32,
    /// The CPUs it may run on.
    pub cpus: Vec<u32>,
    /// Successful operations of the measured window, by slice.
    pub slice_ok: [u64; SLICES_MAX],
    /// Payload bytes of them, both directions.
    pub bytes: u64,
    /// Failed operations of the measured window.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// The same by number of the system's error.
    pub errnos: BTreeMap<(ErrorClass, i32), u64>,
    /// Failed operations of the whole life.
    pub errors_ever: BTreeMap<ErrorClass, u64>,
    /// Service times of the measured window.
    pub service: Histogram<u64>,
    /// Connect times of the measured window.
    pub connect: Histogram<u64>,
    /// Successful operations of the whole life.
    pub ok_ever: u64,
    /// Connections opened, whole life.
    pub opened: u64,
    /// Connections accepted, whole life.
    pub accepted: u64,
    /// Accepted connections closed again, whole life.
    pub accepted_closed: u64,
    /// System calls of the measured window, where they are counted.
    pub syscalls: u64,
    /// CPU time that tasks beside the measured ones took in the measured window.
    pub beside_ns: u64,
    /// What belongs to a schedule; `None` in a closed loop.
    pub paced: Option<Box<PacedTally>>,
}

impl ThreadTally {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            thread_id: 0,
            cpus: Vec::new(),
            slice_ok: [0; SLICES_MAX],
            bytes: 0,
            errors: BTreeMap::new(),
            errnos: BTreeMap::new(),
            errors_ever: BTreeMap::new(),
            service: time_histogram(),
            connect: time_histogram(),
            ok_ever: 0,
            opened: 0,
            accepted: 0,
            accepted_closed: 0,
            syscalls: 0,
            beside_ns: 0,
            paced: None,
        }
    }

    /// Successful operations of the measured window.
    pub fn ok(&self) -> u64 {
        self.slice_ok.iter().sum()
    }
}

impl Default for ThreadTally {
    fn default() -> Self {
        Self::new()
    }
}

/// The control of a trial and the counts of its threads that have ended: what every body and every recorder shares.
#[derive(Debug, Default)]
pub struct Ledger {
    control: Control,
    threads: Mutex<Vec<ThreadTally>>,
    doubling: Mutex<Option<Doubling>>,
}

impl Ledger {
    /// Takes the counts of a thread that has ended.
    pub fn deposit(&self, thread: ThreadTally) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// The counts of all threads that have ended.
    pub fn take_threads(&self) -> Vec<ThreadTally> {
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rounds that this user does before it is ready, to show that twice the work takes twice as long; none unless it is the first user.
    /// Nobody else is at work meanwhile.
    pub fn doubling(&self, user: u32) -> Pieces<'_> {
        Pieces::new(&self.doubling, user == 0)
    }

    /// What the first user found, if it has looked.
    pub fn doubling_found(&self) -> Option<Doubling> {
        *self.doubling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Ledger {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

/// All threads together.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The sums; its thread id and CPUs mean nothing.
    pub sum: ThreadTally,
    /// One entry per thread, in order of thread id.
    pub workers: Vec<WorkerRecord>,
}

impl Tally {
    /// Adds up the threads.
    pub fn of(mut threads: Vec<ThreadTally>) -> Self {
        threads.sort_by_key(|thread| thread.thread_id);
        let mut sum = ThreadTally::new();
        for thread in &threads {
            for (into, from) in sum.slice_ok.iter_mut().zip(thread.slice_ok) {
                *into += from;
            }
            add_counts(&mut sum.errors, &thread.errors);
            add_counts(&mut sum.errnos, &thread.errnos);
            add_counts(&mut sum.errors_ever, &thread.errors_ever);
            sum.service.add(&thread.service).expect("same bounds");
            sum.connect.add(&thread.connect).expect("same bounds");
            sum.bytes += thread.bytes;
            sum.ok_ever += thread.ok_ever;
            sum.opened += thread.opened;
            sum.accepted += thread.accepted;
            sum.accepted_closed += thread.accepted_closed;
            sum.syscalls += thread.syscalls;
            sum.beside_ns += thread.beside_ns;
            if let Some(paced) = &thread.paced {
                sum.paced.get_or_insert_default().add(paced);
            }
        }
        let workers = threads
            .into_iter()
            .map(|thread| WorkerRecord { thread_id: thread.thread_id, operations: Some(thread.ok()), cpus: thread.cpus, polls: None })
            .collect();
        Self { sum, workers }
    }

    /// The work of the measured window; every successful operation was verified before it was counted.
    pub fn work(&self, in_flight_at_end: u64) -> Work {
        let ok = self.sum.ok();
        let errors: BTreeMap<String, u64> = self.sum.errors.iter().map(|(class, count)| (class.name().into(), *count)).collect();
        let attempted = ok + errors.values().sum::<u64>();
        Work { attempted, ok, errors, bytes: self.sum.bytes, verified: ok, in_flight_at_end }
    }

    /// The histograms that hold anything; `time_id` names the one of the operations.
    pub fn histograms(&self, time_id: &str) -> Vec<HistogramPayload> {
        let own = [(time_id, &self.sum.service), ("connect_time", &self.sum.connect)];
        let own = own.into_iter().filter(|(_, histogram)| !histogram.is_empty()).map(|(id, histogram)| encode(id, histogram));
        own.chain(self.sum.paced.iter().flat_map(|paced| paced.histograms())).collect()
    }
}

/// A histogram in transport form.
pub fn encode(id: &str, histogram: &Histogram<u64>) -> HistogramPayload {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("a histogram of constant bounds fits the format");
    HistogramPayload { id: id.into(), unit: "ns".into(), encoding: HISTOGRAM_ENCODING.into(), payload: BASE64.encode(bytes) }
}

/// The histogram of a transport form.
///
/// # Errors
/// A sentence: another encoding, or damaged.
pub fn decode(payload: &HistogramPayload) -> Result<Histogram<u64>, String> {
    if payload.encoding != HISTOGRAM_ENCODING {
        return Err(format!("unknown histogram encoding `{}`", payload.encoding));
    }
    let bytes = BASE64.decode(&payload.payload).map_err(|error| error.to_string())?;
    hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_its_transport() {
        let mut histogram = time_histogram();
        for value in [1, 1_000, 1_000_000, 59_000_000_000] {
            histogram.record(value).expect("in range");
        }
        let back = decode(&encode("service_time", &histogram)).expect("just encoded");
        assert_eq!(back.len(), 4);
        assert_eq!(back.value_at_quantile(0.5), histogram.value_at_quantile(0.5));
        assert_eq!(back.max(), histogram.max());
    }

    #[test]
    fn the_sum_holds_every_thread_and_errors_are_no_successes() {
        let thread = |id: u32, ok: u64, mismatches: u64| {
            let mut tally = ThreadTally::new();
            tally.thread_id = id;
            tally.slice_ok[3] = ok;
            tally.bytes = ok * 128;
            tally.errors.insert(ErrorClass::Mismatch, mismatches);
            tally
        };
        let tally = Tally::of(vec![thread(7, 10, 0), thread(5, 20, 2)]);
        let work = tally.work(0);
        assert_eq!((work.ok, work.attempted, work.verified, work.bytes), (30, 32, 30, 3_840));
        assert_eq!(work.errors["mismatch"], 2);
        assert_eq!(
            tally.workers.iter().map(|worker| (worker.thread_id, worker.operations)).collect::<Vec<_>>(),
            [(5, Some(20)), (7, Some(10))]
        );
    }
}
