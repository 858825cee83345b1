//! Bounds measured on this host before a run: what a clock reading, a system call, a copied kibibyte, a loopback transfer cost at least.
//!
//! They are lower bounds of cost, so each is the least of several runs: noise only adds. A claim below them is not a measurement.
//! A bound that cannot be measured is `None`, never 0. The whole takes some 150 ms, and at most 400: each bound has a limit of its own, and
//! none begins whose limit does not fit into what is left.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::ring_nop;
use crate::host::noise;

/// The whole takes no longer than this, whatever the host does.
const LIMIT: Duration = Duration::from_millis(400);
/// No bound may take longer than this.
const LIMIT_PER_BOUND: Duration = Duration::from_millis(35);
/// Readings of the round trip between two CPUs; each has a limit of its own.
const CORE_READINGS: u32 = 3;

/// The bounds of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Nanoseconds by fixed name; `None` where a bound could not be measured.
    pub bounds: BTreeMap<String, Option<f64>>,
    /// What the limit of time has cut, for the record; `None`: nothing.
    pub cut: Option<String>,
}

/// The time that is left, and what did not fit into it.
struct Budget {
    deadline: Instant,
    cut: Vec<&'static str>,
}

impl Budget {
    /// Measures, if as much time is left as it may take.
    fn within<T>(&mut self, name: &'static str, limit: Duration, measure: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.deadline.saturating_duration_since(Instant::now()) < limit {
            self.cut.push(name);
            return None;
        }
        measure()
    }
}

/// Measures all bounds, in nanoseconds, by their fixed names.
///
/// | name | what |
/// | --- | --- |
/// | `timer_resolution_ns` | smallest step of the clock |
/// | `timer_cost_ns` | one reading of the clock |
/// | `syscall_ns` | one `getppid` |
/// | `loopback_write_read_ns` | 64 B written and read on a loopback TCP pair by one thread: one direction |
/// | `memcpy_ns_per_kib` | copying 1 KiB inside the first-level cache |
/// | `empty_loop_ns` | one turn of a loop that keeps a counter alive |
/// | `fetch_add_ns` | one uncontended atomic addition |
/// | `relaxed_load_ns` | one relaxed load, of eight that do not wait for each other |
/// | `core_round_trip_ns` | a cache line to the second CPU of this thread's affinity and back |
/// | `hand_over_ns` | a word to another thread and back: the same reading, by the name floors use |
/// | `ring_nop_ns` | one io_uring NOP of a batch of 32, submitted and reaped |
pub fn calibrate() -> Calibration {
    calibrate_within(LIMIT)
}

