//! How a change of a formula comes from the changes of its parts.
//!
//! Whatever the method, the effects add up to the change exactly (up to the rounding of doubles), and swapping the two
//! sides turns every sign round; `chain` alone depends on the order of the parts.

use serde::{Deserialize, Serialize};

use super::arithmetic::{Product, evaluate, magnitude, product, weighted_sum};
use super::nested::ROUNDING;
use crate::catalog::tree::Arithmetic;

/// The most parts of which all combinations are computed.
pub const MOST_PARTS: usize = 12;

/// A way to share a change among parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By the form of each formula: sums are `additive`, products and quotients `lmdi`, everything else `shapley`.
    #[default]
    Auto,
    /// Each part's own change times its coefficient.
    Additive,
    /// Logarithmic mean Divisia index, first kind, with its limits where a factor is zero.
    Lmdi,
    /// The mean over all orders in which the parts could have changed.
    Shapley,
    /// 连环替代: the parts change one after the other, in the order of the formula.
    Chain,
    /// Slices of a ratio: half of each side's weight, half of each side's rate.
    Midpoint,
}

impl Method {
    /// The methods that can be asked for.
    pub const ASKED: [Method; 5] = [Method::Auto, Method::Additive, Method::Lmdi, Method::Shapley, Method::Chain];

    /// Its name in questions and answers.
    pub fn name(self) -> &'static str {
        match self {
            Method::Auto => "auto",
            Method::Additive => "additive",
            Method::Lmdi => "lmdi",
            Method::Shapley => "shapley",
            Method::Chain => "chain",
            Method::Midpoint => "midpoint",
        }
    }
}

/// What a part did to the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The change of the whole that is the part's.
    pub effect: f64,
    /// By how much the whole changes with one unit of the part: what its own parts do is passed on by it.
    pub slope: f64,
}

/// A change shared among the parts of a formula.
#[derive(Debug, Clone, PartialEq)]
pub enum Shared {
    /// The effects, and how they were found: not always as asked (see [`share`]).
    Among(Method, Vec<Effect>),
    /// Nothing says which part did what: several factors were zero, or some part has no value on one side.
    Undefined,
    /// The method cannot be used on this formula.
    Unfit,
}

/// Shares the change of a formula from `base` to `current` values of its parts.
///
/// LMDI needs factors that are not negative; where one is, Shapley takes its place, and the answer says so.
pub fn share(formula: &Arithmetic, base: &[Option<f64>], current: &[Option<f64>], method: Method) -> Shared {
    let shared = shared(formula, base, current, method);
    match (shared, evaluate(formula, base), evaluate(formula, current)) {
        (Shared::Among(method, effects), Some(v0), Some(v1)) => {
            let size = magnitude(formula, base).max(magnitude(formula, current));
            Shared::Among(method, closed(effects, v1 - v0, size))
        }
        (shared, ..) => shared,
    }
}

/// Logarithms and weights round in the last digit: what is left of the change goes to the greatest effect. More than
/// rounding stays where it can be seen.
fn closed(mut effects: Vec<Effect>, change: f64, size: f64) -> Vec<Effect> {
    let left = change - effects.iter().map(|part| part.effect).sum::<f64>();
    let size = effects.iter().fold(size, |size, part| size.max(part.effect.abs()));
    let greatest = effects.iter_mut().max_by(|a, b| a.effect.abs().total_cmp(&b.effect.abs()));
    if let Some(greatest) = greatest.filter(|_| left.abs() <= ROUNDING * size) {
        greatest.effect += left;
    }
    effects
}

fn shared(formula: &Arithmetic, base: &[Option<f64>], current: &[Option<f64>], method: Method) -> Shared {
    let parts = base.len();
    match method {
        Method::Auto => match (weighted_sum(formula, parts), product(formula, parts)) {
            (Some(coefficients), _) => additive(&coefficients, base, current),
            (None, Some(product)) => lmdi(formula, &product, base, current),
            (None, None) => shapley(formula, base, current),
        },
        Method::Additive => match weighted_sum(formula, parts) {
            Some(coefficients) => additive(&coefficients, base, current),
            None => Shared::Unfit,
        },
        // A sum has nothing to take logarithms of, and needs none.
        Method::Lmdi => match (weighted_sum(formula, parts), product(formula, parts)) {
            (Some(coefficients), _) => additive(&coefficients, base, current),
            (None, Some(product)) => lmdi(formula, &product, base, current),
            (None, None) => shapley(formula, base, current),
        },
        Method::Shapley => shapley(formula, base, current),
        Method::Chain => chain(formula, base, current),
        Method::Midpoint => Shared::Unfit,
    }
}

fn additive(coefficients: &[f64], base: &[Option<f64>], current: &[Option<f64>]) -> Shared {
    let effects = coefficients.iter().zip(base.iter().zip(current)).map(|(coefficient, (base, current))| {
        let change = current.unwrap_or(0.0) - base.unwrap_or(0.0);
        Effect { effect: coefficient * change, slope: *coefficient }
    });
    Shared::Among(Method::Additive, effects.collect())
}

/// The logarithmic mean of two numbers of one sign.
fn log_mean(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        return 0.0;
    }
    // Near each other the quotient of two small differences would be noise; this series is exact to 1e-16 there.
    let d = (a - b) / b;
    if d.abs() < 1e-4 {
        return b * (1.0 + d * (1.0 / 2.0 - d * (1.0 / 12.0 - d * (1.0 / 24.0 - d * 19.0 / 720.0))));
    }
    (a - b) / (a / b).ln()
}

