//! About how many different values a Parquet column has, by the sizes of its dictionaries.
//!
//! The footers do not count them, but a column whose values are few is written as a dictionary, whose size in each row
//! group they tell. This is an estimate for choosing plans.

use datafusion::parquet::basic::Type;
use datafusion::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use datafusion::parquet::file::statistics::Statistics;

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
            values_in(group.column(at), rows).filter(|values| values.saturating_mul(ROWS_EACH) <= rows)
        });
        let counts = in_groups.collect::<Option<Vec<usize>>>()?;
        match are_apart(metadata.row_groups().iter().map(|group| group.column(at))) {
            true => Some(counts.into_iter().fold(0, usize::saturating_add)),
            false => counts.into_iter().max(),
        }
    };
    top.map(|(at, column)| (column.name().to_string(), of(at))).collect()
}

fn values_in(chunk: &ColumnChunkMetaData, rows: usize) -> Option<usize> {
    let bytes = chunk.data_page_offset() - chunk.dictionary_page_offset()?;
    if !(0..LARGE).contains(&bytes) {
        return None;
    }
    // A text has four bytes for its length, which compress well; the page's header is about 16 bytes.
    let (width, compressed) = match chunk.column_type() {
        Type::INT64 | Type::DOUBLE => (8, 4),
        Type::INT96 => (12, 8),
        Type::BYTE_ARRAY => (8, 3),
        _ => (4, 3),
    };
    let least = usize::try_from((bytes - 16).max(0) / compressed + 1).unwrap_or(usize::MAX);
    // Numbers in sequence compress to almost nothing. But of the bytes before compression, what the rows do not take to
    // say which value they have is the dictionary.
    let whole = usize::try_from(chunk.uncompressed_size()).unwrap_or_default();
    let left = |bits: usize| whole.saturating_sub(bytes_of(rows, bits)) / width;
    let told = (1..=20).map(|bits| (bits, left(bits))).find(|(bits, values)| *values > 1 && bits_for(*values) == *bits);
    Some(told.map_or_else(|| least.max(left(bits_for(least))), |(_, values)| values))
}

/// How many bits tell one of so many values.
fn bits_for(values: usize) -> usize {
    (usize::BITS - values.saturating_sub(1).leading_zeros()) as usize
}

/// How many bytes rows take to say which value they have, in so many bits each: about one more in 500 begins a stretch of
/// them, and the headers of pages take as much.
fn bytes_of(rows: usize, bits: usize) -> usize {
    rows.saturating_mul(bits) / 8 + rows / 256
}

/// Whether every group has numbers of its own: the rows are sorted by them.
fn are_apart<'c>(chunks: impl Iterator<Item = &'c ColumnChunkMetaData>) -> bool {
    let bounds = chunks.map(|chunk| match chunk.statistics()? {
        Statistics::Int32(known) => Some((i64::from(*known.min_opt()?), i64::from(*known.max_opt()?))),
        Statistics::Int64(known) => Some((*known.min_opt()?, *known.max_opt()?)),
        _ => None,
    });
    let Some(mut bounds) = bounds.collect::<Option<Vec<(i64, i64)>>>() else { return false };
    bounds.sort_unstable();
    bounds.windows(2).all(|pair| pair[0].1 <= pair[1].0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::basic::{Compression, ZstdLevel};
    use datafusion::parquet::file::properties::WriterProperties;

    use super::*;

    const ROWS: i64 = 400_000;

    fn counted(compression: Compression) -> Vec<(String, Option<usize>)> {
        let integers = |of: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..ROWS).map(of))) as ArrayRef;
        let kinds = StringArray::from_iter_values((0..ROWS).map(|at| format!("kind {}", at % 10)));
        let columns: [(&str, ArrayRef); 4] = [
            ("kind", Arc::new(kinds)),
            ("mixed", integers(|at| at * 7919 % 10_007)),
            ("sorted", integers(|at| at / 1_000)),
            ("one", integers(|_| 7)),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        distinct_counts(&writer.finish().unwrap())
    }

    #[test]
    fn few_values_are_seen_as_few() {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
            let counts = counted(compression);
            let of = |name: &str| counts.iter().find(|(known, _)| known == name).unwrap().1.unwrap();
            assert!((10..=64).contains(&of("kind")), "{counts:?}");
            assert!((9_000..=11_000).contains(&of("mixed")), "{counts:?}");
            assert!((100..=1_600).contains(&of("sorted")), "{counts:?}");
            assert!(of("one") <= 8, "{counts:?}");
        }
    }
}
