//! Calendar arithmetic on instants: microseconds of a wall clock.

use super::expr::Grain;
use super::modifier::Amount;
use super::value::{DAY, Value, civil, days};

/// Before and after every instant.
pub const EVER: (i64, i64) = (i64::MIN, i64::MAX);

/// The instant of a date (its midnight) or a time.
pub fn instant(value: &Value) -> Option<i64> {
    match value {
        Value::Date(day) => Some(day * DAY),
        Value::Time(micros) => Some(*micros),
        _ => None,
    }
}

/// So much later: days are exact, months land on the same day, clamped at the month's end.
pub fn moved(at: i64, by: Amount) -> i64 {
    if at == EVER.0 || at == EVER.1 {
        return at;
    }
    let months = match by.unit {
        Grain::Raw => return at + by.n,
        Grain::Hour => return at + by.n * (DAY / 24),
        Grain::Day => return at + by.n * DAY,
        Grain::Week => return at + by.n * 7 * DAY,
        Grain::Month => by.n,
        Grain::Quarter => by.n * 3,
        Grain::Year => by.n * 12,
        part => panic!("the harness moves by {part:?}"),
    };
    let (year, month, day) = civil(at.div_euclid(DAY));
    let count = year * 12 + month - 1 + months;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    let last = next - days(year, month, 1);
    days(year, month, day.min(last)) * DAY + at.rem_euclid(DAY)
}

impl Amount {
    pub fn one(unit: Grain) -> Amount {
        Amount { n: 1, unit }
    }

    pub fn back(self) -> Amount {
        Amount { n: -self.n, ..self }
    }
}

/// The first instant of the period that contains an instant.
pub fn start(at: i64, grain: Grain, sunday: bool) -> i64 {
    instant(&grain.cut(&Value::Time(at), sunday)).expect("a period begins at an instant")
}

/// The first instant after the period that contains an instant.
pub fn end(at: i64, grain: Grain, sunday: bool) -> i64 {
    moved(start(at, grain, sunday), Amount::one(grain))
}

/// Half-open intervals of time.
pub type Intervals = Vec<(i64, i64)>;

/// What two intervals share.
pub fn common(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    (a.0.max(b.0), a.1.min(b.1))
}

/// What two sets of intervals share.
pub fn intersection(a: &Intervals, b: &Intervals) -> Intervals {
    let pairs = a.iter().flat_map(|x| b.iter().map(|y| common(*x, *y)));
    let mut found: Intervals = pairs.filter(|(a, b)| a < b).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i64, m: i64, d: i64) -> i64 {
        days(y, m, d) * DAY
    }

    #[test]
    fn months_are_clamped() {
        let month = |n| Amount { n, unit: Grain::Month };
        for last in [29, 30, 31] {
            assert_eq!(moved(day(2024, 3, last), month(-1)), day(2024, 2, 29));
        }
        assert_eq!(moved(day(2025, 3, 31), month(-1)), day(2025, 2, 28));
        assert_eq!(moved(day(2024, 2, 29), Amount { n: -1, unit: Grain::Year }), day(2023, 2, 28));
        assert_eq!(moved(day(2025, 12, 31) + 5, month(2)), day(2026, 2, 28) + 5);
        assert_eq!(moved(day(2026, 1, 15), month(-1)), day(2025, 12, 15));
        assert_eq!(moved(EVER.0, month(-1)), EVER.0);
    }

    #[test]
    fn periods_begin_and_end() {
        assert_eq!(end(day(2024, 2, 10) + 7, Grain::Month, false), day(2024, 3, 1));
        assert_eq!(start(day(2026, 2, 1), Grain::Week, false), day(2026, 1, 26));
        assert_eq!(end(day(2026, 2, 1), Grain::Week, true), day(2026, 2, 8));
        assert_eq!(end(day(2025, 11, 3), Grain::Quarter, false), day(2026, 1, 1));
    }
}
