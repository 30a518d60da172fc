//! Funnels: how far an entity came from each row of the first step.

use datafusion::common::{Column, Result, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Case, Expr, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::timed::{Carried, Clock, Side, TIME, all_columns, entity, known, least_from_here, plain, timed};
use crate::catalog::Catalog;
use crate::catalog::event::{EventColumn, Funnel};
use crate::catalog::time::later;
use crate::plan::scan::Scan;

/// Each row of the first step, once for every step, with whether that step is reached in time.
///
/// The next step is always the earliest that is not before the one reached: no later choice reaches more. Seen from the
/// end: the time at which step j is reached from a row is the least one at which the following rows of the next step
/// reach it. So one pass over the rows in order of time finds one step, beginning with the last.
pub(super) fn with_funnel(
    catalog: &Catalog,
    rows: LogicalPlan,
    funnel: &Funnel,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let sources: Vec<_> = funnel.steps.iter().map(|step| step.rows.source).collect();
    let clock = Clock::of(catalog, &sources);
    let columns = Carried::of(&rows);
    let steps = funnel.steps.len();
    let mut all = in_one(catalog, rows, funnel, &clock, &columns)?;
    for step in (0..steps - 1).rev() {
        let mut found = Vec::new();
        let mut named = Vec::new();
        for target in step + 1..steps {
            let next = plain(&own_time(step + 1));
            let reached = match target {
                target if target == step + 1 => next,
                target => when(next.is_not_null(), plain(&reached_at(step + 1, target))).end()?,
            };
            let call = least_from_here(reached, funnel.steps[step + 1].follows)?;
            named.push(plain(&call.schema_name().to_string()).alias(reached_at(step, target)));
            found.push(call);
        }
        let before = all_columns(&all);
        all = all.window(found)?.project(before.into_iter().chain(named))?;
    }
    let first = conjunction((1..steps).map(|step| plain(&own_time(step)).is_null()));
    let latest = later(plain(&own_time(0)), &clock.data_type, funnel.within);
    let in_time = (1..steps).map(|step| {
        let reached = plain(&reached_at(0, step)).lt_eq(latest.clone());
        coalesce(vec![reached, lit(false)]).alias(in_time(step))
    });
    let all = match first {
        Some(first) => all.filter(first)?,
        None => all,
    };
    let kept = columns.kept().chain([entity()]).chain(in_time);
    let all = all.project(kept)?.cross_join(positions(funnel)?)?;
    let own = |value: Expr, column: EventColumn| value.alias_qualified(Some(relation.clone()), column.name());
    let own = [
        own(entity(), EventColumn::Entity),
        own(step_column("step"), EventColumn::Step),
        own(step_column("position"), EventColumn::Position),
        own(reached(steps, 0), EventColumn::Reached),
        own(reached(steps, 1), EventColumn::Before),
    ];
    all.project(columns.restored().chain(own))?.build()
}

/// The rows of all steps; a column for each step has its rows' time.
fn in_one(
    catalog: &Catalog,
    rows: LogicalPlan,
    funnel: &Funnel,
    clock: &Clock<'_>,
    columns: &Carried,
) -> Result<LogicalPlanBuilder> {
    let mut all: Option<LogicalPlanBuilder> = None;
    for (at, step) in funnel.steps.iter().enumerate() {
        let side = Side::of(&step.rows, &funnel.entity_type);
        let mut times = Vec::new();
        for other in 0..funnel.steps.len() {
            times.push(if other == at { plain(TIME) } else { clock.never()? }.alias(own_time(other)));
        }
        all = Some(match all {
            None => {
                let first = timed(Scan::new(catalog, side.source).over(rows.clone()), clock, &side)?;
                first.project(columns.named().chain([entity()]).chain(times))?
            }
            Some(all) => {
                let more = known(timed(Scan::new(catalog, side.source), clock, &side)?, &side)?;
                all.union(more.project(columns.nulls()?.chain([entity()]).chain(times))?.build()?)?
            }
        });
    }
    let Some(all) = all else { return datafusion::common::internal_err!("a funnel has steps") };
    let time = coalesce((0..funnel.steps.len()).map(|step| plain(&own_time(step))).collect()).alias(TIME);
    let before = all_columns(&all);
    all.project(before.into_iter().chain([time]))
}

const POSITIONS: &str = "$positions";

fn positions(funnel: &Funnel) -> Result<LogicalPlan> {
    let rows = funnel.steps.iter().zip(1_i64..).map(|(step, at)| vec![lit(at), lit(step.name.as_str())]);
    let values = LogicalPlanBuilder::values(rows.collect())?;
    values.project([plain("column1").alias("position"), plain("column2").alias("step")])?.alias(POSITIONS)?.build()
}

fn step_column(name: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(POSITIONS)), name))
}

/// Whether the step that stands so many before the row's own is reached: the first always is, what is before it never.
fn reached(steps: usize, before: usize) -> Expr {
    let case = |position: usize| {
        let value = match position - before {
            0 => lit(true),
            step => plain(&in_time(step)),
        };
        (Box::new(lit(position as i64 + 1)), Box::new(value))
    };
    Expr::Case(Case {
        expr: Some(Box::new(step_column("position"))),
        when_then_expr: (before..steps).map(case).collect(),
        else_expr: Some(Box::new(lit(false))),
    })
}

fn own_time(step: usize) -> String {
    format!("$step{step}")
}

fn reached_at(from: usize, step: usize) -> String {
    format!("$from{from}_{step}")
}

fn in_time(step: usize) -> String {
    format!("$in_time{step}")
}
