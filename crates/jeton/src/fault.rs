//! Why a command ended without doing its work: a message that says what to do, and an exit code.

use std::process::ExitCode;

/// Why a command ended without doing its work. The message goes to the operator as it is; it never holds a secret.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The command line, the environment or the configuration file says something that can't be understood.
    Usage(String),
    /// It was understood, and did not work.
    Failed(String),
}

impl Fault {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn message(&self) -> &str {
        let (Self::Usage(message) | Self::Failed(message)) = self;
        message
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}

/// Every error below this crate says in its own words what to do.
impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}
