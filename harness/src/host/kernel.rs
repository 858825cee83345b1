//! The kernel, the C library and the settings that shape a measurement.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "the version of the C library is told by a function returning a C string")
)]

use zokio_report::schema::host::KernelProfile;

use super::files::HostFiles;
use super::io_uring;

/// Reads the kernel.
pub(super) fn read(files: &mut HostFiles) -> KernelProfile {
    let system = files.is_system() && !cfg!(target_os = "linux");
    let mut profile = if system { elsewhere(files) } else { linux(files) };
    profile.libc = libc_version(files);
    profile.io_uring = io_uring::read(files);
    profile
}

fn linux(files: &mut HostFiles) -> KernelProfile {
    KernelProfile {
        name: files.look("/proc/sys/kernel/ostype").unwrap_or_else(|| std::env::consts::OS.into()),
        release: files.text("kernel_release", "/proc/sys/kernel/osrelease"),
        os: os(files),
        aslr: aslr(files),
        tcp_congestion_control: files.text("tcp_congestion_control", "/proc/sys/net/ipv4/tcp_congestion_control"),
        preemption: preemption(files),
        ..KernelProfile::default()
    }
}

/// What sysinfo tells of a system without `/proc`.
fn elsewhere(files: &mut HostFiles) -> KernelProfile {
    for fact in ["aslr", "tcp_congestion_control", "preemption"] {
        files.note(format!("{fact}: not read on {}", std::env::consts::OS));
    }
    KernelProfile {
        name: std::env::consts::OS.into(),
        release: sysinfo::System::kernel_version().ok(),
        os: sysinfo::System::long_os_version().ok(),
        ..KernelProfile::default()
    }
}

fn os(files: &mut HostFiles) -> Option<String> {
    let release = files.look("/etc/os-release").or_else(|| files.look("/usr/lib/os-release"));
    let name = release.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")));
    if name.is_none() {
        files.nowhere("os", "/etc/os-release, PRETTY_NAME");
    }
    name.map(|name| name.trim_matches(['"', '\'']).to_owned())
}

/// The system's setting, unless this process has switched it off for itself (`setarch -R`).
fn aslr(files: &mut HostFiles) -> Option<String> {
    /// `ADDR_NO_RANDOMIZE` of personality(2).
    const ADDR_NO_RANDOMIZE: u64 = 0x0004_0000;
    let setting = files.text("aslr", "/proc/sys/kernel/randomize_va_space")?;
    let personality = files.look("/proc/self/personality").and_then(|text| u64::from_str_radix(&text, 16).ok());
    if personality.is_some_and(|flags| flags & ADDR_NO_RANDOMIZE != 0) {
        return Some("off for this process".into());
    }
    Some(match setting.as_str() {
        "0" => "off".into(),
        "1" => "conservative".into(),
        "2" => "full".into(),
        other => format!("setting {other}"),
    })
}

/// By the kernel's own line; which of the dynamic models is on is told to root alone.
fn preemption(files: &mut HostFiles) -> Option<String> {
    let version = files.text("preemption", "/proc/sys/kernel/version")?;
    let built = ["PREEMPT_DYNAMIC", "PREEMPT_RT", "PREEMPT_LAZY", "PREEMPT"]
        .into_iter()
        .find(|model| version.split_whitespace().any(|word| word == *model));
    let Some(built) = built else {
        return Some("none or voluntary".into());
    };
    let chosen = files.look("/sys/kernel/debug/sched/preempt").and_then(|text| {
        let (_, rest) = text.split_once('(')?;
        rest.split_once(')').map(|(model, _)| model.to_owned())
    });
    if built == "PREEMPT_DYNAMIC" && chosen.is_none() {
        files.note("preemption: /sys/kernel/debug/sched/preempt cannot be read: which dynamic model is on is unknown");
    }
    Some(chosen.map_or_else(|| built.into(), |model| format!("{built} ({model})")))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn libc_version(_files: &mut HostFiles) -> Option<String> {
    // SAFETY: the function takes nothing and touches nothing.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: what it returns is a static, NUL-terminated string.
    let version = unsafe { std::ffi::CStr::from_ptr(version) };
    Some(format!("glibc {}", version.to_string_lossy()))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn libc_version(files: &mut HostFiles) -> Option<String> {
    if cfg!(target_env = "musl") {
        files.note("libc: musl does not tell its version");
        return Some("musl".into());
    }
    files.note("libc: this system's library does not tell its version");
    None
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    #[test]
    fn settings_are_put_into_words() {
        let tree = TestTree::new(&[
            ("proc/sys/kernel/ostype", "Linux"),
            ("proc/sys/kernel/osrelease", "6.1.0-31-amd64"),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.128-1"),
            ("proc/sys/kernel/randomize_va_space", "2"),
            ("proc/sys/net/ipv4/tcp_congestion_control", "bbr"),
            ("usr/lib/os-release", "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\""),
            ("sys/kernel/debug/sched/preempt", "none (voluntary) full"),
        ]);
        let mut files = tree.files();
        let kernel = read(&mut files);
        assert_eq!((kernel.name.as_str(), kernel.release.as_deref()), ("Linux", Some("6.1.0-31-amd64")));
        assert_eq!(kernel.os.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!((kernel.aslr.as_deref(), kernel.tcp_congestion_control.as_deref()), (Some("full"), Some("bbr")));
        assert_eq!(kernel.preemption.as_deref(), Some("PREEMPT_DYNAMIC (voluntary)"));
    }

    #[test]
    fn a_process_started_without_randomisation_says_so() {
        let tree = TestTree::new(&[("proc/sys/kernel/randomize_va_space", "2"), ("proc/self/personality", "00040000")]);
        assert_eq!(aslr(&mut tree.files()).as_deref(), Some("off for this process"));
        let tree = TestTree::new(&[("proc/sys/kernel/randomize_va_space", "7")]);
        assert_eq!(aslr(&mut tree.files()).as_deref(), Some("setting 7"));
    }

    #[test]
    fn what_the_kernel_does_not_say_is_null_with_a_note() {
        let tree = TestTree::new(&[("proc/sys/kernel/version", "#1 SMP Tue")]);
        let mut files = tree.files();
        let kernel = linux(&mut files);
        assert_eq!((kernel.release, kernel.os, kernel.aslr), (None, None, None));
        assert_eq!(kernel.preemption.as_deref(), Some("none or voluntary"));
        assert_eq!(files.notes().len(), 4, "{:?}", files.notes());
    }
}
