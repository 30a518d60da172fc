//! Typed, resolved expressions.

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::Expr;

use super::indicator::Measure;
use super::path::ColumnRef;
use super::{DimensionId, IndicatorId};
use crate::catalog::calendar::TimePart;

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
    /// Another indicator, with conditions that a `filter (where …)` adds to every aggregate inside it.
    Indicator(IndicatorId, Vec<Expression>),
    /// An aggregate over a source.
    Measure(Box<Measure>),
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

    /// The single column that the expression is, if it is nothing more.
    pub fn as_column(&self) -> Option<&ColumnRef> {
        match (&self.expr, self.inputs.as_slice()) {
            (Expr::Column(_), [Input::Column(column)]) => Some(column),
            _ => None,
        }
    }
}
