//! Tables for people: aligned by the width of characters, numbers to the right.

use std::io::Write;
use std::sync::Arc;

use bellwether::store::rows::RowWriter;
use comfy_table::{Cell, CellAlignment, Table};
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Digits;

/// Widths must be known before the first line, so rows are held back, but never more than this: a longer result
/// comes as several tables.
const PAGE: usize = 10_000;

/// What follows the last table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footer {
    /// Nothing.
    None,
    /// A line with the number of rows.
    RowCount,
}

/// Collects rows and writes tables.
pub struct TableWriter {
    sink: Box<dyn Write + Send>,
    schema: SchemaRef,
    null: Option<String>,
    footer: Footer,
    digits: Digits,
    page: Table,
    rows: usize,
}

impl TableWriter {
    /// A writer with a text for NULL (default `NULL`).
    pub fn new(sink: Box<dyn Write + Send>, schema: SchemaRef, null: Option<&str>, footer: Footer) -> Self {
        let page = blank(&schema);
        let (null, digits) = (null.map(str::to_string), Digits::All);
        TableWriter { sink, schema, null, footer, digits, page, rows: 0 }
    }

    /// The same with that many digits.
    pub fn with(self, digits: Digits) -> Self {
        TableWriter { digits, ..self }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (rounded, null) = match self.digits {
            Digits::All => (batch.clone(), "NULL"),
            Digits::Six => (rounded(batch)?, ""),
        };
        let null = self.null.as_deref().unwrap_or(null);
        let options = FormatOptions::new().with_null(null).with_display_error(true);
        let cells: Result<Vec<_>, _> =
            rounded.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
        let cells = cells?;
        for row in 0..batch.num_rows() {
            self.page.add_row(cells.iter().map(|column| Cell::new(printable(column.value(row).to_string()))));
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    fn turn_page(&mut self) -> Result<(), ArrowError> {
        let page = std::mem::replace(&mut self.page, blank(&self.schema));
        Ok(writeln!(self.sink, "{page}")?)
    }
}

impl RowWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut from = 0;
        while from < batch.num_rows() {
            if self.page.row_count() == PAGE {
                self.turn_page()?;
            }
            let take = (PAGE - self.page.row_count()).min(batch.num_rows() - from);
            self.add(&batch.slice(from, take))?;
            from += take;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.turn_page()?;
        if self.footer == Footer::RowCount {
            let noun = if self.rows == 1 { "row" } else { "rows" };
            writeln!(self.sink, "({} {noun})", self.rows)?;
        }
        Ok(self.sink.flush()?)
    }
}

/// The batch with doubles of at most six digits that count.
fn rounded(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.as_primitive_opt::<Float64Type>() {
        Some(doubles) => Arc::new(doubles.unary::<_, Float64Type>(six_digits)) as ArrayRef,
        None => Arc::clone(column),
    });
    RecordBatch::try_new(batch.schema(), columns.collect())
}

fn six_digits(number: f64) -> f64 {
    // Writing and reading is exact where a power of ten would round once more.
    format!("{number:.5e}").parse().unwrap_or(number)
}

fn blank(schema: &SchemaRef) -> Table {
    let mut table = Table::new();
    // The look of DataFusion's own tables, so that examples from elsewhere compare by eye.
    table.load_preset("||--+-++|    ++++++");
    table.set_header(schema.fields().iter().map(|field| Cell::new(printable(field.name().clone()))));
    for (column, field) in table.column_iter_mut().zip(schema.fields()) {
        if is_number(field.data_type()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn is_number(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_number(values),
        other => other.is_numeric(),
    }
}

/// The text with control characters visible, for they could move the cursor or change colours of the terminal; line
/// breaks stay, the table handles them.
fn printable(text: String) -> String {
    if !text.chars().any(|c| c.is_control()) {
        return text;
    }
    text.chars()
        .flat_map(|c| if c.is_control() && c != '\n' { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::super::{Captured, sample};
    use super::*;

    fn written(batch: &RecordBatch, null: Option<&str>, footer: Footer) -> String {
        let captured = Captured::default();
        let mut writer = TableWriter::new(captured.sink(), batch.schema(), null, footer);
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        captured.text()
    }

    #[test]
    fn numbers_stand_right_and_chinese_is_aligned() {
        let expected = "\
+---------------------+-------+--------+------+
|                   n | 区域  | amount | rate |
+---------------------+-------+--------+------+
|                   1 | 华东  |  10.50 |  0.5 |
|                 -20 | NULL  |   NULL |  NaN |
| 9223372036854775807 | a\"b,c |  -0.05 | NULL |
+---------------------+-------+--------+------+
(3 rows)
";
        assert_eq!(written(&sample(), None, Footer::RowCount), expected);
    }

    #[test]
    fn null_may_be_another_text() {
        assert!(written(&sample(), Some("∅"), Footer::None).contains("|      ∅ |  NaN |"));
    }

    #[test]
    fn no_rows_show_the_columns() {
        let text = written(&sample().slice(0, 0), None, Footer::RowCount);
        assert!(text.contains("区域") && text.ends_with("(0 rows)\n"));
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["\u{1b}[31mred"]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        assert!(written(&batch, None, Footer::None).contains("\\u{1b}[31mred"));
    }

    #[test]
    fn long_results_come_in_pages() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..PAGE as i64 + 1));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let text = written(&batch, None, Footer::RowCount);
        assert_eq!(text.lines().filter(|line| line.contains(" a ")).count(), 2);
        assert!(text.ends_with("(10001 rows)\n"));
    }
}
