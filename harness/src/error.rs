//! Why a command could not do what it was asked for, with the way out and the exit code that follows.

use std::fmt;

use zokio_report::exit;

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
    /// Ctrl-C or SIGTERM came before there was anything to save.
    Interrupted,
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

    /// What happened, without its remedy.
    pub fn message(&self) -> &str {
        match self {
            Self::Usage { message, .. } | Self::CouldNotRun { message, .. } => message,
            Self::Scenario { rendered } => rendered.trim_end(),
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code that follows.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::Scenario { .. } => exit::USAGE,
            Self::CouldNotRun { .. } => exit::COULD_NOT_RUN,
            Self::Interrupted => exit::INTERRUPTED,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario { .. } | Self::Interrupted => formatter.write_str(self.message()),
            Self::Usage { message, help } | Self::CouldNotRun { message, help } => {
                write!(formatter, "error: {message}")?;
                help.as_ref().map_or(Ok(()), |help| write!(formatter, "\n  = help: {help}"))
            }
        }
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_way_out_and_its_exit_code() {
        let usage = CommandError::usage("no subject `tokoi`", "did you mean `tokio`?");
        assert_eq!(usage.to_string(), "error: no subject `tokoi`\n  = help: did you mean `tokio`?");
        assert_eq!(usage.exit_code(), exit::USAGE);
        assert_eq!(CommandError::could_not_run("x", "y").exit_code(), exit::COULD_NOT_RUN);
        assert_eq!(CommandError::Scenario { rendered: "error: a\n\n".into() }.to_string(), "error: a");
    }
}
