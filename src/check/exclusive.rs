//! Conditions that exclude one another, as far as their form shows it.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::expr::Expression;
use crate::catalog::reach::append;

/// Whether surely no row fulfils both: one demands of a value what differs from what the other demands, or the opposite.
/// Conditions on each side are AND-ed.
pub(super) fn exclude_each_other(one: &[Expression], other: &[Expression]) -> bool {
    let mut inputs = Vec::new();
    let mut numbered = |side: &[Expression]| -> Vec<Expr> {
        let whole = side.iter().map(|condition| append(&mut inputs, condition.clone()));
        whole.flat_map(|condition| split_conjunction(&condition).into_iter().cloned().collect::<Vec<_>>()).collect()
    };
    let (one, other) = (numbered(one), numbered(other));
    one.iter().any(|left| other.iter().any(|right| opposed(left, right)))
}

fn opposed(left: &Expr, right: &Expr) -> bool {
    if left.is_volatile() || right.is_volatile() {
        return false;
    }
    if is_not(left, right) || is_not(right, left) {
        return true;
    }
    match (demanded(left), demanded(right)) {
        (Some((value, these)), Some((same, those))) => value == same && differ(&these, &those),
        (Some(demand), None) => denies(right, &demand),
        (None, Some(demand)) => denies(left, &demand),
        (None, None) => false,
    }
}

/// Whether a condition, `x <> a` or `x not in (a, b)`, leaves x none of the constants that the other demands.
fn denies(condition: &Expr, (value, these): &(&Expr, Vec<ScalarValue>)) -> bool {
    let Some((same, those)) = denied(condition) else { return false };
    let exact = |one: &ScalarValue| !one.data_type().is_floating() && those.contains(one);
    *value == same && these.iter().all(exact)
}

/// The value that a condition is about, and what it may not be.
fn denied(condition: &Expr) -> Option<(&Expr, Vec<ScalarValue>)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq, right }) => match (constant(left), constant(right)) {
            (None, Some(literal)) => Some((left, vec![literal])),
            (Some(literal), None) => Some((right, vec![literal])),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: true }) => {
            Some((expr, list.iter().map(constant).collect::<Option<Vec<_>>>()?))
        }
        Expr::Not(inner) => demanded(inner),
        _ => None,
    }
}

/// Whether surely no constant of one list equals one of the other: those of one exact type differ if they look different.
fn differ(these: &[ScalarValue], those: &[ScalarValue]) -> bool {
    let differ = |one: &ScalarValue, other: &ScalarValue| {
        let data_type = one.data_type();
        data_type == other.data_type() && !data_type.is_floating() && one != other
    };
    these.iter().all(|one| those.iter().all(|other| differ(one, other)))
}

fn is_not(left: &Expr, right: &Expr) -> bool {
    matches!(left, Expr::Not(inner) if inner.as_ref() == right)
}

/// The value that a condition is about, and what it may be.
fn demanded(condition: &Expr) -> Option<(&Expr, Vec<ScalarValue>)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (constant(left), constant(right)) {
            (None, Some(literal)) => Some((left, vec![literal])),
            (Some(literal), None) => Some((right, vec![literal])),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            Some((expr, list.iter().map(constant).collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(literal, _) => Some(literal.clone()),
        Expr::Cast(cast) => constant(&cast.expr)?.cast_to(cast.field.data_type()).ok(),
        _ => None,
    }
}
