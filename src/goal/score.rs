//! Scores of scorecards: how they roll up, what changed them, what a weight does.

use super::Reason;
use crate::catalog::target::ScoreRule;

/// The part of the weight that must have a score; below it nothing is said.
pub const LEAST_COVERED: f64 = 0.8;

/// A part of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Its weight.
    pub weight: f64,
    /// Its score.
    pub score: Option<f64>,
}

/// The score of parts together, and the part of the weight that has one.
///
/// # Errors
/// [`Reason::LittleCovered`], if less than 80 % of the weight has a score.
pub fn rolled_up(parts: &[Part], rule: ScoreRule) -> (Result<f64, Reason>, f64) {
    let all: f64 = parts.iter().map(|part| part.weight).sum();
    let known: Vec<(f64, f64)> = parts.iter().filter_map(|part| Some((part.weight, part.score?))).collect();
    let weight: f64 = known.iter().map(|(weight, _)| weight).sum();
    let covered = if all > 0.0 { weight / all } else { 0.0 };
    if weight <= 0.0 || covered < LEAST_COVERED - 1e-9 {
        return (Err(Reason::LittleCovered), covered);
    }
    let score = match rule {
        ScoreRule::Weighted => known.iter().map(|(weight, score)| weight * score).sum::<f64>() / weight,
        ScoreRule::Worst => known.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min),
        ScoreRule::Geometric if known.iter().any(|(_, score)| *score <= 0.0) => 0.0,
        ScoreRule::Geometric => (known.iter().map(|(weight, score)| weight * score.ln()).sum::<f64>() / weight).exp(),
    };
    (Ok(score), covered)
}

/// What a part did to the change of a weighted score: by its own score, and by its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects {
    /// ½(w₀+w₁)(s₁−s₀).
    pub score: f64,
    /// (w₁−w₀)(½(s₀+s₁) − S̄).
    pub weight: f64,
}

/// The effects of each part; they add up to the change. A part that one side lacks is all weight effect.
pub fn effects(base: &[Part], current: &[Part]) -> Vec<Effects> {
    let share = |parts: &[Part]| -> f64 {
        parts.iter().filter(|part| part.score.is_some()).map(|part| part.weight).sum::<f64>()
    };
    let (all0, all1) = (share(base), share(current));
    let weight = |part: &Part, all: f64| if part.score.is_some() && all > 0.0 { part.weight / all } else { 0.0 };
    let whole =
        |parts: &[Part], all: f64| parts.iter().filter_map(|part| Some(weight(part, all) * part.score?)).sum::<f64>();
    let middle = (whole(base, all0) + whole(current, all1)) / 2.0;
    base.iter()
        .zip(current)
        .map(|(before, after)| {
            let (w0, w1) = (weight(before, all0), weight(after, all1));
            let (s0, s1) = match (before.score, after.score) {
                (Some(s0), Some(s1)) => (s0, s1),
                (Some(only), None) | (None, Some(only)) => (only, only),
                (None, None) => (0.0, 0.0),
            };
            Effects { score: (w0 + w1) / 2.0 * (s1 - s0), weight: (w1 - w0) * ((s0 + s1) / 2.0 - middle) }
        })
        .collect()
}

/// How much a weighted score grows when a part gets one point (1 %) of weight more, at the cost of all others alike.
pub fn sensitivity(parts: &[Part], at: usize, score: f64) -> Option<f64> {
    let all: f64 = parts.iter().filter(|part| part.score.is_some()).map(|part| part.weight).sum();
    let part = parts.get(at)?;
    let share = part.weight / all;
    (all > 0.0 && share < 1.0).then_some(())?;
    Some((part.score? - score) / (1.0 - share) * 0.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(all: &[(f64, f64)]) -> Vec<Part> {
        all.iter().map(|(weight, score)| Part { weight: *weight, score: Some(*score) }).collect()
    }

    #[test]
    fn the_worked_roll_up() {
        let all = parts(&[(0.5, 0.95), (0.3, 0.5), (0.2, 0.5)]);
        let score = |rule| rolled_up(&all, rule).0.unwrap();
        assert!((score(ScoreRule::Weighted) - 0.725).abs() < 1e-12);
        assert_eq!(score(ScoreRule::Worst), 0.5);
        assert!((score(ScoreRule::Geometric) - 0.6892).abs() < 5e-5);
    }

    #[test]
    fn a_gap_is_closed_only_if_it_is_small() {
        let gap = |weight: f64| {
            rolled_up(
                &[Part { weight: 1.0 - weight, score: Some(0.5) }, Part { weight, score: None }],
                ScoreRule::Weighted,
            )
        };
        assert_eq!(gap(0.2), (Ok(0.5), 0.8));
        assert_eq!(gap(0.25), (Err(Reason::LittleCovered), 0.75));
    }

    #[test]
    fn effects_add_up_and_turn_with_time() {
        let (base, current) = (parts(&[(0.5, 0.9), (0.5, 0.6)]), parts(&[(0.3, 1.0), (0.7, 0.65)]));
        let sum = |all: Vec<Effects>| all.iter().map(|it| it.score + it.weight).sum::<f64>();
        let change = (0.3 * 1.0 + 0.7 * 0.65) - 0.75;
        assert!((sum(effects(&base, &current)) - change).abs() < 1e-12);
        assert!((sum(effects(&current, &base)) + change).abs() < 1e-12);
    }

    #[test]
    fn a_point_of_weight() {
        let all = parts(&[(0.5, 0.95), (0.3, 0.5), (0.2, 0.5)]);
        let more = parts(&[(0.51, 0.95), (0.294, 0.5), (0.196, 0.5)]);
        let [before, after] = [&all, &more].map(|all| rolled_up(all, ScoreRule::Weighted).0.unwrap());
        assert!((sensitivity(&all, 0, before).unwrap() - (after - before)).abs() < 1e-12);
    }
}
