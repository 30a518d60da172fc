//! Periods: `2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-31`, or a timestamp.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// A stretch of time, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From midnight of the first day to midnight of the second, which is not in it.
    Days(NaiveDate, NaiveDate),
    /// A point in time.
    Instant(NaiveDateTime),
}

impl Period {
    /// Reads a period; `None` if the text is none.
    ///
    /// ```
    /// use bellwether::catalog::period::Period;
    /// let quarter = Period::parse("2026-Q1").unwrap();
    /// assert_eq!(quarter.start().to_string(), "2026-01-01 00:00:00");
    /// assert_eq!(quarter.end().unwrap().to_string(), "2026-04-01 00:00:00");
    /// assert!(Period::parse("2026-13").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Period> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            [year] => months(number(year, 4)?, 1, 12),
            [year, rest] => match rest.as_bytes().first()? {
                b'Q' | b'q' => {
                    let quarter = number::<u32>(&rest[1..], 1).filter(|q| (1..=4).contains(q))?;
                    months(number(year, 4)?, quarter * 3 - 2, 3)
                }
                b'W' | b'w' => {
                    let monday = NaiveDate::from_isoywd_opt(number(year, 4)?, number(&rest[1..], 2)?, Weekday::Mon)?;
                    days(monday, 7)
                }
                _ => months(number(year, 4)?, number(rest, 2)?, 1),
            },
            [_, _, _] => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(day) if text.len() == 10 => days(day, 1),
                _ => instant(text),
            },
            _ => None,
        }
    }

    /// Its first instant.
    pub fn start(self) -> NaiveDateTime {
        match self {
            Period::Days(first, _) => first.and_time(NaiveTime::MIN),
            Period::Instant(at) => at,
        }
    }

    /// Whether all of it lies before an instant.
    pub fn ends_before(self, at: NaiveDateTime) -> bool {
        self.end().map_or_else(|| self.start() < at, |end| end <= at)
    }

    /// The first instant after it; an instant has none: it ends at itself.
    pub fn end(self) -> Option<NaiveDateTime> {
        match self {
            Period::Days(_, next) => Some(next.and_time(NaiveTime::MIN)),
            Period::Instant(_) => None,
        }
    }
}

fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn months(year: i32, month: u32, count: u32) -> Option<Period> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    Some(Period::Days(first, first.checked_add_months(Months::new(count))?))
}

fn days(first: NaiveDate, count: u64) -> Option<Period> {
    (first.year() > 0).then_some(Period::Days(first, first.checked_add_days(Days::new(count))?))
}

fn instant(text: &str) -> Option<Period> {
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(Period::Instant)
}
