//! Tree to catalog: are the names there, do the types and units fit, is every way unique?
//!
//! [`check`] never fails and never stops: items that are wrong are reported and left out, items that depend on them are
//! left out silently, the rest becomes the [`Catalog`].
//!
//! Invariant: this is the only stage that sees both the tree and the catalog; it reads no file, clock or environment.

mod alerts;
mod calendars;
mod contexts;
mod declare;
mod dimensions;
mod ends;
mod event_views;
mod events;
mod exclusive;
mod expectations;
mod folders;
pub mod functions;
mod goals;
mod identity;
mod indicators;
mod joins;
mod measures;
pub(crate) mod ordered;
pub mod percentile;
mod planned;
mod policies;
mod processes;
mod publications;
pub(crate) mod refused;
mod resolve;
mod rival_targets;
mod rollups;
mod scenarios;
mod scorecards;
pub mod source_rows;
mod sources;
mod statements;
mod trees;
mod units;
mod views;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;

use crate::catalog::expr::{Expression, Input};
use crate::catalog::process::Process;
use crate::catalog::source::Rows;
use crate::catalog::{Catalog, DimensionId, IndicatorId, Member, SourceId};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::SourceSet;
use crate::syntax::ast;
use declare::Declarations;
pub use declare::{DEFAULT_PACKAGE, METRIC_TIME};
pub(crate) use dimensions::{needs_key, unreachable};
pub(crate) use folders::place;
use functions::Functions;
pub(crate) use identity::{constant, not_zero};
use planned::Planned;
pub(crate) use policies::looked_at;
pub(crate) use refused::expression_error;
use resolve::Scope;
pub(crate) use resolve::schema_of;
pub(crate) use sources::{read_by, with_rows};
pub(crate) use trees::definition_as_breakdown;

/// What `check` gives: everything that is right, and everything that is wrong.
#[derive(Debug)]
pub struct Checked {
    /// The items that are right.
    pub catalog: Catalog,
    /// What is wrong with the others.
    pub diagnostics: Vec<Diagnostic>,
}

/// A source's table as found outside.
#[derive(Debug, Clone)]
pub struct Table {
    /// What is scanned.
    pub rows: Rows,
    /// Its columns.
    pub schema: SchemaRef,
}

/// The tables of the sources that could be opened, by package and name. What is missing here was reported by whoever
/// tried to open it.
pub type Tables = HashMap<(String, String), Table>;

/// Resolves the trees of all files into one catalog.
pub fn check(sources: &SourceSet, files: &[ast::File], tables: &Tables, functions: &Functions) -> Checked {
    let mut checker = Checker::new(sources, functions);
    checker.declare(files);
    checker.check_calendar(files);
    checker.check_sources(tables);
    checker.check_source_expressions();
    checker.check_joins();
    checker.check_axes();
    checker.check_calendar_tables(files);
    checker.put_rows_in_place();
    checker.check_members();
    checker.check_views();
    checker.check_events();
    checker.check_processes();
    checker.check_trees();
    checker.check_targets();
    checker.check_scorecards();
    checker.check_scenarios();
    checker.check_alerts();
    checker.check_publications();
    checker.check_rollups();
    checker.check_expectations();
    checker.check_policies();
    checker.diagnostics.sort_by_key(|d| d.primary.as_ref().map(|label| label.span));
    Checked { catalog: checker.catalog.into_owned(), diagnostics: checker.diagnostics }
}

/// Why something is not there.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is wrong, and this says how.
    Wrong(Box<Diagnostic>),
    /// It depends on something that was already reported.
    Silent,
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure::Wrong(Box::new(diagnostic))
    }
}

/// How far a dimension, segment or indicator has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Resolving,
    Broken,
    Done(Member),
}

/// The catalog while it is being built.
pub(crate) struct Checker<'a> {
    pub(crate) files: &'a SourceSet,
    pub(crate) functions: &'a Functions,
    pub(crate) catalog: Cow<'a, Catalog>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) declared: Declarations<'a>,
    /// Joins that were reported: names that go through them stay silent.
    pub(crate) broken_joins: HashSet<(SourceId, String)>,
    /// How far each declared member has come, by its position.
    progress: HashMap<usize, Progress>,
    planned: Planned,
    /// The processes that were asked for, by their place; `None` if one is broken.
    pub(crate) processes: HashMap<usize, Option<Arc<Process>>>,
}

