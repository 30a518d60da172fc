//! Indicators and the aggregates that they are made of.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::calendar::{Grain, TimePart};
use super::expr::Expression;
use super::unit::Unit;
use super::{DimensionId, Item, SourceId};

/// A business number.
#[derive(Debug, Clone)]
pub struct Indicator {
    /// Name, labels, description.
    pub item: Item,
    /// What it computes: inputs are measures and other indicators only.
    pub formula: Expression,
    /// Conditions on the rows of every aggregate in it; they decide which groups have rows.
    pub conditions: Vec<Expression>,
    /// Its own time axis, instead of its source's.
    pub time: Option<Expression>,
    /// The type of its value.
    pub data_type: DataType,
    /// The type of its formula, which an average within periods changes.
    pub formula_type: DataType,
    /// Its unit, declared or derived; `None`: unknown.
    pub unit: Option<Unit>,
    /// Which direction is good.
    pub good: Option<Direction>,
    /// Its value where it has no rows.
    pub fill: Option<Fill>,
    /// What it shows of a period coarser than its own, if not the value at the period's last instant.
    pub within: Option<Within>,
    /// What its own view shows.
    pub grain: Option<ViewGrain>,
    /// May finer values be summed?
    pub additivity: Additivity,
    /// How its value is printed, for front ends.
    pub format: Option<String>,
    /// The definition as written, for people.
    pub definition_text: String,
}

/// An aggregate over the rows of one source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Measure {
    /// The fact.
    pub source: SourceId,
    /// The aggregate call, without its filter; inputs are columns and dimensions.
    pub aggregate: Expression,
    /// `filter (where …)`: narrows the rows, never the groups.
    pub filter: Option<Expression>,
    /// What kind of aggregate it is.
    pub kind: AggregateKind,
    /// The type of its value.
    pub data_type: DataType,
    /// Its value over no rows: 0 for counts, NULL for most others.
    pub empty: ScalarValue,
}

/// What an aggregate does, as far as planning must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AggregateKind {
    Sum,
    Count,
    CountDistinct,
    Min,
    Max,
    Other,
}

/// What a running indicator shows of a period that is coarser than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Within {
    /// The value at the end of the first period of this grain in it.
    First(Grain),
    /// The average of the values of the periods of this grain in it.
    Average(Grain),
}

/// A value where there are no rows.
#[derive(Debug, Clone)]
pub struct Fill {
    /// In the indicator's own type.
    pub value: Expr,
    /// Which groups it adds.
    pub adds: Added,
}

/// The groups that a [`Fill`] adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// `empty v`: none.
    Nothing,
    /// `fill v`: every period between the first and the last one that is shown.
    Between,
    /// `fill v each day`: the days of a calendar from a table on which it has no rows.
    Each(Grain),
}

/// Whether values of finer groups may be summed to coarser ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Additivity {
    /// Over every dimension.
    Additive,
    /// Over every dimension but the one at whose end it is taken (`at (last day)`).
    SemiAdditive,
    /// Over no dimension.
    NonAdditive,
}

/// `good up`, `good down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    Up,
    Down,
}

/// `grain day by region, channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewGrain {
    /// The grain of metric_time, or its period in a calendar from a table.
    pub time: Option<TimePart>,
    /// The dimensions.
    pub by: Vec<DimensionId>,
}

impl std::fmt::Display for Additivity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Additivity::Additive => "additive",
            Additivity::SemiAdditive => "semi-additive",
            Additivity::NonAdditive => "non-additive",
        })
    }
}
