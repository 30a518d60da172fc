//! What a target asks of a slice in a stretch of time.

use chrono::NaiveDateTime;

use super::Reason;
use crate::catalog::calendar::Calendar;
use crate::catalog::indicator::{Additivity, Indicator};
use crate::catalog::stretch::Stretch;
use crate::catalog::target::{Aim, Amounts, Level, Slices, Split, SplitBy, Statement, Target};
use crate::catalog::{Catalog, DimensionId, IndicatorId};

/// A slice: values of dimensions, each once. `None` is NULL.
pub type Slice = Vec<(DimensionId, Option<String>)>;

/// What of an indicator and its project decides how its targets add up.
#[derive(Debug, Clone)]
pub struct Scale {
    /// The project's calendar.
    pub calendar: Calendar,
    /// Whether values of finer periods add up.
    pub additivity: Additivity,
    /// Whether it counts, so that its targets are whole numbers.
    pub counts: bool,
}

impl Scale {
    /// That of an indicator.
    pub fn of(catalog: &Catalog, id: IndicatorId) -> Self {
        let Indicator { additivity, data_type, .. } = catalog.indicator(id);
        Scale { calendar: catalog.calendar.clone(), additivity: *additivity, counts: data_type.is_integer() }
    }
}

/// Which of the decisions about a target counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Decided {
    /// The last one that was known then; without an instant, the last one.
    #[default]
    Current,
    /// The first one.
    Original,
}

/// What is asked of a target.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// When.
    pub span: Stretch,
    /// Of which slice.
    pub slice: &'a Slice,
    /// On which level.
    pub level: Level,
    /// By which decision.
    pub decided: Decided,
    /// Decisions after this instant are not known yet.
    pub known: Option<NaiveDateTime>,
    /// What is known of a year earlier, for targets that are split so.
    pub last_year: Option<Shared<'a>>,
}

/// What is known of how slices shared a value.
#[derive(Debug, Clone, Copy)]
pub enum Shared<'a> {
    /// The value of each slice.
    Slices(&'a [(Option<String>, f64)]),
    /// Of one slice alone: enough where amounts need not be whole.
    One {
        /// Its value.
        own: Option<f64>,
        /// That of all slices together.
        sum: Option<f64>,
        /// The least of theirs.
        least: Option<f64>,
    },
}

/// What a target requires of a slice in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Required {
    /// The amount.
    pub aim: Aim,
    /// How many times that is what the target says of its period: 3 for the quarter of a monthly target, 0.6 for a slice
    /// with 60 %. So often its baseline and its tolerance count, too.
    pub times: f64,
}

/// The amount that a stated target asks for.
///
/// # Errors
/// The reason, where it asks for nothing.
pub fn aim_of(scale: &Scale, target: &Target, wanted: &Wanted<'_>) -> Result<Required, Reason> {
    let Amounts::Stated(statements) = &target.amounts else { return Err(Reason::NoTarget) };
    let share = share_of(target, wanted)?;
    let periods = periods_of(scale, target, wanted.span)?;
    if periods.len() > 1 && matches!(share, Share::OfSplit(Split { how: SplitBy::LastYear(_), .. }, _)) {
        return Err(Reason::OtherPeriod);
    }
    let mut sum: Option<Required> = None;
    for period in periods {
        let statement = statement_of(statements, period, wanted).ok_or(Reason::NoTarget)?;
        let aim = statement.aims.iter().find(|(level, _)| *level == wanted.level).ok_or(Reason::NoTarget)?.1;
        let required = match &share {
            Share::All => Required { aim, times: 1.0 },
            Share::OfSplit(_, value) => {
                let split = statement.split.as_ref().ok_or(Reason::OtherSlice)?;
                part_of(aim, split, value, wanted.last_year, scale.counts)?
            }
        };
        sum = Some(match sum {
            None => required,
            Some(before) => added(before, required).ok_or(Reason::OtherPeriod)?,
        });
    }
    sum.ok_or(Reason::OtherPeriod)
}

