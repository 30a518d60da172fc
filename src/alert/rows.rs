//! The rows of an analysis, value by value.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, TimeUnit, TimestampNanosecondType};
use datafusion::prelude::DataFrame;

use crate::error::Result;

/// Rows that were collected.
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    batch: &'r RecordBatch,
    at: usize,
}

impl Rows {
    pub(super) async fn of(frame: DataFrame) -> Result<Rows> {
        Ok(Rows { batches: frame.collect().await? })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| Row { batch, at }))
    }
}

impl Row<'_> {
    /// A text; `None` for NULL and for a column that is not there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let column = self.batch.column_by_name(name)?;
        let column = column.as_string_opt::<i32>()?;
        column.is_valid(self.at).then(|| column.value(self.at).to_string())
    }

    /// A number that is finite.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(self.at).then(|| column.value(self.at)).filter(|value| value.is_finite())
    }

    /// A small whole number.
    pub(super) fn integer(&self, name: &str) -> Option<i32> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
        column.is_valid(self.at).then(|| column.value(self.at))
    }

    /// The beginning of a period.
    pub(super) fn instant(&self, name: &str) -> Option<NaiveDateTime> {
        let column = self.batch.column_by_name(name)?.slice(self.at, 1);
        if let Some(text) = column.as_string_opt::<i32>() {
            return NaiveDate::parse_from_str(text.value(0), "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
        }
        let exact = cast(&column, &DataType::Timestamp(TimeUnit::Nanosecond, None)).ok()?;
        let exact = exact.as_primitive_opt::<TimestampNanosecondType>()?;
        exact.is_valid(0).then(|| exact.value_as_datetime(0)).flatten()
    }
}
