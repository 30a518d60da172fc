//! Which expectations stand before a publication: those about what it reads, and about what its indicators are made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, TableSource};

use crate::catalog::expr::{Expression, Input};
use crate::catalog::publication::Publication;
use crate::catalog::source::Rows;
use crate::catalog::{Catalog, SourceId};
use crate::engine::{Engine, definition};
use crate::error::Result;
use crate::plan::formulas::Formulas;

/// The expectations that a publication depends on, by position.
///
/// # Errors
/// What planning its question finds.
pub(super) fn expected_before(engine: &Engine, publication: &Publication) -> Result<Vec<usize>> {
    let catalog = engine.catalog();
    if catalog.expectations.is_empty() {
        return Ok(vec![]);
    }
    let state = engine.context().state();
    let formulas = publication
        .indicators
        .iter()
        .map(|(_, id)| (Expression::input(Input::Indicator(*id, vec![])), catalog.indicator(*id).data_type.clone()));
    let asked = Formulas {
        package: publication.item.package.clone(),
        place: publication.item.span,
        by: publication.by.clone(),
        formulas: formulas.collect(),
        conditions: publication.conditions.clone(),
    };
    let sources = sources_of(catalog, &asked.plan(catalog, state.config_options())?)?;
    let asked = (&publication.indicators, &publication.by, &publication.conditions);
    let indicators = definition::indicators_behind(catalog, &asked);
    let before = catalog.expectations.iter().enumerate().filter(|(_, expectation)| {
        expectation.sources().iter().any(|id| sources.contains(id))
            || expectation.indicators().iter().any(|id| indicators.contains(id))
    });
    Ok(before.map(|(at, _)| at).collect())
}

/// The sources whose rows a plan reads; a source from a query, if all of that query stands in it.
fn sources_of(catalog: &Catalog, plan: &LogicalPlan) -> Result<BTreeSet<SourceId>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        let is_read = |rows: &Rows| match (rows, node) {
            (Rows::Table(table), LogicalPlan::TableScan(scan)) => same(table, &scan.source),
            (Rows::Query(query), node) => query.as_ref() == node,
            _ => false,
        };
        let ids = (0..).map(SourceId).zip(&catalog.sources);
        found.extend(ids.filter(|(_, source)| is_read(&source.rows)).map(|(id, _)| id));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn same(one: &Arc<dyn TableSource>, other: &Arc<dyn TableSource>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
