//! Analyses: the library's own methods, and the table functions of a plain session.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result as PlanResult, ScalarValue, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::prelude::DataFrame;

use super::Engine;
use super::computed::{Computed, Places};
use crate::analysis::function::{Function, assign, function};
use crate::analysis::{
    Analysis, Anomalies, Argument, Change, ChangePoints, Forecast, Localise, Model, Outline, Score, Status, watch,
};
use crate::catalog::Catalog;
use crate::catalog::alert::{Alert, Condition};
use crate::catalog::stretch::now;
use crate::check::functions::Functions;
use crate::error::{Error, Result};
use crate::source::SourceSet;

impl Engine {
    /// Answers what is also a table function of SQL.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn analyse(&self, function: &dyn Function) -> Result<DataFrame> {
        self.analysed(|model| function.prepare(model))
    }

    /// Explains a change: what each part of the indicator's tree, and each slice, did to it.
    ///
    /// # Errors
    /// [`Error::Diagnostics`] whose places are in its texts: use [`Engine::sources_with_texts`] to show them. What only
    /// the data tells (a side has no value, a tree is no identity) is an error of the frame when it runs.
    pub fn explain_change(&self, change: &Change) -> Result<DataFrame> {
        self.analyse(change)
    }

    /// Finds the combination of dimension values that is to blame for a change.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn localise(&self, localise: &Localise) -> Result<DataFrame> {
        self.analyse(localise)
    }

    /// Finds values of an indicator that stand out.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn anomalies(&self, anomalies: &Anomalies) -> Result<DataFrame> {
        self.analyse(anomalies)
    }

    /// Finds the periods since which an indicator is on another level.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn change_points(&self, change_points: &ChangePoints) -> Result<DataFrame> {
        self.analyse(change_points)
    }

    /// Forecasts an indicator.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn forecast(&self, forecast: &Forecast) -> Result<DataFrame> {
        self.analyse(forecast)
    }

    /// A tree with the values of its nodes.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn outline(&self, outline: &Outline) -> Result<DataFrame> {
        self.analyse(outline)
    }

    /// Whether indicators are on track: values, targets, attainments, statuses.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn status(&self, status: &Status) -> Result<DataFrame> {
        self.analyse(status)
    }

    /// The slices in which the condition of an alert holds, as of a time.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn holds(&self, alert: &Alert, condition: &Condition, as_of: NaiveDateTime) -> Result<DataFrame> {
        self.analysed(|model| watch::prepare(model, alert, condition, as_of))
    }

    /// The scores of a scorecard, and what changed them.
    ///
    /// # Errors
    /// As [`Engine::explain_change`].
    pub fn scorecard(&self, score: &Score) -> Result<DataFrame> {
        self.analyse(score)
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
pub(super) struct PlainFunction {
    pub(super) name: &'static str,
    pub(super) catalog: Arc<Catalog>,
}

impl TableFunctionImpl for PlainFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> PlanResult<Arc<dyn TableProvider>> {
        let Some(mut function) = function(self.name) else { return plan_err!("there is no {}", self.name) };
        let texts = args.exprs().iter().map(|it| text(self.name, it)).collect::<PlanResult<Vec<Option<String>>>>()?;
        let mut given = function.arguments().iter().zip(texts).filter_map(|(name, text)| Some((*name, text?)));
        given.try_for_each(|(name, text)| assign(function.as_mut(), name, &text))?;
        let Some(state) = args.session().as_any().downcast_ref::<SessionState>() else {
            return plan_err!("{} needs a session of DataFusion's own", self.name);
        };
        let functions = Functions::of(state);
        let options = state.config_options();
        let now = now(&self.catalog.calendar);
        let mut model =
            Model { catalog: &self.catalog, functions: &functions, options, now, sources: SourceSet::default() };
        match function.prepare(&mut model) {
            Ok(analysis) => Ok(Arc::new(Computed::new(analysis, Places::Nowhere))),
            Err(Error::Diagnostics(mut list)) if !list.is_empty() => Err(Places::Nowhere.shown(list.remove(0)).into()),
            Err(Error::Engine(error)) => Err(*error),
            Err(other) => plan_err!("{other}"),
        }
    }
}

fn text(function: &str, expr: &Expr) -> PlanResult<Option<String>> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            Ok(text.clone())
        }
        Expr::Literal(ScalarValue::Null, _) => Ok(None),
        other => plan_err!("{function} takes texts, and {other} is none"),
    }
}
