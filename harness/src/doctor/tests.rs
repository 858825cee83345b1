//! The checks on hosts that nobody has, each one thing away from a quiet server.

use zokio_report::schema::host::IoUringProfile;

use super::*;

/// A server on which everything is as it should be.
fn server() -> Facts {
    let mut profile = HostProfile::default();
    profile.cpu.allowed = (0..8).collect();
    profile.cpu.governor = Some("performance".into());
    (profile.cpu.boost, profile.cpu.smt, profile.cpu.mhz) = (Some(false), Some(false), Some(3_000));
    profile.clock.source = Some("tsc".into());
    (profile.clock.cost_ns, profile.clock.resolution_ns) = (Some(20.0), Some(20.0));
    profile.memory.available_bytes = Some(16 << 30);
    profile.memory.thp = Some("madvise".into());
    profile.kernel.aslr = Some("full".into());
    profile.kernel.io_uring = IoUringProfile { available: true, ..IoUringProfile::default() };
    profile.virt = Some("none".into());
    (profile.limits.nofile_soft, profile.limits.nofile_hard) = (Some(1_024), Some(1 << 20));
    profile.limits.port_range = Some((32_768, 60_999));
    profile.build.profile = "release".into();
    profile.fingerprint.fields.insert("cgroup_cpus".into(), Some("absent".into()));
    Facts {
        profile,
        clock_sources: Ok("tsc hpet".into()),
        boost_by_pstate: true,
        isolated: Ok(String::new()),
        nohz_full: Ok(String::new()),
        perf_event_paranoid: Ok(-1),
        perf_event_open: Ok(()),
        throttled_periods: Ok(0),
        load_1min: Ok(0.1),
        use_now: Ok(CpuUse::default()),
        swapped_pages: Ok(0),
        on_battery: Ok(None),
        time_wait: Ok(0),
        loopback: Ok(()),
        mhz_now: Ok(3_000),
    }
}

/// What is not `ok` once one thing is changed: (check, state).
fn found(change: impl Fn(&mut Facts)) -> Vec<(&'static str, State)> {
    let mut facts = server();
    change(&mut facts);
    check(&facts).into_iter().filter(|check| check.state != State::Ok).map(|check| (check.id, check.state)).collect()
}

#[test]
fn a_quiet_server_is_ok_in_everything() {
    assert_eq!(found(|_| ()), []);
    assert_eq!(check(&server()).len(), 22);
    assert!(check(&server()).iter().all(|check| check.mend.is_none()), "nothing is to mend");
}

/// A change of the server.
type Change = fn(&mut Facts);

#[test]
fn what_makes_a_gate_say_something_about_the_host_blocks_it() {
    let cases: [(&str, Change); 8] = [
        ("build", |facts| facts.profile.build.profile = "debug".into()),
        ("cpu-quota", |facts| facts.profile.limits.cgroup_cpus = Some(0.5)),
        ("loopback", |facts| facts.loopback = Err("network unreachable".into())),
        ("ports", |facts| facts.time_wait = Ok(28_232 * 8)),
        ("clock", |facts| facts.profile.clock.cost_ns = Some(1_200.0)),
        ("memory", |facts| facts.profile.memory.available_bytes = Some(100 << 20)),
        ("swap", |facts| facts.swapped_pages = Ok(5_000)),
        ("battery", |facts| facts.on_battery = Ok(Some(true))),
    ];
    for (id, change) in cases {
        assert_eq!(found(change), [(id, State::BlocksGate)]);
        let mut facts = server();
        change(&mut facts);
        let [blocking] = &blocking(&facts)[..] else { panic!("{id} alone blocks") };
        assert!(blocking.mend.is_some() && !blocking.why.is_empty() && !blocking.found.is_empty(), "{blocking:?}");
    }
}

#[test]
fn what_costs_precision_warns() {
    let cases: [(&str, Change); 20] = [
        ("governor", |facts| facts.profile.cpu.governor = Some("powersave".into())),
        ("boost", |facts| facts.profile.cpu.boost = Some(true)),
        ("frequency", |facts| facts.mhz_now = Ok(1_200)),
        ("smt", |facts| facts.profile.cpu.smt = Some(true)),
        ("isolation", |facts| facts.isolated = Ok("8-9".into())),
        ("clock", |facts| facts.profile.clock.cost_ns = Some(300.0)),
        ("cpu-quota", |facts| facts.profile.limits.cgroup_cpus = Some(4.0)),
        ("ports", |facts| facts.profile.limits.port_range = Some((60_000, 61_000))),
        ("open-files", |facts| facts.profile.limits.nofile_hard = Some(1_024)),
        ("io_uring", |facts| facts.profile.kernel.io_uring.available = false),
        ("perf-events", |facts| facts.perf_event_open = Err("perf_event_open: permission denied".into())),
        ("aslr", |facts| facts.profile.kernel.aslr = Some("off".into())),
        ("huge-pages", |facts| facts.profile.memory.thp = Some("always".into())),
        ("other-tasks", |facts| facts.use_now = Ok(CpuUse { foreign: 0.1, ..CpuUse::default() })),
        ("other-tasks", |facts| facts.use_now = Ok(CpuUse { foreign: 0.9, ..CpuUse::default() })),
        ("steal", |facts| facts.use_now = Ok(CpuUse { steal: 0.2, ..CpuUse::default() })),
        ("load-average", |facts| facts.load_1min = Ok(6.0)),
        ("memory", |facts| facts.profile.limits.cgroup_memory_bytes = Some(512 << 20)),
        ("swap", |facts| facts.swapped_pages = Ok(1)),
        ("virtualisation", |facts| facts.profile.virt = Some("kvm, container docker".into())),
    ];
    for (id, change) in cases {
        assert_eq!(found(change), [(id, State::Warn)]);
    }
}

