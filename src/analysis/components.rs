//! What an indicator is over slices: a sum of them, a ratio of two sums, or neither.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::expr::{At, Expression, Input, input_number};
use crate::catalog::indicator::{AggregateKind, Indicator, Measure};
use crate::catalog::modifier::Modifier;
use crate::catalog::time::cast;
use crate::catalog::{Catalog, IndicatorId};
use crate::check::{constant, not_zero};

/// What an indicator is over the slices of a dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OverSlices {
    /// Its slices add up to it, except for what is counted in several of them.
    Sum,
    /// `scale * above / below`, perhaps with a constant added; both are sums over slices.
    Ratio {
        /// What is divided.
        above: IndicatorId,
        /// By what.
        below: IndicatorId,
        /// What stands before the fraction.
        scale: f64,
    },
    /// Its slices say nothing about it: a median, a minimum, a product.
    Neither,
}

/// What an indicator is over slices. The parts of a ratio become indicators of the catalog, which is a copy for this one
/// question.
pub fn over_slices(catalog: &mut Catalog, id: IndicatorId) -> OverSlices {
    let indicator = catalog.indicator(id).clone();
    if indicator.within.is_some() {
        return OverSlices::Neither;
    }
    if adds(catalog, &indicator.formula.expr, &indicator.formula) {
        return OverSlices::Sum;
    }
    match fraction(catalog, &indicator.formula.expr, &indicator.formula) {
        Some(Fraction { above, below, scale }) => {
            let above = hidden(catalog, &indicator, above);
            let below = hidden(catalog, &indicator, below);
            OverSlices::Ratio { above, below, scale }
        }
        None => OverSlices::Neither,
    }
}

/// An indicator like another one, but of this formula: its conditions and its time axis hold for it too.
fn hidden(catalog: &mut Catalog, like: &Indicator, formula: Expression) -> IndicatorId {
    let id = IndicatorId(catalog.indicators.len() as u32);
    let indicator = Indicator {
        formula,
        data_type: DataType::Float64,
        formula_type: DataType::Float64,
        fill: None,
        unit: None,
        ..like.clone()
    };
    catalog.indicators.push(indicator);
    id
}

