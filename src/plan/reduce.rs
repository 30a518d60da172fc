//! Rows that are added up before anything is asked of them.
//!
//! Sums, counts and extremes can be put together from parts. So the rows of a source are first aggregated by just those
//! of its columns that the question looks at (its keys, its joins, the filters of its aggregates), and joins, time grains,
//! filters and grouping sets act on these few rows, the *cells*. One rule, known by several names:
//!
//! - *grain first*: by the raw day, months and years after;
//! - *eager aggregation*: by the foreign key, the joined row looked up after (and once more at that row's own foreign key:
//!   `late_lookup`);
//! - *lattice*: by all keys, `CUBE` and `ROLLUP` from the cells;
//! - *fold*: by the columns of the aggregates' filters, one pass for all of them.
//!
//! It is done where the statistics say that the cells are few. Values stay what they are: only aggregates whose parts add
//! up exactly take part (integers and decimals, not doubles, whose last digit depends on the order), each in its type.
//! Averages are put together from their states, as DataFusion does it for its partitions.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, Operator};

use super::cells::has_small_state;
use super::combine::Question;
use super::guards::guarded;
use super::late_lookup::{Again, twice};
use super::part::Placed;
use super::rows::{aggregate, columns_of, distinct};
use super::running::{Final, Finals};
use super::scan::Scan;
use super::states::{merged, state_of};
use crate::catalog::source::Source;

/// About how many periods a time that is cut to a grain has, if nobody knows.
const PERIODS: usize = 1_000;

/// So many cells are found quickly: more are worth a computation for each row, if that makes them fewer.
const IN_CACHE: usize = 16_384;

/// When keys that are computed from columns are computed.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// For each row.
    Now,
    /// For each cell.
    Later,
}

/// Cells, and what is asked of them.
pub(crate) struct Reduced {
    /// The cells with what is joined to them.
    pub(crate) rows: LogicalPlanBuilder,
    pub(crate) keys: Vec<(usize, Expr)>,
    pub(crate) instant: Option<Expr>,
    /// Aggregates over cells.
    pub(crate) calls: Vec<Expr>,
    /// For each leaf its value over the outputs of these aggregates.
    pub(crate) finals: Finals,
}

/// The part over cells, if that is possible and pays.
pub(crate) fn reduced(
    question: &Question<'_>,
    placed: &Placed<'_>,
    sets: Option<&[Vec<usize>]>,
) -> Result<Option<Reduced>> {
    let simple = placed.edges.is_empty() && placed.day.is_none();
    if !simple || placed.calls.is_empty() || !placed.scan.is_plain() || !may_pay(placed, sets) {
        return Ok(None);
    }
    let rows = placed.scan.root_relation()?;
    let source = question.catalog.source(placed.scan.root());
    let root = Root {
        source,
        rows: source.size.rows.map(|rows| rows_left(rows, placed)),
        factor: question.rewrites.reduce_factor,
        relation: placed.scan.root_name(),
        joined_by: placed.scan.join_columns(),
        schema: rows.schema(),
    };
    let conditions = placed.filters.iter().cloned().flat_map(split_conjunction_owned);
    let (inner, outer): (Vec<Expr>, Vec<Expr>) = conditions.partition(|condition| root.has_all_of(condition));
    let Some(mut plan) = Cells::of(&root, placed, &outer, Keys::Later)? else { return Ok(None) };
    if root.cells(&plan.columns).is_some_and(|cells| cells > IN_CACHE) {
        let Some(fewer) = Cells::of(&root, placed, &outer, Keys::Now)? else { return Ok(None) };
        plan = Cells { coarsens: plan.coarsens, ..fewer };
    }
    // A condition on another source acts on cells: what it leaves out must not fail before.
    if !outer.is_empty() && plan.early().any(|expr| may_fail(expr, root.schema)) {
        return Ok(None);
    }
    let worthwhile = plan.coarsens
        || placed.scan.joins()
        || sets.is_some_and(|sets| sets.len() > 1)
        || plan.calls.iter().filter(|call| call.later.is_some()).count() > 1;
    let mut rows = LogicalPlanBuilder::from(rows.clone());
    if let Some(condition) = conjunction(inner).map(guarded) {
        rows = rows.filter(condition)?;
    }
    let rows = rows.build()?;
    let unconditioned = outer.is_empty() && plan.instant.is_none();
    if !worthwhile || !plan.are_few(&root, sets) {
        return if unconditioned { plan.on_the_way(&root, placed.scan.clone().over(rows)) } else { Ok(None) };
    }
    let few = root.cells(&plan.columns);
    let cells = aggregate(rows, std::mem::take(&mut plan.columns), std::mem::take(&mut plan.partials))?;
    let mut scan = placed.scan.clone().narrowed_by(&outer).over(cells);
    scan.row_count = few;
    if unconditioned && let Some((parts, calls)) = twice(&plan.outputs) {
        let again = Again { keys: &plan.keys, parts: &parts, rows: few, factor: root.factor, instead: false };
        if let Some(rows) = again.late_lookup(&scan)? {
            return Ok(Some(Reduced { rows, keys: plan.keys, instant: None, calls, finals: plan.finals }));
        }
    }
    let rows = match conjunction(outer).map(guarded) {
        Some(condition) => scan.build()?.filter(condition)?,
        None => scan.build()?,
    };
    Ok(Some(Reduced { rows, keys: plan.keys, instant: plan.instant, calls: plan.outputs, finals: plan.finals }))
}

