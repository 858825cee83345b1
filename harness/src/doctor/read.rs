//! Reading the facts: the profile, some files, and 200 ms of watching. Opens and closes a loopback connection and a perf counter of its own;
//! changes nothing.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::{CpuUse, Fact, Facts};
use crate::host::noise::{CpuShares, process_cpu_ns};
use crate::host::{self, cgroup, files::HostFiles};
use crate::measure::calibrate::loopback_pair;
use crate::orchestrate::preflight::time_wait;

/// How long CPU use, throttling and swapping are watched: twenty ticks of the kernel's account.
const WATCH: Duration = Duration::from_millis(200);
/// A CPU at rest has left its resting clock after this much work.
const WORK: Duration = Duration::from_millis(20);
/// Processes told by name.
const BUSIEST: usize = 3;

/// The facts of this host; about 300 ms.
pub fn read() -> Facts {
    let profile = host::profile();
    let files = HostFiles::system();
    let watched = watch(&files, &profile.cpu.allowed);
    let first = profile.cpu.allowed.first().copied().unwrap_or(0);
    Facts {
        clock_sources: text(&files, "/sys/devices/system/clocksource/clocksource0/available_clocksource"),
        boost_by_pstate: files.exists("/sys/devices/system/cpu/intel_pstate/no_turbo"),
        isolated: text(&files, "/sys/devices/system/cpu/isolated"),
        nohz_full: text(&files, "/sys/devices/system/cpu/nohz_full"),
        perf_event_paranoid: number(&files, "/proc/sys/kernel/perf_event_paranoid"),
        perf_event_open: may_count(),
        throttled_periods: watched.throttled,
        load_1min: text(&files, "/proc/loadavg").and_then(|text| first_number(&text, "/proc/loadavg")),
        use_now: watched.used,
        swapped_pages: watched.swapped,
        on_battery: on_battery(&files),
        time_wait: text(&files, "/proc/net/sockstat")
            .and_then(|text| time_wait(&text).ok_or("/proc/net/sockstat: no count of TIME_WAIT".into())),
        loopback: loopback_pair().map(drop).map_err(|error| error.to_string()),
        mhz_now: mhz_at_work(&files, first),
        profile,
    }
}

fn text(files: &HostFiles, path: &str) -> Fact<String> {
    files.look(path).ok_or_else(|| format!("{path}: cannot be read"))
}

fn number(files: &HostFiles, path: &str) -> Fact<i32> {
    text(files, path)?.parse().map_err(|_| format!("{path}: not understood"))
}

fn first_number(text: &str, path: &str) -> Fact<f64> {
    let number = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).filter(|number| number.is_finite());
    number.ok_or_else(|| format!("{path}: not understood"))
}

#[cfg(target_os = "linux")]
fn may_count() -> Fact<()> {
    crate::measure::syscalls::may_count()
}

#[cfg(not(target_os = "linux"))]
fn may_count() -> Fact<()> {
    Err(format!("{} has no such counter", std::env::consts::OS))
}

struct Watched {
    used: Fact<CpuUse>,
    throttled: Fact<u64>,
    swapped: Fact<u64>,
}

fn watch(files: &HostFiles, cpus: &[u32]) -> Watched {
    let own = || process_cpu_ns(std::process::id()).unwrap_or(0);
    let (own_before, shares, tasks) = (own(), CpuShares::sample(cpus), task_ticks(files));
    let (throttled, swapped) = (throttled_periods(files), swapped_pages(files));
    std::thread::sleep(WATCH);
    let used = shares.and_then(|before| CpuShares::since(&before, own().saturating_sub(own_before))).map_err(|error| error.to_string());
    let busiest = busiest(&tasks, &task_ticks(files), WATCH);
    let difference = |before: Fact<u64>, now: Fact<u64>| before.and_then(|before| now.map(|now| now.saturating_sub(before)));
    Watched {
        used: used.map(|shares| CpuUse { foreign: shares.foreign, steal: shares.steal, busiest }),
        throttled: difference(throttled, throttled_periods(files)),
        swapped: difference(swapped, swapped_pages(files)),
    }
}

