//! How much of a target is attained.

use super::Reason;
use crate::catalog::target::{Aim, Form, Judging};

/// The least and the greatest score that an attainment gives: neither a disaster nor a record hides the rest.
pub const CAPS: (f64, f64) = (0.0, 1.2);

/// The attainment of a target by a value.
///
/// # Errors
/// The reason, where it has no meaning.
///
/// ```
/// use bellwether::catalog::target::{Aim, Bands, Form, Judging, Pace};
/// use bellwether::goal::attainment::attainment;
/// let baseline = Some(800.0);
/// let judging =
///     Judging { form: Form::Natural, baseline, tolerance: None, bands: Bands::default(), pace: Pace::Linear, sample: None };
/// assert_eq!(attainment(Some(950.0), Aim::AtLeast(1000.0), &judging), Ok(0.75));
/// ```
pub fn attainment(value: Option<f64>, aim: Aim, judging: &Judging) -> Result<f64, Reason> {
    let value = value.filter(|value| value.is_finite()).ok_or(Reason::NoValue)?;
    if judging.form == Form::Met {
        return Ok(if is_met(value, aim) { 1.0 } else { 0.0 });
    }
    match (aim, judging.baseline) {
        (Aim::Between(low, high), _) => Ok(within(value, low, high, judging.tolerance)),
        (Aim::AtLeast(target), Some(baseline)) => way(target - baseline, value - baseline),
        (Aim::AtMost(target), Some(baseline)) => way(baseline - target, baseline - value),
        (_, None) => bare(value, aim, judging.form),
    }
}

/// The score of an attainment.
pub fn score(attainment: f64) -> f64 {
    attainment.clamp(CAPS.0, CAPS.1)
}

/// Whether a value is as it should be.
pub fn is_met(value: f64, aim: Aim) -> bool {
    aim.low().is_none_or(|low| value >= low) && aim.high().is_none_or(|high| value <= high)
}

/// How much of the way from the baseline to the target lies behind.
fn way(whole: f64, done: f64) -> Result<f64, Reason> {
    if whole == 0.0 {
        return Err(Reason::BaselineIsTarget);
    }
    if whole < 0.0 { Err(Reason::BaselineBeyondTarget) } else { Ok(done / whole) }
}

fn bare(value: f64, aim: Aim, form: Form) -> Result<f64, Reason> {
    let target = aim.low().or(aim.high()).ok_or(Reason::NoTarget)?;
    if target == 0.0 {
        return Err(Reason::ZeroTarget);
    }
    if target < 0.0 {
        return Err(Reason::NegativeTarget);
    }
    match (aim, form) {
        (Aim::AtMost(_), Form::TwoMinus) => Ok(2.0 - value / target),
        (Aim::AtMost(_), _) if value == 0.0 => Err(Reason::ZeroValue),
        (Aim::AtMost(_), _) if value < 0.0 => Err(Reason::NegativeValue),
        (Aim::AtMost(_), _) => Ok(target / value),
        _ => Ok(value / target),
    }
}

/// 1 inside a range, and less with the distance to it.
fn within(value: f64, low: f64, high: f64, tolerance: Option<f64>) -> f64 {
    let distance = (low - value).max(value - high).max(0.0);
    match tolerance {
        _ if distance == 0.0 => 1.0,
        Some(tolerance) => (1.0 - distance / tolerance).max(0.0),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::target::{Bands, Pace};

    fn judging(form: Form, baseline: Option<f64>, tolerance: Option<f64>) -> Judging {
        Judging { form, baseline, tolerance, bands: Bands::default(), pace: Pace::Linear, sample: None }
    }

    #[test]
    fn the_table_of_directions() {
        use Aim::{AtLeast, AtMost, Between};
        let natural = |baseline| judging(Form::Natural, baseline, None);
        let cases = [
            (950.0, AtLeast(1000.0), natural(None), 0.95),
            (950.0, AtLeast(1000.0), natural(Some(800.0)), 0.75),
            (36.0, AtMost(24.0), natural(Some(48.0)), 0.5),
            (36.0, AtMost(24.0), judging(Form::TargetOverValue, None, None), 24.0 / 36.0),
            (36.0, AtMost(24.0), judging(Form::TwoMinus, None, None), 0.5),
            (9.0, Between(2.0, 8.0), judging(Form::Natural, None, Some(2.0)), 0.5),
            (20.0, Between(2.0, 8.0), judging(Form::Natural, None, Some(2.0)), 0.0),
            (8.0, Between(2.0, 8.0), natural(None), 1.0),
            (9.0, Between(2.0, 8.0), natural(None), 0.0),
            (0.0, AtMost(0.0), judging(Form::Met, None, None), 1.0),
        ];
        for (value, aim, judging, expected) in cases {
            assert_eq!(attainment(Some(value), aim, &judging), Ok(expected), "{value} {aim:?}");
        }
    }

    #[test]
    fn what_has_no_meaning_has_a_reason() {
        use Aim::{AtLeast, AtMost};
        let natural = |baseline| judging(Form::Natural, baseline, None);
        let over = judging(Form::TargetOverValue, None, None);
        let cases = [
            (Some(1.0), AtLeast(0.0), natural(None), Reason::ZeroTarget),
            (Some(1.0), AtLeast(-5.0), natural(None), Reason::NegativeTarget),
            (Some(1.0), AtLeast(5.0), natural(Some(5.0)), Reason::BaselineIsTarget),
            (Some(1.0), AtLeast(5.0), natural(Some(6.0)), Reason::BaselineBeyondTarget),
            (Some(1.0), AtMost(5.0), natural(Some(4.0)), Reason::BaselineBeyondTarget),
            (Some(0.0), AtMost(5.0), over.clone(), Reason::ZeroValue),
            (Some(-1.0), AtMost(5.0), over, Reason::NegativeValue),
            (None, AtLeast(5.0), natural(None), Reason::NoValue),
            (Some(f64::INFINITY), AtLeast(5.0), natural(None), Reason::NoValue),
        ];
        for (value, aim, judging, reason) in cases {
            assert_eq!(attainment(value, aim, &judging), Err(reason), "{value:?} {aim:?}");
        }
    }
}
