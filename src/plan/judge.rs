//! `TARGET(gmv)`, `ATTAINMENT(gmv)`, `STATUS(gmv)`: the target of a row's own period and slice, beside the value.
//!
//! They are markers like `MEASURE`. The value is asked for as always; what it is compared with is a function of the
//! row's keys, or one more indicator where targets are kept in a table.

use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime::expr_fn::now;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, ScalarUDF, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::combine::Answer;
use super::context::{Call, Context};
use super::instant::TIMESTAMP;
use super::judgement::{Before, Judgement, Limit, Needs, Past, Yardstick, Year};
use super::marker::Aspect;
use super::range::{conjuncts, merged, range_of};
use super::so_far::{SoFar, instants};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input, input_number};
use crate::catalog::indicator::Additivity;
use crate::catalog::modifier::{Modifier, TimeSpan};
use crate::catalog::stretch::Stretch;
use crate::catalog::target::{Amounts, SplitBy, Target, YearBefore};
use crate::catalog::time::{cast, wall_clock};
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::goal::amount::Scale;

/// What is known of a question's groups before it is answered.
pub(crate) struct Groups {
    /// The keys that are periods and dimensions, by position.
    pub(super) times: Vec<(usize, Grain)>,
    dimensions: Vec<(usize, DimensionId)>,
    limits: Vec<Limit>,
    /// The conditions on dimensions.
    pub(super) of_dimensions: Vec<Expression>,
    pub(super) from: Option<Expr>,
    pub(super) to: Option<Expr>,
    /// Whether there are subtotals: rows of other periods than the finest.
    pub(super) has_subtotals: bool,
    /// Whether keys and conditions are such that a target can be about them.
    pub(super) fits: bool,
}

/// A call whose value is compared with targets.
pub(crate) struct Compared {
    /// The position of the value among the calls.
    pub(crate) value: usize,
    aspect: Aspect,
    indicator: IndicatorId,
    /// For each target, the positions of what else it needs.
    extra: Vec<Needs>,
    /// The positions of the last instants of what the indicator is made of.
    ends: Vec<usize>,
    /// What was before, where that decides.
    past: Vec<Past>,
    /// What running periods have by now.
    so_far: Vec<SoFar>,
}

impl Groups {
    /// Those of a question.
    pub(crate) fn of(context: &Context<'_>) -> Groups {
        let mut groups = Groups {
            times: vec![],
            dimensions: vec![],
            limits: vec![],
            of_dimensions: vec![],
            from: None,
            to: None,
            has_subtotals: context.grouping.sets.is_some(),
            fits: true,
        };
        for (at, key) in context.grouping.keys.iter().enumerate() {
            match key.as_input() {
                Some(Input::MetricTime(TimePart::Grain(grain))) => groups.times.push((at, *grain)),
                Some(Input::Dimension(id, TimePart::Whole)) => groups.dimensions.push((at, *id)),
                _ => groups.fits = false,
            }
        }
        let catalog = context.catalog;
        let instants = instants(catalog);
        let mut ranges = Vec::new();
        for condition in context.conditions.iter().flat_map(conjuncts) {
            let part = |input: &Input| match input {
                Input::MetricTime(part) => Some(*part),
                _ => None,
            };
            match range_of(&condition, part, &instants) {
                Some(range) => ranges.push(range),
                None => groups.limit(&condition),
            }
        }
        match merged(ranges).as_slice() {
            [] => {}
            [range] if range.stretches.len() == 1 => {
                groups.from = range.stretches[0].from.clone();
                groups.to = range.stretches[0].to.clone();
            }
            _ => groups.fits = false,
        }
        groups
    }

    /// A condition that is no range: it must not reach into a group.
    fn limit(&mut self, condition: &Expression) {
        let dimensions: Option<Vec<DimensionId>> = condition
            .inputs
            .iter()
            .map(|input| match input {
                Input::Dimension(id, TimePart::Whole) => Some(*id),
                _ => None,
            })
            .collect();
        match (dimensions, condition.inputs.as_slice()) {
            (Some(dimensions), _) => {
                self.limits.push(Limit::Dimensions { value: one_value(&condition.expr).flatten(), dimensions });
                self.of_dimensions.push(condition.clone());
            }
            (None, [Input::MetricTime(TimePart::Grain(grain))]) => self.limits.push(Limit::Periods(*grain)),
            _ => self.fits = false,
        }
    }

    /// The dimensions by which, or by conditions on which, rows are chosen.
    fn mentioned(&self) -> Vec<DimensionId> {
        let of_limit = |limit: &Limit| match limit {
            Limit::Dimensions { dimensions, .. } => dimensions.clone(),
            Limit::Periods(_) => vec![],
        };
        let keys = self.dimensions.iter().map(|(_, id)| *id);
        keys.chain(self.limits.iter().flat_map(of_limit)).collect()
    }

