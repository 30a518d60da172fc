//! Dimensions and segments.

use datafusion::arrow::datatypes::DataType;

use super::Item;
use super::expr::Expression;

/// Something to group or filter by.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Name, labels, description.
    pub item: Item,
    /// What it is for.
    pub kind: DimensionKind,
    /// The common type of its definitions.
    pub data_type: DataType,
    /// One for each root that it is defined for, in order.
    pub definitions: Vec<Expression>,
}

/// The kinds of dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DimensionKind {
    /// Values.
    Category,
    /// Dates or timestamps: offers grains and parts.
    Time,
    /// A named condition (业务限定).
    Segment,
}

impl Dimension {
    /// Whether it offers grains.
    pub fn is_time(&self) -> bool {
        self.kind == DimensionKind::Time
    }
}
