//! What a gate compares: executables, and which of their subjects is meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zokio_report::schema::journal::Failure;

use crate::orchestrate::roster::Entry;
use crate::subject::protocol::SubjectDescription;
use crate::subject::spawn::{describe, failure};

/// One executable of a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// What rows and journal call it: `candidate`, or the base's name.
    pub label: String,
    /// Where it is.
    pub executable: PathBuf,
    /// Its subjects, as it described them.
    pub subjects: Vec<SubjectDescription>,
    /// The one meant; `None`: of the name that the scenario gives.
    pub inner: Option<String>,
}

impl Side {
    /// The side in `PATH` or `PATH#SUBJECT`, described.
    ///
    /// # Errors
    /// It is no subject.
    pub fn of(label: &str, source: &str, limit: Duration) -> Result<Self, Failure> {
        let (path, inner) = match source.rsplit_once('#') {
            Some((path, inner)) => (path, Some(inner.to_owned())),
            None => (source, None),
        };
        // A bare file name means the file here, not one on PATH.
        let executable = std::path::absolute(path).map_err(|error| failure("not-found", format!("`{path}`: {error}")))?;
        let subjects = describe::describe(&executable, limit)?.subjects;
        Ok(Self { label: label.into(), executable, subjects, inner })
    }

    /// A side whose subjects are known.
    pub fn described(label: &str, executable: &Path, subjects: Vec<SubjectDescription>, inner: Option<String>) -> Self {
        Self { label: label.into(), executable: executable.into(), subjects, inner }
    }

    /// The subject of this side for a scenario that names `subject`: the one meant, or the only one there is.
    ///
    /// # Errors
    /// It has no such subject.
    pub fn entry(&self, subject: &str) -> Result<Entry, Failure> {
        let wanted = self.inner.as_deref().unwrap_or(subject);
        let found = match self.subjects.as_slice() {
            [only] if self.inner.is_none() => Some(only),
            subjects => subjects.iter().find(|described| described.name == wanted),
        };
        let Some(description) = found.cloned() else {
            let known: Vec<&str> = self.subjects.iter().map(|described| described.name.as_str()).collect();
            let message = format!("the {} has no subject `{wanted}`; it has {}", self.label, known.join(", "));
            return Err(failure("unknown-subject", message));
        };
        Ok(Entry { name: self.label.clone(), executable: self.executable.clone(), description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(names: &[&str], inner: Option<&str>) -> Side {
        let subject = |name: &&str| SubjectDescription {
            name: name.to_string(),
            version: String::new(),
            build: Default::default(),
            workloads: Vec::new(),
        };
        Side::described("base", Path::new("/x"), names.iter().map(subject).collect(), inner.map(str::to_owned))
    }

    #[test]
    fn the_subject_meant_is_the_named_one_the_scenarios_or_the_only_one() {
        let name = |side: Side| side.entry("zokio").map(|entry| entry.description.name).map_err(|failure| failure.class);
        assert_eq!(name(side(&["zokio", "tokio"], None)), Ok("zokio".into()));
        assert_eq!(name(side(&["zokio", "tokio"], Some("tokio"))), Ok("tokio".into()));
        assert_eq!(name(side(&["mine"], None)), Ok("mine".into()));
        assert_eq!(name(side(&["mine"], Some("theirs"))), Err("unknown-subject".into()));
        assert_eq!(name(side(&["tokio", "ceiling"], None)), Err("unknown-subject".into()));
    }
}
