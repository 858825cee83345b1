//! Cases over numbers of workers: which numbers a host has, and which CPUs they get.
//!
//! ```text
//! "placement.workers" = ["doubling"]   on 6 CPUs   ──▶   …=1   …=2   …=4   …=6
//! ```
//! A suite is the same on every host; what its axis means on this one is settled here, when the plan is made.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use zokio_report::schema::scaling::WORKERS_AXIS;

use crate::scenario::{CaseSpec, Cpus, Placement, Workers};

/// The cases with every `doubling` written out for a host with so many CPUs; a case that another value of the axis gives too is made once.
pub(crate) fn on_host(cases: &[CaseSpec], cpus_allowed: usize) -> Vec<CaseSpec> {
    let mut seen = BTreeSet::new();
    cases.iter().flat_map(|case| written_out(case, cpus_allowed)).filter(|case| seen.insert(case.id.clone())).collect()
}

fn written_out(case: &CaseSpec, cpus_allowed: usize) -> Vec<CaseSpec> {
    let Placement::Together { cpus, workers: Some(workers @ Workers::Doubling) } = &case.placement else { return vec![case.clone()] };
    let available = if let Cpus::List(list) = cpus { list.len() } else { cpus_allowed };
    let axis = |value: &Json| format!("{WORKERS_AXIS}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let with = |count: u32| CaseSpec {
        id: case.id.replace(&axis(&workers.to_json()), &axis(&Json::from(count))),
        params: case
            .params
            .iter()
            .map(|(key, value)| (key.clone(), if key == WORKERS_AXIS { count.into() } else { value.clone() }))
            .collect(),
        placement: Placement::Together { cpus: cpus.clone(), workers: Some(Workers::Count(count)) },
        ..case.clone()
    };
    doubling(u32::try_from(available).unwrap_or(u32::MAX)).into_iter().map(with).collect()
}

/// 1, 2, 4, … below `most`, and `most`.
fn doubling(most: u32) -> Vec<u32> {
    let most = most.max(1);
    (0..u32::BITS).map(|power| 1 << power).take_while(|count| *count < most).chain([most]).collect()
}

/// `allowed` in the order in which workers get them: one CPU of every core, then the second of every core, and so on.
///
/// `cores` are the CPUs of each core, the core to be used first at the front. A CPU that no core names stands after the first round: nothing
/// is known of what it shares.
pub fn cores_first(allowed: &[u32], cores: &[Vec<u32>]) -> Vec<u32> {
    let place = |cpu: u32| {
        let core = cores.iter().position(|core| core.contains(&cpu));
        let round = core.and_then(|core| cores[core].iter().filter(|other| allowed.contains(other)).position(|other| *other == cpu));
        (round.unwrap_or(1), core.unwrap_or(usize::MAX), cpu)
    };
    let mut ordered = allowed.to_vec();
    ordered.sort_by_cached_key(|cpu| place(*cpu));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_ends_with_all() {
        let cases = [(0, vec![1]), (1, vec![1]), (2, vec![1, 2]), (6, vec![1, 2, 4, 6]), (8, vec![1, 2, 4, 8])];
        for (most, expected) in cases {
            assert_eq!(doubling(most), expected, "{most}");
        }
        assert_eq!(doubling(64).len(), 7);
    }

    #[test]
    fn further_threads_of_a_core_come_last() {
        // Siblings numbered side by side, and half a machine apart.
        assert_eq!(cores_first(&[0, 1, 2, 3], &[vec![0, 1], vec![2, 3]]), [0, 2, 1, 3]);
        assert_eq!(cores_first(&[0, 1, 2, 3], &[vec![0, 2], vec![1, 3]]), [0, 1, 2, 3]);
        // The first allowed CPU of a core counts as its first.
        assert_eq!(cores_first(&[1, 2, 3], &[vec![0, 1], vec![2, 3]]), [1, 2, 3]);
        // The order of the cores is kept: node by node.
        assert_eq!(cores_first(&[0, 1, 2, 3], &[vec![0], vec![2], vec![1], vec![3]]), [0, 2, 1, 3]);
        assert_eq!(cores_first(&[7, 0], &[vec![0]]), [0, 7]);
        assert_eq!(cores_first(&[3, 5], &[]), [3, 5]);
    }
}
