//! From attainments to a status.

use super::Reason;
use super::attainment::is_met;
use crate::catalog::target::{Aim, Bands};

/// The status of what cannot be judged.
pub const GREY: &str = "grey";

/// Attainments are quotients: what is short of a band by less than this is in it.
const CLOSE: f64 = 1e-12;

/// The position of a status among those of the bands: 0 is the best.
pub fn rank(attainment: f64, bands: &Bands) -> usize {
    let found = bands.bands.iter().position(|(_, least)| attainment >= least - CLOSE);
    found.unwrap_or(bands.bands.len())
}

/// The name of the status at a position.
pub fn name(rank: usize, bands: &Bands) -> &str {
    bands.bands.get(rank).map_or(&bands.below, |(name, _)| name)
}

/// The position of the status of a judgement. What should be small and is nothing has no attainment, yet it is as good
/// as it can be.
pub fn rank_of(value: Option<f64>, aim: Aim, attained: Result<f64, Reason>, bands: &Bands) -> Option<usize> {
    match attained {
        Ok(attainment) => Some(rank(attainment, bands)),
        Err(Reason::ZeroValue | Reason::NegativeValue) if value.is_some_and(|value| is_met(value, aim)) => {
            Some(rank(1.0, bands))
        }
        Err(_) => None,
    }
}

/// What is shown after some periods, the latest last: a worse status only where it, or a worse one, held in k of the
/// last n. `None` are periods without a judgement.
pub fn held(ranks: &[Option<usize>], bands: &Bands) -> Option<usize> {
    let latest = ranks.last().copied().flatten()?;
    let Some((k, n)) = bands.hold else { return Some(latest) };
    let recent = &ranks[ranks.len().saturating_sub(n)..];
    let at_least = |rank: usize| recent.iter().flatten().filter(|known| **known >= rank).count();
    let worst = (0..=bands.bands.len()).rev().find(|rank| at_least(*rank) >= k);
    // With fewer periods than the rule needs, the best of them is what can be said for sure.
    Some(worst.unwrap_or_else(|| recent.iter().flatten().copied().min().unwrap_or(latest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_from_best_to_worst() {
        let bands = Bands::default();
        let names: Vec<&str> = [1.1, 1.0, 0.95, 0.9, 0.3].map(|it| name(rank(it, &bands), &bands)).to_vec();
        assert_eq!(names, ["green", "green", "amber", "amber", "red"]);
        assert_eq!(name(rank(0.1 + 0.2 + 0.6, &bands), &bands), "amber");
    }

    #[test]
    fn a_worse_status_shows_when_it_held() {
        let bands = Bands { hold: Some((2, 3)), ..Bands::default() };
        assert_eq!(held(&[Some(0), Some(0), Some(2)], &bands), Some(0), "one red of three");
        assert_eq!(held(&[Some(0), Some(2), Some(2)], &bands), Some(2), "two reds of three");
        assert_eq!(held(&[Some(2), Some(1), Some(0)], &bands), Some(1), "two were amber or worse");
        assert_eq!(held(&[Some(2), Some(2), Some(2), Some(0), Some(0)], &bands), Some(0), "only the last three count");
        assert_eq!(held(&[Some(2)], &bands), Some(2));
        assert_eq!(held(&[Some(2), None], &bands), None);
    }
}
