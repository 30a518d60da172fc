//! [`Context`]: the grouping and conditions in which indicators are evaluated, and the aggregates that they need there.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::functions_aggregate::expr_fn::{avg, count};
use datafusion::logical_expr::{Case, Expr, lit};

use super::axis::{Axis, Precision};
use super::fold::some_fact;
use super::frame::Frame;
use super::notes::Notes;
use super::options::Rewrites;
use super::spine::{Filler, leaves_in};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{At, Expression, Fold, Input, input_column};
use crate::catalog::indicator::{Added, AggregateKind, Indicator, Measure, Within};
use crate::catalog::modifier::Modifier;
use crate::catalog::reach::replace_inputs;
use crate::catalog::time::cast;
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, IndicatorId};

/// What a question groups by.
#[derive(Debug, Clone, Default)]
pub struct Grouping {
    /// The group expressions, each once; inputs are dimensions, grains of `metric_time` and columns.
    pub keys: Vec<Expression>,
    /// For `ROLLUP`, `CUBE`, `GROUPING SETS`: the sets, as positions in `keys`, in order.
    pub sets: Option<Vec<Vec<usize>>>,
}

/// The outer context of a question.
#[derive(Debug, Clone)]
pub struct Context<'c> {
    /// The model.
    pub catalog: &'c Catalog,
    /// What is grouped by.
    pub grouping: Grouping,
    /// The question's own conditions, AND-ed.
    pub conditions: Vec<Expression>,
    /// Which ways to make plans cheaper are used.
    pub rewrites: Rewrites,
    /// Who wants to know about rollups.
    pub notes: Option<Notes>,
}

/// One use of an indicator in a question.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which one.
    pub indicator: IndicatorId,
    /// `FILTER (WHERE …)`: reaches every aggregate inside, never removes a group.
    pub filters: Vec<Expression>,
    /// `AT (…)`: they act from left to right.
    pub modifiers: Vec<Modifier>,
    /// Whether nobody asked for it: its value is looked up for the groups that others show.
    pub looks: bool,
}

/// An aggregate with everything that surrounds it in the definitions that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) kind: LeafKind,
    pub(crate) around: Surroundings,
    /// The indicator that was asked for, for messages.
    pub(crate) asked: Option<IndicatorId>,
}

/// What is aggregated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeafKind {
    /// The rows of a source.
    Measure(Measure),
    /// Values of formulas at a finer grain.
    Fold(Fold),
}

/// The aggregates of a question, each once.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    pub(crate) leaves: Vec<Leaf>,
    /// Whether indicators share no aggregates: a rollup may answer some of them approximately, and only these.
    each_asker: bool,
    /// The periods that are asked for.
    periods: Vec<(Input, Grain)>,
    /// Whether an indicator has a value for periods without rows, so that all periods are shown.
    pub(crate) filled: bool,
    /// Indicators that are shown on each day of a calendar.
    pub(crate) fillers: Vec<Filler>,
}

/// What the definitions on the way add to an aggregate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// `where` of the indicators around it: decides which rows, and so which groups, there are.
    pub(crate) conditions: Vec<Expression>,
    /// `filter`s around it: narrow the rows, never the groups.
    pub(crate) filters: Vec<Expression>,
    /// What `metric_time` means for it, if an indicator around it says so.
    pub(crate) axis: Option<Expression>,
    /// `at`s around it, the outermost first: from left to right they make its context.
    pub(crate) modifiers: Vec<Modifier>,
    /// Whether it is only looked up for the groups that others show.
    pub(crate) looks: bool,
}

const LEAF_RELATION: &str = "leaf";

/// The column that stands for the value of leaf number `at` until the parts are joined.
pub(crate) fn leaf_number(column: &Column) -> Option<usize> {
    match &column.relation {
        Some(TableReference::Bare { table }) if table.as_ref() == LEAF_RELATION => column.name.parse().ok(),
        _ => None,
    }
}

impl Leaf {
    /// Its value over no rows.
    pub(crate) fn empty(&self) -> &ScalarValue {
        match &self.kind {
            LeafKind::Measure(measure) => &measure.empty,
            LeafKind::Fold(fold) => &fold.empty,
        }
    }
}

