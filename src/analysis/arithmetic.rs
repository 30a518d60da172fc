//! What a formula of a tree is: its value, and its form.

use crate::catalog::tree::{Arithmetic, Operation};

/// The value for values of the parts; `None` where it has none.
///
/// A part without a value counts as nothing in a sum (no costs are no costs), and makes a product or a quotient undefined;
/// so does a division by zero.
pub fn evaluate(formula: &Arithmetic, parts: &[Option<f64>]) -> Option<f64> {
    match formula {
        Arithmetic::Part(at) => parts[*at],
        Arithmetic::Number(number) => Some(*number),
        Arithmetic::Negative(inner) => evaluate(inner, parts).map(|value| -value),
        Arithmetic::Binary(left, operation, right) => {
            let (left, right) = (evaluate(left, parts), evaluate(right, parts));
            match operation {
                Operation::Plus | Operation::Minus if left.is_none() && right.is_none() => None,
                Operation::Plus => Some(left.unwrap_or(0.0) + right.unwrap_or(0.0)),
                Operation::Minus => Some(left.unwrap_or(0.0) - right.unwrap_or(0.0)),
                Operation::Times => Some(left? * right?),
                Operation::Over => right.filter(|divisor| *divisor != 0.0).and_then(|divisor| Some(left? / divisor)),
            }
        }
    }
}

/// The coefficient of each part, if the formula is a weighted sum of them (and perhaps a constant).
pub fn weighted_sum(formula: &Arithmetic, parts: usize) -> Option<Vec<f64>> {
    affine(formula, parts).map(|(_, coefficients)| coefficients)
}

fn affine(formula: &Arithmetic, parts: usize) -> Option<(f64, Vec<f64>)> {
    let scaled = |(constant, coefficients): (f64, Vec<f64>), by: f64| {
        (constant * by, coefficients.into_iter().map(|coefficient| coefficient * by).collect())
    };
    match formula {
        Arithmetic::Part(at) => Some((0.0, (0..parts).map(|part| if part == *at { 1.0 } else { 0.0 }).collect())),
        Arithmetic::Number(number) => Some((*number, vec![0.0; parts])),
        Arithmetic::Negative(inner) => Some(scaled(affine(inner, parts)?, -1.0)),
        Arithmetic::Binary(left, operation, right) => {
            let (left, right) = (affine(left, parts)?, affine(right, parts)?);
            let constant = |side: &(f64, Vec<f64>)| side.1.iter().all(|coefficient| *coefficient == 0.0);
            match operation {
                Operation::Plus | Operation::Minus => {
                    let right = if *operation == Operation::Minus { scaled(right, -1.0) } else { right };
                    Some((left.0 + right.0, left.1.iter().zip(right.1).map(|(l, r)| l + r).collect()))
                }
                Operation::Times if constant(&right) => Some(scaled(left, right.0)),
                Operation::Times if constant(&left) => Some(scaled(right, left.0)),
                Operation::Over if constant(&right) && right.0 != 0.0 => Some(scaled(left, 1.0 / right.0)),
                _ => None,
            }
        }
    }
}

/// A product of powers of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// What stands before it.
    pub coefficient: f64,
    /// The power of each part: 1 for a factor, -1 for a divisor.
    pub powers: Vec<i32>,
}

/// The formula as a product of powers, if it is one.
pub fn product(formula: &Arithmetic, parts: usize) -> Option<Product> {
    match formula {
        Arithmetic::Part(at) => {
            Some(Product { coefficient: 1.0, powers: (0..parts).map(|part| i32::from(part == *at)).collect() })
        }
        Arithmetic::Number(number) if *number != 0.0 => Some(Product { coefficient: *number, powers: vec![0; parts] }),
        Arithmetic::Negative(inner) => {
            let inner = product(inner, parts)?;
            Some(Product { coefficient: -inner.coefficient, ..inner })
        }
        Arithmetic::Binary(left, operation @ (Operation::Times | Operation::Over), right) => {
            let (left, right) = (product(left, parts)?, product(right, parts)?);
            let (coefficient, sign) = match operation {
                Operation::Times => (left.coefficient * right.coefficient, 1),
                _ => (left.coefficient / right.coefficient, -1),
            };
            let powers = left.powers.iter().zip(right.powers).map(|(l, r)| l + sign * r).collect();
            Some(Product { coefficient, powers })
        }
        _ => None,
    }
}

/// What a formula does, in a word: for the catalog and for people.
pub fn operation_name(formula: &Arithmetic, parts: usize) -> &'static str {
    if let Some(coefficients) = weighted_sum(formula, parts) {
        return match coefficients {
            plain if plain.iter().all(|coefficient| *coefficient == 1.0) => "sum",
            signs if signs.iter().all(|coefficient| coefficient.abs() == 1.0) => "difference",
            _ => "weighted sum",
        };
    }
    match product(formula, parts) {
        Some(product) if product.powers.iter().all(|power| *power > 0) => "product",
        Some(_) => "ratio",
        None => "formula",
    }
}

/// The size of the numbers that a formula adds up: its value, if nothing in it cancelled out.
pub fn magnitude(formula: &Arithmetic, parts: &[Option<f64>]) -> f64 {
    match formula {
        Arithmetic::Part(at) => parts[*at].unwrap_or(0.0).abs(),
        Arithmetic::Number(number) => number.abs(),
        Arithmetic::Negative(inner) => magnitude(inner, parts),
        Arithmetic::Binary(left, operation, right) => match operation {
            Operation::Plus | Operation::Minus => magnitude(left, parts) + magnitude(right, parts),
            Operation::Times => magnitude(left, parts) * magnitude(right, parts),
            Operation::Over => match evaluate(right, parts) {
                Some(divisor) if divisor != 0.0 => magnitude(left, parts) / divisor.abs(),
                _ => 0.0,
            },
        },
    }
}
