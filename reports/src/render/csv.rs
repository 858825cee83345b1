//! One line per case, subject and metric, for spreadsheets and scripts.

use crate::schema::result::RunResult;
use crate::schema::validity::ValidityState;

const HEADINGS: &str = "run_id,case,role,endpoints,subject,version,driver,state,metric,unit,better,value,ci_level,ci_lo,ci_hi,n";

/// The metrics of a result as CSV (RFC 4180, line feed, a heading line); an absent number is an empty field.
pub fn render(result: &RunResult) -> String {
    let mut text = format!("{HEADINGS}\n");
    for case in &result.cases {
        for row in &case.subjects {
            for metric in &row.metrics {
                let ci = |pick: fn(&crate::schema::result::Interval) -> f64| metric.ci.as_ref().map(pick);
                let fields = [
                    result.run_id.clone(),
                    case.id.clone(),
                    format!("{:?}", case.role).to_lowercase(),
                    case.endpoints.clone(),
                    row.subject.clone(),
                    row.version.clone(),
                    row.driver.clone(),
                    state(row.validity.state).into(),
                    metric.id.clone(),
                    metric.unit.clone(),
                    format!("{:?}", metric.better).to_lowercase(),
                    number(metric.value),
                    number(ci(|ci| ci.level)),
                    number(ci(|ci| ci.lo)),
                    number(ci(|ci| ci.hi)),
                    metric.n.to_string(),
                ];
                text.push_str(&fields.map(|field| quoted(&field)).join(","));
                text.push('\n');
            }
        }
    }
    text
}

fn state(state: ValidityState) -> &'static str {
    match state {
        ValidityState::Valid => "valid",
        ValidityState::Suspect => "suspect",
        ValidityState::Invalid => "invalid",
        ValidityState::Skipped => "skipped",
    }
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}
