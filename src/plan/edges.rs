//! `first d`, `last d per k`: marks the rows at one end of something in each group; aggregates count only these.

use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, when};

use super::frame::Origin;
use crate::catalog::modifier::End;

/// An edge over the columns of the joined rows.
#[derive(Debug, Clone)]
pub(crate) struct PlacedEdge {
    pub(crate) end: End,
    pub(crate) by: Expr,
    pub(crate) per: Vec<Expr>,
    /// The positions of the keys of the groups in which the end is found.
    pub(crate) group: Vec<usize>,
    /// Only these rows have an end.
    pub(crate) counted: Option<Expr>,
    pub(crate) origin: Origin,
}

impl PlacedEdge {
    /// The expressions that it reads.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Expr> {
        std::iter::once(&self.by).chain(&self.per).chain(&self.counted)
    }

    /// What is ordered by, of the rows that count: those at the edges before, which the filters admit.
    fn value(&self, before: usize) -> Result<Expr> {
        let marks = (0..before).map(mark_column);
        match marks.chain(self.counted.clone()).reduce(Expr::and) {
            Some(counted) => when(counted, self.by.clone()).end(),
            None => Ok(self.by.clone()),
        }
    }
}

/// The rows with a column for each edge that tells whether they are at it; edges act one after the other. Of the edges
/// of the frame only the rows at them are left.
pub(crate) fn marked(
    rows: LogicalPlanBuilder,
    edges: &[PlacedEdge],
    keys: &[(usize, Expr)],
) -> Result<LogicalPlanBuilder> {
    let mut rows = rows;
    for (at, edge) in edges.iter().enumerate() {
        let value = edge.value(at)?;
        let group = keys.iter().filter(|(key, _)| edge.group.contains(key)).map(|(_, expr)| expr.clone());
        let group: Vec<Expr> = group.chain(edge.per.iter().cloned()).collect();
        let ends = ends(rows.clone(), edge.end, value.clone(), &group, at)?;
        let before: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
        let of = |name: String| Expr::Column(Column::new(Some(relation(at)), name));
        let equal = group.iter().enumerate().map(|(key, expr)| {
            Expr::BinaryExpr(BinaryExpr {
                left: Box::new(expr.clone()),
                op: Operator::IsNotDistinctFrom,
                right: Box::new(of(format!("k{key}"))),
            })
        });
        // A table of ends by group costs less than sorting all rows by group.
        rows = if group.is_empty() { rows.cross_join(ends)? } else { rows.join_on(ends, JoinType::Left, equal)? };
        let found = value.eq(of("end".to_string()));
        rows = rows.project(before.into_iter().chain([found.alias(mark(at))]))?;
        if edge.origin == Origin::Frame {
            rows = rows.filter(mark_column(at))?;
        }
    }
    Ok(rows)
}

/// The end of each group.
fn ends(rows: LogicalPlanBuilder, end: End, value: Expr, group: &[Expr], at: usize) -> Result<LogicalPlan> {
    let keys = group.iter().enumerate().map(|(key, expr)| expr.clone().alias(format!("k{key}")));
    let rows = rows.project(keys.chain([value.alias("value")]))?;
    let plain = |name: String| Expr::Column(Column::new_unqualified(name));
    let value = plain("value".to_string());
    let end = if end == End::First { min(value) } else { max(value) };
    let keys: Vec<Expr> = (0..group.len()).map(|key| plain(format!("k{key}"))).collect();
    rows.aggregate(keys, vec![end.alias("end")])?.alias(relation(at))?.build()
}

fn relation(at: usize) -> TableReference {
    TableReference::bare(format!("$ends{at}"))
}

/// A call over the rows at the leaf's own edges only.
pub(crate) fn only_marked(call: Expr, edges: &[PlacedEdge]) -> Expr {
    let own = edges.iter().enumerate().filter(|(_, edge)| edge.origin == Origin::Leaf);
    let Some(marks) = own.map(|(at, _)| mark_column(at)).reduce(Expr::and) else { return call };
    match call {
        Expr::AggregateFunction(mut call) => {
            let filter = match call.params.filter.take() {
                Some(filter) => marks.and(*filter),
                None => marks,
            };
            call.params.filter = Some(Box::new(filter));
            Expr::AggregateFunction(call)
        }
        Expr::Alias(alias) => only_marked(*alias.expr, edges).alias(alias.name),
        other => other,
    }
}

fn mark_column(at: usize) -> Expr {
    Expr::Column(Column::new_unqualified(mark(at)))
}

fn mark(at: usize) -> String {
    format!("$edge{at}")
}
