//! Checks of the kernel's settings, the limits of this process and the build.

use super::{Check, Facts, State, by_limits, note};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        build(facts),
        quota(facts),
        loopback(facts),
        ports(facts),
        open_files(facts),
        io_uring(facts),
        perf_events(facts),
        aslr(facts),
        huge_pages(facts),
    ]
}

fn build(facts: &Facts) -> Check {
    const WHY: &str = "a debug build measures the compiler's absence";
    let profile = facts.profile.build.profile.as_str();
    let (state, found) = match profile {
        "release" => (State::Ok, "release"),
        "" => (State::Unknown, "the build does not tell its profile"),
        other => (State::BlocksGate, other),
    };
    Check::new("build", WHY, state, found).mend("cargo build --release --locked -p zokio-bench")
}

/// A quota stops all threads of a group for the rest of a period of 100 ms: a server and its client need a CPU each before that is rare.
fn quota(facts: &Facts) -> Check {
    const WHY: &str = "a group that has used its quota stands still for tens of milliseconds, in the middle of a trial";
    const CPUS_MIN: f64 = 2.0;
    let profile = &facts.profile;
    let check = |state, found: String| {
        Check::new("cpu-quota", WHY, state, found)
            .mend("docker update --cpus=0 CONTAINER, or: sudo systemctl set-property --runtime UNIT CPUQuota=")
    };
    let allowed = profile.cpu.allowed.len() as f64;
    let Some(quota) = profile.limits.cgroup_cpus else {
        if profile.fingerprint.fields.get("cgroup_cpus").cloned().flatten().is_some() {
            return check(State::Ok, "none".into());
        }
        return check(State::Unknown, note(profile, "cgroup"));
    };
    let (throttled, is_throttled) = match &facts.throttled_periods {
        Ok(0) => ("not throttled now".into(), false),
        Ok(periods) => (format!("throttled in {periods} periods just now"), true),
        Err(reason) => (format!("throttling: {reason}"), false),
    };
    let state = if is_throttled || quota < CPUS_MIN.min(allowed) {
        State::BlocksGate
    } else if quota < allowed {
        State::Warn
    } else {
        State::Ok
    };
    check(state, format!("{quota} CPUs of {allowed} allowed, {throttled}"))
}

fn loopback(facts: &Facts) -> Check {
    const WHY: &str = "every network scenario talks to itself over 127.0.0.1";
    let (state, found) = match &facts.loopback {
        Ok(()) => (State::Ok, "reachable".into()),
        Err(reason) => (State::BlocksGate, format!("not reachable: {reason}")),
    };
    Check::new("loopback", WHY, state, found).mend("sudo ip link set lo up")
}

fn ports(facts: &Facts) -> Check {
    const WHY: &str = "a scenario that connects anew for each operation needs a port for each, and a closed one is kept for a minute";
    /// Connections that come by the thousand come from so many addresses.
    const ADDRESSES: u64 = 8;
    const TAKEN: (f64, f64) = (0.25, 0.9);
    const PORTS_MIN: u64 = 10_000;
    let Some((first, last)) = facts.profile.limits.port_range else {
        return Check::new("ports", WHY, State::Unknown, note(&facts.profile, "port_range"));
    };
    let ports = u64::from(last - first) + 1;
    let found = format!("{ports} ephemeral ports");
    let (state, found) = match &facts.time_wait {
        Err(reason) => (State::Unknown, format!("{found}; TIME_WAIT: {reason}")),
        Ok(waiting) => {
            let state = by_limits(*waiting as f64 / (ports * ADDRESSES) as f64, TAKEN.0, TAKEN.1);
            (state, format!("{found} on each of {ADDRESSES} addresses, {waiting} in TIME_WAIT"))
        }
    };
    let state = if ports < PORTS_MIN { state.max(State::Warn) } else { state };
    Check::new("ports", WHY, state, found).mend("sudo sysctl -w net.ipv4.ip_local_port_range='10000 65000'")
}

