//! [`Failed`]: why there is no answer, with PostgreSQL's code for it.

use std::time::Duration;

use datafusion::error::DataFusionError;

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Label, codes, json};
use crate::engine::{Engine, QUESTION, Question};
use crate::error::Error;
use crate::source::SourceSet;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// The question or the data is wrong.
    Refused {
        /// What is wrong.
        error: Error,
        /// The texts of the project and of the question, in which places are.
        sources: SourceSet,
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
    /// An error that has no place in the question.
    pub(super) fn of(error: Error) -> Failed {
        Failed::Refused { error, sources: SourceSet::default() }
    }

    /// An error that a question gave.
    pub(super) fn asked(error: Error, question: &Question, engine: &Engine) -> Failed {
        Failed::Refused { error, sources: question.sources(engine) }
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

    /// Where in the statement, in bytes.
    pub fn place(&self) -> Option<usize> {
        let Failed::Refused { sources, .. } = self else { return None };
        let span = self.diagnostic()?.primary.as_ref()?.span;
        let file = sources.files().get(span.file.0 as usize)?;
        (file.name == QUESTION).then_some(span.start as usize)
    }

    /// Everything that is known, for programs: `{sqlstate, message, help, diagnostics}`, the diagnostics as `bell` writes them.
    pub fn to_json(&self) -> Value {
        let diagnostics: Vec<Value> = match self {
            Failed::Refused { error: Error::Diagnostics(all), sources } => {
                all.iter().map(|it| json::to_json(sources, &placed(it, sources))).collect()
            }
            _ => vec![],
        };
        json!({
            "sqlstate": self.sqlstate(), "message": self.message(), "help": self.help(), "diagnostics": diagnostics,
        })
    }
}

/// A diagnostic without places in texts that are not there.
fn placed(diagnostic: &Diagnostic, sources: &SourceSet) -> Diagnostic {
    let known = |label: &Label| (label.span.file.0 as usize) < sources.files().len();
    let mut diagnostic = diagnostic.clone();
    diagnostic.primary = diagnostic.primary.filter(known);
    diagnostic.secondary.retain(known);
    diagnostic
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
