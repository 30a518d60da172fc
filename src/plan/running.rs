//! Windows in time at less cost than every row once for each period that it counts for.
//!
//! Windows move forward with their periods: the periods whose window has a cell follow one another, and later cells have
//! later ones. So
//!
//! - what can be put together from parts ([`Partial`]) is first computed for each cell, and only these few rows meet the
//!   periods;
//! - a distinct count ([`distinct_count`]) counts each value, in each period, at its latest cell there: an occurrence
//!   counts from the first period that has it up to the first one that has the value's next occurrence. The count of a
//!   period is the sum of what began before it less what ended: one grouping of the rows by value, however long the
//!   window.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::functions::core::expr_fn::{coalesce, least};
use datafusion::functions_aggregate::expr_fn::{array_agg, count, max, min, sum};
use datafusion::functions_nested::expr_fn::{array_pop_front, array_sort, gen_series, make_array};
use datafusion::functions_window::expr_fn::lead;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::prepared::Prepared;
use super::windows::{Shape, drop_nulls, key_column};
use crate::catalog::time::{cast, interval_of};

const CELLS: &str = "$cells";
const NEXT: &str = "$next";
const CELL: &str = "$at";

/// The column of the cell.
pub(crate) fn cell_column() -> Expr {
    plain(CELL)
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn of_table(table: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(table)), name))
}

/// What a distinct count counts, if a call is nothing else.
pub(crate) fn counted_once(call: &Expr) -> Option<Expr> {
    match call {
        Expr::Alias(alias) => counted_once(&alias.expr),
        Expr::AggregateFunction(AggregateFunction { func, params })
            if func.name() == "count" && params.distinct && params.order_by.is_empty() =>
        {
            let [value] = params.args.as_slice() else { return None };
            match &params.filter {
                Some(filter) => when(filter.as_ref().clone(), value.clone()).end().ok(),
                None => Some(value.clone()),
            }
        }
        _ => None,
    }
}

/// The distinct count of each group: a row for each of its periods whose window has rows. The other keys are columns.
pub(crate) struct Counted {
    pub(crate) rows: LogicalPlanBuilder,
    /// The start of the period.
    pub(crate) period: Expr,
    pub(crate) count: Expr,
}

/// A count of the distinct `value`s in the windows of periods, given the pairs of periods and cells.
pub(crate) fn distinct_count(
    prepared: &Prepared,
    shape: &Shape<'_>,
    value: &Expr,
    pairs: LogicalPlan,
) -> Result<Counted> {
    let instants = shape.axis.instants();
    let grain = shape.window.grain;
    // The first period that has a cell, and the first one after it that has not.
    let cells = LogicalPlanBuilder::from(pairs)
        .aggregate([plain("c")], [min(plain("p")).alias("first"), max(plain("p")).alias("last")])?
        .project([plain("c"), plain("first"), instants.later(plain("last"), grain.span()).alias("stop")])?
        .build()?;
    let table = |name: &str| LogicalPlanBuilder::from(cells.clone()).alias(name)?.build();
    let keys: Vec<Expr> = prepared.keys.iter().map(|(at, _)| key_column(*at)).collect();
    let with = |others: &[Expr]| keys.iter().chain(others).cloned().collect::<Vec<Expr>>();
    let mut columns = prepared.named_keys();
    columns.push(value.clone().alias("x"));
    columns.push(prepared.cell(shape).alias("$cell"));
    let rows = prepared.rows.clone().project(columns)?;
    // A list of each value's cells in order beside itself from the second on: pairs of neighbours, and the last one alone.
    // (A window function has far more to do for each of many values with few cells each.)
    let in_order = array_sort(plain("cells"), lit("ASC"), lit("NULLS FIRST")).alias("at");
    let neighbours = rows
        .join_on(table(CELLS)?, JoinType::LeftSemi, [plain("$cell").eq(of_table(CELLS, "c"))])?
        .aggregate(with(&[plain("x")]), [array_agg(plain("$cell")).alias("cells")])?
        .project(with(&[plain("x"), in_order]))?
        .project(with(&[plain("x"), plain("at"), array_pop_front(plain("at")).alias("then")]))?
        .unnest_columns_with_options(["at", "then"].map(Column::new_unqualified).to_vec(), drop_nulls())?
        .aggregate(
            with(&[plain("at"), plain("then")]),
            [count(plain("x")).alias("n"), count(lit(1_i64)).alias("rows")],
        )?;
    // An occurrence counts until the value occurs again; `least` passes over NULL.
    let until = least(vec![of_table(CELLS, "stop"), of_table(NEXT, "first")]).alias("stop");
    let stretches = neighbours
        .join_on(table(CELLS)?, JoinType::Inner, [plain("at").eq(of_table(CELLS, "c"))])?
        .join_on(table(NEXT)?, JoinType::Left, [plain("then").eq(of_table(NEXT, "c"))])?
        .project(with(&[of_table(CELLS, "first").alias("first"), until, plain("n"), plain("rows")]))?
        .filter(plain("first").lt(plain("stop")))?;
    // Each begins and ends; in between nothing changes.
    let both = |up: &str| make_array(vec![plain(up), lit(0_i64) - plain(up)]).alias(up);
    let changes = stretches
        .project(with(&[make_array(vec![plain("first"), plain("stop")]).alias("p"), both("n"), both("rows")]))?
        .unnest_columns_with_options(["p", "n", "rows"].map(Column::new_unqualified).to_vec(), drop_nulls())?
        .aggregate(with(&[plain("p")]), [sum(plain("n")).alias("n"), sum(plain("rows")).alias("rows")])?;
    let in_order = |call: Expr, name: &str| -> Result<Expr> {
        let call = call.partition_by(keys.clone()).order_by(vec![plain("p").sort(true, true)]).build()?;
        Ok(call.alias(name))
    };
    let so_far = |of: &str| {
        Expr::from(datafusion::logical_expr::expr::WindowFunction::new(
            datafusion::functions_aggregate::sum::sum_udaf(),
            vec![plain(of)],
        ))
    };
    let next = in_order(lead(plain("p"), Some(1), None), "next")?;
    let periods = gen_series(plain("p"), instants.before(plain("next")), interval_of(grain.span())).alias("p");
    let rows = changes
        .window([next, in_order(so_far("n"), "count")?, in_order(so_far("rows"), "there")?])?
        .filter(plain("there").gt(lit(0_i64)))?
        .project(with(&[periods, plain("count")]))?
        .unnest_column_with_options("p", drop_nulls())?;
    Ok(Counted { rows, period: plain("p"), count: plain("count") })
}

