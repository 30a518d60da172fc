//! [`NullSafeJoins`]: inner joins in which NULL equals NULL, in a form that the optimiser keeps right.
//!
//! DataFusion marks such a join as a whole. When it later adds an ordinary equality to the join's keys (from a filter
//! above), or flattens it with ordinary inner joins around it, that mark is applied to keys which it was not meant for:
//! rows with NULL on both sides of `a.x = b.x` come out, or rows that belong together are lost. Here each NULL-safe key
//! becomes two ordinary ones that are never NULL: the value, with a constant in the place of NULL, and whether it is NULL.
//!
//! Outer joins are left alone: nothing is added to their keys, and where the optimiser turns one into an inner join, this
//! rule meets it at the end of the same pass.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Join, LogicalPlan, Operator, lit, when};
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};

/// Writes the NULL-safe keys of inner joins as ordinary keys, before the optimiser and after each of its passes.
#[derive(Debug, Default)]
pub struct NullSafeJoins {}

impl AnalyzerRule for NullSafeJoins {
    fn name(&self) -> &str {
        "null_safe_joins"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(everywhere(plan)?.data)
    }
}

impl OptimizerRule for NullSafeJoins {
    fn name(&self) -> &str {
        "null_safe_joins"
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        everywhere(plan)
    }
}

/// Most plans have no inner join: looking costs less than taking them apart.
fn everywhere(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= is_inner(node);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if found { plan.transform_up_with_subqueries(with_ordinary_keys) } else { Ok(Transformed::no(plan)) }
}

fn is_inner(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.join_type == JoinType::Inner)
}

fn with_ordinary_keys(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => rewritten(join),
        other => Ok(Transformed::no(other)),
    }
}

fn rewritten(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (mut safe, mut ordinary) = (vec![], vec![]);
    match join.null_equality {
        NullEquality::NullEqualsNull => safe.append(&mut join.on),
        NullEquality::NullEqualsNothing => ordinary.append(&mut join.on),
    }
    let mut rest = Vec::new();
    for condition in join.filter.take().map(split_conjunction_owned).unwrap_or_default() {
        match pair(condition, &join)? {
            Ok(pair) => safe.push(pair),
            Err(other) => rest.push(other),
        }
    }
    let changed = !safe.is_empty();
    for (left, right) in safe {
        ordinary.extend(ordinary_keys(left, right, &join)?);
    }
    join.on = ordinary;
    join.filter = conjunction(rest);
    join.null_equality = NullEquality::NullEqualsNothing;
    let plan = LogicalPlan::Join(join);
    Ok(if changed { Transformed::yes(plan) } else { Transformed::no(plan) })
}

/// The two sides of a NULL-safe equality between the inputs of a join, the left one first.
fn pair(condition: Expr, join: &Join) -> Result<std::result::Result<(Expr, Expr), Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }) = condition else {
        return Ok(Err(condition));
    };
    let reads = |expr: &Expr, side: &Arc<LogicalPlan>| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.into_iter().all(|column| side.schema().has_column(column))
    };
    Ok(if reads(&left, &join.left) && reads(&right, &join.right) {
        Ok((*left, *right))
    } else if reads(&left, &join.right) && reads(&right, &join.left) {
        Ok((*right, *left))
    } else {
        Err(Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }))
    })
}

/// Keys that are equal where both values are equal or both are NULL.
fn ordinary_keys(left: Expr, right: Expr, join: &Join) -> Result<Vec<(Expr, Expr)>> {
    // What is never NULL on one side equals no NULL on the other.
    if !left.nullable(join.left.schema())? || !right.nullable(join.right.schema())? {
        return Ok(vec![(left, right)]);
    }
    let filled = |expr: &Expr, nothing: ScalarValue| when(expr.clone().is_null(), lit(nothing)).otherwise(expr.clone());
    let nothing = ScalarValue::new_default(&left.get_type(join.left.schema())?)?;
    let other = ScalarValue::new_default(&right.get_type(join.right.schema())?)?;
    Ok(vec![(filled(&left, nothing)?, filled(&right, other)?), (left.is_null(), right.is_null())])
}
