//! JSON: an array of objects, or an object a line.
//!
//! Integers are numbers; doubles too, except NaN and infinity, which JSON lacks and which are text (`null` would hide
//! them); decimals are text, because most readers would round them; dates, times and binary (in hex) are text.

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, NullableEncoder, Writer, WriterBuilder};
use datafusion::arrow::json::{Encoder, EncoderFactory, EncoderOptions, writer};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::RowWriter;

/// Writes rows as JSON.
pub struct JsonWriter<F: JsonFormat> {
    writer: Writer<Box<dyn Write + Send>, F>,
    ending: &'static str,
}

/// One array with an object a row.
pub fn array(sink: Box<dyn Write + Send>) -> JsonWriter<JsonArray> {
    let builder = WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(Exact));
    JsonWriter { writer: builder.build(sink), ending: "\n" }
}

/// An object a line.
pub fn lines(sink: Box<dyn Write + Send>) -> JsonWriter<LineDelimited> {
    let builder = WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(Exact));
    JsonWriter { writer: builder.build(sink), ending: "" }
}

impl<F: JsonFormat + Send> RowWriter for JsonWriter<F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.writer.write(batch)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.writer.finish()?;
        let sink = self.writer.get_mut();
        Ok(sink.write_all(self.ending.as_bytes()).and_then(|()| sink.flush())?)
    }
}

/// Each value of a column as JSON text, NULL as `None`.
pub fn texts(field: &FieldRef, column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Exact));
    let mut encoder = writer::make_encoder(field, column, &options)?;
    let mut text = |row: usize| {
        let mut bytes = Vec::new();
        encoder.encode(row, &mut bytes);
        String::from_utf8(bytes).map_err(|error| ArrowError::JsonError(error.to_string()))
    };
    (0..column.len()).map(|row| column.is_valid(row).then(|| text(row)).transpose()).collect()
}

/// Overrides the encoders that would lose something.
#[derive(Debug)]
struct Exact;

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Float32 => Box::new(Float(array.as_primitive::<Float32Type>())),
            DataType::Float64 => Box::new(Float(array.as_primitive::<Float64Type>())),
            kind if kind.is_decimal() => Box::new(Quoted(ArrayFormatter::try_new(array, &PLAIN)?)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

const PLAIN: FormatOptions<'static> = FormatOptions::new();

struct Quoted<'a>(ArrayFormatter<'a>);

impl Encoder for Quoted<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        // Digits, a sign and a point need no escapes.
        out.extend_from_slice(format!("\"{}\"", self.0.value(row)).as_bytes());
    }
}

struct Float<'a, T: ArrowPrimitiveType>(&'a PrimitiveArray<T>);

impl<T: ArrowPrimitiveType<Native: Into<f64>>> Encoder for Float<'_, T> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        let wide: f64 = value.into();
        // Debug's shortest text that reads back as the same value is JSON's syntax too.
        let text = match wide.is_finite() {
            true => format!("{value:?}"),
            false if wide.is_nan() => "\"NaN\"".to_string(),
            false if wide > 0.0 => "\"Infinity\"".to_string(),
            false => "\"-Infinity\"".to_string(),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Float64Array;

    use super::super::{Captured, sample};
    use super::*;

    fn written<F: JsonFormat + Send>(
        make: fn(Box<dyn Write + Send>) -> JsonWriter<F>,
        batches: &[RecordBatch],
    ) -> String {
        let captured = Captured::default();
        let mut writer = make(captured.sink());
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        captured.text()
    }

    #[test]
    fn batches_make_one_array() {
        let text = written(array, &[sample().slice(0, 1), sample().slice(1, 0), sample().slice(1, 2)]);
        let expected = concat!(
            r#"[{"n":1,"区域":"华东","amount":"10.50","rate":0.5},"#,
            r#"{"n":-20,"区域":null,"amount":null,"rate":"NaN"},"#,
            r#"{"n":9223372036854775807,"区域":"a\"b,c","amount":"-0.05","rate":null}]"#,
            "\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        assert_eq!(written(array, &[]), "[]\n");
        assert_eq!(written(lines, &[]), "");
    }

    #[test]
    fn lines_are_objects() {
        let text = written(lines, &[sample()]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap().is_object()));
    }

    #[test]
    fn extreme_doubles_read_back_unchanged() {
        for value in [f64::MIN_POSITIVE, f64::MAX, -1e-7, 0.1 + 0.2, 1e22] {
            let batch = RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![value])) as ArrayRef)]);
            let parsed: serde_json::Value = serde_json::from_str(&written(array, &[batch.unwrap()])).unwrap();
            assert_eq!(parsed[0]["x"].as_f64(), Some(value));
        }
    }
}
