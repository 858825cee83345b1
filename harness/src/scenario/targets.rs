//! `configs/targets.toml`: figures that others published, shown beside every case whose primary metric they speak of.

use std::sync::{Arc, LazyLock};

use zokio_report::schema::journal::{TargetKind, TargetSpec};

use super::diagnostic::{Diagnostic, Findings};
use super::goals::check_figure;
use super::keys::TARGETS_FILE;
use super::metric;
use super::source::{Source, Span};
use super::tree::{self, Node};
use super::walk::{check_table, metric_value};

const TEXT: &str = include_str!("../../../configs/targets.toml");

/// A published figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The only workload that it speaks of; `None`: any with its metric.
    pub workload: Option<String>,
    /// The figure.
    pub target: TargetSpec,
}

static BUILT_IN: LazyLock<Vec<Published>> = LazyLock::new(|| match parse(Source::new("configs/targets.toml", TEXT)) {
    Ok(targets) => targets,
    Err(found) => panic!("the targets built in are wrong:\n{}", super::render(&found)),
});

/// The published targets built in.
pub fn all() -> &'static [Published] {
    &BUILT_IN
}

/// Those of a workload and its metric.
pub fn published(workload: &str, metric: &str) -> Vec<TargetSpec> {
    let speaks_of_it = |known: &&Published| known.target.metric == metric && known.workload.as_deref().is_none_or(|only| only == workload);
    all().iter().filter(speaks_of_it).map(|known| known.target.clone()).collect()
}

/// Reads a file of targets.
///
/// # Errors
/// Every mistake in it.
pub fn parse(source: Source) -> Result<Vec<Published>, Vec<Diagnostic>> {
    let source = Arc::new(source);
    let mut findings = Findings::default();
    let file = tree::parse(&source, &mut findings);
    check_table(TARGETS_FILE, &file, "", &Span::new(&source, 0..0), &mut findings);
    let mut targets = Vec::new();
    for table in file.get("target").map_or(&[] as &[Node], Node::elements).iter().filter_map(Node::table) {
        let text = |key: &str| table.get(key).and_then(Node::text).map(str::to_owned);
        let known = text("metric").and_then(|id| metric::find(&id));
        let (Some(known), Some(value), Some(source)) = (known, table.get("value"), text("source")) else { continue };
        check_figure(value, known.unit, "target", &mut findings);
        if let Ok(value) = metric_value(value, known.unit) {
            let kind = TargetKind::Published { value, source, date: text("date"), hardware: text("hardware") };
            let target = TargetSpec { metric: known.id, kind, severity: None };
            targets.push(Published { workload: text("workload"), target });
        }
    }
    if findings.is_empty() { Ok(targets) } else { Err(findings.into_sorted()) }
}
