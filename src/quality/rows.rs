//! What is expected of the rows of a source: all of it is counted in one question.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, DataFusionError, internal_datafusion_err};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::DataFrame;

use super::EXAMPLES;
use super::groups::{counted, finding};
use crate::catalog::SourceId;
use crate::catalog::expectation::{EveryRow, Expectation, Fresh, Subject};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::reach::append;
use crate::catalog::stretch::later;
use crate::catalog::time::wall_clock;
use crate::engine::{Engine, quality_tables};
use crate::error::Result;
use crate::plan::formulas::{Formulas, newest_of, rows_where};
use crate::store::manifest::{Finding, Kept};

/// What is found of expectations of one source, in their order.
pub(super) async fn found(
    engine: &Engine,
    source: SourceId,
    members: &[&Expectation],
    as_of: NaiveDateTime,
) -> Result<Vec<Finding>> {
    let catalog = engine.catalog();
    let mut formulas = Vec::new();
    for member in members {
        match &member.subject {
            Subject::Rows(rows) => {
                formulas.push(rows_where(source, all_of(rows.conditions.clone())));
                formulas.push(rows_where(source, all_of(breaking(rows))));
            }
            _ => formulas.extend(newest_of(catalog, source)),
        }
    }
    let answer = match formulas.is_empty() {
        true => None,
        false => Some(answer(engine, source, formulas).await?),
    };
    let mut at = 0;
    let mut next = || {
        at += 1;
        answer.as_ref().map(|answer| answer.column(at - 1))
    };
    let mut findings = Vec::new();
    for member in members {
        let finding = match &member.subject {
            Subject::Rows(rows) => {
                let (of, broken) = (count(next())?, count(next())?);
                let mut finding = counted(member, (broken, of), "row");
                if broken > 0 {
                    finding.examples = examples(engine, member, rows).await?;
                }
                finding
            }
            Subject::Fresh(fresh) => {
                let newest = match catalog.source(source).time {
                    Some(_) => moment(next())?,
                    None => quality_tables::newest_file(catalog, source),
                };
                age(member, fresh, newest, as_of)
            }
            Subject::Values(_) => continue,
        };
        findings.push(finding);
    }
    Ok(findings)
}

/// What a row that breaks an expectation fulfils. It is not enough that the condition is unknown, as in a CHECK of SQL.
fn breaking(rows: &EveryRow) -> Vec<Expression> {
    let broken = Expression { expr: Expr::Not(Box::new(rows.holds.expr.clone())), inputs: rows.holds.inputs.clone() };
    rows.conditions.iter().cloned().chain([broken]).collect()
}

fn all_of(conditions: Vec<Expression>) -> Option<Expression> {
    conditions.into_iter().reduce(|left, right| {
        let mut inputs = left.inputs;
        let right = append(&mut inputs, right);
        Expression { expr: left.expr.and(right), inputs }
    })
}

/// The one row that answers formulas about all rows; times in it are those of the calendar's zone.
async fn answer(engine: &Engine, source: SourceId, formulas: Vec<(Expression, DataType)>) -> Result<RecordBatch> {
    let catalog = engine.catalog();
    let item = &catalog.source(source).item;
    let types: Vec<DataType> = formulas.iter().map(|(_, data_type)| data_type.clone()).collect();
    let asked = Formulas { package: item.package.clone(), place: item.span, by: vec![], formulas, conditions: vec![] };
    let frame = frame_of(engine, asked)?;
    let columns = types.iter().enumerate().map(|(at, data_type)| {
        let name = format!("v{at}");
        wall_clock(named(&name), data_type, &catalog.calendar).alias(name)
    });
    let batches = collected(engine, frame.select(columns.collect::<Vec<_>>())?).await?;
    let whole = batches.into_iter().find(|batch| batch.num_rows() == 1);
    Ok(whole.ok_or_else(|| internal_datafusion_err!("a question without keys has one row"))?)
}

/// A question as a frame.
pub(super) fn frame_of(engine: &Engine, asked: Formulas) -> Result<DataFrame> {
    let state = engine.context().state();
    let plan: LogicalPlan = asked.plan(engine.catalog(), state.config_options())?;
    Ok(DataFrame::new(state, plan))
}

/// The rows of a frame, or the file that they cannot be read from.
pub(super) async fn collected(engine: &Engine, frame: DataFrame) -> Result<Vec<RecordBatch>> {
    match frame.collect().await {
        Ok(batches) => Ok(batches),
        Err(error) => Err(engine.explained(error).await),
    }
}

pub(super) fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn count(column: Option<&Arc<dyn Array>>) -> Result<u64> {
    let value = column.and_then(|column| column.as_primitive_opt::<Int64Type>()).map(|column| column.value(0));
    Ok(value.and_then(|value| u64::try_from(value).ok()).ok_or_else(|| internal_datafusion_err!("no count"))?)
}

fn moment(column: Option<&Arc<dyn Array>>) -> Result<Option<NaiveDateTime>> {
    match column {
        Some(column) => Ok(quality_tables::moment(column)?),
        None => Ok(None),
    }
}

fn age(member: &Expectation, fresh: &Fresh, newest: Option<NaiveDateTime>, as_of: NaiveDateTime) -> Finding {
    let in_time = newest.and_then(|newest| later(newest, fresh.within)).is_some_and(|until| as_of <= until);
    let outcome = if in_time { Kept::Kept } else { Kept::Broken };
    let message = match newest {
        _ if in_time => None,
        Some(newest) => Some(format!("the newest is of {newest}")),
        None => Some("there is nothing that has a time".to_string()),
    };
    Finding { broken: u64::from(!in_time), of: 1, message, ..finding(member, outcome) }
}

/// The keys of the first rows that break an expectation, if the source has a key.
async fn examples(engine: &Engine, member: &Expectation, rows: &EveryRow) -> Result<Vec<String>> {
    let source = engine.catalog().source(rows.source);
    let Some(key) = source.keys.first() else { return Ok(vec![]) };
    let column = |at: &usize| {
        let column = ColumnRef { path: JoinPath::root(rows.source), column: *at };
        (source.columns[*at].name.clone(), Input::Column(column))
    };
    let by: Vec<(String, Input)> = key.iter().map(column).collect();
    let asked = Formulas {
        package: member.item.package.clone(),
        place: member.item.span,
        by: by.clone(),
        formulas: vec![rows_where(rows.source, None)],
        conditions: breaking(rows),
    };
    first(engine, frame_of(engine, asked)?, &by).await
}

/// The keys of the first rows of a frame, in their order: `order_id = 7, line = 1`.
pub(super) async fn first(engine: &Engine, frame: DataFrame, by: &[(String, Input)]) -> Result<Vec<String>> {
    let keys: Vec<Expr> = by.iter().map(|(name, _)| named(name)).collect();
    let order = keys.iter().map(|key| key.clone().sort(true, true)).collect();
    let frame = frame.sort(order)?.limit(0, Some(EXAMPLES))?.select(keys)?;
    let mut found = Vec::new();
    for batch in collected(engine, frame).await? {
        let options = FormatOptions::default().with_null("NULL");
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
        for row in 0..batch.num_rows() {
            let keys = by.iter().zip(&columns).map(|((name, _), column)| format!("{name} = {}", column.value(row)));
            found.push(keys.collect::<Vec<_>>().join(", "));
        }
    }
    Ok(found)
}
