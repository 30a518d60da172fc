//! What later rows tell of a source's rows: its rows once more, with columns that are found by time.
//!
//! The rows of all sources of an event stand in one relation, in order of time for each entity; window functions then
//! see what follows a row. So rows are never compared in pairs, and the base rows stay as many as they are.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::expr_fn::lead;
use datafusion::logical_expr::expr::{Sort, WindowFunction};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits, lit, when,
};

use super::days::with_days;
use super::scan::Scan;
use crate::catalog::event::{Bound, Conversion, Counted, Event, EventColumn, Reach};
use crate::catalog::expr::Expression;
use crate::catalog::time::{cast, earlier, later, wall_clock};
use crate::catalog::{Catalog, SourceId};

/// The rows of an event's source with the event's columns under that relation.
pub(crate) fn with_event(
    catalog: &Catalog,
    rows: LogicalPlan,
    event: &Event,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    match event {
        Event::Conversion(conversion) => with_conversion(catalog, rows, conversion, relation),
        Event::Dated(dated) => with_days(catalog, rows, dated, relation),
    }
}

const TIME: &str = "$time";
/// The time of a row that may be credited, NULL for base rows: these stand before it, also at the same instant.
const FOUND: &str = "$found";
const CREDIT: &str = "$credit";
/// The number of the base row that a row stands behind, and that row's time.
const STRETCH: &str = "$stretch";
const BEGIN: &str = "$begin";

