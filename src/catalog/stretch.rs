//! Periods of grains, by the project's calendar.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::calendar::{Calendar, Grain};
use super::modifier::TimeSpan;

/// From an instant up to another, which is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// Its first instant.
    pub start: NaiveDateTime,
    /// The first one after it.
    pub end: NaiveDateTime,
}

/// The period of a grain in which an instant lies; `None` at the ends of time.
pub fn containing(grain: Grain, at: NaiveDateTime, calendar: &Calendar) -> Option<Stretch> {
    let start = start_of(grain, at, calendar)?;
    Some(Stretch { start, end: later(start, grain.span())? })
}

fn start_of(grain: Grain, at: NaiveDateTime, calendar: &Calendar) -> Option<NaiveDateTime> {
    let day = at.date();
    let months_of = |length: u32, first: u32| {
        let into = (day.month() + 12 - first) % length;
        NaiveDate::from_ymd_opt(day.year(), day.month(), 1)?.checked_sub_months(Months::new(into))
    };
    let date = match grain {
        Grain::Day => Some(day),
        Grain::Week => {
            let into = (day.weekday().num_days_from_monday() + 7 - u32::from(calendar.week_start)) % 7;
            day.checked_sub_days(Days::new(into.into()))
        }
        Grain::Month => months_of(1, 1),
        Grain::Quarter => months_of(3, 1),
        Grain::FiscalQuarter => months_of(3, u32::from(calendar.fiscal_start)),
        Grain::Year => months_of(12, 1),
        Grain::FiscalYear => months_of(12, u32::from(calendar.fiscal_start)),
        fine => {
            let midnight = day.and_time(NaiveTime::MIN);
            let into = (at - midnight).num_nanoseconds()? % fine.span().nanoseconds;
            return Some(at - TimeDelta::nanoseconds(into));
        }
    };
    Some(date?.and_time(NaiveTime::MIN))
}

/// The wall-clock time in the calendar's zone.
pub fn now(calendar: &Calendar) -> NaiveDateTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let instant = DateTime::from_timestamp(since.as_secs() as i64, since.subsec_nanos()).unwrap_or_default();
    let zone = calendar.timezone.as_deref().and_then(|zone| zone.parse::<chrono_tz::Tz>().ok());
    zone.map_or(instant.naive_utc(), |zone| instant.with_timezone(&zone).naive_local())
}

/// An instant later by a length of time.
pub fn later(at: NaiveDateTime, by: TimeSpan) -> Option<NaiveDateTime> {
    let months = Months::new(by.months.unsigned_abs());
    let at = if by.months < 0 { at.checked_sub_months(months)? } else { at.checked_add_months(months)? };
    at.checked_add_signed(TimeDelta::days(by.days.into()) + TimeDelta::nanoseconds(by.nanoseconds))
}

impl Stretch {
    /// How far it lies from the stretch just before: whole months if it is made of them, else its length.
    pub fn step(self) -> TimeSpan {
        if let Some(months) = self.months().and_then(|months| i32::try_from(months).ok()) {
            return TimeSpan { months, ..TimeSpan::default() };
        }
        let length = self.end - self.start;
        let rest = length - TimeDelta::days(length.num_days());
        let days = i32::try_from(length.num_days()).unwrap_or(i32::MAX);
        TimeSpan { months: 0, days, nanoseconds: rest.num_nanoseconds().unwrap_or(0) }
    }

    /// The same so many steps earlier; `None` before the beginning of time.
    pub fn before(self, steps: i32) -> Option<Stretch> {
        let TimeSpan { months, days, nanoseconds } = self.step();
        let back = TimeSpan {
            months: months.checked_mul(-steps)?,
            days: days.checked_mul(-steps)?,
            nanoseconds: nanoseconds.checked_mul(-i64::from(steps))?,
        };
        Some(Stretch { start: later(self.start, back)?, end: later(self.end, back)? })
    }

    /// The periods of a grain that make it up; `None`, if it begins or ends within one.
    pub fn periods(self, grain: Grain, calendar: &Calendar) -> Option<Vec<Stretch>> {
        // A question for a century by seconds is none about targets.
        const MOST: usize = 100_000;
        let mut found = Vec::new();
        let mut at = self.start;
        while at < self.end && found.len() < MOST {
            let period = containing(grain, at, calendar).filter(|period| period.start == at && period.end > at)?;
            at = period.end;
            found.push(period);
        }
        (at == self.end && !found.is_empty()).then_some(found)
    }

    /// How many whole months it is, if it begins and ends with one.
    pub fn months(self) -> Option<u32> {
        let first = |at: NaiveDateTime| at.day() == 1 && at.time() == NaiveTime::MIN;
        let count = (self.end.year() - self.start.year()) * 12 + self.end.month() as i32 - self.start.month() as i32;
        if first(self.start) && first(self.end) { u32::try_from(count).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str) -> NaiveDateTime {
        day.parse::<NaiveDate>().unwrap().and_time(NaiveTime::MIN)
    }

    #[test]
    fn periods_follow_the_calendar() {
        let calendar = Calendar { fiscal_start: 4, week_start: 6, ..Calendar::default() };
        let cases = [
            (Grain::Week, "2026-06-10", "2026-06-07", "2026-06-14"),
            (Grain::Month, "2026-06-30", "2026-06-01", "2026-07-01"),
            (Grain::Quarter, "2026-06-30", "2026-04-01", "2026-07-01"),
            (Grain::FiscalYear, "2026-03-31", "2025-04-01", "2026-04-01"),
            (Grain::FiscalQuarter, "2026-03-31", "2026-01-01", "2026-04-01"),
        ];
        for (grain, day, start, end) in cases {
            let found = containing(grain, at(day), &calendar).unwrap();
            assert_eq!((found.start, found.end), (at(start), at(end)), "{grain:?}");
        }
    }

    #[test]
    fn what_lies_before_is_as_long() {
        let before = |start: &str, end: &str, steps| {
            Stretch { start: at(start), end: at(end) }.before(steps).map(|it| (it.start, it.end))
        };
        assert_eq!(before("2026-03-01", "2026-04-01", 2), Some((at("2026-01-01"), at("2026-02-01"))));
        assert_eq!(before("2026-01-01", "2026-07-01", 1), Some((at("2025-07-01"), at("2026-01-01"))));
        assert_eq!(before("2026-06-08", "2026-06-15", 1), Some((at("2026-06-01"), at("2026-06-08"))));
    }

    #[test]
    fn a_quarter_is_three_months_and_no_weeks() {
        let quarter = Stretch { start: at("2026-04-01"), end: at("2026-07-01") };
        assert_eq!(quarter.periods(Grain::Month, &Calendar::default()).unwrap().len(), 3);
        assert_eq!(quarter.periods(Grain::Week, &Calendar::default()), None);
        assert_eq!(quarter.periods(Grain::Year, &Calendar::default()), None);
    }
}