fn throttled_periods(files: &HostFiles) -> Fact<u64> {
    cgroup::throttled_periods(files).ok_or_else(|| "no control group counts it".into())
}

fn swapped_pages(files: &HostFiles) -> Fact<u64> {
    let text = text(files, "/proc/vmstat")?;
    let count = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok());
    count("pswpin").zip(count("pswpout")).map(|(read, written)| read + written).ok_or("/proc/vmstat: no pswpin and pswpout".into())
}

/// Ticks of CPU time by process, with its name; this process is left out.
fn task_ticks(files: &HostFiles) -> BTreeMap<u32, (String, u64)> {
    let own = std::process::id();
    let pids = files.names("/proc").into_iter().filter_map(|name| name.parse::<u32>().ok()).filter(|pid| *pid != own);
    pids.filter_map(|pid| Some((pid, task(&files.look(&format!("/proc/{pid}/stat"))?)?))).collect()
}

/// Name, and user and system ticks: `PID (NAME) STATE …`, where the name may hold anything, brackets too.
fn task(stat: &str) -> Option<(String, u64)> {
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let name = stat.get(begin + 1..end)?;
    let mut fields = stat.get(end + 1..)?.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some((name.chars().filter(|letter| !letter.is_control()).collect(), ticks))
}

fn busiest(before: &BTreeMap<u32, (String, u64)>, now: &BTreeMap<u32, (String, u64)>, elapsed: Duration) -> Vec<(String, f64)> {
    /// Ticks of `/proc` in a second, on every Linux there is.
    const TICKS_PER_S: f64 = 100.0;
    let grown = now.iter().filter_map(|(pid, (name, ticks))| {
        let used = ticks.saturating_sub(before.get(pid).map_or(*ticks, |(_, ticks)| *ticks));
        (used > 0).then(|| (name.clone(), used as f64 / TICKS_PER_S / elapsed.as_secs_f64()))
    });
    let mut grown: Vec<(String, f64)> = grown.collect();
    grown.sort_by(|left, right| right.1.total_cmp(&left.1));
    grown.truncate(BUSIEST);
    grown
}

/// By the supplies: a battery that feeds the host is discharging. A mouse has one too, which feeds nothing else (`scope` Device).
fn on_battery(files: &HostFiles) -> Fact<Option<bool>> {
    const SUPPLIES: &str = "/sys/class/power_supply";
    if !files.exists(SUPPLIES) {
        return Err(format!("{SUPPLIES}: not found"));
    }
    let read = |name: &str, what: &str| files.look(&format!("{SUPPLIES}/{name}/{what}"));
    let batteries = files.names(SUPPLIES).into_iter();
    let batteries =
        batteries.filter(|name| read(name, "type").as_deref() == Some("Battery") && read(name, "scope").as_deref() != Some("Device"));
    let states: Vec<Option<String>> = batteries.map(|name| read(&name, "status")).collect();
    if states.is_empty() {
        return Ok(None);
    }
    if states.iter().all(Option::is_none) {
        return Err(format!("{SUPPLIES}: a battery that does not tell its status"));
    }
    Ok(Some(states.iter().flatten().any(|status| status == "Discharging")))
}

/// The clock of a CPU after it has worked a little.
fn mhz_at_work(files: &HostFiles, cpu: u32) -> Fact<u32> {
    std::thread::scope(|scope| {
        let read = || {
            // Where it may not be pinned, the figure is that of some CPU, which is as good on most hosts.
            let _ = zokio::topology::pin_current_thread(&[cpu]);
            let begin = Instant::now();
            let mut word = 1_u64;
            while begin.elapsed() < WORK {
                word = black_box(word.wrapping_mul(3));
            }
            mhz(files, cpu)
        };
        scope.spawn(read).join().unwrap_or_else(|_| Err("the thread that worked has failed".into()))
    })
}

