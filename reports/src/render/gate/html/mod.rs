//! `gate.html`: one file, no network, no script, light and dark by the reader's setting.
//!
//! ```text
//! banner      verdict, exit code, what was compared with what
//! ratios      all of them with their intervals, the threshold, and a table
//! rows        worst first: both sides in the order of the trials, each pair's ratio
//! thresholds  limits that need no base
//! host, notes, reading
//! ```

mod banner;
mod rows;

use maud::{Markup, html};

use super::words;
use crate::render::html::{document, host, reading};
use crate::schema::gate::GateResult;

/// Term and explanation.
const TERMS: [(&str, &str); 8] = [
    (
        "Pairs",
        "Each trial is a fresh process. A trial of the base and one of the candidate stand next to each other; who goes first changes from pair to pair. Only the two trials of a pair are compared with each other, so that a slow spell of the host costs both.",
    ),
    (
        "Worse by 1.05×",
        "It takes 1.05 times as long, or does 1/1.05 of the work per second, whichever way the metric goes. The number is e to the median of the pairs' log ratios. Above 1 the candidate is worse; where the interval holds 1, the ratio stands without a word.",
    ),
    (
        "Interval",
        "The 99 % interval of the median from order statistics. It is not corrected for the number of looks and rows; the p value is.",
    ),
    (
        "Worse, better",
        "An exact signed-rank test over the pairs says so, shared over all rows and looks; the median is more than half the threshold away from 1, further than code layout alone was seen to move it; and the difference of the medians is above what the clock can tell.",
    ),
    ("Same", "The whole interval lies within the threshold."),
    ("Inconclusive", "Too much scatter for the pairs allowed: neither worse nor the same could be shown."),
    (
        "Sees",
        "The least slow-down that the row would have found nine times in ten, from the scatter of its own pairs. A gate that sees less than the threshold proves little by passing.",
    ),
    ("Stored", "A stored result was measured at another time, maybe on another host: it informs, and never fails a gate."),
];

/// The page.
pub fn render(result: &GateResult) -> String {
    let body = html! {
        (banner::header(result))
        main {
            (rows::ratios(result))
            (rows::each(result))
            (thresholds(result))
            (list("Notes", &words::notes(result)))
            (host::section(&result.host, &result.calibration))
            section class="reading" {
                h2 { "How to read this" }
                (reading::terms(&TERMS))
                p { "The same as data, with every pair: " code { "gate.json" } " beside this file." }
            }
        }
    };
    document(&format!("zokio-bench gate: {}", result.outcome.word.name()), &body)
}

fn thresholds(result: &GateResult) -> Markup {
    if result.thresholds.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Thresholds" }
            ul class="plain" { @for threshold in &result.thresholds {
                li class=(if threshold.fails { "worse" } else { "quiet" }) { (words::threshold(threshold)) }
            } }
        }
    }
}

fn list(heading: &str, entries: &[String]) -> Markup {
    html! { @if !entries.is_empty() { section { h2 { (heading) } ul { @for entry in entries { li { (entry) } } } } } }
}
