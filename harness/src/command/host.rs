//! `zokio-bench host`: the hardware and system profile, in sections or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write};

use zokio::topology::format_cpu_list;
use zokio_report::exit;
use zokio_report::schema::host::{BuildProfile, CpuProfile, HostProfile, KernelProfile, LimitsProfile, MemoryProfile};

use crate::host;

/// Prints the profile of this host; the exit code.
pub fn run(json: bool) -> u8 {
    let profile = host::profile();
    let text = if json {
        match serde_json::to_string_pretty(&profile) {
            Ok(text) => text + "\n",
            Err(error) => {
                eprintln!("error: cannot write the profile as JSON: {error}");
                return exit::COULD_NOT_RUN;
            }
        }
    } else {
        sections(&profile)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            exit::COULD_NOT_RUN
        }
        _ => exit::PASSED,
    }
}

/// Rows of a section: a name, and a value where there is one.
type Row = (&'static str, Option<String>);

/// The profile for a reader: sections of aligned rows, then what could not be read and why.
fn sections(profile: &HostProfile) -> String {
    let mut text = String::new();
    section(&mut text, "processor", &processor(&profile.cpu, &profile.source));
    section(&mut text, "memory", &memory(&profile.memory));
    section(&mut text, "kernel", &kernel(&profile.kernel, profile.virt.as_ref()));
    section(&mut text, "io_uring", &io_uring(&profile.kernel));
    section(&mut text, "limits", &limits(&profile.limits));
    let ns = |ns: Option<f64>| ns.map(|ns| format!("{ns:.1} ns"));
    let clock = &profile.clock;
    section(
        &mut text,
        "clock",
        &[("source", clock.source.clone()), ("cost of a reading", ns(clock.cost_ns)), ("resolution", ns(clock.resolution_ns))],
    );
    section(&mut text, "build", &build(&profile.build));
    let short = |hash: &str| hash.get(..16).map(str::to_owned);
    let print = &profile.fingerprint;
    section(&mut text, "fingerprint", &[("class", short(&print.class)), ("exact", short(&print.exact))]);
    if !profile.cpu.mitigations.is_empty() {
        text.push_str("mitigations\n");
        mitigations(&mut text, &profile.cpu);
    }
    if !profile.notes.is_empty() {
        text.push_str("not read, or to know\n");
        for note in &profile.notes {
            let _ = writeln!(text, "  {note}");
        }
    }
    text
}

/// One section; a row without a value shows a dash, and the notes say why.
fn section(text: &mut String, name: &str, rows: &[Row]) {
    let _ = writeln!(text, "{name}");
    for (label, value) in rows {
        let _ = writeln!(text, "  {label:<20} {}", value.as_deref().unwrap_or("-"));
    }
    text.push('\n');
}

fn processor(cpu: &CpuProfile, source: &str) -> Vec<Row> {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let mut rows = vec![
        ("model", cpu.model.clone()),
        ("architecture", Some(cpu.arch.clone())),
        ("stepping", cpu.stepping.clone()),
        ("microcode", cpu.microcode.clone()),
        ("packages", number(cpu.packages)),
        ("NUMA nodes", number(cpu.numa_nodes)),
        ("cores", number(cpu.cores)),
        ("hardware threads", number(cpu.threads)),
        ("threads share cores", cpu.smt.map(yes_no)),
        ("CPUs allowed here", (!cpu.allowed.is_empty()).then(|| format_cpu_list(&cpu.allowed))),
        ("governor", cpu.governor.clone()),
        ("boost", cpu.boost.map(on_off)),
        ("frequency", cpu.mhz.map(|mhz| format!("{mhz} MHz"))),
    ];
    rows.extend(cpu.caches.iter().map(|cache| {
        let cpus = if cache.shared_by == 1 { "1 CPU".into() } else { format!("{} CPUs", cache.shared_by) };
        let text = format!("L{} {}, {} x {}, each for {cpus}", cache.level, cache.kind, cache.count, bytes(cache.bytes));
        ("cache", Some(text))
    }));
    rows.push(("topology read by", Some(source.to_owned())));
    rows
}

fn memory(memory: &MemoryProfile) -> Vec<Row> {
    let nodes = memory.node_bytes.iter().map(|&node| bytes(node)).collect::<Vec<_>>().join(", ");
    vec![
        ("total", memory.total_bytes.map(bytes)),
        ("available now", memory.available_bytes.map(bytes)),
        ("swap", memory.swap_bytes.map(bytes)),
        ("NUMA nodes claim", (!nodes.is_empty()).then_some(nodes)),
        ("huge pages", memory.thp.clone()),
    ]
}

fn kernel(kernel: &KernelProfile, virt: Option<&String>) -> Vec<Row> {
    let release = kernel.release.as_deref().map(|release| format!("{} {release}", kernel.name));
    vec![
        ("system", kernel.os.clone()),
        ("kernel", release.or_else(|| Some(kernel.name.clone()))),
        ("C library", kernel.libc.clone()),
        ("virtualisation", virt.cloned()),
        ("preemption", kernel.preemption.clone()),
        ("address randomising", kernel.aslr.clone()),
        ("TCP congestion", kernel.tcp_congestion_control.clone()),
    ]
}

fn io_uring(kernel: &KernelProfile) -> Vec<Row> {
    let ring = &kernel.io_uring;
    if !ring.available {
        let reason = ring.reason.as_deref().unwrap_or("no reason told");
        return vec![("available", Some(format!("no ({reason})")))];
    }
    vec![
        ("available", Some("yes (a ring was set up)".into())),
        ("operations", ring.operations.map(|count| count.to_string())),
        ("features", Some(ring.features.join(" "))),
    ]
}

fn limits(limits: &LimitsProfile) -> Vec<Row> {
    let files = limits.nofile_soft.zip(limits.nofile_hard).map(|(soft, hard)| format!("{soft}, can be raised to {hard}"));
    vec![
        ("open files", files),
        ("locked memory", limits.memlock_bytes.map(bytes)),
        ("ephemeral ports", limits.port_range.map(|(first, last)| format!("{first}-{last}"))),
        ("listen backlog", limits.somaxconn.map(|backlog| backlog.to_string())),
        ("control group CPUs", Some(limits.cgroup_cpus.map_or_else(|| "no limit seen".into(), |cpus| format!("{cpus}")))),
        ("control group memory", Some(limits.cgroup_memory_bytes.map_or_else(|| "no limit seen".into(), bytes))),
    ]
}

fn build(build: &BuildProfile) -> Vec<Row> {
    let flags = build.flags.as_ref().map(|flags| if flags.is_empty() { "none".into() } else { flags.clone() });
    let short = |hash: &Option<String>| hash.as_deref().and_then(|hash| hash.get(..16)).map(str::to_owned);
    vec![
        ("compiler", build.rustc.clone()),
        ("target", build.target.clone()),
        ("profile", Some(build.profile.clone())),
        ("optimisation", build.opt.clone()),
        ("flags", flags),
        ("features", Some(if build.features.is_empty() { "none".into() } else { build.features.join(" ") })),
        ("allocator", build.allocator.clone()),
        ("lock file sha256", short(&build.lock_sha256)),
        ("executable sha256", short(&build.binary_sha256)),
    ]
}

/// The vulnerabilities that cost something or are open; the others in one line.
fn mitigations(text: &mut String, cpu: &CpuProfile) {
    const UNAFFECTED: &str = "Not affected";
    let (unaffected, affected): (Vec<_>, Vec<_>) = cpu.mitigations.iter().partition(|(_, state)| *state == UNAFFECTED);
    for (name, state) in affected {
        let _ = writeln!(text, "  {name:<20} {state}");
    }
    if !unaffected.is_empty() {
        let _ = writeln!(text, "  {:<20} {} others", "not affected by", unaffected.len());
    }
    text.push('\n');
}

fn yes_no(yes: bool) -> String {
    if yes { "yes".into() } else { "no".into() }
}

fn on_off(on: bool) -> String {
    if on { "on".into() } else { "off".into() }
}

/// Bytes in the largest binary unit that keeps a number before the point.
fn bytes(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) if bytes.is_multiple_of(*size) => format!("{} {unit}", bytes / size),
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_stands_there_and_gaps_are_explained() {
        let mut profile = HostProfile { source: "sysfs".into(), ..HostProfile::default() };
        profile.cpu.model = Some("AMD EPYC".into());
        profile.cpu.mitigations =
            [("meltdown".into(), "Not affected".into()), ("spectre_v2".into(), "Mitigation: Retpolines".into())].into();
        profile.kernel.io_uring.reason = Some("EPERM: denied by a seccomp filter".into());
        profile.notes = vec!["governor: /sys/x: not found".into()];
        let text = sections(&profile);
        for section in
            ["processor", "memory", "kernel", "io_uring", "limits", "clock", "build", "fingerprint", "mitigations", "not read, or to know"]
        {
            assert!(text.lines().any(|line| line == section), "{section} in\n{text}");
        }
        for line in [
            "  model                AMD EPYC",
            "  governor             -",
            "  available            no (EPERM: denied by a seccomp filter)",
            "  spectre_v2           Mitigation: Retpolines",
            "  not affected by      1 others",
            "  governor: /sys/x: not found",
        ] {
            assert!(text.lines().any(|other| other == line), "{line:?} in\n{text}");
        }
    }

    #[test]
    fn sizes_read_well() {
        let cases = [(0, "0 B"), (1_023, "1023 B"), (32 << 10, "32 KiB"), (25_276_502_016, "23.5 GiB"), (1 << 40, "1024 GiB")];
        for (size, expected) in cases {
            assert_eq!(bytes(size), expected);
        }
    }
}
