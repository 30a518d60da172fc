//! [`Context`]: the grouping and conditions in which indicators are evaluated, and the aggregates that they need there.

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::Expr;

use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Measure;
use crate::catalog::reach::replace_inputs;
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
}

/// One use of an indicator in a question.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which one.
    pub indicator: IndicatorId,
    /// `FILTER (WHERE …)`: reaches every aggregate inside, never removes a group.
    pub filters: Vec<Expression>,
}

/// An aggregate with everything that surrounds it in the definitions that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) measure: Measure,
    /// `where` of the indicators around it: decides which rows, and so which groups, there are.
    pub(crate) conditions: Vec<Expression>,
    /// `filter`s around it: narrow the rows, never the groups.
    pub(crate) filters: Vec<Expression>,
    /// What `metric_time` means for it.
    pub(crate) axis: Option<Expression>,
    /// The indicator that was asked for, for messages.
    pub(crate) asked: IndicatorId,
}

/// The aggregates of a question, each once.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    pub(crate) leaves: Vec<Leaf>,
}

/// What the definitions on the way add to an aggregate.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    conditions: Vec<Expression>,
    filters: Vec<Expression>,
    axis: Option<Expression>,
}

const LEAF_RELATION: &str = "leaf";

/// The column that stands for the value of leaf number `at` until the parts are joined.
pub(crate) fn leaf_number(column: &Column) -> Option<usize> {
    match &column.relation {
        Some(TableReference::Bare { table }) if table.as_ref() == LEAF_RELATION => column.name.parse().ok(),
        _ => None,
    }
}

impl Leaves {
    /// The value of a call as an expression over leaves.
    pub(crate) fn expand(&mut self, catalog: &Catalog, call: &Call) -> Expr {
        let around = Surroundings { filters: call.filters.clone(), ..Surroundings::default() };
        self.expand_indicator(catalog, call.indicator, &around, call.indicator)
    }

    fn expand_indicator(
        &mut self,
        catalog: &Catalog,
        id: IndicatorId,
        around: &Surroundings,
        asked: IndicatorId,
    ) -> Expr {
        let indicator = catalog.indicator(id);
        let mut here = around.clone();
        here.conditions.extend(indicator.conditions.iter().cloned());
        here.axis = indicator.time.clone().or(here.axis);
        let values: Vec<Expr> = indicator
            .formula
            .inputs
            .iter()
            .map(|input| match input {
                Input::Measure(measure) => self.leaf(catalog, measure, &here, asked),
                Input::Indicator(inner, filters) => {
                    let mut inside = here.clone();
                    inside.filters.extend(filters.iter().cloned());
                    self.expand_indicator(catalog, *inner, &inside, asked)
                }
                // `check` admits only measures and indicators in formulas.
                other => unreachable!("a formula has {other:?} as an input"),
            })
            .collect();
        replace_inputs(indicator.formula.expr.clone(), &values)
    }

    fn leaf(&mut self, catalog: &Catalog, measure: &Measure, around: &Surroundings, asked: IndicatorId) -> Expr {
        let mut filters = around.filters.clone();
        filters.extend(measure.filter.iter().cloned());
        let axis = around.axis.clone().or_else(|| catalog.source(measure.source).time.clone());
        let leaf = Leaf { measure: measure.clone(), conditions: around.conditions.clone(), filters, axis, asked };
        let same = |known: &Leaf| {
            known.measure == leaf.measure
                && known.conditions == leaf.conditions
                && known.filters == leaf.filters
                && known.axis == leaf.axis
        };
        let at = self.leaves.iter().position(same).unwrap_or_else(|| {
            self.leaves.push(leaf.clone());
            self.leaves.len() - 1
        });
        Expr::Column(Column::new(Some(TableReference::bare(LEAF_RELATION)), at.to_string()))
    }
}