#[test]
fn what_could_not_be_read_is_unknown_with_its_reason_and_never_ok() {
    let silent = || -> String { "/there: not to be read".into() };
    let facts = Facts {
        profile: HostProfile { notes: vec!["governor: /sys/it: permission denied".into()], ..HostProfile::default() },
        clock_sources: Err(silent()),
        boost_by_pstate: false,
        isolated: Err(silent()),
        nohz_full: Err(silent()),
        perf_event_paranoid: Err(silent()),
        perf_event_open: Ok(()),
        throttled_periods: Err(silent()),
        load_1min: Err(silent()),
        use_now: Err(silent()),
        swapped_pages: Err(silent()),
        on_battery: Err(silent()),
        time_wait: Err(silent()),
        loopback: Ok(()),
        mhz_now: Err(silent()),
    };
    for check in check(&facts) {
        // What was tried out is known without a file.
        let tried = ["loopback", "perf-events", "io_uring"].contains(&check.id);
        assert!(tried || check.state == State::Unknown, "{check:?}");
        assert!(!check.found.is_empty() && (check.state != State::Unknown || check.mend.is_none()), "{check:?}");
    }
    let governor = check(&facts).into_iter().find(|check| check.id == "governor").expect("a check");
    assert_eq!(governor.found, "/sys/it: permission denied");
    assert_eq!(blocking(&facts), [], "not knowing does not block");
}

#[test]
fn a_laptop_on_battery_gets_the_commands_that_mend_it() {
    let mut laptop = server();
    laptop.on_battery = Ok(Some(true));
    laptop.profile.cpu.governor = Some("powersave".into());
    (laptop.profile.cpu.boost, laptop.profile.cpu.smt) = (Some(true), Some(true));
    laptop.mhz_now = Ok(900);
    let mends: Vec<(&str, String)> = check(&laptop).into_iter().filter_map(|check| Some((check.id, check.mend?))).collect();
    let ids: Vec<&str> = mends.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, ["governor", "boost", "frequency", "smt", "battery"]);
    assert!(mends[0].1.contains("scaling_governor") && mends[1].1.contains("no_turbo") && mends[3].1.contains("smt/control"));
    laptop.boost_by_pstate = false;
    assert!(check(&laptop)[1].mend.as_deref().is_some_and(|command| command.contains("cpufreq/boost")));
}

#[test]
fn a_quota_is_judged_by_what_a_server_and_its_client_need_and_by_what_happens() {
    let state = |quota: f64, allowed: u32, throttled: Fact<u64>| {
        let mut facts = server();
        facts.profile.limits.cgroup_cpus = Some(quota);
        facts.profile.cpu.allowed = (0..allowed).collect();
        facts.throttled_periods = throttled;
        check(&facts).into_iter().find(|check| check.id == "cpu-quota").expect("a check").state
    };
    let unknown = || Err("no control group counts it".into());
    let cases = [
        (0.5, 8, Ok(0), State::BlocksGate),
        (1.9, 8, Ok(0), State::BlocksGate),
        (2.0, 8, Ok(0), State::Warn),
        (2.0, 2, Ok(0), State::Ok),
        (1.0, 1, Ok(0), State::Ok),
        (8.0, 8, Ok(3), State::BlocksGate),
        (8.0, 8, unknown(), State::Ok),
    ];
    for (quota, allowed, throttled, expected) in cases {
        assert_eq!(state(quota, allowed, throttled.clone()), expected, "{quota} of {allowed}, {throttled:?}");
    }
}

#[test]
fn io_uring_gets_the_remedy_that_fits_the_reason() {
    let mend = |reason: &str| {
        let mut facts = server();
        facts.profile.kernel.io_uring = IoUringProfile { reason: Some(reason.into()), ..IoUringProfile::default() };
        check(&facts).into_iter().find(|check| check.id == "io_uring").and_then(|check| check.mend).expect("a remedy")
    };
    assert!(mend("EPERM: switched off for everyone (sysctl kernel.io_uring_disabled = 2)").contains("io_uring_disabled=0"));
    assert!(mend("EPERM: denied by a seccomp filter (as container engines set by default)").contains("--security-opt"));
    assert!(mend("ENOMEM: not enough locked memory (ulimit -l)").contains("ulimit -l"));
    assert!(mend("ENOSYS: not in this kernel (it came with Linux 5.1)").contains("uname -r"));
}

#[test]
fn a_frequency_without_a_nominal_one_is_no_finding() {
    let mut guest = server();
    guest.profile.notes = vec!["mhz: no cpufreq in /sys: the figure is /proc/cpuinfo's, at the moment of reading".into()];
    guest.mhz_now = Ok(100);
    let frequency = check(&guest).into_iter().find(|check| check.id == "frequency").expect("a check");
    assert_eq!(frequency.state, State::Unknown);
    assert!(frequency.found.contains("100 MHz") && frequency.found.contains("not told"), "{frequency:?}");
}

#[test]
fn who_keeps_the_cpus_busy_is_named() {
    let busiest = vec![("rustc".to_owned(), 0.95), ("ld".to_owned(), 0.3)];
    let mut facts = server();
    facts.use_now = Ok(CpuUse { foreign: 0.2, steal: 0.0, busiest });
    let others = check(&facts).into_iter().find(|check| check.id == "other-tasks").expect("a check");
    assert!(others.found.contains("rustc 95 % of a CPU, ld 30 % of a CPU"), "{others:?}");
}
