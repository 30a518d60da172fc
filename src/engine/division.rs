//! Division in SQL where an operand is an indicator: in double precision, NULL by zero, as everywhere in Bell.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::check::functions::divide;
use crate::plan::view::{KIND_INDICATOR, KIND_KEY};

/// Plans `MEASURE(a) / MEASURE(b)`, and the quotients of columns that came from measures.
#[derive(Debug)]
pub struct IndicatorDivision;

impl ExprPlanner for IndicatorDivision {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let division = expr.op == BinaryOperator::Divide;
        if division && (from_indicator(&expr.left, schema) || from_indicator(&expr.right, schema)) {
            return Ok(PlannerResult::Planned(divide(expr.left, expr.right)));
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// Whether an expression is made from an indicator: fields remember it through projections and subqueries.
fn from_indicator(expr: &Expr, schema: &DFSchema) -> bool {
    let mut found = false;
    // The closure never fails.
    let _ = expr.apply(|part| {
        found |= match part {
            Expr::Column(_) | Expr::AggregateFunction(_) => part
                .to_field(schema)
                .is_ok_and(|(_, field)| field.metadata().get(KIND_KEY).map(String::as_str) == Some(KIND_INDICATOR)),
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}
