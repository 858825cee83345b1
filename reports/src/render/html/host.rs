//! The host profile: what was read, and why something could not be.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::schema::host::HostProfile;
use crate::units::{Bytes, Nanos};

/// The section of a host, with the bounds measured on it in nanoseconds.
pub(in crate::render) fn section(host: &HostProfile, calibration: &BTreeMap<String, Option<f64>>) -> Markup {
    let facts = facts(host);
    html! {
        section {
            h2 { "Host" }
            table { tbody { @for (name, value) in facts { tr { th scope="row" { (name) } td { (value) } } } } }
            @if !host.notes.is_empty() {
                h3 { "Notes" }
                ul { @for note in &host.notes { li { (note) } } }
            }
            h3 { "Bounds measured at start" }
            table { tbody { @for (key, value) in calibration {
                tr { th scope="row" { (key) } td class="number" { (value.map_or_else(|| "not measured".into(), |value| Nanos(value).to_string())) } }
            } } }
        }
    }
}

fn facts(host: &HostProfile) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".into());
    let number = |value: Option<u32>| value.map_or_else(|| "not known".into(), |value| value.to_string());
    let bytes = |value: Option<u64>| value.map_or_else(|| "not known".into(), |value| Bytes(value as f64).to_string());
    let caches: Vec<String> = host
        .cpu
        .caches
        .iter()
        .map(|cache| {
            format!("L{} {} {} × {}, shared by {}", cache.level, cache.kind, Bytes(cache.bytes as f64), cache.count, cache.shared_by)
        })
        .collect();
    let io_uring = match (&host.kernel.io_uring.available, &host.kernel.io_uring.reason) {
        (true, _) => "available".to_string(),
        (false, Some(reason)) => format!("not available: {reason}"),
        (false, None) => "not available".to_string(),
    };
    vec![
        ("CPU", text(&host.cpu.model)),
        ("Architecture", host.cpu.arch.clone()),
        ("Packages, cores, threads", [host.cpu.packages, host.cpu.cores, host.cpu.threads].map(number).join(", ")),
        ("CPUs allowed", format!("{:?}", host.cpu.allowed)),
        ("Caches", if caches.is_empty() { "not known".into() } else { caches.join("; ") }),
        ("NUMA nodes", number(host.cpu.numa_nodes)),
        ("Governor", text(&host.cpu.governor)),
        ("Boost", host.cpu.boost.map_or_else(|| "not known".into(), |boost| if boost { "on" } else { "off" }.to_string())),
        ("Memory", bytes(host.memory.total_bytes)),
        ("Kernel", format!("{} {}", host.kernel.name, text(&host.kernel.release))),
        ("Distribution", text(&host.kernel.os)),
        ("Virtualisation", text(&host.virt)),
        ("io_uring", io_uring),
        ("Clock source", text(&host.clock.source)),
        ("Built with", text(&host.build.rustc)),
        ("Topology read by", host.source.clone()),
        ("Fingerprint", format!("class {}, exact {}", short(&host.fingerprint.class), short(&host.fingerprint.exact))),
    ]
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
