//! Grains and date parts as expressions.

use datafusion::arrow::datatypes::{DataType, Field, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::functions::datetime::expr_fn::{date_part, date_trunc, to_local_time};
use datafusion::logical_expr::{Expr, lit};

use super::calendar::{Calendar, DatePart, Grain, TimePart};
use super::modifier::TimeSpan;
use super::period_start::first_day;

/// The part of a time value: `value` has type `axis`, the result [`TimePart::data_type`] of it. Of a period from a table
/// it is the day by which the table is asked.
///
/// Timestamps with a zone are converted to the calendar's zone first (to their own if it has none), so that days are
/// cut where its wall clock cuts them.
pub fn part_of(value: Expr, axis: &DataType, part: TimePart, calendar: &Calendar) -> Expr {
    match part {
        TimePart::Whole => value,
        TimePart::Grain(grain) => {
            let start = period_start(wall_clock(value, axis, calendar), axis, grain, calendar);
            cast(start, grain.data_type(axis))
        }
        TimePart::Period(_) => part_of(value, axis, TimePart::Grain(Grain::Day), calendar),
        TimePart::Extract(part) => cast(extract(wall_clock(value, axis, calendar), part), DataType::Int32),
    }
}

/// A cast; the planner drops it where the types already agree.
pub fn cast(value: Expr, to: DataType) -> Expr {
    Expr::Cast(datafusion::logical_expr::Cast {
        expr: Box::new(value),
        field: std::sync::Arc::new(Field::new("", to, true)),
    })
}

/// The wall-clock time of a value in the calendar's zone; what has no zone is one already.
pub fn wall_clock(value: Expr, axis: &DataType, calendar: &Calendar) -> Expr {
    let DataType::Timestamp(unit, Some(zone)) = axis else { return value };
    let zone = calendar.timezone.as_deref().unwrap_or(zone);
    to_local_time(vec![cast(value, DataType::Timestamp(*unit, Some(zone.into())))])
}

/// The type of a time value's wall-clock time.
pub fn local(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
        other => other.clone(),
    }
}

/// A wall-clock time later by a length of time (earlier by a negative one): months first, clamped at the month's end,
/// then days, then the rest. The type stays; whole days of a date, anything of a timestamp.
pub fn later(value: Expr, data_type: &DataType, span: TimeSpan) -> Expr {
    cast(value + interval_of(span), data_type.clone())
}

/// The same in the other direction.
pub fn earlier(value: Expr, data_type: &DataType, span: TimeSpan) -> Expr {
    cast(value - interval_of(span), data_type.clone())
}

/// A length of time as a literal.
pub fn interval_of(span: TimeSpan) -> Expr {
    let value = IntervalMonthDayNanoType::make_value(span.months, span.days, span.nanoseconds);
    lit(ScalarValue::IntervalMonthDayNano(Some(value)))
}

/// The start of the period of that grain that a wall-clock time lies in, in the type that was given.
pub fn start_of(value: Expr, data_type: &DataType, grain: Grain, calendar: &Calendar) -> Expr {
    cast(period_start(value, data_type, grain, calendar), data_type.clone())
}

/// `bound <= moment` and `moment < bound` as two values of one type, the moment first.
///
/// The moment takes the bound's type and is rounded down if that is coarser, which changes neither comparison; the other
/// way round an open end such as 9999-12-31 would not fit into nanoseconds. Two timestamps with zones are compared as
/// instants, otherwise wall clocks are.
pub fn comparable(moment: (Expr, &DataType), bound: (Expr, &DataType), calendar: &Calendar) -> (Expr, Expr) {
    let ((moment, axis), (bound, wanted)) = (moment, bound);
    let (DataType::Timestamp(unit, Some(_)), DataType::Timestamp(to, Some(_))) = (axis, wanted) else {
        let (moment, bound) = (wall_clock(moment, axis, calendar), wall_clock(bound, wanted, calendar));
        return match (axis, wanted) {
            (DataType::Timestamp(unit, _), DataType::Timestamp(to, _)) => {
                (cast(rounded(moment, *unit, *to), DataType::Timestamp(*to, None)), bound)
            }
            (_, DataType::Timestamp(to, _)) => (cast(moment, DataType::Timestamp(*to, None)), bound),
            _ => (cast(moment, DataType::Date32), cast(bound, DataType::Date32)),
        };
    };
    (cast(rounded(moment, *unit, *to), wanted.clone()), bound)
}

/// Rounded down to a coarser unit; a cast would round times before 1970 up.
fn rounded(value: Expr, from: TimeUnit, to: TimeUnit) -> Expr {
    let name = match to {
        TimeUnit::Second => "second",
        TimeUnit::Millisecond => "millisecond",
        TimeUnit::Microsecond => "microsecond",
        TimeUnit::Nanosecond => return value,
    };
    if from > to { date_trunc(lit(name), value) } else { value }
}

fn period_start(value: Expr, axis: &DataType, grain: Grain, calendar: &Calendar) -> Expr {
    let truncate = |name: &str, value: Expr| date_trunc(lit(name), value);
    let months = i32::from(calendar.fiscal_start) - 1;
    match grain {
        Grain::Day if matches!(axis, DataType::Date32) => value,
        Grain::Week if calendar.week_start > 0 => {
            let days = i32::from(calendar.week_start);
            truncate("week", as_timestamp(value, axis) - interval(0, days)) + interval(0, days)
        }
        Grain::FiscalQuarter | Grain::FiscalYear => {
            let name = if grain == Grain::FiscalYear { "year" } else { "quarter" };
            truncate(name, truncate("month", value) - interval(months, 0)) + interval(months, 0)
        }
        grain => first_day(value.clone(), &local(axis), grain).unwrap_or_else(|| truncate(grain.name(), value)),
    }
}

fn as_timestamp(value: Expr, axis: &DataType) -> Expr {
    match axis {
        DataType::Timestamp(..) => value,
        _ => cast(value, DataType::Timestamp(TimeUnit::Nanosecond, None)),
    }
}

fn interval(months: i32, days: i32) -> Expr {
    lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(months, days, 0))))
}

fn extract(value: Expr, part: DatePart) -> Expr {
    let number = date_part(lit(part.name()), value);
    if part != DatePart::Year {
        return number;
    }
    // DataFusion 55.2 turns `year >= 8` into a comparison with a date, which overflows for timestamps in nanoseconds and
    // then loses rows. It does not look through `nullif`, which changes nothing here.
    nullif(number, lit(i32::MIN))
}
