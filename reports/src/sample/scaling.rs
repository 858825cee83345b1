//! A synthetic result over numbers of workers: every subject follows the law with coefficients of its own.

use serde_json::{Map, Value};

use super::{Journal, jitter};
use crate::judge::scaling;
use crate::schema::result::RunResult;
use crate::schema::scaling::WORKERS_AXIS;
use crate::stats::usl::Usl;
use crate::stats::{interval, quantile};

/// γ, α, β of each subject: nearly proportional, with a peak inside, with one beyond, and without loss.
const LAWS: [(f64, f64, f64); 4] = [(9.0e6, 0.02, 0.0001), (4.0e6, 0.08, 0.0009), (5.0e6, 0.05, 0.0), (12.0e6, 0.0, 0.0)];

/// Eight numbers of workers up to 64.
pub(crate) fn result() -> RunResult {
    results_of(&[1, 2, 4, 8, 16, 32, 48, 64])
}

/// A result with these numbers of workers, judged.
pub(crate) fn results_of(workers: &[u32]) -> RunResult {
    let mut result = Journal::round_trips().summarize();
    let whole = result.cases.remove(0);
    for &count in workers {
        let mut case = whole.clone();
        case.scenario = "spawn".into();
        case.id = format!("spawn/{WORKERS_AXIS}={count}");
        case.params = Map::from_iter([(WORKERS_AXIS.to_owned(), Value::from(count))]);
        case.cpus = [("all".to_owned(), (0..count).collect())].into();
        for (index, row) in case.subjects.iter_mut().enumerate() {
            let (gamma, alpha, beta) = LAWS[index];
            let law = Usl { gamma, alpha, beta, is_beta_fixed: false };
            let metric = row.metrics.iter_mut().find(|metric| metric.id == case.primary_metric).expect("the primary metric");
            let place = |trial: usize| jitter(u64::from(count) * 100 + index as u64 * 10 + trial as u64);
            let trials: Vec<f64> = (0..metric.trials.len()).map(|trial| law.at(count.into()) * (0.98 + 0.04 * place(trial))).collect();
            (metric.value, metric.ci) = (quantile::median(&trials), interval::median_interval(&trials));
            metric.trials = trials.into_iter().map(Some).collect();
        }
        result.cases.push(case);
    }
    result.scaling = scaling::judge(&result.cases, &result.host);
    result
}
