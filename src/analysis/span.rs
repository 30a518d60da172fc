//! The stretches of time that are compared.

use chrono::{Datelike, Months, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

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
    /// Reads `2026-09`, `2026-07 to 2026-09`, an hour (`2026-09-01 14`) or a minute (`2026-09-01 14:05`).
    ///
    /// # Errors
    /// A diagnostic without a place, if the text is no stretch of time.
    pub fn parse(text: &str) -> Result<Span, Diagnostic> {
        let (from, to) = text.split_once(" to ").unwrap_or((text, text));
        let bound = |text: &str| match Period::parse(text.trim()) {
            Some(period) => period.end().map(|end| (period.start(), end)).or_else(|| below_a_day(text.trim())),
            None => below_a_day(text.trim()),
        };
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

    /// The periods of a grain that it consists of; `None`, if it is not made of whole ones.
    pub fn periods(self, grain: Grain) -> Option<Vec<Span>> {
        let mut found = Vec::new();
        let mut start = self.start;
        while start < self.end && found.len() < MOST {
            let end = later(start, grain.span())?;
            found.push(Span::of(start, end));
            start = end;
        }
        (start == self.end && found.iter().all(|span| span.grain == Some(grain))).then_some(found)
    }

    fn of(start: NaiveDateTime, end: NaiveDateTime) -> Span {
        Span { start, end, grain: grain_of(start, end) }
    }

    /// Whether it begins and ends at midnight.
    pub fn of_whole_days(self) -> bool {
        self.start.time() == NaiveTime::MIN && self.end.time() == NaiveTime::MIN
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
        self.stretch().before(1).map(|before| Span::of(before.start, before.end))
    }
}

/// Longer lists of periods are a mistake.
const MOST: usize = 100_000;

/// An instant that much later; `None` after the end of time.
pub fn later(at: NaiveDateTime, by: TimeSpan) -> Option<NaiveDateTime> {
    let at = at.checked_add_months(Months::new(u32::try_from(by.months).ok()?))?;
    at.checked_add_signed(TimeDelta::days(by.days.into()) + TimeDelta::nanoseconds(by.nanoseconds))
}

/// `2026-09-01 14`, an hour, and `2026-09-01 14:05`, a minute.
fn below_a_day(text: &str) -> Option<(NaiveDateTime, NaiveDateTime)> {
    let text = text.replacen('T', " ", 1);
    let read = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok();
    let (day, time) = text.split_once(' ')?;
    match time.len() {
        2 => read(&format!("{day} {time}:00")).map(|start| (start, start + TimeDelta::hours(1))),
        5 => read(&text).map(|start| (start, start + TimeDelta::minutes(1))),
        _ => None,
    }
}

/// How many whole months lie between two beginnings of months.
fn months_between(start: NaiveDateTime, end: NaiveDateTime) -> Option<i32> {
    let first = |at: NaiveDateTime| at.day() == 1 && at.time() == NaiveTime::MIN;
    (first(start) && first(end)).then(|| (end.year() - start.year()) * 12 + end.month() as i32 - start.month() as i32)
}

fn grain_of(start: NaiveDateTime, end: NaiveDateTime) -> Option<Grain> {
    let month = start.month0();
    let (length, time) = (end - start, start.time());
    match months_between(start, end) {
        Some(12) if month == 0 => Some(Grain::Year),
        Some(3) if month.is_multiple_of(3) => Some(Grain::Quarter),
        Some(1) => Some(Grain::Month),
        _ if length == TimeDelta::days(7) && time == NaiveTime::MIN && start.weekday() == chrono::Weekday::Mon => {
            Some(Grain::Week)
        }
        _ if length == TimeDelta::days(1) && time == NaiveTime::MIN => Some(Grain::Day),
        _ if length == TimeDelta::hours(1) && time.minute() == 0 && time.second() == 0 => Some(Grain::Hour),
        _ if length == TimeDelta::minutes(1) && time.second() == 0 => Some(Grain::Minute),
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
            Some(Grain::Hour) => write!(f, "{}", self.start.format("%Y-%m-%d %H")),
            Some(Grain::Minute) => write!(f, "{}", self.start.format("%Y-%m-%d %H:%M")),
            Some(_) => write!(f, "{start}"),
            None if !self.of_whole_days() => {
                write!(f, "{} to {}", self.start.format("%Y-%m-%d %H:%M"), self.end.format("%Y-%m-%d %H:%M"))
            }
            None => write!(f, "{start} to {}", (self.end - TimeDelta::nanoseconds(1)).date()),
        }
    }
}

/// The periods that a base is the mean of: `previous 4 weeks`, or those of the current one's grain that a text spans.
///
/// # Errors
/// A diagnostic without a place, if the text is no such base.
pub fn base_periods(text: &str, current: Span) -> Result<Vec<Span>, Diagnostic> {
    let lower = text.trim().to_lowercase();
    let counted = lower.strip_prefix("previous ").and_then(|rest| rest.trim().split_once(' '));
    if let Some((count, unit)) = counted
        && let Ok(count) = count.parse::<i32>()
    {
        return steps_back(count, unit.trim(), current);
    }
    if let Some(found) = relative(text, current) {
        return Ok(vec![found?]);
    }
    let base = Span::parse(text)?;
    if base.grain == current.grain && base.grain.is_some() {
        return Ok(vec![base]);
    }
    let same_length = || match (months_between(base.start, base.end), months_between(current.start, current.end)) {
        (Some(base), Some(current)) => base == current,
        _ => base.end - base.start == current.end - current.start,
    };
    match current.grain {
        Some(grain) => base.periods(grain).ok_or_else(|| {
            Diagnostic::new(codes::PERIOD, format!("{base} is not made of {}s, as {current} is one", grain.name()))
        }),
        None if same_length() => Ok(vec![base]),
        None => Err(Diagnostic::new(codes::PERIOD, format!("{base} is not as long as {current}"))
            .help("write `previous 3 periods`: those before it, each as long")),
    }
}

fn steps_back(count: i32, unit: &str, current: Span) -> Result<Vec<Span>, Diagnostic> {
    let few = (1..=1000).contains(&count);
    let step = |at: i32| match unit.strip_suffix('s').unwrap_or(unit) {
        "period" => (0..at).try_fold(current, |span, _| span.before()),
        unit => current.earlier(TimeSpan::of(at, unit)?),
    };
    let known = unit.strip_suffix('s').unwrap_or(unit) == "period" || TimeSpan::of(1, unit).is_some();
    let found = (1..=count).rev().map(step).collect::<Option<Vec<Span>>>().filter(|_| few && known);
    let message = format!("`previous {count} {unit}` are no periods before {current}");
    let diagnostic = Diagnostic::new(codes::PERIOD, message);
    let found = found.ok_or_else(|| diagnostic.help("write `previous 4 periods`, `previous 4 weeks`, …"))?;
    match current.grain {
        Some(grain) if found.iter().any(|span| span.grain != Some(grain)) => {
            let message = format!("`previous {count} {unit}` of {current} are no {}s", grain.name());
            Err(Diagnostic::new(codes::PERIOD, message).help("write `previous 4 periods`"))
        }
        _ => Ok(found),
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
