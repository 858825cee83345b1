//! Throughput over workers, one paragraph a curve: seven points and three coefficients with intervals fit in no table.

use super::super::{scaling, view};
use super::paint::Paint;
use crate::schema::result::RunResult;

pub(super) fn lines(result: &RunResult, paint: &Paint) -> Vec<String> {
    let Some(section) = &result.scaling else { return Vec::new() };
    let mut lines = vec![paint.strong(scaling::HEADING)];
    let law = "Universal Scalability Law, X(N) = gamma N / (1 + alpha (N-1) + beta N (N-1)): one worker is gamma, contention alpha, coherency \
               beta; 95% \
               intervals by bootstrap over trials.";
    lines.extend(paint.wrapped(&format!("  {law}"), 2).iter().map(|line| paint.faint(line)));
    for note in &section.notes {
        lines.extend(paint.wrapped(&format!("  note: {}", view::printable(note)), 4));
    }
    for group in scaling::groups(section) {
        let heading = format!("  {}, {}", scaling::title(group), group.first().map_or("", |curve| curve.metric.as_str()));
        lines.extend(paint.wrapped(&view::printable(&heading), 4).iter().map(|line| paint.strong(line)));
        for curve in group {
            let words = scaling::words(curve);
            let text = format!(
                "    {}: {}; speed-up {}; one worker {}, contention {}, coherency {}, peak {}; fit: {}",
                curve.subject, words.points, words.speedup, words.gamma, words.alpha, words.beta, words.peak, words.fit
            );
            lines.extend(paint.wrapped(&view::printable(&text.replace("R²", "R2")), 8));
        }
        for note in scaling::curve_notes(group) {
            lines.extend(paint.wrapped(&format!("    note: {note}"), 8));
        }
    }
    lines.push(String::new());
    lines
}
