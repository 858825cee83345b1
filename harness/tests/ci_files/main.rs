//! The ready files for CI: they parse, their scripts are shell, their commands are ones that the gate has, and no exit code gets lost.

mod commands;
mod script;
mod workflows;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Name and text of every file in `configs/ci` that ends in `extension`.
fn files(extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("configs/ci")).expect("configs/ci") {
        let path = entry.expect("a folder entry").path();
        if path.extension().is_some_and(|known| known == extension) {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push((path.file_name().expect("a name").to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} in configs/ci");
    found
}