/// About how many rows the conditions leave. Where they leave half of them, adding up all before pays nearly as often as
/// without conditions; where they leave few, joins leave out the others while they are read.
fn rows_left(rows: usize, placed: &Placed<'_>) -> usize {
    let sizes = placed.scan.sizes();
    let share: f64 = placed.filters.iter().map(|condition| sizes.share(condition)).product();
    (rows as f64 * (2.0 * share).min(1.0)) as usize
}

/// Whether something is asked of the rows that cells would make cheaper.
fn may_pay(placed: &Placed<'_>, sets: Option<&[Vec<usize>]>) -> bool {
    let filtered = |call: &Expr| match call {
        Expr::AggregateFunction(call) => call.params.filter.is_some(),
        Expr::Column(_) | Expr::Literal(..) => false,
        _ => true,
    };
    placed.instant.is_some()
        || placed.scan.joins()
        || sets.is_some_and(|sets| sets.len() > 1)
        || placed.keys.iter().any(|(_, key)| !matches!(key, Expr::Column(_)))
        || placed.calls.iter().filter(|(_, call)| filtered(call)).count() > 1
}

/// The source whose rows are added up.
struct Root<'r> {
    source: &'r Source,
    /// About how many of them count.
    rows: Option<usize>,
    /// How many times fewer cells than rows there must be.
    factor: usize,
    relation: TableReference,
    /// What other sources are joined by, and about how many values that has.
    joined_by: Vec<(Expr, Option<usize>)>,
    schema: &'r DFSchema,
}

impl Root<'_> {
    fn is_own(&self, column: &Expr) -> bool {
        matches!(column, Expr::Column(column) if column.relation.as_ref() == Some(&self.relation))
    }

    fn has_all_of(&self, expr: &Expr) -> bool {
        columns_of(expr).iter().all(|column| self.is_own(column))
    }

    fn own_in(&self, expr: &Expr) -> Vec<Expr> {
        columns_of(expr).into_iter().filter(|column| self.is_own(column)).collect()
    }

    /// About how many values a column has.
    fn values(&self, column: &Expr) -> Option<usize> {
        let Expr::Column(name) = column else { return Some(PERIODS) };
        let at = self.source.column(&name.name)?;
        let known = self.source.size.column(at, &self.source.columns[at].data_type).values;
        let joined = self.joined_by.iter().filter(|(own, _)| own == column).filter_map(|(_, rows)| *rows);
        known.into_iter().chain(joined).min()
    }

    /// Whether there are far fewer cells than rows.
    fn are_few(&self, cells: Option<usize>) -> bool {
        let fewer = cells.zip(self.rows).is_some_and(|(cells, rows)| cells.saturating_mul(self.factor) <= rows);
        fewer || self.factor == 0
    }

    /// About how many combinations of values columns have.
    fn cells(&self, columns: &[Expr]) -> Option<usize> {
        columns.iter().try_fold(1_usize, |cells, column| Some(cells.saturating_mul(self.values(column)?)))
    }
}

/// A call as it is computed: of the rows, with a filter there, and with a filter over cells.
struct SplitCall {
    call: AggregateFunction,
    now: Option<Expr>,
    later: Option<Expr>,
}

