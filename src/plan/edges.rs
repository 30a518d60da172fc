//! `first d`, `last d per k`: marks the rows at one end of something in each group; aggregates count only these.

use datafusion::common::{Column, Result};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, WindowFrame, WindowFunctionDefinition, when};

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
}

impl PlacedEdge {
    /// The expressions that it reads.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Expr> {
        std::iter::once(&self.by).chain(&self.per).chain(&self.counted)
    }

    /// What is ordered by, of the rows that count.
    fn value(&self) -> Result<Expr> {
        match &self.counted {
            Some(counted) => when(counted.clone(), self.by.clone()).end(),
            None => Ok(self.by.clone()),
        }
    }
}

/// The rows with a column for each edge that tells whether they are at it.
pub(crate) fn marked(
    rows: LogicalPlanBuilder,
    edges: &[PlacedEdge],
    keys: &[(usize, Expr)],
) -> Result<LogicalPlanBuilder> {
    let mut rows = rows;
    for (at, edge) in edges.iter().enumerate() {
        let value = edge.value()?;
        let group = keys.iter().filter(|(key, _)| edge.group.contains(key)).map(|(_, expr)| expr.clone());
        let partition: Vec<Expr> = group.chain(edge.per.iter().cloned()).collect();
        let end = over(if edge.end == End::First { min(value.clone()) } else { max(value.clone()) }, partition)?;
        let name = end.schema_name().to_string();
        let before = columns(&rows);
        rows = rows.window(vec![end])?;
        let found = value.eq(Expr::Column(Column::new_unqualified(name)));
        rows = rows.project(before.into_iter().chain([found.alias(mark(at))]))?;
    }
    Ok(rows)
}

/// A call over the rows at all edges only.
pub(crate) fn only_marked(call: Expr, edges: usize) -> Expr {
    let marks = (0..edges).map(|at| Expr::Column(Column::new_unqualified(mark(at))));
    let Some(marks) = marks.reduce(Expr::and) else { return call };
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

fn mark(at: usize) -> String {
    format!("$edge{at}")
}

fn over(call: Expr, partition_by: Vec<Expr>) -> Result<Expr> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = call else {
        return datafusion::common::internal_err!("an end is found by an aggregate");
    };
    Ok(Expr::from(WindowFunction {
        fun: WindowFunctionDefinition::AggregateUDF(func),
        params: WindowFunctionParams {
            args: params.args,
            partition_by,
            order_by: vec![],
            window_frame: WindowFrame::new(None),
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    }))
}

fn columns(rows: &LogicalPlanBuilder) -> Vec<Expr> {
    rows.schema().columns().into_iter().map(Expr::Column).collect()
}
