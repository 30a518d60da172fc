//! Conditions written so that DataFusion 55.2's simplifier keeps their meaning.
//!
//! Two of its rewrites of `IN` lists forget that a comparison with NULL is neither true nor false: `x NOT IN (a, NULL)`
//! beside another list on x loses the NULL, and `x NOT IN (a) OR x NOT IN (b)` becomes true for a NULL x too.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};

/// The condition for a place where only true counts (`WHERE`, `FILTER`), with the same rows.
pub(crate) fn guarded(condition: Expr) -> Expr {
    let listed = condition.transform_up(|expr| {
        Ok(match expr {
            Expr::InList(list) if list.list.iter().any(is_null) => Transformed::yes(without_null(list)),
            other => Transformed::no(other),
        })
    });
    // The closure never fails.
    listed.map(|listed| exclusions_of_values(listed.data)).unwrap_or_else(|error| unreachable!("{error}"))
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

/// `x in (a, null)` as `x in (a) or null`, `x not in (a, null)` as `x not in (a) and null`.
fn without_null(list: InList) -> Expr {
    let InList { expr, list, negated } = list;
    let values = list.into_iter().filter(|value| !is_null(value)).collect();
    let rest = Expr::InList(InList { expr, list: values, negated });
    let unknown = lit(datafusion::common::ScalarValue::Boolean(None));
    if negated { rest.and(unknown) } else { rest.or(unknown) }
}

/// Puts `x is not null` beside each `x not in (…) or x not in (…)`, which a NULL x never makes true.
fn exclusions_of_values(condition: Expr) -> Expr {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            exclusions_of_values(*left).and(exclusions_of_values(*right))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => match (excluded(&left), excluded(&right)) {
            (Some(l), Some(r)) if l == r => {
                let known = l.clone().is_not_null();
                known.and(left.or(*right))
            }
            _ => exclusions_of_values(*left).or(exclusions_of_values(*right)),
        },
        other => other,
    }
}

/// The x of `x not in (…)`, `x <> …`, or of several of these with OR between them.
fn excluded(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::InList(InList { expr, negated: true, .. }) => Some(expr),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::InList(InList { expr, negated: false, .. }) => Some(expr),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq, right }) if matches!(**right, Expr::Literal(..)) => {
            Some(left)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            excluded(left).filter(|x| excluded(right) == Some(*x))
        }
        _ => None,
    }
}
