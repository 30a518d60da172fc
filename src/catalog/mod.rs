//! The resolved model: inert data with ids, no behaviour beyond lookup.
//!
//! `check` builds a [`Catalog`] from the trees of all files; everything later (planning, views, `show`) reads only this.
//!
//! Invariant: nothing in here is a string that will be parsed again, and no name is looked up again after `check`:
//! expressions hold ids ([`expr::Input`]), kinds are enum variants.

pub mod alert;
pub mod calendar;
pub mod dimension;
pub mod event;
pub mod expectation;
pub mod expr;
pub mod indicator;
pub mod modifier;
pub(crate) mod names;
pub mod path;
pub mod period;
pub mod period_start;
pub mod policy;
pub mod process;
pub mod publication;
pub mod reach;
pub mod rollup;
pub mod scenario;
pub mod size;
pub mod source;
pub mod stretch;
pub mod target;
pub mod time;
pub mod tree;
pub mod unit;
pub mod validity;
pub mod walk;
pub mod words;

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use crate::source::Span;
use alert::Alert;
use calendar::Calendar;
use dimension::Dimension;
use event::EventView;
use expectation::Expectation;
use expr::{Expression, Input};
use indicator::Indicator;
use names::Names;
use policy::{Policy, Seen};
use process::DeclaredProcess;
use publication::Publication;
use rollup::Rollup;
use scenario::Scenario;
use source::Source;
use target::{Scorecard, Target};
use tree::Tree;

/// A source, by its position in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A dimension or segment, by its position in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DimensionId(pub u32);

/// An indicator, by its position in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndicatorId(pub u32);

/// What every item tells about itself.
#[derive(Debug, Clone)]
pub struct Item {
    /// The namespace it stands in.
    pub package: String,
    /// Its name.
    pub name: String,
    /// The label without a language, if any.
    pub label: Option<String>,
    /// Labels by language tag.
    pub labels: Vec<(String, String)>,
    /// Its `///` text.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

/// A `view`: a smaller `indicators`.
#[derive(Debug, Clone)]
pub struct View {
    /// Name and labels.
    pub item: Item,
    /// Its indicators.
    pub indicators: Vec<IndicatorId>,
    /// Its dimensions.
    pub dimensions: Vec<DimensionId>,
}

/// A `hierarchy`, from coarse to fine.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    /// Name and labels.
    pub item: Item,
    /// Its levels.
    pub levels: Vec<DimensionId>,
}

/// A namespace.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name, also the SQL schema's.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Its sources, in order of declaration.
    pub sources: Vec<SourceId>,
    /// Its dimensions and segments.
    pub dimensions: Vec<DimensionId>,
    /// Its indicators.
    pub indicators: Vec<IndicatorId>,
}

/// What a name among the columns of a package stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Member {
    Dimension(DimensionId),
    Indicator(IndicatorId),
}

/// The resolved model of a project.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The namespaces, by order of first appearance.
    pub packages: Vec<Package>,
    /// The tables.
    pub sources: Vec<Source>,
    /// Dimensions and segments.
    pub dimensions: Vec<Dimension>,
    /// Indicators.
    pub indicators: Vec<Indicator>,
    /// Views.
    pub views: Vec<View>,
    /// Hierarchies.
    pub hierarchies: Vec<Hierarchy>,
    /// Funnels and cohorts.
    pub events: Vec<EventView>,
    /// Processes.
    pub processes: Vec<DeclaredProcess>,
    /// What indicators break down into.
    pub trees: Vec<Tree>,
    /// What indicators should reach.
    pub targets: Vec<Target>,
    /// Scorecards.
    pub scorecards: Vec<Scorecard>,
    /// What indicators are for.
    pub scenarios: Vec<Scenario>,
    /// What is looked out for, and who is told.
    pub alerts: Vec<Alert>,
    /// What runs write to files.
    pub publications: Vec<Publication>,
    /// What is stored to answer from.
    pub rollups: Vec<Rollup>,
    /// What must hold before runs write.
    pub expectations: Vec<Expectation>,
    /// Who may see what.
    pub policies: Vec<Policy>,
    /// Whose eyes it is seen with; `None` if all is seen.
    pub seen: Option<Seen>,
    /// The calendar of the project.
    pub calendar: Calendar,
    /// The type of `metric_time`: the common type of all time axes.
    pub metric_time: DataType,
    pub(crate) members: Names<Member>,
    pub(crate) source_names: Names<SourceId>,
}

