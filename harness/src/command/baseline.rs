//! `run --baseline`: an earlier result beside the new one. It informs; only `gate` judges against something.

use std::fmt::Write;

use zokio_report::judge::across::{self, Side};
use zokio_report::judge::hosts;
use zokio_report::schema::compare::CompareVerdict;
use zokio_report::schema::result::RunResult;
use zokio_report::units::{ABSENT, Ratio};

/// What the reader sees: how the hosts differ, and the ratio of each row to its earlier self where they may be compared.
pub fn compare(now: &RunResult, before: &RunResult) -> String {
    let side = |result| Side { result, subject: None };
    let compared = across::between(side(now), side(before));
    let mut text = format!("baseline: run {} of {}\n", before.run_id, before.started_at);
    if hosts::is_refused(&compared.unlike) {
        text.push_str("warning: the hosts are unlike, so no ratio is shown\n");
    } else if !compared.unlike.is_empty() {
        text.push_str("warning: settings of the hosts differ\n");
    }
    if !compared.unlike.is_empty() {
        for line in hosts::table(&compared.unlike) {
            let _ = writeln!(text, "  {line}");
        }
    }
    if hosts::is_refused(&compared.unlike) {
        return text;
    }
    let mut rows: Vec<[String; 4]> = Vec::new();
    for row in compared.rows {
        let ratio = row.ratio.map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string());
        let told = match (row.verdict, row.ci, row.reason) {
            (CompareVerdict::NotComparable, _, reason) => format!("not comparable because {}", reason.unwrap_or_default()),
            (_, Some(ci), _) => format!("{ratio} [{:.3}, {:.3}]", ci.lo, ci.hi),
            _ => ratio,
        };
        rows.push([row.case, row.subject, row.metric, told]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (w0, w1, w2) = (width(0), width(1), width(2));
    for row in &rows {
        let _ = writeln!(text, "  {:w0$}  {:w1$}  {:w2$}  {}", row[0], row[1], row[2], row[3]);
    }
    text.push_str("runs of different times differ by more than their intervals say; `gate` decides, this only informs\n");
    text
}
