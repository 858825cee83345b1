//! A long job in a child process: what it says goes to files, what the user sees is one line, and Ctrl-C ends all of it.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::cache;
use crate::error::CommandError;
use crate::orchestrate::progress::short_time;
use crate::subject::spawn::interrupt::Interrupt;
use crate::subject::spawn::process::kill_group;

/// How often the job and the interrupt are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);
/// How often a terminal's line is written anew.
const TERMINAL_INTERVAL: Duration = Duration::from_secs(1);
/// A job that is over sooner has nothing to tell.
const FIRST_LINE: Duration = Duration::from_secs(1);
/// How often a log is told that the job goes on.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// Where a job's words go.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    /// Standard output.
    pub messages: &'a Path,
    /// Standard error.
    pub log: &'a Path,
}

/// Runs `command` to its end, which may be far, in a process group of its own.
///
/// `what` is what the user reads meanwhile: `building base 1a2b3c4`.
///
/// # Errors
/// It cannot be started, or was interrupted; then its whole group was killed.
pub fn run(command: &mut Command, outputs: Outputs<'_>, what: &str, interrupt: &Interrupt) -> Result<ExitStatus, CommandError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let create = |path: &Path| File::create(path).map_err(|error| cache::refused("write", path, &error));
    let (messages, log) = (create(outputs.messages)?, create(outputs.log)?);
    let started = command.stdin(Stdio::null()).stdout(messages).stderr(log).process_group(0).spawn();
    let mut child = started.map_err(|error| not_started(&program, &error))?;
    interrupt.group_started(child.id());
    let mut line = Line::new(what);
    while !interrupt.is_raised() && !has_exited(&child) {
        line.show();
        std::thread::sleep(LOOK_INTERVAL);
    }
    line.clear();
    let is_interrupted = interrupt.is_raised();
    // A job that ended leaves no one behind; one that was interrupted is ended by this. Until it is reaped, its id is no other's.
    kill_group(child.id());
    interrupt.group_ended(child.id());
    let status = child.wait().map_err(|error| not_started(&program, &error))?;
    if is_interrupted { Err(CommandError::Interrupted) } else { Ok(status) }
}

/// Whether the process has ended; it is left to be reaped.
fn has_exited(child: &Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let ended = waitid(WaitId::Pid(Pid::from_child(child)), options);
    // An error other than an interruption means that there is nothing to wait for.
    !matches!(ended, Ok(None) | Err(rustix::io::Errno::INTR))
}

fn not_started(program: &str, error: &io::Error) -> CommandError {
    match error.kind() {
        io::ErrorKind::NotFound => CommandError::could_not_run(
            format!("`{program}` is not installed"),
            "install Rust from https://rustup.rs, or compare with an executable: --base-bin PATH",
        ),
        _ => CommandError::could_not_run(format!("cannot run {program}: {error}"), "check limits and free space"),
    }
}

/// The line a user sees meanwhile, on standard error.
#[derive(Debug)]
struct Line<'a> {
    what: &'a str,
    is_terminal: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl<'a> Line<'a> {
    fn new(what: &'a str) -> Self {
        Self { what, is_terminal: io::stderr().is_terminal(), started: Instant::now(), shown: None }
    }

    fn show(&mut self) {
        if self.started.elapsed() < FIRST_LINE {
            return;
        }
        let interval = if self.is_terminal { TERMINAL_INTERVAL } else { PLAIN_INTERVAL };
        if self.shown.is_some_and(|shown| shown.elapsed() < interval) {
            return;
        }
        let time = short_time(self.started.elapsed());
        self.shown = Some(Instant::now());
        if self.is_terminal {
            eprint!("\r\x1b[K{} ({time})", self.what);
            let _ = io::stderr().flush();
        } else {
            eprintln!("{} ({time})", self.what);
        }
    }

    fn clear(&self) {
        if self.is_terminal && self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_ends_the_job_and_what_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let (messages, log) = (folder.path().join("messages"), folder.path().join("log"));
        let interrupt = Interrupt::default();
        let raise = interrupt.clone();
        let pid = messages.clone();
        std::thread::spawn(move || {
            while !std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
                std::thread::sleep(LOOK_INTERVAL);
            }
            raise.raise();
        });
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]);
        let ended = run(&mut command, Outputs { messages: &messages, log: &log }, "sleeping", &interrupt);
        assert!(matches!(ended, Err(CommandError::Interrupted)), "{ended:?}");
        let grandchild = std::fs::read_to_string(&messages).expect("its id");
        // Killed is not yet gone: it has to be reaped by whoever inherited it.
        let is_gone = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
            state.is_empty() || state.contains(") Z ") || state.contains(") X ")
        };
        let until = Instant::now() + Duration::from_secs(10);
        while cfg!(target_os = "linux") && !is_gone() {
            assert!(Instant::now() < until, "the job's own child lives on");
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (messages, log) = (folder.path().join("messages"), folder.path().join("log"));
        let error = run(&mut Command::new("no-such-cargo"), Outputs { messages: &messages, log: &log }, "x", &Interrupt::default());
        assert!(error.expect_err("missing").to_string().contains("`no-such-cargo` is not installed"));
    }
}
