//! [`Failed`]: why there is no answer, with PostgreSQL's code for it.

use std::time::Duration;

use datafusion::error::DataFusionError;

use crate::diagnostic::{Code, Diagnostic, codes};
use crate::engine::Engine;
use crate::error::Error;
use crate::source::SourceSet;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// The question or the data is wrong.
    Refused {
        /// What is wrong.
        error: Error,
        /// The file of the question among those of the project, in which places are.
        question: Option<crate::source::FileId>,
    },
    /// It would write, or set what is not for callers to set.
    ReadOnly(String),
    /// Somebody stopped it.
    Cancelled,
    /// It took longer than it may.
    TimedOut(Duration),
    /// It has more rows than it may.
    TooManyRows(usize),
    /// A mistake of ours.
    Internal(String),
}

impl Failed {
    pub(super) fn refused(error: Error, engine: Option<&Engine>) -> Failed {
        let question = engine.map(|engine| engine.sources().beside("", "").id);
        Failed::Refused { error, question }
    }

    pub(super) fn internal(message: String) -> Failed {
        Failed::Internal(message)
    }

    /// The diagnostic, if it is one of ours; the first of several.
    pub fn diagnostic(&self) -> Option<&Diagnostic> {
        match self {
            Failed::Refused { error: Error::Diagnostics(all), .. } => all.first(),
            _ => None,
        }
    }

    /// PostgreSQL's code.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Failed::Refused { error: Error::Diagnostics(all), .. } => {
                all.first().map_or("XX000", |it| state_of(it.code))
            }
            Failed::Refused { error: Error::Engine(error), .. } => match error.find_root() {
                DataFusionError::ResourcesExhausted(_) => "53200",
                DataFusionError::SchemaError(..) => "42703",
                DataFusionError::SQL(..) => "42601",
                DataFusionError::NotImplemented(_) => "0A000",
                DataFusionError::Plan(_) => "42000",
                DataFusionError::ArrowError(..) => "22000",
                _ => "XX000",
            },
            Failed::Refused { .. } => "58030",
            Failed::ReadOnly(_) => "25006",
            Failed::Cancelled | Failed::TimedOut(_) => "57014",
            Failed::TooManyRows(_) => "54000",
            Failed::Internal(_) => "XX000",
        }
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> String {
        match self {
            Failed::Refused { error, .. } => match self.diagnostic() {
                Some(diagnostic) => diagnostic.message.clone(),
                None => error.to_string(),
            },
            Failed::ReadOnly(what) => what.clone(),
            Failed::Cancelled => "the question was cancelled".to_string(),
            Failed::TimedOut(time) => format!("the question took longer than {} s", time.as_secs_f64()),
            Failed::TooManyRows(most) => format!("the answer has more than {most} rows"),
            Failed::Internal(message) => message.clone(),
        }
    }

    /// What to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Failed::TooManyRows(_) => Some("group by less, or say LIMIT".to_string()),
            Failed::TimedOut(_) => Some("ask for a shorter time or coarser groups".to_string()),
            _ => self.diagnostic()?.help.clone(),
        }
    }

    /// Where in the question, in bytes.
    pub fn place(&self) -> Option<usize> {
        let Failed::Refused { question, .. } = self else { return None };
        let span = self.diagnostic()?.primary.as_ref()?.span;
        (Some(span.file) == *question).then_some(span.start as usize)
    }

    /// The same with everything that is known, as `bell` prints it.
    pub fn in_full(&self, sources: &SourceSet) -> String {
        match self {
            Failed::Refused { error: Error::Diagnostics(all), .. } => {
                let shown = all.iter().map(|it| crate::diagnostic::render::to_text(sources, it, false));
                shown.collect::<Vec<_>>().join("\n")
            }
            other => other.message(),
        }
    }
}

/// PostgreSQL's code for one of ours.
fn state_of(code: Code) -> &'static str {
    match code {
        codes::SQL_SYNTAX => "42601",
        codes::UNKNOWN_TABLE => "42P01",
        codes::UNKNOWN_COLUMN | codes::UNKNOWN_NAME => "42703",
        codes::UNGROUPED | codes::MIXED | codes::AGGREGATE_OF_INDICATOR => "42803",
        codes::NOT_SEEN => "42501",
        codes::FILE_UNREADABLE => "58030",
        _ => "42000",
    }
}
