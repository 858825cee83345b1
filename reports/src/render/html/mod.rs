//! One HTML file over one or several results: no network, no script, light and dark by the reader's setting.
//!
//! ```text
//! banner      verdict, validity, provenance
//! lost first  every comparison that was lost, then invalid, suspect and skipped rows
//! forest      all ratios with their intervals
//! scaling     throughput over workers with the fitted law, where a scenario varies them
//! cases       table · latency curves · strip of trials · targets · thresholds · guards
//! host        what it was measured on
//! reading     what the words mean
//! ```

mod case;
pub(super) mod host;
mod overview;
pub(super) mod reading;
mod scaling;
mod style;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::schema::result::RunResult;

/// The page.
pub fn page(results: &[RunResult]) -> String {
    let title = match results {
        [] => "zokio-bench: no result".to_string(),
        [one] => format!("zokio-bench: {}, {}", one.suite.name, one.verdict.summary),
        many => format!("zokio-bench: {} results", many.len()),
    };
    let body = html! {
        @if results.is_empty() {
            main { p { "There is no result to show." } }
        }
        @if results.len() > 1 {
            nav aria-label="Results" {
                ol { @for (index, result) in results.iter().enumerate() {
                    li { a href=(format!("#run{index}")) { (result.suite.name) ", " (result.started_at) } " " (result.verdict.summary) }
                } }
            }
        }
        @for (index, result) in results.iter().enumerate() {
            (run(result, index))
        }
    };
    document(&title, &body)
}

/// A whole page with the project's style sheet inside.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(style::CSS)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

fn run(result: &RunResult, index: usize) -> Markup {
    html! {
        (overview::banner(result, index))
        main {
            (overview::lost_first(result))
            (overview::ratios(result))
            (scaling::section(result))
            @for (case_index, case) in result.cases.iter().enumerate() {
                (case::section(case, &format!("run{index}-case{case_index}")))
            }
            (host::section(&result.host, &result.calibration))
            (reading::section())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::sample::{Journal, full_result};
    use crate::schema::journal::{Failure, Outcome};

    #[test]
    fn the_page_needs_no_network_and_no_script() {
        let page = page(std::slice::from_ref(full_result()));
        for forbidden in ["http://", "https://", "src=", "@import", "url(", "<script", "<link"] {
            let found = page.replace("http://www.w3.org/2000/svg", "").contains(forbidden);
            assert!(!found, "{forbidden}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(!page.contains("NaN") && !page.contains("Infinity") && !page.contains('∞'));
    }

    #[test]
    fn the_page_says_what_its_numbers_are() {
        let page = page(std::slice::from_ref(full_result()));
        for needed in [
            "Rates count successes only",
            "closed loop of 64 users: service time",
            "not comparable",
            "Lost",
            "littles-law",
            "AMD EPYC",
            "hwloc 2.9.0",
            "control, not ranked",
            "<title>Service time by percentile",
        ] {
            assert!(page.contains(needed), "{needed}");
        }
        assert!(page.find("Lost").unwrap() < page.find("Ratios").unwrap());
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut journal = Journal::round_trips();
        let message = "<script>alert(1)</script>".to_string();
        journal.each_trial("ceiling", |trial| trial.outcome = Outcome::Failed(Failure { class: "junk".into(), message: message.clone() }));
        journal.each("tokio", |_, evidence| evidence.steal_share = Some(0.5));
        let page = page(&[journal.summarize()]);
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;"));
        assert!(page.contains("class=\"suspect\""), "a suspect row is struck through");
    }

    #[test]
    fn absurd_records_still_make_a_page() {
        let mut journal = Journal::round_trips();
        journal.each("zokio", |record, _| record.elapsed_ns = 0);
        journal.each("tokio", |record, _| (record.work.ok, record.elapsed_ns) = (u64::MAX, 1));
        journal.each("ceiling", |record, _| record.histograms.clear());
        let page = page(&[journal.summarize()]);
        assert!(!page.contains("NaN") && !page.contains("inf ") && !page.contains("\"inf"));
        assert!(page.contains("no rate follows"));
    }

    #[test]
    fn several_results_share_one_page() {
        let page = page(&[Journal::round_trips().summarize(), Journal::apart().summarize()]);
        assert!(page.contains("href=\"#run1\"") && page.contains("id=\"run1\""));
        assert!(super::page(&[]).contains("no result"));
    }
}
