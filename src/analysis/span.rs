//! The stretches of time that are compared.

use chrono::{Datelike, Months, NaiveDateTime, NaiveTime, TimeDelta};

use crate::catalog::calendar::Grain;
use crate::catalog::modifier::TimeSpan;
use crate::catalog::period::Period;
use crate::catalog::stretch::Stretch;
use crate::diagnostic::{Diagnostic, codes};

/// From an instant up to another, which is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub start: NaiveDateTime,
    /// The first one after it.
    pub end: NaiveDateTime,
    /// The grain of which it is one period, if it is one.
    pub grain: Option<Grain>,
}

impl Span {
    /// Reads `2026-09`, or `2026-07 to 2026-09`.
    ///
    /// # Errors
    /// A diagnostic without a place, if the text is no stretch of time.
    pub fn parse(text: &str) -> Result<Span, Diagnostic> {
        let (from, to) = text.split_once(" to ").unwrap_or((text, text));
        let bound = |text: &str| Period::parse(text.trim()).and_then(|period| Some((period.start(), period.end()?)));
        match (bound(from), bound(to)) {
            (Some((start, _)), Some((_, end))) if start < end => Ok(Span::of(start, end)),
            (Some(_), Some(_)) => Err(Diagnostic::new(codes::PERIOD, format!("`{text}` ends before it begins"))),
            _ => Err(Diagnostic::new(codes::PERIOD, format!("`{text}` is not a period"))
                .help("write `2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-31`, or `2026-01 to 2026-03`")),
        }
    }

    /// From an instant up to another.
    pub fn between(start: NaiveDateTime, end: NaiveDateTime) -> Span {
        Span::of(start, end)
    }

    /// The same without its grain.
    pub fn stretch(self) -> Stretch {
        Stretch { start: self.start, end: self.end }
    }

    fn of(start: NaiveDateTime, end: NaiveDateTime) -> Span {
        Span { start, end, grain: grain_of(start, end) }
    }

    /// The same stretch that much earlier; `None` before the beginning of time.
    pub fn earlier(self, by: TimeSpan) -> Option<Span> {
        let moved = |at: NaiveDateTime| {
            let at = at.checked_sub_months(Months::new(u32::try_from(by.months).ok()?))?;
            at.checked_sub_signed(TimeDelta::days(by.days.into()) + TimeDelta::nanoseconds(by.nanoseconds))
        };
        Some(Span::of(moved(self.start)?, moved(self.end)?))
    }

    /// The stretch just before: one step of its grain, else as long as it is itself.
    pub fn before(self) -> Option<Span> {
        match self.grain {
            Some(grain) => self.earlier(grain.span()),
            None => {
                let months = months_between(self.start, self.end);
                match months {
                    Some(months) => self.earlier(TimeSpan { months, ..TimeSpan::default() }),
                    None => Some(Span::of(self.start.checked_sub_signed(self.end - self.start)?, self.start)),
                }
            }
        }
    }
}

/// How many whole months lie between two beginnings of months.
fn months_between(start: NaiveDateTime, end: NaiveDateTime) -> Option<i32> {
    let first = |at: NaiveDateTime| at.day() == 1 && at.time() == NaiveTime::MIN;
    (first(start) && first(end)).then(|| (end.year() - start.year()) * 12 + end.month() as i32 - start.month() as i32)
}

fn grain_of(start: NaiveDateTime, end: NaiveDateTime) -> Option<Grain> {
    let month = start.month0();
    match (months_between(start, end), (end - start).num_days()) {
        (Some(12), _) if month == 0 => Some(Grain::Year),
        (Some(3), _) if month.is_multiple_of(3) => Some(Grain::Quarter),
        (Some(1), _) => Some(Grain::Month),
        (_, 7) if start.weekday() == chrono::Weekday::Mon => Some(Grain::Week),
        (_, 1) => Some(Grain::Day),
        _ => None,
    }
}

impl std::fmt::Display for Span {
    /// As it is written in questions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = self.start.date();
        match self.grain {
            Some(Grain::Year) => write!(f, "{}", start.format("%Y")),
            Some(Grain::Quarter) => write!(f, "{}-Q{}", start.format("%Y"), start.month0() / 3 + 1),
            Some(Grain::Month) => write!(f, "{}", start.format("%Y-%m")),
            Some(Grain::Week) => write!(f, "{}", start.format("%G-W%V")),
            Some(_) => write!(f, "{start}"),
            None => write!(f, "{start} to {}", (self.end - TimeDelta::nanoseconds(1)).date()),
        }
    }
}

/// What a base may be called instead of being written: `previous year`, `previous period`, …
///
/// # Errors
/// A diagnostic without a place, if the text names no such step.
pub fn relative(text: &str, current: Span) -> Option<Result<Span, Diagnostic>> {
    let step = text.trim().to_lowercase();
    let step = step.strip_prefix("previous ")?.trim();
    let moved = match step {
        "period" => current.before(),
        unit => match TimeSpan::of(1, unit) {
            Some(by) => current.earlier(by),
            None => {
                return Some(Err(Diagnostic::new(codes::PERIOD, format!("`{step}` is not a step of time"))
                    .help("write `previous period`, `previous month`, `previous quarter`, `previous year`")));
            }
        },
    };
    Some(moved.ok_or_else(|| Diagnostic::new(codes::PERIOD, format!("nothing lies before {current}"))))
}
