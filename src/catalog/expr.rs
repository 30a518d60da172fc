//! Typed, resolved expressions.

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::Expr;

use super::event::EventValue;
use super::indicator::Measure;
use super::modifier::{Modifier, TimeSpan};
use super::path::ColumnRef;
use super::{DimensionId, IndicatorId};
use crate::catalog::calendar::{PeriodId, TimePart};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// A DataFusion expression whose columns are numbered [`Input`]s: `"$"."0"`, `"$"."1"`, …
///
/// The same expression serves every fact that can reach its inputs; planning puts each fact's own columns in their
/// place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expression {
    /// The expression, already coerced to the types of its inputs.
    pub expr: Expr,
    /// What its numbered columns stand for.
    pub inputs: Vec<Input>,
}

/// What a numbered column of an [`Expression`] stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A column of a source, or of one that it joins.
    Column(ColumnRef),
    /// A dimension, or a grain or part of a time dimension.
    Dimension(DimensionId, TimePart),
    /// The own time axis of each indicator.
    MetricTime(TimePart),
    /// The period of a day in a calendar from a table; the day is an expression over columns of one root.
    Period(PeriodId, Box<Expression>),
    /// Another indicator, with conditions that a `filter (where …)` adds to every aggregate inside it.
    Indicator(IndicatorId, Vec<Expression>),
    /// An aggregate over a source.
    Measure(Box<Measure>),
    /// A formula in another context.
    At(Box<At>),
    /// An aggregate of formulas at a finer grain.
    Fold(Box<Fold>),
    /// In a value of a row: a formula for the row's own value of something.
    Per(Box<Per>),
    /// In a value of a row: what later rows tell of it.
    Event(Box<EventValue>),
    /// In the value of a `set`: the row's own value of a dimension.
    Current(Box<Input>),
    /// A time value, or a part of one, moved by a length of time; only planning makes these.
    Moved(Box<Input>, TimeSpan),
}

/// `x at (…)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct At {
    /// What is evaluated; inputs are those of formulas.
    pub operand: Expression,
    /// How its context differs from that of the formula around it; they act from left to right.
    pub modifiers: Vec<Modifier>,
    /// The type of its value.
    pub data_type: DataType,
}

/// `avg(x per d)`: x for each value of d, then an aggregate over these values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fold {
    /// The aggregate call; inputs are those of formulas, and what the values are for.
    pub aggregate: Expression,
    /// What the values are for: dimensions, grains, columns.
    pub by: Vec<Expression>,
    /// The type of its value.
    pub data_type: DataType,
    /// Its value over no rows.
    pub empty: ScalarValue,
}

impl Fold {
    /// Which of what the values are for an input of the aggregate is, by position; `None`: it is a formula.
    pub fn key(&self, input: &Input) -> Option<usize> {
        self.by.iter().position(|by| by.as_input() == Some(input))
    }
}

/// `x per d` where a row has a value: in conditions and dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Per {
    /// What is asked; inputs are those of formulas.
    pub value: Expression,
    /// By what, as the question knows it.
    pub by: Vec<Expression>,
    /// The same for a row: planning begins it at the fact's source.
    pub of_row: Vec<Expression>,
    /// The type of its value.
    pub data_type: DataType,
}

/// The relation name of numbered columns.
pub const INPUT_RELATION: &str = "$";

/// The column that stands for input number `at`.
pub fn input_column(at: usize) -> Column {
    Column::new(Some(TableReference::bare(INPUT_RELATION)), at.to_string())
}

/// The number of the input that a column stands for.
pub fn input_number(column: &Column) -> Option<usize> {
    match &column.relation {
        Some(TableReference::Bare { table }) if table.as_ref() == INPUT_RELATION => column.name.parse().ok(),
        _ => None,
    }
}

impl Expression {
    /// The expression that is just this input.
    pub fn input(input: Input) -> Self {
        Expression { expr: Expr::Column(input_column(0)), inputs: vec![input] }
    }

    /// The columns that it reads, also those that tell the day of a period or the row's place in an inner question.
    pub fn columns(&self) -> Vec<&ColumnRef> {
        let mut found = Vec::new();
        for input in &self.inputs {
            match input {
                Input::Column(column) => found.push(column),
                Input::Period(_, day) => found.extend(day.columns()),
                Input::Per(per) => found.extend(per.of_row.iter().flat_map(Expression::columns)),
                _ => {}
            }
        }
        found
    }

    /// Whether anything in it is reached against a join's direction, so that a row may have several values of it.
    pub fn fans_out(&self) -> bool {
        self.columns().iter().any(|column| column.path.fans_out())
    }

    /// The single input that the expression is, if it is nothing more.
    pub fn as_input(&self) -> Option<&Input> {
        match (&self.expr, self.inputs.as_slice()) {
            (Expr::Column(_), [input]) => Some(input),
            _ => None,
        }
    }

    /// The single column that the expression is, if it is nothing more.
    pub fn as_column(&self) -> Option<&ColumnRef> {
        match (&self.expr, self.inputs.as_slice()) {
            (Expr::Column(_), [Input::Column(column)]) => Some(column),
            _ => None,
        }
    }
}
