//! From a name or path to a checked [`Suite`], or to every mistake in it.

use std::path::Path;
use std::sync::Arc;

use super::builtin;
use super::diagnostic::{Diagnostic, Findings};
use super::keys;
use super::sets;
use super::source::{Source, Span};
use super::suite::Suite;
use super::tree;
use super::validate;
use super::walk;

/// With more mistakes in TOML itself the rest of the file is not judged: it is not a scenario.
const SYNTAX_ERRORS_JUDGED_MAX: usize = 10;

/// Reads, changes (`sets`: the arguments of `--set`) and judges a scenario: a path if there is such a file, else a built-in name.
///
/// # Errors
/// Every mistake, in file order; show them with [`super::render`]. Exit code 2.
pub fn load(name_or_path: &str, sets: &[String]) -> Result<Suite, Vec<Diagnostic>> {
    let path = Path::new(name_or_path);
    match builtin::text(name_or_path).filter(|_| !path.is_file()) {
        Some(text) => parse(Source::new(format!("built-in {name_or_path}"), text), "built-in", sets),
        None => {
            let source = Source::read(path).map_err(|diagnostic| vec![diagnostic])?;
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            parse(source, &file, sets)
        }
    }
}

/// A built-in scenario by its name.
///
/// # Panics
/// When there is none of that name or it is wrong: a test reads them all.
pub fn load_builtin(name: &str) -> Suite {
    let text = builtin::text(name).unwrap_or_else(|| panic!("no built-in scenario `{name}`"));
    match parse(Source::new(format!("built-in {name}"), text), "built-in", &[]) {
        Ok(suite) => suite,
        Err(found) => panic!("built-in scenario `{name}` is wrong:\n{}", super::render(&found)),
    }
}

/// Judges the text of a scenario. `file` is what results call it.
///
/// # Errors
/// Every mistake, in file order.
pub fn parse(source: Source, file: &str, sets: &[String]) -> Result<Suite, Vec<Diagnostic>> {
    let source = Arc::new(source);
    if source.text.trim().is_empty() {
        let message = Diagnostic::bare(format!("scenario `{}` is empty", super::diagnostic::shown(&source.name)));
        return Err(vec![message.help("start from a built-in one; `zokio-bench list` names them")]);
    }
    let mut findings = Findings::default();
    let mut tree = tree::parse(&source, &mut findings);
    let syntax_errors = findings.len();
    if syntax_errors > SYNTAX_ERRORS_JUDGED_MAX {
        return Err(findings.into_sorted());
    }
    sets::apply(&mut tree, sets, &mut findings);
    let whole = Span::new(&source, 0..0);
    if syntax_errors > 0 {
        let mut judged = Findings::default();
        walk::check_table(keys::FILE, &tree, "", &whole, &mut judged);
        findings.merge_broken(judged);
        return Err(findings.into_sorted());
    }
    walk::check_table(keys::FILE, &tree, "", &whole, &mut findings);
    let suite = validate::validate(&mut tree, file, &mut findings);
    if findings.is_empty() { Ok(suite) } else { Err(findings.into_sorted()) }
}
