//! How fast this host is now, in four anchors of fixed work: whether a stored figure may stand beside a new one.
//!
//! ```text
//! anchor      one unit of it                                                  a disturbance adds to    reported
//! cpu         a step of a chain of integer operations, each needs the last    its batch of 16 µs       the least batch
//! memory      a kibibyte copied between two buffers of 4 MiB, past any L2     its segment of 32 KiB    Σ of each segment's least
//! syscall     one `getppid`                                                   its batch of 20 µs       the least batch
//! loopback    64 B there and 64 B back, both ends in one thread               its batch of 80 µs       the least batch
//! ```
//! The work is the same on every host and in every run, so figures may be divided by each other. Noise only adds, and a batch is short
//! beside a spell of it, so the least of many is what the host can do. One thread on one CPU does it all: no placement of a partner and no
//! wake-up is in it. A result is looked at before its time is believed: work that was left out has no figure.
//!
//! Scatter of fifty probes in a row on a virtual machine with two CPUs, as the ratio of the 90 % to the 10 % quantile: with others at work now and
//! then cpu 1.000, system call 1.003, loopback 1.015, memory 1.06; beside compilers on both CPUs cpu 1.001, system call 1.05, loopback
//! 1.12, memory 1.44. The last is no error of the probe: the last-level cache was in other hands, and the host was another one.
//! [`zokio_report::judge::hosts::PROBE_RATIO`] allows ten per cent.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use zokio_report::judge::calibration::{PROBE_CPU_NS, PROBE_LOOPBACK_NS, PROBE_MEMORY_NS, PROBE_SYSCALL_NS};

use super::calibrate::loopback_pair;

/// Rounds of all anchors.
const ROUNDS: u32 = 4;
/// An anchor of a round may take no longer, whatever the host does; it takes a quarter of it on a quiet one.
const LIMIT: Duration = Duration::from_millis(50);
/// An anchor whose limit came before this share of its batches has no figure: the least of a few is not the same quantity.
const BATCHES_SHARE_MIN: u32 = 4;

/// Measures the four anchors, in nanoseconds, by their names in the calibration of a result; about 200 ms, at most 800.
///
/// `None` where an anchor could not be measured: no loopback, no such system call, a host too busy for the fixed work.
pub fn probe() -> BTreeMap<String, Option<f64>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("speed-probe".into());
        let measured = thread.spawn_scoped(scope, || {
            // Cores of one host may differ: always the first. Unpinned is still a measurement, so a refusal changes nothing.
            let first = zokio::topology::current_affinity().ok().and_then(|cpus| cpus.first().copied());
            let _ = first.map(|cpu| zokio::topology::pin_current_thread(&[cpu]));
            anchors()
        });
        measured.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(unmeasured)
    })
}

/// The least of each anchor over the rounds: a spell of noise hits one round of all rather than all of one, and each round has pages of its own.
fn anchors() -> BTreeMap<String, Option<f64>> {
    let mut least = unmeasured();
    for _ in 0..ROUNDS {
        let round = [
            (PROBE_CPU_NS, cpu_ns()),
            (PROBE_MEMORY_NS, memory_ns_per_kib()),
            (PROBE_SYSCALL_NS, syscall_ns()),
            (PROBE_LOOPBACK_NS, loopback_ns().ok().flatten()),
        ];
        for (name, value) in round {
            let value = value.filter(|value| value.is_finite() && *value > 0.0);
            let known = least.entry(name.to_owned()).or_default();
            *known = value.into_iter().chain(*known).reduce(f64::min);
        }
    }
    least
}

fn unmeasured() -> BTreeMap<String, Option<f64>> {
    [PROBE_CPU_NS, PROBE_MEMORY_NS, PROBE_SYSCALL_NS, PROBE_LOOPBACK_NS].map(|name| (name.to_owned(), None)).into()
}

/// The least time of a unit over `batches` batches; `batch` does `units` of them and says whether they were done as they should.
fn least_ns(batches: u32, units: u32, mut batch: impl FnMut() -> io::Result<bool>) -> io::Result<Option<f64>> {
    let begin = Instant::now();
    let (mut least, mut done) = (Duration::MAX, 0);
    while done < batches && begin.elapsed() < LIMIT {
        let start = Instant::now();
        let is_right = batch()?;
        let elapsed = start.elapsed();
        if !is_right {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the work gave another result"));
        }
        least = least.min(elapsed);
        done += 1;
    }
    Ok((done * BATCHES_SHARE_MIN >= batches).then(|| least.as_nanos() as f64 / f64::from(units)))
}

