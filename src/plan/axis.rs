//! The time axis of a leaf: what of a question is about its time, and about which of its dimensions.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::instant::{Instants, TIMESTAMP};
use super::range::{Range, is_comparison, range_of};
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::{Standpoint, Unreachable, flatten};
use crate::catalog::time::local;
use crate::catalog::{Catalog, SourceId};
use crate::check::unreachable;
use crate::diagnostic::Diagnostic;

/// Whether an expression is about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mentions {
    Not,
    Only,
    Mixed,
}

/// A source with the time axis that a leaf on it goes by.
#[derive(Debug, Clone)]
pub(crate) struct Axis<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) source: SourceId,
    pub(crate) axis: Option<Expression>,
    /// The axis as the source's rows have it.
    flat: Option<Expression>,
    /// Whether days tell everything that is asked about time.
    days: bool,
    native: Option<DataType>,
}

impl<'c> Axis<'c> {
    /// `whole_days`: nothing in the modifiers is finer than a day.
    pub(crate) fn new(catalog: &'c Catalog, source: SourceId, axis: Option<&Expression>, precision: Precision) -> Self {
        let standpoint = Standpoint { source, axis: None };
        let flat = axis.and_then(|axis| flatten(catalog, standpoint, axis).ok()).map(uncast);
        let native = axis.map(|axis| local(&catalog.axis_type(axis)));
        let days = native == Some(DataType::Date32)
            && local(&catalog.metric_time) == DataType::Date32
            && precision == Precision::Days;
        Axis { catalog, source, axis: axis.cloned(), flat, days, native }
    }

    /// The axis as the source's rows have it.
    pub(crate) fn of_rows(&self) -> Option<&Expression> {
        self.flat.as_ref()
    }

    pub(crate) fn standpoint(&self) -> Standpoint<'_> {
        Standpoint { source: self.source, axis: self.axis.as_ref() }
    }

    pub(crate) fn instants(&self) -> Instants<'_> {
        let data_type = if self.days { DataType::Date32 } else { TIMESTAMP };
        let common = self.catalog.metric_time.clone();
        Instants { calendar: &self.catalog.calendar, data_type, common, native: self.native.clone() }
    }

    /// Refuses modifiers of time where there is no time.
    pub(crate) fn require(&self) -> Result<(), Diagnostic> {
        match self.axis {
            Some(_) => Ok(()),
            None => Err(unreachable(self.catalog, self.source, &Unreachable::NoTimeAxis)),
        }
    }

    /// What of the time axis an input is; `None` for what is no time of this leaf.
    pub(crate) fn part(&self, input: &Input) -> Option<TimePart> {
        match input {
            Input::MetricTime(part) => self.axis.as_ref().map(|_| *part),
            Input::Dimension(id, part) if self.catalog.dimension(*id).is_time() => {
                let whole = Expression::input(Input::Dimension(*id, TimePart::Whole));
                let flat = flatten(self.catalog, Standpoint { source: self.source, axis: None }, &whole).ok()?;
                (Some(uncast(flat)) == self.flat).then_some(*part)
            }
            Input::Column(_) => {
                let flat = self.flatten(&Expression::input(input.clone()))?;
                (Some(flat) == self.flat).then_some(TimePart::Whole)
            }
            _ => None,
        }
    }

    /// Whether an input is made of the leaf's time.
    pub(crate) fn is_time(&self, input: &Input) -> bool {
        match input {
            Input::Moved(inner, _) => self.is_time(inner),
            other => self.part(other).is_some(),
        }
    }

    /// The range that a condition is.
    pub(crate) fn range(&self, condition: &Expression) -> Option<Range> {
        let instants = self.instants();
        range_of(condition, |input| self.part(input), &instants)
    }

    /// Whether a condition compares a period of a calendar from a table with constants: a range, but one whose bounds are
    /// known only to the table.
    pub(crate) fn is_range_of_table(&self, condition: &Expression) -> bool {
        matches!(condition.inputs.as_slice(), [input] if self.is_of_table(input)) && is_comparison(&condition.expr)
    }

    /// Whether an input is a period of a calendar from a table, on the leaf's time.
    pub(crate) fn is_of_table(&self, input: &Input) -> bool {
        match input {
            Input::Moved(inner, _) => self.is_of_table(inner),
            other => matches!(self.part(other), Some(TimePart::Period(_))),
        }
    }

    /// Whether an expression is about a dimension, in any of its grains.
    pub(crate) fn mentions(&self, expression: &Expression, target: &Input) -> Mentions {
        let same = expression.inputs.iter().filter(|input| self.same(input, target)).count();
        match same {
            0 => Mentions::Not,
            all if all == expression.inputs.len() => Mentions::Only,
            _ => Mentions::Mixed,
        }
    }

    fn same(&self, input: &Input, target: &Input) -> bool {
        if let Input::Moved(inner, _) = input {
            return self.same(inner, target);
        }
        let (input, target) = (self.whole(input), self.whole(target));
        if input == target || self.is_time(&input) && self.is_time(&target) {
            return true;
        }
        let (left, right) = (Expression::input(input), Expression::input(target));
        matches!((self.flatten(&left), self.flatten(&right)), (Some(l), Some(r)) if l == r)
    }

    /// Whether a key is exactly that input.
    pub(crate) fn same_key(&self, key: &Expression, wanted: &Input) -> bool {
        let Some(input) = key.as_input() else { return false };
        match (self.part(input), self.part(wanted)) {
            (Some(key), Some(wanted)) => key == wanted,
            (None, None) => {
                input == wanted || part_of_dimension(input) == part_of_dimension(wanted) && self.same(input, wanted)
            }
            _ => false,
        }
    }

    /// A dimension with every grain of it.
    pub(crate) fn whole(&self, input: &Input) -> Input {
        match input {
            Input::Dimension(id, _) => Input::Dimension(*id, TimePart::Whole),
            Input::MetricTime(_) => Input::MetricTime(TimePart::Whole),
            other => other.clone(),
        }
    }

    pub(crate) fn key_type(&self, key: &Expression) -> DataType {
        key.as_input().map_or(DataType::Null, |input| self.catalog.input_type(input))
    }

    pub(crate) fn name(&self, input: &Input) -> String {
        match input {
            Input::Dimension(id, part) => {
                format!("{}{}", self.catalog.dimension(*id).item.name, part.suffix(&self.catalog.calendar))
            }
            Input::MetricTime(part) => format!("metric_time{}", part.suffix(&self.catalog.calendar)),
            Input::Column(column) => column.display(self.catalog),
            _ => "it".to_string(),
        }
    }

    fn flatten(&self, expression: &Expression) -> Option<Expression> {
        flatten(self.catalog, Standpoint { source: self.source, axis: None }, expression).ok().map(uncast)
    }
}

/// What modifiers of time tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Days,
    Finer,
}

/// Definitions of one dimension are cast to a common type, which does not make them something else.
pub(crate) fn uncast(expression: Expression) -> Expression {
    let Expression { expr, inputs } = expression;
    match expr {
        Expr::Cast(cast) => uncast(Expression { expr: *cast.expr, inputs }),
        expr => Expression { expr, inputs },
    }
}

/// What of a dimension is meant, whatever the dimension.
fn part_of_dimension(input: &Input) -> TimePart {
    match input {
        Input::Dimension(_, part) | Input::MetricTime(part) => *part,
        _ => TimePart::Whole,
    }
}
