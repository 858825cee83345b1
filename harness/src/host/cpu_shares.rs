//! Who used the CPUs between two moments: the given processes, anything else, or the hypervisor.
//!
//! ```text
//! /proc/stat, per CPU:  user nice system | idle iowait | irq softirq | steal
//!                       '----- tasks ----'              '-interrupts-'
//! own      CPU time of the given processes, from the kernel's own account of them
//! foreign  tasks (and interrupts, see below) − own
//! ```
//! The kernel either charges interrupts to the process they interrupt (then `own` holds them, and they must be counted on the other side too)
//! or keeps them apart (`CONFIG_IRQ_TIME_ACCOUNTING`). Loopback TCP is up to a third softirq, so the difference decides.
//! `/proc/stat` counts in ticks of 10 ms: over 300 ms on two CPUs a share is good to about 3 %.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the CPU clock of another process is not in the safe bindings"))]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The counters of some CPUs at one moment.
#[derive(Clone, Debug)]
pub struct CpuSample {
    at: Instant,
    cpus: Vec<u32>,
    ticks: Ticks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    tasks: u64,
    interrupts: u64,
    steal: u64,
}

/// Shares of the CPUs' time between two moments, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuShares {
    /// Length of the interval.
    pub elapsed: Duration,
    /// Used by the given processes.
    pub own: f64,
    /// Used by anything else.
    pub foreign: f64,
    /// Taken by the hypervisor for other guests.
    pub steal: f64,
}

impl CpuShares {
    /// The counters of `cpus` now.
    ///
    /// # Errors
    /// Where there is no `/proc/stat`, or it does not tell of one of the CPUs.
    pub fn sample(cpus: &[u32]) -> io::Result<CpuSample> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let ticks = ticks(&stat, cpus).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/stat: a CPU is missing"))?;
        Ok(CpuSample { at: Instant::now(), cpus: cpus.to_vec(), ticks })
    }

    /// Shares from `before` to now; `own_cpu_ns` is the CPU time that the given processes used in between.
    ///
    /// # Errors
    /// As [`CpuShares::sample`], or when no time has passed.
    pub fn since(before: &CpuSample, own_cpu_ns: u64) -> io::Result<Self> {
        let now = Self::sample(&before.cpus)?;
        Self::between(before, &now, own_cpu_ns, interrupts_are_apart())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no time has passed"))
    }

    fn between(before: &CpuSample, now: &CpuSample, own_cpu_ns: u64, interrupts_apart: bool) -> Option<Self> {
        let elapsed = now.at.duration_since(before.at);
        let total = elapsed.as_secs_f64() * before.cpus.len() as f64;
        if total <= 0.0 {
            return None;
        }
        let seconds = |now: u64, before: u64| now.saturating_sub(before) as f64 / ticks_per_s();
        let tasks = seconds(now.ticks.tasks, before.ticks.tasks);
        let interrupts = if interrupts_apart { 0.0 } else { seconds(now.ticks.interrupts, before.ticks.interrupts) };
        let own = own_cpu_ns as f64 / 1e9;
        let share = |seconds: f64| (seconds / total).clamp(0.0, 1.0);
        Some(Self {
            elapsed,
            own: share(own),
            foreign: share(tasks + interrupts - own),
            steal: share(seconds(now.ticks.steal, before.ticks.steal)),
        })
    }
}

/// Sums over `cpus`; `None` when one of them is not in the text.
fn ticks(stat: &str, cpus: &[u32]) -> Option<Ticks> {
    let mut sum = Ticks::default();
    for cpu in cpus {
        let name = format!("cpu{cpu}");
        let mut fields =
            stat.lines().map(str::split_ascii_whitespace).find_map(|mut fields| (fields.next() == Some(&name)).then_some(fields))?;
        let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (user, nice, system, _idle, _iowait) = (next()?, next()?, next()?, next()?, next()?);
        // Guest time, further right, is part of user time.
        let (irq, softirq, steal) = (next()?, next()?, next().unwrap_or(0));
        sum.tasks += user + nice + system;
        sum.interrupts += irq + softirq;
        sum.steal += steal;
    }
    Some(sum)
}

/// Ticks of `/proc/stat` in a second.
fn ticks_per_s() -> f64 {
    #[cfg(unix)]
    return rustix::param::clock_ticks_per_second().max(1) as f64;
    #[cfg(not(unix))]
    return 100.0;
}

/// Whether this kernel keeps the time of interrupts apart from the process they interrupt. Asked once: it may read the symbol list.
fn interrupts_are_apart() -> bool {
    static APART: OnceLock<bool> = OnceLock::new();
    *APART.get_or_init(|| interrupts_are_apart_below(Path::new("/")))
}

/// By the kernel's configuration where it lies beside the kernel, else by its symbols; without either, the default is "not apart".
fn interrupts_are_apart_below(root: &Path) -> bool {
    let release = std::fs::read_to_string(root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
    if let Ok(config) = std::fs::read_to_string(root.join(format!("boot/config-{}", release.trim()))) {
        return config.lines().any(|line| line == "CONFIG_IRQ_TIME_ACCOUNTING=y");
    }
    let Ok(symbols) = File::open(root.join("proc/kallsyms")) else {
        return false;
    };
    const SYMBOL_BYTES_MAX: u64 = 64 << 20;
    let lines = BufReader::with_capacity(1 << 18, symbols.take(SYMBOL_BYTES_MAX)).split(b'\n');
    lines.map_while(Result::ok).any(|line| line.ends_with(b" irqtime_account_irq"))
}

/// CPU time of a living process, all its threads, in nanoseconds, by the kernel's clock of that process; `None` when it is gone.
///
/// A finished process that was not waited for still answers.
#[cfg(target_os = "linux")]
pub fn process_cpu_ns(pid: u32) -> Option<u64> {
    /// Linux numbers processes below this (`PID_MAX_LIMIT`); the clock's id would drop the bits of a higher one.
    const PID_MAX: u32 = 1 << 22;
    if pid == 0 || pid > PID_MAX {
        return None;
    }
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the call writes one clock id to a local of that type.
    if unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) } != 0 {
        return None;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec to a local of that type; a clock that has gone is an error code.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return None;
    }
    u64::try_from(time.tv_sec).ok()?.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

