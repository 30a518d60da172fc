//! Why did it change, are we on track: the library's own methods, and the table functions of a plain session.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result as PlanResult, ScalarValue, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::prelude::DataFrame;

use super::Engine;
use super::computed::{Computed, Places};
use super::questions::Asked;
use crate::analysis::{Analysis, Argument, Change, Model, Outline, Score, Status};
use crate::catalog::Catalog;
use crate::catalog::stretch::now;
use crate::check::functions::Functions;
use crate::error::{Error, Result};
use crate::source::SourceSet;

impl Engine {
    /// Explains a change: what each part of the indicator's tree, and each slice, did to it.
    ///
    /// # Errors
    /// [`Error::Diagnostics`] whose places are in its texts: use [`Engine::sources_with_texts`] to show them. What only
    /// the data tells (a side has no value, a tree is no identity) is an error of the frame when it runs.
    pub fn explain_change(&self, change: &Change) -> Result<DataFrame> {
        self.analysed(|model| change.prepare(model))
    }

    /// A tree with the values of its nodes.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn outline(&self, outline: &Outline) -> Result<DataFrame> {
        self.analysed(|model| outline.prepare(model))
    }

    /// Whether indicators are on track: values, targets, attainments, statuses.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn status(&self, status: &Status) -> Result<DataFrame> {
        self.analysed(|model| status.prepare(model))
    }

    /// The scores of a scorecard, and what changed them.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn scorecard(&self, score: &Score) -> Result<DataFrame> {
        self.analysed(|model| score.prepare(model))
    }

    /// The project's files with the texts of such a question added, for showing the diagnostics that it gave.
    pub fn sources_with_texts(&self, texts: &[(Argument, String)]) -> SourceSet {
        let mut sources = SourceSet::clone(&self.project.sources);
        texts.iter().for_each(|(argument, text)| _ = sources.add(argument.file(), text));
        sources
    }

    fn analysed(&self, prepare: impl FnOnce(&mut Model<'_>) -> Result<Analysis>) -> Result<DataFrame> {
        let state = self.ctx.state();
        let mut model = Model {
            catalog: &self.project.catalog,
            functions: &self.functions,
            options: state.config_options(),
            now: now(&self.project.catalog.calendar),
            sources: SourceSet::clone(&self.project.sources),
        };
        let analysis = prepare(&mut model)?;
        Ok(self.ctx.read_table(Arc::new(Computed::new(analysis, Places::Own)))?)
    }
}

/// A table function in a session that the caller owns: its planner knows arguments by their order only.
#[derive(Debug)]
pub(super) struct TableQuestion {
    pub(super) catalog: Arc<Catalog>,
    /// Its name.
    pub(super) function: &'static str,
}

impl TableFunctionImpl for TableQuestion {
    fn call_with_args(&self, args: TableFunctionArgs) -> PlanResult<Arc<dyn TableProvider>> {
        let function = self.function;
        let Some(mut asked) = Asked::named(function) else { return plan_err!("there is no {function}") };
        let text = |expr: &Expr| text(expr, function);
        let texts = args.exprs().iter().map(text).collect::<PlanResult<Vec<Option<String>>>>()?;
        let mut given = asked.names().iter().zip(texts).filter_map(|(name, text)| Some((*name, text?)));
        given.try_for_each(|(name, text)| asked.set(name, &text))?;
        let Some(state) = args.session().as_any().downcast_ref::<SessionState>() else {
            return plan_err!("{function} needs a session of DataFusion's own");
        };
        let functions = Functions::of(state);
        let options = state.config_options();
        let now = now(&self.catalog.calendar);
        let mut model =
            Model { catalog: &self.catalog, functions: &functions, options, now, sources: SourceSet::default() };
        match asked.prepare(&mut model) {
            Ok(analysis) => Ok(Arc::new(Computed::new(analysis, Places::Nowhere))),
            Err(Error::Diagnostics(mut list)) if !list.is_empty() => Err(Places::Nowhere.shown(list.remove(0)).into()),
            Err(Error::Engine(error)) => Err(*error),
            Err(other) => plan_err!("{other}"),
        }
    }
}

fn text(expr: &Expr, function: &str) -> PlanResult<Option<String>> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            Ok(text.clone())
        }
        Expr::Literal(ScalarValue::Null, _) => Ok(None),
        other => plan_err!("{function} takes texts, and {other} is none"),
    }
}
