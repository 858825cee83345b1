//! Whether two results come from hosts on which the same work takes the same time.
//!
//! ```text
//! class fields   decide speed (processor, memory, kernel, compiler)      differ, or not told by both     refused
//! speed probe    four anchors, measured when each run began              ratio outside 0.9 to 1.1        refused
//! other fields   settings, versions, and names this build does not know  differ, or not told by both     a warning
//! ```
//! Not knowing is not equality: what either side does not tell counts as unlike, even where neither tells it. The probe is there because
//! equal names are not equal speed: another guest beside this one, a battery, a hot summer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::calibration::{PROBE_CPU_NS, PROBE_LOOPBACK_NS, PROBE_MEMORY_NS, PROBE_SYSCALL_NS};
use crate::schema::gate::{GateResult, UnlikeField};
use crate::schema::host::Fingerprint;
use crate::schema::result::RunResult;
use crate::units::ABSENT;

/// The fields of the fingerprint that decide speed.
pub const CLASS_FIELDS: [&str; 13] = [
    "arch",
    "cpu_model",
    "cpu_stepping",
    "cores",
    "threads",
    "smt",
    "numa_nodes",
    "memory_gib",
    "virt",
    "kernel",
    "rustc",
    "build_profile",
    "build_flags",
];

/// The anchors of the speed probe: the field's name in [`UnlikeField`], and the key of the calibration.
pub const PROBES: [(&str, &str); 4] = [
    ("probe.cpu", PROBE_CPU_NS),
    ("probe.memory", PROBE_MEMORY_NS),
    ("probe.syscall", PROBE_SYSCALL_NS),
    ("probe.loopback", PROBE_LOOPBACK_NS),
];

/// Ratios of two probes between which the hosts count as equally fast.
pub const PROBE_RATIO: RangeInclusive<f64> = 0.9..=1.1;

/// What a result tells of its host.
#[derive(Clone, Copy, Debug)]
pub struct HostSide<'a> {
    /// What the host is.
    pub fingerprint: &'a Fingerprint,
    /// What was measured when the run began, in nanoseconds.
    pub calibration: &'a BTreeMap<String, Option<f64>>,
}

impl<'a> From<&'a RunResult> for HostSide<'a> {
    fn from(result: &'a RunResult) -> Self {
        Self { fingerprint: &result.host.fingerprint, calibration: &result.calibration }
    }
}

impl<'a> From<&'a GateResult> for HostSide<'a> {
    fn from(result: &'a GateResult) -> Self {
        Self { fingerprint: &result.host.fingerprint, calibration: &result.calibration }
    }
}

/// The fields in which the host of `base` is unlike `here`: those of the class first, then the probe, then those that only warn.
///
/// ```
/// use zokio_report::judge::hosts::{self, HostSide};
/// let (fingerprint, calibration) = Default::default();
/// let unknown = HostSide { fingerprint: &fingerprint, calibration: &calibration };
/// assert!(hosts::is_refused(&hosts::unlike(unknown, unknown)), "a host that tells nothing is like no other, not even itself");
/// ```
pub fn unlike(base: HostSide<'_>, here: HostSide<'_>) -> Vec<UnlikeField> {
    let class = CLASS_FIELDS.iter().filter_map(|name| field(base, here, name, true));
    let probes = PROBES.iter().filter_map(|(name, key)| anchor(base, here, name, key));
    let names: BTreeSet<&String> = base.fingerprint.fields.keys().chain(here.fingerprint.fields.keys()).collect();
    let others = names.into_iter().filter(|name| !CLASS_FIELDS.contains(&name.as_str())).filter_map(|name| field(base, here, name, false));
    class.chain(probes).chain(others).collect()
}

/// Whether results of such hosts are not compared at all.
pub fn is_refused(unlike: &[UnlikeField]) -> bool {
    unlike.iter().any(|field| field.refused)
}

/// The names of the fields that forbid a comparison, for a sentence.
pub fn refused_names(unlike: &[UnlikeField]) -> String {
    unlike.iter().filter(|field| field.refused).map(|field| field.field.as_str()).collect::<Vec<_>>().join(", ")
}

fn field(base: HostSide<'_>, here: HostSide<'_>, name: &str, refused: bool) -> Option<UnlikeField> {
    let value = |side: HostSide<'_>| side.fingerprint.fields.get(name).cloned().flatten();
    let (base, here) = (value(base), value(here));
    let alike = base.is_some() && base == here;
    (!alike).then(|| UnlikeField { field: name.into(), base, here, refused })
}

fn anchor(base: HostSide<'_>, here: HostSide<'_>, name: &str, key: &str) -> Option<UnlikeField> {
    let value = |side: HostSide<'_>| side.calibration.get(key).copied().flatten().filter(|ns| ns.is_finite() && *ns > 0.0);
    let (base, here) = (value(base), value(here));
    let alike = base.zip(here).is_some_and(|(base, here)| PROBE_RATIO.contains(&(here / base)));
    let shown = |ns: Option<f64>| ns.map(|ns| format!("{ns:.2} ns"));
    (!alike).then(|| UnlikeField { field: name.into(), base: shown(base), here: shown(here), refused: true })
}

