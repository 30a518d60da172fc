//! What repeats: a series as trend, season and rest.

use super::statistics::{median, robust_scale};
use crate::catalog::calendar::Grain;

/// A series in its parts, which add up to it; or multiply, if it was taken apart in logarithms.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// What is expected: trend and season.
    pub expected: Vec<f64>,
    /// The season's part, a difference or a factor.
    pub season: Vec<f64>,
    /// What is left, in logarithms if it was taken apart so.
    pub rest: Vec<f64>,
    /// Whether the parts multiply.
    pub multiplies: bool,
    /// How much more values vary than the rest does.
    pub spread: f64,
    /// How many deviations the farthest value lies off by chance in one of twenty series (from simulated noise).
    pub far: f64,
}

/// How many periods of a grain mostly make a season: days of a week, months of a year; 1, if there is none.
pub fn season_of(grain: Grain) -> usize {
    match grain {
        Grain::Minute | Grain::Second => 60,
        Grain::Hour => 24,
        Grain::Day => 7,
        Grain::Week => 52,
        Grain::Month => 12,
        Grain::Quarter | Grain::FiscalQuarter => 4,
        _ => 1,
    }
}

/// Takes a series apart, in logarithms where these leave relatively less; `None`, if it has less than four seasons: what
/// repeats cannot be told from chance then.
///
/// Twelve seasons and more by robust STL with a stiff season; fewer by a straight line and the median of each place in the
/// season, as STL follows the chance of a few seasons.
pub fn take_apart(values: &[f64], season: usize) -> Option<Parts> {
    if season < 2 || values.len() < 4 * season {
        return None;
    }
    let parts = if values.len() < 12 * season { by_medians } else { by_smoothing };
    let plain = parts(values, season)?;
    let level = median(&values.iter().map(|value| value.abs()).collect::<Vec<_>>())?;
    if values.iter().any(|value| *value <= 0.0) || level <= 0.0 {
        return Some(plain);
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let multiplied = parts(&logs, season)?;
    let scale = |rest: &[f64]| robust_scale(rest).map_or(0.0, |(_, scale)| scale);
    if scale(&multiplied.rest) >= scale(&plain.rest) / level {
        return Some(plain);
    }
    let back = |logs: Vec<f64>| logs.into_iter().map(f64::exp).collect();
    let (expected, season) = (back(multiplied.expected), back(multiplied.season));
    Some(Parts { expected, season, multiplies: true, ..multiplied })
}

/// How many seasons one season's shape is smoothed over.
const STIFF: usize = 35;

fn by_smoothing(values: &[f64], season: usize) -> Option<Parts> {
    let mut stl = stlrs::Stl::params();
    stl.robust(true).seasonal_length(STIFF).seasonal_degree(1).inner_loops(2).outer_loops(15);
    stl.seasonal_jump(1).trend_jump(1).low_pass_jump(1);
    let (seasonal, trend, rest, _) = stl.fit(values, season).ok()?.into_parts();
    let expected = seasonal.iter().zip(&trend).map(|(season, trend)| season + trend).collect();
    // The fewer seasons, the more of their chance is followed.
    let far = 6.0 + 30.0 * season as f64 / values.len() as f64;
    Some(Parts { expected, season: seasonal, rest, multiplies: false, spread: 1.0, far })
}

fn by_medians(values: &[f64], season: usize) -> Option<Parts> {
    let count = values.len();
    let steps: Vec<f64> = (season..count).map(|at| (values[at] - values[at - season]) / season as f64).collect();
    let slope = median(&steps)?;
    let level: Vec<f64> = values.iter().enumerate().map(|(at, value)| value - slope * at as f64).collect();
    let centre = median(&level)?;
    let of_place = |place: usize| median(&level.iter().skip(place).step_by(season).copied().collect::<Vec<_>>());
    let places = (0..season).map(of_place).collect::<Option<Vec<f64>>>()?;
    let seasonal: Vec<f64> = (0..count).map(|at| places[at % season] - centre).collect();
    let expected: Vec<f64> = (0..count).map(|at| slope * at as f64 + centre + seasonal[at]).collect();
    let rest = values.iter().zip(&expected).map(|(value, expected)| value - expected).collect();
    // What is fitted varies less than what comes by chance.
    let spread = (count as f64 / (count - season - 1) as f64).sqrt();
    Some(Parts { expected, season: seasonal, rest, multiplies: false, spread, far: 5.25 })
}
