//! Windows in time: which rows count for which period.
//!
//! A window `[a, b)` of a period is cut into cells (days, or finer where something is finer): a small table of pairs of
//! a period and a cell of its window. Rows meet the pairs on their cell, so that each row is there once for each period
//! that it counts for, and every aggregate over them is exact, whatever it computes.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, NullHandling, Result, ScalarValue, TableReference, UnnestOptions};
use datafusion::functions::core::expr_fn::{coalesce, greatest, least};
use datafusion::functions_aggregate::expr_fn::{max, min};
// `range` stops a whole step before its end, whatever lies between: both ends are given instead.
use datafusion::functions_nested::expr_fn::gen_series;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::axis::Axis;
use super::frame::{Frame, Role, Window};
use super::instant::{Instants, TimeOp};
use super::range::start_of;
use super::scan::Scan;
use super::situation::Shows;
use crate::catalog::calendar::{Grain, PeriodId, TimePart};
use crate::catalog::time::{cast, interval_of, part_of};

/// What is done to the rows of a part.
pub(crate) struct Shape<'s> {
    pub(crate) frame: &'s Frame,
    /// The frame before the modifiers.
    pub(crate) outer: &'s Frame,
    /// The key whose periods have windows.
    pub(crate) at: usize,
    pub(crate) window: &'s Window,
    pub(crate) axis: &'s Axis<'s>,
    pub(crate) shows: Shows,
}

/// The periods of a question, made from the first and the last instants of all its parts.
pub(crate) struct Periods<'p> {
    /// The least and the greatest instant of each part, as `lo` and `hi`.
    pub(crate) bounds: &'p [LogicalPlan],
    /// The question's context.
    pub(crate) frame: &'p Frame,
}

const PAIRS: &str = "$pairs";
const INSTANT: &str = "$t";
const CELL: &str = "$cell";

pub(crate) const SHOWN: &str = "$shown";

/// The column that tells whether a running group is shown.
pub(crate) fn shown_column() -> Expr {
    plain(SHOWN)
}

/// The name of the column of a key.
pub(crate) fn key_name(at: usize) -> String {
    format!("$k{at}")
}

pub(crate) fn key_column(at: usize) -> Expr {
    plain(&key_name(at))
}

fn pair(name: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(PAIRS)), name))
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The rows, once for each period that they count for, by the pairs of periods and cells; `keys` become columns and get
/// the period.
pub(crate) fn windowed(
    rows: LogicalPlanBuilder,
    shape: &Shape<'_>,
    keys: &mut Vec<(usize, Expr)>,
    instant: &Expr,
    kept: &[Expr],
    cells: LogicalPlan,
) -> Result<LogicalPlanBuilder> {
    let instants = shape.axis.instants();
    let cell = cell_grain(shape);
    let named = keys.iter().map(|(at, key)| key.clone().alias(key_name(*at)));
    let time = instant.clone().alias(INSTANT);
    let of_row = instants.start_of(instant.clone(), cell).alias(CELL);
    let rows = rows.project(named.chain([time, of_row]).chain(kept.iter().cloned()))?;
    let inside =
        [Some(plain(CELL).eq(pair("c"))), Some(plain(INSTANT).gt_eq(pair("a"))), Some(plain(INSTANT).lt(pair("b")))];
    let exact = cells_are_exact(shape);
    let inside = inside.into_iter().flatten().take(if exact { 1 } else { 3 });
    let rows = rows.join_on(cells, JoinType::Inner, inside)?;
    keys.iter_mut().for_each(|(at, key)| *key = key_column(*at));
    let mut columns: Vec<Expr> = keys.iter().map(|(_, key)| key.clone()).collect();
    for at in shape.frame.kept() {
        if let Some(value) = period_key(shape, at, pair("p")) {
            columns.push(value.alias(key_name(at)));
            keys.push((at, key_column(at)));
        }
    }
    if shape.shows == Shows::Running {
        columns.push(pair("shown").alias(SHOWN));
    }
    rows.project(columns.into_iter().chain(kept.iter().cloned()))
}

/// A key that follows from the period, given its start.
pub(crate) fn period_key(shape: &Shape<'_>, at: usize, period: Expr) -> Option<Expr> {
    let instants = shape.axis.instants();
    let key = &shape.frame.keys[at];
    if at != shape.at && key.role != Role::Follows(shape.at) {
        return None;
    }
    let wanted = shape.axis.key_type(&key.expr);
    let value = match key.expr.as_input().and_then(|input| shape.axis.part(input)) {
        Some(TimePart::Grain(_)) if at == shape.at => period,
        Some(part @ TimePart::Grain(_)) => part_of(period, &instants.data_type, part, instants.calendar),
        _ => period,
    };
    Some(cast(value, wanted))
}

/// One row: the least and the greatest instant, as `lo` and `hi`.
pub(crate) fn first_and_last(rows: LogicalPlanBuilder, instant: Expr) -> Result<LogicalPlan> {
    let rows = rows.project([instant.alias(INSTANT)])?;
    rows.aggregate(Vec::<Expr>::new(), vec![min(plain(INSTANT)).alias("lo"), max(plain(INSTANT)).alias("hi")])?.build()
}

