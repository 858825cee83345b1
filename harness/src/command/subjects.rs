//! Which subjects a command can use: those of this executable, and those that the user names with a path.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::CommandError;
use crate::orchestrate::roster::Roster;
use crate::subject::protocol::SubjectDescription;
use crate::subject::{registry, serve};

/// The subjects of this executable, described.
pub fn described() -> Vec<SubjectDescription> {
    serve::descriptions(&registry())
}

/// Where this executable is.
///
/// # Errors
/// The system does not tell.
pub fn own_executable() -> Result<PathBuf, CommandError> {
    std::env::current_exe().map_err(|error| {
        CommandError::could_not_run(format!("cannot find the executable of zokio-bench: {error}"), "call it by its full path")
    })
}

/// Adds the executables of `--subject NAME=PATH` to those of this one; the names asked for, in their order.
///
/// # Errors
/// This executable cannot be found, a path is no subject, or a name is unknown.
pub fn roster(arguments: &[String], limit: Duration) -> Result<(Roster, Option<Vec<String>>), CommandError> {
    let mut roster = Roster::of(&own_executable()?, described());
    let mut names = Vec::new();
    for argument in arguments {
        let name = match argument.split_once('=') {
            Some((name, source)) => {
                roster.add(name, source, limit).map_err(|failure| {
                    let help = "a subject answers `EXE zokio-subject --describe`; harness/examples has two";
                    CommandError::usage(format!("{} ({})", failure.message, failure.class), help)
                })?;
                name
            }
            None => argument.as_str(),
        };
        if roster.find(name).is_none() {
            return Err(unknown(name, &roster.names()));
        }
        names.push(name.to_string());
    }
    Ok((roster, (!names.is_empty()).then_some(names)))
}

/// A name that is no subject, with the nearest that is one.
pub(super) fn unknown(name: &str, known: &[&str]) -> CommandError {
    let nearest = known.iter().min_by_key(|candidate| strsim::osa_distance(candidate, name));
    // More changes than a third of the word is another word, not a slip.
    let near = nearest.filter(|candidate| strsim::osa_distance(candidate, name) <= candidate.len().div_ceil(3));
    let help = match near {
        Some(near) => format!("did you mean `{near}`? there are {}", known.join(", ")),
        None => format!("there are {}; another executable is added with {name}=PATH", known.join(", ")),
    };
    CommandError::usage(format!("no subject `{name}`"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_gets_the_near_name_and_another_word_gets_the_list() {
        assert!(unknown("tokoi", &["zokio", "tokio"]).to_string().contains("did you mean `tokio`?"));
        let other = unknown("monoio-tuned", &["zokio", "tokio"]).to_string();
        assert!(!other.contains("did you mean") && other.contains("monoio-tuned=PATH"), "{other}");
    }
}
