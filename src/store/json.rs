//! Newline JSON, looked through line by line before it is used: the fields of its objects and their types.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::pin::pin;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::reader::infer_json_schema_from_iterator;
use datafusion::object_store::ObjectStore;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::csv::{check_field, declared_type};
use super::guess::Guess;
use super::listing::DataFile;
use super::looked::Looked;
use super::table::CONCURRENT_FILES;
use super::{SourceSpec, StoreError, text};
use crate::diagnostic::codes;

/// Looks through every file; the schema has the fields in order of first appearance.
pub(super) async fn look_through(
    store: &Arc<dyn ObjectStore>,
    files: &[DataFile],
    spec: &SourceSpec,
    compression: Option<&str>,
    looked: (&Looked, &str),
) -> Result<Schema, StoreError> {
    let (looked, place) = looked;
    let how = format!("{compression:?} {:?}", spec.types);
    let look = async |file: DataFile| {
        let compression = text::compression_of(compression, &file.meta.location)?;
        let found = looked.find((place, &how), &file.meta, async {
            let declared = spec.types.clone();
            text::read(store, &file.meta.location, compression, move |reader| columns_of(reader, declared))
                .await
                .map_err(|error| StoreError::from_reading(&file.shown, &error))?
                .map_err(|error| error.in_file(&file.shown))
        });
        Ok((found.await?, file.shown))
    };
    let mut looked = pin!(futures::stream::iter(files.to_vec()).map(look).buffered(CONCURRENT_FILES));
    let mut columns: Vec<Column> = Vec::new();
    while let Some((found, shown)) = looked.try_next().await? {
        for column in found.iter().cloned() {
            add(&mut columns, column).map_err(|error| error.in_file(&shown))?;
        }
    }
    let field = |column: &Column| {
        let data_type = declared_type(&spec.types, &column.name).cloned().unwrap_or_else(|| column.data_type());
        Field::new(&column.name, data_type, true)
    };
    // A field that every object lacks can be declared; it is NULL throughout.
    let absent = spec.types.iter().filter(|(name, _)| !columns.iter().any(|column| column.name == *name));
    let fields =
        columns.iter().map(field).chain(absent.map(|(name, data_type)| Field::new(name, data_type.clone(), true)));
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}

/// A field of the objects: Arrow's inference for its JSON kind, ours for what its texts hold.
#[derive(Clone)]
struct Column {
    name: String,
    json_type: DataType,
    texts: Guess,
}

impl Column {
    fn data_type(&self) -> DataType {
        match &self.json_type {
            DataType::Utf8 => self.texts.time_type(),
            DataType::Null => DataType::Utf8View,
            other => other.clone(),
        }
    }
}

fn add(columns: &mut Vec<Column>, column: Column) -> Result<(), StoreError> {
    let Some(known) = columns.iter_mut().find(|known| known.name == column.name) else {
        columns.push(column);
        return Ok(());
    };
    known.texts.merge(&column.texts);
    known.json_type = match (&known.json_type, column.json_type) {
        (mine, theirs) if *mine == theirs => theirs,
        (DataType::Null, other) => other,
        (mine, DataType::Null) => mine.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        (mine, theirs) => {
            let reason = format!("`{}` is {theirs} here and {mine} in a file before", column.name);
            return Err(StoreError::new(codes::SCHEMAS_DIFFER, reason));
        }
    };
    Ok(())
}

fn columns_of(reader: Box<dyn Read + Send>, declared: Vec<(String, DataType)>) -> Result<Vec<Column>, StoreError> {
    let mut scan = Scan { declared, fields: HashMap::new() };
    let mut broken = None;
    let mut lines = BufReader::new(reader).lines().zip(1..);
    let values = std::iter::from_fn(|| {
        loop {
            let (line, number) = lines.next()?;
            return match scan.value_of(line, number) {
                Ok(None) => continue,
                Ok(Some(value)) => Some(Ok(value)),
                Err(error) => {
                    broken = Some(error);
                    Some(Err(ArrowError::JsonError(String::new())))
                }
            };
        }
    });
    let inferred = infer_json_schema_from_iterator(values);
    match (broken, inferred) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(StoreError::new(codes::BAD_ROW, error.to_string())),
        (None, Ok(schema)) => Ok(scan.into_columns(&schema)),
    }
}

/// The state of looking through one file.
struct Scan {
    declared: Vec<(String, DataType)>,
    fields: HashMap<String, (Guess, JsonKind, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonKind {
    Text,
    Number,
    Boolean,
    Nested,
}

impl Scan {
    /// The object of a line, without the fields whose types are declared; `None` for a blank line.
    fn value_of(&mut self, line: std::io::Result<String>, number: u64) -> Result<Option<Value>, StoreError> {
        let line = line.map_err(|e| StoreError::new(codes::FILE_UNREADABLE, e.to_string()).at_row(number))?;
        if line.trim().is_empty() {
            return Ok(None);
        }
        let bad = |reason: String| StoreError::new(codes::BAD_ROW, reason).at_row(number);
        match serde_json::from_str(&line) {
            Ok(Value::Object(object)) => {
                for (name, value) in &object {
                    self.field(name, value, number).map_err(|error| error.at_row(number))?;
                }
                Ok(Some(Value::Object(object)))
            }
            Ok(_) => Err(bad("the line is not a JSON object; each line must hold one".to_string())),
            Err(error) => Err(bad(format!("the line is not a JSON object: {error}"))),
        }
    }

    fn field(&mut self, name: &str, value: &Value, line: u64) -> Result<(), StoreError> {
        if let Some(data_type) = declared_type(&self.declared, name) {
            return check_declared(value, name, data_type);
        }
        let kind = match value {
            Value::Null => return Ok(()),
            Value::String(_) => JsonKind::Text,
            Value::Number(_) => JsonKind::Number,
            Value::Bool(_) => JsonKind::Boolean,
            Value::Array(_) | Value::Object(_) => JsonKind::Nested,
        };
        let (guess, known, first) = self.fields.entry(name.to_string()).or_insert((Guess::default(), kind, line));
        if *known != kind {
            let reason = format!("`{name}` is {} here and {} in row {first}", kind.words(), known.words());
            return Err(
                StoreError::new(codes::BAD_ROW, reason).help(format!("declare it: columns {{ {name} varchar }}"))
            );
        }
        if value.as_u64().is_some_and(|number| i64::try_from(number).is_err()) {
            return Err(StoreError::new(codes::VALUE_MISFIT, format!("{value} of `{name}` is beyond bigint"))
                .help(format!("declare a type that holds it: columns {{ {name} decimal(20,0) }}")));
        }
        if let Value::String(text) = value {
            guess.add(text);
        }
        Ok(())
    }

    fn into_columns(mut self, schema: &Schema) -> Vec<Column> {
        let column = |field: &Arc<Field>| Column {
            name: field.name().clone(),
            json_type: field.data_type().clone(),
            texts: self.fields.remove(field.name()).map(|(guess, ..)| guess).unwrap_or_default(),
        };
        schema.fields().iter().map(column).collect()
    }
}

impl JsonKind {
    fn words(self) -> &'static str {
        match self {
            JsonKind::Text => "text",
            JsonKind::Number => "a number",
            JsonKind::Boolean => "a truth value",
            JsonKind::Nested => "nested",
        }
    }
}

/// Scalars must fit the declared type; lists and objects are the reader's business.
fn check_declared(value: &Value, name: &str, data_type: &DataType) -> Result<(), StoreError> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => Ok(()),
        Value::String(text) => check_field(text, name, data_type),
        other => check_field(&other.to_string(), name, data_type),
    }
}