/// The average of an indicator's values over the periods of its own grain.
fn average_of(indicator: &Indicator, own: Grain) -> Fold {
    let data_type = indicator.formula_type.clone();
    let values = Input::At(Box::new(At { operand: indicator.formula.clone(), modifiers: vec![], data_type }));
    let value = cast(Expr::Column(input_column(0)), DataType::Float64);
    Fold {
        aggregate: Expression { expr: avg(value), inputs: vec![values] },
        by: vec![Expression::input(Input::MetricTime(TimePart::Grain(own)))],
        data_type: DataType::Float64,
        empty: ScalarValue::Float64(None),
    }
}

/// Whether two are of the same time, whatever their grains.
fn same_time(a: &Input, b: &Input) -> bool {
    match (a, b) {
        (Input::MetricTime(_), Input::MetricTime(_)) => true,
        (Input::Dimension(a, _), Input::Dimension(b, _)) => a == b,
        _ => false,
    }
}

/// How many rows an aggregate reads.
fn row_count(measure: &Measure) -> Measure {
    Measure {
        source: measure.source,
        aggregate: Expression { expr: count(lit(1_i64)), inputs: vec![] },
        filter: None,
        kind: AggregateKind::Count,
        data_type: DataType::Int64,
        empty: ScalarValue::Int64(Some(0)),
    }
}

fn filled(there: Option<Expr>, value: Expr, fill: &Expr) -> Expr {
    match there {
        Some(there) => Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(there), Box::new(value))],
            else_expr: Some(Box::new(fill.clone())),
        }),
        None => value,
    }
}

impl Leaves {
    /// None yet, for such a frame.
    pub(crate) fn of(catalog: &Catalog, frame: &Frame) -> Self {
        let each_asker = catalog.rollups.iter().any(|rollup| !rollup.approximate.is_empty());
        Leaves { periods: frame.periods(), each_asker, ..Leaves::default() }
    }

    /// The finest grain that a fold's time is asked by, after its modifiers.
    fn grain(&self, catalog: &Catalog, fold: &Fold, around: &Surroundings) -> Option<Grain> {
        let (source, around) = some_fact(catalog, fold, around)?;
        let axis = around.axis.as_ref().or(catalog.source(source).time.as_ref());
        let axis = Axis::new(catalog, source, axis, Precision::Finer);
        let dropped = |period: &Input| {
            around.modifiers.iter().any(|modifier| match modifier {
                Modifier::Everything => true,
                Modifier::All(targets) => targets.iter().any(|target| same_time(target, period)),
                _ => false,
            })
        };
        let asked = self.periods.iter().filter(|(period, _)| axis.is_time(period) && !dropped(period));
        asked.map(|(_, grain)| *grain).min()
    }

    /// The value of a call as an expression over leaves.
    pub(crate) fn expand(&mut self, catalog: &Catalog, call: &Call) -> Expr {
        let around = Surroundings {
            filters: call.filters.clone(),
            modifiers: call.modifiers.clone(),
            looks: call.looks,
            ..Surroundings::default()
        };
        self.expand_indicator(catalog, call.indicator, &around, Some(call.indicator))
    }

    /// The value of a formula as an expression over leaves.
    pub(crate) fn expand_formula(
        &mut self,
        catalog: &Catalog,
        formula: &Expression,
        around: &Surroundings,
        asked: Option<IndicatorId>,
    ) -> Expr {
        let values: Vec<Expr> =
            formula.inputs.iter().map(|input| self.expand_input(catalog, input, around, asked)).collect();
        replace_inputs(formula.expr.clone(), &values)
    }

    fn expand_indicator(
        &mut self,
        catalog: &Catalog,
        id: IndicatorId,
        around: &Surroundings,
        asked: Option<IndicatorId>,
    ) -> Expr {
        let indicator = catalog.indicator(id);
        let mut here = around.clone();
        here.conditions.extend(indicator.conditions.iter().cloned());
        here.axis = indicator.time.clone().or(here.axis);
        let value = match indicator.within {
            Some(Within::First(own)) => {
                here.modifiers.push(Modifier::FirstOf(own));
                self.expand_formula(catalog, &indicator.formula, &here, asked)
            }
            Some(Within::Average(own)) => {
                let fold = average_of(indicator, own);
                match self.grain(catalog, &fold, &here) {
                    Some(grain) if grain > own => {
                        self.leaf(Leaf { kind: LeafKind::Fold(fold), around: here.clone(), asked })
                    }
                    _ => self.expand_formula(catalog, &indicator.formula, &here, asked),
                }
            }
            None => self.expand_formula(catalog, &indicator.formula, &here, asked),
        };
        let Some(fill) = &indicator.fill else { return value };
        let there = self.presence(catalog, &indicator.formula, &here, asked);
        match fill.adds {
            Added::Nothing => {}
            Added::Between => self.filled = true,
            Added::Each(grain) => {
                self.filler(catalog, grain, &indicator.formula, &here, &[Some(&value), there.as_ref()])
            }
        }
        filled(there, value, &fill.value)
    }

