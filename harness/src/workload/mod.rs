//! What one operation of a workload is: the plain description that travels from the plan to the subject.
//!
//! Externally tagged, in TOML and in JSON: `[scenario.tcp]`, `{"tcp":{…}}`.

pub mod atomics;
pub mod file;
pub mod http;
pub mod io;
pub mod latency;
pub mod memory;
pub mod polling;
pub mod pool;
pub mod scheduling;
pub mod stealing;
pub mod storage;
pub mod tcp;

use serde::{Deserialize, Serialize};

use self::scheduling::SchedulingMode;
use self::storage::FilesNeeded;
use self::tcp::TcpMode;

/// A workload and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// TCP over loopback.
    Tcp(tcp::TcpWorkload),
    /// Waiting times: wake, spawn, timer, fairness.
    Latency(latency::LatencyWorkload),
    /// Starting, ending, yielding and waking tasks.
    Scheduling(scheduling::SchedulingWorkload),
    /// Moving work between threads.
    Stealing(stealing::StealingWorkload),
    /// Polling futures.
    Polling(polling::PollingWorkload),
    /// HTTP/1.1 over loopback.
    Http(http::HttpWorkload),
    /// The control `sleep-floor`: how long a short sleep really takes.
    Sleep(SleepWorkload),
    /// Atomic operations.
    Atomics(atomics::AtomicsWorkload),
    /// Blocks of memory.
    Memory(memory::MemoryWorkload),
    /// Objects of a pool.
    Pool(pool::PoolWorkload),
    /// Whole files.
    File(file::FileWorkload),
    /// Reads of a file, and the ring alone.
    Io(io::IoWorkload),
    /// What a program of the user's own does; only such programs can run it.
    Custom(CustomWorkload),
}

/// Operations that the subject alone knows: `subject::serve::serve_fn` and `serve_async` run them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomWorkload {
    /// Operations between two looks at the state of the trial.
    pub operations_per_round: u64,
}

/// Sleeps of a fixed length, one after the other per user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SleepWorkload {
    /// Requested length of one sleep, in nanoseconds.
    pub duration_ns: u64,
}

/// The TCP connections of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open at the same time.
    pub open: u32,
    /// Requests and answers on one connection; `None`: it is kept to the end.
    pub exchanges_each: Option<u32>,
}

