//! Subjects: what is measured, and how the orchestrator talks to it.
//!
//! A *subject* is any executable that answers the [`protocol`]. This binary holds four for whole programs: [`zokio`], [`tokio`] in two
//! layouts, and the [`ceiling`] without any runtime; the server [`hyper`]; and libraries that have one workload alone: [`allocators`], [`pools`], and the queue
//! of [`crossbeam`]. [`serve`] is the side inside the trial, [`spawn`] the side outside.

pub mod allocators;
pub mod application;
pub mod body;
pub mod ceiling;
pub mod crossbeam;
pub mod hyper;
pub mod pools;
pub mod protocol;
pub mod queue;
pub mod serve;
pub mod spawn;
pub mod threads;
pub mod tokio;
pub mod variant;
pub mod zokio;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::result::BuildInfo;

use self::protocol::Trial;

/// The CPUs of a trial's workers, one worker each; those of the process where the trial names none.
pub fn worker_cpus(trial: &Trial) -> Vec<u32> {
    let cpus = if trial.cpus.is_empty() { crate::measure::cpu::thread_cpus() } else { trial.cpus.clone() };
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// How this executable was built, as far as it knows itself.
pub fn build_info() -> BuildInfo {
    BuildInfo { profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(), ..BuildInfo::default() }
}

/// A worker that could not be pinned.
pub(crate) fn not_pinned(cpu: u32, error: &std::io::Error) -> Failure {
    Failure { class: "affinity".into(), message: format!("cannot pin a worker to CPU {cpu}: {error}") }
}

/// The subjects of this executable, in the order of comparison.
pub fn registry() -> Vec<&'static dyn serve::Subject> {
    vec![
        &zokio::Zokio,
        &tokio::Tokio,
        &tokio::TokioCt,
        &hyper::Hyper,
        &ceiling::Ceiling,
        &crossbeam::CrossbeamDeque,
        &allocators::System,
        #[cfg(feature = "mimalloc")]
        &allocators::Mimalloc,
        &pools::ArrayQueue,
        &pools::Mutex,
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_peer_tells_the_version_in_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let packages = [
            ("tokio", "tokio"),
            ("tokio-ct", "tokio"),
            ("hyper", "hyper"),
            ("crossbeam-deque", "crossbeam-deque"),
            ("array-queue", "crossbeam-queue"),
            ("mimalloc", "mimalloc"),
        ];
        let subjects = super::registry();
        for (name, package) in packages {
            let told = subjects.iter().map(|subject| subject.describe()).find(|described| described.name == name);
            let Some(told) = told else {
                assert!(name == "mimalloc" && !cfg!(feature = "mimalloc"), "{name} is not registered");
                continue;
            };
            assert!(lock.contains(&format!("name = \"{package}\"\nversion = \"{}\"\n", told.version)), "{name} {}", told.version);
        }
    }
}
