//! The command line: what can be asked for, and in which words.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Render stored results again, or several in one page
    Report(ReportArgs),
    /// Print the JSON Schema of a format
    Schema {
        /// Which format
        format: SchemaFormat,
    },
}

/// Arguments of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Scenario files, or names of built-in scenarios
    #[arg(required = true, value_name = "FILE|NAME")]
    pub scenarios: Vec<String>,
    /// Run these subjects instead of the scenario's; the first is compared with each other. NAME=PATH adds an executable that
    /// speaks the subject protocol, NAME=PATH#INNER one subject of it
    #[arg(long = "subject", value_delimiter = ',', value_name = "NAME[=PATH]")]
    pub subjects: Vec<String>,
    /// Change a value of the scenario, such as scenario.tcp-rr.load.closed.users=128
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Fresh processes per subject and case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub trials: Option<u32>,
    /// 6 trials and shorter phases: a look, never reportable
    #[arg(long)]
    pub quick: bool,
    /// Seed of the order and of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The result folder itself [default: zokio-results/<suite>-<run id>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Files to write beside result.json
    #[arg(long = "format", value_delimiter = ',', value_name = "FORMAT", default_value = "html")]
    pub formats: Vec<Format>,
    /// Show this result beside the new one; only informs, never fails
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Exit with 4 where something is inconclusive or not trustworthy
    #[arg(long)]
    pub strict: bool,
    /// Keep absolute paths in the result
    #[arg(long)]
    pub with_identity: bool,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// Scenario files, or names of built-in scenarios
    #[arg(required = true, value_name = "FILE|NAME")]
    pub scenarios: Vec<String>,
    /// Change a value of the scenario, as for `run`
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// Result folders, result.json or records.jsonl files; results are computed again from the records where these are there
    #[arg(required = true, value_name = "RESULT")]
    pub results: Vec<PathBuf>,
    /// What to write
    #[arg(long = "format", value_delimiter = ',', value_name = "FORMAT", default_value = "html")]
    pub formats: Vec<Format>,
    /// Where to write it [default: the folder of the only result, or the working folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Forms of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One page without network, report.html
    Html,
    /// result.json
    Json,
    /// A table for a pull request, report.md
    Md,
    /// Test results for CI, junit.xml
    Junit,
    /// One row per trial, trials.csv
    Csv,
}

impl Format {
    /// The file's name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Json => crate::orchestrate::output::RESULT_NAME,
            Self::Md => "report.md",
            Self::Junit => "junit.xml",
            Self::Csv => "trials.csv",
        }
    }
}

/// Formats with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// The scenario file
    Scenario,
    /// result.json
    Result,
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
