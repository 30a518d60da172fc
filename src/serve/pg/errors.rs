//! Errors as PostgreSQL's clients read them: a code, a sentence, a place, a hint.

use pgwire::error::{ErrorInfo, PgWireError};

use crate::serve::failed::Failed;

/// What went wrong, with its place in the text that the client sent.
pub(super) fn info(failed: &Failed, text: &str) -> ErrorInfo {
    let mut info = ErrorInfo::new("ERROR".to_string(), failed.sqlstate().to_string(), failed.message());
    info.hint = failed.help();
    info.position = failed.place().and_then(|at| text.get(..at)).map(|before| (before.chars().count() + 1).to_string());
    info.detail = failed.diagnostic().map(|diagnostic| {
        let notes = diagnostic.notes.iter().map(String::as_str);
        [diagnostic.code.id()].into_iter().chain(notes).collect::<Vec<_>>().join("; ")
    });
    info
}

pub(super) fn error(failed: &Failed, text: &str) -> PgWireError {
    PgWireError::UserError(Box::new(info(failed, text)))
}

/// An error after which the connection ends.
pub(super) fn fatal(code: &str, message: &str) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".to_string(), code.to_string(), message.to_string())))
}

/// A mistake of the client's that is none of the question.
pub(super) fn user(code: &str, message: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_string(), code.to_string(), message.into())))
}
