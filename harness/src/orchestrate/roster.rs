//! Which subjects there are, and in which executable.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zokio_report::schema::journal::{Failure, SubjectHeader};

use crate::subject::protocol::SubjectDescription;
use crate::subject::spawn::{describe, failure};

/// One subject that can be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What the run calls it.
    pub name: String,
    /// Where it is.
    pub executable: PathBuf,
    /// What it said of itself; its `name` is what its executable calls it.
    pub description: SubjectDescription,
}

/// All subjects of a run, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    entries: Vec<Entry>,
}

impl Roster {
    /// The subjects of one executable under their own names.
    pub fn of(executable: &Path, descriptions: Vec<SubjectDescription>) -> Self {
        let entry = |description: SubjectDescription| Entry { name: description.name.clone(), executable: executable.into(), description };
        Self { entries: descriptions.into_iter().map(entry).collect() }
    }

    /// Adds the subject `name` from `source`: `PATH`, or `PATH#INNER` where the executable calls it something else.
    ///
    /// # Errors
    /// The executable is no subject, or does not have the one meant.
    pub fn add(&mut self, name: &str, source: &str, limit: Duration) -> Result<(), Failure> {
        let (path, inner) = match source.rsplit_once('#') {
            Some((path, inner)) => (path, Some(inner)),
            None => (source, None),
        };
        // A bare file name means the file here, not one on PATH.
        let executable = std::path::absolute(path).map_err(|error| failure("not-found", format!("`{path}`: {error}")))?;
        let description = choose(describe::describe(&executable, limit)?.subjects, name, inner, path)?;
        self.put(Entry { name: name.into(), executable, description });
        Ok(())
    }

    /// Adds a subject, in place of one of the same name.
    pub fn put(&mut self, entry: Entry) {
        self.entries.retain(|other| other.name != entry.name);
        self.entries.push(entry);
    }

    /// The subject of this name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All names.
    pub fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    /// All subjects.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the journal says of the subjects with these names; one that is not there has none.
    pub fn headers(&self, names: &[String]) -> Vec<SubjectHeader> {
        let header = |entry: &Entry| SubjectHeader {
            subject: entry.name.clone(),
            version: entry.description.version.clone(),
            build: entry.description.build.clone(),
        };
        names.iter().filter_map(|name| self.find(name)).map(header).collect()
    }
}

fn choose(mut described: Vec<SubjectDescription>, name: &str, inner: Option<&str>, path: &str) -> Result<SubjectDescription, Failure> {
    let wanted = inner.unwrap_or(name);
    if let Some(index) = described.iter().position(|subject| subject.name == wanted) {
        return Ok(described.swap_remove(index));
    }
    if described.len() == 1 && inner.is_none() {
        return Ok(described.swap_remove(0));
    }
    let known: Vec<&str> = described.iter().map(|subject| subject.name.as_str()).collect();
    let message = format!("`{path}` has no subject `{wanted}`, but {}: write {name}={path}#NAME", known.join(", "));
    Err(failure("unknown-subject", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(names: &[&str]) -> Vec<SubjectDescription> {
        let subject = |name: &&str| SubjectDescription {
            name: name.to_string(),
            version: String::new(),
            build: Default::default(),
            workloads: Vec::new(),
        };
        names.iter().map(subject).collect()
    }

    #[test]
    fn the_subject_meant_is_found_by_name_by_hash_or_alone() {
        let chosen =
            |names, name, inner| choose(described(names), name, inner, "p").map(|subject| subject.name).map_err(|failure| failure.class);
        assert_eq!(chosen(&["zokio", "tokio"], "tokio", None), Ok("tokio".into()));
        assert_eq!(chosen(&["zokio", "tokio"], "old", Some("zokio")), Ok("zokio".into()));
        assert_eq!(chosen(&["mine"], "other", None), Ok("mine".into()));
        assert_eq!(chosen(&["zokio", "tokio"], "old", None), Err("unknown-subject".into()));
        assert_eq!(chosen(&["mine"], "old", Some("theirs")), Err("unknown-subject".into()));
    }
}