/// The finest grain that anything about the windows depends on.
pub(crate) fn cell_grain(shape: &Shape<'_>) -> Grain {
    let fits = |grain: Grain| shape.window.grain >= grain && shape.window.ops.iter().all(|op| op_fits(op, grain));
    [Grain::Day, Grain::Hour, Grain::Minute, Grain::Second, Grain::Millisecond]
        .into_iter()
        .find(|grain| fits(*grain))
        .unwrap_or(Grain::Microsecond)
}

fn op_fits(op: &TimeOp, grain: Grain) -> bool {
    if grain == Grain::Day { op.is_whole_days() } else { op.is_whole(grain) }
}

/// Whether each window begins and ends with a cell, so that a row's cell tells all.
pub(crate) fn cells_are_exact(shape: &Shape<'_>) -> bool {
    let cell = cell_grain(shape).span();
    // Days of instants without a zone are all alike.
    let length = i64::from(cell.days) * 86_400_000_000_000 + cell.nanoseconds;
    match &shape.window.end {
        Some(end) => shape.axis.instants().data_type == DataType::Date32 || begins_a_cell(end, length),
        None => true,
    }
}

/// Whether a constant instant begins a cell of so many nanoseconds.
fn begins_a_cell(instant: &Expr, length: i64) -> bool {
    match ExprSimplifier::new(SimplifyContext::default()).simplify(instant.clone()) {
        Ok(Expr::Literal(ScalarValue::TimestampNanosecond(Some(at), _), _)) => at % length == 0,
        _ => false,
    }
}

/// The window of a period with that start, `[from, to)`; without `from` it begins with the first row.
fn window_of(shape: &Shape<'_>, start: &Expr, plan: &mut LogicalPlanBuilder) -> Result<(Option<Expr>, Expr)> {
    let (instants, grain) = (shape.axis.instants(), shape.window.grain);
    let mut window = (Some(start.clone()), instants.later(start.clone(), grain.span()));
    // The range's end moves with the rows that are read.
    let mut limit = shape.window.end.clone();
    let cut = |to: Expr, limit: &Option<Expr>| match limit {
        Some(limit) => least(vec![to, limit.clone()]),
        None => to,
    };
    let mut is_period = true;
    for op in &shape.window.ops {
        if let TimeOp::Shift(span) = op {
            limit = limit.map(|limit| instants.end_earlier(limit, *span));
        } else if op.is_running() && !matches!(op, TimeOp::FirstOf(_)) {
            window.1 = cut(window.1, &limit);
        }
        window = match (op, window.0.clone()) {
            (TimeOp::ToDateOf(id), _) => {
                let from = begun(shape, *id, &window.1, plan)?;
                (Some(from), window.1)
            }
            // A day of a month lands on a day, also at the month's end.
            (TimeOp::Shift(span), Some(from)) if is_period && grain.lands_on(*span) => {
                let from = instants.earlier(from, *span);
                (Some(from.clone()), instants.later(from, grain.span()))
            }
            _ => instants.changed(window, op),
        };
        is_period &= matches!(op, TimeOp::Shift(span) if grain.lands_on(*span));
    }
    Ok(window)
}

/// The first day of the calendar's period that has the last instant before `to`, looked up by one more join; `to` itself
/// where the calendar has none, so that nothing lies between.
fn begun(shape: &Shape<'_>, id: PeriodId, to: &Expr, plan: &mut LogicalPlanBuilder) -> Result<Expr> {
    let instants = shape.axis.instants();
    let period = instants.calendar.period(id);
    let scan = Scan::new(shape.axis.catalog, period.source);
    let day = cast(scan.own_column(period.day), instants.data_type.clone());
    let first = min(plain("t")).alias("first");
    let days = scan.build()?.project([day.alias("t"), scan.own_column(period.column).alias("q")])?;
    let days = days.filter(plain("q").is_not_null())?;
    let firsts =
        days.clone().aggregate([plain("q")], [first])?.project([plain("q").alias("k"), plain("first")])?.build()?;
    let relation = format!("$begun{}", plan.schema().fields().len());
    let begun = days.join_on(firsts, JoinType::Inner, [plain("q").eq(plain("k"))])?;
    let begun = begun.project([plain("t"), plain("first")])?.alias(relation.as_str())?.build()?;
    let of = |name: &str| Expr::Column(Column::new(Some(TableReference::bare(relation.as_str())), name));
    let last = instants.start_of(instants.before(to.clone()), Grain::Day);
    *plan = plan.clone().join_on(begun, JoinType::Left, [last.eq(of("t"))])?;
    Ok(coalesce(vec![of("first"), to.clone()]))
}