impl Catalog {
    /// A source by id.
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// A dimension or segment by id.
    pub fn dimension(&self, id: DimensionId) -> &Dimension {
        &self.dimensions[id.0 as usize]
    }

    /// An indicator by id.
    pub fn indicator(&self, id: IndicatorId) -> &Indicator {
        &self.indicators[id.0 as usize]
    }

    /// The dimension, segment or indicator of that name in a package.
    pub fn member(&self, package: &str, name: &str) -> Option<Member> {
        self.members.get(package, name).copied()
    }

    /// The indicators that were declared as such; those of a funnel or a cohort are columns of its view only.
    pub fn declared_indicators(&self) -> impl Iterator<Item = (IndicatorId, &Indicator)> {
        let all = (0..).map(IndicatorId).zip(&self.indicators);
        all.filter(|(id, it)| self.member(&it.item.package, &it.item.name) == Some(Member::Indicator(*id)))
    }

    /// The dimensions and segments that were declared as such.
    pub fn declared_dimensions(&self) -> impl Iterator<Item = (DimensionId, &Dimension)> {
        let all = (0..).map(DimensionId).zip(&self.dimensions);
        all.filter(|(id, it)| self.member(&it.item.package, &it.item.name) == Some(Member::Dimension(*id)))
    }

    /// The funnel or cohort of that name in a package.
    pub fn event_named(&self, package: &str, name: &str) -> Option<&EventView> {
        self.events.iter().find(|event| event.item.package == package && event.item.name == name)
    }

    /// The names of a package's dimensions, segments and indicators, for suggestions.
    pub fn member_names(&self, package: &str) -> Vec<&str> {
        let Some(package) = self.package(package) else { return vec![] };
        let dimensions = package.dimensions.iter().map(|id| self.dimension(*id).item.name.as_str());
        dimensions.chain(package.indicators.iter().map(|id| self.indicator(*id).item.name.as_str())).collect()
    }

    /// The source of that name in a package.
    pub fn source_named(&self, package: &str, name: &str) -> Option<SourceId> {
        self.source_names.get(package, name).copied()
    }

    /// The type of the values of a time axis; an axis is a column or a time dimension.
    pub fn axis_type(&self, axis: &Expression) -> DataType {
        match axis.inputs.as_slice() {
            [Input::Column(column)] => self.source(column.path.target(self)).columns[column.column].data_type.clone(),
            [Input::Dimension(id, part)] => part.data_type(&self.dimension(*id).data_type, &self.calendar),
            _ => self.metric_time.clone(),
        }
    }

    /// The type of what a numbered column stands for.
    pub fn input_type(&self, input: &Input) -> DataType {
        match input {
            Input::Column(column) => self.source(column.path.target(self)).columns[column.column].data_type.clone(),
            Input::Dimension(id, part) => part.data_type(&self.dimension(*id).data_type, &self.calendar),
            Input::MetricTime(part) => part.data_type(&self.metric_time, &self.calendar),
            Input::Period(id, _) => self.calendar.period(*id).data_type.clone(),
            Input::Indicator(id, _) => self.indicator(*id).data_type.clone(),
            Input::Measure(measure) => measure.data_type.clone(),
            Input::At(at) => at.data_type.clone(),
            Input::Fold(fold) => fold.data_type.clone(),
            Input::Per(per) => per.data_type.clone(),
            Input::Event(value) => value.data_type(),
            Input::Current(input) | Input::Moved(input, _) => self.input_type(input),
        }
    }

    /// The namespace of that name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Default for Catalog {
    /// A catalog without items.
    fn default() -> Self {
        Catalog {
            packages: vec![],
            sources: vec![],
            dimensions: vec![],
            indicators: vec![],
            views: vec![],
            hierarchies: vec![],
            events: vec![],
            processes: vec![],
            trees: vec![],
            targets: vec![],
            scorecards: vec![],
            scenarios: vec![],
            alerts: vec![],
            publications: vec![],
            rollups: vec![],
            expectations: vec![],
            policies: vec![],
            seen: None,
            calendar: Calendar::default(),
            metric_time: DataType::Timestamp(TimeUnit::Nanosecond, None),
            members: Names::default(),
            source_names: Names::default(),
        }
    }
}
