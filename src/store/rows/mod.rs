//! Rows as bytes: the formats that answers are written in, batch by batch.

pub mod columnar;
pub mod csv;
pub mod json;

#[cfg(test)]
use std::io::Write;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;

/// Takes the rows of one result.
pub trait RowWriter: Send {
    /// Takes some more rows.
    ///
    /// # Errors
    /// What the format cannot hold, or the sink refuses.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;
    /// Ends the result.
    ///
    /// # Errors
    /// As [`RowWriter::write`].
    fn finish(&mut self) -> Result<(), ArrowError>;
}

/// The name that two columns have, if there is one: readers that find values by name would see only one of them.
pub fn twins(schema: &Schema) -> Option<&str> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    (1..names.len()).find(|at| names[..*at].contains(&names[*at])).map(|at| names[at])
}

/// A batch for tests: integers, text with Chinese and NULL, decimals.
#[cfg(test)]
fn sample() -> RecordBatch {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};
    let amounts = Decimal128Array::from(vec![Some(1050), None, Some(-5)]).with_precision_and_scale(18, 2);
    RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, -20, i64::MAX])) as ArrayRef),
        ("区域", Arc::new(StringArray::from(vec![Some("华东"), None, Some("a\"b,c")]))),
        ("amount", Arc::new(amounts.unwrap())),
        ("rate", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]))),
    ])
    .unwrap()
}

/// A sink whose bytes a test can read.
#[cfg(test)]
#[derive(Clone, Default)]
struct Captured(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    fn sink(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
