//! Why a suite cannot be planned here.

use std::fmt;

use zokio_report::exit;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// This process may use no CPU at all.
    NoCpu,
    /// A case names a CPU that this process may not use.
    CpuNotAllowed {
        /// The case.
        case: String,
        /// The CPU.
        cpu: u32,
        /// Those it may use.
        allowed: Vec<u32>,
    },
    /// A case wants more workers than it has CPUs.
    TooFewCpus {
        /// The case.
        case: String,
        /// Workers wanted.
        workers: u32,
        /// CPUs there are for it.
        available: usize,
    },
    /// An option of the command line makes no sense.
    Option {
        /// What is wrong with it.
        message: String,
    },
}

impl PlanError {
    /// The exit code: the user's option, or the host's lack.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCpu | Self::CpuNotAllowed { .. } | Self::TooFewCpus { .. } => exit::COULD_NOT_RUN,
            Self::Option { .. } => exit::USAGE,
        }
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::NoCpu => "look at the CPU affinity of this process: taskset -p $$".into(),
            Self::CpuNotAllowed { case, .. } => {
                let scenario = case.split('/').next().unwrap_or(case);
                format!(
                    "choose others, as `--set scenario.{scenario}.placement.cpus=auto`, or start it with a wider affinity (taskset, cgroup)"
                )
            }
            Self::TooFewCpus { case, .. } => {
                let scenario = case.split('/').next().unwrap_or(case);
                format!("`--set 'scenario.{scenario}.placement.workers=[\"doubling\"]'` takes as many as there are")
            }
            Self::Option { .. } => "`zokio-bench run --help` tells what it takes".into(),
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCpu => formatter.write_str("this process may use no CPU"),
            Self::CpuNotAllowed { case, cpu, allowed } => {
                write!(formatter, "`{case}` is placed on CPU {cpu}, which this process may not use (allowed: {allowed:?})")
            }
            Self::TooFewCpus { case, workers, available } => {
                write!(formatter, "`{case}` wants {workers} workers with a CPU each, and there are {available} CPUs for it")
            }
            Self::Option { message } => formatter.write_str(message),
        }
    }
}

impl std::error::Error for PlanError {}
