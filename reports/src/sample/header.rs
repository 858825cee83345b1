//! The header of the synthetic journal: the suite, the host and the cases.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{SUBJECTS, Shape};
use crate::judge::calibration;
use crate::schema::host::{CacheProfile, CpuProfile, Fingerprint, HostProfile, IoUringProfile, KernelProfile, MemoryProfile};
use crate::schema::journal::*;
use crate::schema::result::{BuildInfo, Severity, SuiteInfo, ToolInfo};

pub(super) fn header(shapes: &[Shape]) -> RunHeader {
    let calibration = [
        (calibration::TIMER_RESOLUTION_NS, 20.0),
        (calibration::TIMER_COST_NS, 23.2),
        (calibration::SYSCALL_NS, 165.0),
        (calibration::LOOPBACK_WRITE_READ_NS, 2_900.0),
        (calibration::MEMCPY_NS_PER_KIB, 38.0),
        (calibration::EMPTY_LOOP_NS, 0.27),
    ];
    RunHeader {
        run_id: "20261123-064500-7f3a".into(),
        started_at: "2026-11-23T06:45:00Z".into(),
        seed: 42,
        command: ["zokio-bench", "run", "scenarios/tcp.toml"].map(String::from).to_vec(),
        quick: false,
        tool: ToolInfo {
            name: "zokio-bench".into(),
            version: "0.1.0".into(),
            git_sha: Some("5f0c9a1".into()),
            dirty: Some(false),
            profile: "release".into(),
            rustc: Some("rustc 1.95.0".into()),
        },
        suite: SuiteInfo {
            name: "tcp".into(),
            question: "How many round trips, connections and bytes per second does loopback TCP give?".into(),
            file: "tcp.toml".into(),
            sha256: "ab".repeat(32),
        },
        host: host(),
        calibration: calibration.into_iter().map(|(key, value)| (key.to_string(), Some(value))).collect(),
        cases: shapes.iter().map(case).collect(),
        subjects: SUBJECTS.into_iter().map(subject).collect(),
    }
}

fn subject(name: &str) -> SubjectHeader {
    let build = BuildInfo {
        rustc: Some("rustc 1.95.0".into()),
        profile: "release".into(),
        allocator: Some("system".into()),
        ..BuildInfo::default()
    };
    SubjectHeader { subject: name.into(), version: if name.starts_with("tokio") { "1.54.1" } else { "0.1.0" }.into(), build }
}

fn case(shape: &Shape) -> CaseHeader {
    let cpus: &[(&str, Vec<u32>)] = if shape.apart { &[("server", vec![0]), ("client", vec![1])] } else { &[("all", vec![0, 1])] };
    CaseHeader {
        id: shape.id.into(),
        scenario: shape.id.split('/').next().unwrap_or(shape.id).into(),
        role: if shape.workload == "sleep" { CaseRole::Control } else { CaseRole::Measured },
        workload: shape.workload.into(),
        workload_version: 1,
        workload_sha256: "cd".repeat(32),
        params: Map::from_iter(
            shape.id.split_once('/').and_then(|(_, point)| point.split_once('=')).map(|(key, value)| (key.to_string(), Value::from(value))),
        ),
        witness: "bytes counted and hashed at both ends".into(),
        primary_metric: shape.metric.into(),
        page_cache: None,
        subjects: SUBJECTS.map(String::from).to_vec(),
        trials: 10,
        users: Some(shape.users),
        open: None,
        endpoints: if shape.apart { "apart" } else { "together" }.into(),
        cpus: cpus.iter().map(|(role, cpus)| (role.to_string(), cpus.clone())).collect(),
        operations_per_connection: None,
        bytes_per_operation: shape.bytes_per_operation,
        thresholds: vec![ThresholdSpec { metric: "error_rate".into(), op: "==".into(), value: 0.0, severity: Severity::Fail, grace: None }],
        targets: targets(shape),
        effective: json!({ "workload": { "sleep": { "duration_ns": 50_000 } } }),
    }
}

fn targets(shape: &Shape) -> Vec<TargetSpec> {
    if shape.workload == "sleep" {
        return Vec::new();
    }
    let of = |kind| TargetSpec { metric: shape.metric.into(), kind, severity: None };
    vec![
        of(TargetKind::Historical {
            value: 177_935.0,
            source: "Zokio performance guide, Apple M1 Pro; measured sleep(1 us), no socket".into(),
        }),
        of(TargetKind::Published { value: 1_000_000.0, source: "industry target".into(), date: None, hardware: None }),
        of(TargetKind::Relative { at_least: 0.85, of: "ceiling".into() }),
        of(TargetKind::Relative { at_least: 1.0, of: "tokio-ct".into() }),
    ]
}

pub(super) fn host() -> HostProfile {
    HostProfile {
        source: "hwloc 2.9.0".into(),
        fingerprint: Fingerprint { class: "12".repeat(32), exact: "34".repeat(32), fields: BTreeMap::new() },
        cpu: CpuProfile {
            arch: "x86_64".into(),
            model: Some("AMD EPYC 7B13".into()),
            packages: Some(1),
            cores: Some(2),
            threads: Some(2),
            smt: Some(false),
            numa_nodes: Some(1),
            allowed: vec![0, 1],
            caches: vec![CacheProfile { level: 3, kind: "unified".into(), bytes: 32 << 20, count: 1, shared_by: 2 }],
            ..CpuProfile::default()
        },
        memory: MemoryProfile { total_bytes: Some(24 << 30), ..MemoryProfile::default() },
        kernel: KernelProfile {
            name: "Linux".into(),
            release: Some("6.18.5".into()),
            io_uring: IoUringProfile { available: true, ..IoUringProfile::default() },
            ..KernelProfile::default()
        },
        virt: Some("kvm".into()),
        notes: vec!["governor: not exposed by this virtual machine".into()],
        ..HostProfile::default()
    }
}