/// CPU time of a living process; this system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn process_cpu_ns(_pid: u32) -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const STAT: &str = "cpu  9 9 9 9 9 9 9 9 9 9\n\
        cpu0 100 1 50 900 5 2 30 7 0 0\n\
        cpu1 200 0 60 800 0 0 40 3 0 0\n\
        cpu10 1 1 1 1 1 1 1 1 0 0\n\
        intr 12345\n";

    fn sample(at: Instant, ticks: Ticks) -> CpuSample {
        CpuSample { at, cpus: vec![0, 1], ticks }
    }

    #[test]
    fn the_counters_of_the_cpus_asked_are_summed() {
        assert_eq!(ticks(STAT, &[0, 1]), Some(Ticks { tasks: 411, interrupts: 72, steal: 10 }));
        assert_eq!(ticks(STAT, &[1]), Some(Ticks { tasks: 260, interrupts: 40, steal: 3 }));
        assert_eq!(ticks(STAT, &[2]), None);
        assert_eq!(ticks("cpu0 1 2 x", &[0]), None);
        // Linux before 2.6.11 had no steal column.
        assert_eq!(ticks("cpu0 1 2 3 4 5 6 7", &[0]), Some(Ticks { tasks: 6, interrupts: 13, steal: 0 }));
    }

    #[test]
    fn what_is_not_own_is_foreign() {
        let at = Instant::now();
        let per_s = ticks_per_s() as u64;
        let before = sample(at, Ticks::default());
        // Two CPUs, one second: 1.0 s of tasks, 0.4 s of interrupts, 0.2 s stolen.
        let now = sample(at + Duration::from_secs(1), Ticks { tasks: per_s, interrupts: per_s * 2 / 5, steal: per_s / 5 });
        let charged = CpuShares::between(&before, &now, 1_000_000_000, false).unwrap();
        assert!(
            (charged.own - 0.5).abs() < 1e-9 && (charged.foreign - 0.2).abs() < 1e-9 && (charged.steal - 0.1).abs() < 1e-9,
            "{charged:?}"
        );
        let apart = CpuShares::between(&before, &now, 400_000_000, true).unwrap();
        assert!((apart.foreign - 0.3).abs() < 1e-9, "{apart:?}");
        let more_than_seen = CpuShares::between(&before, &now, 9_000_000_000, false).unwrap();
        assert_eq!((more_than_seen.own, more_than_seen.foreign), (1.0, 0.0));
        assert_eq!(CpuShares::between(&before, &before, 0, false), None);
    }

    #[test]
    fn the_kernels_configuration_decides_about_interrupts() {
        let tree = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(!interrupts_are_apart_below(tree.path()), "nothing known: the default");
        put("proc/kallsyms", "0000000000000000 T irqtime_account_irq_not\n0000000000000000 T irqtime_account_irq\n");
        assert!(interrupts_are_apart_below(tree.path()));
        put("proc/sys/kernel/osrelease", "6.1.0-9\n");
        put("boot/config-6.1.0-9", "# CONFIG_IRQ_TIME_ACCOUNTING is not set\n");
        assert!(!interrupts_are_apart_below(tree.path()));
        put("boot/config-6.1.0-9", "CONFIG_IRQ_TIME_ACCOUNTING=y\n");
        assert!(interrupts_are_apart_below(tree.path()));
    }

    #[test]
    fn work_done_here_is_seen_as_own() {
        let me = std::process::id();
        let cpus = zokio::topology::current_affinity().unwrap();
        let (before, own_before) = (CpuShares::sample(&cpus).unwrap(), process_cpu_ns(me).unwrap());
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            std::hint::black_box(own_before);
        }
        let own = process_cpu_ns(me).unwrap() - own_before;
        assert!(own > 1_000_000, "{own} ns of CPU time");
        let shares = CpuShares::since(&before, own).unwrap();
        assert!(shares.own > 0.0 && shares.own <= 1.0 && shares.elapsed >= Duration::from_millis(60), "{shares:?}");
        assert!((0.0..=1.0).contains(&shares.foreign) && (0.0..=1.0).contains(&shares.steal), "{shares:?}");
    }

    #[test]
    fn a_process_that_is_not_there_has_no_time() {
        assert_eq!(process_cpu_ns(0), None);
        assert_eq!(process_cpu_ns(u32::MAX), None);
        assert_eq!(process_cpu_ns(i32::MAX as u32), None);
    }

    #[test]
    fn a_finished_process_tells_its_time_until_it_is_waited_for() {
        let mut child = std::process::Command::new("sh").args(["-c", ":"]).spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        let finished = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(process_cpu_ns(child.id()).is_some_and(|ns| ns > 0));
        child.wait().unwrap();
        assert_eq!(process_cpu_ns(child.id()), None);
    }
}
