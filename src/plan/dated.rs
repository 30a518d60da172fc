//! `at (each day …)`: rows that count on other days than their own.
//!
//! After `each`, modifiers of time do not make windows of the question's periods: for each day of a calendar from a table
//! they say which rows count on it. The rows are there once for each such day, and all else that is asked (groups,
//! conditions, ranges, ends) sees that day as their time.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::axis::Axis;
use super::frame::{Frame, FrameEdge, Origin};
use super::instant::TimeOp;
use crate::catalog::Catalog;
use crate::catalog::calendar::{DatePart, Grain, TimePart, is_time};
use crate::catalog::event::{Dated, Event, EventColumn, EventValue, OnDays};
use crate::catalog::expr::{Expression, Input, Per, input_column};
use crate::catalog::modifier::{Among, Edge, End, Modifier};
use crate::catalog::reach::{append, replace_inputs};
use crate::diagnostic::{Diagnostic, codes};

/// Modifiers of time on the days of a calendar, as a frame collects them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redating {
    /// The step that was named.
    pub(crate) grain: Grain,
    pub(crate) modifiers: Vec<Modifier>,
}

/// What stands in the place of the time of a leaf's rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redated {
    time: Input,
    pub(crate) day: Expression,
    steps: Grain,
    running: bool,
}

/// Whether a modifier acts on the days of a calendar.
pub(crate) fn is_of_time(modifier: &Modifier) -> bool {
    matches!(
        modifier,
        Modifier::Shift(_)
            | Modifier::ShiftPeriods(..)
            | Modifier::StartOf(_)
            | Modifier::Trailing(_)
            | Modifier::ToDate(_)
            | Modifier::Cumulative
    )
}

fn is_running(modifier: &Modifier) -> bool {
    matches!(modifier, Modifier::Trailing(_) | Modifier::ToDate(_) | Modifier::Cumulative)
}

/// Only the rows that count on the first or last day.
pub(crate) fn edge_of_days(end: End) -> Edge {
    let by = Expression::input(Input::MetricTime(TimePart::Whole));
    Edge { end, by, per: vec![], among: Among::Group }
}

impl Redated {
    /// The days on which a frame's rows count, if not on their own.
    ///
    /// # Errors
    /// A diagnostic, where no calendar has the steps that are needed.
    pub(crate) fn of(catalog: &Catalog, frame: &Frame, axis: &Axis<'_>) -> Result<Option<Redated>, Diagnostic> {
        if frame.dated.is_empty() {
            return Ok(None);
        }
        let (time, flat) = time_of(catalog, axis)?;
        let asked = finest_asked(frame, axis);
        let (mut limit, mut by) = (None, Vec::new());
        for on in &frame.dated {
            let wanted = asked.unwrap_or(on.grain).min(limit.unwrap_or(Grain::FiscalYear));
            let table = table_for(catalog, on, wanted)?;
            let grain = catalog.calendar.tables[table].grain;
            let starts = if limit.is_none() { starts_of(frame, axis, on, grain) } else { vec![] };
            by.push(OnDays { table, modifiers: on.modifiers.clone(), starts });
            limit = Some(grain);
        }
        let data_type = catalog.input_type(&time);
        let steps = by.first().map_or(Grain::Day, |on| catalog.calendar.tables[on.table].grain);
        let dated = Dated { source: axis.source, time: flat, data_type, by };
        let value = EventValue { event: Event::Dated(dated), column: EventColumn::Day };
        let running = frame.dated.iter().flat_map(|on| &on.modifiers).any(is_running);
        Ok(Some(Redated { time, day: Expression::input(Input::Event(Box::new(value))), steps, running }))
    }

    /// What the days are.
    pub(crate) fn dated(&self) -> Option<&Dated> {
        match self.day.as_input() {
            Some(Input::Event(value)) => match &value.event {
                Event::Dated(dated) => Some(dated),
                _ => None,
            },
            _ => None,
        }
    }

    /// A flat expression that sees the day instead of the row's own time.
    pub(crate) fn put_in(&self, flat: &Expression) -> Expression {
        with_day(flat, &self.time, &self.day)
    }

    /// A running window has a value for each day; of a longer period that of one day is shown, the last unless the
    /// indicator says otherwise.
    pub(crate) fn choose_day(&self, frame: &mut Frame, axis: &Axis<'_>) {
        let one_day = frame.kept().into_iter().any(|at| {
            let part = frame.keys[at].expr.as_input().and_then(|input| axis.part(input));
            matches!(part, Some(TimePart::Whole)) || part == Some(TimePart::Grain(self.steps))
        });
        let of_time = |edge: &FrameEdge| {
            edge.origin == Origin::Leaf && edge.edge.by.as_input().is_some_and(|input| axis.is_time(input))
        };
        if one_day {
            frame.edges.retain(|edge| !of_time(edge));
        } else if self.running && !frame.edges.iter().any(of_time) {
            let group = Some(frame.kept());
            frame.edges.push(FrameEdge { edge: edge_of_days(End::Last), group, origin: Origin::Leaf });
        }
    }
}

