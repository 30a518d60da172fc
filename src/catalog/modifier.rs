//! Modifiers of an evaluation context: what stands inside `at (…)`.

use super::calendar::{Grain, PeriodId};
use super::expr::{Expression, Input};

/// One modifier; several act from left to right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// `all d, …`: without these groupings (every grain of them) and the conditions on them alone.
    All(Vec<Input>),
    /// `all`: no grouping, no conditions, no range.
    Everything,
    /// `set d = v`: as `all d`, then the condition; in `v`, [`Input::Current`] is the row's own value.
    Set(Input, Expression),
    /// `where p`: the conditions and the range replaced by these.
    Where(Expression),
    /// `visible`: the question's own conditions and range put back.
    Visible,
    /// `shift 3 months`, `previous year`.
    Shift(TimeSpan),
    /// `previous period`.
    PreviousPeriod,
    /// `trailing 28 days`.
    Trailing(TimeSpan),
    /// `to date month`.
    ToDate(Grain),
    /// `to date retail_445_period`: of a calendar from a table.
    ToDateOf(PeriodId),
    /// `cumulative`.
    Cumulative,
    /// Of each period only the first one of this finer grain: `within period first`.
    FirstOf(Grain),
    /// `first d`, `last d per k`.
    Edge(Edge),
    /// `each day`: rows count on the days of a calendar from a table, as the modifiers of time that follow say.
    Each(Grain),
    /// After `each`: `start of month`, the first day of the enclosing month.
    StartOf(Grain),
    /// After `each`: so many periods of a calendar from a table earlier.
    ShiftPeriods(i32, PeriodId),
}

/// Only the rows at one end of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Which end.
    pub end: End,
    /// What is ordered by: NULL is at neither end.
    pub by: Expression,
    /// The end is found for each of these.
    pub per: Vec<Expression>,
    /// Among which rows it is found.
    pub among: Among,
}

/// Where an end is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Among {
    /// In the row's group.
    Group,
    /// `overall`: in all groups of the same period.
    Period,
}

/// An end of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum End {
    First,
    Last,
}

/// A length of time in calendar arithmetic: months first (clamped at the month's end), then days, then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeSpan {
    /// Calendar months.
    pub months: i32,
    /// Calendar days.
    pub days: i32,
    /// The part below a day.
    pub nanoseconds: i64,
}

const SECOND: i64 = 1_000_000_000;

impl TimeSpan {
    /// Both lengths together; `None` if that is too long.
    pub fn plus(self, other: TimeSpan) -> Option<TimeSpan> {
        Some(TimeSpan {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            nanoseconds: self.nanoseconds.checked_add(other.nanoseconds)?,
        })
    }

    /// That many of a unit in singular or plural (`3`, `months`); `None` if the unit is unknown or it is too long.
    ///
    /// ```
    /// use bellwether::catalog::modifier::TimeSpan;
    /// assert_eq!(TimeSpan::of(2, "quarters").unwrap().months, 6);
    /// assert_eq!(TimeSpan::of(-1, "week").unwrap().days, -7);
    /// assert!(TimeSpan::of(1, "fortnight").is_none());
    /// ```
    pub fn of(count: i32, unit: &str) -> Option<TimeSpan> {
        let unit = unit.to_lowercase();
        let unit = unit.strip_suffix('s').unwrap_or(&unit);
        let months = |each: i32| Some(TimeSpan { months: count.checked_mul(each)?, ..TimeSpan::default() });
        let days = |each: i32| Some(TimeSpan { days: count.checked_mul(each)?, ..TimeSpan::default() });
        let below =
            |each: i64| Some(TimeSpan { nanoseconds: i64::from(count).checked_mul(each)?, ..TimeSpan::default() });
        match unit {
            "year" => months(12),
            "quarter" => months(3),
            "month" => months(1),
            "week" => days(7),
            "day" => days(1),
            "hour" => below(3600 * SECOND),
            "minute" => below(60 * SECOND),
            "second" => below(SECOND),
            "millisecond" => below(SECOND / 1000),
            "microsecond" => below(1000),
            _ => None,
        }
    }

    /// Whether it is made of whole days and months.
    pub fn is_whole_days(self) -> bool {
        self.nanoseconds == 0
    }

    /// Whether it leads forward in time; lengths that are zero or mixed do not.
    pub fn is_positive(self) -> bool {
        let parts = [i64::from(self.months), i64::from(self.days), self.nanoseconds];
        parts.iter().all(|part| *part >= 0) && parts.iter().any(|part| *part > 0)
    }
}

impl std::fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        let mut part = |count: i64, unit: &str| {
            if count != 0 {
                parts.push(format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" }));
            }
        };
        part(self.months.into(), "month");
        part(self.days.into(), "day");
        match self.nanoseconds {
            whole if whole % SECOND == 0 => part(whole / SECOND, "second"),
            some => part(some / 1000, "microsecond"),
        }
        f.write_str(&if parts.is_empty() { "0 days".to_string() } else { parts.join(" ") })
    }
}

impl Grain {
    /// The length of one period of this grain.
    pub fn span(self) -> TimeSpan {
        let of = |count: i32, unit: &str| TimeSpan::of(count, unit).unwrap_or_default();
        match self {
            Grain::FiscalQuarter => of(3, "months"),
            Grain::FiscalYear => of(12, "months"),
            grain => of(1, grain.name()),
        }
    }

    /// Whether a period moved by this length is a period of the same grain again: day and finer always land on one
    /// (31 March less a month is 28 February), weeks by whole weeks, months and coarser by whole ones of their own.
    pub fn lands_on(self, span: TimeSpan) -> bool {
        let own = self.span();
        match self {
            Grain::Week => span.months == 0 && span.is_whole_days() && span.days % 7 == 0,
            grain if grain > Grain::Week => span.days == 0 && span.is_whole_days() && span.months % own.months == 0,
            Grain::Day => span.is_whole_days(),
            _ => span.nanoseconds % own.nanoseconds == 0,
        }
    }

    /// Whether each period of this grain lies within one period of the other.
    pub fn nests_in(self, other: Grain) -> bool {
        use Grain::{FiscalQuarter, FiscalYear, Month, Quarter, Week, Year};
        match (self, other) {
            (a, b) if a == b => true,
            (Week, _) | (_, Week) => self < Week && other >= self,
            (Quarter, FiscalQuarter | FiscalYear) | (FiscalQuarter, Year | Quarter) => false,
            (Year, FiscalYear) | (FiscalYear, Year) => false,
            (Month, _) => other >= Month,
            (a, b) => a < b,
        }
    }
}
