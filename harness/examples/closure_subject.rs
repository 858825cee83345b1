//! A closure of your own as a subject: a suite with `[scenario.custom]` and `--subject mine=target/release/examples/closure_subject`.
use std::hint::black_box;
use std::process::ExitCode;

use zokio_bench::subject::serve::serve_fn;

const TEXT: &str = "17 4 23 42 8 15 16 108";
const SUM: u32 = 233;

fn main() -> ExitCode {
    // One operation parses the text; it holds when the sum is right.
    serve_fn("mine", |operations| {
        let parse = || black_box(TEXT).split(' ').filter_map(|word| word.parse::<u32>().ok()).sum::<u32>();
        (0..operations).filter(|_| parse() == SUM).count() as u64
    })
}
