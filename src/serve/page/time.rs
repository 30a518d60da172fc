//! Periods and instants as people write them.

use chrono::{Datelike, NaiveDate};

/// The grains that can be picked, in English and Chinese.
pub(super) const GRAINS: &[(&str, &str, &str)] = &[
    ("day", "day", "日"),
    ("week", "week", "周"),
    ("month", "month", "月"),
    ("quarter", "quarter", "季"),
    ("year", "year", "年"),
];

/// The period that begins then, as it is written in a question.
pub(super) fn period(start: &str, grain: &str) -> String {
    let Some(day) = day(start) else { return start.to_string() };
    match grain {
        "year" => day.format("%Y").to_string(),
        "quarter" => format!("{}-Q{}", day.year(), day.month0() / 3 + 1),
        "month" => day.format("%Y-%m").to_string(),
        "week" => day.format("%G-W%V").to_string(),
        _ => day.format("%Y-%m-%d").to_string(),
    }
}

/// Where a period stands among others of its grain.
pub(super) fn ordinal(start: &str, grain: &str) -> Option<i64> {
    let day = day(start)?;
    let months = i64::from(day.year()) * 12 + i64::from(day.month0());
    Some(match grain {
        "year" => i64::from(day.year()),
        "quarter" => months / 3,
        "month" => months,
        "week" => i64::from(day.num_days_from_ce()).div_euclid(7),
        _ => i64::from(day.num_days_from_ce()),
    })
}

/// The month or year just before one; `None` for other periods.
pub(super) fn before(period: &str) -> Option<String> {
    let (year, month) = match period.split_once('-') {
        None => return (period.len() == 4).then(|| Some(format!("{:04}", period.parse::<i32>().ok()? - 1)))?,
        Some((year, month)) if month.len() == 2 => (year.parse::<i32>().ok()?, month.parse::<u32>().ok()?),
        Some(_) => return None,
    };
    let day = NaiveDate::from_ymd_opt(year, month, 1)?.pred_opt()?;
    Some(day.format("%Y-%m").to_string())
}

/// An instant to the minute.
pub(super) fn minute(instant: &str) -> String {
    let Some((day, time)) = instant.split_once('T') else { return instant.to_string() };
    match time {
        "00:00:00" => day.to_string(),
        time => format!("{day} {}", time.get(..5).unwrap_or(time)),
    }
}

fn day(start: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(start.get(..10)?, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_written_as_they_are_asked_for() {
        let written = GRAINS.iter().map(|(grain, ..)| period("2026-04-06T00:00:00", grain));
        assert_eq!(written.collect::<Vec<_>>(), ["2026-04-06", "2026-W15", "2026-04", "2026-Q2", "2026"]);
        let far = |from, to, grain| Some(ordinal(to, grain)? - ordinal(from, grain)?);
        assert_eq!(far("2025-12-29", "2026-01-05", "week"), Some(1));
        assert_eq!(far("2025-10-01", "2026-01-01", "quarter"), Some(1));
        assert_eq!(ordinal("", "day"), None);
        assert_eq!((before("2026-01"), before("2026")), (Some("2025-12".to_string()), Some("2025".to_string())));
        assert_eq!((before("2026-W01"), before("2026-01-01"), before("soon")), (None, None, None));
        assert_eq!(
            (minute("2026-01-02T03:04:05"), minute("2026-01-02T00:00:00")),
            ("2026-01-02 03:04".to_string(), "2026-01-02".to_string())
        );
    }
}
