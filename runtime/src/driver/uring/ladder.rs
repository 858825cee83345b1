//! Sets up a ring with the best flags that the running kernel accepts.
//!
//! | rung | flags | Linux |
//! | --- | --- | --- |
//! | 0 | SINGLE_ISSUER, DEFER_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL, NO_SQARRAY | 6.6 |
//! | 1 | SINGLE_ISSUER, DEFER_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL | 6.1 |
//! | 2 | COOP_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL | 5.19 |
//! | 3 | none | 5.11 |
//!
//! DEFER_TASKRUN and COOP_TASKRUN handle completions when the owner asks instead of interrupting it: 4.05 against 4.32 us of server
//! CPU a message (64 connections, 64 B; EPYC VM, Linux 6.18). DEFER_TASKRUN also makes a cross-thread wake-up cheaper.

use std::fmt;
use std::io;

use io_uring::{IoUring, Probe, opcode};

use super::ring::Ring;
use crate::driver::supported::Supported;

/// Fewer entries than this are not worth a ring.
const ENTRIES_MIN: u32 = 64;
/// The kernel's own limit (`IORING_MAX_ENTRIES`).
const ENTRIES_MAX: u32 = 32_768;
/// Completions fit this many times the submission entries before the kernel must buffer them elsewhere.
const CQ_FACTOR: u32 = 4;

/// One set of flags.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rung {
    name: &'static str,
    single_issuer_deferred: bool,
    coop: bool,
    no_sqarray: bool,
}

const LADDER: [Rung; 4] = [
    Rung {
        name: "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL|NO_SQARRAY",
        single_issuer_deferred: true,
        coop: false,
        no_sqarray: true,
    },
    Rung { name: "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL", single_issuer_deferred: true, coop: false, no_sqarray: false },
    Rung { name: "COOP_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL", single_issuer_deferred: false, coop: true, no_sqarray: false },
    Rung { name: "no flags", single_issuer_deferred: false, coop: false, no_sqarray: false },
];

/// Why there is no ring.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The kernel refused the call.
    Refused(io::Error),
    /// The kernel is too old for what we need.
    Lacks(&'static str),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self {
            Self::Lacks(what) => return write!(f, "io_uring: this kernel lacks {what}; Linux 5.11 or later is needed"),
            Self::Refused(error) => error,
        };
        let (name, remedy) = match error.raw_os_error() {
            Some(libc::EPERM) => ("EPERM", "allow it with `sysctl -w kernel.io_uring_disabled=0`, or in the container's seccomp profile"),
            Some(libc::EACCES) => ("EACCES", "allow io_uring in the security module's policy"),
            Some(libc::ENOSYS) => ("ENOSYS", "the kernel has no io_uring, or the container's seccomp profile hides it"),
            Some(libc::ENOMEM) => ("ENOMEM", "raise the memory limit, or RLIMIT_MEMLOCK on kernels before 5.12"),
            Some(libc::EMFILE) => ("EMFILE", "raise the limit of open files (`ulimit -n`)"),
            Some(libc::EINVAL) => ("EINVAL", "the kernel accepts none of the flags that we know"),
            _ => return write!(f, "io_uring: {error}"),
        };
        write!(f, "io_uring: {name}: {remedy}")
    }
}

impl From<SetupError> for io::Error {
    fn from(error: SetupError) -> Self {
        let kind = match &error {
            SetupError::Refused(error) => error.kind(),
            SetupError::Lacks(_) => io::ErrorKind::Unsupported,
        };
        Self::new(kind, format!("{error}; or choose the polling driver"))
    }
}

/// The first rung from `first` on that the kernel accepts, with as many of `entries` as it has memory for.
pub(super) fn climb(first: usize, entries: u32) -> Result<(Ring, String, Supported), SetupError> {
    let (ring, rung, entries) = climb_with(&LADDER[first..], entries, set_up)?;
    let (ring, supported) = checked(ring)?;
    Ok((ring, format!("{}, {entries} entries", rung.name), supported))
}