fn lmdi(formula: &Arithmetic, product: &Product, base: &[Option<f64>], current: &[Option<f64>]) -> Shared {
    let (Some(base), Some(current)) = (all(base), all(current)) else { return Shared::Undefined };
    let values = |side: &[f64]| evaluate(formula, &some(side));
    let (Some(v0), Some(v1)) = (values(&base), values(&current)) else { return Shared::Undefined };
    if base.iter().chain(&current).any(|value| *value < 0.0) {
        return shapley(formula, &some(&base), &some(&current));
    }
    let factors = || product.powers.iter().zip(base.iter().zip(&current));
    if v0 != 0.0 && v1 != 0.0 {
        let mean = log_mean(v1, v0);
        let effects = factors().map(|(power, (x0, x1))| {
            let power = f64::from(*power);
            // A factor of power 0 may be zero.
            let slope = if power == 0.0 { 0.0 } else { power * mean / log_mean(*x1, *x0) };
            let effect = if power == 0.0 || x0 == x1 { 0.0 } else { power * mean * (x1 / x0).ln() };
            Effect { effect, slope }
        });
        return Shared::Among(Method::Lmdi, effects.collect());
    }
    if v0 == v1 {
        return Shared::Among(Method::Lmdi, vec![Effect { effect: 0.0, slope: 0.0 }; base.len()]);
    }
    // The limit: the factor that is zero on the side where the product is takes the whole change.
    let zero_side = if v0 == 0.0 { &base } else { &current };
    let zeros: Vec<usize> =
        (0..zero_side.len()).filter(|at| zero_side[*at] == 0.0 && product.powers[*at] > 0).collect();
    let [zero] = zeros.as_slice() else { return Shared::Undefined };
    let effects = (0..base.len()).map(|at| {
        let effect = if at == *zero { v1 - v0 } else { 0.0 };
        let change = current[at] - base[at];
        Effect { effect, slope: if at == *zero && change != 0.0 { effect / change } else { 0.0 } }
    });
    Shared::Among(Method::Lmdi, effects.collect())
}

fn shapley(formula: &Arithmetic, base: &[Option<f64>], current: &[Option<f64>]) -> Shared {
    let parts = base.len();
    if parts > MOST_PARTS {
        return Shared::Unfit;
    }
    let with = |changed: usize| -> Vec<Option<f64>> {
        (0..parts).map(|at| if changed & (1 << at) != 0 { current[at] } else { base[at] }).collect()
    };
    let values: Option<Vec<f64>> = (0..1_usize << parts).map(|changed| evaluate(formula, &with(changed))).collect();
    let Some(values) = values else { return Shared::Undefined };
    let weights: Vec<f64> = (0..parts).map(|size| weight(parts, size)).collect();
    let effects = (0..parts).map(|part| {
        let without = (0..1_usize << parts).filter(|changed| changed & (1 << part) == 0);
        let weighted = |difference: &dyn Fn(usize) -> f64| -> f64 {
            without.clone().map(|others| weights[others.count_ones() as usize] * difference(others)).sum()
        };
        let effect = weighted(&|others| values[others | 1 << part] - values[others]);
        let change = current[part].unwrap_or(0.0) - base[part].unwrap_or(0.0);
        if change != 0.0 {
            return Effect { effect, slope: effect / change };
        }
        // It stands still, but its own parts may have moved against each other: the slope of the formula passes them on.
        let step = base[part].map_or(1.0, |value| (value.abs() * 1e-3).max(1e-9));
        let slope = weighted(&|others| {
            let mut moved = with(others);
            moved[part] = Some(moved[part].unwrap_or(0.0) + step);
            evaluate(formula, &moved).map_or(0.0, |value| (value - values[others]) / step)
        });
        Effect { effect, slope }
    });
    Shared::Among(Method::Shapley, effects.collect())
}

/// Of all orders of `parts`, the share in which exactly `before` given parts come before one and the others after it.
fn weight(parts: usize, before: usize) -> f64 {
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    factorial(before) * factorial(parts - before - 1) / factorial(parts)
}

fn chain(formula: &Arithmetic, base: &[Option<f64>], current: &[Option<f64>]) -> Shared {
    let mut now = base.to_vec();
    let mut effects = Vec::with_capacity(base.len());
    let Some(mut before) = evaluate(formula, &now) else { return Shared::Undefined };
    for part in 0..base.len() {
        now[part] = current[part];
        let Some(after) = evaluate(formula, &now) else { return Shared::Undefined };
        let (effect, change) = (after - before, current[part].unwrap_or(0.0) - base[part].unwrap_or(0.0));
        let slope = if change != 0.0 {
            effect / change
        } else {
            let step = base[part].map_or(1.0, |value| (value.abs() * 1e-3).max(1e-9));
            let mut moved = now.clone();
            moved[part] = Some(moved[part].unwrap_or(0.0) + step);
            evaluate(formula, &moved).map_or(0.0, |value| (value - after) / step)
        };
        effects.push(Effect { effect, slope });
        before = after;
    }
    Shared::Among(Method::Chain, effects)
}

fn all(values: &[Option<f64>]) -> Option<Vec<f64>> {
    values.iter().copied().collect()
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}
