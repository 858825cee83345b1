//! The result of a gate in the forms that were asked for.

use zokio_report::schema::gate::{GateResult, GateVerdict};

use super::arguments::GateArgs;
use super::conclude::GATE_NAME;
use crate::error::CommandError;
use crate::orchestrate::output::{OutputFolder, write_whole};

/// Writes all files.
///
/// # Errors
/// The file system refused.
pub fn write(result: &GateResult, arguments: &GateArgs, output: &OutputFolder) -> Result<(), CommandError> {
    let json = serde_json::to_vec_pretty(result).expect("a result has string keys and finite numbers");
    output.write(GATE_NAME, &json)?;
    if let Some(path) = &arguments.json {
        write_whole(path, &json)?;
    }
    Ok(())
}

/// The table.
pub fn print(result: &GateResult, _arguments: &GateArgs, output: &OutputFolder) {
    for row in &result.rows {
        println!(
            "{:?} {} {} {}: {} [{}] n {} p {:?} sees {:?} {}",
            row.verdict,
            row.base,
            row.case,
            row.metric,
            row.ratio.map_or("-".into(), |ratio| format!("{ratio:.4}")),
            row.ci.map_or("-".into(), |ci| format!("{:.4}, {:.4}", ci.lo, ci.hi)),
            row.n,
            row.p,
            row.sees,
            row.reason.as_deref().unwrap_or("")
        );
    }
    let _ = GateVerdict::Same;
    for note in &result.notes { println!("note: {note}"); }
    eprintln!("result: {}", output.path().display());
}
