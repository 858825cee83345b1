//! A command line told as a tale: a folder, scripts as subjects, a run, and what came of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Scripts answer `--describe` and know the lines of an honest trial.
const PRELUDE: &str = r#"#!/bin/sh
if [ "$2" = --describe ]; then
    echo '{"protocol":1,"name":"fake","version":"1","subjects":[{"name":"fake","version":"1","workloads":["sleep","tcp","scheduling","custom"]}]}'
    exit 0
fi
read -r request
ready() { echo "{\"ready\":{\"addresses\":[],\"pid\":$$}}"; }
phase() { echo "{\"phase\":{\"name\":\"$1\"}}"; }
phases() { ready; phase measure; sleep 0.05; phase drain; }
record() { echo '{"record":{"elapsed_ns":50000000,"work":{"attempted":9,"ok":9,"bytes":0,"verified":9},"batches":[[9,50000000]],"driver":"none"}}'; }
"#;

/// Naps of a millisecond: cheap, and any subject can do them.
pub(crate) const NAP: &str = r#"
schema = 1
seed = 7
[suite]
name = "nap"
question = "How long is a nap?"
[defaults]
subjects = ["fake"]
[defaults.run]
trials = 2
[defaults.warmup]
time = "1ms"
[defaults.measure]
time = "50ms"
[[scenario]]
id = "nap"
[scenario.sleep]
duration = "1ms"
"#;

/// A folder in which the tale plays.
pub(crate) struct Tale {
    folder: tempfile::TempDir,
}

impl Tale {
    /// An empty folder with the scenario `nap.toml`.
    pub(crate) fn new() -> Self {
        let tale = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        tale.file("nap.toml", NAP);
        tale
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("a file");
    }

    /// Writes a subject by another process: a file this one has open for writing could not be executed meanwhile.
    pub(crate) fn subject(&self, name: &str, body: &str) {
        let mut shell = Command::new("sh");
        let mut writer =
            shell.args(["-c", "cat > \"$0\" && chmod +x \"$0\""]).arg(self.path(name)).stdin(Stdio::piped()).spawn().expect("a shell");
        let mut stdin = writer.stdin.take().expect("its input");
        stdin.write_all(PRELUDE.as_bytes()).and_then(|()| stdin.write_all(body.as_bytes())).expect("the script");
        drop(stdin);
        assert!(writer.wait().expect("the shell").success());
    }

    /// `zokio-bench` in the folder, for changes of its surroundings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(Command::new(env!("CARGO_BIN_EXE_zokio-bench")), arguments)
    }

    /// The tool below a shell line that ends in `exec "$0" "$@"`.
    pub(crate) fn below(&self, shell: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", shell, env!("CARGO_BIN_EXE_zokio-bench")]);
        self.wrapped(command, arguments)
    }

    fn wrapped(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("zokio-bench starts"))
    }

    /// The result in `folder`.
    pub(crate) fn result(&self, folder: &str) -> Value {
        let text = std::fs::read_to_string(self.path(folder).join("result.json")).expect("a result");
        serde_json::from_str(&text).expect("a result is JSON")
    }
}

/// Waits for a condition that comes true by itself, with a limit that only a failure reaches.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let outcome = Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!outcome.stderr.contains("panicked at"), "{}", outcome.stderr);
        outcome
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "`{part}` is not in:\n{}", self.stderr);
        self
    }
}

/// The row of a subject in the first case.
pub(crate) fn row<'a>(result: &'a Value, subject: &str) -> &'a Value {
    let rows = result["cases"][0]["subjects"].as_array().expect("rows");
    rows.iter().find(|row| row["subject"] == subject).unwrap_or_else(|| panic!("no row of {subject} in {rows:?}"))
}

/// The example of a user's own program, where Cargo has built it.
pub(crate) fn example() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_zokio-bench")).parent()?.join("examples/custom_subject");
    path.is_file().then_some(path)
}
