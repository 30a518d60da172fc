//! Rows that come later than a `lookback` says: the files that are new have them, and the periods that a run computes anew
//! do not.

use std::collections::BTreeSet;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, ExprSchema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::DataFrame;
use serde_json::Value;

use super::late::{asked_for, facts, last_whole, versions};
use super::question::{Range, frame_of};
use crate::catalog::publication::Publication;
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::request::instant;
use crate::store::inputs::{inputs_of, only_files_of};
use crate::store::manifest::{InputFile, Made, Manifest};

/// What new files have beside the periods of a range.
#[derive(Default)]
pub(super) struct Late {
    /// The periods before it of which they have rows.
    pub periods: Vec<String>,
    /// Whether they have rows of no period.
    pub of_none: bool,
}

/// The same of files that are new since the last run that looked for them. What a backfill has taken in since is not late.
///
/// # Errors
/// If these files cannot be read.
pub(super) async fn came_late(
    engine: &Engine,
    publication: &Publication,
    before: &Manifest,
    range: &Range,
) -> Result<Late> {
    let frame = frame_of(engine, &by_period(publication, &range.column), None)?;
    let Some(whole) = last_whole(before) else { return Ok(Late::default()) };
    let (then, now) = (versions(&whole.inputs), versions(&inputs_of(frame.logical_plan())?));
    let counted: BTreeSet<String> =
        facts(engine.catalog(), publication, &now).into_iter().filter(|source| now.contains_key(source)).collect();
    let is_new = |source: &str, file: &InputFile| !then.get(source).is_some_and(|known| known.contains(file));
    let Some(plan) = only_files_of(frame.logical_plan(), &counted, is_new)? else { return Ok(Late::default()) };
    let rows = DataFrame::new(engine.context().state(), periods_beside(plan, range)?).collect().await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => return Err(engine.explained(error).await),
    };
    let (mut periods, of_none) = texts_of(&rows)?;
    let has_all = |made: &Made| {
        let read = versions(&made.inputs);
        asked_for(made) && counted.iter().all(|source| now.get(source) == read.get(source))
    };
    let backfills = before.runs.iter().filter(|made| has_all(made)).map(|made| made.run.as_str()).collect();
    periods.retain(|period| !is_made_by(before, &range.column, period, &backfills));
    Ok(Late { periods: periods.into_iter().collect(), of_none })
}

/// A publication by its periods alone: what only the other keys need is not read.
fn by_period(publication: &Publication, column: &str) -> Publication {
    let by = publication.by.iter().filter(|(name, _)| name == column).cloned().collect();
    Publication { by, partitions: vec![0], ..publication.clone() }
}

/// The periods of a plan's rows that are before a range, or NULL.
fn periods_beside(plan: LogicalPlan, range: &Range) -> Result<LogicalPlan> {
    let column = Column::from(plan.schema().qualified_field_with_unqualified_name(&range.column)?);
    let period = Expr::Column(column.clone());
    let data_type = plan.schema().field_from_column(&column)?.data_type().clone();
    let before = range.start.map(|start| period.clone().lt(instant(start, &data_type)));
    let beside = before.into_iter().fold(period.clone().is_null(), Expr::or);
    Ok(LogicalPlanBuilder::from(plan).filter(beside)?.project([period])?.distinct()?.build()?)
}

/// The values of the only column in order, as folders are named by them, and whether there is a NULL.
fn texts_of(rows: &[RecordBatch]) -> Result<(BTreeSet<String>, bool)> {
    let (mut found, mut has_null) = (BTreeSet::new(), false);
    let format = FormatOptions::new();
    for batch in rows {
        let column = batch.column(0);
        let texts = ArrayFormatter::try_new(column.as_ref(), &format).map_err(DataFusionError::from)?;
        has_null |= column.null_count() > 0;
        let valid = (0..column.len()).filter(|row| column.is_valid(*row));
        found.extend(valid.map(|row| texts.value(row).to_string()));
    }
    Ok((found, has_null))
}

/// Whether all files of a period are of these runs.
fn is_made_by(before: &Manifest, column: &str, period: &str, runs: &BTreeSet<&str>) -> bool {
    let is_of = |value: Option<&Value>| value.and_then(Value::as_str) == Some(period);
    let mut files = before.files.iter().filter(|file| is_of(file.partition.get(column))).peekable();
    files.peek().is_some() && files.all(|file| runs.contains(file.run.as_str()))
}
