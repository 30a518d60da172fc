//! Rows with the time and the keys by which events are found.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
};

use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::event::{EventRows, Follows};
use crate::catalog::expr::Expression;
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::time::{cast, part_of, wall_clock};
use crate::catalog::{Catalog, SourceId};
use crate::check::unreachable;
use crate::plan::guards::guarded;
use crate::plan::scan::Scan;

/// The time of a row.
pub(super) const TIME: &str = "$time";
/// The period of a row.
pub(super) const PERIOD: &str = "$period";

/// Rows of a source that take part in an event.
pub(super) struct Side<'s> {
    pub(super) source: SourceId,
    /// Its time, if not the source's own.
    pub(super) time: Option<&'s Expression>,
    pub(super) keys: Vec<Keyed<'s>>,
    /// Which of its rows, AND-ed.
    pub(super) conditions: &'s [Expression],
}

/// A key over columns of the source, and its type.
type Keyed<'k> = (&'k Expression, &'k DataType);

impl<'s> Side<'s> {
    /// The rows of a step, or of the beginning or the return of a cohort: their key is the entity.
    pub(super) fn of(rows: &'s EventRows, entity_type: &'s DataType) -> Self {
        let keys = vec![(&rows.entity, entity_type)];
        Side { source: rows.source, time: None, keys, conditions: &rows.conditions }
    }

    pub(super) fn key_columns(&self) -> impl Iterator<Item = Expr> + use<> {
        (0..self.keys.len()).map(|at| plain(&key_name(at)))
    }
}

/// The first key.
pub(super) fn entity() -> Expr {
    plain(&key_name(0))
}

/// The rows of a side with columns for the keys and the time; the columns of the source stay.
pub(super) fn timed(scan: Scan<'_>, clock: &Clock<'_>, side: &Side<'_>) -> Result<LogicalPlanBuilder> {
    tagged(scan, clock, side, None)
}

/// The same with the period of the time.
pub(super) fn timed_by(scan: Scan<'_>, clock: &Clock<'_>, side: &Side<'_>, every: Grain) -> Result<LogicalPlanBuilder> {
    tagged(scan, clock, side, Some(every))
}

fn tagged(mut scan: Scan<'_>, clock: &Clock<'_>, side: &Side<'_>, every: Option<Grain>) -> Result<LogicalPlanBuilder> {
    let keys = side.keys.iter().enumerate();
    let mut tags: Vec<Expr> =
        keys.map(|(at, (key, data_type))| cast(scan.place(key), (*data_type).clone()).alias(key_name(at))).collect();
    let (time, native) = clock.native(&mut scan, side)?;
    if let Some(grain) = every {
        let period = part_of(time.clone(), &native, TimePart::Grain(grain), &clock.catalog.calendar);
        tags.push(cast(period, DataType::Date32).alias(PERIOD));
    }
    tags.push(clock.time(time, &native).alias(TIME));
    let condition = conjunction(side.conditions.iter().map(|condition| scan.place(condition)).collect::<Vec<_>>());
    let rows = scan.build()?;
    let rows = match condition {
        Some(condition) => rows.filter(guarded(condition))?,
        None => rows,
    };
    let before = all_columns(&rows);
    rows.project(before.into_iter().chain(tags))
}

/// Only rows that have a time and all keys: what is not known equals nothing.
pub(super) fn known(rows: LogicalPlanBuilder, side: &Side<'_>) -> Result<LogicalPlanBuilder> {
    match conjunction(side.key_columns().chain([plain(TIME)]).map(Expr::is_not_null)) {
        Some(known) => rows.filter(known),
        None => Ok(rows),
    }
}

/// The least value among the rows of the same entity that follow.
pub(super) fn least_from_here(value: Expr, follows: Follows) -> Result<Expr> {
    // Backwards, so that what was seen up to here is what follows. A group is the rows at one instant.
    let last = match follows {
        Follows::NotBefore => WindowFrameBound::CurrentRow,
        Follows::After => WindowFrameBound::Preceding(ScalarValue::UInt64(Some(1))),
    };
    let first = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
    Expr::from(WindowFunction::new(min_udaf(), vec![value]))
        .partition_by(vec![entity()])
        .order_by(vec![plain(TIME).sort(false, true)])
        .window_frame(WindowFrame::new_bounds(WindowFrameUnits::Groups, first, last))
        .build()
}

