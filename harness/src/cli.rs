//! The command line: what can be asked for, and in which words.

use std::sync::OnceLock;

use clap::{Parser, Subcommand};

use crate::command::arguments::{CheckArgs, CompareArgs, DoctorArgs, ReportArgs, RunArgs, SchemaFormat};
use crate::command::gate::arguments::GateArgs;
use crate::command::{check, compare, doctor, gate, host, list, proof, report, run, schema, subjects};
use crate::error::CommandError;
use crate::host::build;

/// An honest benchmark of asynchronous runtimes.
///
/// Runs declarative scenarios on the runtime zokio and, interleaved in the same run, on the runtimes a user would pick
/// instead and on a hand-written ceiling; proves every number it prints, or does not print it.
#[derive(Debug, Parser)]
#[command(name = "zokio-bench", version, long_version = long_version(), max_term_width = 120, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 passed, 1 regression or failed threshold, 2 bad usage or scenario, 3 could not run, \
4 inconclusive (--strict), 5 invalid measurement, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios: measure, judge, write the result
    Run(RunArgs),
    /// Judge scenario files without running them; all mistakes at once
    Check(CheckArgs),
    /// List the built-in scenarios, the subjects found, and the metrics
    List,
    /// Show the hardware and system profile of this host
    Host {
        /// As JSON, as in a result
        #[arg(long)]
        json: bool,
    },
    /// Fail when a build got slower than another: for CI
    Gate(Box<GateArgs>),
    /// Say what on this host spoils a measurement, and what would mend it; changes nothing
    Doctor(DoctorArgs),
    /// Put two results, or two subjects of one, side by side
    Compare(CompareArgs),
    /// Render stored results again, or several in one page
    Report(ReportArgs),
    /// Print the JSON Schema of a format
    Schema {
        /// Which format
        format: SchemaFormat,
    },
}

impl Command {
    /// Does what the command line asks for; the exit code.
    ///
    /// # Errors
    /// It could not be done; the error knows its exit code.
    pub fn dispatch(self) -> Result<u8, CommandError> {
        match self {
            Self::Run(arguments) => run::run(&arguments),
            Self::Check(arguments) => Ok(check::run(&arguments.scenarios, &arguments.sets)),
            Self::Gate(arguments) => gate::run(&arguments),
            Self::List => Ok(list::run(&subjects::described())),
            Self::Host { json } => Ok(host::run(json)),
            Self::Doctor(arguments) if arguments.self_test => proof::run(),
            Self::Doctor(arguments) => Ok(doctor::run(&arguments)),
            Self::Compare(arguments) => compare::run(&arguments),
            Self::Report(arguments) => report::run(&arguments),
            Self::Schema { format: SchemaFormat::Scenario } => Ok(schema::scenario()),
            Self::Schema { format: SchemaFormat::Result } => Ok(schema::result()),
            Self::Schema { format: SchemaFormat::Gate } => Ok(schema::gate()),
        }
    }
}

/// `0.1.0`, then what the build was made of: it decides what the numbers mean.
fn long_version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let tool = build::tool_info();
        let commit = match (tool.git_sha, tool.dirty) {
            (Some(sha), Some(true)) => format!("{sha} with uncommitted changes"),
            (Some(sha), _) => sha,
            (None, _) => "unknown".into(),
        };
        let rustc = tool.rustc.unwrap_or_else(|| "unknown".into());
        format!("{}\ncommit:  {commit}\nprofile: {}\nrustc:   {rustc}", env!("CARGO_PKG_VERSION"), tool.profile)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::command::arguments::Format;

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_are_split_at_commas_and_formats_are_known() {
        let cli = Cli::try_parse_from(["zokio-bench", "run", "tcp", "--subject", "zokio,mine=./a#b", "--format", "html,junit"]);
        let Command::Run(run) = cli.expect("a command line").command else { panic!("run was asked for") };
        assert_eq!(run.subjects, ["zokio", "mine=./a#b"]);
        assert_eq!(run.formats, [Format::Html, Format::Junit]);
        assert!(Cli::try_parse_from(["zokio-bench", "run"]).is_err(), "a run without a scenario");
        assert!(Cli::try_parse_from(["zokio-bench", "run", "tcp", "--trials", "0"]).is_err());
    }
}