fn open_files(facts: &Facts) -> Check {
    const WHY: &str = "a thousand users are two thousand sockets in one process; a run raises the soft limit itself, never the hard one";
    const HARD_MIN: u64 = 4_096;
    let limits = &facts.profile.limits;
    let Some((soft, hard)) = limits.nofile_soft.zip(limits.nofile_hard) else {
        return Check::new("open-files", WHY, State::Unknown, note(&facts.profile, "nofile"));
    };
    let state = if hard < HARD_MIN { State::Warn } else { State::Ok };
    let told = |limit: u64| if limit == u64::MAX { "unlimited".into() } else { limit.to_string() };
    Check::new("open-files", WHY, state, format!("{}, at most {}", told(soft), told(hard)))
        .mend("sudo prlimit --nofile=65536:65536 --pid $$")
}

fn io_uring(facts: &Facts) -> Check {
    const WHY: &str = "without a ring zokio polls for readiness, which is another runtime than the one usually measured";
    let ring = &facts.profile.kernel.io_uring;
    if ring.available {
        return Check::new("io_uring", WHY, State::Ok, "allowed");
    }
    let reason = ring.reason.as_deref().unwrap_or("no reason told");
    let mend = if reason.contains("io_uring_disabled") {
        "sudo sysctl -w kernel.io_uring_disabled=0"
    } else if reason.contains("seccomp") {
        "docker run --security-opt seccomp=unconfined … (or a profile that allows io_uring_setup, _enter and _register)"
    } else if reason.contains("ENOMEM") {
        "ulimit -l unlimited"
    } else if reason.contains("EMFILE") {
        "ulimit -n 65536"
    } else {
        "uname -r (io_uring came with Linux 5.1, what zokio needs of it with 5.11)"
    };
    Check::new("io_uring", WHY, State::Warn, format!("not allowed: {reason}")).mend(mend)
}

fn perf_events(facts: &Facts) -> Check {
    const WHY: &str = "system calls per operation are counted by the kernel, where it lets this process ask";
    let paranoid = match &facts.perf_event_paranoid {
        Ok(level) => format!("perf_event_paranoid {level}"),
        Err(reason) => format!("perf_event_paranoid: {reason}"),
    };
    let (state, found) = match &facts.perf_event_open {
        Ok(()) => (State::Ok, format!("system calls can be counted ({paranoid})")),
        Err(reason) => (State::Warn, format!("system calls cannot be counted: {reason} ({paranoid})")),
    };
    let has_no_tracepoint = facts.perf_event_open.as_ref().is_err_and(|reason| reason.contains("tracefs"));
    Check::new("perf-events", WHY, state, found).mend(if has_no_tracepoint {
        "sudo mount -t tracefs -o mode=755 tracefs /sys/kernel/tracing"
    } else {
        "sudo sysctl -w kernel.perf_event_paranoid=-1"
    })
}

fn aslr(facts: &Facts) -> Check {
    const WHY: &str = "every trial is a fresh process: random addresses turn the luck of one layout into noise that trials average out";
    let Some(aslr) = &facts.profile.kernel.aslr else {
        return Check::new("aslr", WHY, State::Unknown, note(&facts.profile, "aslr"));
    };
    let state = if aslr == "full" { State::Ok } else { State::Warn };
    let here = aslr.starts_with("off for this process");
    Check::new("aslr", WHY, state, aslr).mend(if here {
        "start it without `setarch -R`"
    } else {
        "sudo sysctl -w kernel.randomize_va_space=2"
    })
}

fn huge_pages(facts: &Facts) -> Check {
    const WHY: &str = "with `always` the kernel joins pages while a trial runs, or does not, as memory happens to lie";
    let Some(thp) = &facts.profile.memory.thp else {
        return Check::new("huge-pages", WHY, State::Unknown, note(&facts.profile, "thp"));
    };
    let state = if thp == "always" { State::Warn } else { State::Ok };
    Check::new("huge-pages", WHY, state, thp).mend("echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
}