/// A base row converts if the next row of the same keys is a conversion, in time. So each conversion is credited to one
/// base row, whatever rows there are at the same instant: to the last one in the order of the source's key.
fn with_conversion(
    catalog: &Catalog,
    rows: LogicalPlan,
    conversion: &Conversion,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let clock = Clock::of(catalog, &conversion.times);
    let columns = Carried::of(&rows);
    let mine: Vec<Keyed> = conversion.keys.iter().map(|key| (&key.from, &key.data_type)).collect();
    let theirs: Vec<Keyed> = conversion.keys.iter().map(|key| (&key.to, &key.data_type)).collect();
    let [of_base, of_found] = &conversion.times;
    let base = timed(Scan::new(catalog, conversion.from).over(rows), of_base, &clock, &mine)?;
    let never = Expr::Literal(ScalarValue::try_from(&clock.data_type)?, None);
    let base = base.project(columns.named().chain(keys_of(&mine)).chain([plain(TIME), never.clone().alias(FOUND)]))?;
    let found = timed(Scan::new(catalog, conversion.to), of_found, &clock, &theirs)?;
    let found = known(found, theirs.len())?;
    let times = [never.alias(TIME), plain(TIME).alias(FOUND)];
    let found = found.project(columns.nulls()?.chain(keys_of(&theirs)).chain(times))?;
    // The time of both is computed only here: DataFusion 55.2 would sort the two sides by it apart, and then fail to see
    // that a constant of each side orders their merge.
    let time = coalesce(vec![plain(TIME), plain(FOUND)]).alias(TIME);
    let all = base.union(found.build()?)?;
    let others = all.schema().columns().into_iter().filter(|column| column.name != TIME).map(Expr::Column);
    let all = all.clone().project(others.chain([time]))?;
    let ordered = [plain(TIME), plain(FOUND)].into_iter().chain(columns.key(catalog, conversion.from));
    let order = Order { keys: keys_of(&mine).collect(), by: ordered.map(|expr| expr.sort(true, true)).collect() };
    let in_time = |found: Expr| match conversion.within {
        Some(Reach { span, end: Bound::Included }) => found.lt_eq(later(plain(TIME), &clock.data_type, span)),
        Some(Reach { span, end: Bound::Excluded }) => earlier(found, &clock.data_type, span).lt(plain(TIME)),
        None => plain(TIME).lt_eq(found),
    };
    let (all, value, column) = match conversion.counts {
        Counted::Base => {
            let next = order.over(lead(plain(FOUND), Some(1), None))?;
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

impl Order {
    fn over(&self, call: Expr) -> Result<Expr> {
        call.partition_by(self.keys.clone()).order_by(self.by.clone()).build()
    }
}

/// The number of rows that are credited to each base row: those up to the next base row, as far as they are in time.
fn credits(all: LogicalPlanBuilder, order: Order, in_time: impl Fn(Expr) -> Expr) -> Result<LogicalPlanBuilder> {
    let total = |of: Expr| Expr::from(WindowFunction::new(sum_udaf(), vec![of]));
    let is_base = when(plain(FOUND).is_null(), lit(1_i64)).otherwise(lit(0_i64))?;
    // Base rows stand before what may be credited to them, and begin a stretch each.
    let so_far = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let stretch = total(is_base).partition_by(order.keys.clone()).order_by(order.by.clone()).window_frame(so_far);
    let all = with_window(all, stretch.build()?, STRETCH)?;
    let within = |call: Expr| call.partition_by(order.keys.iter().cloned().chain([plain(STRETCH)]).collect()).build();
    let begin = Expr::from(WindowFunction::new(min_udaf(), vec![when(plain(FOUND).is_null(), plain(TIME)).end()?]));
    let all = with_window(all, within(begin)?, BEGIN)?;
    // The base row's own time, in the place of the credited row's.
    let others = all.schema().columns().into_iter().filter(|column| column.name != TIME).map(Expr::Column);
    let all = all.clone().project(others.chain([plain(BEGIN).alias(TIME)]))?;
    let credited = when(plain(FOUND).is_not_null().and(in_time(plain(FOUND))), lit(1_i64)).otherwise(lit(0_i64))?;
    with_window(all, within(total(credited))?, CREDIT)
}

/// A window function as one more column.
fn with_window(rows: LogicalPlanBuilder, call: Expr, name: &str) -> Result<LogicalPlanBuilder> {
    let before = all_columns(&rows);
    let value = plain(&call.schema_name().to_string()).alias(name);
    rows.window(vec![call])?.project(before.into_iter().chain([value]))
}

/// Only rows that have a time and all keys: what is not known equals nothing.
fn known(rows: LogicalPlanBuilder, keys: usize) -> Result<LogicalPlanBuilder> {
    let names = (0..keys).map(key_name).chain([TIME.to_string()]);
    match conjunction(names.map(|name| plain(&name).is_not_null())) {
        Some(known) => rows.filter(known),
        None => Ok(rows),
    }
}

fn all_columns(rows: &LogicalPlanBuilder) -> Vec<Expr> {
    rows.schema().columns().into_iter().map(Expr::Column).collect()
}

type Keyed<'k> = (&'k Expression, &'k DataType);

/// The rows of a source with columns for the keys and the time; the columns of the source stay.
fn timed(mut scan: Scan<'_>, time: &Expression, clock: &Clock<'_>, keys: &[Keyed<'_>]) -> Result<LogicalPlanBuilder> {
    let keys: Vec<Expr> = keys
        .iter()
        .enumerate()
        .map(|(at, (key, data_type))| cast(scan.place(key), (*data_type).clone()).alias(key_name(at)))
        .collect();
    let time = clock.time(&mut scan, time).alias(TIME);
    let rows = scan.build()?;
    let before = all_columns(&rows);
    rows.project(before.into_iter().chain(keys).chain([time]))
}

/// The clock by which the times of several sources are compared.
struct Clock<'c> {
    catalog: &'c Catalog,
    /// Whether all have zones: then instants are compared, else wall clocks.
    zoned: bool,
    data_type: DataType,
}

impl<'c> Clock<'c> {
    fn of(catalog: &'c Catalog, times: &[Expression]) -> Self {
        let types: Vec<DataType> = times.iter().map(|axis| catalog.axis_type(axis)).collect();
        let zoned = types.iter().all(|t| matches!(t, DataType::Timestamp(_, Some(_))));
        let unit = |t: &DataType| match t {
            DataType::Timestamp(unit, _) => *unit,
            _ => TimeUnit::Second,
        };
        // The finest, so that no time is rounded; not finer, because far years do not fit into nanoseconds.
        let unit = types.iter().map(unit).max().unwrap_or(TimeUnit::Second);
        let zone = zoned.then(|| "UTC".into());
        Clock { catalog, zoned, data_type: DataType::Timestamp(unit, zone) }
    }

    /// The time of a source's rows.
    fn time(&self, scan: &mut Scan<'_>, time: &Expression) -> Expr {
        let native = self.catalog.axis_type(time);
        let value = scan.place(time);
        let value = if self.zoned { value } else { wall_clock(value, &native, &self.catalog.calendar) };
        cast(value, self.data_type.clone())
    }
}

/// The columns of the base rows while they stand in one relation with others.
struct Carried {
    columns: Vec<(Column, DataType)>,
}

impl Carried {
    fn of(rows: &LogicalPlan) -> Self {
        let fields = rows.schema().iter();
        let columns =
            fields.map(|(relation, field)| (Column::new(relation.cloned(), field.name()), field.data_type().clone()));
        Carried { columns: columns.collect() }
    }

    fn named(&self) -> impl Iterator<Item = Expr> {
        self.columns.iter().enumerate().map(|(at, (column, _))| Expr::Column(column.clone()).alias(carried(at)))
    }

    fn nulls(&self) -> Result<impl Iterator<Item = Expr>> {
        let nulls =
            self.columns.iter().enumerate().map(|(at, (_, data_type))| {
                Ok(Expr::Literal(ScalarValue::try_from(data_type)?, None).alias(carried(at)))
            });
        Ok(nulls.collect::<Result<Vec<_>>>()?.into_iter())
    }

    fn restored(&self) -> impl Iterator<Item = Expr> {
        self.columns
            .iter()
            .enumerate()
            .map(|(at, (column, _))| plain(&carried(at)).alias_qualified(column.relation.clone(), &column.name))
    }

    /// The columns of the source's key, so that the order of rows at the same instant is not left to chance.
    fn key(&self, catalog: &Catalog, source: SourceId) -> Vec<Expr> {
        let source = catalog.source(source);
        let key = source.keys.first().into_iter().flatten().map(|at| &source.columns[*at].name);
        let position = |name: &String| self.columns.iter().position(|(column, _)| column.name == *name);
        key.filter_map(position).map(|at| plain(&carried(at))).collect()
    }
}

fn keys_of(keys: &[Keyed<'_>]) -> impl Iterator<Item = Expr> + use<> {
    (0..keys.len()).map(|at| plain(&key_name(at)))
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn key_name(at: usize) -> String {
    format!("$key{at}")
}

fn carried(at: usize) -> String {
    format!("$c{at}")
}
