//! Roles and functions of a server: who is told of by policies, and what can be called in FROM.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::LogicalPlanBuilder;

use crate::analysis::function::{FUNCTIONS, function};
use crate::catalog::Catalog;

/// A table function.
#[derive(Debug)]
pub(super) struct Callable {
    pub(super) number: i32,
    pub(super) name: &'static str,
    /// Its arguments, all of which are texts.
    pub(super) arguments: &'static [&'static str],
}

impl Callable {
    /// The arguments with their types.
    pub(super) fn signature(&self) -> String {
        self.arguments.iter().map(|name| format!("{name} text")).collect::<Vec<_>>().join(", ")
    }
}

/// The functions that analyse indicators, numbered by their names.
pub(super) fn callables(mut number: impl FnMut(&str) -> i32) -> Vec<Callable> {
    let known = FUNCTIONS.iter().filter_map(|name| function(name));
    known.map(|it| Callable { number: number(it.name()), name: it.name(), arguments: it.arguments() }).collect()
}

/// The roles that a caller may know of: their own; all that policies name, if they see everything.
pub(super) fn roles(model: &Catalog) -> BTreeSet<&str> {
    match &model.seen {
        Some(seen) => seen.roles.iter().map(String::as_str).collect(),
        None => model.policies.iter().flat_map(|it| it.to.iter().chain(&it.except)).map(String::as_str).collect(),
    }
}

/// The rows of one table, and after them those of another with the same columns.
pub(super) fn both(one: Arc<dyn TableProvider>, other: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let scan = |table| LogicalPlanBuilder::scan("pg_proc", provider_as_source(table), None)?.build();
    let plan = LogicalPlanBuilder::from(scan(one)?).union(scan(other)?)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
