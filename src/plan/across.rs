//! Measures over a join of two views: each side is grouped by the joined dimensions first, then joined as asked.

use datafusion::common::{Column, NullEquality, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, BinaryExpr, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator};

use super::refuse::as_call;
use super::trace::Traced;
use crate::catalog::expr::Expression;
use crate::diagnostic::{Diagnostic, codes};

/// The same question with an aggregate on each side of the join, if it is grouped by exactly the joined dimensions.
///
/// # Errors
/// A diagnostic, if it is not: re-aggregating one side's groups would repeat the other side's values.
pub(crate) fn grouped_sides(
    aggregate: &Aggregate,
    join: &Join,
    sides: (&Traced, &Traced),
) -> Result<Option<LogicalPlan>> {
    let (left, right) = sides;
    let mut keys: Vec<(Column, Column)> = Vec::new();
    for (l, r) in equated(join)? {
        if !same_dimension(
            &left.row_expression(&Expr::Column(l.clone()))?,
            &right.row_expression(&Expr::Column(r.clone()))?,
        ) {
            return Err(unshared(&format!("equates `{l}` with `{r}`, which are different dimensions")).into());
        }
        keys.push((l, r));
    }
    for group in &aggregate.group_expr {
        let shared = matches!(group, Expr::Column(column) if keys.iter().any(|(l, r)| column == l || column == r));
        if !shared {
            return Err(unshared(&format!("groups by `{group}`, which is not joined on")).into());
        }
    }
    if let Some((l, _)) = keys.iter().find(|(l, r)| {
        !aggregate.group_expr.iter().any(|group| matches!(group, Expr::Column(column) if column == l || column == r))
    }) {
        return Err(unshared(&format!("joins on `{l}` but does not group by it")).into());
    }
    rebuild(aggregate, join, &keys).map(Some)
}

/// The columns, left and right, that a join equates: by USING, or in ON.
fn equated(join: &Join) -> Result<Vec<(Column, Column)>> {
    let refused = || unshared("joins them on something other than equal dimensions");
    let mut pairs: Vec<(&Expr, &Expr)> = join.on.iter().map(|(l, r)| (l, r)).collect();
    for condition in join.filter.iter().flat_map(split_conjunction) {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => pairs.push((left, right)),
            _ => return Err(refused().into()),
        }
    }
    let on_left = |column: &Column| join.left.schema().has_column(column);
    let on_right = |column: &Column| join.right.schema().has_column(column);
    let orient = |pair: (&Expr, &Expr)| match pair {
        (Expr::Column(a), Expr::Column(b)) if on_left(a) && on_right(b) => Ok((a.clone(), b.clone())),
        (Expr::Column(a), Expr::Column(b)) if on_left(b) && on_right(a) => Ok((b.clone(), a.clone())),
        _ => Err(refused().into()),
    };
    if pairs.is_empty() { Err(refused().into()) } else { pairs.into_iter().map(orient).collect() }
}

fn rebuild(aggregate: &Aggregate, join: &Join, keys: &[(Column, Column)]) -> Result<LogicalPlan> {
    let of = |plan: &LogicalPlan, call: &Expr| {
        let columns =
            as_call(call).map(|call| call.params.args.iter().flat_map(Expr::column_refs).cloned().collect::<Vec<_>>());
        columns.is_ok_and(|columns| columns.iter().all(|column| plan.schema().has_column(column)))
    };
    let side = |plan: &LogicalPlan, keys: Vec<Expr>| -> Result<LogicalPlan> {
        let calls: Vec<Expr> = aggregate.aggr_expr.iter().filter(|call| of(plan, call)).cloned().collect();
        LogicalPlanBuilder::from(plan.clone()).aggregate(keys, calls)?.build()
    };
    let left = side(&join.left, keys.iter().map(|(l, _)| Expr::Column(l.clone())).collect())?;
    let right = side(&join.right, keys.iter().map(|(_, r)| Expr::Column(r.clone())).collect())?;
    let (l, r): (Vec<Column>, Vec<Column>) = keys.iter().cloned().unzip();
    // As in every drill-across, NULL dimension values match each other.
    let nulls = NullEquality::NullEqualsNull;
    let joined = LogicalPlanBuilder::from(left).join_detailed(right, join.join_type, (l, r), None, nulls)?;
    let outputs: Vec<Expr> = aggregate
        .group_expr
        .iter()
        .chain(&aggregate.aggr_expr)
        .zip(aggregate.schema.iter())
        .map(|(expr, (relation, field))| {
            let column = match expr {
                Expr::Column(column) => Expr::Column(column.clone()),
                call => Expr::Column(Column::new_unqualified(call.schema_name().to_string())),
            };
            column.alias_qualified(relation.cloned(), field.name())
        })
        .collect();
    joined.project(outputs)?.build()
}

fn same_dimension(left: &Expression, right: &Expression) -> bool {
    left == right
}

fn unshared(what: &str) -> Diagnostic {
    Diagnostic::new(codes::MEASURE_PLACE, format!("MEASURE over a join of two views {what}"))
        .note("indicators of two views meet on shared dimensions: each side is grouped by them, then joined")
        .help("join on equal dimensions and group by exactly these, or use the package's `indicators` view, which has all of them")
}
