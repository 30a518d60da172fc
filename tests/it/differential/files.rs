//! The files that a model's rows are written to, and their text for a report.

use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;

use super::model::{Format, Model, Source, Table, Ty};
use super::value::Value;

/// Which of the files of a source that has two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Files {
    First,
    All,
}

/// Writes the project: its text and its data.
pub fn write(folder: &FilePath, text: &str, model: &Model, data: &[Table], which: Files) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("data"))?;
    fs::write(folder.join("model.bell"), text)?;
    for (source, rows) in model.sources.iter().zip(data) {
        let path = |ending: &str| folder.join("data").join(format!("{}{ending}", source.name));
        match source.format {
            Format::Csv => fs::write(path(".csv"), csv(source, rows))?,
            Format::Parquet => parquet(&path(".parquet"), source, rows)?,
            Format::ParquetFolder => {
                let half = rows.len() / 2;
                fs::create_dir_all(path(""))?;
                let first = path("").join("1.parquet");
                // Written once, so that it stays the version that it is.
                if !first.exists() {
                    parquet(&first, source, &rows[..half])?;
                }
                if which == Files::First {
                    continue;
                }
                parquet(&path("").join("2.parquet"), source, &rows[half..])?;
            }
        }
    }
    Ok(())
}

/// The columns that lie in files.
fn stored(source: &Source) -> Vec<usize> {
    (0..source.columns.len()).filter(|c| source.columns[*c].computed.is_none()).collect()
}

fn csv(source: &Source, rows: &[Vec<Value>]) -> String {
    let columns = stored(source);
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let mut text = line(columns.iter().map(|c| source.columns[*c].name.clone()).collect());
    for row in rows {
        text += &line(columns.iter().map(|c| csv_cell(&row[*c])).collect());
    }
    text
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) if text.contains([',', '"', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

fn parquet(path: &FilePath, source: &Source, rows: &[Vec<Value>]) -> std::io::Result<()> {
    let batch = batch(source, rows);
    let mut writer = ArrowWriter::try_new(fs::File::create(path)?, batch.schema(), None).expect("a parquet file");
    writer.write(&batch).expect("a batch");
    writer.close().expect("a footer");
    Ok(())
}

fn batch(source: &Source, rows: &[Vec<Value>]) -> RecordBatch {
    let columns = stored(source);
    let field = |c: &usize| Field::new(&source.columns[*c].name, arrow_type(source.columns[*c].ty), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.iter().map(|c| array(source.columns[*c].ty, rows.iter().map(|row| &row[*c]))).collect();
    RecordBatch::try_new(schema, arrays).expect("columns fit their schema")
}

fn arrow_type(ty: Ty) -> DataType {
    match ty {
        Ty::Int => DataType::Int64,
        Ty::Dec => DataType::Decimal128(12, 2),
        Ty::Double => DataType::Float64,
        Ty::Text => DataType::Utf8,
        Ty::Bool => DataType::Boolean,
        Ty::Date => DataType::Date32,
        Ty::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

fn array<'a>(ty: Ty, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    macro_rules! of {
        ($array:ty, $pattern:pat => $value:expr) => {
            values.map(|v| if let $pattern = v { Some($value) } else { None }).collect::<$array>()
        };
    }
    match ty {
        Ty::Int => Arc::new(of!(Int64Array, Value::Int(n) => *n as i64)),
        Ty::Dec => Arc::new(
            of!(Decimal128Array, Value::Dec(n, _) => *n).with_precision_and_scale(12, 2).expect("a small decimal"),
        ),
        Ty::Double => Arc::new(of!(Float64Array, Value::Double(x) => *x)),
        Ty::Text => Arc::new(of!(StringArray, Value::Text(t) => t.as_str())),
        Ty::Bool => Arc::new(of!(BooleanArray, Value::Bool(b) => *b)),
        Ty::Date => Arc::new(of!(Date32Array, Value::Date(d) => *d as i32)),
        Ty::Time => Arc::new(of!(TimestampMicrosecondArray, Value::Time(t) => *t)),
    }
}

/// The rows as text, for a report.
pub fn shown(source: &Source, rows: &[Vec<Value>]) -> String {
    let columns = stored(source);
    let mut text = format!("{} ({})\n", source.name, columns_of(source, &columns));
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|c| row[*c].to_string()).collect();
        text += &format!("    {}\n", cells.join(", "));
    }
    text
}

fn columns_of(source: &Source, columns: &[usize]) -> String {
    columns.iter().map(|c| source.columns[*c].name.as_str()).collect::<Vec<_>>().join(", ")
}
