//! Arithmetic with instants and windows of time, as expressions.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::logical_expr::{Expr, lit};

use crate::catalog::calendar::{Calendar, Grain, PeriodId};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::time::{cast, earlier, later, start_of};

/// What a modifier does to the window of a period, initially the period itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TimeOp {
    /// Earlier by a length.
    Shift(TimeSpan),
    /// The length that ends at the window's end.
    Trailing(TimeSpan),
    /// From the start of the enclosing period to the window's end.
    ToDate(Grain),
    /// The same of a period that a calendar's table knows.
    ToDateOf(PeriodId),
    /// From the beginning to the window's end.
    Cumulative,
    /// The first period of a finer grain in it.
    FirstOf(Grain),
}

impl TimeOp {
    /// Whether it reads more than the period, back from its end.
    pub(crate) fn is_running(&self) -> bool {
        !matches!(self, TimeOp::Shift(_))
    }

    /// Whether days tell everything about it.
    pub(crate) fn is_whole_days(&self) -> bool {
        match self {
            TimeOp::Shift(span) | TimeOp::Trailing(span) => span.is_whole_days(),
            TimeOp::ToDate(grain) | TimeOp::FirstOf(grain) => *grain >= Grain::Day,
            TimeOp::Cumulative | TimeOp::ToDateOf(_) => true,
        }
    }

    /// Whether hours, minutes, seconds tell everything about it.
    pub(crate) fn is_whole(&self, grain: Grain) -> bool {
        match self {
            TimeOp::Shift(span) | TimeOp::Trailing(span) => span.nanoseconds % grain.span().nanoseconds == 0,
            TimeOp::ToDate(other) | TimeOp::FirstOf(other) => *other >= grain,
            TimeOp::Cumulative | TimeOp::ToDateOf(_) => true,
        }
    }
}

/// Instants of one time axis: wall-clock times, as dates where days are enough.
#[derive(Debug, Clone)]
pub(crate) struct Instants<'c> {
    pub(crate) calendar: &'c Calendar,
    /// The type of instants.
    pub(crate) data_type: DataType,
    /// The type of `metric_time`, which constants are compared with.
    pub(crate) common: DataType,
    /// The type of the axis itself: that of dates has no instants within a day.
    pub(crate) native: Option<DataType>,
}

/// The type of instants on an axis of timestamps.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

impl Instants<'_> {
    /// The start of the period of a grain that an instant lies in.
    pub(crate) fn start_of(&self, instant: Expr, grain: Grain) -> Expr {
        if self.data_type == DataType::Date32 && grain <= Grain::Day {
            return instant;
        }
        start_of(instant, &self.data_type, grain, self.calendar)
    }

    pub(crate) fn later(&self, instant: Expr, span: TimeSpan) -> Expr {
        later(instant, &self.data_type, span)
    }

    pub(crate) fn earlier(&self, instant: Expr, span: TimeSpan) -> Expr {
        earlier(instant, &self.data_type, span)
    }

    /// The end of a range that is moved: no instant of the range lands at it or later. Several days may land on the last
    /// one of a month, and all of that day belongs to the range if any of them ends in it.
    pub(crate) fn end_earlier(&self, end: Expr, span: TimeSpan) -> Expr {
        let moved = self.earlier(end.clone(), span);
        if span.months == 0 {
            return moved;
        }
        let last = self.earlier(self.start_of(end, Grain::Day), Grain::Day.span());
        greatest(vec![moved, self.later(self.earlier(last, span), Grain::Day.span())])
    }

    /// The beginning of a range that is moved: no instant of the range lands before it.
    pub(crate) fn start_earlier(&self, start: Expr, span: TimeSpan) -> Expr {
        let moved = self.earlier(start.clone(), span);
        if span.months == 0 || self.data_type == DataType::Date32 {
            return moved;
        }
        let next = self.later(self.start_of(start, Grain::Day), Grain::Day.span());
        least(vec![moved, self.earlier(next, span)])
    }

    /// The instant after one.
    pub(crate) fn next(&self, instant: Expr) -> Expr {
        self.later(instant, self.tick())
    }

    /// The instant before one.
    pub(crate) fn before(&self, instant: Expr) -> Expr {
        self.earlier(instant, self.tick())
    }

    /// An instant cut to what the axis tells apart: no row lies between the two.
    pub(crate) fn floor(&self, instant: Expr) -> Expr {
        match &self.native {
            Some(DataType::Timestamp(unit, _)) if *unit != TimeUnit::Nanosecond && self.data_type == TIMESTAMP => {
                cast(cast(instant, DataType::Timestamp(*unit, None)), TIMESTAMP)
            }
            _ => instant,
        }
    }

    /// The least difference that the axis tells apart. It is not less than the axis's unit: DataFusion compares a column
    /// with a constant in the column's unit, in which a nanosecond more may be no more.
    fn tick(&self) -> TimeSpan {
        let nanoseconds = match (&self.data_type, &self.native) {
            (DataType::Date32, _) => return TimeSpan { days: 1, ..TimeSpan::default() },
            (_, Some(DataType::Timestamp(TimeUnit::Second, _))) => 1_000_000_000,
            (_, Some(DataType::Timestamp(TimeUnit::Millisecond, _))) => 1_000_000,
            (_, Some(DataType::Timestamp(TimeUnit::Microsecond, _))) => 1_000,
            _ => 1,
        };
        TimeSpan { nanoseconds, ..TimeSpan::default() }
    }

    /// As far before `from` as `to` lies after it.
    pub(crate) fn mirrored(&self, to: &Expr, from: &Expr) -> Expr {
        let whole = match self.data_type {
            DataType::Date32 => DataType::Int32,
            _ => DataType::Int64,
        };
        let number = |instant: &Expr| cast(cast(instant.clone(), whole.clone()), DataType::Int64);
        let mirrored = lit(2_i64) * number(from) - number(to);
        cast(cast(mirrored, whole), self.data_type.clone())
    }

    /// A window `(from, to)` after a modifier; without `from` it begins with the first row.
    pub(crate) fn changed(&self, window: (Option<Expr>, Expr), op: &TimeOp) -> (Option<Expr>, Expr) {
        let (from, to) = window;
        match op {
            TimeOp::Shift(span) => (from.map(|from| self.earlier(from, *span)), self.earlier(to, *span)),
            TimeOp::Trailing(span) => (Some(self.earlier(to.clone(), *span)), to),
            TimeOp::ToDate(grain) => (Some(self.start_of(self.before(to.clone()), *grain)), to),
            TimeOp::Cumulative => (None, to),
            // Nothing, until the beginning is looked up.
            TimeOp::ToDateOf(_) => (Some(to.clone()), to),
            TimeOp::FirstOf(grain) => match from {
                Some(from) => {
                    let first = self.later(self.start_of(from.clone(), *grain), grain.span());
                    (Some(from), least(vec![first, to]))
                }
                None => (None, to),
            },
        }
    }
}
