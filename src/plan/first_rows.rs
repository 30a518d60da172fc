//! [`FirstRowsBeforeLookups`]: the first rows are found before anything is looked up for them.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::logical_expr::utils::expr_to_columns;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, Sort, SortExpr};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// An optimizer rule for `ORDER BY … LIMIT` over a left join whose left side alone gives the order: its first rows are
/// taken before the join, too.
///
/// A left join keeps each row of its left side at least once, so the first rows of the join come from the first ones of
/// that side; which of several equal ones are the first, nobody has said. The literature knows it as pushing top-k below
/// joins (M. Carey and D. Kossmann, "On saying 'Enough already!' in SQL", SIGMOD 1997).
#[derive(Debug, Default)]
pub struct FirstRowsBeforeLookups {
    _private: (),
}

impl OptimizerRule for FirstRowsBeforeLookups {
    fn name(&self) -> &str {
        "first_rows_before_lookups"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(Sort { expr, input, fetch: Some(fetch) }) = &plan else {
            return Ok(Transformed::no(plan));
        };
        Ok(match before(input, expr, *fetch)? {
            Some(input) => Transformed::yes(LogicalPlan::Sort(Sort {
                expr: expr.clone(),
                input: input.into(),
                fetch: Some(*fetch),
            })),
            None => Transformed::no(plan),
        })
    }
}

/// The plan with its first rows taken before a join in it; none, if that cannot be or was done.
fn before(plan: &LogicalPlan, order: &[SortExpr], fetch: usize) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let Some(order) = below(projection, order)? else { return Ok(None) };
            let Some(input) = before(&projection.input, &order, fetch)? else { return Ok(None) };
            let schema = projection.schema.clone();
            let projection = Projection::try_new_with_schema(projection.expr.clone(), input.into(), schema)?;
            Ok(Some(LogicalPlan::Projection(projection)))
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Left => {
            let done = matches!(join.left.as_ref(), LogicalPlan::Sort(sort) if sort.fetch.is_some());
            if done || !order.iter().all(|by| is_of(&by.expr, join.left.schema())) {
                return Ok(None);
            }
            let first = Sort { expr: order.to_vec(), input: join.left.clone(), fetch: Some(fetch) };
            Ok(Some(LogicalPlan::Join(Join { left: LogicalPlan::Sort(first).into(), ..join.clone() })))
        }
        _ => Ok(None),
    }
}

/// An order as one of the rows that a projection reads; none, if it could be another one for each run.
fn below(projection: &Projection, order: &[SortExpr]) -> Result<Option<Vec<SortExpr>>> {
    let outputs = projection.schema.columns();
    let value = |column: &Column| outputs.iter().position(|output| output == column).map(|at| &projection.expr[at]);
    let mut moved = Vec::new();
    for by in order {
        let expr = by.expr.clone().transform_down(|expr| {
            let found = match &expr {
                Expr::Column(column) => value(column).cloned().map(Expr::unalias),
                _ => None,
            };
            Ok(match found {
                Some(found) => Transformed::new(found, true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            })
        })?;
        if expr.data.is_volatile() {
            return Ok(None);
        }
        moved.push(by.with_expr(expr.data));
    }
    Ok(Some(moved))
}

/// Whether an expression has only columns of a schema.
fn is_of(expr: &Expr, schema: &DFSchema) -> bool {
    let mut columns = std::collections::HashSet::new();
    expr_to_columns(expr, &mut columns).is_ok()
        && !columns.is_empty()
        && columns.iter().all(|column| schema.has_column(column))
}
