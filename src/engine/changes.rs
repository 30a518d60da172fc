//! Why did it change: the library's own methods, and the table function of a plain session.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result as PlanResult, ScalarValue, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::prelude::DataFrame;

use super::Engine;
use super::computed::{Computed, Places};
use crate::analysis::{Analysis, Argument, Change, Model, Outline};
use crate::catalog::Catalog;
use crate::check::functions::Functions;
use crate::diagnostic::{Diagnostic, codes};
use crate::error::{Error, Result};
use crate::source::SourceSet;

/// The name of the table function.
pub(super) const EXPLAIN_CHANGE: &str = "explain_change";

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
            sources: SourceSet::clone(&self.project.sources),
        };
        let analysis = prepare(&mut model)?;
        Ok(self.ctx.read_table(Arc::new(Computed::new(analysis, Places::Own)))?)
    }
}

/// `explain_change` in a session that the caller owns: its planner knows arguments by their order only.
#[derive(Debug)]
pub(super) struct ExplainChange {
    pub(super) catalog: Arc<Catalog>,
}

impl TableFunctionImpl for ExplainChange {
    fn call_with_args(&self, args: TableFunctionArgs) -> PlanResult<Arc<dyn TableProvider>> {
        let texts = args.exprs().iter().map(text).collect::<PlanResult<Vec<Option<String>>>>()?;
        let mut given = NAMES.iter().zip(texts).filter_map(|(name, text)| Some((*name, text?)));
        let mut change = Change::default();
        given.try_for_each(|(name, text)| set(&mut change, name, &text))?;
        let Some(state) = args.session().as_any().downcast_ref::<SessionState>() else {
            return plan_err!("{EXPLAIN_CHANGE} needs a session of DataFusion's own");
        };
        let functions = Functions::of(state);
        let options = state.config_options();
        let mut model = Model { catalog: &self.catalog, functions: &functions, options, sources: SourceSet::default() };
        match change.prepare(&mut model) {
            Ok(analysis) => Ok(Arc::new(Computed::new(analysis, Places::Nowhere))),
            Err(Error::Diagnostics(mut list)) if !list.is_empty() => Err(Places::Nowhere.shown(list.remove(0)).into()),
            Err(Error::Engine(error)) => Err(*error),
            Err(other) => plan_err!("{other}"),
        }
    }
}

/// The arguments in their order.
pub(super) const NAMES: [&str; 8] =
    ["indicator", "base", "current", "by", "method", "where", "base_where", "current_where"];

/// Puts an argument into its place.
///
/// # Errors
/// A diagnostic without a place, if there is no such argument or method.
pub(super) fn set(change: &mut Change, name: &str, text: &str) -> Result<(), Diagnostic> {
    let own = || text.to_string();
    match name {
        "indicator" => change.indicator = own(),
        "base" => change.base = Some(own()),
        "current" => change.current = Some(own()),
        "by" => {
            change.by = text.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
        }
        "method" => change.method = method(text)?,
        "where" => change.conditions = vec![own()],
        "base_where" => change.base_where = vec![own()],
        "current_where" => change.current_where = vec![own()],
        _ => {
            let diagnostic = Diagnostic::new(codes::REQUEST, format!("`{EXPLAIN_CHANGE}` has no argument `{name}`"));
            return Err(match crate::diagnostic::nearest(name, NAMES) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("its arguments are {}", NAMES.join(", "))),
            });
        }
    }
    Ok(())
}

fn method(text: &str) -> Result<crate::analysis::effects::Method, Diagnostic> {
    use crate::analysis::effects::Method;
    let wanted = text.trim().to_lowercase();
    Method::ASKED.into_iter().find(|method| method.name() == wanted).ok_or_else(|| {
        let names: Vec<&str> = Method::ASKED.iter().map(|method| method.name()).collect();
        Diagnostic::new(codes::REQUEST, format!("`{text}` is no method"))
            .help(format!("methods are {}", names.join(", ")))
    })
}

fn text(expr: &Expr) -> PlanResult<Option<String>> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            Ok(text.clone())
        }
        Expr::Literal(ScalarValue::Null, _) => Ok(None),
        other => plan_err!("{EXPLAIN_CHANGE} takes texts, and {other} is none"),
    }
}