    /// Adds what a comparison needs to the calls.
    pub(crate) fn compare(
        &self,
        catalog: &Catalog,
        calls: &mut Vec<Call>,
        value: usize,
        aspect: Aspect,
    ) -> Result<Compared> {
        let indicator = calls[value].indicator;
        if !calls[value].filters.is_empty() || !calls[value].modifiers.is_empty() {
            return Err(in_other_context(catalog, indicator, aspect).into());
        }
        let targets: Vec<&Target> = catalog.targets_of(indicator).collect();
        if targets.is_empty() {
            return Err(without_target(catalog, indicator, aspect).into());
        }
        let is_status = aspect == Aspect::Status && self.fits;
        let steps = if is_status { self.steps(catalog, indicator, &targets)? } else { vec![] };
        let ends = if is_status { targets[0].ends.clone() } else { vec![] };
        let since = self.since_the_range(catalog);
        let ends = ends.into_iter().map(|end| look(calls, end, since.clone())).collect();
        let extra: Vec<Needs> = targets.iter().map(|target| self.needs(catalog, calls, target, is_status)).collect();
        let so_far = match aspect {
            Aspect::Target => vec![],
            Aspect::Attainment | Aspect::Status => self.so_far(catalog, calls, indicator, is_status),
        };
        let mut before = |step: TimeSpan, steps: usize| {
            let moved = || vec![Modifier::Shift(step); steps];
            let value = ask(calls, indicator, moved());
            let amounts = targets.iter().zip(&extra);
            let amounts = amounts.map(|(it, needs)| needs.amount.and_then(|_| amount_of(catalog, calls, it, moved())));
            Before { value, amounts: amounts.collect() }
        };
        let back = most_held(&targets);
        let mut past = |step| Past { step, periods: (1..=back).map(|steps| before(step, steps)).collect() };
        let past = steps.into_iter().map(&mut past).collect();
        Ok(Compared { value, aspect, indicator, extra, ends, past, so_far })
    }

    /// What a target needs besides the value.
    fn needs(&self, catalog: &Catalog, calls: &mut Vec<Call>, target: &Target, is_status: bool) -> Needs {
        let mentioned = self.mentioned();
        let amount = match &target.amounts {
            Amounts::Rows(rows) if self.fits && mentioned.iter().all(|id| rows.by.contains(id)) => {
                amount_of(catalog, calls, target, vec![])
            }
            _ => None,
        };
        let sample = target.judging.sample.filter(|_| is_status);
        let sample = sample.map(|(sample, _)| look(calls, sample, vec![]));
        let year = self.shared_as_last_year(target, &mentioned).map(|(by, year)| {
            let all = Modifier::All(vec![Input::Dimension(by, TimePart::Whole)]);
            let before = || Modifier::Shift(Grain::Year.span());
            match year.each {
                Some(each) => Year::Each(ask(calls, each, vec![all, before()])),
                None => Year::One([
                    ask(calls, target.of, vec![before()]),
                    ask(calls, year.sum, vec![all.clone(), before()]),
                    ask(calls, year.least, vec![all, before()]),
                ]),
            }
        });
        Needs { amount, sample, year }
    }

    /// All rows since the range began that had happened by now: what decides whether data are late.
    fn since_the_range(&self, catalog: &Catalog) -> Vec<Modifier> {
        let axis = Expression::input(Input::MetricTime(TimePart::Whole));
        let instant = cast(axis.expr, TIMESTAMP);
        let mut happened = instant.clone().lt(now_in(catalog));
        if let Some(from) = &self.from {
            happened = happened.and(instant.gt_eq(cast(from.clone(), TIMESTAMP)));
        }
        vec![Modifier::Everything, Modifier::Where(Expression { expr: happened, inputs: axis.inputs })]
    }

    /// How far the periods before a row's own lie apart, where they decide: for each kind of rows.
    fn steps(&self, catalog: &Catalog, indicator: IndicatorId, targets: &[&Target]) -> Result<Vec<TimeSpan>> {
        if !self.fits || most_held(targets) == 0 {
            return Ok(vec![]);
        }
        let mut steps = Vec::new();
        for kind in self.kinds() {
            match (kind, &self.from, &self.to) {
                (Some(grain), ..) => steps.push(grain.span()),
                (None, Some(from), Some(to)) => {
                    let (from, to) = (constant_instant(from), constant_instant(to));
                    match from.zip(to).filter(|(start, end)| start < end) {
                        Some((start, end)) => steps.push(Stretch { start, end }.step()),
                        // A range that ends before it begins has no rows.
                        None if from.is_some() && to.is_some() => {}
                        None => return Err(held_by_unknown(catalog, indicator).into()),
                    }
                }
                (None, ..) => {}
            }
        }
        steps.sort_by_key(|step| (step.months, step.days, step.nanoseconds));
        steps.dedup();
        if !steps.is_empty() && self.limits.iter().any(|limit| matches!(limit, Limit::Periods(_))) {
            return Err(held_by_left_out(catalog, indicator).into());
        }
        Ok(steps)
    }

