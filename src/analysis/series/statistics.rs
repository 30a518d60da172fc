//! Statistics that a few wild values do not move.

use distrs::StudentsT;

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The third quartile of a normal distribution: the median of distances from the centre is that many deviations.
const QUARTILE: f64 = 0.6745;
/// The mean distance from the centre of a normal distribution, in deviations.
const MEAN_DISTANCE: f64 = 0.797_884_560_8;

/// A centre and a standard deviation that outliers do not move: the median, and the median distance from it (the mean
/// distance, where more than half of the values are the same).
pub fn robust_scale(values: &[f64]) -> Option<(f64, f64)> {
    let centre = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let by_median = median(&distances)? / QUARTILE;
    let scale = if by_median > 0.0 { by_median } else { mean(&distances)? / MEAN_DISTANCE };
    Some((centre, scale))
}

/// How many such deviations each value lies from the centre.
pub fn robust_z(values: &[f64]) -> Vec<f64> {
    let Some((centre, scale)) = robust_scale(values) else { return vec![] };
    values.iter().map(|value| if scale > 0.0 { (value - centre) / scale } else { 0.0 }).collect()
}

/// The outliers by the generalised extreme Studentised deviate test (Rosner 1983), at most so many: their positions, the most
/// extreme first.
///
/// The test does not stop at the first value that is none: outliers hide each other, so the largest number of steps whose
/// statistic passes its limit decides.
pub fn extreme_deviates(values: &[f64], most: usize, significance: f64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..values.len()).collect();
    let mut removed = Vec::new();
    let mut outliers = 0;
    for step in 1..=most.min(values.len().saturating_sub(2)) {
        let kept: Vec<f64> = left.iter().map(|at| values[*at]).collect();
        let Some(centre) = mean(&kept) else { break };
        let variance = kept.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (kept.len() - 1) as f64;
        let far = |at: &usize| (values[*at] - centre).abs();
        let Some(place) = (0..left.len()).max_by(|a, b| far(&left[*a]).total_cmp(&far(&left[*b]))) else { break };
        if variance <= 0.0 {
            break;
        }
        let at = left.remove(place);
        removed.push(at);
        if far(&at) / variance.sqrt() > deviate_limit(values.len(), step, significance) {
            outliers = step;
        }
    }
    removed.truncate(outliers);
    removed
}

/// What the statistic of a step has to pass, of so many values.
pub fn deviate_limit(values: usize, step: usize, significance: f64) -> f64 {
    let left = (values - step) as f64;
    let tail = 1.0 - significance / (2.0 * (left + 1.0));
    let t = StudentsT::ppf(tail, left - 1.0);
    left * t / ((left - 1.0 + t * t) * (left + 1.0)).sqrt()
}
