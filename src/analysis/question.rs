//! The values that an analysis needs, as plans: what any question to the same indicators would be.
//!
//! Where all sides are periods of the same grain, they are groups of one question, and every source is read once. Otherwise (ranges of any length, slices compared with each other) each side is a question of its own: a side
//! may overlap the other, and what an indicator looks back on moves with its own side's range.

use std::sync::Arc;

use chrono::{Days, NaiveDateTime, NaiveTime};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::optimizer::AnalyzerRule;

use super::span::Span;
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::stretch::containing;
use crate::catalog::time::cast;
use crate::catalog::{Catalog, IndicatorId};
use crate::plan::rules::ExpandMeasures;
use crate::plan::view::IndicatorView;
use crate::plan::{RELATION, instant, measure, over_columns};

/// One side of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// When; all of time, if nothing is said.
    pub span: Option<Span>,
    /// Of which rows.
    pub conditions: Vec<Expression>,
}

/// What is asked of both sides.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The model; indicators made for this question included.
    pub catalog: Arc<Catalog>,
    /// The package, for messages.
    pub package: String,
    /// Dimensions, by the names that they were asked by.
    pub by: Vec<(String, Input)>,
    /// By which of them together the values are grouped, one set after the other; the empty one is the total.
    pub sets: Vec<Vec<usize>>,
    /// The indicators.
    pub indicators: Vec<IndicatorId>,
    /// One or more.
    pub sides: Vec<Side>,
    /// The number of the first of them.
    pub first: usize,
}

/// A question: its rows are `side, set, d0, d1, …, v0, v1, …`.
///
/// `set` is DataFusion's grouping id: a bit for each key, the first one the highest, that is 1 where the key is left out.
#[derive(Debug, Clone)]
pub struct Question {
    /// With all markers expanded.
    pub plan: LogicalPlan,
    /// How many dimensions it has.
    pub dimensions: usize,
    /// The indicators of its value columns.
    pub indicators: Vec<IndicatorId>,
}

/// A question to be asked only if a side has no rows.
#[derive(Debug, Clone)]
pub struct Spare {
    /// Which side.
    pub side: usize,
    /// What is asked then.
    pub question: Question,
}

impl Asked {
    /// The questions: one, or one for each side.
    ///
    /// # Errors
    /// A diagnostic, if an indicator cannot be asked so.
    pub fn questions(&self, options: &ConfigOptions) -> Result<Vec<Question>> {
        if let Some((grain, starts)) = self.common_grain() {
            return Ok(vec![self.question(&Sides::Grouped(grain, starts), options)?]);
        }
        (0..self.sides.len()).map(|side| self.question(&Sides::One(side), options)).collect()
    }

    /// Where the sides are groups of one question, a side without rows is no group of it: what its totals are then, such
    /// as a count of nothing. One question for each side, to be asked only if need be.
    ///
    /// # Errors
    /// As [`Asked::questions`].
    pub fn spares(&self, options: &ConfigOptions) -> Result<Vec<Spare>> {
        if self.common_grain().is_none() {
            return Ok(vec![]);
        }
        let totals = Asked { by: vec![], sets: vec![vec![]], ..self.clone() };
        let spare =
            |at: usize| Ok(Spare { side: self.first + at, question: totals.question(&Sides::One(at), options)? });
        (0..self.sides.len()).map(spare).collect()
    }

    /// The grain of which every side is one period, if nothing else tells them apart.
    fn common_grain(&self) -> Option<(Grain, Vec<NaiveDateTime>)> {
        let (first, others) = self.sides.split_first()?;
        let spans: Vec<Span> = self.sides.iter().map(|side| side.span).collect::<Option<_>>()?;
        let grain = self.grain_of(&spans)?;
        let alike = others.iter().all(|side| side.conditions == first.conditions);
        let apart = spans.iter().enumerate().all(|(at, span)| !spans[..at].contains(span));
        if others.is_empty() || !alike || !apart {
            return None;
        }
        // Periods are written with ISO weeks.
        let cut_alike = grain != Grain::Week || self.catalog.calendar.week_start == 0;
        let starts = spans.iter().map(|span| span.start).collect();
        (cut_alike && grain.fits(&self.catalog.metric_time)).then_some((grain, starts))
    }

    /// The grain of which all of these are periods; of fiscal ones the calendar knows the beginning.
    fn grain_of(&self, spans: &[Span]) -> Option<Grain> {
        if let Some(grain) = spans.first()?.grain {
            return spans.iter().all(|span| span.grain == Some(grain)).then_some(grain);
        }
        let calendar = &self.catalog.calendar;
        let is_of = |grain: Grain, span: &Span| containing(grain, span.start, calendar) == Some(span.stretch());
        let fiscal = [Grain::FiscalQuarter, Grain::FiscalYear];
        fiscal.into_iter().find(|grain| spans.iter().all(|span| is_of(*grain, span)))
    }