/// The target's periods that make up a stretch of time. Several add up only where the indicator does.
pub fn periods_of(scale: &Scale, target: &Target, span: Stretch) -> Result<Vec<Stretch>, Reason> {
    let every = target.every.ok_or(Reason::NoPeriod)?;
    let periods = span.periods(every, &scale.calendar).ok_or(Reason::OtherPeriod)?;
    if periods.len() > 1 && scale.additivity != Additivity::Additive {
        return Err(Reason::OtherPeriod);
    }
    let begun = target.from.is_none_or(|from| from <= span.start);
    let lasts = target.to.is_none_or(|to| span.end <= to);
    if begun && lasts { Ok(periods) } else { Err(Reason::NoTarget) }
}

enum Share<'t> {
    All,
    /// The share of a value of the split's dimension.
    OfSplit(&'t Split, Option<String>),
}

/// Which part of a target a slice has.
fn share_of<'t>(target: &'t Target, wanted: &Wanted<'_>) -> Result<Share<'t>, Reason> {
    let slice = wanted.slice;
    let of_dimensions = |dimensions: &[DimensionId]| {
        dimensions.len() == slice.len() && slice.iter().all(|(id, _)| dimensions.contains(id))
    };
    match &target.slices {
        Slices::These(these) => {
            let same = |(id, value): &(DimensionId, Option<String>)| {
                these.iter().any(|(known, wanted)| known == id && Some(wanted) == value.as_ref())
            };
            let all = these.len() == slice.len() && slice.iter().all(same);
            if all { Ok(Share::All) } else { Err(Reason::OtherSlice) }
        }
        Slices::Each(dimensions) if slice.is_empty() || of_dimensions(dimensions) => Ok(Share::All),
        Slices::Whole if slice.is_empty() => Ok(Share::All),
        _ => match (slice.as_slice(), target.split()) {
            ([(id, value)], Some(split)) if split.by == *id => Ok(Share::OfSplit(split, value.clone())),
            _ => Err(Reason::OtherSlice),
        },
    }
}

/// The decision that counts for a period.
fn statement_of<'s>(statements: &'s [Statement], period: Stretch, wanted: &Wanted<'_>) -> Option<&'s Statement> {
    let counts = |statement: &&Statement| {
        let Some(set) = statement.set else { return true };
        let set = set.and_time(chrono::NaiveTime::MIN);
        let known = wanted.decided == Decided::Current && wanted.known.is_none_or(|known| set < known);
        known && statement.from.map_or(period.end > set, |from| period.start >= from)
    };
    statements.iter().rev().find(counts)
}

fn added(left: Required, right: Required) -> Option<Required> {
    let aim = match (left.aim, right.aim) {
        (Aim::AtLeast(left), Aim::AtLeast(right)) => Aim::AtLeast(left + right),
        (Aim::AtMost(left), Aim::AtMost(right)) => Aim::AtMost(left + right),
        (Aim::Between(low, high), Aim::Between(more, most)) => Aim::Between(low + more, high + most),
        _ => return None,
    };
    Some(Required { aim, times: left.times + right.times })
}

fn part_of(
    aim: Aim,
    split: &Split,
    value: &Option<String>,
    last_year: Option<Shared<'_>>,
    whole: bool,
) -> Result<Required, Reason> {
    let (at, shares) = match &split.how {
        SplitBy::Shares { parts, others } => {
            let at = parts.iter().position(|(known, _)| Some(known) == value.as_ref());
            let at = at.ok_or(if others.is_some() { Reason::OneOfOthers } else { Reason::OtherSlice })?;
            (at, parts.iter().map(|(_, share)| *share).chain(*others).collect::<Vec<f64>>())
        }
        SplitBy::LastYear(_) => last_years(last_year.ok_or(Reason::NoLastYear)?, value).ok_or(Reason::NoLastYear)?,
    };
    Ok(Required { aim: shared(aim, &shares, whole)[at], times: shares[at] })
}

/// The parts of an amount in shares that add up to 1.
pub fn shared(aim: Aim, shares: &[f64], whole: bool) -> Vec<Aim> {
    let parts = |amount: f64| split_up(amount, shares, whole);
    match aim {
        Aim::AtLeast(amount) => parts(amount).into_iter().map(Aim::AtLeast).collect(),
        Aim::AtMost(amount) => parts(amount).into_iter().map(Aim::AtMost).collect(),
        Aim::Between(low, high) => parts(low).into_iter().zip(parts(high)).map(|(l, h)| Aim::Between(l, h)).collect(),
    }
}