/// [`climb`] with any way of setting up.
fn climb_with<T>(
    ladder: &'static [Rung],
    entries: u32,
    mut set_up: impl FnMut(&Rung, u32) -> io::Result<T>,
) -> Result<(T, &'static Rung, u32), SetupError> {
    let mut entries = entries.clamp(1, ENTRIES_MAX).next_power_of_two();
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for rung in ladder {
        loop {
            match set_up(rung, entries) {
                Ok(ring) => return Ok((ring, rung, entries)),
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && entries > ENTRIES_MIN => entries /= 2,
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    last = error;
                    break;
                }
                Err(error) => return Err(SetupError::Refused(error)),
            }
        }
    }
    Err(SetupError::Refused(last))
}

fn set_up(rung: &Rung, entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.dontfork().setup_cqsize(entries * CQ_FACTOR);
    if rung.single_issuer_deferred {
        builder.setup_single_issuer().setup_defer_taskrun();
    }
    if rung.coop {
        builder.setup_coop_taskrun();
    }
    if rung.single_issuer_deferred || rung.coop {
        builder.setup_taskrun_flag().setup_submit_all();
    }
    if rung.no_sqarray {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// Sees to it that the ring can do what we need, by asking and by one round trip.
fn checked(ring: IoUring) -> Result<(Ring, Supported), SetupError> {
    if !ring.params().is_feature_ext_arg() {
        return Err(SetupError::Lacks("IORING_FEAT_EXT_ARG"));
    }
    if !ring.params().is_feature_nodrop() {
        return Err(SetupError::Lacks("IORING_FEAT_NODROP"));
    }
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(SetupError::Refused)?;
    let needed = [
        (opcode::Nop::CODE, "IORING_OP_NOP"),
        (opcode::Read::CODE, "IORING_OP_READ"),
        (opcode::Recv::CODE, "IORING_OP_RECV"),
        (opcode::Send::CODE, "IORING_OP_SEND"),
        (opcode::Accept::CODE, "IORING_OP_ACCEPT"),
        (opcode::Connect::CODE, "IORING_OP_CONNECT"),
        (opcode::Shutdown::CODE, "IORING_OP_SHUTDOWN"),
        (opcode::Close::CODE, "IORING_OP_CLOSE"),
        (opcode::AsyncCancel::CODE, "IORING_OP_ASYNC_CANCEL"),
    ];
    if let Some((_, name)) = needed.into_iter().find(|(code, _)| !probe.is_supported(*code)) {
        return Err(SetupError::Lacks(name));
    }
    let mut ring = Ring::new(ring);
    match ring.self_test() {
        Ok(true) => Ok((ring, Supported::by(|code| probe.is_supported(code)))),
        Ok(false) => Err(SetupError::Lacks("a working IORING_OP_NOP")),
        Err(error) => Err(SetupError::Refused(error)),
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    fn refuse(errno: i32) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn einval_goes_one_rung_down() {
        // (rungs refused, name that wins)
        for (refused, expected) in LADDER.iter().enumerate().map(|(index, rung)| (index, rung.name)) {
            let mut calls = 0;
            let (_, rung, _) = climb_with(&LADDER, 256, |_, _| {
                calls += 1;
                if calls <= refused { refuse(libc::EINVAL) } else { Ok(()) }
            })
            .expect("the last rung is accepted");
            assert_eq!(rung.name, expected);
        }
        let error = climb_with(&LADDER, 256, |_, _| refuse(libc::EINVAL)).expect_err("no rung is accepted");
        assert!(error.to_string().contains("EINVAL"), "{error}");
    }

    #[test]
    fn enomem_halves_the_entries_down_to_64() {
        let (_, _, entries) =
            climb_with(&LADDER, 1000, |_, entries| if entries > 64 { refuse(libc::ENOMEM) } else { Ok(()) }).expect("64 fit");
        assert_eq!(entries, 64);
        let error = climb_with(&LADDER, 1000, |_, _| refuse(libc::ENOMEM)).expect_err("nothing fits");
        assert!(error.to_string().contains("ENOMEM"), "{error}");
    }

    #[test]
    fn a_denied_ring_is_not_tried_again() {
        for (errno, name) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS"), (libc::EACCES, "EACCES")] {
            let mut calls = 0;
            let error = climb_with(&LADDER, 256, |_, _| {
                calls += 1;
                refuse(errno)
            })
            .expect_err("denied");
            assert_eq!(calls, 1);
            assert!(error.to_string().starts_with(&format!("io_uring: {name}: ")), "{error}");
        }
    }
}
