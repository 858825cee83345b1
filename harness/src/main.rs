//! The command line of `zokio-bench`: as a subject when it is started as one, else a command for the user.

use std::process::ExitCode;

use clap::Parser;
use zokio_bench::cli::Cli;
use zokio_bench::subject::{registry, serve};

fn main() -> ExitCode {
    // First of all, and without parsing: a trial's process shall be ready within milliseconds.
    if let Some(code) = serve::from_arguments(&registry()) {
        return code;
    }
    match Cli::parse().command.dispatch() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
