//! The keys of a scenario file: the format itself, as data.

use super::shape::{Choice, Field, Shape};
use super::workloads;

/// Nanoseconds of a millisecond: phases are told to a subject in whole milliseconds.
pub(crate) const MS: u64 = 1_000_000;
/// A phase may not last longer: a suite has many.
pub(crate) const HOUR: u64 = 3_600_000 * MS;
/// Operations outstanding, or connections; what the host can really do is checked before the run.
pub(crate) const USERS_MAX: u64 = 1_000_000;

/// Workload tables of this version.
pub(crate) const WORKLOADS: &[&str] =
    &["tcp", "http", "scheduling", "stealing", "polling", "memory", "pool", "atomics", "io", "file", "latency", "sleep", "custom"];
/// Workload tables of the format that this version cannot run: none any more.
pub(crate) const WORKLOADS_UNSUPPORTED: &[&str] = &[];
/// Severities of a threshold.
pub(crate) const SEVERITIES: &[&str] = &["fail", "warn"];
/// Comparisons of a threshold.
pub(crate) const OPS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// The whole file.
pub(crate) const FILE: &[Field] = &[
    Field::required("schema", Shape::Integer(1, 1), "Version of the format: 1."),
    Field::optional("seed", Shape::Integer(0, i64::MAX as u64), "Order and payloads follow from it; the same seed gives the same plan."),
    Field::required("suite", Shape::Table(SUITE), "What the file is about."),
    Field::optional("defaults", Shape::Table(DEFAULTS), "Tables that every scenario inherits; the scenario wins."),
    Field::required("scenario", Shape::Tables(SCENARIO), "The experiments, in the order they run."),
];

const SUITE: &[Field] = &[
    Field::required("name", Shape::Id, "Names the result folder."),
    Field::required("question", Shape::Text, "The question that the suite answers."),
    Field::optional("description", Shape::Text, "More for the reader."),
    Field::optional("tags", Shape::Texts, "Words to find it by."),
    Field::optional("labels", Shape::Labels, "Free pairs, repeated in the result."),
];

const COUNT: Shape = Shape::Integer(1, 1_000);
const TRIALS: Field = Field::optional("trials", COUNT, "Fresh processes per subject; an interval needs 6.");
const RUN: &[Field] = &[TRIALS, Field::optional("at", Shape::Tables(RUN_AT), "Another count at some points of the matrix.")];
const DEFAULTS_RUN: &[Field] = &[TRIALS];

const RUN_AT: &[Field] = &[
    Field::required("when", Shape::Point, "At these points of the matrix."),
    Field::required("trials", COUNT, "Fresh processes per subject there."),
];

const WARMUP: Choice = Choice {
    alternatives: &[
        Field::optional("time", Shape::Duration(MS, HOUR, MS), "A fixed time."),
        Field::optional("steady", Shape::Inherited(STEADY), "Until two windows agree."),
    ],
    unsupported: &["ops"],
    word: Some("none"),
};

const STEADY: &[Field] = &[
    Field::required("window", Shape::Duration(MS, HOUR, MS), "Length of a window."),
    Field::required("max", Shape::Duration(MS, HOUR, MS), "The warm-up ends here at the latest."),
];

const MEASURE: &[Field] = &[
    Field::required("time", Shape::Duration(MS, HOUR, MS), "Length of the measured window."),
    Field::optional("interval", Shape::Duration(MS, HOUR, MS), "Keeps the course of the trial: rate and memory at these distances."),
];
const DRAIN: &[Field] = &[Field::required("max", Shape::Duration(MS, HOUR, MS), "How long operations under way may take to end.")];

/// Slices of a measured window are judged as batches from this length on, and a gate wants at least five of them.
const GATE_MEASURE_MIN: u64 = 25 * MS;

const GATE: &[Field] = &[
    Field::optional("enabled", Shape::Boolean, "false: `gate` leaves the scenario out."),
    Field::optional("warmup", Shape::Duration(MS, HOUR, MS), "Work before the measured window of each trial of a gate; 5ms when left out."),
    Field::optional(
        "measure",
        Shape::Duration(GATE_MEASURE_MIN, HOUR, MS),
        "Measured window of each trial of a gate: five batches or more of 5ms.",
    ),
    Field::optional("metrics", Shape::Metrics, "What is gated; the rate and CPU per operation when left out."),
    Field::optional("tolerance", Shape::Positive, "The slow-down that must be caught, as a share: 0.05 for 5 %."),
];

const PLACEMENT: &[Field] = &[
    Field::optional("endpoints", Shape::OneOf(&["together", "apart"]), "together: one process is both ends; apart: the subject serves."),
    Field::optional("cpus", Shape::Cpus, "together: CPUs of the process, one worker each; \"free\" pins nothing."),
    Field::optional("workers", Shape::Workers, "together: so many of the CPUs, different cores first; a matrix may say \"doubling\"."),
    Field::optional("server_cpus", Shape::Cpus, "apart: CPUs of the subject."),
    Field::optional("client_cpus", Shape::Cpus, "apart: CPUs of the client."),
];