fn calibrate_within(limit: Duration) -> Calibration {
    type Measure = fn() -> Option<f64>;
    let mut budget = Budget { deadline: Instant::now() + limit, cut: Vec::new() };
    Clock::start();
    let all: [(&'static str, Measure); 9] = [
        ("timer_resolution_ns", || Clock::resolution_ns(LIMIT_PER_BOUND)),
        ("timer_cost_ns", Clock::cost_ns),
        ("empty_loop_ns", empty_loop_ns),
        ("syscall_ns", syscall_ns),
        ("memcpy_ns_per_kib", memcpy_ns_per_kib),
        ("fetch_add_ns", fetch_add_ns),
        ("relaxed_load_ns", relaxed_load_ns),
        ("loopback_write_read_ns", || loopback_write_read_ns().ok().flatten()),
        ("ring_nop_ns", || ring_nop::ring_nop_ns(LIMIT_PER_BOUND)),
    ];
    let mut bounds: Vec<_> = all.map(|(name, measure)| (name, budget.within(name, LIMIT_PER_BOUND, measure))).into();
    let core_round_trip_ns = core_round_trip_ns(&mut budget);
    bounds.extend([("core_round_trip_ns", core_round_trip_ns), ("hand_over_ns", core_round_trip_ns)]);
    let sane = |bound: Option<f64>| bound.filter(|bound| bound.is_finite() && *bound > 0.0);
    budget.cut.dedup();
    Calibration {
        bounds: bounds.into_iter().map(|(name, bound)| (name.to_owned(), sane(bound))).collect(),
        cut: (!budget.cut.is_empty())
            .then(|| format!("calibration: cut at {} ms, before all of {}", limit.as_millis(), budget.cut.join(", "))),
    }
}

/// The least mean time of `operation`, in nanoseconds, over `runs` runs of `operations` each; stops early at the limit.
fn least_ns(runs: u32, operations: u32, mut operation: impl FnMut() -> io::Result<()>) -> io::Result<Option<f64>> {
    let deadline = Instant::now() + LIMIT_PER_BOUND;
    let mut least: Option<Duration> = None;
    for _ in 0..runs {
        let start = Instant::now();
        for _ in 0..operations {
            operation()?;
        }
        let end = Instant::now();
        let elapsed = end - start;
        least = Some(least.map_or(elapsed, |least| least.min(elapsed)));
        if end > deadline {
            break;
        }
    }
    Ok(least.map(|least| least.as_nanos() as f64 / f64::from(operations)))
}

/// [`least_ns`] of what cannot fail.
fn least_ns_of(runs: u32, operations: u32, mut operation: impl FnMut()) -> Option<f64> {
    least_ns(runs, operations, || {
        operation();
        Ok(())
    })
    .ok()
    .flatten()
}

/// One `getppid`, which no C library answers from memory: rustix issues the instruction itself on Linux.
#[cfg(unix)]
fn syscall_ns() -> Option<f64> {
    least_ns_of(64, 512, || {
        black_box(rustix::process::getppid());
    })
}

#[cfg(not(unix))]
fn syscall_ns() -> Option<f64> {
    None
}

fn loopback_write_read_ns() -> io::Result<Option<f64>> {
    let (mut near, mut far) = loopback_pair()?;
    let (message, mut answer) = ([7_u8; 64], [0_u8; 64]);
    let least = least_ns(48, 64, || {
        near.write_all(black_box(&message))?;
        far.read_exact(black_box(&mut answer))
    })?;
    if answer != message {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "loopback returned other bytes"));
    }
    Ok(least)
}

/// A connected pair that leaves no TIME_WAIT behind and gives up reading instead of hanging.
pub(crate) fn loopback_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = connect(listener.local_addr()?)?;
    let (far, peer) = listener.accept()?;
    if peer != near.local_addr()? {
        return Err(io::Error::other("a stranger connected"));
    }
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT_PER_BOUND))?;
        stream.set_write_timeout(Some(LIMIT_PER_BOUND))?;
        // Closing resets: no port waits for a minute.
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok((near, far))
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, LIMIT_PER_BOUND)
}

/// 16 KiB from and to the first-level cache: no bulk copy on this host is cheaper.
fn memcpy_ns_per_kib() -> Option<f64> {
    const KIB: usize = 16;
    let source = vec![3_u8; KIB << 10];
    let mut target = vec![0_u8; KIB << 10];
    let least = least_ns_of(64, 64, || black_box(&mut target).copy_from_slice(black_box(&source)));
    least.map(|ns| ns / KIB as f64)
}

fn empty_loop_ns() -> Option<f64> {
    let mut counter = 0_u64;
    least_ns_of(64, 8_192, || counter = black_box(counter.wrapping_add(1)))
}

fn fetch_add_ns() -> Option<f64> {
    let shared = AtomicU64::new(0);
    // Relaxed: the cost of the locked addition itself; nothing is published by it.
    least_ns_of(64, 4_096, || {
        black_box(&shared).fetch_add(1, Ordering::Relaxed);
    })
}