/// Whether the values of slices add up to the value of the whole: sums and counts, also of distinct things (which may
/// be counted in several slices), their sums and multiples.
fn adds(catalog: &Catalog, expr: &Expr, formula: &Expression) -> bool {
    let side = |expr: &Expr| adds(catalog, expr, formula);
    match expr {
        Expr::Column(column) => input_number(column).is_some_and(|at| input_adds(catalog, &formula.inputs[at])),
        Expr::Cast(cast) => !cast.field.data_type().is_integer() && side(&cast.expr),
        Expr::Negative(inner) => side(inner),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => side(left) && side(right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => {
            side(left) && constant(right).is_some() || constant(left).is_some() && side(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => side(left) && constant(right).is_some(),
        _ => false,
    }
}

fn input_adds(catalog: &Catalog, input: &Input) -> bool {
    match input {
        Input::Measure(measure) => {
            matches!(measure.kind, AggregateKind::Sum | AggregateKind::Count | AggregateKind::CountDistinct)
        }
        Input::Indicator(id, _) => {
            let inner = catalog.indicator(*id);
            inner.within.is_none() && adds(catalog, &inner.formula.expr, &inner.formula)
        }
        Input::At(at) => at.modifiers.iter().all(keeps_slices) && adds(catalog, &at.operand.expr, &at.operand),
        _ => false,
    }
}

/// Whether a modifier leaves each slice to its own rows.
fn keeps_slices(modifier: &Modifier) -> bool {
    !matches!(
        modifier,
        Modifier::All(_) | Modifier::Everything | Modifier::Set(..) | Modifier::Where(_) | Modifier::Visible
    )
}

struct Fraction {
    above: Expression,
    below: Expression,
    scale: f64,
}

fn fraction(catalog: &mut Catalog, expr: &Expr, formula: &Expression) -> Option<Fraction> {
    let scaled = |fraction: Fraction, by: f64| Fraction { scale: fraction.scale * by, ..fraction };
    match expr {
        Expr::Column(column) => input_fraction(catalog, &formula.inputs[input_number(column)?]),
        Expr::Cast(cast) if !cast.field.data_type().is_integer() => fraction(catalog, &cast.expr, formula),
        Expr::Negative(inner) => fraction(catalog, inner, formula).map(|found| scaled(found, -1.0)),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (op, constant(left), constant(right)) {
            (Operator::Plus | Operator::Minus, None, Some(_)) => fraction(catalog, left, formula),
            (Operator::Plus, Some(_), None) => fraction(catalog, right, formula),
            (Operator::Minus, Some(_), None) => fraction(catalog, right, formula).map(|found| scaled(found, -1.0)),
            (Operator::Multiply, None, Some(by)) => fraction(catalog, left, formula).map(|found| scaled(found, by)),
            (Operator::Multiply, Some(by), None) => fraction(catalog, right, formula).map(|found| scaled(found, by)),
            (Operator::Divide, None, None) => quotient(catalog, left, right, formula),
            (Operator::Divide, None, Some(by)) if by != 0.0 => {
                fraction(catalog, left, formula).map(|found| scaled(found, 1.0 / by))
            }
            _ => None,
        },
        other => fraction(catalog, not_zero(other)?, formula),
    }
}

fn quotient(catalog: &Catalog, left: &Expr, right: &Expr, formula: &Expression) -> Option<Fraction> {
    let right = divisor(right);
    if !adds(catalog, left, formula) || !adds(catalog, right, formula) {
        return None;
    }
    let part = |expr: &Expr| Expression { expr: cast(expr.clone(), DataType::Float64), inputs: formula.inputs.clone() };
    Some(Fraction { above: used(part(left)), below: used(part(right)), scale: 1.0 })
}

/// The x of `nullif(x + 0, 0)`, by which Bell divides.
fn divisor(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => divisor(&cast.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) if constant(right) == Some(0.0) => {
            divisor(left)
        }
        other => not_zero(other).map_or(other, divisor),
    }
}

/// An expression with only the inputs that it uses: the others may not be asked for.
fn used(expression: Expression) -> Expression {
    crate::plan::narrowed(&expression.expr, &expression.inputs)
}

fn input_fraction(catalog: &mut Catalog, input: &Input) -> Option<Fraction> {
    match input {
        Input::Indicator(id, filters) => {
            let inner = catalog.indicator(*id).clone();
            if inner.within.is_some() {
                return None;
            }
            let found = fraction(catalog, &inner.formula.expr, &inner.formula)?;
            let mut part =
                |formula| Expression::input(Input::Indicator(hidden(catalog, &inner, formula), filters.clone()));
            Some(Fraction { above: part(found.above), below: part(found.below), scale: found.scale })
        }
        Input::At(at) if at.modifiers.iter().all(keeps_slices) => {
            let found = fraction(catalog, &at.operand.expr, &at.operand)?;
            let part = |operand| {
                let modifiers = at.modifiers.clone();
                Expression::input(Input::At(Box::new(At { operand, modifiers, data_type: DataType::Float64 })))
            };
            Some(Fraction { above: part(found.above), below: part(found.below), scale: found.scale })
        }
        Input::Measure(measure) => average(measure),
        _ => None,
    }
}

/// An average is a sum divided by a count.
fn average(measure: &Measure) -> Option<Fraction> {
    let Expr::AggregateFunction(call) = &measure.aggregate.expr else { return None };
    let [value] = call.params.args.as_slice() else { return None };
    if call.func.name() != "avg" || call.params.distinct || call.params.filter.is_some() {
        return None;
    }
    let part = |aggregate: Expr, kind, data_type, empty| {
        let aggregate = Expression { expr: aggregate, inputs: measure.aggregate.inputs.clone() };
        let measure = Measure { aggregate, kind, data_type, empty, ..measure.clone() };
        Expression::input(Input::Measure(Box::new(measure)))
    };
    let above = sum(cast(value.clone(), DataType::Float64));
    let above = part(above, AggregateKind::Sum, DataType::Float64, ScalarValue::Float64(None));
    let below = part(count(value.clone()), AggregateKind::Count, DataType::Int64, ScalarValue::Int64(Some(0)));
    Some(Fraction { above, below, scale: 1.0 })
}
