//! Units of formulas: sums need equal units, products and quotients carry them.

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::Catalog;
use crate::catalog::expr::{Expression, Input, input_number};
use crate::catalog::unit::Unit;

/// What is known of the unit of a part of a formula.
#[derive(Debug, Clone)]
enum Known {
    /// A bare number: takes the other side's.
    Bare,
    /// Something whose unit is not declared.
    Unknown,
    Unit(Unit),
}

/// The unit that a formula gives, if it is known.
///
/// # Errors
/// A sentence, if values of different units are added or compared.
pub(crate) fn derive(catalog: &Catalog, formula: &Expression) -> Result<Option<Unit>, String> {
    match unit_of(catalog, formula, &formula.expr)? {
        Known::Unit(unit) => Ok(Some(unit)),
        Known::Bare | Known::Unknown => Ok(None),
    }
}

fn unit_of(catalog: &Catalog, formula: &Expression, expr: &Expr) -> Result<Known, String> {
    let unit = |expr: &Expr| unit_of(catalog, formula, expr);
    match expr {
        Expr::Literal(..) => Ok(Known::Bare),
        Expr::Column(column) => Ok(match input_number(column).map(|at| &formula.inputs[at]) {
            Some(Input::Indicator(id, _)) => catalog.indicator(*id).unit.clone().map_or(Known::Unknown, Known::Unit),
            // Another context changes which rows are read, not what they are measured in.
            Some(Input::At(at)) => return unit_of(catalog, &at.operand, &at.operand.expr),
            Some(Input::Fold(fold)) => return folded(catalog, &fold.aggregate),
            _ => Known::Unknown,
        }),
        Expr::Cast(cast) => unit(&cast.expr),
        Expr::Negative(inner) => unit(inner),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => binary(*op, unit(left)?, unit(right)?),
        Expr::ScalarFunction(call) => of_call(call, unit),
        _ => Ok(Known::Unknown),
    }
}

/// Averages, extremes and sums of values are in their unit; counts and the like are not.
fn folded(catalog: &Catalog, aggregate: &Expression) -> Result<Known, String> {
    const KEEPS: [&str; 8] = ["avg", "mean", "min", "max", "median", "sum", "first_value", "last_value"];
    match &aggregate.expr {
        Expr::AggregateFunction(call) if KEEPS.contains(&call.func.name()) => match call.params.args.first() {
            Some(argument) => unit_of(catalog, aggregate, argument),
            None => Ok(Known::Unknown),
        },
        _ => Ok(Known::Unknown),
    }
}

fn of_call(call: &ScalarFunction, unit: impl Fn(&Expr) -> Result<Known, String>) -> Result<Known, String> {
    let units = call.args.iter().map(unit).collect::<Result<Vec<_>, _>>()?;
    let keeps = ["nullif", "coalesce", "abs", "round", "floor", "ceil", "trunc", "greatest", "least"];
    if keeps.contains(&call.func.name()) {
        return Ok(units.into_iter().next().unwrap_or(Known::Unknown));
    }
    Ok(Known::Unknown)
}

fn binary(op: Operator, left: Known, right: Known) -> Result<Known, String> {
    match op {
        Operator::Plus | Operator::Minus => agree(left, right, "added"),
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            agree(left, right, "compared").map(|_| Known::Unknown)
        }
        Operator::Multiply => Ok(match (left, right) {
            (Known::Unit(a), Known::Unit(b)) => Known::Unit(a.times(&b)),
            (known, Known::Bare) | (Known::Bare, known) => known,
            _ => Known::Unknown,
        }),
        Operator::Divide => Ok(match (left, right) {
            (Known::Unit(a), Known::Unit(b)) => Known::Unit(a.over(&b)),
            (known, Known::Bare) => known,
            _ => Known::Unknown,
        }),
        _ => Ok(Known::Unknown),
    }
}

fn agree(left: Known, right: Known, verb: &str) -> Result<Known, String> {
    match (left, right) {
        (Known::Unit(a), Known::Unit(b)) if a.agrees_with(&b) => Ok(Known::Unit(a)),
        (Known::Unit(a), Known::Unit(b)) => Err(format!("{} and {} cannot be {verb}", a.name, b.name)),
        (known, Known::Bare) | (Known::Bare, known) => Ok(known),
        _ => Ok(Known::Unknown),
    }
}
