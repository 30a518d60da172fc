//! Up to when there are data: what a judgement must know before it calls something red that nobody has counted yet.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime};
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;

use super::cells::Cells;
use super::question::{Asked, Question, Side};
use super::span::Span;
use crate::catalog::IndicatorId;
use crate::catalog::calendar::Calendar;
use crate::catalog::stretch::Stretch;
use crate::goal::Reason;

/// Which sides have the last instants of what indicators with targets are made of.
#[derive(Debug, Clone, Default)]
pub(super) struct EndBook {
    of: HashMap<IndicatorId, Vec<IndicatorId>>,
    sides: HashMap<Stretch, usize>,
}

/// The questions for the last instants in these stretches of time; the first side has that number.
pub(super) fn ask_ends(
    asked: &Asked,
    indicators: &[IndicatorId],
    stretches: Vec<Stretch>,
    first: usize,
    options: &ConfigOptions,
) -> PlanResult<(EndBook, Vec<Question>)> {
    let ends = |id: &IndicatorId| Some((*id, asked.catalog.targets_of(*id).next()?.ends.clone()));
    let mut book = EndBook { of: indicators.iter().filter_map(ends).collect(), sides: HashMap::new() };
    let mut ends: Vec<IndicatorId> = book.of.values().flatten().copied().collect();
    ends.sort();
    ends.dedup();
    let mut spans = Vec::new();
    for stretch in stretches.into_iter().filter(|stretch| stretch.start < stretch.end) {
        book.sides.entry(stretch).or_insert_with(|| {
            spans.push(Span::between(stretch.start, stretch.end));
            first + spans.len() - 1
        });
    }
    if ends.is_empty() || spans.is_empty() {
        return Ok((EndBook::default(), vec![]));
    }
    let sides = spans.into_iter().map(|span| Side { span: Some(span), conditions: vec![] }).collect();
    let asked = Asked { by: vec![], sets: vec![vec![]], indicators: ends, sides, first, ..asked.clone() };
    Ok((book, asked.questions(options)?))
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
