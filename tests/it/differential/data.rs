//! Rows for a model, and the files they are written to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;

use super::dice::Dice;
use super::model::{Format, Model, Role, Source, Table, Ty};
use super::value::Value;

/// Random rows for every source; computed columns stay NULL.
pub fn draw(dice: &mut Dice, model: &Model) -> Vec<Table> {
    let mut tables: Vec<Table> = vec![vec![]; model.sources.len()];
    // Sources refer to later ones only, so that what is referred to is there already.
    for at in (0..model.sources.len()).rev() {
        tables[at] = draw_table(dice, &model.sources[at], &tables);
    }
    tables
}

fn draw_table(dice: &mut Dice, source: &Source, others: &[Table]) -> Table {
    let size = match dice.below(10) {
        0 => 0,
        1 => 1,
        2 | 3 => dice.between(15, 25),
        _ => dice.between(2, 12),
    };
    let mut keys = BTreeSet::new();
    let mut rows: Table = vec![];
    for _ in 0..size {
        let mut row = draw_row(dice, source, others);
        if dice.percent(10)
            && let Some(same) = rows.last()
        {
            row = same.clone();
        }
        let key = |row: &[Value]| -> Vec<String> {
            let parts = row.iter().zip(&source.columns).filter(|(_, c)| c.role == Role::Key);
            parts.map(|(v, _)| v.canonical()).collect()
        };
        let keyed = source.columns.iter().any(|c| c.role == Role::Key);
        for (value, column) in row.iter_mut().zip(&source.columns) {
            if column.role == Role::Key {
                *value = key_value(dice, column.ty);
            }
        }
        if !keyed || keys.insert(key(&row)) {
            rows.push(row);
        }
    }
    rows
}

fn key_value(dice: &mut Dice, ty: Ty) -> Value {
    match ty {
        Ty::Text => Value::Text(format!("{}{}", dice.pick(&["k", "键"]), dice.between(1, 9))),
        _ => Value::Int(dice.between(1, 30).into()),
    }
}

fn draw_row(dice: &mut Dice, source: &Source, others: &[Table]) -> Vec<Value> {
    let mut row: Vec<Value> = source.columns.iter().map(|c| plain(dice, c.computed.is_some(), c.role, c.ty)).collect();
    // Columns of one join come from one row, so that composite keys match.
    for join in &source.joins {
        let target = &others[join.target];
        let chosen = if target.is_empty() || dice.percent(12) { None } else { Some(dice.below(target.len())) };
        for (own, their) in &join.on {
            if let (Some(chosen), Role::Refers(..)) = (chosen, source.columns[*own].role) {
                row[*own] = target[chosen][*their].clone();
            }
        }
    }
    row
}

/// A value, or NULL; for a column that refers somewhere, perhaps an orphan.
fn plain(dice: &mut Dice, computed: bool, role: Role, ty: Ty) -> Value {
    match role {
        _ if computed => Value::Null,
        Role::Key => Value::Null,
        _ if dice.percent(if role == Role::Plain { 15 } else { 40 }) => Value::Null,
        Role::Refers(..) => key_value(dice, ty),
        Role::Plain => dice.value(ty),
    }
}

/// Writes the project: its text and its data.
pub fn write(folder: &FilePath, text: &str, model: &Model, data: &[Table]) -> std::io::Result<()> {
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
                parquet(&path("").join("1.parquet"), source, &rows[..half])?;
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
