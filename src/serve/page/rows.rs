//! The rows of an answer, few enough to be looked at.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;

use crate::engine::Question;
use crate::serve::failed::Failed;
use crate::serve::http::Refusal;
use crate::serve::session::Session;

/// As many rows are shown; of more it is said that there are more.
pub(super) const SHOWN: usize = 500;

/// A part of an answer.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Whether there are others.
    pub(super) more: bool,
}

/// A value.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// In full; `None` for NULL.
    pub(super) text: Option<String>,
    /// If it is one.
    pub(super) number: Option<f64>,
}

impl Rows {
    /// The values of a column by its name; nothing, where there is none.
    pub(super) fn cell(&self, row: usize, name: &str) -> &Cell {
        static NONE: Cell = Cell { text: None, number: None };
        let at = self.names.iter().position(|known| known == name);
        at.and_then(|at| self.rows.get(row)?.get(at)).unwrap_or(&NONE)
    }

    /// A text of a row; empty for NULL.
    pub(super) fn text(&self, row: usize, name: &str) -> &str {
        self.cell(row, name).text.as_deref().unwrap_or_default()
    }

    /// A number of a row.
    pub(super) fn number(&self, row: usize, name: &str) -> Option<f64> {
        self.cell(row, name).number
    }

    /// The numbers of its rows.
    pub(super) fn indices(&self) -> std::ops::Range<usize> {
        0..self.rows.len()
    }
}

/// As many rows may a chart or a list be made of: of a part of them it would be another one.
const MOST: usize = 5000;

/// Asks, and takes the whole answer.
pub(super) async fn ask(session: &Arc<Session>, question: Question) -> Result<Rows, Refusal> {
    let rows = first(session, question, MOST).await?;
    match rows.more {
        false => Ok(rows),
        true => Err(Failed::TooManyRows(MOST).into()),
    }
}

/// Asks, and takes the first rows of the answer.
pub(super) async fn first(session: &Arc<Session>, question: Question, most: usize) -> Result<Rows, Refusal> {
    let planned = session.plan(question).await?;
    let mut answer = session.run(&planned, None)?;
    let names = answer.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut found = Rows { names, ..Rows::default() };
    while let Some(batch) = answer.next().await.transpose()? {
        let columns = batch.columns().iter().map(cells).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(|error| Failed::Internal(error.to_string()))?;
        for row in 0..batch.num_rows() {
            if found.rows.len() == most {
                found.more = true;
                return Ok(found);
            }
            found.rows.push(columns.iter().map(|column| column[row].clone()).collect());
        }
    }
    Ok(found)
}

/// The same for a statement.
pub(super) async fn ask_sql(session: &Arc<Session>, statement: &str) -> Result<Rows, Refusal> {
    ask(session, Question::sql(statement)).await
}

fn cells(column: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let options = FormatOptions::new();
    let texts = ArrayFormatter::try_new(column, &options)?;
    let numbers = match column.data_type().is_numeric() {
        true => Some(cast(column, &DataType::Float64)?),
        false => None,
    };
    let cell = |row: usize| match column.is_null(row) {
        true => Ok(Cell::default()),
        false => Ok(Cell {
            text: Some(texts.value(row).try_to_string()?),
            number: numbers.as_ref().map(|numbers| numbers.as_primitive::<Float64Type>().value(row)),
        }),
    };
    (0..column.len()).map(cell).collect()
}
