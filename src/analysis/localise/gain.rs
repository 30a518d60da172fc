//! How much likelier the data is if a cell changed than if it did not: the scan statistic, and how sure it is.

/// What the values are, which says how they vary by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// A share of cases, such as a stall rate: binomial.
    Share,
    /// A sum or count for each unit of another, such as revenue per order: Poisson with that exposure, or compound.
    Rate,
    /// A sum or count of amounts that are never negative: Poisson with time as the exposure, or compound.
    Sum {
        /// How many periods the base is the sum of.
        periods: f64,
    },
    /// A sum of which parts may be negative: each leaf varies alike.
    Signed {
        /// How many periods the base is the sum of.
        periods: f64,
    },
    /// Against amounts that were to be reached, which are known exactly: Poisson, or binomial for shares of cases.
    Due {
        /// Whether it is a share of cases.
        share: bool,
    },
}

/// Which way the whole changed: only cells that changed so are to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    Rise,
    Fall,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// The values of the base, all its periods together, and what they are measured against (the divisor of a ratio).
    pub base: [f64; 2],
    /// The same for the period that is explained.
    pub current: [f64; 2],
    /// How many leaves it has.
    pub leaves: f64,
}

impl Sums {
    /// Adds another cell.
    pub fn add(&mut self, other: &Sums) {
        for part in 0..2 {
            self.base[part] += other.base[part];
            self.current[part] += other.current[part];
        }
        self.leaves += other.leaves;
    }

    /// Value and exposure of both sides.
    fn sides(&self, model: Model) -> [[f64; 2]; 2] {
        match model {
            Model::Share | Model::Rate => [self.base, self.current],
            Model::Due { .. } => [[self.base[0], 1.0], [self.current[0], 1.0]],
            Model::Sum { periods } | Model::Signed { periods } => [[self.base[0], periods], [self.current[0], 1.0]],
        }
    }
}

/// The log-likelihood ratio of "its rate changed in this direction" against "it has one rate".
///
/// Both sides are samples: a base of a few cases proves little. Only what was to be reached is known exactly.
pub fn gain(model: Model, sums: &Sums, direction: Direction) -> f64 {
    let [[base, base_exposure], [current, exposure]] = sums.sides(model);
    if base_exposure <= 0.0 || exposure <= 0.0 {
        return 0.0;
    }
    let difference = current / exposure - base / base_exposure;
    let wanted = match direction {
        Direction::Rise => difference > 0.0,
        Direction::Fall => difference < 0.0,
    };
    if !wanted {
        return 0.0;
    }
    if let Model::Signed { periods } = model {
        // The mean of more base periods varies less.
        return difference * difference / (2.0 * sums.leaves * (1.0 + 1.0 / periods));
    }
    if let Model::Due { share } = model {
        return due_gain(share, sums);
    }
    let rate = (base + current) / (base_exposure + exposure);
    let mut gain = likelihood(current, rate * exposure) + likelihood(base, rate * base_exposure);
    if model == Model::Share {
        let rest = 1.0 - rate;
        gain += likelihood(exposure - current, rest * exposure);
        gain += likelihood(base_exposure - base, rest * base_exposure);
    }
    gain.max(0.0)
}

/// The gain against an amount that is known exactly: of a share `bad * ln(q1 / q0) + (n - bad) * ln((1 - q1) / (1 - q0))`.
fn due_gain(share: bool, sums: &Sums) -> f64 {
    let ([due, _], [found, cases]) = (sums.base, sums.current);
    let rest = if share { likelihood(cases - found, cases - due) } else { due - found };
    (likelihood(found, due) + rest).max(0.0)
}

fn likelihood(found: f64, expected: f64) -> f64 {
    if found <= 0.0 { 0.0 } else { found * (found / expected).ln() }
}

/// How far a cell moved, on a scale on which cells of all sizes compare: the logarithm of the ratio, or the distance for
/// each leaf where values may be negative. `noise` is the amount that one case makes.
pub fn lift(model: Model, sums: &Sums, direction: Direction, noise: f64) -> f64 {
    let [[base, base_exposure], [current, exposure]] = sums.sides(model);
    let rise = match model {
        Model::Signed { .. } => (current / exposure - base / base_exposure) / sums.leaves,
        _ => ((current + noise / 2.0) / exposure).ln() - ((base + noise / 2.0) / base_exposure).ln(),
    };
    match direction {
        Direction::Rise => rise,
        Direction::Fall => -rise,
    }
}

/// The median and the upper quartile of a squared standard normal value.
const MEDIAN_SQUARE: f64 = 0.454_936;
const QUARTILE_SQUARE: f64 = 1.323_304;
/// Leaves below which their scatter tells nothing.
const FEW: usize = 8;

/// How much more the leaves scatter than the model has it: from the median, which a cause in less than half of them leaves
/// alone, or from the upper quartile, if that tells of more. `None`, if they are too few to tell.
pub fn dispersion(model: Model, leaves: &[Sums]) -> Option<f64> {
    let mut by_mass: Vec<&Sums> = leaves.iter().filter(|leaf| leaf.base[0] != 0.0 || leaf.current[0] != 0.0).collect();
    let mass = |leaf: &Sums| leaf.base[0].abs() + leaf.current[0].abs();
    by_mass.sort_by(|a, b| mass(b).total_cmp(&mass(a)));
    // Small leaves are far from normal: those that together hold nine tenths tell.
    let whole: f64 = by_mass.iter().map(|leaf| mass(leaf)).sum();
    let mut held = 0.0;
    let heavy = by_mass.iter().take_while(|leaf| {
        let enough = held >= 0.9 * whole;
        held += mass(leaf);
        !enough
    });
    let count = heavy.count().max(FEW.min(by_mass.len()));
    let both = |leaf: &Sums| gain(model, leaf, Direction::Rise) + gain(model, leaf, Direction::Fall);
    let mut squares: Vec<f64> = by_mass[..count].iter().map(|leaf| 2.0 * both(leaf)).collect();
    squares.sort_by(f64::total_cmp);
    let last = squares.len().checked_sub(1)?;
    let scatter = (squares[last / 2] / MEDIAN_SQUARE).max(squares[last * 3 / 4] / QUARTILE_SQUARE);
    (squares.len() >= FEW).then_some(scatter)
}

/// The probability that the best of so many cells gains so much by chance; at most, as cells share rows.
pub fn chance(gain: f64, cells: f64) -> f64 {
    let one = upper_tail(gain.max(0.0).sqrt()) / 2.0;
    -(-cells * one).exp_m1()
}

/// The complementary error function for x ≥ 0, to 1.2e-7 of its value (a Chebyshev fit).
fn upper_tail(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.5 * x);
    let terms = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| sum * t + term);
    t * (-x * x + sum).exp()
}
