//! A question to Bellwether beside hand-written SQL on the plain tables: both must give the same rows in the same order.

use bellwether::Engine;
use bellwether::diagnostic::render;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;

/// Two ways to ask the same thing. Both order their rows completely.
pub struct Pair {
    pub name: &'static str,
    pub ours: &'static str,
    pub plain: &'static str,
}

/// Doubles are summed in whatever order the rows arrive, so their last digits may differ; everything else is exact.
const TOLERANCE: f64 = 1e-12;

/// Asks all, and fails with everything that differs.
pub async fn assert_all_equal(engine: &Engine, plain: &SessionContext, pairs: &[Pair]) {
    let mut failures = Vec::new();
    for pair in pairs {
        if let Err(difference) = compare(engine, plain, pair).await {
            failures.push(format!("{}: {difference}\n{}\n", pair.name, pair.ours));
        }
    }
    assert!(failures.is_empty(), "{} of {} differ\n\n{}", failures.len(), pairs.len(), failures.join("\n"));
}

/// Runs the hand-written side alone: each of them has rows to compare with.
pub async fn assert_plain_answers(plain: &SessionContext, pairs: &[Pair]) {
    let mut failures = Vec::new();
    for pair in pairs {
        match ask_plain(plain, pair.plain).await {
            Ok(rows) if rows.is_empty() => {
                failures.push(format!("{}: no rows, so nothing would be compared", pair.name))
            }
            Ok(_) => {}
            Err(error) => failures.push(format!("{}: {error}", pair.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn compare(engine: &Engine, plain: &SessionContext, pair: &Pair) -> Result<(), String> {
    let ours = ask_bell(engine, pair.ours).await?;
    let theirs = ask_plain(plain, pair.plain).await?;
    if ours.len() != theirs.len() {
        return Err(format!("{} rows instead of {}", ours.len(), theirs.len()));
    }
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        if ours.len() != theirs.len() || !ours.iter().zip(theirs).all(|(ours, theirs)| ours.equals(theirs)) {
            return Err(format!("row {at}\n   is {ours:?}\n  not {theirs:?}"));
        }
    }
    Ok(())
}

async fn ask_bell(engine: &Engine, question: &str) -> Result<Vec<Vec<Cell>>, String> {
    let answer = async { Ok(rows(&engine.sql(question).await?.collect().await?)) };
    answer.await.map_err(|error| match error {
        bellwether::Error::Diagnostics(list) => {
            let sources = engine.sources_with(question);
            list.iter().map(|diagnostic| render::to_text(&sources, diagnostic, false)).collect()
        }
        other => format!("{other}"),
    })
}

async fn ask_plain(plain: &SessionContext, question: &str) -> Result<Vec<Vec<Cell>>, String> {
    let answer = async { Ok(rows(&plain.sql(question).await?.collect().await?)) };
    answer.await.map_err(|error: datafusion::error::DataFusionError| error.to_string())
}

/// A value, as far as it is compared.
#[derive(Debug)]
enum Cell {
    Null,
    Double(f64),
    Exact(String),
}

impl Cell {
    fn equals(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Null, Cell::Null) => true,
            (Cell::Double(a), Cell::Double(b)) => a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
            (Cell::Exact(a), Cell::Exact(b)) => a == b,
            _ => false,
        }
    }
}

fn rows(batches: &[RecordBatch]) -> Vec<Vec<Cell>> {
    let row = |batch: &RecordBatch, at: usize| batch.columns().iter().map(|column| cell(column, at)).collect();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

/// A day is a day, whether its type is a date or a timestamp at midnight.
fn cell(column: &ArrayRef, at: usize) -> Cell {
    if column.is_null(at) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Float64 => Cell::Double(column.as_primitive::<Float64Type>().value(at)),
        DataType::Date32 | DataType::Timestamp(..) => {
            let moment = cast(&column.slice(at, 1), &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
            Cell::Exact(array_value_to_string(&moment, 0).unwrap())
        }
        _ => Cell::Exact(array_value_to_string(column, at).unwrap()),
    }
}
