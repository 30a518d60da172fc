//! Are two formulas the same number, by their definitions?
//!
//! Both are computed from their aggregates, each of which is drawn at random, in the integers modulo a large prime: there
//! division is exact and nothing is rounded. Formulas that differ agree there by chance once in 10^17 draws, and three
//! are made. What is no arithmetic (`coalesce`, `case`, an average of finer values) counts as an unknown of its own, so
//! that formulas which need it to be understood are not proven.
//!
//! A division by zero is NULL, and so an identity holds wherever both sides have a value.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::Catalog;
use crate::catalog::expr::{Expression, Input, input_number};
use crate::catalog::modifier::Modifier;

/// 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;

/// Whether both formulas are the same by their definitions.
pub(super) fn identical(catalog: &Catalog, left: &Expression, right: &Expression) -> bool {
    (1..=3).all(|draw| {
        let draw = Draw { catalog, draw };
        let value = |side| draw.value(side, &Around::default());
        matches!((value(left), value(right)), (Some(left), Some(right)) if left == right)
    })
}

/// What surrounds an aggregate: two aggregates are the same number if all this is the same, too.
#[derive(Debug, Clone, Default, Hash)]
struct Around {
    /// Hashes of the conditions, in any order.
    conditions: BTreeSet<u64>,
    time: Option<Expression>,
    /// Modifiers, the outermost first, which act first.
    modifiers: Vec<Modifier>,
}

struct Draw<'c> {
    catalog: &'c Catalog,
    draw: u64,
}

impl Draw<'_> {
    /// `None`: a division by what happens to be zero, or something without a number.
    fn value(&self, formula: &Expression, around: &Around) -> Option<u64> {
        let inputs: Vec<Option<u64>> = formula.inputs.iter().map(|input| self.input(input, around)).collect();
        self.expr(&formula.expr, &inputs)
    }

    fn input(&self, input: &Input, around: &Around) -> Option<u64> {
        match input {
            Input::Indicator(id, filters) => {
                let inner = self.catalog.indicator(*id);
                if inner.within.is_some() {
                    return Some(self.atom(&(input, around)));
                }
                let mut inside = around.clone();
                inside.conditions.extend(filters.iter().chain(&inner.conditions).map(|one| hashed(&one)));
                inside.time = inner.time.clone().or(inside.time);
                self.value(&inner.formula, &inside)
            }
            Input::At(at) => {
                let mut inside = around.clone();
                inside.modifiers.extend(at.modifiers.iter().cloned());
                self.value(&at.operand, &inside)
            }
            other => Some(self.atom(&(other, around))),
        }
    }

    fn expr(&self, expr: &Expr, inputs: &[Option<u64>]) -> Option<u64> {
        let value = |expr: &Expr| self.expr(expr, inputs);
        match expr {
            Expr::Column(column) => *inputs.get(input_number(column)?)?,
            Expr::Literal(literal, _) => number(literal),
            Expr::Cast(cast) if cast.field.data_type().is_numeric() && !cast.field.data_type().is_integer() => {
                value(&cast.expr)
            }
            Expr::Negative(inner) => Some(minus(0, value(inner)?)),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => Some(plus(value(left)?, value(right)?)),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                Some(minus(value(left)?, value(right)?))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => {
                Some(times(value(left)?, value(right)?))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
                Some(times(value(left)?, inverse(value(right)?)?))
            }
            other => match not_zero(other) {
                Some(inner) => value(inner),
                None => self.unknown(other, inputs),
            },
        }
    }

    /// A function that is no arithmetic, of known arguments.
    fn unknown(&self, expr: &Expr, inputs: &[Option<u64>]) -> Option<u64> {
        let mut arguments = Vec::new();
        // The closure never fails.
        let _ = expr.apply(|part| {
            if let Expr::Column(column) = part {
                arguments.push(input_number(column).and_then(|at| inputs[at]));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        let arguments = arguments.into_iter().collect::<Option<Vec<u64>>>()?;
        Some(self.atom(&(expr, arguments)))
    }

    /// The number drawn for something.
    fn atom(&self, what: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.draw, what).hash(&mut hasher);
        hasher.finish() % PRIME
    }
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The x of `nullif(x, 0)`, which is x wherever there is a value.
pub(crate) fn not_zero(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = expr else { return None };
    match call.args.as_slice() {
        [value, zero] if call.func.name() == "nullif" && constant(zero) == Some(0.0) => Some(value),
        _ => None,
    }
}

/// The number that a constant is.
pub(crate) fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(literal, _) if literal.data_type().is_numeric() => {
            match literal.cast_to(&datafusion::arrow::datatypes::DataType::Float64).ok()? {
                ScalarValue::Float64(number) => number,
                _ => None,
            }
        }
        Expr::Cast(cast) if !cast.field.data_type().is_integer() => constant(&cast.expr),
        _ => None,
    }
}

/// A decimal number as a fraction modulo the prime.
fn number(literal: &ScalarValue) -> Option<u64> {
    let number = constant(&Expr::Literal(literal.clone(), None))?;
    let text = format!("{}", number.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().fold(0, |sum, digit| plus(times(sum, 10), u64::from(digit - b'0')));
    let value = times(digits(&format!("{whole}{part}")), inverse(power(10, part.len() as u64))?);
    Some(if number < 0.0 { minus(0, value) } else { value })
}

fn plus(a: u64, b: u64) -> u64 {
    (a + b) % PRIME
}

fn minus(a: u64, b: u64) -> u64 {
    (a + PRIME - b) % PRIME
}

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(PRIME)) as u64
}

fn power(base: u64, exponent: u64) -> u64 {
    let (mut result, mut base, mut exponent) = (1, base, exponent);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

/// By Fermat: a^(p-2).
fn inverse(a: u64) -> Option<u64> {
    (a != 0).then(|| power(a, PRIME - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact() {
        let third = times(1, inverse(3).unwrap());
        assert_eq!(times(third, 3), 1);
        let of = |number: f64| super::number(&ScalarValue::Float64(Some(number))).unwrap();
        assert_eq!(times(of(0.125), 8), 1);
        assert_eq!(plus(of(-2.5), of(2.5)), 0);
        assert_eq!(of(1e21), power(10, 21));
    }
}
