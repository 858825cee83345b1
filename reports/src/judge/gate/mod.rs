//! How a gate decides: is this build slower than that one?
//!
//! ```text
//!  pair 1   pair 2   …                                     one block = two pairs, base first in one and candidate first in the other
//!  A B      B A      A B B A   B A A B  …
//!  └ d₁     └ d₂                                           d = ln(candidate / base), turned so that above 0 the candidate is worse
//!
//!  n = 14            24                34                44           the only points at which a decision may be taken
//!   ├─ worse  ───▶ ■  ├─ worse  ───▶ ■  ├─ worse  ───▶ ■  ├─ worse          significant, beyond the effect floor, beyond the absolute floor
//!   ├─ better ───▶ ■  ├─ better ───▶ ■  ├─ better ───▶ ■  ├─ better         the same the other way
//!   ├─ same   ───▶ ■  ├─ same   ───▶ ■  ├─ same   ───▶ ■  ├─ same           the whole 99 % interval lies within the threshold
//!   └─ measure on ──▶ └─ measure on ──▶ └─ measure on ──▶ └─ inconclusive
//!      α / (L·m)         α / (L·m)         α / (L·m)         Holm over all rows undecided here, on α / L
//! ```
//!
//! **A row** is one metric of one case against one base. Its first verdict stands: pairs taken later, because another row of the case needs
//! them, are kept and not used. No pair is dropped and none replaced; a value that is missing or not a positive number makes the row
//! invalid.
//!
//! **Significant** is the exact signed-rank test ([`crate::stats::wilcoxon`]), with α shared over the m rows and L looks of the gate: a gate
//! without any change calls some row worse in at most α of its runs, however the rows depend on each other. The early looks share α
//! evenly, so each case can be decided as soon as it is measured. The last look waits for all cases and is Holm's: rows already found worse give
//! their part to the others. A row's `p_adjusted` is min(1, L·m·p), an even share: a row that Holm alone found may stand a little above α.
//!
//! **The effect floor** ln(1 + T/2), T the slow-down that must be caught: what is significant and smaller is no regression. Where the effect of
//! code layout on the row was measured, as a share f, the median must be above ln(1 + f) too: two builds of equal source differ by that much.
//! `same` does not ask for it: an interval within ±T is one whatever made it so. The absolute floor is in the metric's unit: what the clock
//! cannot tell apart is no difference.
//!
//! **Inconclusive** is what the pairs allowed do not tell. [`least_found`] says for each row what it would have seen: a gate that passes
//! is worth as much as the smallest slow-down it finds.
//!
//! Where next: [`Table`] for the flow, [`Rule`] for the constants, [`TrialValues`] for the number of one trial, [`outcome()`] for what follows.

mod outcome;
mod power;
mod rule;
mod table;
mod value;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use self::outcome::{Circumstances, outcome};
pub use self::power::{PAIRS_MIN, PROBABILITY, Sight, least_found};
pub use self::rule::{ALPHA, LEVEL, LOOKS, RowSpec, Rule, RuleError, THRESHOLD};
pub use self::table::{RowName, Table};
pub use self::value::{TrialValues, floor_absolute, has_value};
pub use crate::schema::gate::{GatePair, GateRow, GateVerdict};
