//! Processes: how long a case stays in a step, and for which time it is there.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, TableReference};
use datafusion::functions::core::expr_fn::{coalesce, greatest, least};
use datafusion::functions_window::expr_fn::{lead, row_number};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::timed::{Clock, Side, TIME, all_columns, entity, key_name, plain, timed};
use crate::catalog::Catalog;
use crate::catalog::event::EventColumn;
use crate::catalog::process::Process;
use crate::catalog::time::cast;
use crate::plan::scan::Scan;

/// The time of the case's next row.
const NEXT: &str = "$next";
const NEXT_STEP: &str = "$next_step";
const VISIT: &str = "$visit";

/// A case stays in a step until its next row; rows at the same instant follow one another in the order of the source's
/// key. A row without a case or a time is no step, and stays as it is with NULL for all columns.
pub(super) fn with_process(
    catalog: &Catalog,
    rows: LogicalPlan,
    process: &Process,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let clock = Clock::by(catalog, [&process.time.value].into_iter());
    // The end of the work is a time of the same type, so it is told by the same clock.
    let keys = [(&process.case.value, &process.case.data_type), (&process.step.value, &process.step.data_type)];
    let keys = keys.into_iter().chain(process.until.iter().map(|until| (until, &process.time.data_type)));
    let time = Some(&process.time.value);
    let side = Side { source: process.source, time, keys: keys.collect(), conditions: &[] };
    let own: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
    let scan = Scan::new(catalog, process.source).over(rows);
    let key = catalog.source(process.source).keys.first().into_iter().flatten().map(|at| scan.own_column(*at));
    let order: Vec<Sort> = std::iter::once(plain(TIME)).chain(key).map(|expr| expr.sort(true, false)).collect();
    let all = timed(scan, &clock, &side)?;
    let step = plain(&key_name(1));
    let next = |value: Expr| {
        let call = lead(value, Some(1), None).partition_by(vec![entity()]);
        call.order_by(order.clone()).build()
    };
    let all = with_windows(all, vec![(next(plain(TIME))?, NEXT), (next(step.clone())?, NEXT_STEP)])?;
    // One plan node sorts its rows in one way.
    let visit = row_number().partition_by(vec![entity(), step]).order_by(order.clone()).build()?;
    let all = with_windows(all, vec![(visit, VISIT)])?;
    let values = Lengths { process, clock: &clock.data_type };
    let mut told = values.all()?;
    told.push((cast(plain(VISIT), DataType::Int64), EventColumn::Visit));
    told.push((when(plain(NEXT).is_not_null(), plain(NEXT_STEP)).end()?, EventColumn::Next));
    let is_step = entity().is_not_null().and(plain(TIME).is_not_null());
    let told = told
        .into_iter()
        .map(|(value, column)| {
            let known = when(is_step.clone(), value).end()?;
            Ok(known.alias_qualified(Some(relation.clone()), column.name()))
        })
        .collect::<Result<Vec<_>>>()?;
    all.project(own.into_iter().chain(told))?.build()
}

/// Window functions as further columns.
fn with_windows(rows: LogicalPlanBuilder, calls: Vec<(Expr, &str)>) -> Result<LogicalPlanBuilder> {
    let before = all_columns(&rows);
    let named = calls.iter().map(|(call, name)| plain(&call.schema_name().to_string()).alias(*name));
    let named: Vec<Expr> = named.collect();
    rows.window(calls.into_iter().map(|(call, _)| call))?.project(before.into_iter().chain(named))
}

/// Lengths of time in the process's unit.
struct Lengths<'p> {
    process: &'p Process,
    clock: &'p DataType,
}

impl Lengths<'_> {
    fn all(&self) -> Result<Vec<(Expr, EventColumn)>> {
        let (begin, next) = (plain(TIME), plain(NEXT));
        let stated = self.process.until.as_ref().map(|_| cast(plain(&key_name(2)), self.clock.clone()));
        // A work that is said to end before it begins took no time. DataFusion's `greatest` passes over NULLs.
        let end = stated.map(|end| when(end.clone().is_not_null(), greatest(vec![end, begin.clone()])).end());
        let end = end.transpose()?;
        let left = match &end {
            Some(end) => coalesce(vec![next.clone(), end.clone()]),
            None => next.clone(),
        };
        let stay = self.between(begin.clone(), left);
        if !self.process.tells_waiting() {
            return Ok(vec![(stay, EventColumn::Stay)]);
        }
        let working = match &end {
            // What is not said to end is worked on until the next step.
            Some(end) => self.between(begin, least(vec![end.clone(), next.clone()])),
            None => stay.clone(),
        };
        let waits: Vec<Expr> = self.process.waits.iter().map(|step| lit(step.as_str())).collect();
        let working = match waits.is_empty() {
            true => working,
            false => {
                let idle = cast(plain(&key_name(1)), DataType::Utf8).in_list(waits, false);
                when(idle.and(stay.clone().is_not_null()), lit(0.0)).otherwise(working)?
            }
        };
        let waiting = stay.clone() - working.clone();
        Ok(vec![(stay, EventColumn::Stay), (working, EventColumn::Working), (waiting, EventColumn::Waiting)])
    }

    /// The time between two instants; whole ticks of the clock are subtracted, so that nothing is rounded before it is
    /// divided.
    fn between(&self, from: Expr, to: Expr) -> Expr {
        let ticks = |time: Expr| cast(time, DataType::Int64);
        let each = match self.clock {
            DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
            DataType::Timestamp(TimeUnit::Microsecond, _) => 1000,
            DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
            _ => 1_000_000_000,
        };
        cast(ticks(to) - ticks(from), DataType::Float64) / lit(self.process.nanoseconds as f64 / f64::from(each))
    }
}
