//! What later rows of the same entity tell of a row: whether a visit led to an order.

use datafusion::arrow::datatypes::DataType;

use super::calendar::Grain;
use super::expr::Expression;
use super::modifier::{Modifier, TimeSpan};
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
    /// On which days of a calendar a row counts: it is there once for each.
    Dated(Dated),
}

/// The columns that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventColumn {
    /// Whether a row of another source is credited to this one.
    Converted,
    /// How many are.
    Credits,
    /// A day on which the row counts.
    Day,
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
    pub within: Option<Reach>,
    /// The times of the two.
    pub times: [Expression; 2],
    /// What is counted.
    pub counts: Counted,
}

/// How long after the base row something is credited to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reach {
    /// The length.
    pub span: TimeSpan,
    /// Whether its last instant is in it.
    pub end: Bound,
}

/// Whether the end of a length of time is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// `within 7 days`.
    Included,
    /// `within less than 7 days`.
    Excluded,
}

/// What a conversion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// The base rows that something is credited to.
    Base,
    /// The rows that are credited to them.
    Credited,
}

/// `at (each day shift 14 days)`: rows once for each day of a calendar on which they count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dated {
    /// The source of the rows.
    pub source: SourceId,
    /// Their own time, over columns that begin there.
    pub time: Expression,
    /// The type of that time, and so of the days.
    pub data_type: DataType,
    /// The calendars, the outermost first: the rows count on days of the last one, these on days of the one before.
    pub by: Vec<OnDays>,
}

/// The days of a calendar, and what counts on each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnDays {
    /// The calendar, by its position in [`super::calendar::Calendar::tables`].
    pub table: usize,
    /// From the day itself to what counts on it; only modifiers of time.
    pub modifiers: Vec<Modifier>,
    /// If not empty, only days that begin a period of one of these grains.
    pub starts: Vec<Grain>,
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
            Event::Dated(dated) => dated.source,
        }
    }

    /// What it is called, for messages.
    pub fn name<'c>(&self, catalog: &'c Catalog) -> &'c str {
        match self {
            Event::Conversion(conversion) => &catalog.source(conversion.to).item.name,
            Event::Dated(dated) => &catalog.source(dated.source).item.name,
        }
    }

    /// Everything that is read to find it, beside the times of its sources.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Event::Conversion(conversion) => {
                let keys = conversion.keys.iter().flat_map(|key| [&key.from, &key.to]);
                keys.chain(&conversion.times).collect()
            }
            Event::Dated(dated) => vec![&dated.time],
        }
    }

    /// The sources that are read to find it.
    pub fn sources(&self) -> Vec<SourceId> {
        match self {
            Event::Conversion(conversion) => vec![conversion.from, conversion.to],
            Event::Dated(dated) => vec![dated.source],
        }
    }
}

impl EventColumn {
    /// Its name among the rows' columns.
    pub fn name(self) -> &'static str {
        match self {
            EventColumn::Converted => "converted",
            EventColumn::Credits => "credits",
            EventColumn::Day => "day",
        }
    }
}

impl EventValue {
    /// The type of the column.
    pub fn data_type(&self) -> DataType {
        match (self.column, &self.event) {
            (EventColumn::Converted, _) => DataType::Boolean,
            (EventColumn::Day, Event::Dated(dated)) => dated.data_type.clone(),
            (EventColumn::Credits | EventColumn::Day, _) => DataType::Int64,
        }
    }
}
