//! Nodes over columns that are known to be there.
//!
//! DataFusion's builder qualifies every name first, and looks for equal expressions below: dear beside the node itself,
//! and needless where the expressions were made for that very plan. What does not name its columns exactly goes through
//! the builder all the same.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection};

/// These expressions of each row.
pub(crate) fn project(plan: LogicalPlan, exprs: Vec<Expr>) -> Result<LogicalPlan> {
    if names_exactly(plan.schema(), &exprs) {
        return Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?));
    }
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

/// The rows that fulfil a condition.
pub(crate) fn filter(plan: LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
    if names_exactly(plan.schema(), std::slice::from_ref(&condition)) {
        return Ok(LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?));
    }
    LogicalPlanBuilder::from(plan).filter(condition)?.build()
}

/// These calls over the groups of the rows.
pub(crate) fn aggregate(plan: LogicalPlan, keys: Vec<Expr>, calls: Vec<Expr>) -> Result<LogicalPlan> {
    if names_exactly(plan.schema(), &keys) && names_exactly(plan.schema(), &calls) {
        return Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), keys, calls)?));
    }
    LogicalPlanBuilder::from(plan).aggregate(keys, calls)?.build()
}

fn names_exactly(schema: &DFSchema, exprs: &[Expr]) -> bool {
    let is_there = |name: &Column| {
        schema.iter().any(|(relation, field)| relation == name.relation.as_ref() && *field.name() == name.name)
    };
    let strange = |expr: &Expr| matches!(expr, Expr::Column(name) if !is_there(name));
    exprs.iter().all(|expr| expr.exists(|part| Ok(strange(part))).is_ok_and(|found| !found))
}