    /// How slices share a target, if they do so as a year earlier and the question is about one of them.
    fn shared_as_last_year(&self, target: &Target, mentioned: &[DimensionId]) -> Option<(DimensionId, YearBefore)> {
        let split = target.split().filter(|split| self.fits && mentioned.contains(&split.by))?;
        let of_periods = !self.times.is_empty() || self.from.is_some() && self.to.is_some();
        match split.how {
            SplitBy::LastYear(year) if of_periods && mentioned.iter().all(|id| *id == split.by) => {
                Some((split.by, year))
            }
            _ => None,
        }
    }

    /// The comparison as an expression over the answer.
    pub(crate) fn judged(&self, catalog: &Catalog, compared: &Compared, answer: &Answer) -> Expr {
        let number = |at: usize| cast(answer.values[at].clone(), DataType::Float64);
        let instant = |bound: &Option<Expr>| match bound {
            Some(bound) => cast(bound.clone(), TIMESTAMP),
            None => lit(ScalarValue::TimestampNanosecond(None, None)),
        };
        let grouping = answer.grouping_id.clone().map_or(lit(0_u64), |id| cast(id, DataType::UInt64));
        // The same instant as that up to which values of running periods count. Without these the clock is looked at when
        // the plan is run, so that plans stay what they are.
        let now = (!compared.so_far.is_empty()).then(|| now_in(catalog));
        let mut arguments =
            vec![number(compared.value), grouping, instant(&self.from), instant(&self.to), instant(&now)];
        let timestamp = DataType::Timestamp(TimeUnit::Nanosecond, None);
        arguments.extend(self.times.iter().map(|(at, _)| cast(answer.keys[*at].clone(), timestamp.clone())));
        arguments.extend(self.dimensions.iter().map(|(at, _)| cast(answer.keys[*at].clone(), DataType::Utf8)));
        let mut place = |argument: Expr| {
            arguments.push(argument);
            arguments.len() - 1
        };
        let ends = compared.ends.iter().map(|at| place(number(*at))).collect();
        let mut before = |before: &Before| Before {
            value: place(number(before.value)),
            amounts: before.amounts.iter().map(|at| at.map(|at| place(number(at)))).collect(),
        };
        let past = compared.past.iter();
        let past =
            past.map(|it| Past { step: it.step, periods: it.periods.iter().map(&mut before).collect() }).collect();
        let so_far = compared.so_far.iter();
        let so_far = so_far.map(|it| it.placed(&mut |at| place(number(at)))).collect();
        let mut targets = Vec::new();
        for (target, extra) in catalog.targets_of(compared.indicator).zip(&compared.extra) {
            let mut place = |argument: Expr| {
                arguments.push(argument);
                arguments.len() - 1
            };
            let places = Needs {
                amount: extra.amount.map(|at| place(number(at))),
                sample: extra.sample.map(|at| place(number(at))),
                year: extra.year.map(|year| match year {
                    Year::One(values) => Year::One(values.map(|at| place(number(at)))),
                    Year::Each(at) => Year::Each(place(answer.values[at].clone())),
                }),
            };
            targets.push((target.clone(), places));
        }
        let yardstick = Yardstick {
            scale: Scale::of(catalog, compared.indicator),
            adds_up: catalog.indicator(compared.indicator).additivity == Additivity::Additive,
            targets,
            ends,
            past,
            so_far,
            keys: answer.keys.len(),
            times: self.times.clone(),
            dimensions: self.dimensions.clone(),
            limits: self.limits.clone(),
            fits: self.fits,
        };
        let name = catalog.indicator(compared.indicator).item.name.clone();
        ScalarUDF::new_from_impl(Judgement::new(compared.aspect, name, yardstick)).call(arguments)
    }
}

/// How many periods before a row's own decide about its status.
fn most_held(targets: &[&Target]) -> usize {
    targets.iter().filter_map(|target| target.judging.bands.hold).map(|(_, n)| n - 1).max().unwrap_or(0)
}

/// Adds a call; its position.
pub(super) fn ask(calls: &mut Vec<Call>, indicator: IndicatorId, modifiers: Vec<Modifier>) -> usize {
    calls.push(Call { indicator, filters: vec![], modifiers, looks: false });
    calls.len() - 1
}

