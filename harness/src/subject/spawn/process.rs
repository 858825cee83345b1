//! One subject process: its environment, its CPUs, its end.
//!
//! It leads a process group of its own, so a kill reaches whatever it started, and a Ctrl-C at the terminal reaches the orchestrator
//! alone. It is reaped by `wait4` alone and only after its group was killed: until then its id cannot be given to another process.
#![expect(unsafe_code, reason = "CPU affinity before exec and `wait4` have no safe wrapper")]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use zokio_report::schema::journal::Failure;

use super::failure;
use crate::subject::protocol::SUBJECT_ARGUMENT;

/// Variables a subject needs: to be found, to find its libraries and its home. All others could change what is measured.
const KEPT_VARIABLES: [&str; 10] =
    ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "RUST_BACKTRACE", "PYENV_ROOT", "SYSTEMROOT"];
/// The variable whose random length moves the stack from trial to trial, as a different user or shell would
/// (Mytkowicz et al. 2009, "Producing Wrong Data Without Doing Anything Obviously Wrong!").
const PADDING_VARIABLE: &str = "ZOKIO_BENCH_PADDING";
/// Longest padding: one page moves every alignment of the stack there is.
const PADDING_BYTES_MAX: u64 = 4096;

/// How a process is started.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The executable.
    pub executable: &'a Path,
    /// CPUs it is pinned to; empty: free.
    pub cpus: &'a [u32],
    /// Where its standard error goes.
    pub stderr: &'a Path,
    /// Decides the length of the padding.
    pub seed: u64,
}

/// A started process that was not reaped yet.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

/// What the kernel told at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Exit code, where it exited.
    pub code: Option<i32>,
    /// Signal, where one killed it.
    pub signal: Option<i32>,
    /// User and system time.
    pub cpu_ns: u64,
    /// Peak resident set in bytes, before exec included.
    pub rss_peak_bytes: u64,
    /// Voluntary context switches.
    pub switches_voluntary: u64,
    /// Involuntary context switches.
    pub switches_involuntary: u64,
    /// Minor page faults.
    pub faults_minor: u64,
}

impl Collected {
    /// `exit 0`, `signal 9`.
    pub fn exit(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "not collected".into(),
        }
    }
}

/// A command in its own process group with a clean environment, pinned to `cpus` before exec.
pub fn clean_command(executable: &Path, cpus: &[u32], seed: u64) -> Command {
    let mut command = Command::new(executable);
    command.arg(SUBJECT_ARGUMENT).env_clear().process_group(0);
    let kept: Vec<(&str, OsString)> = KEPT_VARIABLES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect();
    command.envs(kept).env(PADDING_VARIABLE, "x".repeat(usize::try_from(seed % PADDING_BYTES_MAX).unwrap_or(0)));
    set_up_before_exec(&mut command, cpus);
    command
}

#[cfg(target_os = "linux")]
fn set_up_before_exec(command: &mut Command, cpus: &[u32]) {
    let mut set = rustix::thread::CpuSet::new();
    for &cpu in cpus {
        set.set(cpu as usize);
    }
    let is_pinned = !cpus.is_empty();
    let before_exec = move || {
        // A subject never outlives the orchestrator, not even one that was killed.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        if is_pinned {
            rustix::thread::sched_setaffinity(None, &set)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes two system calls and touches its own copied values; it neither allocates nor locks.
    unsafe { command.pre_exec(before_exec) };
}

#[cfg(not(target_os = "linux"))]
fn set_up_before_exec(_command: &mut Command, _cpus: &[u32]) {}

impl Process {
    /// Starts the subject and hands over its standard output.
    ///
    /// # Errors
    /// `not-found`, `not-executable`, `placement` (the CPUs cannot be had), `spawn` for the rest.
    pub fn start(launch: &Launch<'_>) -> Result<(Self, ChildStdout), Failure> {
        let stderr = File::create(launch.stderr).map_err(|error| failure("output", format!("cannot keep standard error: {error}")))?;
        let mut command = clean_command(launch.executable, launch.cpus, launch.seed);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| start_failure(launch.executable, launch.cpus, &error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("standard output is piped"));
        Ok((Self { child, stdin }, stdout))
    }

    /// The process id, which is the group's too.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes the request. A subject that is gone already is noticed by its exit, so its closed pipe is no error here.
    pub fn send(&mut self, line: Vec<u8>) {
        /// Every pipe takes this much at once (pipe(7): at least one page), so nobody waits for a subject that does not read.
        const PIPE_BYTES_MIN: usize = 4096;
        let Some(mut stdin) = self.stdin.take() else { return };
        if line.len() <= PIPE_BYTES_MIN {
            let _ = stdin.write_all(&line);
            self.stdin = Some(stdin);
            return;
        }
        let (give_back, returned) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _ = stdin.write_all(&line);
            let _ = give_back.send(stdin);
        });
        // A subject that reads nothing for so long will not become ready; the time limit there ends it.
        self.stdin = returned.recv_timeout(std::time::Duration::from_secs(1)).ok();
    }

    /// Ends its standard input: drain, write the record, exit.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Reaps it: kills what is left of its group first. Blocks until the process has exited.
    pub fn collect(mut self) -> Collected {
        self.stdin = None;
        kill_group(self.id());
        wait4(self.id()).unwrap_or_default()
    }
}

/// Kills a process group; one that is gone already is fine.
pub fn kill_group(group: u32) {
    if let Some(pid) = pid_of(group) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// Blocks until the process has exited, and leaves it to be reaped.
pub fn wait_without_reaping(id: u32) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let Some(pid) = pid_of(id) else { return };
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
}

/// Whether `id` is a living member of the group that `group` leads.
pub fn is_in_group(id: u32, group: u32) -> bool {
    pid_of(id).is_some_and(|pid| rustix::process::getpgid(Some(pid)).ok() == pid_of(group))
}

fn pid_of(id: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(id).ok()?)
}

fn wait4(id: u32) -> Option<Collected> {
    let pid = libc::pid_t::try_from(id).ok()?;
    let mut status = 0;
    // SAFETY: a zeroed `rusage` is a valid one: it holds integers alone.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `status` and `usage` are valid places for the answers and live through the call.
        let reaped = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if reaped == pid {
            break;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    let time_ns =
        |time: libc::timeval| u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_usec).unwrap_or(0) * 1000;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Some(Collected {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_ns: time_ns(usage.ru_utime) + time_ns(usage.ru_stime),
        rss_peak_bytes: count(usage.ru_maxrss) * unit,
        switches_voluntary: count(usage.ru_nvcsw),
        switches_involuntary: count(usage.ru_nivcsw),
        faults_minor: count(usage.ru_minflt),
    })
}

/// Why a process could not be started, in the reader's words.
pub fn start_failure(executable: &Path, cpus: &[u32], error: &io::Error) -> Failure {
    let name = executable.file_name().unwrap_or(OsStr::new("?")).to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound => failure("not-found", format!("cannot start `{name}`: no such file, or its interpreter is missing")),
        io::ErrorKind::PermissionDenied => {
            failure("not-executable", format!("cannot start `{name}`: it is not executable (help: chmod +x)"))
        }
        io::ErrorKind::InvalidInput if !cpus.is_empty() => {
            failure("placement", format!("cannot pin `{name}` to the CPUs {cpus:?}: this host does not grant them"))
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => failure("not-executable", format!("cannot start `{name}`: not a program")),
        _ => failure("spawn", format!("cannot start `{name}`: {error}")),
    }
}