fn mhz(files: &HostFiles, cpu: u32) -> Fact<u32> {
    if let Some(khz) = files.look(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq")) {
        return khz.parse::<u32>().map(|khz| khz / 1_000).map_err(|_| "scaling_cur_freq: not understood".into());
    }
    let cpuinfo = text(files, "/proc/cpuinfo")?;
    let line = cpuinfo.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == "cpu MHz");
    let mhz = line.and_then(|(_, mhz)| mhz.trim().parse::<f64>().ok()).filter(|mhz| mhz.is_finite() && *mhz > 0.0);
    mhz.map(|mhz| mhz.round() as u32).ok_or("neither cpufreq nor /proc/cpuinfo tells it".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::TestTree;

    #[test]
    fn a_battery_feeds_the_host_or_not_or_is_that_of_a_mouse() {
        let supply = |name: &str, kind: &str, status: &str| {
            [
                (format!("sys/class/power_supply/{name}/type"), kind.to_owned()),
                (format!("sys/class/power_supply/{name}/status"), status.to_owned()),
            ]
        };
        let read = |files: &[(String, String)]| {
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            on_battery(&TestTree::new(&files).files())
        };
        assert_eq!(read(&supply("BAT0", "Battery", "Discharging")), Ok(Some(true)));
        assert_eq!(read(&supply("BAT0", "Battery", "Charging")), Ok(Some(false)));
        assert_eq!(read(&supply("AC", "Mains", "")), Ok(None));
        let mut mouse = supply("hid", "Battery", "Discharging").to_vec();
        mouse.push(("sys/class/power_supply/hid/scope".into(), "Device".into()));
        assert_eq!(read(&mouse), Ok(None));
        assert!(read(&supply("BAT0", "Battery", "Discharging")[..1]).is_err_and(|reason| reason.contains("status")));
        assert!(read(&[]).is_err_and(|reason| reason.contains("not found")));
    }

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 100";
        assert_eq!(task(stat), Some(("a) b (c".into(), 12)));
        for damage in ["", "12", "12 (a", "12 )a(", "12 (a) S 1"] {
            assert_eq!(task(damage), None, "{damage}");
        }
    }

    #[test]
    fn the_busiest_come_first_and_who_just_came_counts_for_nothing() {
        let tasks = |ticks: &[(u32, u64)]| ticks.iter().map(|(pid, ticks)| (*pid, (format!("p{pid}"), *ticks))).collect();
        let (before, now) = (tasks(&[(1, 5), (2, 5), (3, 9)]), tasks(&[(1, 15), (2, 25), (3, 9), (4, 99)]));
        let found = busiest(&before, &now, Duration::from_millis(200));
        assert_eq!(found, [("p2".to_owned(), 1.0), ("p1".to_owned(), 0.5)]);
    }

    #[test]
    fn swapping_and_frequency_are_read_or_have_a_reason() {
        let tree = TestTree::new(&[("proc/vmstat", "pswpin 3\npswpin_x 9\npswpout 4"), ("proc/cpuinfo", "cpu MHz\t\t: 2596.138")]);
        assert_eq!(swapped_pages(&tree.files()), Ok(7));
        assert_eq!(mhz(&tree.files(), 0), Ok(2_596));
        let empty = TestTree::new(&[]);
        assert!(swapped_pages(&empty.files()).is_err() && mhz(&empty.files(), 0).is_err());
        let cpufreq = TestTree::new(&[("sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq", "800000")]);
        assert_eq!(mhz(&cpufreq.files(), 3), Ok(800));
    }

    #[test]
    fn this_host_is_read_within_a_second_or_two() {
        let begin = Instant::now();
        let facts = read();
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        assert_eq!(facts.loopback, Ok(()), "the tests need it themselves");
        assert!(facts.load_1min.is_ok() || !cfg!(target_os = "linux"), "{:?}", facts.load_1min);
        assert!(facts.use_now.is_ok() || !cfg!(target_os = "linux"), "{:?}", facts.use_now);
    }
}
