//! A value beside its target: after the period has ended, and while it lasts.

use chrono::NaiveDateTime;

use super::amount::Required;
use super::pace::{LastYear, due, scaled};
use super::{Reason, attainment, bands};
use crate::catalog::calendar::Calendar;
use crate::catalog::stretch::Stretch;
use crate::catalog::target::{Aim, Judging};

/// What a value is compared with, and when.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// What is asked of the period.
    pub required: Required,
    /// How it is compared.
    pub judging: &'a Judging,
    /// The period.
    pub period: Stretch,
    /// Up to when the value counts.
    pub as_of: NaiveDateTime,
    /// Whether the value grows with time, so that only a part is due before the period has ended.
    pub grows: bool,
    /// How the year before went, for what is paced by it.
    pub last_year: LastYear,
    /// Which days are worked on.
    pub calendar: &'a Calendar,
}

/// How a value stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// Of the whole target.
    pub attained: Result<f64, Reason>,
    /// Of what is due by now, where that can be said.
    pub now: Result<Due, Reason>,
}

/// How a value stands to what is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// What is due.
    pub aim: Aim,
    /// How much of the period's amount that is; `None` once the period has ended.
    pub part: Option<f64>,
    /// How much of what is due is attained.
    pub attained: Result<f64, Reason>,
}

/// How much of what is asked is attained.
///
/// # Errors
/// The reason, where it has no meaning.
pub fn attained(value: Option<f64>, required: Required, judging: &Judging) -> Result<f64, Reason> {
    let times = |amount: Option<f64>| amount.map(|amount| amount * required.times);
    let (baseline, tolerance) = (times(judging.baseline), times(judging.tolerance));
    attainment::attainment(value, required.aim, &Judging { baseline, tolerance, ..judging.clone() })
}

impl Comparison<'_> {
    /// Whether nothing more can come.
    pub fn has_ended(&self) -> bool {
        self.period.end <= self.as_of
    }

    /// How a value stands.
    pub fn with(&self, value: Option<f64>) -> Compared {
        let whole = attained(value, self.required, self.judging);
        if self.has_ended() {
            let now = Due { aim: self.required.aim, part: None, attained: whole };
            return Compared { attained: whole, now: Ok(now) };
        }
        let now = self.part().map(|part| {
            let aim = scaled(self.required.aim, part);
            let due = Required { aim, times: self.required.times * part };
            // On a weekend that begins a month no working day is over: all is infinitely much of nothing.
            let attained = if part > 0.0 { attained(value, due, self.judging) } else { Err(Reason::NothingDue) };
            Due { aim, part: Some(part), attained }
        });
        Compared { attained: whole, now }
    }

    /// The position of a value's status among the bands; `None`, if nothing can be said.
    pub fn rank(&self, value: Option<f64>) -> Option<usize> {
        let due = self.with(value).now.ok()?;
        bands::rank_of(value, due.aim, due.attained, &self.judging.bands)
    }

    fn part(&self) -> Result<f64, Reason> {
        if self.as_of <= self.period.start {
            return Err(Reason::NotBegun);
        }
        if !self.grows {
            return Ok(1.0);
        }
        due(self.judging.pace, self.period, self.as_of, self.last_year, self.calendar)
    }
}
