//! Checks of what else goes on: other tasks, the hypervisor, memory, power.

use zokio_report::units::{Bytes, Share};

use super::{Check, CpuUse, Facts, State, by_limits, note};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![others(facts), steal(facts), load(facts), memory(facts), swap(facts), battery(facts), virtualisation(facts)]
}

fn others(facts: &Facts) -> Check {
    const WHY: &str = "what else runs takes time from both sides of a pair, though seldom the same";
    /// Guards warn of it. It blocks nothing: a moment says little of the minute that follows, and a gate that meets load leaves out rates by itself.
    const FOREIGN: f64 = 0.05;
    let check =
        |state, found: String| Check::new("other-tasks", WHY, state, found).mend("top -b -n 1 | head -15, then stop or wait for them");
    let CpuUse { foreign, busiest, .. } = match &facts.use_now {
        Err(reason) => return check(State::Unknown, reason.clone()),
        Ok(used) => used,
    };
    let names: Vec<String> = busiest.iter().map(|(name, share)| format!("{name} {:.0} % of a CPU", share * 100.0)).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    check(by_limits(*foreign, FOREIGN, f64::INFINITY), format!("{} of the CPUs now{names}", Share(*foreign)))
}

fn steal(facts: &Facts) -> Check {
    const WHY: &str = "time that the hypervisor gives to other guests is missing in the middle of an operation";
    const STEAL: f64 = 0.01;
    let check = |state, found: String| {
        Check::new("steal", WHY, state, found).mend("nothing from inside: take a host with dedicated CPUs, or another hour")
    };
    match &facts.use_now {
        Err(reason) => check(State::Unknown, reason.clone()),
        Ok(used) => check(by_limits(used.steal, STEAL, f64::INFINITY), format!("{} of CPU time now", Share(used.steal))),
    }
}

/// The minute that has passed; whether it still goes on is the business of `other-tasks`.
fn load(facts: &Facts) -> Check {
    const WHY: &str = "a host that was busy a moment ago is warm, and what kept it busy may come back";
    const PER_CPU: f64 = 0.5;
    let check = |state, found: String| Check::new("load-average", WHY, state, found).mend("wait a minute: cat /proc/loadavg");
    let cpus = facts.profile.cpu.allowed.len().max(1) as f64;
    match &facts.load_1min {
        Err(reason) => check(State::Unknown, reason.clone()),
        Ok(load) => check(by_limits(load / cpus, PER_CPU, f64::INFINITY), format!("{load:.2} in the last minute, {cpus} CPUs")),
    }
}

fn memory(facts: &Facts) -> Check {
    const WHY: &str = "short memory means reclaim: pages of the trial are written out or dropped while it runs";
    const AVAILABLE_BYTES: (u64, u64) = (1 << 30, 256 << 20);
    let Some(available) = facts.profile.memory.available_bytes else {
        return Check::new("memory", WHY, State::Unknown, note(&facts.profile, "memory"));
    };
    let granted = facts.profile.limits.cgroup_memory_bytes;
    let bytes = granted.map_or(available, |granted| granted.min(available));
    let state = match bytes {
        bytes if bytes < AVAILABLE_BYTES.1 => State::BlocksGate,
        bytes if bytes < AVAILABLE_BYTES.0 => State::Warn,
        _ => State::Ok,
    };
    let group = granted.map(|bytes| format!(", the control group grants {}", Bytes(bytes as f64))).unwrap_or_default();
    Check::new("memory", WHY, state, format!("{} available{group}", Bytes(available as f64)))
        .mend("ps -e -o rss,comm --sort=-rss | head, then stop what can be spared")
}

fn swap(facts: &Facts) -> Check {
    const WHY: &str = "a page that comes back from swap takes as long as ten thousand operations";
    /// In 200 ms; so many are no leftovers but a host that is short of memory.
    const PAGES: (f64, f64) = (1.0, 100.0);
    let check = |state, found: String| Check::new("swap", WHY, state, found).mend("sudo swapoff -a, where the memory suffices");
    match &facts.swapped_pages {
        Err(reason) => check(State::Unknown, reason.clone()),
        Ok(pages) => check(by_limits(*pages as f64, PAGES.0, PAGES.1), format!("{pages} pages moved just now")),
    }
}

fn battery(facts: &Facts) -> Check {
    const WHY: &str = "on battery the firmware lowers the clock when it likes, also between the two trials of a pair";
    let (state, found) = match &facts.on_battery {
        Err(reason) => (State::Unknown, reason.as_str()),
        Ok(None) => (State::Ok, "none"),
        Ok(Some(false)) => (State::Ok, "on mains"),
        Ok(Some(true)) => (State::BlocksGate, "on battery"),
    };
    Check::new("battery", WHY, state, found).mend("plug it in")
}

fn virtualisation(facts: &Facts) -> Check {
    const WHY: &str =
        "a hypervisor moves virtual CPUs and shares caches: figures are this guest's own, ratios of interleaved trials remain";
    match facts.profile.virt.as_deref() {
        None => Check::new("virtualisation", WHY, State::Unknown, note(&facts.profile, "virt")),
        Some("none") => Check::new("virtualisation", WHY, State::Ok, "none"),
        // A container alone shares the kernel and nothing more: its limits are other checks.
        Some(kind) if kind.starts_with("container ") => Check::new("virtualisation", WHY, State::Ok, kind),
        Some(kind) => {
            Check::new("virtualisation", WHY, State::Warn, kind).mend("nothing from inside: measure on bare metal for figures to quote")
        }
    }
}
