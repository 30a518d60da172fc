//! What targets say of a ratio's slices: how much is to be divided, and by what.
//!
//! Two of three tell a slice: the ratio's own target, that of what is divided, that of what it is divided by. Where all
//! slices with targets are told so, their weights are the planned ones. Where only their ratios are, they weigh as they
//! did: then all their effect is their rate's, and nobody is blamed for weights that were never planned.

use super::cells::{Cells, Key};
use super::components::OverSlices;
use super::nested::ROUNDING;
use super::targeted::SIDES;
use crate::catalog::expr::Input;
use crate::catalog::{Catalog, IndicatorId};
use crate::plan::uncast;

/// The two sums of a ratio, and the indicators whose targets are theirs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    root: IndicatorId,
    above: IndicatorId,
    below: IndicatorId,
    scale: f64,
    /// Those of what is divided, and of what it is divided by.
    with_targets: [Option<IndicatorId>; 2],
}

/// What targets say of a slice, where it is said.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Told {
    /// What is divided, by what, and what that is.
    above: Option<f64>,
    below: Option<f64>,
    rate: Option<f64>,
}

impl Told {
    /// From the three targets; the ratio's own counts before that of what is divided.
    fn of(rate: Option<f64>, above: Option<f64>, below: Option<f64>) -> Told {
        let quotient = |above: Option<f64>, by: Option<f64>| Some(above? / by.filter(|by| *by != 0.0)?);
        let below = below.or(quotient(above, rate));
        let product = rate.zip(below).map(|(rate, below)| rate * below);
        Told { above: product.or(above), below, rate: rate.or(quotient(above, below)) }
    }

    fn is_whole(&self) -> bool {
        self.above.is_some() && self.below.is_some()
    }

    fn is_something(&self) -> bool {
        self.above.is_some() || self.below.is_some() || self.rate.is_some()
    }
}

impl Planned {
    /// Those of an indicator, if it is a ratio.
    pub(super) fn of(catalog: &Catalog, root: IndicatorId, over: OverSlices) -> Option<Planned> {
        let OverSlices::Ratio { above, below, scale } = over else { return None };
        Some(Planned { root, above, below, scale, with_targets: [above, below].map(|id| with_target(catalog, id)) })
    }

    /// What has to be asked for besides the ratio.
    pub(super) fn asked(&self) -> impl Iterator<Item = IndicatorId> {
        [self.above, self.below].into_iter().chain(self.with_targets.into_iter().flatten())
    }

    /// The names of the indicators whose targets would tell what a ratio's own does not.
    pub(super) fn names(&self, catalog: &Catalog) -> Option<String> {
        let name = |part: Option<IndicatorId>| Some(format!("`{}`", catalog.indicator(part?).item.name));
        let [above, below] = self.with_targets.map(name);
        Some([above, below].into_iter().flatten().collect::<Vec<_>>().join(" and ")).filter(|names| !names.is_empty())
    }

    /// Puts the targets of the slices of a set of dimensions among the values: the sums that they are made of.
    pub(super) fn put_in(&self, sides: &mut Cells, set: &[usize]) {
        let constant = self.constant(sides);
        let keys = sides.slices(set);
        let told: Vec<Told> = keys.iter().map(|key| self.told(sides, set, key, constant)).collect();
        let planned = told.iter().filter(|told| told.is_something()).all(Told::is_whole);
        if !planned && told.iter().all(|told| told.rate.is_none()) {
            return;
        }
        for (key, told) in keys.iter().zip(told) {
            let value = |id| sides.value(SIDES[1], set, key, id);
            let now = [value(self.above), value(self.below)];
            let sums = match (planned, told.rate, now[1]) {
                (true, ..) => [told.above, told.below],
                (false, Some(rate), Some(below)) => [Some(rate * below), Some(below)],
                (false, Some(_), None) => [None, None],
                (false, None, _) => now,
            };
            let mut put = |id, value: Option<f64>| {
                if let Some(value) = value {
                    sides.put(SIDES[0], set, key, id, value);
                }
            };
            put(self.above, sums[0]);
            put(self.below, sums[1]);
            put(self.root, told.rate.map(|rate| self.scale * rate + constant));
        }
    }

    /// What is to be divided of each slice of a set of dimensions at the present weights, and what it is divided by:
    /// where a target says the ratio.
    pub(super) fn at_present_weights(&self, sides: &Cells, set: &[usize]) -> Vec<(Key, [f64; 2])> {
        let constant = self.constant(sides);
        let expected = |key: Key| {
            let rate = self.told(sides, set, &key, constant).rate?;
            let below = sides.value(SIDES[1], set, &key, self.below)?;
            Some((key, [rate * below, below]))
        };
        sides.slices(set).into_iter().filter_map(expected).collect()
    }

    fn told(&self, sides: &Cells, set: &[usize], key: &Key, constant: f64) -> Told {
        let target = |id| sides.value(SIDES[0], set, key, id);
        let [above, below] = self.with_targets.map(|part| target(part?));
        Told::of(target(self.root).map(|target| (target - constant) / self.scale), above, below)
    }

    /// What is added to the ratio.
    pub(super) fn constant(&self, sides: &Cells) -> f64 {
        let total = |id| sides.total(SIDES[1], id);
        let (Some(value), Some(above), Some(below)) = (total(self.root), total(self.above), total(self.below)) else {
            return 0.0;
        };
        let constant = value - self.scale * above / below;
        // What a ratio only shows through rounding is none.
        if constant.is_finite() && constant.abs() > ROUNDING * value.abs() { constant } else { 0.0 }
    }
}

/// The indicator with a target that a sum of a ratio is, and nothing more.
fn with_target(catalog: &Catalog, id: IndicatorId) -> Option<IndicatorId> {
    if catalog.targets_of(id).next().is_some() {
        return Some(id);
    }
    let indicator = catalog.indicator(id);
    let alone = indicator.conditions.is_empty() && indicator.time.is_none();
    match uncast(indicator.formula.clone()).as_input() {
        Some(Input::Indicator(inner, filters)) if alone && filters.is_empty() => with_target(catalog, *inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_tell_a_slice() {
        let whole = Told { above: Some(20.0), below: Some(100.0), rate: Some(0.2) };
        assert_eq!(Told::of(Some(0.2), None, Some(100.0)), whole);
        assert_eq!(Told::of(None, Some(20.0), Some(100.0)), whole);
        assert_eq!(Told::of(Some(0.2), Some(20.0), None), whole);
        assert_eq!(Told::of(Some(0.2), Some(21.0), Some(100.0)), whole, "the ratio's own target counts first");
        assert!(!Told::of(Some(0.2), None, None).is_whole());
        assert!(!Told::of(Some(0.0), Some(20.0), None).is_whole(), "nothing is divided by 0");
    }
}
