//! Whether this process gets an io_uring, found out by setting one up, and what stands in the way when it does not.

use zokio_report::schema::host::IoUringProfile;

use super::files::HostFiles;

/// Sets up a small ring on this system and drops it again; another root is not probed.
pub(super) fn read(files: &HostFiles) -> IoUringProfile {
    if !files.is_system() {
        return unavailable("not probed: another root");
    }
    probe(files)
}

fn unavailable(reason: impl Into<String>) -> IoUringProfile {
    IoUringProfile { available: false, reason: Some(reason.into()), ..IoUringProfile::default() }
}

#[cfg(not(target_os = "linux"))]
fn probe(_files: &HostFiles) -> IoUringProfile {
    unavailable(format!("{} has no io_uring", std::env::consts::OS))
}

#[cfg(target_os = "linux")]
fn probe(files: &HostFiles) -> IoUringProfile {
    let ring = match io_uring::IoUring::new(4) {
        Ok(ring) => ring,
        Err(error) => {
            let disabled = files.look("/proc/sys/kernel/io_uring_disabled").and_then(|text| text.parse().ok());
            let status = files.look("/proc/thread-self/status").unwrap_or_default();
            return unavailable(reason(&error, disabled, seccomp_mode(&status)));
        }
    };
    let mut operations = io_uring::Probe::new();
    let operations = ring
        .submitter()
        .register_probe(&mut operations)
        .is_ok()
        .then(|| (0..=u8::MAX).filter(|&code| operations.is_supported(code)).count() as u32);
    IoUringProfile { available: true, reason: None, features: features(ring.params()), operations }
}

/// The flags of io_uring_setup(2) by their names there.
#[cfg(target_os = "linux")]
fn features(parameters: &io_uring::Parameters) -> Vec<String> {
    let flags = [
        ("single_mmap", parameters.is_feature_single_mmap()),
        ("nodrop", parameters.is_feature_nodrop()),
        ("submit_stable", parameters.is_feature_submit_stable()),
        ("rw_cur_pos", parameters.is_feature_rw_cur_pos()),
        ("cur_personality", parameters.is_feature_cur_personality()),
        ("fast_poll", parameters.is_feature_fast_poll()),
        ("poll_32bits", parameters.is_feature_poll_32bits()),
        ("sqpoll_nonfixed", parameters.is_feature_sqpoll_nonfixed()),
        ("ext_arg", parameters.is_feature_ext_arg()),
        ("native_workers", parameters.is_feature_native_workers()),
        ("rsrc_tags", parameters.is_feature_resource_tagging()),
        ("cqe_skip", parameters.is_feature_skip_cqe_on_success()),
        ("linked_file", parameters.is_feature_linked_file()),
        ("recvsend_bundle", parameters.is_feature_recvsend_bundle()),
        ("min_timeout", parameters.is_feature_min_timeout()),
    ];
    flags.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect()
}

/// `Seccomp:` of a thread's status: 0 off, 1 strict, 2 filter.
#[cfg(target_os = "linux")]
fn seccomp_mode(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Seccomp:")?.trim().parse().ok())
}

/// The error by its name, and what most likely is behind it.
#[cfg(target_os = "linux")]
fn reason(error: &std::io::Error, disabled: Option<u32>, seccomp: Option<u32>) -> String {
    let filtered = seccomp.is_some_and(|mode| mode > 0);
    match error.raw_os_error() {
        Some(libc::EPERM) => match disabled {
            Some(2) => "EPERM: switched off for everyone (sysctl kernel.io_uring_disabled = 2)".into(),
            Some(1) => "EPERM: switched off for all but the group in kernel.io_uring_group (sysctl kernel.io_uring_disabled = 1)".into(),
            _ if filtered => "EPERM: denied by a seccomp filter (as container engines set by default)".into(),
            _ => "EPERM: denied (a security module?)".into(),
        },
        Some(libc::ENOSYS) if filtered => "ENOSYS: denied by a seccomp filter, or not in this kernel".into(),
        Some(libc::ENOSYS) => "ENOSYS: not in this kernel (it came with Linux 5.1)".into(),
        Some(libc::ENOMEM) => "ENOMEM: not enough locked memory (ulimit -l)".into(),
        Some(libc::EMFILE | libc::ENFILE) => "EMFILE: no file descriptor left (ulimit -n)".into(),
        _ => error.to_string(),
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "io_uring_tests.rs"]
mod tests;