/// The fields as aligned lines of a table: which, what the base has, what this host has, what follows.
pub fn table(unlike: &[UnlikeField]) -> Vec<String> {
    /// Longer values (mitigations, caches) are cut: the result holds them whole.
    const VALUE_MAX: usize = 40;
    let cut = |value: &Option<String>| {
        let text: String =
            value.as_deref().unwrap_or("not told").chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        match text.char_indices().nth(VALUE_MAX) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None if text.is_empty() => ABSENT.into(),
            None => text,
        }
    };
    let verdict = |field: &UnlikeField| if field.refused { "not comparable" } else { "warning" };
    let mut rows = vec![["field", "base", "here", ""].map(String::from)];
    rows.extend(unlike.iter().map(|field| [field.field.clone(), cut(&field.base), cut(&field.here), verdict(field).into()]));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let line = format!("{:w0$}  {:w1$}  {:w2$}  {}", row[0], row[1], row[2], row[3], w0 = widths[0], w1 = widths[1], w2 = widths[2]);
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Host = (Fingerprint, BTreeMap<String, Option<f64>>);

    fn host() -> Host {
        let mut fields: BTreeMap<String, Option<String>> =
            CLASS_FIELDS.iter().map(|name| ((*name).into(), Some(format!("{name} of it")))).collect();
        fields.insert("governor".into(), Some("performance".into()));
        let probes = [("probe_cpu_ns", 1.4), ("probe_memory_ns", 22.0), ("probe_syscall_ns", 160.0), ("probe_loopback_ns", 9_000.0)];
        let calibration = probes.into_iter().map(|(key, ns)| (key.into(), Some(ns))).collect();
        (Fingerprint { fields, ..Fingerprint::default() }, calibration)
    }

    fn side((fingerprint, calibration): &Host) -> HostSide<'_> {
        HostSide { fingerprint, calibration }
    }

    /// How a host with one thing changed is unlike the one without: (field, refused).
    fn changed(change: impl Fn(&mut Host)) -> Vec<(String, bool)> {
        let mut other = host();
        change(&mut other);
        unlike(side(&host()), side(&other)).into_iter().map(|field| (field.field, field.refused)).collect()
    }

    #[test]
    fn a_host_that_tells_everything_is_like_itself() {
        assert_eq!(changed(|_| ()), []);
    }

    #[test]
    fn what_decides_speed_is_refused_and_what_is_a_setting_warns() {
        let set = |name: &'static str, value: Option<&'static str>| {
            changed(move |(fingerprint, _)| drop(fingerprint.fields.insert(name.into(), value.map(String::from))))
        };
        let cases = [
            (set("cpu_model", Some("another")), ("cpu_model", true)),
            (set("rustc", None), ("rustc", true)),
            (set("governor", Some("powersave")), ("governor", false)),
            (set("governor", None), ("governor", false)),
            (set("a_field_of_tomorrow", Some("yes")), ("a_field_of_tomorrow", false)),
        ];
        for (found, (field, refused)) in cases {
            assert_eq!(found, [(field.to_owned(), refused)]);
        }
        let without_key = changed(|(fingerprint, _)| drop(fingerprint.fields.remove("kernel")));
        assert_eq!(without_key, [("kernel".to_owned(), true)]);
    }

    #[test]
    fn not_knowing_is_not_equality_even_on_both_sides() {
        let mut silent = host();
        silent.0.fields.insert("virt".into(), None);
        silent.1.insert("probe_loopback_ns".into(), None);
        let found = unlike(side(&silent), side(&silent));
        assert_eq!(found.iter().map(|field| field.field.as_str()).collect::<Vec<_>>(), ["virt", "probe.loopback"]);
        assert!(is_refused(&found));
        assert_eq!(refused_names(&found), "virt, probe.loopback");
    }

    #[test]
    fn equal_names_are_not_equal_speed() {
        let probed = |key: &'static str, ns: f64| {
            changed(move |(_, calibration)| {
                calibration.insert(key.into(), Some(ns));
            })
        };
        let cases = [
            ("probe_cpu_ns", 1.4 * 1.09, false),
            ("probe_cpu_ns", 1.4 * 1.11, true),
            ("probe_memory_ns", 22.0 * 0.91, false),
            ("probe_memory_ns", 22.0 * 0.89, true),
            ("probe_syscall_ns", f64::NAN, true),
            ("probe_loopback_ns", 0.0, true),
        ];
        for (key, ns, refused) in cases {
            let found = probed(key, ns);
            assert_eq!(found.iter().any(|(_, refused)| *refused), refused, "{key} {ns}: {found:?}");
        }
        assert_eq!(probed("probe_syscall_ns", 1.0), [("probe.syscall".to_owned(), true)]);
        assert_eq!(probed("timer_cost_ns", 1e9), [], "other bounds are no anchors");
    }

    #[test]
    fn a_table_shows_both_sides_and_what_follows() {
        let field = |field: &str, base: Option<&str>, here: Option<&str>, refused| UnlikeField {
            field: field.into(),
            base: base.map(Into::into),
            here: here.map(Into::into),
            refused,
        };
        let long = "x".repeat(60);
        let lines = table(&[
            field("cpu_model", Some("AMD EPYC"), Some("Intel\u{1b}[31m"), true),
            field("governor", None, Some(""), false),
            field("mitigations", Some(&long), Some("none"), false),
        ]);
        let [heading, model, governor, mitigations] = &lines[..] else { panic!("{lines:#?}") };
        assert!(heading.starts_with("field        base"), "{heading}");
        assert!(model.ends_with("Intel [31m  not comparable"), "{model}");
        assert!(governor.starts_with("governor     not told") && governor.ends_with("warning"), "{governor}");
        assert!(mitigations.contains(&format!("{}...  none", "x".repeat(40))), "{mitigations}");
    }
}