struct Cells {
    /// What rows are added up by, under names that stand for it later.
    columns: Vec<Expr>,
    keys: Vec<(usize, Expr)>,
    instant: Option<Expr>,
    calls: Vec<SplitCall>,
    partials: Vec<Expr>,
    outputs: Vec<Expr>,
    finals: Finals,
    /// Whether some key is computed from a column: for each cell now, and no longer for each row.
    coarsens: bool,
}

impl Cells {
    fn of(root: &Root<'_>, placed: &Placed<'_>, outer: &[Expr], computed: Keys) -> Result<Option<Cells>> {
        let mut cells = Cells {
            columns: vec![],
            keys: vec![],
            instant: None,
            calls: vec![],
            partials: vec![],
            outputs: vec![],
            finals: vec![],
            coarsens: false,
        };
        for (at, key) in &placed.keys {
            let key = cells.key(root, key, computed);
            cells.keys.push((*at, key));
        }
        if let Some(instant) = &placed.instant {
            cells.instant = Some(cells.key(root, instant, computed));
            // Windows cut it to their cells.
            cells.coarsens = true;
        }
        outer.iter().for_each(|condition| cells.need(root.own_in(condition)));
        cells.need(root.joined_by.iter().flat_map(|(own, _)| root.own_in(own)).collect());
        for (_, call) in &placed.calls {
            let Some(split) = cells.split(root, call) else { return Ok(None) };
            cells.calls.push(split);
        }
        for (leaf, at) in placed.calls.iter().map(|(leaf, _)| *leaf).zip(0..) {
            let Some(value) = cells.put_together(root, at)? else { return Ok(None) };
            cells.finals.push((leaf, value));
        }
        Ok(Some(cells))
    }

    /// The rows, added up where they are joined, not before.
    fn on_the_way(self, root: &Root<'_>, scan: Scan<'_>) -> Result<Option<Reduced>> {
        let computed = self.columns.iter().any(|column| !matches!(column, Expr::Column(_)));
        let filtered = |call: &Expr| matches!(call, Expr::AggregateFunction(call) if call.params.filter.is_some());
        if computed || self.outputs.iter().any(filtered) {
            return Ok(None);
        }
        let (keys, parts) = (&self.keys, &self.partials);
        let again = Again { keys, parts, rows: root.rows, factor: root.factor, instead: true };
        let Some(rows) = again.late_lookup(&scan)? else { return Ok(None) };
        Ok(Some(Reduced { rows, keys: self.keys, instant: None, calls: self.outputs, finals: self.finals }))
    }

    /// What is computed from each row.
    fn early(&self) -> impl Iterator<Item = &Expr> {
        self.columns.iter().chain(&self.partials)
    }

    fn need(&mut self, columns: Vec<Expr>) {
        self.columns.extend(columns);
        self.columns = distinct(&self.columns);
    }

    /// A key over cells. What is computed from few values is computed later; from many, or from unknown ones, now.
    fn key(&mut self, root: &Root<'_>, key: &Expr, computed: Keys) -> Expr {
        let own = root.own_in(key);
        let plain = matches!(key, Expr::Column(_));
        let later = computed == Keys::Later && root.cells(&own).is_some();
        if plain || !root.has_all_of(key) || own.is_empty() || later {
            self.coarsens |= !plain && !own.is_empty();
            self.need(own);
            return key.clone();
        }
        let name = format!("$key{}", self.columns.len());
        self.need(vec![key.clone().alias_qualified(Some(root.relation.clone()), &name)]);
        Expr::Column(Column::new(Some(root.relation.clone()), name))
    }

    /// A call whose argument is of the source alone; a filter that needs other sources acts later, and one that needs few
    /// more cells too.
    fn split(&mut self, root: &Root<'_>, call: &Expr) -> Option<SplitCall> {
        let call = match call {
            Expr::Alias(alias) => alias.expr.as_ref(),
            other => other,
        };
        let Expr::AggregateFunction(function) = call else { return None };
        if !function.params.args.iter().all(|argument| root.has_all_of(argument)) {
            return None;
        }
        let mut call = function.clone();
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for filter in call.params.filter.take().into_iter().flat_map(|filter| split_conjunction_owned(*filter)) {
            let own = root.own_in(&filter);
            let far = !root.has_all_of(&filter);
            if far || self.stay_few_with(root, &own) {
                self.need(own);
                later.push(filter);
            } else {
                now.push(filter);
            }
        }
        Some(SplitCall { call, now: conjunction(now), later: conjunction(later) })
    }