const LOAD: Choice = Choice {
    alternatives: &[
        Field::optional("closed", Shape::Inherited(CLOSED), "A user starts its next operation when its last one ended."),
        Field::optional(
            "open",
            Shape::Inherited(workloads::paced::OPEN),
            "Operations start by a schedule, whatever became of those before.",
        ),
        Field::optional(
            "overload",
            Shape::Inherited(workloads::paced::OVERLOAD),
            "Full load, then more than that by a schedule, then less.",
        ),
    ],
    unsupported: &["search"],
    word: None,
};

const CLOSED: &[Field] =
    &[Field::optional("users", Shape::Integer(1, USERS_MAX), "Operations outstanding at any time; tcp, http: one per connection.")];

const THRESHOLD: &[Field] = &[
    Field::required("metric", Shape::Metric, "What is limited."),
    Field::required("op", Shape::OneOf(OPS), "How it is compared with the value."),
    Field::required("value", Shape::MetricValue, "The limit, in the metric's unit."),
    Field::optional("severity", Shape::OneOf(SEVERITIES), "fail: exit code 1; warn: a warning."),
    Field::optional("grace", Shape::Integer(0, 1_000), "So many trials may miss it; without it, the whole interval has to keep it."),
    Field::optional("when", Shape::Point, "Only at these points of the matrix."),
];

const TARGET: &[Field] = &[
    Field::required("metric", Shape::Metric, "What is to be reached."),
    Field::optional("historical", Shape::Table(HISTORICAL), "A figure of the past with what it measured; never comparable."),
    Field::optional("published", Shape::Table(PUBLISHED), "A published figure; shown, never compared across hosts."),
    Field::optional("relative", Shape::Table(RELATIVE), "A share of another subject of the same run."),
    Field::optional("severity", Shape::OneOf(SEVERITIES), "relative: `gate` fails, or warns, where it is missed; a run only shows it."),
    Field::optional("when", Shape::Point, "Only at these points of the matrix."),
];
/// The kinds of target: a target has exactly one.
pub(crate) const TARGET_KINDS: &[&str] = &["historical", "published", "relative"];

const HISTORICAL: &[Field] = &[
    Field::required("value", Shape::MetricValue, "The figure, in the metric's unit."),
    Field::required("source", Shape::Text, "Where it stands, on which host, and what was measured."),
];

/// A published figure, in a scenario or in `configs/targets.toml`.
pub(crate) const PUBLISHED: &[Field] = &[
    Field::required("value", Shape::MetricValue, "The figure, in the metric's unit."),
    Field::required("source", Shape::Text, "Who published it, and where."),
    Field::optional("date", Shape::Text, "When."),
    Field::optional("hardware", Shape::Text, "On what; left out where the source names no host."),
];

const RELATIVE: &[Field] = &[
    Field::required("at_least", Shape::Positive, "The least ratio, subject to other, better being more."),
    Field::required("of", Shape::Id, "The other subject."),
];

/// A scenario.
pub(crate) const SCENARIO: &[Field] = &[
    Field::required("id", Shape::Id, "Names the scenario in results; unique in the file."),
    Field::optional("enabled", Shape::Boolean, "false: checked, not run."),
    Field::optional(
        "role",
        Shape::OneOf(&["measured", "control"]),
        "control: shows a floor of this host beside the real rows, never ranked.",
    ),
    Field::optional("subjects", Shape::Ids, "What is measured; the first is compared with each other."),
    Field::optional("witness", Shape::Text, "How we know that the work happened; each workload has a text of its own."),
    Field::optional("run", Shape::Inherited(RUN), "How often."),
    Field::optional("warmup", Shape::Choice(&WARMUP), "Work that is not counted."),
    Field::optional("measure", Shape::Inherited(MEASURE), "The measured window."),
    Field::optional("drain", Shape::Inherited(DRAIN), "The end of a trial."),
    Field::optional("gate", Shape::Inherited(GATE), "How `gate` measures it."),
    Field::optional("placement", Shape::Inherited(PLACEMENT), "Who runs where."),
    Field::optional("load", Shape::Choice(&LOAD), "When operations start."),
    Field::optional("runtime", Shape::Scalars, "Settings passed to the runtime."),
    Field::optional("tcp", Shape::Inherited(workloads::tcp::KEYS), "The workload: TCP over loopback."),
    Field::optional("latency", Shape::Inherited(workloads::latency::KEYS), "The workload: waiting times of tasks."),
    Field::optional("scheduling", Shape::Inherited(workloads::scheduling::KEYS), "The workload: starting, yielding and waking tasks."),
    Field::optional("stealing", Shape::Inherited(workloads::stealing::KEYS), "The workload: moving work between threads."),
    Field::optional("polling", Shape::Inherited(workloads::polling::KEYS), "The workload: polling futures."),
    Field::optional("http", Shape::Inherited(workloads::http::KEYS), "The workload: HTTP/1.1 over loopback."),
    Field::optional("sleep", Shape::Inherited(workloads::sleep::KEYS), "The workload of a control: short sleeps, one after the other."),
    Field::optional("atomics", Shape::Inherited(workloads::atomics::KEYS), "The workload: atomic operations, a row of the hardware."),
    Field::optional("memory", Shape::Inherited(workloads::memory::KEYS), "The workload: blocks of memory, allocated and freed."),
    Field::optional("pool", Shape::Inherited(workloads::pool::KEYS), "The workload: objects taken from a pool and given back."),
    Field::optional("file", Shape::Inherited(workloads::file::KEYS), "The workload: whole files, and their transfer over TCP."),
    Field::optional("io", Shape::Inherited(workloads::io::KEYS), "The workload: reads of a file, and the ring alone."),
    Field::optional("custom", Shape::Inherited(workloads::custom::KEYS), "The workload: what a program of your own does."),
    Field::optional("matrix", Shape::Matrix, "Multiplies the scenario into cases."),
    Field::optional("exclude", Shape::Tables(&[]), "Matrix points left out."),
    Field::optional("threshold", Shape::Tables(THRESHOLD), "Limits that gate."),
    Field::optional("target", Shape::Tables(TARGET), "Figures to reach."),
];

