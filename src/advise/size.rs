//! How large a rollup would be: how many cells its rows fall into, counted by sketches in one pass, and what each takes.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::functions::core::r#struct;
use datafusion::functions::string::expr_fn::octet_length;
use datafusion::functions_aggregate::expr_fn::{approx_distinct, avg};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::prelude::DataFrame;

use crate::engine::Engine;
use crate::plan::cells::Cells;
use crate::plan::whole_source;

/// What the figures rest on, for whoever reads them.
pub(super) const RESTS_ON: &str = "cells are counted by HyperLogLog (about 2 %) over the rows as they are now; bytes are \
                                   those of keys and states before compression";

/// What a text takes, where nobody knows.
const TEXT: f64 = 16.0;

/// A sketch as DataFusion keeps it.
const SKETCH: f64 = 16_384.0;

/// How large a table of a rollup would be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) cells: u64,
    pub(super) bytes: u64,
}

/// What has been counted; tables with the same rows and keys are counted once.
pub(super) struct Sizes<'e> {
    engine: &'e Engine,
    rows: HashMap<u32, u64>,
    known: HashMap<String, Size>,
}

impl<'e> Sizes<'e> {
    pub(super) fn of(engine: &'e Engine) -> Self {
        Sizes { engine, rows: HashMap::new(), known: HashMap::new() }
    }

    /// The rows of a source: what a question costs that no rollup answers.
    pub(super) async fn rows(&mut self, source: crate::catalog::SourceId) -> Result<u64> {
        if let Some(rows) = self.rows.get(&source.0) {
            return Ok(*rows);
        }
        let frame = DataFrame::new(self.engine.context().state(), whole_source(self.engine.catalog(), source)?);
        let rows = frame.count().await? as u64;
        self.rows.insert(source.0, rows);
        Ok(rows)
    }

    /// The size of a table that a rollup would store.
    pub(super) async fn table(&mut self, table: &Cells) -> Result<Size> {
        let LogicalPlan::Aggregate(aggregate) = &table.plan else { return Ok(Size::default()) };
        let text = table.plan.display_indent().to_string();
        if let Some(size) = self.known.get(&text) {
            return Ok(*size);
        }
        let size = self.counted(aggregate).await?;
        self.known.insert(text, size);
        Ok(size)
    }

    async fn counted(&self, aggregate: &Aggregate) -> Result<Size> {
        let keys: Vec<Expr> = aggregate.group_expr.iter().cloned().map(Expr::unalias).collect();
        let schema = aggregate.input.schema();
        let types = keys.iter().map(|key| key.get_type(schema)).collect::<Result<Vec<_>>>()?;
        // Cells, then the lengths of texts among the keys, then the values that distinct counts keep.
        let mut asked = vec![combinations(keys.clone())];
        let texts = keys.iter().zip(&types).filter(|(_, kind)| is_text(kind));
        asked.extend(texts.map(|(key, _)| avg(octet_length(key.clone()))));
        let kept: Vec<(&Expr, Option<f64>)> =
            aggregate.aggr_expr.iter().map(|state| (state, self.width(state))).collect();
        let sets = kept.iter().filter(|(_, width)| width.is_none()).map(|(state, _)| kept_values(state));
        let sets: Vec<Vec<Expr>> = sets.collect();
        asked.extend(sets.iter().map(|values| combinations(keys.iter().chain(values).cloned().collect())));
        let found = self.numbers(&aggregate.input, asked).await?;
        let mut found = found.into_iter();
        let mut next = || found.next().flatten();
        let cells = next().unwrap_or(0.0);
        let mut bytes = 0.0;
        for kind in &types {
            bytes += cells * if is_text(kind) { next().unwrap_or(TEXT) + 4.0 } else { width_of(kind) };
        }
        bytes += cells * kept.iter().filter_map(|(_, width)| *width).sum::<f64>();
        for values in &sets {
            let width = values.iter().map(|value| value.get_type(schema).map(|kind| width_of(&kind)));
            bytes += next().unwrap_or(0.0) * width.sum::<Result<f64>>()?;
        }
        Ok(Size { cells: cells as u64, bytes: bytes as u64 })
    }

    /// What a state takes; `None`: it keeps the values that were seen.
    fn width(&self, state: &Expr) -> Option<f64> {
        let Expr::AggregateFunction(call) = state.clone().unalias() else { return Some(8.0) };
        match call.func.name() {
            "bell_state_of_count_distinct" => None,
            "bell_state_of_approx_distinct" => Some(SKETCH),
            "sum" => Some(16.0),
            "bell_state_of_avg" => Some(24.0),
            _ => Some(8.0),
        }
    }

    async fn numbers(&self, rows: &LogicalPlan, asked: Vec<Expr>) -> Result<Vec<Option<f64>>> {
        let aliased = asked.into_iter().enumerate().map(|(at, expr)| expr.alias(format!("a{at}"))).collect();
        let frame = DataFrame::new(self.engine.context().state(), rows.clone()).aggregate(vec![], aliased)?;
        let batches = frame.collect().await?;
        let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(vec![]) };
        (0..batch.num_columns()).map(|at| number(batch, at)).collect()
    }
}

fn number(batch: &RecordBatch, column: usize) -> Result<Option<f64>> {
    let values = cast(batch.column(column), &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    Ok(values.is_valid(0).then(|| values.value(0)))
}

/// How many combinations of values there are. NULL is one of the values, and so it is within a structure.
fn combinations(values: Vec<Expr>) -> Expr {
    match values.is_empty() {
        true => approx_distinct(lit(1_i64)),
        false => approx_distinct(r#struct().call(values)),
    }
}

/// The values of which a distinct count keeps those that were seen.
fn kept_values(state: &Expr) -> Vec<Expr> {
    match state.clone().unalias() {
        Expr::AggregateFunction(call) => call.params.args,
        _ => vec![],
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn width_of(kind: &DataType) -> f64 {
    kind.primitive_width().map_or(TEXT, |width| width as f64)
}
