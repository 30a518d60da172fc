//! SQL through our own entrance: `AT`, bare indicators, `SHOW` and errors that point into the text.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::TableReference;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::ObjectName;

use super::locate::{Words, located};
use super::prepass::{self, Views};
use super::register::as_package;
use super::{Engine, table_functions};
use crate::analysis::function::FUNCTIONS;
use crate::catalog::Member;
use crate::catalog::calendar::Calendar;
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::plan::BellOptions;
use crate::plan::rules::ExpandMeasures;
use crate::plan::view::IndicatorView;
use crate::source::SourceFile;
use crate::store::statement::{KnownTables, plan_referring};
use crate::syntax::dialect::{BellDialect, Text};

/// The one statement that a text is.
///
/// # Errors
/// A located diagnostic, if it is not SQL or not exactly one statement.
pub fn parse(file: &SourceFile) -> Result<Statement, Diagnostic> {
    let dialect = BellDialect::new(Text::Statement);
    let parsed =
        DFParserBuilder::new(file.text.as_str()).with_dialect(&dialect).build().and_then(|mut p| p.parse_statements());
    let mut statements = parsed.map_err(|error| super::locate::syntax_error(file, &error))?;
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(Diagnostic::new(codes::SQL_SYNTAX, "there is no statement")),
        (Some(_), more) => {
            Err(Diagnostic::new(codes::SQL_SYNTAX, format!("one statement is expected, here are {}", more + 1))
                .help("run them one by one"))
        }
    }
}

/// The words that `AT (…)` and `FILTER (…)` are written with, or could be.
const CONTEXTS: &[&str] = &["at", "filter", "bell_at", "bell_filter"];

/// Plans a statement over the session's tables and indicator views, with markers expanded.
///
/// # Errors
/// [`Error::Diagnostics`] that point into `file`.
pub async fn plan(
    engine: &Engine,
    state: &SessionState,
    file: &SourceFile,
    mut statement: Statement,
) -> Result<LogicalPlan> {
    let ctx = engine.context();
    let words = Words::of(file);
    // A walk through a statement costs more than a look at its words.
    let known = match words.any_of(&FUNCTIONS) {
        true => table_functions::replace(engine, file, &mut statement)?,
        false => KnownTables::new(),
    };
    let calendar = &engine.catalog().calendar;
    let marked =
        marked(state, (file, calendar), &words, statement, known).await.map_err(|error| located(error, &words, ctx))?;
    let expanded = ExpandMeasures::default().analyze(marked, state.config_options());
    expanded.map_err(|error| located(error.into(), &words, ctx))
}

/// Plans a statement with its markers in place.
async fn marked(
    state: &SessionState,
    (file, calendar): (&SourceFile, &Calendar),
    words: &Words,
    mut statement: Statement,
    mut known: KnownTables,
) -> Result<LogicalPlan> {
    let schemas = Schemas::of(state);
    if state.config_options().extensions.get::<BellOptions>().is_some_and(|options| options.bi_compat) {
        prepass::drop_counts(&mut statement, &schemas);
    }
    prepass::rewrite(file, &mut statement, &schemas);
    if words.any_of(CONTEXTS) {
        super::contexts::distribute(file, calendar, &mut statement)?;
    }
    let wanted = if prepass::has_wildcard(file, &mut statement) { None } else { Some(words.all()) };
    let references = state.resolve_table_references(&statement)?;
    for reference in &references {
        if let Some(view) = schemas.view(reference, wanted.as_ref()) {
            known.insert(reference.clone(), view.into_source());
        }
    }
    Ok(plan_referring(state, statement, references, known).await?)
}

/// The schemas of a session, for finding indicator views.
pub struct Schemas<'s> {
    state: &'s SessionState,
    catalog: Option<Arc<dyn CatalogProvider>>,
}

impl<'s> Schemas<'s> {
    /// Those of a session.
    pub fn of(state: &'s SessionState) -> Self {
        let catalog = state.catalog_list().catalog(&state.config_options().catalog.default_catalog);
        Schemas { state, catalog }
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.catalog.as_ref()?.schema(name)
    }

    fn default_schema(&self) -> &str {
        &self.state.config_options().catalog.default_schema
    }

    fn view(&self, reference: &TableReference, wanted: Option<&HashSet<String>>) -> Option<IndicatorView> {
        let schema = self.schema(reference.schema().unwrap_or(self.default_schema()))?;
        as_package(&schema)?.view(reference.table(), wanted)
    }

    /// The schema and table that a name in FROM means.
    fn parts(&self, table: &ObjectName) -> Option<(String, String)> {
        let names: Vec<String> =
            table.0.iter().map(|part| part.as_ident().map(prepass::normal)).collect::<Option<Vec<_>>>()?;
        match names.as_slice() {
            [table] => Some((self.default_schema().to_string(), table.clone())),
            [.., schema, table] => Some((schema.clone(), table.clone())),
            [] => None,
        }
    }
}

impl Views for Schemas<'_> {
    fn is_view(&self, table: &ObjectName) -> bool {
        let Some((schema, table)) = self.parts(table) else { return false };
        let Some(schema) = self.schema(&schema) else { return false };
        as_package(&schema).is_some_and(|package| package.has_view(&table))
    }

    fn is_indicator(&self, table: &ObjectName, column: &str) -> bool {
        let Some((schema, table)) = self.parts(table) else { return false };
        let Some(schema) = self.schema(&schema) else { return false };
        let Some(package) = as_package(&schema) else { return false };
        matches!(package.member_of(&table, column), Some(Member::Indicator(_)))
    }

    fn own_columns(&self, table: &ObjectName) -> Option<Vec<String>> {
        let (schema, table) = self.parts(table)?;
        as_package(&self.schema(&schema)?)?.own_columns(&table)
    }

    fn is_aggregate(&self, function: &str) -> bool {
        self.state.aggregate_functions().contains_key(function)
    }
}
