//! `result.json`.

use crate::schema::result::RunResult;

/// The result as indented JSON with a final line feed.
pub fn to_string(result: &RunResult) -> String {
    // Maps in the result have text keys and no value refuses to be written, so this cannot fail.
    let mut text = serde_json::to_string_pretty(result).expect("a result is plain data and always serializes");
    text.push('\n');
    text
}