/// Loads that a processor may do side by side: no sequence of loads is cheaper per load.
fn relaxed_load_ns() -> Option<f64> {
    const LOADS: u32 = 8;
    let word = AtomicU64::new(1);
    let mut sum = 0_u64;
    let least = least_ns_of(64, 2_048, || {
        let word = black_box(&word);
        // Relaxed: the cost of the load itself; nothing is published by it.
        sum = (0..LOADS).fold(sum, |sum, _| sum.wrapping_add(word.load(Ordering::Relaxed)));
    });
    black_box(sum);
    least.map(|ns| ns / f64::from(LOADS))
}

/// The least of some readings, of as many as fit.
fn core_round_trip_ns(budget: &mut Budget) -> Option<f64> {
    let cpus = zokio::topology::current_affinity().ok()?;
    let (&first, &second) = (cpus.first()?, cpus.get(1)?);
    let read = |_| budget.within("core_round_trip_ns", noise::CORE_STATE_LIMIT, || noise::core_state(first, second));
    (0..CORE_READINGS).filter_map(read).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_has_its_name_and_a_plausible_value() {
        // How long it takes is bounded by construction; on a busy host the limit would cut it.
        let Calibration { bounds, cut } = calibrate_within(Duration::from_secs(30));
        assert_eq!(cut, None);
        let names: Vec<&str> = bounds.keys().map(String::as_str).collect();
        let expected = [
            "core_round_trip_ns",
            "empty_loop_ns",
            "fetch_add_ns",
            "hand_over_ns",
            "loopback_write_read_ns",
            "memcpy_ns_per_kib",
            "relaxed_load_ns",
            "ring_nop_ns",
            "syscall_ns",
            "timer_cost_ns",
            "timer_resolution_ns",
        ];
        assert_eq!(names, expected);
        for (name, bound) in &bounds {
            assert!(bound.is_none_or(|bound| bound > 0.0 && bound < 1e7), "{name}: {bound:?}");
        }
        for name in ["empty_loop_ns", "fetch_add_ns", "relaxed_load_ns", "memcpy_ns_per_kib", "timer_cost_ns", "loopback_write_read_ns"] {
            assert!(bounds[name].is_some(), "{name}: {bounds:?}");
        }
        assert!(bounds["loopback_write_read_ns"] > bounds["empty_loop_ns"], "{bounds:?}");
        // Unoptimised, the loop around an operation is most of its cost.
        if !cfg!(debug_assertions) {
            assert!(bounds["relaxed_load_ns"] < bounds["fetch_add_ns"], "a load is no locked addition: {bounds:?}");
        }
        assert_eq!(bounds["hand_over_ns"], bounds["core_round_trip_ns"]);
        if io_uring_works() {
            assert!(bounds["ring_nop_ns"].is_some(), "{bounds:?}");
        }
    }

    #[test]
    fn what_does_not_fit_into_the_time_is_not_begun_and_is_told() {
        let Calibration { bounds, cut } = calibrate_within(LIMIT_PER_BOUND / 2);
        assert_eq!(bounds.len(), 11);
        assert!(bounds.values().all(Option::is_none), "{bounds:?}");
        let cut = cut.expect("everything was cut");
        assert!(cut.starts_with("calibration: cut at 17 ms, before all of timer_resolution_ns, timer_cost_ns, "), "{cut}");
        assert_eq!(cut.matches("core_round_trip_ns").count(), usize::from(zokio::topology::current_affinity().unwrap().len() > 1), "{cut}");
    }

    #[cfg(target_os = "linux")]
    fn io_uring_works() -> bool {
        io_uring::IoUring::new(4).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn io_uring_works() -> bool {
        false
    }

    #[test]
    fn the_least_is_a_mean_of_a_run_and_errors_pass_through() {
        let least = least_ns(3, 2, || {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        assert!(least.unwrap().unwrap() >= 1e6);
        assert_eq!(least_ns(0, 1, || Ok(())).unwrap(), None);
        assert_eq!(least_ns(1, 1, || Err(io::ErrorKind::TimedOut.into())).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_slow_operation_stops_at_the_limit() {
        let start = Instant::now();
        let least = least_ns_of(1_000, 1, || std::thread::sleep(Duration::from_millis(20)));
        assert!(least.is_some());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