    fn stay_few_with(&self, root: &Root<'_>, more: &[Expr]) -> bool {
        /// More than so many values are no kinds of things.
        const KINDS: usize = 64;
        let kinds = more.iter().all(|column| root.values(column).is_some_and(|values| values <= KINDS));
        let columns = distinct(&self.columns.iter().chain(more).cloned().collect::<Vec<_>>());
        (kinds || root.factor == 0) && root.are_few(root.cells(&columns))
    }

    fn are_few(&self, root: &Root<'_>, sets: Option<&[Vec<usize>]>) -> bool {
        match root.cells(&self.columns) {
            // All keys together are one of the sets, or nearly: the rows are aggregated by them anyway.
            None if root.factor > 0 => sets.is_some_and(|sets| sets.len() > 1) && self.columns.len() == self.keys.len(),
            cells => root.are_few(cells),
        }
    }

    /// The value of a call over its parts, which become columns of the cells.
    fn put_together(&mut self, root: &Root<'_>, at: usize) -> Result<Option<Final>> {
        let SplitCall { call, now, later } = &self.calls[at];
        let params = &call.params;
        if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Ok(None);
        }
        let data_type = Expr::AggregateFunction(call.clone()).get_type(root.schema)?;
        let argument = params.args.first().map(|argument| argument.get_type(root.schema)).transpose()?;
        let exact = argument.as_ref().is_some_and(|kind| kind.is_integer() || is_decimal(kind));
        let call = call.clone();
        let later = later.clone().map(guarded);
        let mut partial = call.clone();
        partial.params.filter = now.clone().map(guarded).map(Box::new);
        use datafusion::functions_aggregate::expr_fn::{max, min, sum};
        let output = match call.func.name() {
            "sum" if exact => sum(self.partial(Expr::AggregateFunction(partial))),
            "count" => sum(self.partial(Expr::AggregateFunction(partial))),
            "min" => min(self.partial(Expr::AggregateFunction(partial))),
            "max" => max(self.partial(Expr::AggregateFunction(partial))),
            _ if has_small_state(&call, root.schema) => merged(&call, root.schema, self.partial(state_of(&partial)))?,
            _ => return Ok(None),
        };
        let output = match output {
            Expr::AggregateFunction(mut function) => {
                function.params.filter = later.map(Box::new);
                Expr::AggregateFunction(function)
            }
            other => other,
        };
        let counts = call.func.name() == "count";
        let at = self.outputs.iter().position(|known| *known == output).unwrap_or_else(|| {
            self.outputs.push(output);
            self.outputs.len() - 1
        });
        Ok(Some(if counts { Final::Count(at) } else { Final::Same(at, data_type) }))
    }

    /// The column of a part.
    fn partial(&mut self, call: Expr) -> Expr {
        let known = self.partials.iter().position(|known| matches!(known, Expr::Alias(alias) if *alias.expr == call));
        let at = known.unwrap_or_else(|| {
            self.partials.push(call.alias(format!("$part{}", self.partials.len())));
            self.partials.len() - 1
        });
        Expr::Column(Column::new_unqualified(format!("$part{at}")))
    }
}

/// Whether an expression can end a query with an error for some values: texts that are no numbers, a division by zero, a
/// function of which that is not known.
fn may_fail(expr: &Expr, schema: &DFSchema) -> bool {
    const SAFE: [&str; 7] = ["bell_start_of", "coalesce", "date_trunc", "greatest", "least", "lower", "upper"];
    let fails = |expr: &Expr| match expr {
        Expr::Cast(cast) if !matches!(*cast.expr, Expr::Literal(..)) => !cast.expr.get_type(schema).is_ok_and(|from| {
            let number = from.is_integer() || from.is_floating() || is_decimal(&from);
            (number && cast.field.data_type().is_floating())
                || (from.is_temporal() && cast.field.data_type().is_temporal())
        }),
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::Divide | Operator::Modulo) => {
            !expr.get_type(schema).is_ok_and(|data_type| data_type.is_floating())
        }
        Expr::ScalarFunction(function) => !SAFE.contains(&function.name()),
        _ => false,
    };
    expr.exists(|expr| Ok(fails(expr))).unwrap_or(true)
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}
