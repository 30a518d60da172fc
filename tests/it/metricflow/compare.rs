//! Results beside expected ones, by the rules of MetricFlow's runner: columns by name, rows in any order unless
//! `ordered`, numbers at a relative 1e-6.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use super::Rows;

const TOLERANCE: f64 = 1e-6;

/// A file in `expected/`.
#[derive(Debug, Deserialize)]
pub struct Expected {
    #[serde(default)]
    ordered: bool,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
}

impl Expected {
    /// Rows in any order.
    #[cfg(test)]
    pub fn of(rows: &Rows) -> Expected {
        let columns = rows.columns.iter().map(|name| Column { name: name.clone() }).collect();
        Expected { ordered: false, columns, rows: rows.rows.clone() }
    }
}

/// What differs, in one sentence.
pub fn difference(expected: &Expected, got: &Rows) -> Option<String> {
    let names: Vec<&str> = expected.columns.iter().map(|column| column.name.as_str()).collect();
    let place = |name: &&str| got.columns.iter().position(|column| column == name);
    let places: Option<Vec<usize>> = names.iter().map(place).collect();
    let Some(places) = places.filter(|places| places.len() == got.columns.len()) else {
        return Some(format!("columns: expected {names:?}, got {:?}", got.columns));
    };
    if got.rows.len() != expected.rows.len() {
        return Some(
            format!("rows: expected {}, got {}", expected.rows.len(), got.rows.len())
                + &first_stray(expected, got, &places),
        );
    }
    let mut rows: Vec<Vec<Value>> =
        got.rows.iter().map(|row| places.iter().map(|at| row[*at].clone()).collect()).collect();
    let mut wanted = expected.rows.clone();
    if !expected.ordered {
        rows.sort_by(|a, b| order(a, b));
        wanted.sort_by(|a, b| order(a, b));
    }
    let stray = wanted.iter().zip(&rows).find(|(want, got)| !same(want, got));
    let (want, found) = stray?;
    if expected.ordered || !pair_up(&wanted, &rows) {
        return Some(format!("expected {}, got {} ({names:?})", Value::from(want.clone()), Value::from(found.clone())));
    }
    None
}

/// Rounding may have put close rows in another order.
fn pair_up(wanted: &[Vec<Value>], rows: &[Vec<Value>]) -> bool {
    let mut left: Vec<&Vec<Value>> = rows.iter().collect();
    wanted.iter().all(|want| match left.iter().position(|got| same(want, got)) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => false,
    })
}

/// A row that only one side has.
fn first_stray(expected: &Expected, got: &Rows, places: &[usize]) -> String {
    let rows: Vec<Vec<Value>> = got.rows.iter().map(|row| places.iter().map(|at| row[*at].clone()).collect()).collect();
    let missing = expected.rows.iter().find(|want| !rows.iter().any(|row| same(want, row)));
    let extra = rows.iter().find(|row| !expected.rows.iter().any(|want| same(want, row)));
    let told = |word: &str, row: Option<&Vec<Value>>| {
        row.map(|row| format!("; {word} {}", Value::from(row.clone()))).unwrap_or_default()
    };
    told("missing", missing) + &told("too much", extra)
}

fn same(a: &[Value], b: &[Value]) -> bool {
    a.iter().zip(b).all(|(a, b)| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
        _ => a == b,
    })
}

fn order(a: &[Value], b: &[Value]) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        _ => 3,
    };
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
                (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
                (Value::Number(a), Value::Number(b)) => rounded(a.as_f64()).total_cmp(&rounded(b.as_f64())),
                (a, b) => a.as_str().cmp(&b.as_str()),
            })
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Five digits, so that the last ones do not decide the order.
fn rounded(number: Option<f64>) -> f64 {
    let number = number.unwrap_or_default();
    format!("{number:.4e}").parse().unwrap_or(number)
}