    fn filler(
        &mut self,
        catalog: &Catalog,
        grain: Grain,
        formula: &Expression,
        around: &Surroundings,
        values: &[Option<&Expr>],
    ) {
        let leaves = values.iter().flatten().flat_map(|value| leaves_in(value)).collect();
        let mut fact = None;
        let outer = Around { conditions: vec![], time: around.axis.clone() };
        for_each_measure(catalog, formula, &outer, &mut |measure, inner| {
            fact.get_or_insert_with(|| (measure.source, inner.time.clone()));
        });
        // `check` admits only formulas with an aggregate somewhere inside.
        let Some((source, axis)) = fact else { return };
        let filler = Filler { grain, source, around: Surroundings { axis, ..around.clone() }, leaves };
        if !self.fillers.contains(&filler) {
            self.fillers.push(filler);
        }
    }

    /// Whether any aggregate of a formula has rows, filters aside.
    fn presence(
        &mut self,
        catalog: &Catalog,
        formula: &Expression,
        around: &Surroundings,
        asked: Option<IndicatorId>,
    ) -> Option<Expr> {
        let there = formula.inputs.iter().filter_map(|input| match input {
            Input::Measure(measure) => {
                let around = Surroundings { filters: vec![], ..around.clone() };
                let rows = self.leaf(Leaf { kind: LeafKind::Measure(row_count(measure)), around, asked });
                Some(rows.gt(lit(0_i64)))
            }
            Input::Indicator(id, _) => {
                let inner = catalog.indicator(*id);
                let mut inside = around.clone();
                inside.conditions.extend(inner.conditions.iter().cloned());
                inside.axis = inner.time.clone().or(inside.axis);
                self.presence(catalog, &inner.formula, &inside, asked)
            }
            Input::At(at) => {
                let mut inside = around.clone();
                inside.modifiers.extend(at.modifiers.iter().cloned());
                self.presence(catalog, &at.operand, &inside, asked)
            }
            Input::Fold(fold) => self.presence(catalog, &fold.aggregate, around, asked),
            _ => None,
        });
        there.collect::<Vec<_>>().into_iter().reduce(Expr::or)
    }

    /// One input of a formula.
    pub(crate) fn expand_input(
        &mut self,
        catalog: &Catalog,
        input: &Input,
        around: &Surroundings,
        asked: Option<IndicatorId>,
    ) -> Expr {
        match input {
            Input::Measure(measure) => self.measure(measure, around, asked),
            Input::Fold(fold) => {
                let kind = LeafKind::Fold(fold.as_ref().clone());
                self.leaf(Leaf { kind, around: around.clone(), asked })
            }
            Input::Indicator(inner, filters) => {
                let mut inside = around.clone();
                inside.filters.extend(filters.iter().cloned());
                self.expand_indicator(catalog, *inner, &inside, asked)
            }
            Input::At(at) => {
                // What stands outside acts first: `x at (A)` is asked in the context that it makes.
                let mut inside = around.clone();
                inside.modifiers.extend(at.modifiers.iter().cloned());
                self.expand_formula(catalog, &at.operand, &inside, asked)
            }
            // `check` admits nothing else in formulas.
            other => unreachable!("a formula has {other:?} as an input"),
        }
    }

    fn measure(&mut self, measure: &Measure, around: &Surroundings, asked: Option<IndicatorId>) -> Expr {
        let mut around = around.clone();
        around.filters.extend(measure.filter.iter().cloned());
        self.leaf(Leaf { kind: LeafKind::Measure(measure.clone()), around, asked })
    }

    fn leaf(&mut self, leaf: Leaf) -> Expr {
        let each_asker = self.each_asker;
        let asker = |known: &Leaf| !each_asker || known.asked == leaf.asked;
        let same = |known: &Leaf| known.kind == leaf.kind && known.around == leaf.around && asker(known);
        let at = self.leaves.iter().position(same).unwrap_or_else(|| {
            self.leaves.push(leaf.clone());
            self.leaves.len() - 1
        });
        Expr::Column(Column::new(Some(TableReference::bare(LEAF_RELATION)), at.to_string()))
    }
}
