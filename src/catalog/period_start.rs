//! `bell_start_of(grain, time)`: the first day of the period that a time lies in.
//!
//! DataFusion's `date_trunc` takes days through timestamps in nanoseconds, which costs more than adding the rows up. This
//! one computes with the days themselves, and tells the optimizer which times a period has: a condition on a month becomes
//! one on the column, which skips files, row groups and pages.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::calendar::Grain;

static START_OF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(StartOf { signature }))
});

/// The function, to register.
pub fn period_start_function() -> Arc<ScalarUDF> {
    Arc::clone(&START_OF)
}

/// The first day of the period of a wall-clock time, if there is a short way to it.
pub(super) fn first_day(time: Expr, data_type: &DataType, grain: Grain) -> Option<Expr> {
    Period::of(grain.name())?;
    let known = matches!(data_type, DataType::Date32 | DataType::Timestamp(_, None));
    known.then(|| START_OF.call(vec![lit(grain.name()), time]))
}

/// Periods that follow from days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Day,
    /// From Monday.
    Week,
    /// So many months, the first of them from January.
    Months(i32),
}

impl Period {
    fn of(name: &str) -> Option<Period> {
        Some(match name {
            "day" => Period::Day,
            "week" => Period::Week,
            "month" => Period::Months(1),
            "quarter" => Period::Months(3),
            "year" => Period::Months(12),
            _ => return None,
        })
    }

    /// The first day of the period of a day, both counted from 1970-01-01.
    fn start(self, day: i32) -> i32 {
        match self {
            Period::Day => day,
            // 1970-01-01 was a Thursday.
            Period::Week => day - (day.wrapping_add(3)).rem_euclid(7),
            Period::Months(months) => {
                let (month, _) = month_of(day);
                first_of(month - month.rem_euclid(months))
            }
        }
    }

    /// The first day of the next period.
    fn next(self, start: i32) -> i32 {
        match self {
            Period::Day => start + 1,
            Period::Week => start + 7,
            Period::Months(months) => first_of(month_of(start).0 + months),
        }
    }
}

/// Days from 0000-03-01 to 1970-01-01, and in 400 years.
const EPOCH: i32 = 719_468;
const ERA: i32 = 146_097;

/// The month of a day, counted from January of the year 0, and the day of the month from 0: the algorithm of
/// Howard Hinnant's *chrono-compatible low-level date algorithms* (`civil_from_days`), whose years begin in March.
fn month_of(day: i32) -> (i32, i32) {
    let day = day + EPOCH;
    let era = day.div_euclid(ERA);
    let of_era = day.rem_euclid(ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = (era * 400 + year_of_era) * 12 + from_march + 2;
    (month, of_year - (153 * from_march + 2) / 5)
}

/// The first day of a month (`days_from_civil` of the same page).
fn first_of(month: i32) -> i32 {
    let from_march = month - 2;
    let year = from_march.div_euclid(12);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * from_march.rem_euclid(12) + 2) / 5;
    era * ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - EPOCH
}

/// Days from which all of this fits into 32 bits: some five million years both ways.
const LIMIT: i32 = 2_000_000_000;

#[derive(Debug, PartialEq, Eq, Hash)]
struct StartOf {
    signature: Signature,
}

impl ScalarUDFImpl for StartOf {
    fn name(&self) -> &str {
        "bell_start_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(name), time] = args.args.as_slice() else {
            return exec_err!("bell_start_of needs a grain and a time");
        };
        let Some(period) = name.try_as_str().flatten().and_then(Period::of) else {
            return exec_err!("bell_start_of knows no grain {name}");
        };
        let starts = starts(&time.to_array(args.number_rows)?, period)?;
        match time {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&starts, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(starts))),
        }
    }

    fn preimage(&self, args: &[Expr], value: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let [name, time] = args else { return Ok(PreimageResult::None) };
        let period = name.as_literal().and_then(|name| name.try_as_str().flatten()).and_then(Period::of);
        let (Some(period), Some(ScalarValue::Date32(Some(day)))) = (period, value.as_literal()) else {
            return Ok(PreimageResult::None);
        };
        let data_type = info.get_data_type(time)?;
        let Some((from, to)) = period_around(period, *day) else { return Ok(PreimageResult::None) };
        Ok(match (as_time(from, &data_type), as_time(to, &data_type)) {
            (Some(from), Some(to)) => {
                PreimageResult::Range { expr: time.clone(), interval: Box::new(Interval::try_new(from, to)?) }
            }
            _ => PreimageResult::None,
        })
    }
}

