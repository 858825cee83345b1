//! What a watched trial and an overload came to, in one line a subject: the same words in every renderer.

use super::view::with_interval;
use crate::judge::compare::find;
use crate::schema::result::{CaseResult, SubjectResult};
use crate::units::{Share, grouped, maybe_with_unit};

/// One line for each subject of the case whose trials were watched; none for other cases.
pub(super) fn lines(case: &CaseResult) -> Vec<String> {
    case.subjects.iter().filter_map(|row| Some(format!("{}: {}", row.subject, parts(row)?.join("; ")))).collect()
}

fn parts(row: &SubjectResult) -> Option<Vec<String>> {
    let shown = |id: &str| find(row, id).map(|metric| maybe_with_unit(metric.value, &metric.unit));
    let share = |id: &str| find(row, id).and_then(|metric| metric.value).map(|value| Share(value).to_string());
    let mut parts = vec![format!("peak {}", shown("peak_rate_per_s")?)];
    parts.extend(shown("longest_gap_ns").map(|gap| format!("longest gap {gap}")));
    let memory = shown("rss_peak_bytes").zip(shown("rss_after_bytes"));
    parts.extend(memory.map(|(peak, after)| format!("memory {peak} at most, {after} after")));
    parts.extend(find(row, "leak_kib_per_s").map(|metric| format!("memory grows {}", with_interval(metric))));
    if let Some(rate) = shown("overload_rate_per_s") {
        let (served, p99) = (share("overload_success_rate"), shown("overload_response_time_ns_p99"));
        let errors = row.overload.as_ref().map(errors).unwrap_or_default();
        parts.push(format!("overload {rate}, {} served{errors}, p99 {}", served.unwrap_or_default(), p99.unwrap_or_default()));
    }
    parts.extend(shown("recovery_time_ns").map(|time| format!("recovered in {time}")));
    Some(parts)
}

/// ` (overload 12,345)`: the errors of the overloads by class.
fn errors(parts: &crate::schema::open::OverloadResult) -> String {
    let classes: Vec<String> = parts.overload.errors.iter().map(|(class, count)| format!("{class} {}", grouped(*count))).collect();
    if classes.is_empty() { String::new() } else { format!(" ({})", classes.join(", ")) }
}
