//! Cells that are added up once more on their way: by the foreign keys of a joined source, before the rows that these
//! lead to are looked up.
//!
//! Lines added up by their order meet the orders; where all that is asked hangs on the order's customer, they are added up
//! by the customer's key, and only then are names and nations looked up: for each customer, not for each order. Orders
//! without a customer, and customers that nobody declares, become one group where the keys of the question are NULL, as
//! they would otherwise: the question's own grouping still comes last.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::rows::{aggregate, columns_of, distinct};
use super::scan::Scan;
use crate::catalog::path::JoinPath;

/// A joined source where rows are added up before they meet what is joined to it.
pub(crate) struct Station<'s> {
    pub(crate) path: JoinPath,
    /// The rows added up; what the joins beyond ask of them is given, too.
    pub(crate) add_up: &'s dyn Fn(LogicalPlan, Vec<Expr>) -> Result<LogicalPlan>,
}

/// What is asked of rows, or of cells.
pub(super) struct Again<'a> {
    pub(super) keys: &'a [(usize, Expr)],
    /// What they are added up to, under names.
    pub(super) parts: &'a [Expr],
    /// About how many there are.
    pub(super) rows: Option<usize>,
    /// How many times fewer there must be after.
    pub(super) factor: usize,
    /// Whether it pays only in place of the question's own grouping, which then has little left to do.
    pub(super) instead: bool,
}

impl Again<'_> {
    /// The joined rows, added up on the way, if all others are joined by way of one source and that makes them fewer.
    pub(super) fn late_lookup(&self, scan: &Scan<'_>) -> Result<Option<LogicalPlanBuilder>> {
        let Some((path, name, far)) = scan.only_way() else { return Ok(None) };
        let here = [scan.root_name(), name];
        let is_here = |column: &Expr| matches!(column, Expr::Column(column) if column.relation.as_ref().is_some_and(|relation| here.contains(relation)));
        let asked: Vec<Expr> = self.keys.iter().flat_map(|(_, key)| columns_of(key)).collect();
        let own: Vec<Expr> = asked.iter().filter(|column| is_here(column)).cloned().collect();
        let joined: Vec<_> =
            far.iter().flat_map(|path| scan.joined_by(path)).filter(|(column, _)| is_here(column)).collect();
        let sizes = scan.sizes();
        let values = |column: &Expr| {
            let others = joined.iter().filter(|(joined, _)| joined == column).filter_map(|(_, rows)| *rows);
            sizes.values(column).into_iter().chain(others).min()
        };
        let combinations = |columns: &[Expr]| {
            distinct(columns).iter().try_fold(1_usize, |cells, column| Some(cells.saturating_mul(values(column)?)))
        };
        let after =
            combinations(&own.iter().chain(joined.iter().map(|(column, _)| column)).cloned().collect::<Vec<_>>());
        let fewer = after.zip(self.rows).is_some_and(|(after, before)| after.saturating_mul(self.factor) <= before);
        let as_many =
            || combinations(&asked).zip(after).is_some_and(|(groups, after)| groups.saturating_mul(2) >= after);
        if !(fewer && (!self.instead || as_many()) || self.factor == 0) {
            return Ok(None);
        }
        let add_up = |rows: LogicalPlan, needed: Vec<Expr>| {
            let needed = needed.iter().flat_map(columns_of).filter(is_here);
            let groups = distinct(&own.iter().cloned().chain(needed).collect::<Vec<_>>());
            aggregate(rows, groups, self.parts.to_vec())
        };
        scan.build_by_way_of(&Station { path, add_up: &add_up }).map(Some)
    }
}

/// Calls that are made twice: under names, and over what they give, a sum of sums or a greatest of greatests. None where
/// one has a filter, which acts on what is joined, or gives something else than it is made of.
pub(super) fn twice(calls: &[Expr]) -> Option<(Vec<Expr>, Vec<Expr>)> {
    let over = |(at, call): (usize, &Expr)| {
        let Expr::AggregateFunction(function) = call else { return None };
        let mut function = function.clone();
        function.params.args = vec![Expr::Column(Column::new_unqualified(part(at)))];
        let plain = function.params.filter.is_none() && matches!(function.func.name(), "sum" | "min" | "max");
        plain.then(|| (call.clone().alias(part(at)), Expr::AggregateFunction(function)))
    };
    calls.iter().enumerate().map(over).collect()
}

fn part(at: usize) -> String {
    format!("$late{at}")
}
