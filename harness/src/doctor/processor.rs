//! Checks of the processor and the clock.

use zokio::topology::{format_cpu_list, parse_cpu_list};

use super::{Check, Facts, State, by_limits, note};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![governor(facts), boost(facts), frequency(facts), smt(facts), isolation(facts), clock(facts)]
}

fn governor(facts: &Facts) -> Check {
    const WHY: &str = "a governor that follows the load changes the clock while trials begin and end";
    let profile = &facts.profile;
    let Some(governor) = &profile.cpu.governor else {
        return Check::new("governor", WHY, State::Unknown, note(profile, "governor"));
    };
    let state = if governor == "performance" { State::Ok } else { State::Warn };
    Check::new("governor", WHY, state, governor).mend("echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
}

fn boost(facts: &Facts) -> Check {
    const WHY: &str = "with boost the clock depends on heat and on what the other cores do";
    let profile = &facts.profile;
    let Some(boost) = profile.cpu.boost else {
        return Check::new("boost", WHY, State::Unknown, note(profile, "boost"));
    };
    let (state, found) = if boost { (State::Warn, "on") } else { (State::Ok, "off") };
    Check::new("boost", WHY, state, found).mend(if facts.boost_by_pstate {
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
    } else {
        "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    })
}

/// A working CPU far below its nominal frequency is held back by heat or power.
fn frequency(facts: &Facts) -> Check {
    const WHY: &str = "a CPU that works below its nominal clock is held back by heat or power, and by another amount a minute later";
    const SHARE_MIN: f64 = 0.9;
    let check = |state, found: String| Check::new("frequency", WHY, state, found);
    let now = match &facts.mhz_now {
        Err(reason) => return check(State::Unknown, reason.clone()),
        Ok(now) => *now,
    };
    // Without cpufreq the profile's figure is the present one too.
    let has_nominal = !facts.profile.notes.iter().any(|note| note.starts_with("mhz: "));
    let Some(nominal) = facts.profile.cpu.mhz.filter(|nominal| has_nominal && *nominal > 0) else {
        return check(State::Unknown, format!("{now} MHz while working; the nominal frequency is not told"));
    };
    let is_held_back = f64::from(now) < SHARE_MIN * f64::from(nominal);
    let state = if is_held_back { State::Warn } else { State::Ok };
    check(state, format!("{now} MHz while working, nominal {nominal} MHz"))
        .mend("sudo cpupower frequency-set -d MAX -u MAX, after it has cooled")
}

fn smt(facts: &Facts) -> Check {
    const WHY: &str = "two threads of a core share it: a neighbour halves the speed of a worker";
    match facts.profile.cpu.smt {
        None => Check::new("smt", WHY, State::Unknown, note(&facts.profile, "topology")),
        Some(false) => Check::new("smt", WHY, State::Ok, "every CPU is a core of its own"),
        Some(true) => {
            let found = "threads share cores; workers are put on different cores first";
            Check::new("smt", WHY, State::Warn, found).mend("echo off | sudo tee /sys/devices/system/cpu/smt/control")
        }
    }
}

fn isolation(facts: &Facts) -> Check {
    const WHY: &str = "on isolated CPUs nothing else is scheduled, and without a tick nothing interrupts";
    let check = |state, found: String| Check::new("isolation", WHY, state, found);
    let isolated = match &facts.isolated {
        Err(reason) => return check(State::Unknown, reason.clone()),
        Ok(list) => parse_cpu_list(list).unwrap_or_default(),
    };
    let tick = match &facts.nohz_full {
        Ok(list) if parse_cpu_list(list).is_some_and(|cpus| !cpus.is_empty()) => format!("without a tick: {list}"),
        Ok(_) => "none without a tick".into(),
        Err(reason) => format!("nohz_full: {reason}"),
    };
    let allowed = &facts.profile.cpu.allowed;
    if isolated.is_empty() {
        return check(State::Ok, format!("no isolated CPUs, {tick}: other tasks may run beside the trials"));
    }
    let unused: Vec<u32> = isolated.iter().copied().filter(|cpu| !allowed.contains(cpu)).collect();
    let list = format_cpu_list(&isolated);
    if unused.is_empty() {
        return check(State::Ok, format!("isolated: {list}, {tick}"));
    }
    check(State::Warn, format!("isolated CPUs that this process may not use: {}; {tick}", format_cpu_list(&unused)))
        .mend(format!("taskset -c {list} zokio-bench …"))
}

fn clock(facts: &Facts) -> Check {
    const WHY: &str = "every operation of a latency suite reads the clock: a slow or coarse one is part of what is measured";
    /// A reading of the processor's counter takes 10 to 30 ns; a trip into the kernel takes hundreds, a device a microsecond.
    const COST_NS: (f64, f64) = (100.0, 1_000.0);
    /// Finer than what is timed; guards call a batch of fewer than a thousand steps doubtful.
    const RESOLUTION_NS: (f64, f64) = (200.0, 1_000.0);
    let clock = &facts.profile.clock;
    let source = clock.source.clone().unwrap_or_else(|| format!("source: {}", note(&facts.profile, "clocksource")));
    let (Some(cost), Some(resolution)) = (clock.cost_ns, clock.resolution_ns) else {
        return Check::new("clock", WHY, State::Unknown, format!("{source}; its cost was not measured"));
    };
    let state = by_limits(cost, COST_NS.0, COST_NS.1).max(by_limits(resolution, RESOLUTION_NS.0, RESOLUTION_NS.1));
    let has_tsc = facts.clock_sources.as_ref().is_ok_and(|sources| sources.split_whitespace().any(|name| name == "tsc"));
    let state = if clock.source.is_none() { state.max(State::Unknown) } else { state };
    Check::new("clock", WHY, state, format!("{source}, {cost:.0} ns a reading, steps of {resolution:.0} ns")).mend(if has_tsc {
        "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
    } else {
        "boot with tsc=reliable, where the processor's counter is invariant: grep -c nonstop_tsc /proc/cpuinfo"
    })
}
