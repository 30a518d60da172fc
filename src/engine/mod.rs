//! The only owner of a DataFusion session: opens a project, answers questions.

pub mod verify;

use std::path::Path;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::diagnostic::Diagnostic;
use crate::error::Result;
use crate::plan::Request;
use crate::source::SourceSet;

/// A project that was read and checked, with a session that answers questions about it.
pub struct Engine {
    ctx: SessionContext,
    sources: Arc<SourceSet>,
    diagnostics: Vec<Diagnostic>,
}

impl Engine {
    /// Opens the project in a folder.
    ///
    /// # Errors
    /// [`crate::Error::Diagnostics`] with everything that is wrong in it, all in one pass.
    pub async fn open(_project: &Path) -> Result<Engine> {
        unimplemented!("written in parallel")
    }

    /// What was only worth a warning.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The project's files, to show diagnostics with.
    pub fn sources(&self) -> &SourceSet {
        &self.sources
    }

    /// The session, for plain DataFusion.
    pub fn context(&self) -> &SessionContext {
        &self.ctx
    }

    /// Plans one SQL statement. Nothing runs before the frame is collected or streamed.
    ///
    /// # Errors
    /// [`crate::Error::Diagnostics`] whose places are in the file `<sql>`: use [`Engine::sources_with`] to show them.
    pub async fn sql(&self, _text: &str) -> Result<DataFrame> {
        unimplemented!("written in parallel")
    }

    /// Plans a [`Request`].
    pub async fn query(&self, _request: &Request) -> Result<DataFrame> {
        unimplemented!("written in parallel")
    }

    /// The project's files with a question added, for showing the diagnostics that the question gave.
    pub fn sources_with(&self, question: &str) -> SourceSet {
        let mut sources = SourceSet::clone(&self.sources);
        sources.add("<sql>", question);
        sources
    }

    /// The plan of a statement at a stage, for `bell explain`.
    pub async fn logical_plan(&self, _text: &str) -> Result<LogicalPlan> {
        unimplemented!("written in parallel")
    }
}
