//! [`Error`]: why something could not be run, by whose fault it is.

use std::path::{Path, PathBuf};

use datafusion::error::DataFusionError;

use crate::diagnostic::Diagnostic;

/// Why a call failed. The variants say whose fault it is and so what the caller can do.
#[derive(Debug)]
pub enum Error {
    /// The model or the question is wrong: show the diagnostics to whoever wrote it.
    Diagnostics(Vec<Diagnostic>),
    /// A file or a folder could not be read or written.
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data is not as declared (a corrupt file, a value that does not fit): the message names the file.
    Data(String),
    /// DataFusion refused or failed while running: a plain SQL error, or resources.
    Engine(Box<DataFusionError>),
}

/// A result with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] on `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_path_buf(), source }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Diagnostics(list) => {
                let lines: Vec<String> = list.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Data(message) => f.write_str(message),
            Error::Engine(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Engine(error) => Some(error.as_ref()),
            Error::Diagnostics(_) | Error::Data(_) => None,
        }
    }
}

impl From<DataFusionError> for Error {
    /// Finds our own diagnostics again inside DataFusion's wrappers.
    fn from(error: DataFusionError) -> Self {
        match crate::diagnostic::carried_by(&error) {
            Some(diagnostic) => Error::Diagnostics(vec![diagnostic]),
            None => Error::Engine(Box::new(error)),
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Error::Diagnostics(vec![diagnostic])
    }
}

impl From<Diagnostic> for DataFusionError {
    /// Carries a diagnostic through DataFusion's planner and analyzer.
    fn from(diagnostic: Diagnostic) -> Self {
        DataFusionError::External(Box::new(diagnostic))
    }
}
