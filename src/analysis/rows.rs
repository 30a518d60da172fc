//! The rows of an explanation.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;

use super::effects::Method;

/// What is remarkable about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The rates of the slices moved one way and the whole the other: the mix did it.
    Simpson,
    /// The parts moved much more than the whole, against each other.
    Offsetting,
    /// It was not there before.
    Entry,
    /// It is not there any more.
    Exit,
    /// What several slices count, and the whole counts once.
    Overlap,
    /// Nothing says which of its parts did what.
    Undefined,
    /// The formula leaves it open: it is an identity only within its tolerance.
    Unexplained,
}

impl Flag {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Simpson => "simpson",
            Flag::Offsetting => "offsetting",
            Flag::Entry => "entry",
            Flag::Exit => "exit",
            Flag::Overlap => "overlap",
            Flag::Undefined => "undefined",
            Flag::Unexplained => "unexplained",
        }
    }
}

/// A row of an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What the change is broken down by: `tree`, or dimensions. The rows of one breakdown belong together.
    pub breakdown: String,
    /// The part: `gmv / visitors`, `channel = online`.
    pub path: String,
    /// 0 for the whole; the rows of the next level add up to it.
    pub level: i32,
    /// Its value on the base's side.
    pub base: Option<f64>,
    /// Its value on the current side.
    pub current: Option<f64>,
    /// How much of the whole's change it is.
    pub effect: f64,
    /// Of a slice of a ratio: by its own rate.
    pub rate: Option<f64>,
    /// Of a slice of a ratio: by its weight.
    pub mix: Option<f64>,
    /// How it was found.
    pub method: Option<Method>,
    /// What is remarkable.
    pub flags: Vec<Flag>,
}

/// The columns of an explanation.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("breakdown"),
        text("path"),
        Field::new("level", DataType::Int32, false),
        number("base"),
        number("current"),
        number("effect"),
        number("rate"),
        number("mix"),
        number("share"),
        number("points"),
        text("method"),
        text("flags"),
    ]))
}

/// The rows as a batch; `whole` is the base's value and the change of the whole, of which shares are taken.
///
/// # Errors
/// None that a caller could bring about.
pub fn to_batch(rows: &[Row], whole: (f64, f64)) -> Result<RecordBatch> {
    let (base, change) = whole;
    let texts =
        |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let numbers = |of: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
        // Zero has no sign for people.
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| of(row).map(|number| number + 0.0))))
    };
    let flags = |row: &Row| {
        let names: Vec<&str> = row.flags.iter().map(|flag| flag.name()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    Ok(RecordBatch::try_new(
        schema(),
        vec![
            texts(&|row| Some(row.breakdown.clone())),
            texts(&|row| Some(row.path.clone())),
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.level))),
            numbers(&|row| row.base),
            numbers(&|row| row.current),
            numbers(&|row| Some(row.effect)),
            numbers(&|row| row.rate),
            numbers(&|row| row.mix),
            numbers(&|row| (change != 0.0).then(|| row.effect / change)),
            numbers(&|row| (base != 0.0).then(|| 100.0 * row.effect / base.abs())),
            texts(&|row| row.method.map(|method| method.name().to_string())),
            texts(&flags),
        ],
    )?)
}