impl Workload {
    /// The table's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Latency(_) => "latency",
            Self::Scheduling(_) => "scheduling",
            Self::Stealing(_) => "stealing",
            Self::Polling(_) => "polling",
            Self::Http(_) => "http",
            Self::Sleep(_) => "sleep",
            Self::Atomics(_) => "atomics",
            Self::Memory(_) => "memory",
            Self::Pool(_) => "pool",
            Self::File(_) => "file",
            Self::Io(_) => "io",
            Self::Custom(_) => "custom",
        }
    }

    /// Bumped when the meaning of a workload changes, so results of two meanings are never compared.
    pub fn version(&self) -> u32 {
        // All are in their first meaning.
        1
    }

    /// The metric that is compared.
    pub fn primary_metric(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.primary_metric(),
            Self::Latency(latency) => latency.mode.primary_metric(),
            Self::Scheduling(scheduling) => scheduling.mode.primary_metric(),
            Self::Stealing(stealing) => stealing.mode.primary_metric(),
            Self::Polling(_) => "polls_per_s",
            Self::Http(_) => http::HttpWorkload::PRIMARY_METRIC,
            Self::Sleep(_) | Self::Custom(_) => "ops_per_s",
            Self::Atomics(_) => "atomic_ops_per_s",
            Self::Memory(_) => "allocations_per_s",
            Self::Pool(_) => "acquires_per_s",
            Self::File(_) => file::FileWorkload::PRIMARY_METRIC,
            Self::Io(_) => "io_ops_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.witness(),
            Self::Latency(latency) => latency.mode.witness(),
            Self::Scheduling(scheduling) => scheduling.mode.witness(),
            Self::Stealing(stealing) => stealing.mode.witness(),
            Self::Polling(_) => {
                "polls counted inside the future through black_box, compared with the fixed number of the round; values summed"
            }
            Self::Http(http) => http.witness(),
            Self::Sleep(_) => "the clock is read around each sleep: none returns before its time",
            Self::Atomics(atomics) => atomics.mode.witness(),
            Self::Memory(memory) => memory.witness(),
            Self::Pool(pool) => pool.witness(),
            Self::File(file) => file.witness(),
            Self::Io(io) => io.witness(),
            Self::Custom(_) => "the program checks its own results, and says how many operations of a round hold",
        }
    }

    /// Bytes one successful operation must move, both directions; `None` where sizes vary or nothing moves.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.bytes_per_operation(),
            Self::Http(http) => Some(http.bytes_per_operation()),
            Self::File(file) => Some(file.size),
            Self::Io(io) => io.bytes_per_operation(),
            _ => None,
        }
    }

    /// Operations that an open loop wants together: those of a round, where an operation alone is less than what a schedule costs.
    pub fn operations_per_arrival(&self) -> u32 {
        match self {
            Self::Scheduling(scheduling) => scheduling.tasks.max(1),
            _ => 1,
        }
    }

    /// Whether there is a server and a client that could be placed apart.
    pub fn has_two_ends(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Http(_) => true,
            Self::File(file) => file.mode == file::FileMode::Transfer,
            _ => false,
        }
    }

    /// The distribution that one operation's time goes to.
    pub fn time_id(&self) -> &'static str {
        match self {
            Self::Latency(latency) => latency.mode.time_id(),
            _ => "service_time",
        }
    }

    /// The least CPU time of one successful operation: calibration keys and how often each is due, to be summed. It becomes `floor` of the
    /// effective case. Empty where a guard has a rule of its own (loopback, sleep).
    ///
    /// A timer keeps its task's waker and gives it up: two counts that other threads may see.
    ///
    /// An operation that is one turn of a loop names `empty_loop_ns`; then `empty-loop` judges it too.
    pub fn floor(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Scheduling(scheduling) if scheduling.mode == SchedulingMode::Timers => vec![("fetch_add_ns", 2.0)],
            Self::Scheduling(_) | Self::Polling(_) | Self::Memory(_) | Self::Pool(_) | Self::Custom(_) => vec![("empty_loop_ns", 1.0)],
            Self::Atomics(atomics) => atomics.mode.floor().to_vec(),
            Self::Io(io) => io.floor(),
            Self::File(file) => file.floor(),
            Self::Stealing(stealing) => match stealing.mode {
                stealing::StealingMode::Queue => vec![("fetch_add_ns", 1.0)],
                stealing::StealingMode::Skew => vec![("empty_loop_ns", 1.0)],
            },
            Self::Tcp(_) | Self::Http(_) | Self::Sleep(_) => Vec::new(),
            // The clock is read at both ends of each wait.
            Self::Latency(_) => vec![("timer_cost_ns", 2.0)],
        }
    }

    /// The files it makes, and where; `None`: none.
    pub fn files(&self) -> Option<FilesNeeded<'_>> {
        match self {
            Self::File(file) => Some(FilesNeeded { storage: &file.storage, bytes: file.bytes_needed() }),
            Self::Io(io) => io.files(),
            _ => None,
        }
    }

    /// Operations of a round, the same on every subject; `None` where operations are single ones, or the program's own affair.
    pub fn operations_per_round(&self) -> Option<u64> {
        match self {
            Self::Scheduling(scheduling) => Some(scheduling.operations_per_round()),
            Self::Stealing(stealing) => Some(stealing.items.into()),
            Self::Polling(polling) => Some(polling.polls_per_round()),
            Self::Atomics(atomics) => Some(atomics.operations_per_round.into()),
            Self::Memory(memory) => Some(memory.operations_per_round.into()),
            Self::Pool(pool) => Some(pool.operations_per_round.into()),
            Self::Tcp(_) | Self::Http(_) | Self::Io(_) | Self::File(_) | Self::Sleep(_) | Self::Latency(_) | Self::Custom(_) => None,
        }
    }

    /// Whether tasks beside the measured ones take a share of each worker's time.
    pub fn has_load_beside(&self) -> bool {
        matches!(self, Self::Latency(latency) if latency.has_load_beside())
    }

    /// Why nobody looks whether twice the work takes twice as long; `None`: the first user does, or a guard needs no such look.
    pub fn no_doubling(&self) -> Option<&'static str> {
        match self {
            Self::Latency(_) => Some("its times are waits, whose length does not follow from work"),
            _ => None,
        }
    }

    /// Whether the first user shows before the trial that twice the work takes twice as long: what computes does, unless it says why not.
    pub fn has_doubling(&self) -> bool {
        let computes = self.operations_per_round().is_some() || matches!(self, Self::Custom(_));
        computes && self.no_doubling().is_none()
    }

    /// As it is shown in a result: where its files are is nobody's business.
    pub fn without_dir(&self) -> Self {
        let mut shown = self.clone();
        let storage = match &mut shown {
            Self::Io(io) => io.storage.as_mut(),
            Self::File(file) => Some(&mut file.storage),
            _ => None,
        };
        if let Some(dir) = storage.and_then(|storage| storage.dir.as_mut()) {
            "(given)".clone_into(dir);
        }
        shown
    }

    /// The TCP connections it holds and opens; `None`: none.
    pub fn connections(&self) -> Option<Connections> {
        match self {
            Self::Tcp(tcp) => Some(Connections {
                open: tcp.connections,
                exchanges_each: matches!(tcp.mode, TcpMode::Crr | TcpMode::Churn).then_some(tcp.operations_per_connection),
            }),
            Self::Http(http) => {
                let each = (http.requests_per_connection > 0).then_some(http.requests_per_connection);
                Some(Connections { open: http.connections, exchanges_each: each })
            }
            Self::File(file) if file.mode == file::FileMode::Transfer => Some(Connections { open: file.connections, exchanges_each: None }),
            _ => None,
        }
    }
}
