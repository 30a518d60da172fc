//! What later rows of the same entity tell of a row: whether a visit led to an order.

use datafusion::arrow::datatypes::DataType;

use super::expr::Expression;
use super::modifier::TimeSpan;
use super::{Catalog, SourceId};

/// A column that an [`Event`] gives the rows of its source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventValue {
    /// What is looked for.
    pub event: Event,
    /// Which column of it.
    pub column: EventColumn,
}

/// Something that is found by the time of rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Whether a row led to one of another source.
    Conversion(Conversion),
}

/// The columns that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventColumn {
    /// Whether a row of another source is credited to this one.
    Converted,
}

/// `conversion from a to b by e within 7 days matching m`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversion {
    /// The base: its rows convert or not.
    pub from: SourceId,
    /// Each of its rows is credited to the latest base row with equal keys.
    pub to: SourceId,
    /// The entity and the matching properties.
    pub keys: Vec<SharedKey>,
    /// How long after the base row; `None`: at any time.
    pub within: Option<TimeSpan>,
}

/// A value that rows of two sources share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SharedKey {
    /// Its name, for people.
    pub name: String,
    /// Over columns that begin at the first source.
    pub from: Expression,
    /// Over columns that begin at the other one.
    pub to: Expression,
    /// The type in which the two are compared.
    pub data_type: DataType,
}

impl Event {
    /// The source whose rows get the columns.
    pub fn source(&self) -> SourceId {
        match self {
            Event::Conversion(conversion) => conversion.from,
        }
    }

    /// What it is called, for messages.
    pub fn name<'c>(&self, catalog: &'c Catalog) -> &'c str {
        match self {
            Event::Conversion(conversion) => &catalog.source(conversion.to).item.name,
        }
    }

    /// Everything that is read to find it, beside the times of its sources.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Event::Conversion(conversion) => conversion.keys.iter().flat_map(|key| [&key.from, &key.to]).collect(),
        }
    }

    /// The sources that are read to find it.
    pub fn sources(&self) -> Vec<SourceId> {
        match self {
            Event::Conversion(conversion) => vec![conversion.from, conversion.to],
        }
    }
}

impl EventColumn {
    /// Its name among the rows' columns.
    pub fn name(self) -> &'static str {
        match self {
            EventColumn::Converted => "converted",
        }
    }
}

impl EventValue {
    /// The type of the column.
    pub fn data_type(&self) -> DataType {
        match self.column {
            EventColumn::Converted => DataType::Boolean,
        }
    }
}
