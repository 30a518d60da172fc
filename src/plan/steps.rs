//! Rows on the days of a calendar, put together first.
//!
//! A row may count on thousands of days (`at (each day cumulative)`). What can be put together from parts is therefore
//! computed for each step of the calendar first, and only these few rows meet the days.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use super::days::{counted_on, step_of};
use super::guards::guarded;
use super::part::Placed;
use super::prepared::{BuiltPart, Prepared};
use super::rows::distinct;
use super::running;
use super::situation::{Link, Shows};
use super::windows::{key_column, key_name};
use crate::catalog::Catalog;
use crate::catalog::event::Dated;

/// The part, if all that sees the day sees nothing else of the rows, and all else not the day.
pub(crate) fn put_together(
    catalog: &Catalog,
    dated: &Dated,
    placed: &Placed<'_>,
    sets: Option<&[Vec<usize>]>,
    (links, shows): (&[Link], Shows),
) -> Result<Option<BuiltPart>> {
    let Some(Expr::Column(day)) = &placed.day else { return Ok(None) };
    let Some(relation) = &day.relation else { return Ok(None) };
    if !is_apart(placed, day) {
        return Ok(None);
    }
    let (of_day, of_rows): (Vec<Expr>, Vec<Expr>) =
        placed.filters.iter().cloned().partition(|filter| sees(filter, day));
    let mut scan = placed.scan.clone();
    let time = scan.place(&dated.time);
    let rows = filtered(scan.build_undated()?, of_rows)?;
    let own = placed.keys.iter().filter(|(_, key)| !sees(key, day));
    let groups = own.map(|(at, key)| key.clone().alias(key_name(*at))).collect();
    let calls: Vec<Expr> = placed.calls.iter().map(|(_, call)| call.clone()).collect();
    let unique = distinct(&calls);
    let step = step_of(catalog, dated, time);
    let Some(reduced) = running::per_group(&rows, groups, step, &unique)? else { return Ok(None) };
    let columns: Vec<Expr> = reduced.rows.schema().columns().into_iter().map(Expr::Column).collect();
    let rows = counted_on(catalog, reduced.rows, &columns, running::cell_column(), dated, relation)?;
    let keys = placed.keys.iter().map(|(at, key)| (*at, if sees(key, day) { key.clone() } else { key_column(*at) }));
    let prepared = Prepared {
        own: None,
        rows: filtered(LogicalPlanBuilder::from(rows), of_day)?,
        keys: keys.collect(),
        // Numbered as they come, to find their outputs again.
        calls: reduced.aggregates.into_iter().enumerate().collect(),
        edges: placed.edges.clone(),
        instant: None,
        fact_key: None,
        links: links.to_vec(),
        shows,
    };
    let built = prepared.aggregated(sets)?;
    let outputs: Vec<Expr> = built.values.iter().map(|(_, output)| output.clone()).collect();
    let value = |call: &Expr| {
        let at = unique.iter().position(|known| known == call).unwrap_or_default();
        reduced.finals[at].of(&outputs)
    };
    let values = placed.calls.iter().map(|(leaf, call)| (*leaf, value(call))).collect();
    Ok(Some(BuiltPart { values, ..built }))
}

/// Whether the day can be joined after the rows are put together.
fn is_apart(placed: &Placed<'_>, day: &Column) -> bool {
    let apart = |expr: &Expr| !sees(expr, day) || expr.column_refs().len() == 1;
    let keys = placed.keys.iter().map(|(_, key)| key);
    let ends = placed
        .edges
        .iter()
        .all(|edge| edge.per.is_empty() && edge.counted.is_none() && sees(&edge.by, day) && apart(&edge.by));
    let calls = placed.calls.iter().any(|(_, call)| sees(call, day));
    keys.chain(&placed.filters).all(apart) && ends && !calls && !placed.scan.fans_out() && !placed.scan.looks_up(day)
}

fn sees(expr: &Expr, day: &Column) -> bool {
    expr.column_refs().contains(day)
}

fn filtered(rows: LogicalPlanBuilder, filters: Vec<Expr>) -> Result<LogicalPlanBuilder> {
    match conjunction(filters).map(guarded) {
        Some(filter) => rows.filter(filter),
        None => Ok(rows),
    }
}
