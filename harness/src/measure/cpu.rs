//! CPU time of this process, the identity of its threads, and pinning.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the CPU clocks of single threads have no safe wrapper"))]

/// CPU time this process has used, user and system, in nanoseconds; `None` where the system does not tell.
///
/// The kernel brings the time of a thread that is running up to date at every tick (1–4 ms) and when its own clock is read, so all of those
/// are read first: without it a batch of 5 ms could show 4 ms or 8.
#[cfg(unix)]
pub fn process_cpu_ns() -> Option<u64> {
    use std::time::Duration;
    bring_up_to_date();
    // `getrusage` by way of the process clock: the same sum of user and system time, in nanoseconds instead of microseconds.
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let time = Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    u64::try_from(time.as_nanos()).ok()
}

/// Makes the kernel account for what every thread of this process has used until now. Some microseconds for a handful of threads.
///
/// Whoever reads the clock of this process from outside within the next tick, gains by it too.
#[cfg(target_os = "linux")]
pub fn bring_up_to_date() {
    /// `CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel: a clock's id is the inverted thread id above these bits.
    const THREAD_CLOCK: libc::clockid_t = 4 | 2;
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    let ids = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<libc::clockid_t>().ok());
    for id in ids {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes one timespec to a local of that type; a thread that has ended is an error code, and of no interest.
        unsafe { libc::clock_gettime((!id << 3) | THREAD_CLOCK, &mut time) };
    }
}

/// Does nothing where the kernel has no such clocks.
#[cfg(not(target_os = "linux"))]
pub fn bring_up_to_date() {}

/// CPU time this process has used; not read on this platform.
#[cfg(not(unix))]
pub fn process_cpu_ns() -> Option<u64> {
    None
}

/// The kernel's id of the calling thread; 0 where there is none.
pub fn thread_id() -> u32 {
    #[cfg(target_os = "linux")]
    {
        u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        0
    }
}

/// The CPUs the calling thread may run on, as the kernel tells; empty where it does not.
pub fn thread_cpus() -> Vec<u32> {
    #[cfg(target_os = "linux")]
    {
        let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Vec::new() };
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).filter_map(|cpu| u32::try_from(cpu).ok()).collect()
    }
    #[cfg(not(target_os = "linux"))]
    {
        Vec::new()
    }
}

/// Pins the calling thread to one CPU.
///
/// # Errors
/// The kernel's: the CPU does not exist or is not ours.
pub fn pin_thread(cpu: u32) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let mut set = rustix::thread::CpuSet::new();
        let cpu = cpu as usize;
        if cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        set.set(cpu);
        Ok(rustix::thread::sched_setaffinity(None, &set)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = cpu;
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_run_on_its_cpu_alone() {
        let cpu = thread_cpus()[0];
        let seen = std::thread::spawn(move || {
            pin_thread(cpu).expect("our own CPU");
            thread_cpus()
        });
        assert_eq!(seen.join().expect("thread"), [cpu]);
        assert!(pin_thread(1 << 20).is_err());
    }

    #[test]
    fn the_time_of_a_running_thread_is_known_between_ticks() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            // Read every 200 us, a clock that moves by ticks stands still most of the time; a busy host may do so now and then.
            let mut last = process_cpu_ns().expect("linux");
            let moved = (0..100).filter(|_| {
                std::thread::sleep(std::time::Duration::from_micros(200));
                let now = process_cpu_ns().expect("linux");
                let has_moved = now - last > 100_000;
                last = now;
                has_moved
            });
            let moved = moved.count();
            is_over.store(true, Ordering::Relaxed);
            assert!(moved > 30, "{moved} of 100 readings had moved");
        });
    }

    #[test]
    fn work_shows_in_the_process_clock() {
        let before = process_cpu_ns().expect("linux");
        let mut sum = 0_u64;
        while process_cpu_ns().expect("linux") < before + 2_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
    }
}
