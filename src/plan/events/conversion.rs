//! Conversions: which base rows are credited with a row of the other source.

use datafusion::common::{Result, ScalarValue, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::expr_fn::lead;
use datafusion::logical_expr::expr::{Sort, WindowFunction};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits, lit, when,
};

use super::timed::{Carried, Clock, Side, TIME, all_columns, known, plain, timed};
use crate::catalog::Catalog;
use crate::catalog::event::{Bound, Conversion, Counted, EventColumn, Reach};
use crate::catalog::time::{earlier, later};
use crate::plan::scan::Scan;

/// The time of a row that may be credited, NULL for base rows: these stand before it, also at the same instant.
const FOUND: &str = "$found";
const CREDIT: &str = "$credit";
/// The number of the base row that a row stands behind, and that row's time.
const STRETCH: &str = "$stretch";
const BEGIN: &str = "$begin";

/// A base row converts if the next row of the same keys is a conversion, in time. So each conversion is credited to one
/// base row, whatever rows there are at the same instant: to the last one in the order of the source's key.
pub(super) fn with_conversion(
    catalog: &Catalog,
    rows: LogicalPlan,
    conversion: &Conversion,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let [of_base, of_found] = &conversion.times;
    let times = [(conversion.from, of_base), (conversion.to, of_found)];
    let times = times.map(|(source, time)| time.as_ref().or(catalog.source(source).time.as_ref()));
    let clock = Clock::by(catalog, times.into_iter().flatten());
    let columns = Carried::of(&rows);
    let mine = conversion.keys.iter().map(|key| (&key.from, &key.data_type)).collect();
    let mine = Side { source: conversion.from, time: of_base.as_ref(), keys: mine, conditions: &[] };
    let theirs = conversion.keys.iter().map(|key| (&key.to, &key.data_type)).collect();
    let theirs = Side { source: conversion.to, time: of_found.as_ref(), keys: theirs, conditions: &[] };
    let base = timed(Scan::new(catalog, mine.source).over(rows), &clock, &mine)?;
    let times = [plain(TIME), clock.never()?.alias(FOUND)];
    let base = base.project(columns.named().chain(mine.key_columns()).chain(times))?;
    let found = known(timed(Scan::new(catalog, theirs.source), &clock, &theirs)?, &theirs)?;
    let times = [clock.never()?.alias(TIME), plain(TIME).alias(FOUND)];
    let found = found.project(columns.nulls()?.chain(theirs.key_columns()).chain(times))?;
    // The time of both is computed only here: DataFusion 55.2 would sort the two sides by it apart, and then fail to see
    // that a constant of each side orders their merge.
    let time = coalesce(vec![plain(TIME), plain(FOUND)]).alias(TIME);
    let all = base.union(found.build()?)?;
    let others = all_columns(&all).into_iter().filter(|column| *column != plain(TIME)).collect::<Vec<_>>();
    let all = all.project(others.into_iter().chain([time]))?;
    let ordered = [plain(TIME), plain(FOUND)].into_iter().chain(columns.key(catalog, mine.source));
    let order = Order { keys: mine.key_columns().collect(), by: ordered.map(|expr| expr.sort(true, true)).collect() };
    let in_time = |found: Expr| match conversion.within {
        Some(Reach { span, end: Bound::Included }) => found.lt_eq(later(plain(TIME), &clock.data_type, span)),
        Some(Reach { span, end: Bound::Excluded }) => earlier(found, &clock.data_type, span).lt(plain(TIME)),
        None => plain(TIME).lt_eq(found),
    };
    let (all, value, column) = match conversion.counts {
        Counted::Base => {
            let next = lead(plain(FOUND), Some(1), None).partition_by(order.keys).order_by(order.by).build()?;
            let all = with_window(all, next, CREDIT)?;
            let converted = coalesce(vec![in_time(plain(CREDIT)), lit(false)]);
            (all, converted, EventColumn::Converted)
        }
        Counted::Credited => (credits(all, order, in_time)?, plain(CREDIT), EventColumn::Credits),
    };
    let own = value.alias_qualified(Some(relation.clone()), column.name());
    all.filter(plain(FOUND).is_null())?.project(columns.restored().chain([own]))?.build()
}

/// The rows of each entity in their order.
struct Order {
    keys: Vec<Expr>,
    by: Vec<Sort>,
}

/// The number of rows that are credited to each base row: those up to the next base row, as far as they are in time.
fn credits(all: LogicalPlanBuilder, order: Order, in_time: impl Fn(Expr) -> Expr) -> Result<LogicalPlanBuilder> {
    let total = |of: Expr| Expr::from(WindowFunction::new(sum_udaf(), vec![of]));
    let is_base = when(plain(FOUND).is_null(), lit(1_i64)).otherwise(lit(0_i64))?;
    let so_far = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    // Base rows stand before what may be credited to them, and begin a stretch each.
    let stretch = total(is_base).partition_by(order.keys.clone()).order_by(order.by).window_frame(so_far).build()?;
    let all = with_window(all, stretch, STRETCH)?;
    let within = |call: Expr| call.partition_by(order.keys.iter().cloned().chain([plain(STRETCH)]).collect()).build();
    let own = when(plain(FOUND).is_null(), plain(TIME)).end()?;
    let all = with_window(all, within(Expr::from(WindowFunction::new(min_udaf(), vec![own])))?, BEGIN)?;
    // The base row's own time, in the place of the credited row's.
    let others = all_columns(&all).into_iter().filter(|column| *column != plain(TIME)).collect::<Vec<_>>();
    let all = all.project(others.into_iter().chain([plain(BEGIN).alias(TIME)]))?;
    let credited = when(plain(FOUND).is_not_null().and(in_time(plain(FOUND))), lit(1_i64)).otherwise(lit(0_i64))?;
    with_window(all, within(total(credited))?, CREDIT)
}

/// A window function as one more column.
fn with_window(rows: LogicalPlanBuilder, call: Expr, name: &str) -> Result<LogicalPlanBuilder> {
    let value = plain(&call.schema_name().to_string()).alias(name);
    let before = all_columns(&rows);
    rows.window(vec![call])?.project(before.into_iter().chain([value]))
}
