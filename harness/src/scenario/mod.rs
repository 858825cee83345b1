//! Scenario files: from TOML to a checked [`Suite`], or to every mistake at once.
//!
//! ```text
//! text ─tree─▶ Table ─sets─▶ Table ─walk──────▶ keys, types, units          (each mistake where it stands)
//!                              │
//!                              └─merge─▶ matrix ─validate─▶ Suite of cases   (what several values must agree on)
//! ```
//!
//! The format itself is data, in `keys`; the check, `--set`, the matrix, the merging of defaults and the JSON Schema all read it
//! there. Where next: [`load()`] to read a scenario, [`Suite`] for what it means, [`crate::plan`] for what will run.

mod builtin;
mod case;
mod diagnostic;
mod gate;
mod goals;
mod keys;
mod load;
mod matrix;
mod merge;
mod metric;
mod quantity;
mod schema;
mod sets;
mod shape;
mod sizes;
mod source;
mod suite;
pub mod targets;
mod tree;
mod validate;
mod walk;
mod workloads;

pub use builtin::{names as builtin_names, text as builtin_text};
pub use case::SUBJECTS;
pub use diagnostic::{Diagnostic, render};
pub use gate::GateSpec;
pub use load::{load, load_builtin, parse};
pub(crate) use metric::is_measurable;
pub use metric::{MetricId, all as metrics, find as metric};
pub use schema::json_schema;
pub use source::{FILE_BYTES_MAX, Source, Span};
pub use suite::{CaseSpec, Cpus, Placement, Suite, Warmup, Workers};
pub(crate) use validate::sha256;

/// A duration as a user writes it, `300ms`; `None` for anything else.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    quantity::DURATION.parse(text).ok().map(std::time::Duration::from_nanos)
}