/// One step of a chain: a shift, an exclusive or and a multiplication, each of which needs the one before.
const fn step(word: u64) -> u64 {
    (word ^ (word >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const fn chain(mut word: u64, steps: u32) -> u64 {
    let mut done = 0;
    while done < steps {
        word = step(word);
        done += 1;
    }
    word
}

fn cpu_ns() -> Option<f64> {
    const STEPS: u32 = 8_192;
    const END: u64 = chain(1, STEPS);
    least_ns(700, STEPS, || Ok(black_box(chain(black_box(1), STEPS)) == END)).ok().flatten()
}

/// Two buffers of 4 MiB, copied segment by segment; each segment counts with the least of its passes, so one quiet moment for each is enough.
fn memory_ns_per_kib() -> Option<f64> {
    const SEGMENT_KIB: usize = 32;
    const SEGMENTS: usize = 128;
    const PASSES: u8 = 120;
    let mut source = vec![0_u8; SEGMENTS * (SEGMENT_KIB << 10)];
    let mut target = source.clone();
    let mut least = [Duration::MAX; SEGMENTS];
    let begin = Instant::now();
    let mut passes = 0;
    while passes < PASSES && begin.elapsed() < LIMIT {
        passes += 1;
        for ((source, target), least) in source.chunks_mut(SEGMENT_KIB << 10).zip(target.chunks_mut(SEGMENT_KIB << 10)).zip(&mut least) {
            // Another byte in each pass, so that a copy that was left out is seen in the target.
            source[0] = passes;
            let start = Instant::now();
            black_box(&mut *target).copy_from_slice(black_box(&*source));
            *least = (*least).min(start.elapsed());
            if target[0] != passes {
                return None;
            }
        }
    }
    let sum: Duration = least.iter().sum();
    (u32::from(passes) * BATCHES_SHARE_MIN >= u32::from(PASSES)).then(|| sum.as_nanos() as f64 / (SEGMENTS * SEGMENT_KIB) as f64)
}

/// `getppid`: no C library answers it from memory, and rustix issues the instruction itself on Linux.
#[cfg(unix)]
fn syscall_ns() -> Option<f64> {
    const CALLS: u32 = 128;
    let parent = rustix::process::getppid();
    let same = || black_box(rustix::process::getppid()) == parent;
    least_ns(500, CALLS, || Ok((0..CALLS).fold(true, |all, _| all & same()))).ok().flatten()
}

#[cfg(not(unix))]
fn syscall_ns() -> Option<f64> {
    None
}

fn loopback_ns() -> io::Result<Option<f64>> {
    const TRIPS: u32 = 8;
    let (mut near, mut far) = loopback_pair()?;
    let mut word = 0_u8;
    least_ns(200, TRIPS, || {
        for _ in 0..TRIPS {
            word = word.wrapping_add(1);
            let (question, mut heard, mut answer) = ([word; 64], [0; 64], [0; 64]);
            near.write_all(&question)?;
            far.read_exact(&mut heard)?;
            far.write_all(&heard)?;
            near.read_exact(&mut answer)?;
            if answer != question {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_has_its_name_and_a_plausible_value() {
        let probe = probe();
        let names: Vec<&str> = probe.keys().map(String::as_str).collect();
        assert_eq!(names, [PROBE_CPU_NS, PROBE_LOOPBACK_NS, PROBE_MEMORY_NS, PROBE_SYSCALL_NS]);
        for (name, value) in &probe {
            assert!(value.is_none_or(|value| value > 0.1 && value < 1e7), "{name}: {value:?}");
        }
        // A busy host may cut an anchor, not all of them.
        assert!(probe.values().any(Option::is_some), "{probe:?}");
        if let (Some(syscall), Some(loopback)) = (probe[PROBE_SYSCALL_NS], probe[PROBE_LOOPBACK_NS]) {
            assert!(loopback > syscall, "four calls are more than one: {probe:?}");
        }
    }

    #[test]
    fn the_calling_thread_stays_where_it_may_be() {
        let before = zokio::topology::current_affinity().expect("an affinity");
        probe();
        assert_eq!(zokio::topology::current_affinity().expect("an affinity"), before);
    }

    #[test]
    fn work_that_was_not_done_has_no_figure() {
        assert!(least_ns(8, 1, || Ok(false)).is_err());
        let mut left = 3;
        let wrong_once = least_ns(8, 1, || {
            left -= 1;
            Ok(left > 0)
        });
        assert!(wrong_once.is_err());
        assert!(least_ns(8, 1, || Ok(true)).expect("it was done").is_some());
    }

    #[test]
    fn a_host_too_busy_for_the_work_has_no_figure_and_costs_no_more_than_the_limit() {
        let begin = Instant::now();
        let slow = least_ns(1_000, 1, || {
            std::thread::sleep(Duration::from_millis(5));
            Ok(true)
        });
        assert_eq!(slow.expect("it was done"), None, "thirty batches of a thousand");
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_step_needs_the_step_before() {
        assert_eq!(chain(1, 2), step(step(1)));
        assert_ne!(chain(1, 8_192), chain(2, 8_192));
    }
}