pub(super) fn all_columns(rows: &LogicalPlanBuilder) -> Vec<Expr> {
    rows.schema().columns().into_iter().map(Expr::Column).collect()
}

/// The clock by which the times of several sources are compared.
pub(super) struct Clock<'c> {
    catalog: &'c Catalog,
    /// Whether all have zones: then instants are compared, else wall clocks.
    zoned: bool,
    pub(super) data_type: DataType,
}

impl<'c> Clock<'c> {
    pub(super) fn of(catalog: &'c Catalog, sources: &[SourceId]) -> Self {
        Clock::by(catalog, sources.iter().filter_map(|source| catalog.source(*source).time.as_ref()))
    }

    /// The clock of these times.
    pub(super) fn by<'t>(catalog: &'c Catalog, times: impl Iterator<Item = &'t Expression>) -> Self {
        let types: Vec<DataType> = times.map(|axis| catalog.axis_type(axis)).collect();
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

    /// The time of a source's rows as they have it, and its type.
    fn native(&self, scan: &mut Scan<'_>, side: &Side<'_>) -> Result<(Expr, DataType)> {
        let source = side.source;
        let Some(axis) = side.time.or(self.catalog.source(source).time.as_ref()) else {
            return datafusion::common::internal_err!("events are of sources with a time");
        };
        let flat = flatten(self.catalog, Standpoint { source, axis: None }, axis)
            .map_err(|problem| unreachable(self.catalog, source, &problem))?;
        Ok((scan.place(&flat), self.catalog.axis_type(axis)))
    }

    fn time(&self, native: Expr, data_type: &DataType) -> Expr {
        let value = if self.zoned { native } else { wall_clock(native, data_type, &self.catalog.calendar) };
        cast(value, self.data_type.clone())
    }

    /// No time.
    pub(super) fn never(&self) -> Result<Expr> {
        Ok(Expr::Literal(ScalarValue::try_from(&self.data_type)?, None))
    }
}

/// The columns of the base rows while they stand in one relation with others.
pub(super) struct Carried {
    columns: Vec<(Column, DataType)>,
}

impl Carried {
    pub(super) fn of(rows: &LogicalPlan) -> Self {
        let fields = rows.schema().iter();
        let columns =
            fields.map(|(relation, field)| (Column::new(relation.cloned(), field.name()), field.data_type().clone()));
        Carried { columns: columns.collect() }
    }

    pub(super) fn named(&self) -> impl Iterator<Item = Expr> {
        self.columns.iter().enumerate().map(|(at, (column, _))| Expr::Column(column.clone()).alias(carried(at)))
    }

    pub(super) fn nulls(&self) -> Result<impl Iterator<Item = Expr>> {
        let nulls =
            self.columns.iter().enumerate().map(|(at, (_, data_type))| {
                Ok(Expr::Literal(ScalarValue::try_from(data_type)?, None).alias(carried(at)))
            });
        Ok(nulls.collect::<Result<Vec<_>>>()?.into_iter())
    }

    pub(super) fn restored(&self) -> impl Iterator<Item = Expr> {
        self.columns
            .iter()
            .enumerate()
            .map(|(at, (column, _))| plain(&carried(at)).alias_qualified(column.relation.clone(), &column.name))
    }

    /// The same from an alias of the relation.
    pub(super) fn restored_from(&self, relation: &str) -> impl Iterator<Item = Expr> {
        let relation = TableReference::bare(relation);
        self.columns.iter().enumerate().map(move |(at, (column, _))| {
            let carried = Expr::Column(Column::new(Some(relation.clone()), carried(at)));
            carried.alias_qualified(column.relation.clone(), &column.name)
        })
    }

    /// The columns while they are carried.
    pub(super) fn kept(&self) -> impl Iterator<Item = Expr> + use<> {
        (0..self.columns.len()).map(|at| plain(&carried(at)))
    }

    /// The columns of the source's key, so that the order of rows at the same instant is not left to chance.
    pub(super) fn key(&self, catalog: &Catalog, source: SourceId) -> Vec<Expr> {
        let source = catalog.source(source);
        let key = source.keys.first().into_iter().flatten().map(|at| &source.columns[*at].name);
        let position = |name: &String| self.columns.iter().position(|(column, _)| column.name == *name);
        key.filter_map(position).map(|at| plain(&carried(at))).collect()
    }
}

pub(super) fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

pub(super) fn key_name(at: usize) -> String {
    format!("$key{at}")
}

fn carried(at: usize) -> String {
    format!("$c{at}")
}
