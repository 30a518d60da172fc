//! About how many different values a Parquet column has, by the sizes of its dictionaries.
//!
//! The footers do not count them, but a column whose values are few is written as a dictionary, whose size in each row
//! group they tell. This is an estimate for choosing plans.

use datafusion::parquet::basic::Type;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Above so many bytes writers give dictionaries up: nothing is known then.
const LARGE: i64 = 256 * 1024;

/// In how many rows of a group a value stands, at least on average, if the values are few.
const ROWS_EACH: usize = 16;

/// For each column at the top level its name and about how many values it has, where that can be told.
pub(super) fn distinct_counts(metadata: &ParquetMetaData) -> Vec<(String, Option<usize>)> {
    let columns = metadata.file_metadata().schema_descr().columns().iter().enumerate();
    let top = columns.filter(|(_, column)| column.path().parts().len() == 1);
    let of = |at: usize| {
        // The groups of a column of few values mostly have the same ones; where each value stands in few rows, as in a
        // key by which the rows are sorted, they have others.
        let in_groups = metadata.row_groups().iter().map(|group| {
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            values_in(group.column(at)).filter(|values| values.saturating_mul(ROWS_EACH) <= rows)
        });
        in_groups.collect::<Option<Vec<usize>>>().and_then(|counts| counts.into_iter().max())
    };
    top.map(|(at, column)| (column.name().to_string(), of(at))).collect()
}

fn values_in(chunk: &ColumnChunkMetaData) -> Option<usize> {
    let bytes = chunk.data_page_offset() - chunk.dictionary_page_offset()?;
    // A text has four bytes for its length, which compress well; the page's header is about 16 bytes.
    let width = match chunk.column_type() {
        Type::INT64 | Type::DOUBLE => 4,
        Type::INT96 => 8,
        _ => 3,
    };
    (0..LARGE).contains(&bytes).then(|| usize::try_from((bytes - 16).max(0) / width + 1).unwrap_or(usize::MAX))
}
