//! The probe on this system, and under a real seccomp filter.
#![expect(unsafe_code, reason = "a seccomp filter is set by prctl")]

use std::io;

use super::*;

#[test]
fn a_ring_that_is_there_has_features_and_operations() {
    let profile = read(&HostFiles::system());
    if profile.available {
        assert!(profile.operations.is_some_and(|count| count > 10), "{profile:?}");
        assert!(profile.features.iter().any(|feature| feature == "nodrop"), "{profile:?}");
        assert_eq!(profile.reason, None);
    } else {
        assert!(profile.reason.is_some(), "{profile:?}");
    }
}

#[test]
fn another_root_is_not_probed() {
    let tree = super::super::files::TestTree::new(&[]);
    assert!(!read(&tree.files()).available);
}

#[test]
fn each_refusal_names_its_cause() {
    let cases = [
        (libc::EPERM, Some(2), Some(0), "kernel.io_uring_disabled = 2"),
        (libc::EPERM, Some(1), Some(2), "kernel.io_uring_group"),
        (libc::EPERM, Some(0), Some(2), "EPERM: denied by a seccomp filter"),
        (libc::EPERM, None, None, "EPERM: denied ("),
        (libc::ENOSYS, None, Some(0), "not in this kernel (it came"),
        (libc::ENOSYS, None, Some(2), "ENOSYS: denied by a seccomp filter"),
        (libc::ENOMEM, Some(0), Some(0), "ulimit -l"),
        (libc::EMFILE, Some(0), Some(0), "ulimit -n"),
    ];
    for (errno, disabled, seccomp, expected) in cases {
        let reason = reason(&io::Error::from_raw_os_error(errno), disabled, seccomp);
        assert!(reason.contains(expected), "{errno}: {reason}");
    }
    assert_eq!(seccomp_mode("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1"), Some(2));
    assert_eq!(seccomp_mode("Name:\tx"), None);
}

#[test]
fn a_seccomp_filter_is_found_out() {
    // A filter belongs to the thread that sets it, so a thread of its own takes it to its end.
    let profile = std::thread::spawn(|| {
        deny_io_uring_setup().unwrap();
        read(&HostFiles::system())
    });
    let profile = profile.join().unwrap();
    assert!(!profile.available);
    assert_eq!(profile.features, [""; 0]);
    let reason = profile.reason.unwrap();
    assert!(reason.starts_with("EPERM: "), "{reason}");
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    assert!(disabled.trim() != "0" || reason.contains("seccomp"), "{reason}");
}

/// Lets `io_uring_setup` fail with EPERM for the calling thread, as container engines do.
fn deny_io_uring_setup() -> io::Result<()> {
    let instruction = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        // Offset 0 of seccomp_data is the number of the system call.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_io_uring_setup as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: sets a flag of this thread that only takes privileges away.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `filter` points to a program of `len` instructions; both live until the call has copied them.
    if unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
