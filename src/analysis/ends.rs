//! Up to when there are data: what a judgement must know before it calls something red that nobody has counted yet.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::expr_fn::max;

use super::cells::Cells;
use super::question::{Asked, Question, Side};
use super::span::Span;
use crate::catalog::calendar::Calendar;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{Additivity, AggregateKind, Indicator, Measure};
use crate::catalog::stretch::Stretch;
use crate::catalog::time::{cast, wall_clock};
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, IndicatorId, SourceId};
use crate::goal::Reason;

/// The last instants of the sources that indicators are made of, as indicators of their own.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// The model with these.
    catalog: Arc<Catalog>,
    of: HashMap<IndicatorId, Vec<IndicatorId>>,
}

/// Which sides have them.
#[derive(Debug, Clone, Default)]
pub(super) struct EndBook {
    of: HashMap<IndicatorId, Vec<IndicatorId>>,
    sides: HashMap<Stretch, usize>,
}

impl Ends {
    /// Those of some indicators.
    pub(super) fn of(catalog: &Arc<Catalog>, indicators: &[IndicatorId]) -> Ends {
        let mut ends = Ends { catalog: Arc::clone(catalog), of: HashMap::new() };
        let mut known: Vec<((SourceId, Expression), IndicatorId)> = Vec::new();
        for indicator in indicators {
            let mut axes: Vec<(SourceId, Expression)> = Vec::new();
            let asked = Expression::input(Input::Indicator(*indicator, vec![]));
            for_each_measure(catalog, &asked, &Around::default(), &mut |measure, around| {
                let axis = around.time.as_ref().or(catalog.source(measure.source).time.as_ref());
                let found = axis.map(|axis| (measure.source, axis.clone()));
                axes.extend(found.filter(|found| !axes.contains(found)));
            });
            for axis in axes {
                let id = match known.iter().find(|(other, _)| *other == axis) {
                    Some((_, id)) => *id,
                    None => {
                        let id = ends.add(*indicator, axis.0, &axis.1);
                        known.push((axis, id));
                        id
                    }
                };
                ends.of.entry(*indicator).or_default().push(id);
            }
        }
        ends
    }

    /// `max(time)` of a source, in microseconds since 1970, which doubles hold exactly.
    fn add(&mut self, like: IndicatorId, source: SourceId, axis: &Expression) -> IndicatorId {
        let catalog = Arc::make_mut(&mut self.catalog);
        let id = IndicatorId(catalog.indicators.len() as u32);
        let instant = wall_clock(axis.expr.clone(), &catalog.axis_type(axis), &catalog.calendar);
        let micros = cast(cast(instant, DataType::Timestamp(TimeUnit::Microsecond, None)), DataType::Int64);
        let measure = Measure {
            source,
            aggregate: Expression { expr: max(micros), inputs: axis.inputs.clone() },
            filter: None,
            kind: AggregateKind::Max,
            data_type: DataType::Int64,
            empty: ScalarValue::Int64(None),
        };
        let like = catalog.indicator(like).clone();
        catalog.indicators.push(Indicator {
            formula: Expression::input(Input::Measure(Box::new(measure))),
            conditions: vec![],
            time: Some(axis.clone()),
            data_type: DataType::Int64,
            formula_type: DataType::Int64,
            fill: None,
            within: None,
            unit: None,
            grain: None,
            additivity: Additivity::NonAdditive,
            ..like
        });
        id
    }

    /// The questions for the last instants in these stretches of time; the first side has that number.
    pub(super) fn questions(
        &self,
        package: &str,
        stretches: Vec<Stretch>,
        first: usize,
        options: &ConfigOptions,
    ) -> PlanResult<(EndBook, Vec<Question>)> {
        let mut indicators: Vec<IndicatorId> = self.of.values().flatten().copied().collect();
        indicators.sort();
        indicators.dedup();
        let mut book = EndBook { of: self.of.clone(), sides: HashMap::new() };
        let mut spans = Vec::new();
        for stretch in stretches.into_iter().filter(|stretch| stretch.start < stretch.end) {
            book.sides.entry(stretch).or_insert_with(|| {
                spans.push(Span::between(stretch.start, stretch.end));
                first + spans.len() - 1
            });
        }
        if indicators.is_empty() || spans.is_empty() {
            return Ok((EndBook::default(), vec![]));
        }
        let asked = Asked {
            catalog: Arc::clone(&self.catalog),
            package: package.to_string(),
            by: vec![],
            sets: vec![vec![]],
            indicators,
            sides: spans.into_iter().map(|span| Side { span: Some(span), conditions: vec![] }).collect(),
            first,
        };
        Ok((book, asked.questions(options)?))
    }
}

impl EndBook {
    /// The last instant of each source of an indicator in a stretch of time; nothing, if it was not asked for.
    fn instants(&self, cells: &Cells, indicator: IndicatorId, within: Stretch) -> Vec<Option<NaiveDateTime>> {
        let Some(side) = self.sides.get(&within) else { return vec![] };
        let sources = self.of.get(&indicator).into_iter().flatten();
        let instant = |micros: f64| Some(DateTime::from_timestamp_micros(micros as i64)?.naive_utc());
        sources.map(|id| cells.total(*side, *id).and_then(instant)).collect()
    }

    /// The last instant of which all sources of an indicator have data.
    pub(super) fn last(&self, cells: &Cells, indicator: IndicatorId, within: Stretch) -> Option<NaiveDateTime> {
        self.instants(cells, indicator, within).into_iter().collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// What is wrong with the data of a period: whether they end before it, or within it.
    pub(super) fn reason(
        &self,
        cells: &Cells,
        indicator: IndicatorId,
        period: Stretch,
        as_of: NaiveDateTime,
        calendar: &Calendar,
    ) -> Option<Reason> {
        let [before, since] = asked_of(period, as_of)?;
        let last = self.instants(cells, indicator, since);
        if !last.is_empty() && last.iter().all(Option::is_none) {
            return Some(Reason::DataBefore);
        }
        let earlier = self.instants(cells, indicator, before);
        let until = period.end.min(as_of);
        let short = last.into_iter().zip(earlier).any(|(last, earlier)| match last {
            None => true,
            // Rows that stand for periods are dated by their first days.
            Some(last) if last == period.start && earlier.is_none_or(|earlier| earlier == before.start) => false,
            Some(last) => misses_a_day(last, until, calendar),
        });
        short.then_some(Reason::DataWithin)
    }
}

/// Where data are looked for to judge a period: in the one before, and since its beginning.
pub(super) fn asked_of(period: Stretch, as_of: NaiveDateTime) -> Option<[Stretch; 2]> {
    let before = Span::between(period.start, period.end).before()?.stretch();
    (period.start < as_of).then_some([before, Stretch { start: period.start, end: as_of }])
}

/// Whether a whole working day lies between the day of the last data and the end of what is judged: no data of a weekend
/// are no sign of anything.
fn misses_a_day(last: NaiveDateTime, until: NaiveDateTime, calendar: &Calendar) -> bool {
    let after = last.date().iter_days().skip(1);
    let mut whole = after.take_while(|day| *day < until.date());
    whole.any(|day| calendar.is_worked(day))
}