impl<'a> Checker<'a> {
    fn new(files: &'a SourceSet, functions: &'a Functions) -> Self {
        Checker::with(Cow::Owned(Catalog::default()), functions, files)
    }

    /// For questions to a catalog that is checked already.
    fn over(catalog: &'a Catalog, functions: &'a Functions, files: &'a SourceSet) -> Self {
        Checker::with(Cow::Borrowed(catalog), functions, files)
    }

    fn with(catalog: Cow<'a, Catalog>, functions: &'a Functions, files: &'a SourceSet) -> Self {
        Checker {
            files,
            functions,
            catalog,
            diagnostics: vec![],
            declared: Declarations::default(),
            broken_joins: HashSet::new(),
            progress: HashMap::new(),
            processes: HashMap::new(),
            planned: Planned::default(),
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The value, or a report of why there is none.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Failure::Wrong(diagnostic)) => {
                self.report(*diagnostic);
                None
            }
            Err(Failure::Silent) => None,
        }
    }

    fn add_dimension(&mut self, dimension: crate::catalog::dimension::Dimension) -> DimensionId {
        let id = DimensionId(self.catalog.dimensions.len() as u32);
        let item = &dimension.item;
        self.catalog.to_mut().members.insert(&item.package, &item.name, Member::Dimension(id));
        self.package(&item.package).dimensions.push(id);
        self.catalog.to_mut().dimensions.push(dimension);
        id
    }

    fn add_indicator(&mut self, indicator: crate::catalog::indicator::Indicator) -> IndicatorId {
        let id = IndicatorId(self.catalog.indicators.len() as u32);
        let item = &indicator.item;
        self.catalog.to_mut().members.insert(&item.package, &item.name, Member::Indicator(id));
        self.package(&item.package).indicators.push(id);
        self.catalog.to_mut().indicators.push(indicator);
        id
    }

    /// The package of that name, which `declare` has made.
    pub(crate) fn package(&mut self, name: &str) -> &mut crate::catalog::Package {
        let packages = &mut self.catalog.to_mut().packages;
        let at = packages.iter().position(|package| package.name == name).unwrap_or_else(|| {
            packages.push(crate::catalog::Package {
                name: name.to_string(),
                label: None,
                sources: vec![],
                dimensions: vec![],
                indicators: vec![],
            });
            packages.len() - 1
        });
        &mut packages[at]
    }
}

/// The dimension (or column) that the last text of `sources` names, in a checked catalog.
///
/// # Errors
/// A located diagnostic, if there is none.
pub fn dimension_of(
    catalog: &Catalog,
    functions: &Functions,
    sources: &SourceSet,
    package: &str,
) -> Result<Input, Diagnostic> {
    let mut checker = Checker::over(catalog, functions, sources);
    let tree = asked_expression(sources)?;
    let typed = checker.resolve_rows(&tree, Scope::rows(package, None)).map_err(told)?;
    match typed.expression.inputs.as_slice() {
        [input] if matches!(typed.expression.expr, datafusion::logical_expr::Expr::Column(_)) => Ok(input.clone()),
        _ => Err(Diagnostic::new(codes::REQUEST, "`by` takes dimensions, not expressions")
            .at(tree.span)
            .help("declare a dimension for it")),
    }
}

/// The condition that the last text of `sources` is, in a checked catalog.
///
/// # Errors
/// A located diagnostic, if it is none.
pub fn condition_of(
    catalog: &Catalog,
    functions: &Functions,
    sources: &SourceSet,
    package: &str,
) -> Result<Expression, Diagnostic> {
    let mut checker = Checker::over(catalog, functions, sources);
    let tree = asked_expression(sources)?;
    checker.resolve_condition(&tree, Scope::rows(package, None)).map_err(told)
}

fn asked_expression(sources: &SourceSet) -> Result<ast::Expr, Diagnostic> {
    match sources.files().last() {
        Some(file) => crate::syntax::parse_expression(file),
        None => Err(Diagnostic::new(codes::REQUEST, "there is no text to read")),
    }
}

/// In a checked catalog nothing is broken, so every failure says what it is.
fn told(failure: Failure) -> Diagnostic {
    match failure {
        Failure::Wrong(diagnostic) => *diagnostic,
        Failure::Silent => Diagnostic::new(codes::REQUEST, "this depends on an item that is broken"),
    }
}
