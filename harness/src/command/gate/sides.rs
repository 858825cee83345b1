//! From the command line to what is compared: the candidate and its bases, each an executable with one subject.

use std::path::Path;
use std::time::Duration;

use super::arguments::GateArgs;
use crate::command::subjects::described;
use crate::error::CommandError;
use crate::orchestrate::gate::sides::Side;

/// What the candidate is called in rows and journal.
pub const CANDIDATE: &str = "candidate";
/// What the only base is called.
const BASE: &str = "base";

/// A name given in front of a value, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// `NAME` of `NAME=VALUE`.
    pub name: Option<&'a str>,
    /// The rest.
    pub value: &'a str,
}

/// Splits `NAME=VALUE`; a name has no slash, so that a path with a `=` in it is a path.
pub fn named(text: &str) -> Named<'_> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Named { name: Some(name), value },
        _ => Named { name: None, value: text },
    }
}

/// The label of a base: its name, or `base` for the only one, or what it is made from; `-2` and so on where two would be alike.
pub fn label(named: &Named<'_>, is_only: bool, taken: &[String]) -> String {
    let of_value = || {
        let stem = named.value.split('#').next().and_then(|path| Path::new(path).file_stem());
        stem.map_or_else(|| BASE.into(), |stem| stem.to_string_lossy().into_owned())
    };
    let wanted = match named.name {
        Some(name) => name.to_owned(),
        None if is_only => BASE.to_owned(),
        None => of_value(),
    };
    let is_free = |label: &String| label != CANDIDATE && !taken.contains(label);
    let numbered = |count: u32| if count == 1 { wanted.clone() } else { format!("{wanted}-{count}") };
    (1..).map(numbered).find(is_free).expect("some number is free")
}

/// The candidate as it is: this executable, or the one that `--subject` names.
///
/// # Errors
/// It is no subject.
pub fn candidate(arguments: &GateArgs, limit: Duration) -> Result<Side, CommandError> {
    let own = std::env::current_exe().map_err(|error| {
        CommandError::could_not_run(format!("cannot find the executable of zokio-bench: {error}"), "call it by its full path")
    })?;
    let Some(subject) = &arguments.subject else { return Ok(Side::described(CANDIDATE, &own, described(), None)) };
    let given = named(subject);
    let is_path = given.name.is_some() || given.value.contains('/');
    if is_path {
        return side(CANDIDATE, given.value, limit);
    }
    let subjects = described();
    if !subjects.iter().any(|described| described.name == given.value) {
        let known: Vec<&str> = subjects.iter().map(|described| described.name.as_str()).collect();
        let help = format!("there are {}; a program of your own is ./PROGRAM or NAME=PROGRAM", known.join(", "));
        return Err(CommandError::usage(format!("no subject `{}`", given.value), help));
    }
    Ok(Side::described(CANDIDATE, &own, subjects, Some(given.value.to_owned())))
}

/// A side of an executable the user gave. What it is not able to do is found before the first trial.
///
/// # Errors
/// It is no subject: exit 3, because a base that is missing is no mistake in the command line of a CI job.
pub fn side(label: &str, source: &str, limit: Duration) -> Result<Side, CommandError> {
    Side::of(label, source, limit).map_err(|failure| {
        let message = format!("the {label} cannot be used: {} ({})", failure.message, failure.class);
        CommandError::could_not_run(message, "a subject answers `EXE zokio-subject --describe`: zokio-bench of any build, or a program made with it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_before_a_value_and_a_path_is_no_name() {
        let of = |text| {
            let named = named(text);
            (named.name, named.value)
        };
        assert_eq!(of("old=/a/b#zokio"), (Some("old"), "/a/b#zokio"));
        assert_eq!(of("/a=b/c"), (None, "/a=b/c"));
        assert_eq!(of("v0.1.0"), (None, "v0.1.0"));
        assert_eq!(of("=x"), (None, "=x"));
    }

    #[test]
    fn labels_are_unique_and_never_that_of_the_candidate() {
        let plain = |value| Named { name: None, value };
        assert_eq!(label(&plain("/x/old-build#zokio"), true, &[]), "base");
        assert_eq!(label(&plain("/x/old-build#zokio"), false, &[]), "old-build");
        assert_eq!(label(&plain("/y/old-build"), false, &["old-build".into()]), "old-build-2");
        assert_eq!(label(&Named { name: Some("candidate"), value: "x" }, true, &[]), "candidate-2");
    }
}
