//! What makes two hosts comparable: named fields, and two hashes over them.
//!
//! *class*: the fields that decide speed. Results of different classes are not compared.
//! *exact*: all fields. Results that differ only here are compared with a warning. [`zokio_report::judge::hosts`] compares.
//! A field that could not be read is `null` and **counts as unlike**, even to itself: not knowing is not equality. What a host is known
//! not to have (a virtual machine's governor) is the value `absent`. No name of a host or user and no path is in a field.

use std::collections::BTreeSet;

use zokio::topology::format_cpu_list;
use zokio_report::judge::hosts::CLASS_FIELDS;
use zokio_report::schema::host::{Fingerprint, HostProfile};

use super::build::sha256_hex;

/// The fingerprint of a profile; `absent` are the facts the host is known not to have.
pub(super) fn of(profile: &HostProfile, absent: &BTreeSet<String>) -> Fingerprint {
    let (cpu, kernel, build) = (&profile.cpu, &profile.kernel, &profile.build);
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let caches =
        cpu.caches.iter().map(|cache| format!("L{} {} {} x{} /{}", cache.level, cache.kind, cache.bytes, cache.count, cache.shared_by));
    let mitigations = cpu.mitigations.iter().map(|(name, state)| format!("{name}: {state}"));
    let fields = [
        ("arch", Some(cpu.arch.clone())),
        ("cpu_model", cpu.model.clone()),
        ("cpu_stepping", cpu.stepping.clone()),
        ("cores", number(cpu.cores)),
        ("threads", number(cpu.threads)),
        ("smt", cpu.smt.map(|smt| smt.to_string())),
        ("numa_nodes", number(cpu.numa_nodes)),
        ("memory_gib", profile.memory.total_bytes.map(|bytes| ((bytes + (1 << 29)) >> 30).to_string())),
        ("virt", profile.virt.clone()),
        ("kernel", kernel.release.as_deref().and_then(|release| major_minor(&kernel.name, release))),
        ("rustc", build.rustc.clone()),
        ("build_profile", Some(build.profile.clone())),
        ("build_flags", build.flags.clone()),
        ("build_opt", build.opt.clone()),
        ("build_target", build.target.clone()),
        ("build_features", Some(build.features.join(","))),
        ("allocator", build.allocator.clone()),
        ("packages", number(cpu.packages)),
        ("caches", joined(caches)),
        ("microcode", cpu.microcode.clone()),
        ("governor", cpu.governor.clone()),
        ("boost", cpu.boost.map(|boost| boost.to_string())),
        ("mitigations", joined(mitigations)),
        ("cpuset", (!cpu.allowed.is_empty()).then(|| format_cpu_list(&cpu.allowed))),
        ("cgroup_cpus", profile.limits.cgroup_cpus.map(|cpus| cpus.to_string())),
        ("cgroup_memory_bytes", profile.limits.cgroup_memory_bytes.map(|bytes| bytes.to_string())),
        ("thp", profile.memory.thp.clone()),
        ("aslr", kernel.aslr.clone()),
        ("clocksource", profile.clock.source.clone()),
        ("kernel_release", kernel.release.clone()),
        ("os", kernel.os.clone()),
        ("libc", kernel.libc.clone()),
        ("preemption", kernel.preemption.clone()),
        ("tcp_congestion_control", kernel.tcp_congestion_control.clone()),
        ("io_uring", Some(kernel.io_uring.available.to_string())),
    ];
    let or_absent = |(name, value): (&str, Option<String>)| {
        let value = value.or_else(|| absent.contains(name).then(|| "absent".into()));
        (name.to_owned(), value)
    };
    let mut fingerprint = Fingerprint { fields: fields.into_iter().map(or_absent).collect(), ..Fingerprint::default() };
    fingerprint.class = hash(&fingerprint, |name| CLASS_FIELDS.contains(&name));
    fingerprint.exact = hash(&fingerprint, |_| true);
    fingerprint
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let text = parts.collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}

/// `Linux 6.18` of `Linux` and `6.18.44-amd64`.
fn major_minor(name: &str, release: &str) -> Option<String> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty());
    Some(format!("{name} {}.{}", numbers.next()?, numbers.next()?))
}

