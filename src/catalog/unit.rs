//! Unit algebra: products of named units, with time units in seconds and scalars.

use std::collections::BTreeMap;

/// A product of powers of base units, with a scale: `CNY`, `CNY/piece`, `3600 · second`.
///
/// Percent is the unit of fractions: it has no base unit, but remembers its name so that sums of percents are refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// As declared, or composed from the operands' names.
    pub name: String,
    powers: BTreeMap<String, i32>,
    scale: f64,
}

/// Time units with their length in seconds (months and years are no fixed length and stand for themselves).
const TIME: &[(&str, f64)] = &[
    ("microsecond", 1e-6),
    ("millisecond", 1e-3),
    ("second", 1.0),
    ("minute", 60.0),
    ("hour", 3600.0),
    ("day", 86400.0),
    ("week", 604800.0),
];

impl Unit {
    /// The unit of that name: a time unit (in singular or plural), `percent`, or any other word, which stands for itself.
    pub fn named(name: &str) -> Unit {
        if let Some(scale) = time_scale(name) {
            return Unit { name: name.to_string(), powers: BTreeMap::from([("second".to_string(), 1)]), scale };
        }
        let powers =
            if name == "percent" || name == "%" { BTreeMap::new() } else { BTreeMap::from([(name.to_string(), 1)]) };
        Unit { name: name.to_string(), powers, scale: 1.0 }
    }

    /// Whether values of both may be added and compared.
    pub fn agrees_with(&self, other: &Unit) -> bool {
        self.powers == other.powers && self.scale == other.scale
    }

    /// Whether it is a plain number or a fraction.
    pub fn is_scalar(&self) -> bool {
        self.powers.is_empty()
    }

    /// The unit of a product.
    pub fn times(&self, other: &Unit) -> Unit {
        self.combine(other, 1)
    }

    /// The unit of a quotient.
    pub fn over(&self, other: &Unit) -> Unit {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Unit, sign: i32) -> Unit {
        let mut powers = self.powers.clone();
        for (base, power) in &other.powers {
            *powers.entry(base.clone()).or_insert(0) += sign * power;
        }
        powers.retain(|_, power| *power != 0);
        let scale = if sign > 0 { self.scale * other.scale } else { self.scale / other.scale };
        Unit { name: written(&powers), powers, scale }
    }

    /// How many of this unit an amount of time is, if this is a time unit.
    pub fn of_seconds(&self, seconds: f64) -> Option<f64> {
        let time = self.powers.len() == 1 && self.powers.get("second") == Some(&1);
        time.then(|| seconds / self.scale)
    }
}

/// The length of a time unit in seconds, by its name in singular or plural.
pub fn time_scale(name: &str) -> Option<f64> {
    let singular = name.strip_suffix('s').unwrap_or(name).to_lowercase();
    TIME.iter().find(|(unit, _)| *unit == singular).map(|(_, scale)| *scale)
}

fn written(powers: &BTreeMap<String, i32>) -> String {
    let side = |sign: i32| -> Vec<String> {
        let part = powers.iter().filter(|(_, power)| power.signum() == sign);
        part.map(|(base, power)| if power.abs() == 1 { base.clone() } else { format!("{base}^{}", power.abs()) })
            .collect()
    };
    match (side(1).join("*"), side(-1).join("*")) {
        (above, below) if below.is_empty() => above,
        (above, below) => format!("{}/{below}", if above.is_empty() { "1".to_string() } else { above }),
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
