//! A subject under another name, for executables that differ from this one in what a subject cannot see: the global allocator.

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::protocol::{SubjectDescription, Trial};
use super::serve::{Session, Subject};

/// The same subject in an executable with another global allocator.
///
/// ```
/// use zokio_bench::subject::serve::Subject;
/// use zokio_bench::subject::{tokio::Tokio, variant::OtherAllocator};
///
/// let described = OtherAllocator { subject: &Tokio, name: "tokio-mimalloc", allocator: "mimalloc 0.1.52" }.describe();
/// assert_eq!((described.name.as_str(), described.build.allocator.as_deref()), ("tokio-mimalloc", Some("mimalloc 0.1.52")));
/// ```
pub struct OtherAllocator {
    /// What runs.
    pub subject: &'static dyn Subject,
    /// Its name in this executable.
    pub name: &'static str,
    /// The executable's `#[global_allocator]`, with its version.
    pub allocator: &'static str,
}

impl std::fmt::Debug for OtherAllocator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OtherAllocator").field("name", &self.name).field("allocator", &self.allocator).finish_non_exhaustive()
    }
}

impl Subject for OtherAllocator {
    fn describe(&self) -> SubjectDescription {
        let mut description = self.subject.describe();
        description.name = self.name.into();
        description.build.allocator = Some(self.allocator.into());
        description
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        self.subject.run(trial, session)
    }
}
