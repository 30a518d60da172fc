//! Rows once for each day of a calendar on which they count.
//!
//! What counts on a day is told in steps of the calendar (days, hours): a row belongs to one step by its time. So the
//! days are joined to the rows' steps: by equality where each day has one step, else first to the distinct steps.

use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::functions::core::expr_fn::least;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit};

use super::instant::{Instants, TIMESTAMP};
use super::scan::Scan;
use crate::catalog::Catalog;
use crate::catalog::calendar::{CalendarTable, PeriodId};
use crate::catalog::event::{Dated, EventColumn, OnDays};
use crate::catalog::modifier::Modifier;
use crate::catalog::time::cast;

/// The day on which a row counts, as an instant.
const ON: &str = "$on";
/// The step of a row, or of the rows that count on a day.
const STEP: &str = "$step";
const DAYS: &str = "$days";

/// The rows with the days on which they count, under that relation.
pub(crate) fn with_days(
    catalog: &Catalog,
    rows: LogicalPlan,
    dated: &Dated,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
    let mut scan = Scan::new(catalog, dated.source).over(rows);
    let time = scan.place(&dated.time);
    counted_on(catalog, scan.build()?, &columns, time, dated, relation)
}

/// These columns of rows that have that time, with the days on which they count.
pub(crate) fn counted_on(
    catalog: &Catalog,
    rows: LogicalPlanBuilder,
    columns: &[Expr],
    time: Expr,
    dated: &Dated,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let time = cast(time, TIMESTAMP).alias(ON);
    let mut rows = rows.project(columns.iter().cloned().chain([time]))?;
    for on in dated.by.iter().rev() {
        rows = on_days(catalog, rows, columns, on)?;
    }
    let day = cast(plain(ON), dated.data_type.clone()).alias_qualified(Some(relation.clone()), EventColumn::Day.name());
    rows.project(columns.iter().cloned().chain([day]))?.build()
}

fn on_days(catalog: &Catalog, rows: LogicalPlanBuilder, columns: &[Expr], on: &OnDays) -> Result<LogicalPlanBuilder> {
    let table = &catalog.calendar.tables[on.table];
    let instants = instants(catalog);
    let step = instants.start_of(plain(ON), table.grain).alias(STEP);
    let rows = rows.project(columns.iter().cloned().chain([step]))?;
    let days = match on.modifiers.as_slice() {
        [Modifier::ShiftPeriods(count, period)] => {
            let days = shifted(catalog, table, *count, *period)?;
            starting(days, plain("t"), on, &instants)?
        }
        modifiers => {
            let days = starting(days_of(catalog, table)?, plain("t"), on, &instants)?;
            let (from, to) = steps_of(&instants, table, modifiers)?;
            match from {
                Some(from) if from == to => days.project([plain("t"), to.alias("c")])?,
                from => within(rows.clone(), days, from, to)?,
            }
        }
    };
    let days = days.alias(DAYS)?.build()?;
    let of = |name: &str| Expr::Column(Column::new(Some(TableReference::bare(DAYS)), name));
    let joined = rows.join_on(days, JoinType::Inner, [plain(STEP).eq(of("c"))])?;
    joined.project(columns.iter().cloned().chain([of("t").alias(ON)]))
}

fn instants(catalog: &Catalog) -> Instants<'_> {
    let common = catalog.metric_time.clone();
    Instants { calendar: &catalog.calendar, data_type: TIMESTAMP, common, native: None }
}

/// The step of the calendar that counts first, in which a time lies.
pub(crate) fn step_of(catalog: &Catalog, dated: &Dated, time: Expr) -> Expr {
    let time = cast(time, TIMESTAMP);
    match dated.by.last() {
        Some(on) => instants(catalog).start_of(time, catalog.calendar.tables[on.table].grain),
        None => time,
    }
}

/// The days of a calendar, as `t`.
pub(crate) fn days_of(catalog: &Catalog, table: &CalendarTable) -> Result<LogicalPlanBuilder> {
    let scan = Scan::new(catalog, table.source);
    let day = instants(catalog).start_of(cast(scan.own_column(table.column), TIMESTAMP), table.grain);
    scan.build()?.project([day.alias("t")])?.filter(plain("t").is_not_null())
}

