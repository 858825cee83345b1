//! What can be asked of a gate.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// Arguments of `gate`.
#[derive(Clone, Debug, Default, Args)]
pub struct GateArgs {
    /// Scenario files, or names of built-in scenarios; --self-test has its own
    #[arg(required_unless_present = "self_test", value_name = "FILE|NAME")]
    pub scenarios: Vec<String>,
    /// Compare with this executable: PATH, PATH#SUBJECT, or NAME=PATH; may be given several times
    #[arg(long, value_name = "[NAME=]PATH")]
    pub base_bin: Vec<String>,
    /// Compare with this revision, built beside the working tree with the same flags: REV, merge-base:BRANCH, or NAME=REV; may be given several times
    #[arg(long, value_name = "[NAME=]REV")]
    pub base_rev: Vec<String>,
    /// Compare with a stored result: informs and warns, never fails
    #[arg(long, value_name = "[NAME=]FILE")]
    pub baseline: Vec<String>,
    /// The subject that is gated, NAME or NAME=PATH or NAME=PATH#SUBJECT [default: the first one of each scenario]
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// The slow-down that must be caught, as 5% or 0.05 [default: the scenario's, or 5%]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub threshold: Option<f64>,
    /// Gate this metric too, with a threshold of its own: service_time_ns_p99=10%; may be given several times
    #[arg(long = "metric", value_name = "ID[=SHARE]", value_parser = metric)]
    pub metrics: Vec<(String, Option<f64>)>,
    /// Family-wise error over all rows and looks, for each direction: 1/N for a whole N
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub alpha: f64,
    /// Pairs after which a decision may be taken; even and growing
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_value = "14,24,34,44")]
    pub looks: Vec<u32>,
    /// End measuring after this time; what is undecided then is inconclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub max_time: Option<Duration>,
    /// Measure a worse row again, with fresh pairs, before it fails the gate
    #[arg(long)]
    pub confirm: bool,
    /// Exit with 4 where a row is inconclusive
    #[arg(long)]
    pub strict: bool,
    /// Exit with 4 where a larger share of the rows is inconclusive
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub max_inconclusive: Option<f64>,
    /// Where the host of a stored baseline is unlike this one: exit with 3, or go on without it
    #[arg(long, value_enum, default_value = "fail")]
    pub on_unlike: OnUnlike,
    /// Change a value of the scenario, as for `run`
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Seed of the order and of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The folder of the gate itself [default: zokio-results/gate-RUN_ID]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write JUnit XML here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write Markdown here; - is standard output
    #[arg(long, value_name = "FILE|-")]
    pub markdown: Option<PathBuf>,
    /// Print annotations for GitHub Actions, and add the page to its step summary
    #[arg(long)]
    pub github: bool,
    /// Write Bencher Metric Format here
    #[arg(long, value_name = "FILE")]
    pub bmf: Option<PathBuf>,
    /// Write smaller-is-better.json and bigger-is-better.json for github-action-benchmark into this folder
    #[arg(long, value_name = "DIR")]
    pub gha_json: Option<PathBuf>,
    /// Write gate.json here too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the page here too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Prove the gate on this host, now: equal sides pass, 5 % more work is found
    #[arg(long, conflicts_with_all = ["base_bin", "base_rev", "baseline"])]
    pub self_test: bool,
    /// Measure although both executables are the same
    #[arg(long)]
    pub measure_identical: bool,
    /// Give the candidate so much more work: a fault planted to see it found
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub plant: Option<f64>,
    /// Plant it only in each so-many-th millisecond
    #[arg(long, value_name = "N", requires = "plant", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub plant_one_in: u32,
    /// Gate a debug build, and under any load: for tests of the gate itself, which run beside others
    #[arg(long, hide = true)]
    pub allow_debug: bool,
    /// Keep absolute paths in what is written
    #[arg(long)]
    pub with_identity: bool,
}

/// What becomes of a stored baseline of an unlike host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnUnlike {
    /// Exit with 3
    #[default]
    Fail,
    /// Go on without it
    Skip,
}

/// `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no share: write 5% or 0.05");
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().map_err(|_| wrong())? / whole;
    if share.is_finite() && share > 0.0 && share <= 10.0 { Ok(share) } else { Err(wrong()) }
}

/// `id` or `id=10%`.
fn metric(text: &str) -> Result<(String, Option<f64>), String> {
    let (id, tolerance) = match text.split_once('=') {
        Some((id, tolerance)) => (id, Some(share(tolerance)?)),
        None => (text, None),
    };
    if crate::scenario::metric(id).is_none() {
        return Err(format!("no metric `{id}`; `zokio-bench list` prints them"));
    }
    Ok((id.to_owned(), tolerance))
}

/// `120s`, as in a scenario.
fn time(text: &str) -> Result<Duration, String> {
    crate::scenario::duration(text).ok_or_else(|| format!("`{text}` is no time: write 120s or 2m"))
}