/// The column that tells the rows' time, and the time over it.
pub(crate) fn time_of(catalog: &Catalog, axis: &Axis<'_>) -> Result<(Input, Expression), Diagnostic> {
    axis.require()?;
    let time = axis.of_rows().and_then(|flat| match flat.inputs.as_slice() {
        [only @ Input::Column(_)] => Some((only.clone(), flat.clone())),
        _ => None,
    });
    let plain = |data_type: DataType| is_time(&data_type) && !matches!(data_type, DataType::Timestamp(_, Some(_)));
    time.filter(|(time, _)| plain(catalog.input_type(time))).ok_or_else(|| {
        Diagnostic::new(codes::NOT_YET_EXPRESSION, "`each` is not yet supported for such a time")
            .note("the time must be a date, or a timestamp without a zone, in one column")
            .help("make a column of it in the source's `columns { … }`")
    })
}

/// The finest grain that keys and conditions ask for, on the leaf's time.
pub(crate) fn finest_asked(frame: &Frame, axis: &Axis<'_>) -> Option<Grain> {
    let keys = frame.kept().into_iter().map(|at| &frame.keys[at].expr);
    let all = keys.chain(frame.conditions.iter().map(|condition| &condition.expr));
    let grain = |input: &Input| match axis.part(input)? {
        TimePart::Grain(grain) => Some(grain),
        TimePart::Period(_) => Some(Grain::Day),
        TimePart::Extract(DatePart::Hour) => Some(Grain::Hour),
        TimePart::Extract(DatePart::Minute) => Some(Grain::Minute),
        TimePart::Extract(DatePart::Second) => Some(Grain::Second),
        TimePart::Whole | TimePart::Extract(_) => None,
    };
    all.flat_map(|expression| &expression.inputs).filter_map(grain).min()
}

/// The calendar with the longest steps that are short enough.
fn table_for(catalog: &Catalog, on: &Redating, wanted: Grain) -> Result<usize, Diagnostic> {
    let tables = catalog.calendar.tables.iter().enumerate();
    let fits = tables.filter(|(_, table)| {
        let acts = |modifier: &Modifier| match modifier {
            Modifier::Shift(span) => is_whole(&TimeOp::Shift(*span), table.grain),
            Modifier::Trailing(span) => is_whole(&TimeOp::Trailing(*span), table.grain),
            Modifier::StartOf(grain) | Modifier::ToDate(grain) => *grain >= table.grain,
            Modifier::ShiftPeriods(_, id) => catalog.calendar.period(*id).source == table.source,
            _ => true,
        };
        table.grain <= wanted && on.modifiers.iter().all(acts)
    });
    fits.max_by_key(|(_, table)| table.grain).map(|(at, _)| at).ok_or_else(|| no_calendar(wanted))
}

/// The calendar whose steps are added where there are no rows.
pub(crate) fn steps_for(catalog: &Catalog, wanted: Grain) -> Result<usize, Diagnostic> {
    table_for(catalog, &Redating { grain: wanted, modifiers: vec![] }, wanted)
}

fn no_calendar(wanted: Grain) -> Diagnostic {
    let grain = wanted.name();
    Diagnostic::new(codes::CONTEXT, format!("no calendar tells which {grain}s there are, or finer steps"))
        .note("its steps must not be longer than what is asked for, nor than what the modifiers tell apart")
        .help(format!("declare one from a table: `calendar spine from steps {{ {grain} column }}`"))
}

fn is_whole(op: &TimeOp, grain: Grain) -> bool {
    if grain >= Grain::Day { op.is_whole_days() } else { op.is_whole(grain) }
}

/// `start of month` is one day for each period that is asked for: the one that its first day leads to.
fn starts_of(frame: &Frame, axis: &Axis<'_>, on: &Redating, steps: Grain) -> Vec<Grain> {
    if !on.modifiers.iter().any(|modifier| matches!(modifier, Modifier::StartOf(_))) {
        return vec![];
    }
    let mut starts = Vec::new();
    for at in frame.kept() {
        for input in &frame.keys[at].expr.inputs {
            match axis.part(input) {
                Some(TimePart::Grain(grain)) if grain > steps => starts.push(grain),
                Some(_) => return vec![],
                None => {}
            }
        }
    }
    starts
}

/// A flat expression with the day in the place of a column.
pub(crate) fn with_day(flat: &Expression, time: &Input, day: &Expression) -> Expression {
    let mut inputs: Vec<Input> = Vec::new();
    let values: Vec<Expr> = flat
        .inputs
        .iter()
        .map(|input| {
            let value = match input {
                input if input == time => day.clone(),
                Input::Period(id, of) => Expression::input(Input::Period(*id, Box::new(with_day(of, time, day)))),
                Input::Per(per) => {
                    let of_row = per.of_row.iter().map(|own| with_day(own, time, day)).collect();
                    Expression::input(Input::Per(Box::new(Per { of_row, ..per.as_ref().clone() })))
                }
                other => Expression { expr: Expr::Column(input_column(0)), inputs: vec![other.clone()] },
            };
            append(&mut inputs, value)
        })
        .collect();
    Expression { expr: replace_inputs(flat.expr.clone(), &values), inputs }
}