/// Only the days that begin a period that is asked for.
fn starting(days: LogicalPlanBuilder, day: Expr, on: &OnDays, instants: &Instants<'_>) -> Result<LogicalPlanBuilder> {
    let begins = on.starts.iter().map(|grain| instants.start_of(day.clone(), *grain).eq(day.clone()));
    match disjunction(begins) {
        Some(begins) => days.filter(begins),
        None => Ok(days),
    }
}

/// The first and the last step of what counts on the day `t`; without the first, all before it.
fn steps_of(instants: &Instants<'_>, table: &CalendarTable, modifiers: &[Modifier]) -> Result<(Option<Expr>, Expr)> {
    let (mut from, mut to) = (Some(plain("t")), plain("t"));
    for modifier in modifiers {
        match modifier {
            Modifier::Shift(span) => {
                from = from.map(|from| instants.earlier(from, *span));
                to = instants.earlier(to, *span);
            }
            Modifier::StartOf(grain) => {
                to = instants.start_of(to, *grain);
                from = Some(to.clone());
            }
            // The day itself is in the window, the one so much before it is not.
            Modifier::Trailing(span) => {
                from = Some(instants.later(instants.earlier(to.clone(), *span), table.grain.span()));
            }
            Modifier::ToDate(grain) => from = Some(instants.start_of(to.clone(), *grain)),
            Modifier::Cumulative => from = None,
            other => return datafusion::common::internal_err!("{other:?} does not act on days"),
        }
    }
    Ok((from, to))
}

/// Days with each of the rows' steps that count on them.
fn within(
    rows: LogicalPlanBuilder,
    days: LogicalPlanBuilder,
    from: Option<Expr>,
    to: Expr,
) -> Result<LogicalPlanBuilder> {
    let steps = rows.project([plain(STEP).alias("c")])?.distinct()?;
    let window = days.project(
        [plain("t")].into_iter().chain(from.iter().map(|from| from.clone().alias("a"))).chain([to.alias("b")]),
    )?;
    let inside = from.map(|_| plain("c").gt_eq(plain("a"))).into_iter().chain([plain("c").lt_eq(plain("b"))]);
    let inside = conjunction(inside);
    steps.join_on(window.build()?, JoinType::Inner, inside)?.project([plain("c"), plain("t")])
}

/// The day of the same number in the period so many later, or that period's last day.
fn shifted(catalog: &Catalog, table: &CalendarTable, count: i32, id: PeriodId) -> Result<LogicalPlanBuilder> {
    let scan = Scan::new(catalog, table.source);
    let day = instants(catalog).start_of(cast(scan.own_column(table.column), TIMESTAMP), table.grain);
    let period = scan.own_column(catalog.calendar.period(id).column);
    let known = plain("t").is_not_null().and(plain("p").is_not_null());
    let days = scan.build()?.project([day.alias("t"), period.alias("p")])?.filter(known)?;
    let number = |partition: Vec<Expr>, order: &str| -> Result<Expr> {
        row_number().partition_by(partition).order_by(vec![plain(order).sort(true, false)]).build()
    };
    let numbered = days.clone().window([number(vec![plain("p")], "t")?.alias("n")])?;
    let numbered = numbered.project([plain("t"), plain("p"), plain("n")])?;
    let length = datafusion::functions_aggregate::expr_fn::count(lit(1_i64)).alias("length");
    let periods = days.aggregate([plain("p")], [min(plain("t")).alias("first"), length])?;
    let periods = periods.window([number(vec![], "first")?.alias("k")])?;
    let periods = periods.project([plain("p").alias("q"), plain("length"), plain("k")])?.build()?;
    let placed = |name: &str| -> Result<LogicalPlanBuilder> {
        let same = [plain("p").eq(plain("q"))];
        let placed = numbered.clone().join_on(periods.clone(), JoinType::Inner, same)?;
        placed.project([plain("t"), plain("n"), plain("length"), plain("k")])?.alias(name)
    };
    let of = |relation: &str, name: &str| Expr::Column(Column::new(Some(TableReference::bare(relation)), name));
    let (there, here) = (placed("$there")?.build()?, placed("$here")?);
    let later = (of("$here", "k") + lit(i64::from(count)))
        .eq(cast(of("$there", "k"), datafusion::arrow::datatypes::DataType::Int64));
    let same =
        least(vec![of("$here", "n"), cast(of("$there", "length"), datafusion::arrow::datatypes::DataType::UInt64)])
            .eq(of("$there", "n"));
    here.join_on(there, JoinType::Inner, [later, same])?
        .project([of("$there", "t").alias("t"), of("$here", "t").alias("c")])
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