/// `[defaults]`: what scenarios may share.
pub(crate) const DEFAULTS: &[Field] = &[
    Field::optional("subjects", Shape::Ids, "What is measured; the first is compared with each other."),
    Field::optional("run", Shape::Inherited(DEFAULTS_RUN), "How often."),
    Field::optional("warmup", Shape::Choice(&WARMUP), "Work that is not counted."),
    Field::optional("measure", Shape::Inherited(MEASURE), "The measured window."),
    Field::optional("drain", Shape::Inherited(DRAIN), "The end of a trial."),
    Field::optional("gate", Shape::Inherited(GATE), "How `gate` measures them."),
    Field::optional("placement", Shape::Inherited(PLACEMENT), "Who runs where."),
    Field::optional("load", Shape::Choice(&LOAD), "When operations start."),
    Field::optional("runtime", Shape::Scalars, "Settings passed to the runtime."),
    Field::optional("tcp", Shape::Inherited(workloads::tcp::KEYS), "For scenarios with a tcp table."),
    Field::optional("latency", Shape::Inherited(workloads::latency::KEYS), "For scenarios with a latency table."),
    Field::optional("scheduling", Shape::Inherited(workloads::scheduling::KEYS), "For scenarios with a scheduling table."),
    Field::optional("stealing", Shape::Inherited(workloads::stealing::KEYS), "For scenarios with a stealing table."),
    Field::optional("polling", Shape::Inherited(workloads::polling::KEYS), "For scenarios with a polling table."),
    Field::optional("http", Shape::Inherited(workloads::http::KEYS), "For scenarios with an http table."),
    Field::optional("sleep", Shape::Inherited(workloads::sleep::KEYS), "For scenarios with a sleep table."),
    Field::optional("atomics", Shape::Inherited(workloads::atomics::KEYS), "For scenarios with an atomics table."),
    Field::optional("memory", Shape::Inherited(workloads::memory::KEYS), "For scenarios with a memory table."),
    Field::optional("pool", Shape::Inherited(workloads::pool::KEYS), "For scenarios with a pool table."),
    Field::optional("file", Shape::Inherited(workloads::file::KEYS), "For scenarios with a file table."),
    Field::optional("io", Shape::Inherited(workloads::io::KEYS), "For scenarios with an io table."),
    Field::optional("custom", Shape::Inherited(workloads::custom::KEYS), "For scenarios with a custom table."),
    Field::optional("threshold", Shape::Tables(THRESHOLD), "Limits of every scenario, beside its own."),
];

/// `configs/targets.toml`.
pub(crate) const TARGETS_FILE: &[Field] = &[
    Field::required("schema", Shape::Integer(1, 1), "Version of the format: 1."),
    Field::required("target", Shape::Tables(TARGETS_ENTRY), "Published figures."),
];

const TARGETS_ENTRY: &[Field] = &[
    Field::required("metric", Shape::Metric, "What was published."),
    Field::optional("workload", Shape::OneOf(WORKLOADS), "The only workload that it speaks of; any with the metric when left out."),
    Field::required("value", Shape::MetricValue, "The figure, in the metric's unit."),
    Field::required("source", Shape::Text, "Who published it, and where."),
    Field::optional("date", Shape::Text, "When."),
    Field::optional("hardware", Shape::Text, "On what; left out where the source names no host."),
];
