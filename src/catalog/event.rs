//! What later rows of the same entity tell of a row: whether a visit led to an order, how far a visitor came.
//!
//! An [`Event`] belongs to a source and gives its rows columns ([`EventValue`]) that are found by time. A conversion gives
//! each row one more column; a funnel or a cohort chooses among the rows and repeats them, once for each step or age, so
//! only the indicators of its own view are made of its columns.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::calendar::Grain;
use super::expr::Expression;
use super::modifier::{Modifier, TimeSpan};
use super::process::Process;
use super::{Catalog, DimensionId, IndicatorId, Item, SourceId};

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
    /// How far an entity came from a row of the first step.
    Funnel(Funnel),
    /// When an entity came back after its first row.
    Cohort(Box<Cohort>),
    /// How long a case stays in the step that a row is.
    Process(Arc<Process>),
}

/// The columns that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventColumn {
    /// Of a conversion: whether a row of another source is credited to this one.
    Converted,
    /// Of a conversion: how many are.
    Credits,
    /// Of a calendar: a day on which the row counts.
    Day,
    /// Of funnels and cohorts: whose row it is.
    Entity,
    /// Of a funnel: the name of a step.
    Step,
    /// Of a funnel: the number of a step, from 1.
    Position,
    /// Of a funnel: whether that step is reached.
    Reached,
    /// Of a funnel: whether the step before it is; never so for the first.
    Before,
    /// Of a cohort: the period of the first row.
    Start,
    /// Of a cohort: how many periods later.
    Age,
    /// Of a cohort: whether the entity has a row then.
    Active,
    /// Of a process: how long until the next step.
    Stay,
    /// Of a process: how long of that somebody works on it.
    Working,
    /// Of a process: how long of that nobody does.
    Waiting,
    /// Of a process: the number of the case's visit to this step, from 1.
    Visit,
    /// Of a process: the next step.
    Next,
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
    /// The times of the two, where they are not those of their sources; over columns that begin there.
    pub times: [Option<Expression>; 2],
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

/// `funnel checkout { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Funnel {
    /// The steps, at least two.
    pub steps: Vec<FunnelStep>,
    /// How long after the first step.
    pub within: TimeSpan,
    /// The type of the entity.
    pub entity_type: DataType,
}

/// `step pay = orders where paid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunnelStep {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Option<String>,
    /// Which rows are it.
    pub rows: EventRows,
    /// When, seen from the step before it.
    pub follows: Follows,
}

/// How late a step is after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Follows {
    /// At the same instant or later.
    NotBefore,
    /// Later: its rows may be those of an earlier step, and no row is two steps.
    After,
}

/// `cohort retention { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cohort {
    /// The rows of which an entity's first one sets its cohort.
    pub starts: EventRows,
    /// The rows of those who come back.
    pub returns: EventRows,
    /// The periods.
    pub every: Grain,
    /// The last age.
    pub ages: u16,
    /// The type of the entity.
    pub entity_type: DataType,
}

/// Rows of a source, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventRows {
    /// The source.
    pub source: SourceId,
    /// Over columns that begin at the source.
    pub entity: Expression,
    /// Which of its rows, AND-ed, over such columns.
    pub conditions: Vec<Expression>,
}

/// A `funnel` or a `cohort`, as a view.
#[derive(Debug, Clone)]
pub struct EventView {
    /// Name and labels.
    pub item: Item,
    /// What it is.
    pub kind: EventViewKind,
    /// What is looked for; the dimensions of its source slice it.
    pub event: Event,
    /// Its clauses as written, on one line.
    pub definition_text: String,
    /// Its own dimensions.
    pub dimensions: Vec<DimensionId>,
    /// Its own indicators.
    pub indicators: Vec<IndicatorId>,
}

/// The kinds of views over events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum EventViewKind {
    Funnel,
    Cohort,
}