/// From which day to which a period lasts that begins on this one. On a day within a period none begins: what is before
/// it, and what is after it, is divided by the end of that period.
fn period_around(period: Period, day: i32) -> Option<(i32, i32)> {
    if !(-LIMIT..LIMIT).contains(&day) {
        return None;
    }
    let start = period.start(day);
    let next = period.next(start);
    Some(if start == day { (start, next) } else { (next, next) })
}

/// The beginning of a day as a value of a type, if that has it.
fn as_time(day: i32, data_type: &DataType) -> Option<ScalarValue> {
    let units = |each: i64| i64::from(day).checked_mul(86_400)?.checked_mul(each);
    Some(match data_type {
        DataType::Date32 => ScalarValue::Date32(Some(day)),
        DataType::Timestamp(TimeUnit::Second, None) => ScalarValue::TimestampSecond(Some(units(1)?), None),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            ScalarValue::TimestampMillisecond(Some(units(1_000)?), None)
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            ScalarValue::TimestampMicrosecond(Some(units(1_000_000)?), None)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            ScalarValue::TimestampNanosecond(Some(units(1_000_000_000)?), None)
        }
        _ => return None,
    })
}

fn starts(times: &ArrayRef, period: Period) -> Result<Date32Array> {
    const DAY: i64 = 86_400;
    match times.data_type() {
        DataType::Date32 => by_day(times.as_primitive::<Date32Type>(), period, i64::from),
        DataType::Timestamp(TimeUnit::Second, None) => {
            by_day(times.as_primitive::<TimestampSecondType>(), period, |time| time.div_euclid(DAY))
        }
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            by_day(times.as_primitive::<TimestampMillisecondType>(), period, |time| time.div_euclid(DAY * 1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            by_day(times.as_primitive::<TimestampMicrosecondType>(), period, |time| time.div_euclid(DAY * 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            by_day(times.as_primitive::<TimestampNanosecondType>(), period, |time| time.div_euclid(DAY * 1_000_000_000))
        }
        other => internal_err!("bell_start_of of {other}"),
    }
}

fn by_day<T: ArrowPrimitiveType>(
    times: &PrimitiveArray<T>,
    period: Period,
    day_of: impl Fn(T::Native) -> i64,
) -> Result<Date32Array> {
    times.try_unary(|time| match i32::try_from(day_of(time)) {
        Ok(day) if (-LIMIT..LIMIT).contains(&day) => Ok(period.start(day)),
        _ => exec_err!("a day of more than five million years is in no period"),
    })
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    const PERIODS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

    fn expected(day: i32, name: &str) -> i32 {
        let date = NaiveDate::from_epoch_days(day).unwrap();
        let start = match name {
            "day" => date,
            "week" => date - chrono::Duration::days(i64::from(date.weekday().num_days_from_monday())),
            "month" => date.with_day(1).unwrap(),
            "quarter" => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1).unwrap(),
            _ => NaiveDate::from_ymd_opt(date.year(), 1, 1).unwrap(),
        };
        start.to_epoch_days()
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        // All days from 1600 to 2400, and some of every century that chrono knows around them.
        let days = (-135_140..157_054).chain((-50_000_000..50_000_000).step_by(36_523));
        for day in days {
            for name in PERIODS {
                let period = Period::of(name).unwrap();
                let start = period.start(day);
                assert_eq!(start, expected(day, name), "{name} of {day}");
                assert!(start <= day && day < period.next(start), "{name} of {day}");
                assert_eq!(period.start(period.next(start)), period.next(start), "{name} after {day}");
            }
        }
    }

    #[test]
    fn a_day_within_a_period_divides_at_its_end() {
        // 2026-01-01 is day 20454.
        assert_eq!(period_around(Period::Months(1), 20_454), Some((20_454, 20_485)));
        assert_eq!(period_around(Period::Months(1), 20_455), Some((20_485, 20_485)));
        assert_eq!(period_around(Period::Week, i32::MAX), None);
    }

    #[test]
    fn days_are_rounded_down_before_1970_too() {
        let times: ArrayRef = Arc::new(PrimitiveArray::<TimestampSecondType>::from(vec![Some(-1), None, Some(86_400)]));
        assert_eq!(starts(&times, Period::Day).unwrap(), Date32Array::from(vec![Some(-1), None, Some(1)]));
        let far: ArrayRef = Arc::new(PrimitiveArray::<TimestampSecondType>::from(vec![i64::MAX]));
        assert!(starts(&far, Period::Day).is_err());
    }
}
