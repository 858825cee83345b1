//! Why a command could not do what it was asked for, with the way out and the exit code that follows.

use std::fmt;

use zokio_report::exit;
use zokio_report::schema::journal::Failure;

use crate::orchestrate::journal::JournalError;
use crate::orchestrate::output::OutputError;
use crate::orchestrate::preflight::Refusal;

/// A command that ended early. Failures of single trials are results, not errors.
#[derive(Debug)]
pub enum CommandError {
    /// The command line asks for something that does not exist or contradicts itself.
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        help: Option<String>,
    },
    /// Mistakes in scenario files, rendered already with their places.
    Scenario {
        /// All of them, as the user sees them.
        rendered: String,
    },
    /// The host lacks something, or its file system refused.
    CouldNotRun {
        /// What.
        message: String,
        /// What would mend it.
        help: Option<String>,
    },
}

impl CommandError {
    /// Bad usage with its remedy.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: Some(help.into()) }
    }

    /// Something this host lacks, with its remedy.
    pub fn could_not_run(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::CouldNotRun { message: message.into(), help: Some(help.into()) }
    }

    /// The exit code that follows.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Scenario { .. } => exit::USAGE,
            Self::CouldNotRun { .. } => exit::COULD_NOT_RUN,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario { rendered } => formatter.write_str(rendered.trim_end()),
            Self::Usage { message, help } | Self::CouldNotRun { message, help } => {
                write!(formatter, "error: {message}")?;
                help.as_ref().map_or(Ok(()), |help| write!(formatter, "\n  = help: {help}"))
            }
        }
    }
}

impl std::error::Error for CommandError {}

impl From<OutputError> for CommandError {
    fn from(error: OutputError) -> Self {
        match &error {
            OutputError::Exists { .. } => Self::usage(error.to_string(), "choose another folder with --out, or move the old result away"),
            OutputError::Io { .. } => Self::could_not_run(error.to_string(), "choose a writable folder with enough room: --out DIR"),
        }
    }
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        match &error {
            JournalError::Io { operation: "read", .. } => Self::Usage { message: error.to_string(), help: None },
            JournalError::Io { .. } => {
                let help = "what was measured so far is kept: make room, then `zokio-bench report` on the folder shows it";
                Self::could_not_run(error.to_string(), help)
            }
            JournalError::Line { .. } | JournalError::NoHeader { .. } => Self::Usage { message: error.to_string(), help: None },
        }
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::CouldNotRun { message: refusal.message, help: Some(refusal.help) }
    }
}

impl From<Failure> for CommandError {
    /// A subject from another executable that cannot be described.
    fn from(failure: Failure) -> Self {
        Self::usage(format!("{} ({})", failure.message, failure.class), "a subject answers `EXE zokio-subject --describe`; see harness/examples")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_way_out_and_its_exit_code() {
        let exists = CommandError::from(OutputError::Exists { folder: "out".into() });
        assert_eq!(exists.exit_code(), exit::USAGE);
        assert!(exists.to_string().contains("never overwritten\n  = help: choose another folder"), "{exists}");
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = CommandError::from(JournalError::Io { operation: "write", path: "out/records.jsonl".into(), error: full });
        assert_eq!(full.exit_code(), exit::COULD_NOT_RUN);
    }
}