/// The place of a slice among the shares of a year earlier, and these.
fn last_years(shared: Shared<'_>, value: &Option<String>) -> Option<(usize, Vec<f64>)> {
    match shared {
        Shared::Slices(known) => {
            let sum: f64 = known.iter().map(|(_, value)| value).sum();
            let none = sum <= 0.0 || known.iter().any(|(_, value)| *value < 0.0);
            let at = known.iter().position(|(known, _)| known == value).filter(|_| !none)?;
            Some((at, known.iter().map(|(_, value)| value / sum).collect()))
        }
        Shared::One { own, sum, least } => {
            let (own, sum) = (own?, sum.filter(|sum| *sum > 0.0 && least.is_some_and(|least| least >= 0.0))?);
            Some((0, vec![own / sum, 1.0 - own / sum]))
        }
    }
}

/// What the rest has together that a split does not name.
pub fn others_of(required: Required, split: &Split, whole: bool) -> Option<Required> {
    let SplitBy::Shares { parts, others } = &split.how else { return None };
    let rest = (*others)?;
    let shares: Vec<f64> = parts.iter().map(|(_, share)| *share).chain(Some(rest)).collect();
    Some(Required { aim: shared(required.aim, &shares, whole).pop()?, times: required.times * rest })
}

/// An amount in shares that add up to 1. A whole amount of what is counted is split into whole ones by the largest
/// remainder, so that they add up to it.
pub fn split_up(amount: f64, shares: &[f64], whole: bool) -> Vec<f64> {
    let exact: Vec<f64> = shares.iter().map(|share| decimal(amount * share)).collect();
    if !whole || amount.fract() != 0.0 {
        return exact;
    }
    // A quotient a hair below a whole number is that number.
    let mut parts: Vec<f64> = exact.iter().map(|part| (part + 1e-9).floor()).collect();
    let left = (amount - parts.iter().sum::<f64>()).round() as usize;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| (exact[*b] - parts[*b]).total_cmp(&(exact[*a] - parts[*a])));
    order.into_iter().take(left).for_each(|at| parts[at] += 1.0);
    parts
}

/// The product of two decimals as people compute it: 14 % of 650 000 is 91 000, and not a hair more.
fn decimal(product: f64) -> f64 {
    format!("{product:.14e}").parse().unwrap_or(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_amounts_are_split_into_whole_ones() {
        let third = 1.0 / 3.0;
        assert_eq!(split_up(100.0, &[third, third, third], true), [34.0, 33.0, 33.0]);
        assert_eq!(split_up(100.0, &[0.29, 0.71], true), [29.0, 71.0]);
        assert_eq!(split_up(7.0, &[0.5, 0.3, 0.2], true).iter().sum::<f64>(), 7.0);
        assert_eq!(split_up(10.0, &[0.25, 0.75], false), [2.5, 7.5]);
    }

    #[test]
    fn last_years_shares() {
        let by = DimensionId(0);
        let made = crate::catalog::IndicatorId(0);
        let how = SplitBy::LastYear(crate::catalog::target::YearBefore { sum: made, least: made, each: None });
        let split = Split { by, how };
        let last: Vec<(Option<String>, f64)> = [("a", 400.0), ("b", 300.0), ("c", 200.0), ("d", 100.0)]
            .map(|(name, it)| (Some(name.to_string()), it))
            .to_vec();
        let slices = Shared::Slices(&last);
        let of = |name: &str| {
            part_of(Aim::AtLeast(1150.0), &split, &Some(name.to_string()), Some(slices), true).map(|it| it.aim)
        };
        let found: Vec<_> = ["a", "b", "c", "d"].map(of).to_vec();
        assert_eq!(found, [460.0, 345.0, 230.0, 115.0].map(|it| Ok(Aim::AtLeast(it))).to_vec());
        assert_eq!(of("e"), Err(Reason::NoLastYear));
        let alone = |least| Shared::One { own: Some(400.0), sum: Some(1000.0), least: Some(least) };
        let one = |least| part_of(Aim::AtLeast(1150.0), &split, &None, Some(alone(least)), false).map(|it| it.aim);
        assert_eq!(one(100.0), Ok(Aim::AtLeast(460.0)));
        assert_eq!(one(-1.0), Err(Reason::NoLastYear));
    }
}
