//! The host a result was measured on. What could not be read is `null`, and [`HostProfile::notes`] says why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The hardware and system profile, part of every result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostProfile {
    /// What read the topology: `hwloc 2.9.0` or `sysfs`.
    pub source: String,
    /// What makes two hosts comparable.
    pub fingerprint: Fingerprint,
    /// Processors.
    pub cpu: CpuProfile,
    /// Memory.
    pub memory: MemoryProfile,
    /// Kernel and its settings.
    pub kernel: KernelProfile,
    /// `none`, or the hypervisor or container kind.
    pub virt: Option<String>,
    /// Limits that shape a measurement.
    pub limits: LimitsProfile,
    /// Clock source, and its measured cost and resolution.
    pub clock: ClockProfile,
    /// The build that measured.
    pub build: BuildProfile,
    /// What could not be read, and why; what a reader should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Identity of a host for comparisons, without names of hosts or users.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// sha256 over the fields that decide speed (hex).
    pub class: String,
    /// sha256 over all fields (hex).
    pub exact: String,
    /// The fields, by name; a `null` counts as unlike.
    pub fields: BTreeMap<String, Option<String>>,
}

/// Processors and their topology.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuProfile {
    /// `x86_64`, `aarch64`, …
    pub arch: String,
    /// Model name as the processor tells it.
    pub model: Option<String>,
    /// Family, model and stepping numbers, where they exist.
    pub stepping: Option<String>,
    /// Microcode revision.
    pub microcode: Option<String>,
    /// Packages (sockets).
    pub packages: Option<u32>,
    /// Physical cores.
    pub cores: Option<u32>,
    /// Hardware threads.
    pub threads: Option<u32>,
    /// Whether several threads share a core.
    pub smt: Option<bool>,
    /// NUMA nodes.
    pub numa_nodes: Option<u32>,
    /// CPUs this process may use.
    pub allowed: Vec<u32>,
    /// Caches, smallest level first.
    pub caches: Vec<CacheProfile>,
    /// Frequency governor.
    pub governor: Option<String>,
    /// Whether boost (turbo) is on.
    pub boost: Option<bool>,
    /// Nominal or highest frequency in MHz.
    pub mhz: Option<u32>,
    /// Mitigations by vulnerability, as the kernel tells them.
    pub mitigations: BTreeMap<String, String>,
}

/// One cache of the first core, with how many CPUs share it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CacheProfile {
    /// 1, 2, 3, …
    pub level: u32,
    /// `data`, `instruction` or `unified`.
    pub kind: String,
    /// Size in bytes.
    pub bytes: u64,
    /// How many caches of this level and kind the host has.
    pub count: u32,
    /// CPUs that share one.
    pub shared_by: u32,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryProfile {
    /// All memory of the host, in bytes.
    pub total_bytes: Option<u64>,
    /// Available when the profile was read, in bytes.
    pub available_bytes: Option<u64>,
    /// Swap, in bytes.
    pub swap_bytes: Option<u64>,
    /// What each NUMA node claims, in bytes; may not add up to the total on virtual machines.
    pub node_bytes: Vec<u64>,
    /// Transparent huge pages setting.
    pub thp: Option<String>,
}

/// Kernel and settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelProfile {
    /// `Linux`, …
    pub name: String,
    /// Release string.
    pub release: Option<String>,
    /// C library and its version.
    pub libc: Option<String>,
    /// Distribution.
    pub os: Option<String>,
    /// Address space randomisation setting.
    pub aslr: Option<String>,
    /// TCP congestion control.
    pub tcp_congestion_control: Option<String>,
    /// Preemption model, where the kernel tells.
    pub preemption: Option<String>,
    /// Whether a ring could be set up, and why not.
    pub io_uring: IoUringProfile,
}

/// io_uring as this process found it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IoUringProfile {
    /// A ring was really set up.
    pub available: bool,
    /// Why not (`EPERM`, `ENOSYS`, …).
    pub reason: Option<String>,
    /// Feature flags the kernel reported.
    pub features: Vec<String>,
    /// Operations supported, by number.
    pub operations: Option<u32>,
}

/// Limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitsProfile {
    /// Soft and hard limit of open files.
    pub nofile_soft: Option<u64>,
    /// Hard limit of open files.
    pub nofile_hard: Option<u64>,
    /// Locked memory in bytes.
    pub memlock_bytes: Option<u64>,
    /// First and last ephemeral port.
    pub port_range: Option<(u16, u16)>,
    /// `somaxconn`.
    pub somaxconn: Option<u32>,
    /// CPUs the control group grants; `null` when it sets no limit.
    pub cgroup_cpus: Option<f64>,
    /// Memory the control group grants, in bytes; `null` when it sets no limit.
    pub cgroup_memory_bytes: Option<u64>,
}

/// The clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockProfile {
    /// The kernel's clock source (`tsc`, `kvm-clock`, …).
    pub source: Option<String>,
    /// Measured cost of one reading, in nanoseconds.
    pub cost_ns: Option<f64>,
    /// Measured smallest step, in nanoseconds.
    pub resolution_ns: Option<f64>,
}

/// The build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BuildProfile {
    /// `rustc --version`.
    pub rustc: Option<String>,
    /// `release` or `debug`.
    pub profile: String,
    /// Flags (`RUSTFLAGS`) the build was made with.
    pub flags: Option<String>,
    /// Target triple.
    pub target: Option<String>,
    /// Optimisation level and link-time optimisation.
    pub opt: Option<String>,
    /// Cargo features.
    pub features: Vec<String>,
    /// Global allocator.
    pub allocator: Option<String>,
    /// sha256 of the lock file.
    pub lock_sha256: Option<String>,
    /// sha256 of the executable.
    pub binary_sha256: Option<String>,
}
