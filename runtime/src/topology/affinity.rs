//! Pinning a thread by the system call, and asking where it may run.
//!
//! Linux alone: elsewhere both answer [`io::ErrorKind::Unsupported`], so that nobody can believe a thread is pinned when it is not.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "sched_setaffinity and sched_getaffinity take a pointer to the set of CPUs"))]

use std::io;

/// Lets the calling thread run on `cpus` alone.
///
/// # Errors
/// `InvalidInput` for an empty set, the system's error when it refuses (no such CPU, outside the cpuset), `Unsupported` where there
/// is no such call. After an error the affinity is what it was.
pub fn pin_current_thread(cpus: &[u32]) -> io::Result<()> {
    if cpus.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot pin a thread to no CPU"));
    }
    // The kernel drops CPUs it does not have in silence, and refuses only when none is left.
    let before = system::affinity()?;
    system::set_affinity(cpus)?;
    let mut wanted = cpus.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let got = system::affinity()?;
    if got == wanted {
        return Ok(());
    }
    system::set_affinity(&before)?;
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("CPUs {wanted:?} asked, {got:?} granted")))
}

/// The CPUs the calling thread may run on, ascending.
///
/// # Errors
/// The system's error, or `Unsupported` where there is no such call.
pub fn current_affinity() -> io::Result<Vec<u32>> {
    system::affinity()
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    /// Words of a set: the kernel's type, whatever its size here.
    type Word = libc::c_ulong;
    const WORD_BITS: usize = Word::BITS as usize;
    /// Room for 65,536 CPUs, eight times what Linux can be built for.
    const WORDS_MAX: usize = 65_536 / WORD_BITS;

    pub(super) fn set_affinity(cpus: &[u32]) -> io::Result<()> {
        let highest = cpus.iter().copied().max().unwrap_or(0) as usize;
        if highest >= WORDS_MAX * WORD_BITS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no CPU {highest}")));
        }
        let mut set: Vec<Word> = vec![0; highest / WORD_BITS + 1];
        for &cpu in cpus {
            set[cpu as usize / WORD_BITS] |= 1 << (cpu as usize % WORD_BITS);
        }
        // SAFETY: the call reads `size_of_val(&set)` bytes from a vector that lives that long; 0 is the calling thread.
        let result = unsafe { libc::sched_setaffinity(0, size_of_val(&*set), set.as_ptr().cast()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn affinity() -> io::Result<Vec<u32>> {
        let mut words = 1024 / WORD_BITS;
        loop {
            let mut set: Vec<Word> = vec![0; words];
            // SAFETY: the call writes at most `size_of_val(&set)` bytes to a vector of that size; 0 is the calling thread.
            let result = unsafe { libc::sched_getaffinity(0, size_of_val(&*set), set.as_mut_ptr().cast()) };
            if result == 0 {
                let bits = (0..words * WORD_BITS).filter(|&bit| set[bit / WORD_BITS] >> (bit % WORD_BITS) & 1 == 1);
                return Ok(bits.map(|bit| bit as u32).collect());
            }
            let error = io::Error::last_os_error();
            // EINVAL: the kernel's set is larger than ours.
            if error.raw_os_error() != Some(libc::EINVAL) || words >= WORDS_MAX {
                return Err(error);
            }
            words *= 2;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    const MESSAGE: &str = "this system has no call to pin a thread";

    pub(super) fn set_affinity(_cpus: &[u32]) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MESSAGE))
    }

    pub(super) fn affinity() -> io::Result<Vec<u32>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MESSAGE))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Affinity belongs to a thread, so each test changes that of a thread of its own.
    fn on_own_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(test).join()).unwrap();
    }

    #[test]
    fn a_pinned_thread_says_so_and_its_children_inherit_it() {
        on_own_thread(|| {
            let last = *current_affinity().unwrap().last().unwrap();
            pin_current_thread(&[last]).unwrap();
            assert_eq!(current_affinity().unwrap(), [last]);
            assert_eq!(std::thread::spawn(current_affinity).join().unwrap().unwrap(), [last]);
        });
    }

    #[test]
    fn a_refused_pin_changes_nothing() {
        on_own_thread(|| {
            let before = current_affinity().unwrap();
            assert_eq!(pin_current_thread(&[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert!(pin_current_thread(&[60_000]).is_err());
            assert!(pin_current_thread(&[before[0], 60_000]).is_err(), "a set granted in part is a refusal");
            assert!(pin_current_thread(&[u32::MAX]).is_err());
            assert_eq!(current_affinity().unwrap(), before);
        });
    }
}
