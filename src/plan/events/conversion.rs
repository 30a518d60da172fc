//! Conversions: which base rows are credited with a row of the other source.

use datafusion::common::{Result, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_window::expr_fn::lead;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlan, lit};

use super::timed::{Carried, Clock, Side, TIME, all_columns, known, plain, timed};
use crate::catalog::Catalog;
use crate::catalog::event::{Conversion, EventColumn};
use crate::catalog::time::later;
use crate::plan::scan::Scan;

/// The time of a row that may be credited, NULL for base rows: these stand before it, also at the same instant.
const FOUND: &str = "$found";
const CREDIT: &str = "$credit";

/// A base row converts if the next row of the same keys is a conversion, in time. So each conversion is credited to one
/// base row, whatever rows there are at the same instant: to the last one in the order of the source's key.
pub(super) fn with_conversion(
    catalog: &Catalog,
    rows: LogicalPlan,
    conversion: &Conversion,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let clock = Clock::of(catalog, &[conversion.from, conversion.to]);
    let columns = Carried::of(&rows);
    let mine = conversion.keys.iter().map(|key| (&key.from, &key.data_type)).collect();
    let mine = Side { source: conversion.from, keys: mine, conditions: &[] };
    let theirs = conversion.keys.iter().map(|key| (&key.to, &key.data_type)).collect();
    let theirs = Side { source: conversion.to, keys: theirs, conditions: &[] };
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
    let next = lead(plain(FOUND), Some(1), None)
        .partition_by(mine.key_columns().collect())
        .order_by(ordered.map(|expr| expr.sort(true, true)).collect())
        .build()?;
    let credit = plain(&next.schema_name().to_string()).alias(CREDIT);
    let before = all_columns(&all);
    let all = all.window(vec![next])?.project(before.into_iter().chain([credit]))?;
    let converted = match conversion.within {
        Some(span) => plain(CREDIT).lt_eq(later(plain(TIME), &clock.data_type, span)),
        None => plain(TIME).lt_eq(plain(CREDIT)),
    };
    let converted = coalesce(vec![converted, lit(false)]);
    let own = converted.alias_qualified(Some(relation.clone()), EventColumn::Converted.name());
    all.filter(plain(FOUND).is_null())?.project(columns.restored().chain([own]))?.build()
}