/// A call in parts: what is computed from rows, and what puts values of it together.
struct Partial {
    parts: Vec<Expr>,
    whole: Vec<Expr>,
}

/// Calls that are first computed from the rows of each cell.
pub(crate) struct PerCell {
    /// Keys as columns, the [`cell_column`], and columns for the parts.
    pub(crate) rows: LogicalPlanBuilder,
    /// Aggregates over these.
    pub(crate) aggregates: Vec<Expr>,
    /// The values of the calls, over the outputs of these aggregates.
    pub(crate) finals: Vec<Final>,
}

/// Leaves, and their values over the outputs of aggregates.
pub(crate) type Finals = Vec<(usize, Final)>;

/// What becomes of the outputs of aggregates.
#[derive(Debug, Clone)]
pub(crate) enum Final {
    /// One of them, in its declared type.
    Same(usize, DataType),
    /// The first by the second.
    Ratio(usize, usize),
    /// A number of rows: of none at all, 0.
    Count(usize),
}

impl Final {
    /// The value over the outputs.
    pub(crate) fn of(&self, outputs: &[Expr]) -> Expr {
        match self {
            Final::Same(at, data_type) => cast(outputs[*at].clone(), data_type.clone()),
            Final::Ratio(a, b) => outputs[*a].clone() / cast(outputs[*b].clone(), DataType::Float64),
            Final::Count(at) => coalesce(vec![outputs[*at].clone(), lit(0_i64)]),
        }
    }
}

/// Computes calls for each cell first, if all of them can be put together from that.
pub(crate) fn per_cell(prepared: &Prepared, shape: &Shape<'_>, calls: &[Expr]) -> Result<Option<PerCell>> {
    per_group(&prepared.rows, prepared.named_keys(), prepared.cell(shape), calls)
}

/// The same for groups and cells of any kind.
pub(crate) fn per_group(
    rows: &LogicalPlanBuilder,
    mut groups: Vec<Expr>,
    cell: Expr,
    calls: &[Expr],
) -> Result<Option<PerCell>> {
    let (mut partials, mut aggregates, mut finals) = (Vec::new(), Vec::new(), Vec::new());
    for call in calls {
        let Some((partial, ratio)) = partial_of(call, rows, partials.len())? else { return Ok(None) };
        finals.push(match ratio {
            true => Final::Ratio(aggregates.len(), aggregates.len() + 1),
            false => Final::Same(aggregates.len(), call.get_type(rows.schema())?),
        });
        partials.extend(partial.parts);
        aggregates.extend(partial.whole);
    }
    if aggregates.is_empty() {
        // Without a value the groups alone are asked for.
        partials.push(count(lit(1_i64)).alias("$0"));
    }
    groups.push(cell.alias(CELL));
    let rows = rows.clone().aggregate(groups, partials)?;
    Ok(Some(PerCell { rows, aggregates, finals }))
}

/// A call in parts, numbered from `first`; and whether it is a ratio of two.
fn partial_of(call: &Expr, rows: &LogicalPlanBuilder, first: usize) -> Result<Option<(Partial, bool)>> {
    let call = match call {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    let Expr::AggregateFunction(AggregateFunction { func, params }) = call else { return Ok(None) };
    let name = |at: usize| format!("${}", first + at);
    let part = |at: usize| plain(&name(at));
    if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Ok(None);
    }
    let one = |whole: Expr| Partial { parts: vec![call.clone().alias(name(0))], whole: vec![whole] };
    Ok(match func.name() {
        "sum" | "count" => Some((one(sum(part(0))), false)),
        "min" => Some((one(min(part(0))), false)),
        "max" => Some((one(max(part(0))), false)),
        "avg" => {
            let [value] = params.args.as_slice() else { return Ok(None) };
            let data_type = value.get_type(rows.schema())?;
            if !(data_type.is_integer() || data_type == DataType::Float64) {
                return Ok(None);
            }
            let with_filter = |call: Expr| match &params.filter {
                Some(filter) => call.filter(filter.as_ref().clone()).build(),
                None => Ok(call),
            };
            let total = with_filter(sum(cast(value.clone(), DataType::Float64)))?.alias(name(0));
            let number = with_filter(count(value.clone()))?.alias(name(1));
            Some((Partial { parts: vec![total, number], whole: vec![sum(part(0)), sum(part(1))] }, true))
        }
        _ => None,
    })
}