/// Adds a call that shows no groups of its own: what only decides how a value is judged, of which there may be none.
pub(super) fn look(calls: &mut Vec<Call>, indicator: IndicatorId, modifiers: Vec<Modifier>) -> usize {
    calls.push(Call { indicator, filters: vec![], modifiers, looks: true });
    calls.len() - 1
}

/// Asks for the amount of a target that is kept in a table, as far as it is decided.
fn amount_of(catalog: &Catalog, calls: &mut Vec<Call>, target: &Target, modifiers: Vec<Modifier>) -> Option<usize> {
    let Amounts::Rows(rows) = &target.amounts else { return None };
    let known = |decided: &Expression| Expression {
        expr: cast(decided.expr.clone(), TIMESTAMP).lt(now_in(catalog)),
        inputs: decided.inputs.clone(),
    };
    let at = ask(calls, rows.indicator, modifiers);
    calls[at].filters = rows.decided.iter().map(known).collect();
    Some(at)
}

/// The wall-clock time in the calendar's zone, when the question is asked.
pub(super) fn now_in(catalog: &Catalog) -> Expr {
    let clock = DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()));
    // `now()` has the session's zone, or none: then it is Greenwich's time, not yet that of the calendar's zone.
    cast(wall_clock(cast(now(), clock.clone()), &clock, &catalog.calendar), TIMESTAMP)
}

/// The instant that a bound of a range is, if that is known before any row is read.
fn constant_instant(bound: &Expr) -> Option<NaiveDateTime> {
    let bound = cast(bound.clone(), TIMESTAMP);
    match ExprSimplifier::new(SimplifyContext::default()).simplify(bound).ok()? {
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(at), None), _) => {
            Some(DateTime::from_timestamp_nanos(at).naive_utc())
        }
        _ => None,
    }
}

fn held_by_unknown(catalog: &Catalog, indicator: IndicatorId) -> Diagnostic {
    let name = &catalog.indicator(indicator).item.name;
    let problem = format!("`STATUS({name})` looks at the periods before, and the range says no period");
    Diagnostic::new(codes::CONTEXT, problem)
        .note("its bands have `hold`: what was before decides about a worse status")
        .help(format!("group by the period (`metric_time__month`), or ask `SELECT * FROM status('{name}', …)`"))
}

fn held_by_left_out(catalog: &Catalog, indicator: IndicatorId) -> Diagnostic {
    let name = &catalog.indicator(indicator).item.name;
    let problem = format!("`STATUS({name})` looks at the periods before, and a condition leaves some out");
    Diagnostic::new(codes::CONTEXT, problem)
        .note("its bands have `hold`: what was before decides about a worse status")
        .help("write the condition as a range (`>=`, `<`, `=`, `between`), or choose among the rows of a subquery")
}

/// The one value that a condition leaves its input: that of `d = 'value'`, NULL of `d is null`.
pub(crate) fn one_value(expr: &Expr) -> Option<Option<String>> {
    match expr {
        Expr::IsNull(inner) if is_input(inner) => Some(None),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_input(left) => text(right).map(Some),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_input(right) => text(left).map(Some),
        _ => None,
    }
}

/// An input, also where a comparison has made another kind of text of it, which reads the same.
fn is_input(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => input_number(column).is_some(),
        Expr::Cast(cast) => cast.field.data_type().is_string() && is_input(&cast.expr),
        _ => false,
    }
}

/// What a literal says, also where a comparison has given it the type of its other side.
fn text(value: &Expr) -> Option<String> {
    let literal = match value {
        Expr::Literal(value, _) => value.clone(),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(value, _) => value.cast_to(cast.field.data_type()).ok()?,
            _ => return None,
        },
        _ => return None,
    };
    literal.cast_to(&DataType::Utf8).ok()?.try_as_str().flatten().map(ToString::to_string)
}

fn in_other_context(catalog: &Catalog, indicator: IndicatorId, aspect: Aspect) -> Diagnostic {
    let name = &catalog.indicator(indicator).item.name;
    let function = aspect.name().to_uppercase();
    Diagnostic::new(codes::CONTEXT, format!("`{function}({name})` is of the question's own rows, without AT or FILTER"))
        .note("a target stands for a period and a slice as they are")
        .help(format!("ask for the period in a question of its own, or use LAG over `{function}({name})`"))
}

fn without_target(catalog: &Catalog, indicator: IndicatorId, aspect: Aspect) -> Diagnostic {
    let name = &catalog.indicator(indicator).item.name;
    let function = aspect.name().to_uppercase();
    Diagnostic::new(codes::NO_TARGET, format!("`{function}({name})`: `{name}` has no target"))
        .help(format!("declare `target {name} {{ … }}`; `SELECT * FROM bell.targets` lists those that there are"))
}
