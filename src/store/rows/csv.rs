//! Comma-separated values.

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::csv::{Writer, WriterBuilder};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;

use super::{RowWriter, json};

/// Writes a header, then a line a row.
pub struct CsvWriter {
    writer: Writer<Box<dyn Write + Send>>,
    schema: SchemaRef,
    started: bool,
}

impl CsvWriter {
    /// A writer with a text for NULL; without one NULL is the empty field.
    pub fn new(sink: Box<dyn Write + Send>, schema: SchemaRef, null: Option<&str>) -> Self {
        let writer = WriterBuilder::new().with_null(null.unwrap_or_default().to_string()).build(sink);
        CsvWriter { writer, schema, started: false }
    }
}

impl RowWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.started = true;
        self.writer.write(&flat(batch)?)
    }

    /// Without rows there is still a header.
    fn finish(&mut self) -> Result<(), ArrowError> {
        if self.started { Ok(()) } else { self.write(&RecordBatch::new_empty(self.schema.clone())) }
    }
}

/// The batch with nested values as JSON text, since a field holds no structure.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch.columns().iter().any(|column| column.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let schema = batch.schema();
    let columns: Result<Vec<(&String, ArrayRef)>, ArrowError> = std::iter::zip(schema.fields(), batch.columns())
        .map(|(field, column)| match column.data_type().is_nested() {
            true => Ok((field.name(), Arc::new(StringArray::from(json::texts(field, column)?)) as ArrayRef)),
            false => Ok((field.name(), column.clone())),
        })
        .collect();
    RecordBatch::try_from_iter(columns?)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, ListArray};
    use datafusion::arrow::datatypes::Int64Type;

    use super::super::{Captured, sample};
    use super::*;

    fn written(batches: &[RecordBatch], null: Option<&str>) -> String {
        let captured = Captured::default();
        let mut writer = CsvWriter::new(captured.sink(), batches[0].schema(), null);
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        captured.text()
    }

    #[test]
    fn values_are_quoted_where_needed() {
        let text = written(&[sample()], None);
        let expected = "n,区域,amount,rate\n1,华东,10.50,0.5\n-20,,,NaN\n9223372036854775807,\"a\"\"b,c\",-0.05,\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn null_can_be_told_from_empty_text() {
        let batch = RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec![Some(""), None])) as ArrayRef)]);
        assert_eq!(written(&[batch.unwrap()], Some("\\N")), "a\n\"\"\n\\N\n");
    }

    #[test]
    fn no_rows_still_have_a_header() {
        assert_eq!(written(&[sample().slice(0, 0)], None), "n,区域,amount,rate\n");
    }

    #[test]
    fn nested_values_are_json() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None]), None]);
        let columns: [(&str, ArrayRef); 2] = [("a", Arc::new(lists)), ("b", Arc::new(Int64Array::from(vec![1, 2])))];
        assert_eq!(written(&[RecordBatch::try_from_iter(columns).unwrap()], None), "a,b\n\"[1,null]\",1\n,2\n");
    }
}
