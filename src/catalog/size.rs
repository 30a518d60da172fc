//! About how large a source is: what the planner chooses among equal plans by. Nothing that an answer means depends on it.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::source_as_provider;

use super::source::Rows;

/// About how many rows there are, and how many values in each column, as far as the files say so.
#[derive(Debug, Clone, Default)]
pub struct Size {
    /// Rows.
    pub rows: Option<usize>,
    /// Its columns by their positions; computed columns are not there.
    columns: Vec<ColumnSize>,
}

/// What is known of a column.
#[derive(Debug, Clone, Copy, Default)]
pub struct ColumnSize {
    /// Different values, NULL among them.
    pub values: Option<usize>,
    /// The least and the greatest value as [`number`]s.
    pub bounds: Option<(f64, f64)>,
}

impl Size {
    /// What is known of rows.
    pub fn of(rows: &Rows) -> Size {
        let Rows::Table(table) = rows else { return Size::default() };
        let statistics = source_as_provider(table).ok().and_then(|provider| provider.statistics());
        statistics.as_ref().map_or_else(Size::default, Size::from_statistics)
    }

    fn from_statistics(statistics: &Statistics) -> Size {
        let rows = statistics.num_rows.get_value().copied();
        let at_most = |values: usize| rows.map_or(values, |rows| values.min(rows));
        let known = |column: &ColumnStatistics| {
            let bound = |value: &Precision<ScalarValue>| value.get_value().and_then(number);
            let bounds = bound(&column.min_value).zip(bound(&column.max_value));
            ColumnSize { values: values_in(column).map(at_most), bounds }
        };
        Size { rows, columns: statistics.column_statistics.iter().map(known).collect() }
    }

    /// What is known of a column; of days there never are many.
    pub fn column(&self, column: usize, data_type: &DataType) -> ColumnSize {
        const DAYS: usize = 10_000;
        let known = self.columns.get(column).copied().unwrap_or_default();
        let values = match data_type {
            DataType::Boolean => Some(3),
            DataType::Date32 | DataType::Date64 => Some(DAYS),
            _ => None,
        };
        ColumnSize { values: known.values.or(values), ..known }
    }
}

/// The number of values that the statistics give, and not more than lie between the least and the greatest.
fn values_in(column: &ColumnStatistics) -> Option<usize> {
    let counted = column.distinct_count.get_value().copied();
    let between = match (&column.min_value, &column.max_value) {
        (Precision::Exact(min) | Precision::Inexact(min), Precision::Exact(max) | Precision::Inexact(max)) => {
            whole(min).zip(whole(max)).and_then(|(min, max)| usize::try_from(max.checked_sub(min)?).ok())
        }
        _ => None,
    };
    // NULL is one more.
    let between = between.map(|steps| steps.saturating_add(2));
    counted.map(|values| values.saturating_add(1)).into_iter().chain(between).min()
}

/// An integer that 64 bits hold, or the number of a day.
pub(crate) fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(Some(number)) => Some(i64::from(*number)),
        ScalarValue::Int16(Some(number)) => Some(i64::from(*number)),
        ScalarValue::Int32(Some(number)) | ScalarValue::Date32(Some(number)) => Some(i64::from(*number)),
        ScalarValue::Int64(Some(number)) => Some(*number),
        ScalarValue::UInt8(Some(number)) => Some(i64::from(*number)),
        ScalarValue::UInt16(Some(number)) => Some(i64::from(*number)),
        ScalarValue::UInt32(Some(number)) => Some(i64::from(*number)),
        _ => None,
    }
}

/// A value as a number, days and times in seconds; texts are none.
pub fn number(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Float32(Some(number)) => Some(f64::from(*number)),
        ScalarValue::Float64(Some(number)) => Some(*number),
        ScalarValue::Decimal128(Some(digits), _, scale) => Some(*digits as f64 / 10_f64.powi(i32::from(*scale))),
        ScalarValue::Date32(Some(days)) => Some(f64::from(*days) * 86_400.0),
        ScalarValue::TimestampSecond(Some(units), _) => Some(*units as f64),
        ScalarValue::TimestampMillisecond(Some(units), _) => Some(*units as f64 / 1e3),
        ScalarValue::TimestampMicrosecond(Some(units), _) => Some(*units as f64 / 1e6),
        ScalarValue::TimestampNanosecond(Some(units), _) => Some(*units as f64 / 1e9),
        other => whole(other).map(|number| number as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(distinct: Option<usize>, bounds: Option<(i32, i32)>) -> ColumnStatistics {
        let mut column = ColumnStatistics::new_unknown();
        if let Some(distinct) = distinct {
            column.distinct_count = Precision::Inexact(distinct);
        }
        if let Some((min, max)) = bounds {
            column.min_value = Precision::Exact(ScalarValue::Date32(Some(min)));
            column.max_value = Precision::Exact(ScalarValue::Date32(Some(max)));
        }
        column
    }

    #[test]
    fn values_are_few_by_count_or_by_bounds() {
        assert_eq!(values_in(&column(Some(7), None)), Some(8));
        assert_eq!(values_in(&column(Some(700), Some((1, 10)))), Some(11));
        assert_eq!(values_in(&column(None, Some((1, 1)))), Some(2));
        assert_eq!(values_in(&column(None, None)), None);
    }

    #[test]
    fn never_more_values_than_rows() {
        let statistics = Statistics {
            num_rows: Precision::Exact(5),
            total_byte_size: Precision::Absent,
            column_statistics: vec![column(None, Some((0, 1_000)))],
        };
        let size = Size::from_statistics(&statistics);
        assert_eq!(size.column(0, &DataType::Date32).values, Some(5));
        assert_eq!(size.column(1, &DataType::Boolean).values, Some(3));
        assert_eq!(size.column(1, &DataType::Utf8).values, None);
    }
}