    fn question(&self, sides: &Sides, options: &ConfigOptions) -> Result<Question> {
        let mut columns: Vec<(String, Input)> = self.by.clone();
        let values = (0..self.indicators.len()).map(|at| format!("$value{at}"));
        columns.extend(values.zip(self.indicators.iter().map(|id| Input::Indicator(*id, vec![]))));
        let period = match sides {
            Sides::Grouped(grain, _) => {
                let part = TimePart::Grain(*grain);
                let name = format!("metric_time{}", part.suffix(&self.catalog.calendar));
                let at = columns.iter().position(|(known, _)| *known == name);
                if at.is_none() {
                    columns.push((name.clone(), Input::MetricTime(part)));
                }
                Some(column(&name))
            }
            Sides::One(_) => None,
        };
        let filters = self.filters(sides, period.as_ref(), &mut columns);
        let dimensions: Vec<Expr> = self.by.iter().map(|(name, _)| column(name)).collect();
        let calls: Vec<Expr> = (0..self.indicators.len()).map(|at| measure(column(&format!("$value{at}")))).collect();
        let view = IndicatorView::new(Arc::clone(&self.catalog), format!("{}.indicators", self.package), columns);
        let mut plan = LogicalPlanBuilder::scan(RELATION, view.into_source(), None)?;
        for filter in filters {
            plan = plan.filter(filter)?;
        }
        let keys = self.keys(period.as_ref(), &dimensions);
        plan = plan.aggregate(keys, calls.clone())?;
        let side = self.side_of(sides, period)?.alias("side");
        let set = match dimensions.is_empty() {
            true => lit(0_u64),
            false => cast(Expr::Column(Column::new_unqualified("__grouping_id")), DataType::UInt64),
        };
        let texts = dimensions.into_iter().enumerate();
        let texts = texts.map(|(at, dimension)| cast(dimension, DataType::Utf8).alias(format!("d{at}")));
        let values = calls.into_iter().enumerate().map(|(at, call)| {
            let value = Expr::Column(Column::new_unqualified(call.schema_name().to_string()));
            cast(value, DataType::Float64).alias(format!("v{at}"))
        });
        let outputs: Vec<Expr> = [side, set.alias("set")].into_iter().chain(texts).chain(values).collect();
        let plan = plan.project(outputs)?.build()?;
        let plan = ExpandMeasures::default().analyze(plan, options)?;
        Ok(Question { plan, dimensions: self.by.len(), indicators: self.indicators.clone() })
    }

    fn keys(&self, period: Option<&Expr>, dimensions: &[Expr]) -> Vec<Expr> {
        if dimensions.is_empty() {
            return period.into_iter().cloned().collect();
        }
        let set = |set: &Vec<usize>| period.into_iter().chain(set.iter().map(|at| &dimensions[*at])).cloned().collect();
        vec![Expr::GroupingSet(GroupingSet::GroupingSets(self.sets.iter().map(set).collect()))]
    }

    fn filters(&self, sides: &Sides, period: Option<&Expr>, columns: &mut Vec<(String, Input)>) -> Vec<Expr> {
        match (sides, period) {
            (Sides::One(side), _) => self.filters_of(&self.sides[*side], columns),
            (Sides::Grouped(grain, starts), period) => {
                let data_type = grain.data_type(&self.catalog.metric_time);
                let starts = starts.iter().map(|start| instant(*start, &data_type)).collect();
                let either = period.map(|period| period.clone().in_list(starts, false));
                let alike = Side { span: None, conditions: self.sides[0].conditions.clone() };
                self.filters_of(&alike, columns).into_iter().chain(either).collect()
            }
        }
    }

    fn filters_of(&self, side: &Side, columns: &mut Vec<(String, Input)>) -> Vec<Expr> {
        let mut conditions = side.conditions.clone();
        if let Some(span) = side.span {
            let axis = Expression::input(Input::MetricTime(TimePart::Whole));
            let bound = |at| instant(self.at_or_after(at), &self.catalog.metric_time);
            let from = axis.expr.clone().gt_eq(bound(span.start));
            let to = axis.expr.clone().lt(bound(span.end));
            conditions.extend([from, to].map(|expr| Expression { expr, inputs: axis.inputs.clone() }));
        }
        conditions.into_iter().map(|condition| over_columns(condition, columns)).collect()
    }

    /// Where time is told in days alone, a day lies at its beginning: those of `today before noon` end with today.
    fn at_or_after(&self, at: NaiveDateTime) -> NaiveDateTime {
        let midnight = at.date().and_time(NaiveTime::MIN);
        let next = || midnight.checked_add_days(Days::new(1));
        let is_of_days = matches!(self.catalog.metric_time, DataType::Date32 | DataType::Date64);
        if is_of_days && midnight < at { next().unwrap_or(at) } else { at }
    }

    /// The number of the side that a row belongs to.
    fn side_of(&self, sides: &Sides, period: Option<Expr>) -> Result<Expr> {
        match (sides, period) {
            (Sides::Grouped(grain, starts), Some(period)) => {
                let data_type = grain.data_type(&self.catalog.metric_time);
                let number = |at: usize| lit((self.first + at) as u64);
                let begins = |start: &NaiveDateTime| period.clone().eq(instant(*start, &data_type));
                let others = &starts[..starts.len().saturating_sub(1)];
                let Some((first, rest)) = others.split_first() else { return Ok(number(0)) };
                let mut cases = when(begins(first), number(0));
                rest.iter().enumerate().for_each(|(at, start)| _ = cases.when(begins(start), number(at + 1)));
                cases.otherwise(number(others.len()))
            }
            (Sides::One(side), _) => Ok(lit((self.first + side) as u64)),
            (Sides::Grouped(..), None) => Ok(lit(self.first as u64)),
        }
    }
}

enum Sides {
    /// All, as periods of a grain that begin then.
    Grouped(Grain, Vec<NaiveDateTime>),
    /// The one of that number.
    One(usize),
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new(Some(RELATION), name))
}
