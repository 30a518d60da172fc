//! [`Question`]: what every entrance asks, in one of its forms.

use std::fmt;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;

use super::Engine;
use crate::analysis::Function;
use crate::error::Result;
use crate::plan::rules::ExpandMeasures;
use crate::plan::{Notes, Request};
use crate::source::SourceSet;

/// What is asked, in one of its forms.
#[derive(Debug)]
pub enum Question {
    /// A SQL statement.
    Sql {
        /// What is planned: the statement, possibly after blanks that keep its place.
        statement: String,
        /// The whole text that it stands in, for showing errors.
        text: String,
    },
    /// Indicators by name.
    Request(Request),
    /// An analysis; most are also table functions of SQL.
    Function(Box<dyn Function>),
}

impl Question {
    /// A text that is one statement.
    pub fn sql(statement: &str) -> Self {
        Question::Sql { statement: statement.to_string(), text: statement.to_string() }
    }

    /// An analysis.
    pub fn function(function: impl Function + 'static) -> Self {
        Question::Function(Box::new(function))
    }

    /// Its plan, in the session's state; nothing is changed by it, `SET` and DDL neither.
    ///
    /// # Errors
    /// [`Error::Diagnostics`](crate::Error::Diagnostics) whose places are in [`Question::sources`].
    pub async fn plan(&self, engine: &Engine) -> Result<(SessionState, LogicalPlan)> {
        match self {
            Question::Sql { statement, .. } => engine.sql_plan(statement).await,
            Question::Request(request) => Ok(engine.query(request).await?.into_parts()),
            Question::Function(function) => Ok(engine.analyse(function.as_ref())?.into_parts()),
        }
    }

    /// The same, with notes taken of rollups; an analysis reads rows, and gives none.
    ///
    /// # Errors
    /// As [`Question::plan`].
    pub async fn plan_noting(&self, engine: &Engine, notes: &Notes) -> Result<LogicalPlan> {
        let mut state = engine.context().state();
        state.config_mut().options_mut().extensions.insert(notes.clone());
        match self {
            Question::Sql { statement, .. } => engine.sql_plan_in(&state, statement).await,
            Question::Request(request) => {
                let plan = engine.request_plan(request)?;
                Ok(ExpandMeasures::default().analyze(plan, state.config_options())?)
            }
            Question::Function(_) => Ok(self.plan(engine).await?.1),
        }
    }

    /// The project's files with the texts of the question added, for showing the diagnostics that it gave.
    pub fn sources(&self, engine: &Engine) -> SourceSet {
        match self {
            Question::Sql { text, .. } => engine.sources_with(text),
            Question::Request(request) => engine.sources_with_request(request),
            Question::Function(function) => engine.sources_with_texts(&function.texts()),
        }
    }
}

impl fmt::Display for Question {
    /// As somebody would write it down: SQL as it is, a request as JSON, an analysis as the call of a function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Sql { statement, .. } => f.write_str(statement.trim()),
            Question::Request(request) => f.write_str(&serde_json::to_string(request).unwrap_or_default()),
            Question::Function(function) => {
                let named = |(argument, text): (crate::analysis::Argument, String)| {
                    let name = argument.file().trim_matches(['<', '>']).replace(' ', "_");
                    format!("{name} => '{}'", text.replace('\'', "''"))
                };
                let texts: Vec<String> = function.texts().into_iter().map(named).collect();
                write!(f, "{}({})", function.name(), texts.join(", "))
            }
        }
    }
}
