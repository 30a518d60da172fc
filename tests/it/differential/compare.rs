//! Batches as [`Value`]s, and when two answers are the same.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use super::naive::Rows;
use super::value::Value;

/// The rows of batches.
pub fn rows(batches: &[RecordBatch]) -> Result<Rows, String> {
    let mut all = vec![];
    for batch in batches {
        let columns = batch.columns().iter().map(|c| column(c.as_ref())).collect::<Result<Vec<_>, _>>()?;
        all.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c[row].clone()).collect()));
    }
    Ok(all)
}

fn column(array: &dyn Array) -> Result<Vec<Value>, String> {
    let wide = match array.data_type() {
        DataType::Null => return Ok(vec![Value::Null; array.len()]),
        DataType::Decimal128(..) | DataType::Boolean => array.data_type().clone(),
        DataType::Decimal256(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal32(_, scale) => {
            DataType::Decimal128(38, *scale)
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        numbers if numbers.is_integer() => DataType::Int64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => DataType::Utf8,
        other => return Err(format!("a column of type {other}")),
    };
    let array = cast(array, &wide).map_err(|e| e.to_string())?;
    let of = |value: &dyn Fn(usize) -> Value| -> Vec<Value> {
        (0..array.len()).map(|at| if array.is_null(at) { Value::Null } else { value(at) }).collect()
    };
    Ok(match wide {
        DataType::Decimal128(_, scale) => {
            let numbers = array.as_primitive::<Decimal128Type>();
            of(&|at| Value::Dec(numbers.value(at), scale as u32))
        }
        DataType::Boolean => of(&|at| Value::Bool(array.as_boolean().value(at))),
        DataType::Float64 => of(&|at| Value::Double(array.as_primitive::<Float64Type>().value(at))),
        DataType::Date32 => of(&|at| Value::Date(array.as_primitive::<Date32Type>().value(at).into())),
        DataType::Int64 => of(&|at| Value::Int(array.as_primitive::<Int64Type>().value(at).into())),
        DataType::Utf8 => of(&|at| Value::text(array.as_string::<i32>().value(at))),
        _ => of(&|at| Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(at))),
    })
}

/// The first thing that differs. Unordered answers are compared as bags.
pub fn difference(expected: &Rows, actual: &Rows, ordered: bool) -> Option<String> {
    if expected.len() != actual.len() {
        return Some(format!("{} rows are due, {} came", expected.len(), actual.len()));
    }
    if ordered {
        return expected
            .iter()
            .zip(actual)
            .enumerate()
            .find(|(_, (a, b))| !same(a, b))
            .map(|(at, (a, b))| format!("row {}: ({}) is due, ({}) came", at + 1, line(a), line(b)));
    }
    let mut left: Vec<&Vec<Value>> = actual.iter().collect();
    for row in expected {
        match left.iter().position(|other| same(row, other)) {
            Some(at) => drop(left.swap_remove(at)),
            None => return Some(format!("({}) is due and did not come", line(row))),
        }
    }
    None
}

fn same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
}

/// Numbers may have different types; doubles may differ in the last digits.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(_), _) | (_, Value::Double(_)) => match (a.double(), b.double()) {
            (Some(a), Some(b)) => a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0),
            _ => false,
        },
        _ => a.canonical() == b.canonical(),
    }
}

/// Rows as text, a line each.
pub fn text(rows: &Rows) -> String {
    rows.iter().map(|row| format!("    {}\n", line(row))).collect()
}

fn line(row: &[Value]) -> String {
    row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_and_lists() {
        let a = vec![vec![Value::Int(1)], vec![Value::Dec(250, 2)]];
        let b = vec![vec![Value::Double(2.5)], vec![Value::Double(1.0 + 1e-14)]];
        assert_eq!(difference(&a, &b, false), None);
        assert!(difference(&a, &b, true).is_some());
        assert!(difference(&a, &vec![], true).is_some());
        let (date, time) = (vec![vec![Value::Date(0)]], vec![vec![Value::Time(0)]]);
        assert!(difference(&date, &time, true).is_some(), "a date is not a time");
    }
}
