//! A project: its texts, its checked catalog, and what is wrong with it.

use std::path::Path;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::{rollups, unpublished};
use crate::catalog::Catalog;
use crate::catalog::rollup::Stored;
use crate::catalog::source::Rows;
use crate::check::functions::Functions;
use crate::check::{Checked, check};
use crate::diagnostic::{Diagnostic, Severity};
use crate::error::{Error, Result};
use crate::source::SourceSet;
use crate::store::SourceSpec;
use crate::store::gather::{Known, Reaches, gather};
use crate::store::inputs::input_of;
use crate::store::manifest::Input;
use crate::syntax;
use crate::syntax::ast;

/// A project as far as it is right, with everything that is wrong.
pub struct Project {
    /// The texts.
    pub sources: SourceSet,
    /// The trees.
    pub files: Vec<ast::File>,
    /// The items that are right.
    pub catalog: Arc<Catalog>,
    /// What is wrong, in order of place.
    pub diagnostics: Vec<Diagnostic>,
    /// How the files of each source are read.
    pub specs: Vec<SourceSpec>,
}

impl Project {
    /// Reads and checks the project in a folder. Tables that it names by `from table` are looked up in `ctx`.
    ///
    /// # Errors
    /// Only if its texts cannot be read: what is wrong in them is in [`Project::diagnostics`].
    pub async fn open(folder: &Path, ctx: &SessionContext) -> Result<Project> {
        Ok(Project::of(SourceSet::load(folder)?, ctx).await)
    }

    /// The same for texts that were read already.
    pub async fn of(sources: SourceSet, ctx: &SessionContext) -> Project {
        Project::within(sources, ctx, &Reaches::new()).await
    }

    /// The same, with some sources not wholly looked into.
    pub(super) async fn within(sources: SourceSet, ctx: &SessionContext, reaches: &Reaches) -> Project {
        let parsed = syntax::parse_all(sources.files());
        let mut diagnostics: Vec<Diagnostic> = parsed.iter().flat_map(|parsed| parsed.diagnostics.clone()).collect();
        let files: Vec<ast::File> = parsed.into_iter().map(|parsed| parsed.file).collect();
        let functions = Functions::of(&ctx.state());
        let mut known = Known { reaches, awaited: unpublished::Await::new() };
        let (gathered, Checked { mut catalog, diagnostics: found }) = loop {
            let mut gathered = gather(&sources.root, &files, &known, ctx, &functions).await;
            let checked = check(&sources, &files, &gathered.tables, &functions);
            // With what a publication will write, another one can be right that is made of it.
            let more = unpublished::awaited(std::mem::take(&mut gathered.missing), &checked.catalog);
            if more.is_empty() {
                break (gathered, checked);
            }
            known.awaited.extend(more);
        };
        diagnostics.extend(gathered.diagnostics);
        diagnostics.extend(found);
        diagnostics.extend(rollups::find(&mut catalog, &files, &sources.root, ctx).await);
        diagnostics.sort_by_key(|d| d.primary.as_ref().map(|label| label.span));
        Project { sources, files, catalog: Arc::new(catalog), diagnostics, specs: gathered.specs }
    }

    /// What its answers depend on besides its texts: the files of its sources, and which rollups can answer.
    pub fn state(&self) -> (Vec<Input>, String) {
        let tables = self.catalog.sources.iter().filter_map(|source| match &source.rows {
            Rows::Table(table) => input_of(table),
            _ => None,
        });
        let rollups = self.catalog.rollups.iter().flat_map(|rollup| &rollup.tables).map(|stored| match stored {
            Stored::Current(kept) => format!("{stored:?} {} {} {}", kept.at, kept.runs, kept.late),
            Stored::Unusable(_) => format!("{stored:?}"),
        });
        (tables.collect(), rollups.collect::<Vec<_>>().join("; "))
    }

    /// The project, if nothing in it is wrong (warnings are).
    ///
    /// # Errors
    /// [`Error::Diagnostics`] with all that is.
    pub fn sound(self) -> Result<Project> {
        if self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
            return Err(Error::Diagnostics(self.diagnostics));
        }
        Ok(self)
    }
}
