//! Where the condition of an alert holds: its test and the two sides of the comparison, asked like any indicators.

use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};
use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::cells::{Cells, Key};
use super::question::{Asked, Side};
use super::span::Span;
use super::{Analysis, Model};
use crate::catalog::alert::{Alert, Condition};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::Input;
use crate::catalog::stretch::containing;
use crate::catalog::{Catalog, DimensionId};
use crate::error::Result;

/// The last periods of a grain that had ended by an instant, the latest first.
pub fn ended(catalog: &Catalog, grain: Grain, as_of: NaiveDateTime, count: u32) -> Vec<Span> {
    let running = containing(grain, as_of, &catalog.calendar).map(|running| running.start);
    let before = |start: &NaiveDateTime| {
        let period = containing(grain, start.checked_sub_signed(TimeDelta::nanoseconds(1))?, &catalog.calendar)?;
        Some(period.start)
    };
    let starts: Vec<NaiveDateTime> = std::iter::successors(running, before).take(count as usize + 1).collect();
    starts.windows(2).map(|pair| Span::between(pair[1], pair[0])).collect()
}

/// What answers where a condition holds in each of the last periods.
///
/// # Errors
/// A diagnostic, if the indicators cannot be asked so.
pub fn prepare(model: &Model<'_>, alert: &Alert, condition: &Condition, as_of: NaiveDateTime) -> Result<Analysis> {
    let catalog = model.catalog;
    let package = &catalog.indicator(alert.of).item.package;
    // At least two, so that they are groups of one question: in it `previous period` is the period before, not as many days.
    let spans = ended(catalog, condition.every, as_of, alert.periods.max(2));
    let by: Vec<(String, Input)> = alert.by.iter().map(|id| (name_of(catalog, *id, package), whole(*id))).collect();
    let all: Vec<usize> = (0..by.len()).collect();
    let side = |span: &Span| Side { span: Some(*span), conditions: condition.conditions.clone() };
    let asked = Asked {
        catalog: Arc::clone(catalog),
        package: alert.item.package.clone(),
        by: by.clone(),
        sets: vec![all.clone()],
        indicators: [condition.test, condition.value].into_iter().chain(condition.limit).collect(),
        sides: spans.iter().map(side).collect(),
        first: 0,
    };
    let questions = asked.questions(model.options)?;
    let spares = if by.is_empty() { asked.spares(model.options)? } else { vec![] };
    let by = by.into_iter().map(|(name, _)| name).collect();
    Ok(Analysis {
        questions,
        spares,
        answer: Arc::new(Held { condition: condition.clone(), by, all, periods: alert.periods as usize }),
    })
}

/// The name by which a dimension is asked from a package.
pub fn name_of(catalog: &Catalog, id: DimensionId, package: &str) -> String {
    let item = &catalog.dimension(id).item;
    let plain =
        |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(char::is_numeric);
    let written = |name: &str| match plain(name) {
        true => name.to_string(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    };
    match item.package == package {
        true => written(&item.name),
        false => format!("{}.{}", written(&item.package), written(&item.name)),
    }
}

fn whole(id: DimensionId) -> Input {
    Input::Dimension(id, TimePart::Whole)
}

/// The slices in which a condition holds.
#[derive(Debug)]
struct Held {
    condition: Condition,
    by: Vec<String>,
    all: Vec<usize>,
    periods: usize,
}

impl Held {
    /// Whether it holds in all periods.
    fn holds(&self, cells: &Cells, key: &Key) -> bool {
        (0..self.periods).all(|side| cells.value(side, &self.all, key, self.condition.test) == Some(1.0))
    }
}

impl super::Answer for Held {
    fn schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = self.by.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        fields.extend(["value", "limit"].map(|name| Field::new(name, DataType::Float64, true)));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let keys: Vec<Key> = cells.slices(&self.all).into_iter().filter(|key| self.holds(cells, key)).collect();
        let mut columns: Vec<ArrayRef> = (0..self.by.len())
            .map(|at| Arc::new(StringArray::from_iter(keys.iter().map(|key| key[at].clone()))) as ArrayRef)
            .collect();
        let value = |id| Float64Array::from_iter(keys.iter().map(|key| cells.value(0, &self.all, key, id)));
        columns.push(Arc::new(value(self.condition.value)));
        columns.push(match self.condition.limit {
            Some(limit) => Arc::new(value(limit)),
            None => Arc::new(Float64Array::from(vec![None; keys.len()])),
        });
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
