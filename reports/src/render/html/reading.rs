//! How to read the page, in the page.

use maud::{Markup, html};

/// Term and explanation.
const TERMS: [(&str, &str); 12] = [
    (
        "Rates",
        "Rates count successes only, divided by the time the clock showed. An operation that failed, or whose content was not right, is an error and nothing else.",
    ),
    (
        "Values",
        "Each trial is a fresh process. A value is the median over its trials; the interval is the 95 % interval of that median from order statistics, and needs at least 6 trials.",
    ),
    (
        "Closed loop: service time",
        "Each user starts its next operation when the last one ended. The times are service times, from hand-over to reply. They are not response times under an offered rate: a stalled server is not charged for requests that were never sent.",
    ),
    (
        "Open loop: response time",
        "Operations start by a schedule that nothing delays. The times are response times, from the intended start to the reply: a stall is charged to every operation it kept waiting. What is offered while as many as allowed are under way is an error of class overload.",
    ),
    (
        "Under stress",
        "Full load, then more than that, then less, in one trial. The overload is relative to what the same trial did at full load. Recovered: the mean response time of three intervals in a row is at most twice the mean time at full load, or a millisecond where that is more. Memory grows: the slope of the resident memory at full load, by least squares.",
    ),
    ("CPU / op", "CPU time of the measured window by the kernel's account, over successes. It survives a noisy host; throughput does not."),
    (
        "Comparisons",
        "Subjects run interleaved: two trials of the same half block are a pair. The ratio is the median of the paired ratios. Better and worse mean: significant at 95 % by an exact test, corrected over all primary comparisons of the run, and more than 2 % apart. Same means: the whole interval lies within ±5 %. Everything else is inconclusive.",
    ),
    (
        "Core state",
        "Hosts move virtual CPUs closer together and further apart. Trials are compared within one state only; pairs left out are counted.",
    ),
    ("Suspect", "Struck through: something disturbed the row, and it must not be quoted. It is compared, with that in mind."),
    ("Invalid", "The number is not a measurement of what it claims. It is not ranked, and held against no target."),
    (
        "Targets",
        "Figures from other hosts are shown and never compared as reached or missed. A relative target is judged by the unfavourable end of the paired interval in this run.",
    ),
    (
        "together, apart",
        "Together: one process is client and server, a worker per CPU. Apart: the subject serves, and one client drives all subjects. Rows of one kind are never ranked with rows of the other.",
    ),
];

pub(super) fn section() -> Markup {
    html! {
        section class="reading" {
            h2 { "How to read this" }
            (terms(&TERMS))
            p { "Raw data: " code { "records.jsonl" } " (every trial) and " code { "result.json" } " lie beside this file; the page can be made again from them
                 with " code { "zokio-bench report" } "." }
        }
    }
}

/// Terms with their explanations.
pub(in crate::render) fn terms(terms: &[(&str, &str)]) -> Markup {
    html! { dl { @for (term, text) in terms { dt { (term) } dd { (text) } } } }
}