/// A row for each period and each cell of its window that rows can have, given the first and last instants of the rows.
pub(crate) fn pairs(shape: &Shape<'_>, own: LogicalPlan, periods: &Periods<'_>) -> Result<LogicalPlan> {
    let cell = cell_grain(shape);
    let instants = shape.axis.instants();
    let periods = match &shape.window.periods {
        Some(periods) => periods.as_ref().clone(),
        None => periods.of(shape)?,
    };
    let (lo, hi) = (Expr::Column(Column::new(Some("$own"), "lo")), Expr::Column(Column::new(Some("$own"), "hi")));
    let own = LogicalPlanBuilder::from(own).alias("$own")?.build()?;
    let start = plain("p");
    let mut plan = LogicalPlanBuilder::from(periods).cross_join(own)?;
    let (from, to) = window_of(shape, &start, &mut plan)?;
    let from = from.map_or_else(|| lo.clone(), |from| greatest(vec![from, lo.clone()]));
    let to = least(vec![to, instants.next(hi.clone())]);
    let cells = gen_series(
        instants.start_of(from.clone(), cell),
        instants.start_of(instants.before(to.clone()), cell),
        interval_of(cell.span()),
    );
    let shown = shape.shown(start.clone(), (lo, hi))?;
    let columns = [start.alias("p"), from.alias("a"), to.alias("b"), shown.alias("shown"), cells.alias("c")];
    plan.project(columns)?.unnest_column_with_options("c", drop_nulls())?.alias(PAIRS)?.build()
}

/// A row for each period from one to another, as `p`; `first` and `last` are over the one row of `bounds`.
pub(crate) fn every_period_between(
    bounds: LogicalPlanBuilder,
    first: Expr,
    last: Expr,
    grain: Grain,
) -> Result<LogicalPlanBuilder> {
    let periods = gen_series(first, last, interval_of(grain.span()));
    bounds.project([periods.alias("p")])?.unnest_column_with_options("p", drop_nulls())
}

/// Empty lists leave no row.
pub(crate) fn drop_nulls() -> UnnestOptions {
    UnnestOptions { null_handling: NullHandling::Drop, ..UnnestOptions::default() }
}

impl Shape<'_> {
    /// Whether later periods have later windows, whatever is in a calendar's table.
    pub(crate) fn moves_forward(&self) -> bool {
        !self.window.ops.iter().any(|op| matches!(op, TimeOp::ToDateOf(_)))
    }

    /// Whether a period lies between those of the first and the last instant, and has something of the range.
    pub(crate) fn shown(&self, start: Expr, own: (Expr, Expr)) -> Result<Expr> {
        let (instants, grain) = (self.axis.instants(), self.window.grain);
        let end = instants.later(start.clone(), grain.span());
        let mut shown = vec![
            start.clone().gt_eq(instants.start_of(own.0, grain)),
            start.clone().lt_eq(instants.start_of(own.1, grain)),
        ];
        shown.extend(self.ranges()?.iter().filter_map(|range| range.meets(&start, &end)));
        Ok(conjunction(shown).unwrap_or(lit(true)))
    }

    /// The ranges that decide what is shown: those before the modifiers.
    fn ranges(&self) -> Result<Vec<super::range::Range>> {
        Ok(self.outer.all_ranges(self.axis)?)
    }
}

impl Periods<'_> {
    /// Every period of the key's grain from the first to the last instant of all parts, within the question's range.
    fn of(&self, shape: &Shape<'_>) -> Result<LogicalPlan> {
        let instants = shape.axis.instants();
        let whole = overall(self.bounds, &instants)?;
        let grain = shape.window.grain;
        let begin = match start_of(&shape.ranges()?) {
            // Another time axis may have some of the day before.
            Some(begin) => greatest(vec![plain("lo"), instants.earlier(begin, Grain::Day.span())]),
            None => plain("lo"),
        };
        let from = instants.start_of(begin, grain);
        let to = instants.start_of(plain("hi"), grain);
        every_period_between(whole, from, to, grain)?.build()
    }

    /// The same, for the frames inside.
    pub(crate) fn settled(&self, shape: &Shape<'_>) -> Result<LogicalPlan> {
        match &shape.window.periods {
            Some(periods) => Ok(periods.as_ref().clone()),
            None => self.of(shape),
        }
    }
}

/// One row: the least and the greatest of several first and last instants.
pub(crate) fn overall(bounds: &[LogicalPlan], instants: &Instants<'_>) -> Result<LogicalPlanBuilder> {
    let wanted = |name: &str| cast(plain(name), instants.data_type.clone()).alias(name);
    let mut all: Option<LogicalPlanBuilder> = None;
    for bounds in bounds {
        let one = LogicalPlanBuilder::from(bounds.clone()).project([wanted("lo"), wanted("hi")])?;
        all = Some(match all {
            Some(all) => all.union(one.build()?)?,
            None => one,
        });
    }
    let Some(all) = all else { return datafusion::common::internal_err!("a window without a time axis") };
    all.aggregate(Vec::<Expr>::new(), vec![min(plain("lo")).alias("lo"), max(plain("hi")).alias("hi")])
}
