//! Two sides of a comparison as Markdown, and the words that the terminal shares; see [`super::terminal::compare`].

use std::fmt::Write as _;

use crate::judge::hosts;
use crate::schema::compare::{CompareResult, CompareRow, CompareSide, CompareVerdict};
use crate::units::{ABSENT, Ratio, maybe_with_unit};

use super::markdown::cell;
use super::view;

/// The comparison as JSON, for machines.
pub fn json(compared: &CompareResult) -> String {
    let mut text = serde_json::to_string_pretty(compared).expect("string keys and finite numbers");
    text.push('\n');
    text
}

/// The comparison as GitHub-flavoured Markdown.
pub fn markdown(compared: &CompareResult) -> String {
    let mut text = format!("## a / b: {}\n\n", cell(&title(compared)));
    for (name, side) in [("a", &compared.a), ("b", &compared.b)] {
        let _ = writeln!(text, "- {name}: {}", cell(&side_line(side)));
    }
    text.push('\n');
    if !compared.unlike.is_empty() {
        let table = hosts::table(&compared.unlike).into_iter().map(|line| line.replace('`', "'")).collect::<Vec<_>>().join("\n");
        let _ = writeln!(text, "Fields in which the hosts differ (base: b, here: a)\n\n```text\n{table}\n```\n");
    }
    for rows in cases(compared) {
        let _ = writeln!(text, "### {}\n", cell(&rows[0].case));
        text.push_str("| subject | metric | a | b | a / b | 95 % | n | verdict |\n|---|---|--:|--:|--:|--:|--:|---|\n");
        for row in rows {
            let words = words(row);
            let verdict = match (&row.reason, row.verdict) {
                (None, _) => words.verdict.into(),
                (Some(reason), CompareVerdict::NotComparable) => format!("{} because {reason}", words.verdict),
                (Some(reason), _) => format!("{}; {reason}", words.verdict),
            };
            let cells = [words.subject, words.metric, words.a, words.b, words.ratio, words.ci, words.n, verdict];
            let _ = writeln!(text, "| {} |", cells.map(|text| cell(&text)).join(" | "));
        }
        text.push('\n');
    }
    for note in &compared.notes {
        let _ = writeln!(text, "- {}", cell(note));
    }
    let _ = writeln!(text, "- {}", cell(&summary(compared)));
    text
}

/// What is compared with what.
pub(super) fn title(compared: &CompareResult) -> String {
    let subject = |side: &CompareSide| side.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
    if compared.paired {
        return format!("{}:{} and{} of one run, trials interleaved", compared.a.suite, subject(&compared.a), subject(&compared.b));
    }
    let (a, b) = (&compared.a, &compared.b);
    format!("{}{} and {}{} of two runs, not interleaved", a.suite, subject(a), b.suite, subject(b))
}

pub(super) fn side_line(side: &CompareSide) -> String {
    let subject = side.subject.as_ref().map(|subject| format!(", subject {subject}")).unwrap_or_default();
    let commit = side.git_sha.as_deref().unwrap_or("unknown");
    format!("{}, run {} of {}, commit {commit}{subject}", side.suite, side.run_id, side.started_at)
}

/// The rows, by case, in the order of the result.
pub(super) fn cases(compared: &CompareResult) -> impl Iterator<Item = &[CompareRow]> {
    compared.rows.chunk_by(|row, next| row.case == next.case)
}

/// Every cell of a row as it is shown.
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) metric: String,
    pub(super) a: String,
    pub(super) b: String,
    pub(super) ratio: String,
    pub(super) ci: String,
    pub(super) n: String,
    pub(super) verdict: &'static str,
}

pub(super) fn words(row: &CompareRow) -> Words {
    let same_name = row.subject == row.against;
    Words {
        subject: if same_name { row.subject.clone() } else { format!("{} / {}", row.subject, row.against) },
        metric: row.metric.clone(),
        a: maybe_with_unit(row.a, &row.unit),
        b: maybe_with_unit(row.b, &row.unit),
        ratio: row.ratio.map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string()),
        ci: row.ci.map_or_else(|| ABSENT.into(), view::interval),
        n: if row.n_a == row.n_b { row.n_a.to_string() } else { format!("{}, {}", row.n_a, row.n_b) },
        verdict: match row.verdict {
            CompareVerdict::Better => "better",
            CompareVerdict::Same => "same",
            CompareVerdict::Worse => "worse",
            CompareVerdict::Inconclusive => "inconclusive",
            CompareVerdict::NotInterleaved => "not interleaved: no verdict",
            CompareVerdict::NotComparable => "not comparable",
        },
    }
}

/// How many rows came to what.
pub(super) fn summary(compared: &CompareResult) -> String {
    let count = |verdict: CompareVerdict| compared.rows.iter().filter(|row| row.verdict == verdict).count();
    let not = count(CompareVerdict::NotComparable);
    let all = compared.rows.len();
    if !compared.paired {
        return format!("{} of {all} rows have a ratio, {not} are not comparable; none has a verdict", all - not);
    }
    format!(
        "{} better, {} same, {} worse, {} inconclusive, {not} not comparable",
        count(CompareVerdict::Better),
        count(CompareVerdict::Same),
        count(CompareVerdict::Worse),
        count(CompareVerdict::Inconclusive)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::across::{Side, between, within};
    use crate::sample::full_result;

    fn paired() -> CompareResult {
        within(full_result(), "zokio", "tokio")
    }

    /// The sample's host tells too little to be compared with anything.
    fn refused() -> CompareResult {
        let side = Side { result: full_result(), subject: None };
        between(side, side)
    }

    #[test]
    fn a_pair_shows_both_values_the_ratio_and_the_verdict() {
        let text = markdown(&paired());
        assert!(text.starts_with("## a / b: tcp: zokio and tokio of one run, trials interleaved\n"), "{text}");
        let row = text.lines().find(|line| line.starts_with("| zokio / tokio | round_trips_per_s |")).expect("its row");
        assert!(row.contains("| 2.0") && row.ends_with("| 10 | better |"), "{row}");
        assert!(!text.contains("not interleaved"), "{text}");
    }

    #[test]
    fn hosts_that_are_unlike_show_their_fields_and_every_row_its_reason() {
        let compared = refused();
        let text = markdown(&compared);
        assert!(text.contains("cpu_model") && text.contains("not told"), "{text}");
        assert_eq!(text.matches("not comparable because the hosts are unlike: arch").count(), compared.rows.len());
        assert!(text.contains(&format!("0 of {0} rows have a ratio, {0} are not comparable", compared.rows.len())), "{text}");
    }

    #[test]
    fn text_of_a_result_cannot_break_the_table() {
        let mut compared = refused();
        compared.rows.truncate(1);
        compared.rows[0].subject = "a|b<script>\n".into();
        compared.unlike[0].here = Some("```\n# out".into());
        compared.notes.push("[x](javascript:0)".into());
        let text = markdown(&compared);
        assert!(text.contains("a\\|b&lt;script&gt; ") && !text.contains("<script") && !text.contains("\n# out"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
        assert!(!text.contains("[x](") && text.contains("\\[x\\]("), "{text}");
    }

    #[test]
    fn json_is_read_back_as_it_was() {
        for compared in [paired(), refused()] {
            assert_eq!(serde_json::from_str::<CompareResult>(&json(&compared)).expect("JSON"), compared);
        }
        assert!(json(&refused()).contains("\"not_comparable\"") && paired().rows.iter().any(|row| row.verdict == CompareVerdict::Better));
    }
}
