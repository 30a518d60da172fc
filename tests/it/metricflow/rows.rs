//! Rows as JSON values.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::prelude::DataFrame;
use serde_json::{Value, json};

/// A result.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    pub fn to_json(&self) -> String {
        json!({ "columns": self.columns, "rows": self.rows }).to_string()
    }
}

/// Runs a plan; its columns get these names.
pub async fn of(frame: DataFrame, columns: Vec<String>) -> Result<Rows, String> {
    let batches = frame.collect().await.map_err(|error| error.to_string().replace('\n', " "))?;
    let mut rows = Vec::new();
    for batch in batches {
        let cells: Vec<Vec<Value>> =
            batch.columns().iter().map(values).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        rows.extend((0..batch.num_rows()).map(|row| cells.iter().map(|column| column[row].clone()).collect()));
    }
    Ok(Rows { columns, rows })
}

fn values(array: &ArrayRef) -> Result<Vec<Value>, datafusion::arrow::error::ArrowError> {
    let each = |value: &dyn Fn(usize) -> Value| {
        (0..array.len()).map(|at| if array.is_null(at) { Value::Null } else { value(at) }).collect()
    };
    Ok(match array.data_type() {
        DataType::Boolean => each(&|at| Value::Bool(array.as_boolean().value(at))),
        whole if whole.is_integer() => {
            let numbers = cast(array, &DataType::Int64)?;
            each(&|at| json!(numbers.as_primitive::<Int64Type>().value(at)))
        }
        number if number.is_numeric() => {
            let numbers = cast(array, &DataType::Float64)?;
            each(&|at| double(numbers.as_primitive::<Float64Type>().value(at)))
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            let instants = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            each(&|at| instant(instants.as_primitive::<TimestampMicrosecondType>().value(at)))
        }
        _ => {
            let shown: Vec<String> =
                (0..array.len()).map(|at| array_value_to_string(array, at)).collect::<Result<_, _>>()?;
            each(&|at| Value::String(shown[at].clone()))
        }
    })
}

fn double(number: f64) -> Value {
    match number {
        number if number.is_nan() => json!("NaN"),
        number if number.is_infinite() => json!(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        number => json!(number),
    }
}

/// ISO with a `T`, and six digits below the second where there are any.
fn instant(microseconds: i64) -> Value {
    let Some(at) = chrono::DateTime::from_timestamp_micros(microseconds) else { return Value::Null };
    let whole = microseconds.rem_euclid(1_000_000) == 0;
    json!(at.naive_utc().format(if whole { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" }).to_string())
}