impl Event {
    /// The source whose rows get the columns.
    pub fn source(&self) -> SourceId {
        match self {
            Event::Conversion(conversion) => conversion.from,
            Event::Dated(dated) => dated.source,
            Event::Funnel(funnel) => funnel.steps[0].rows.source,
            Event::Cohort(cohort) => cohort.starts.source,
            Event::Process(process) => process.source,
        }
    }

    /// What is looked for, for messages.
    pub fn name<'c>(&'c self, catalog: &'c Catalog) -> &'c str {
        match self {
            Event::Conversion(conversion) => &catalog.source(conversion.to).item.name,
            Event::Dated(dated) => &catalog.source(dated.source).item.name,
            Event::Funnel(funnel) => &funnel.steps[0].name,
            Event::Cohort(cohort) => &catalog.source(cohort.starts.source).item.name,
            Event::Process(process) => &process.name,
        }
    }

    /// The columns of which one must be fixed wherever its rows are counted: it has each row once for every step, or age.
    pub fn apart(&self) -> &'static [EventColumn] {
        match self {
            Event::Conversion(_) | Event::Dated(_) | Event::Process(_) => &[],
            Event::Funnel(_) => &[EventColumn::Step, EventColumn::Position],
            Event::Cohort(_) => &[EventColumn::Age],
        }
    }

    /// Everything that is read to find it, beside the times of its sources.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Event::Conversion(conversion) => {
                let keys = conversion.keys.iter().flat_map(|key| [&key.from, &key.to]);
                keys.chain(conversion.times.iter().flatten()).collect()
            }
            Event::Dated(dated) => vec![&dated.time],
            Event::Funnel(funnel) => funnel.steps.iter().flat_map(|step| step.rows.expressions()).collect(),
            Event::Cohort(cohort) => cohort.starts.expressions().chain(cohort.returns.expressions()).collect(),
            Event::Process(process) => process.expressions().collect(),
        }
    }
}

impl EventRows {
    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        std::iter::once(&self.entity).chain(&self.conditions)
    }
}

impl EventColumn {
    /// Its name among the rows' columns.
    pub fn name(self) -> &'static str {
        match self {
            EventColumn::Converted => "converted",
            EventColumn::Credits => "credits",
            EventColumn::Day => "day",
            EventColumn::Entity => "entity",
            EventColumn::Step => "step",
            EventColumn::Position => "position",
            EventColumn::Reached => "reached",
            EventColumn::Before => "before",
            EventColumn::Start => "cohort",
            EventColumn::Age => "age",
            EventColumn::Active => "active",
            EventColumn::Stay => "stay",
            EventColumn::Working => "working",
            EventColumn::Waiting => "waiting",
            EventColumn::Visit => "visit",
            EventColumn::Next => "next",
        }
    }
}

impl EventValue {
    /// The type of the column.
    pub fn data_type(&self) -> DataType {
        match self.column {
            EventColumn::Converted | EventColumn::Reached | EventColumn::Before | EventColumn::Active => {
                DataType::Boolean
            }
            EventColumn::Step => DataType::Utf8,
            EventColumn::Position | EventColumn::Age | EventColumn::Credits | EventColumn::Visit => DataType::Int64,
            EventColumn::Stay | EventColumn::Working | EventColumn::Waiting => DataType::Float64,
            EventColumn::Start => DataType::Date32,
            EventColumn::Entity | EventColumn::Day | EventColumn::Next => match &self.event {
                Event::Funnel(funnel) => funnel.entity_type.clone(),
                Event::Cohort(cohort) => cohort.entity_type.clone(),
                Event::Dated(dated) => dated.data_type.clone(),
                Event::Process(process) => process.step.data_type.clone(),
                Event::Conversion(_) => DataType::Null,
            },
        }
    }
}

impl EventViewKind {
    /// The word that declares it.
    pub fn name(self) -> &'static str {
        match self {
            EventViewKind::Funnel => "funnel",
            EventViewKind::Cohort => "cohort",
        }
    }
}
