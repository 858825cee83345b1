//! What each command takes, in the words that `--help` shows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::orchestrate::output::RESULT_NAME;

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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub trials: Option<u32>,
    /// 6 trials and shorter phases: a look, never reportable
    #[arg(long)]
    pub quick: bool,
    /// Seed of the order and of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The result folder itself [default: zokio-results/SUITE-RUN_ID]
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

/// Arguments of `doctor`.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Prove the clock, an open loop and the gate on this host, now; takes half a minute
    #[arg(long, conflicts_with = "json")]
    pub self_test: bool,
}

/// Arguments of `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// A result folder, result.json or records.jsonl; #SUBJECT behind it takes one subject alone. Two subjects of one run are paired and
    /// judged; results of two runs get ratios and no verdict
    #[arg(value_name = "A[#SUBJECT]")]
    pub a: String,
    /// What it is compared with; ratios are A / B
    #[arg(value_name = "B[#SUBJECT]")]
    pub b: String,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "terminal")]
    pub format: CompareFormat,
}

/// Forms of a comparison, all on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// Tables for a person
    Terminal,
    /// Tables for a pull request
    Md,
    /// For machines
    Json,
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
            Self::Json => RESULT_NAME,
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
    /// gate.json
    Gate,
}
