//! How a change of a whole comes from its slices.

use super::effects::Method;

/// A slice on both sides: a value, or for a ratio what is divided and by what; `None` where it has no rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<V> {
    /// On the base's side.
    pub base: Option<V>,
    /// On the current side.
    pub current: Option<V>,
}

/// A ratio of two sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// What is divided.
    pub above: f64,
    /// By what.
    pub below: f64,
}

/// What a slice did to the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceEffect {
    /// All of it.
    pub effect: f64,
    /// Of a ratio: by its own rate.
    pub rate: Option<f64>,
    /// Of a ratio: by its weight moving towards or away from it.
    pub mix: Option<f64>,
}

/// Slices of a sum: each its own change.
pub fn of_sum(slices: &[Slice<f64>]) -> Vec<SliceEffect> {
    let change = |slice: &Slice<f64>| slice.current.unwrap_or(0.0) - slice.base.unwrap_or(0.0);
    slices.iter().map(|slice| SliceEffect { effect: change(slice), rate: None, mix: None }).collect()
}

/// Slices of a ratio, exactly. In the midpoint form a slice's rate changed at the mean of its weights, and its weight moved
/// at the mean of its rates above or below the mean of the whole: symmetric in time. As a chain weights move first, at
/// the base's rates, and then rates change, at the present weights: what price, volume and mix are to accountants.
///
/// A slice that is on one side only keeps that side's rate on the other: all its effect is mix. `None` where one side
/// has nothing to divide by.
pub fn of_ratio(slices: &[Slice<Ratio>], method: Method) -> Option<Vec<SliceEffect>> {
    let present = if method == Method::Chain { 0.0 } else { 0.5 };
    let nothing = Ratio { above: 0.0, below: 0.0 };
    let sides: Vec<[Ratio; 2]> =
        slices.iter().map(|slice| [slice.base.unwrap_or(nothing), slice.current.unwrap_or(nothing)]).collect();
    let total = |side: usize, part: fn(&Ratio) -> f64| sides.iter().map(|both| part(&both[side])).sum::<f64>();
    let below = [total(0, |ratio| ratio.below), total(1, |ratio| ratio.below)];
    if below.contains(&0.0) {
        return None;
    }
    let above = [total(0, |ratio| ratio.above), total(1, |ratio| ratio.above)];
    let mean = between(above[0] / below[0], above[1] / below[1], present);
    Some(sides.iter().map(|both| ratio_effect(both, below, mean, present)).collect())
}

/// A value between that of the base and the present one.
fn between(base: f64, current: f64, present: f64) -> f64 {
    (1.0 - present) * base + present * current
}

/// The two effects of a slice; weights that move are valued at rates so far `present`.
fn ratio_effect(both: &[Ratio; 2], below: [f64; 2], mean: f64, present: f64) -> SliceEffect {
    let weight = [both[0].below / below[0], both[1].below / below[1]];
    let rate = |ratio: &Ratio| (ratio.below != 0.0).then(|| ratio.above / ratio.below);
    if let (Some(r0), Some(r1)) = (rate(&both[0]), rate(&both[1])) {
        let rate = between(weight[1], weight[0], present) * (r1 - r0);
        let mix = (weight[1] - weight[0]) * (between(r0, r1, present) - mean);
        return SliceEffect { effect: rate + mix, rate: Some(rate), mix: Some(mix) };
    }
    // Written with sums instead of rates, so that what lies above nothing is not lost.
    let stands = |side: usize| both[side].above / below[side] - weight[side] * mean;
    let effect = stands(1) - stands(0);
    SliceEffect { effect, rate: Some(0.0), mix: Some(effect) }
}