/// One line a field, `name=value`, or the bare name when missing; sorted by name.
fn hash(fingerprint: &Fingerprint, wanted: impl Fn(&str) -> bool) -> String {
    let lines = fingerprint.fields.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| match value {
        Some(value) => format!("{name}={value}\n"),
        None => format!("{name}\n"),
    });
    sha256_hex(lines.collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zokio_report::judge::hosts::{self, HostSide};
    use zokio_report::schema::gate::UnlikeField;

    use super::*;

    /// How two hosts with equal probes are unlike.
    fn unlike(base: &Fingerprint, here: &Fingerprint) -> Vec<UnlikeField> {
        let probes: BTreeMap<String, Option<f64>> = hosts::PROBES.iter().map(|(_, key)| ((*key).into(), Some(1.0))).collect();
        let side = |fingerprint| HostSide { fingerprint, calibration: &probes };
        hosts::unlike(side(base), side(here))
    }

    fn profile() -> HostProfile {
        let mut profile = HostProfile::default();
        profile.cpu.arch = "x86_64".into();
        profile.cpu.model = Some("AMD EPYC".into());
        profile.cpu.stepping = Some("family 25 model 17 stepping 1".into());
        (profile.cpu.cores, profile.cpu.threads, profile.cpu.smt, profile.cpu.numa_nodes) = (Some(2), Some(2), Some(false), Some(1));
        profile.cpu.allowed = vec![0, 1];
        profile.memory.total_bytes = Some(24_684_084 << 10);
        profile.virt = Some("kvm".into());
        profile.kernel.name = "Linux".into();
        profile.kernel.release = Some("6.18.44-x".into());
        profile.build.rustc = Some("rustc 1.95.0".into());
        profile.build.profile = "release".into();
        profile.build.flags = Some(String::new());
        profile
    }

    fn print(profile: &HostProfile) -> Fingerprint {
        of(profile, &BTreeSet::new())
    }

    #[test]
    fn the_class_is_rounded_to_what_decides() {
        let print = print(&profile());
        assert_eq!(print.fields["memory_gib"].as_deref(), Some("24"));
        assert_eq!(print.fields["kernel"].as_deref(), Some("Linux 6.18"));
        assert_eq!(print.fields["cpuset"].as_deref(), Some("0-1"));
        assert_eq!((print.class.len(), print.exact.len()), (64, 64));
        assert!(CLASS_FIELDS.iter().all(|name| print.fields[*name].is_some()), "{print:?}");
    }

    #[test]
    fn a_setting_changes_the_exact_hash_and_a_processor_the_class_too() {
        let base = print(&profile());
        let mut setting = profile();
        setting.kernel.release = Some("6.18.45-x".into());
        assert_eq!(print(&setting).class, base.class);
        assert_ne!(print(&setting).exact, base.exact);
        let mut processor = profile();
        processor.cpu.cores = Some(4);
        assert_ne!(print(&processor).class, base.class);
        assert_ne!(print(&processor).exact, base.exact);
    }

    #[test]
    fn a_missing_field_is_unlike_even_to_itself() {
        let mut unknown = profile();
        unknown.virt = None;
        let print = print(&unknown);
        let differences = unlike(&print, &print);
        assert!(differences.contains(&UnlikeField { field: "virt".into(), base: None, here: None, refused: true }));
        assert!(differences.iter().all(|difference| difference.base.is_none() && difference.here.is_none()));
    }

    #[test]
    fn what_is_known_to_be_absent_is_a_value() {
        let absent = BTreeSet::from(["governor".to_owned()]);
        let print = of(&profile(), &absent);
        assert_eq!(print.fields["governor"].as_deref(), Some("absent"));
        assert!(!unlike(&print, &print).iter().any(|difference| difference.field == "governor"));
        let mut with = profile();
        with.cpu.governor = Some("performance".into());
        let difference = unlike(&print, &of(&with, &absent)).into_iter().find(|difference| difference.field == "governor").unwrap();
        let expected = (Some("absent"), Some("performance"), false);
        assert_eq!((difference.base.as_deref(), difference.here.as_deref(), difference.refused), expected);
    }

    #[test]
    fn releases_are_cut_to_two_numbers() {
        let cases = [("6.18.44-fc", Some("Linux 6.18")), ("5.10", Some("Linux 5.10")), ("6", None), ("", None), ("x", None)];
        for (release, expected) in cases {
            assert_eq!(major_minor("Linux", release).as_deref(), expected, "{release}");
        }
    }
}
