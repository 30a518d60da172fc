//! Indicators as tables: a view's columns are dimensions and indicators, its rows exist only once a question groups them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::calendar::TimePart;
use crate::catalog::dimension::{Dimension, DimensionKind};
use crate::catalog::event::EventView;
use crate::catalog::expr::Input;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};

/// The metadata key under which a view's fields say what they are.
pub const KIND_KEY: &str = "bell.kind";
/// The value of [`KIND_KEY`] for indicators.
pub const KIND_INDICATOR: &str = "indicator";
/// The value of [`KIND_KEY`] for dimensions.
pub const KIND_DIMENSION: &str = "dimension";

/// `retail.indicators`, or a smaller view.
#[derive(Debug)]
pub struct IndicatorView {
    /// The model.
    pub catalog: Arc<Catalog>,
    /// `retail.indicators`, for messages.
    pub name: String,
    /// What each column stands for.
    pub inputs: Vec<Input>,
    /// Where it is that of a funnel or a cohort.
    pub(crate) event: Option<OfEvent>,
    schema: SchemaRef,
}

/// What is particular to the view of a funnel or a cohort.
#[derive(Debug)]
pub(crate) struct OfEvent {
    /// How many columns, the first ones, are its own.
    pub(crate) own: usize,
    pub(crate) extent: Extent,
}

/// Which columns a view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that there are.
    Whole,
    /// Those that a question names.
    Named,
}

impl IndicatorView {
    /// A view of these columns.
    pub fn new(catalog: Arc<Catalog>, name: impl Into<String>, columns: Vec<(String, Input)>) -> Self {
        let fields: Vec<Field> = columns.iter().map(|(name, input)| field_of(&catalog, name, input)).collect();
        let inputs = columns.into_iter().map(|(_, input)| input).collect();
        IndicatorView { catalog, name: name.into(), inputs, event: None, schema: Arc::new(Schema::new(fields)) }
    }

    /// The view of a funnel or a cohort: its own columns, and after them these dimensions to slice it by.
    pub fn of_event(
        catalog: &Arc<Catalog>,
        event: &EventView,
        dimensions: &[DimensionId],
        wanted: Option<&HashSet<String>>,
    ) -> Self {
        let own = event_columns(catalog, event);
        let name = format!("{}.{}", event.item.package, event.item.name);
        let taken: Vec<String> = own.iter().map(|(name, _)| name.clone()).collect();
        let is_wanted = |name: &String| wanted.is_none_or(|wanted| wanted.contains(name));
        let slices = slices(catalog, dimensions).into_iter();
        let slices = slices.filter(|(name, _)| !taken.contains(name) && is_wanted(name));
        let columns = own.into_iter().chain(slices).collect();
        let extent = if wanted.is_some() { Extent::Named } else { Extent::Whole };
        let event = OfEvent { own: taken.len(), extent };
        IndicatorView { event: Some(event), ..IndicatorView::new(Arc::clone(catalog), name, columns) }
    }

    /// Every dimension (with its grains and parts) and every indicator of a package.
    pub fn of_package(catalog: &Arc<Catalog>, package: &str) -> Self {
        let (dimensions, indicators) = match catalog.package(package) {
            Some(package) => (package.dimensions.clone(), package.indicators.clone()),
            None => (vec![], vec![]),
        };
        Self::of_members(catalog, format!("{package}.indicators"), &dimensions, &indicators, |_| true)
    }

    /// These dimensions (with their grains and parts), `metric_time`, and these indicators; of all that only the columns
    /// whose names are wanted.
    pub fn of_members(
        catalog: &Arc<Catalog>,
        name: String,
        dimensions: &[DimensionId],
        indicators: &[IndicatorId],
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let mut columns = slices(catalog, dimensions);
        for id in indicators {
            columns.push((catalog.indicator(*id).item.name.clone(), Input::Indicator(*id, vec![])));
        }
        columns.retain(|(column, _)| wanted(column));
        IndicatorView::new(Arc::clone(catalog), name, columns)
    }

    /// The view behind a table source, if it is one.
    pub fn behind(source: &Arc<dyn TableSource>) -> Option<Arc<dyn TableProvider>> {
        let provider = source_as_provider(source).ok()?;
        provider.downcast_ref::<IndicatorView>().is_some().then_some(provider)
    }

    /// As the planner takes it.
    pub fn into_source(self) -> Arc<dyn TableSource> {
        provider_as_source(Arc::new(self))
    }
}

/// The columns that a funnel or a cohort has of its own: dimensions, then indicators.
pub fn event_columns(catalog: &Catalog, event: &EventView) -> Vec<(String, Input)> {
    let dimensions = event.dimensions.iter();
    let dimensions =
        dimensions.map(|id| (catalog.dimension(*id).item.name.clone(), Input::Dimension(*id, TimePart::Whole)));
    let indicators = event.indicators.iter();
    let indicators = indicators.map(|id| (catalog.indicator(*id).item.name.clone(), Input::Indicator(*id, vec![])));
    dimensions.chain(indicators).collect()
}

/// Dimensions with their grains and parts, and `metric_time` with its own.
fn slices(catalog: &Catalog, dimensions: &[DimensionId]) -> Vec<(String, Input)> {
    let mut columns = Vec::new();
    for id in dimensions {
        let dimension = catalog.dimension(*id);
        let parts = parts_offered(catalog, dimension);
        let column = |part: TimePart| {
            (format!("{}{}", dimension.item.name, part.suffix(&catalog.calendar)), Input::Dimension(*id, part))
        };
        columns.extend(parts.into_iter().map(column));
    }
    for part in TimePart::offered(&catalog.metric_time, &catalog.calendar) {
        columns.push((format!("metric_time{}", part.suffix(&catalog.calendar)), Input::MetricTime(part)));
    }
    columns
}

fn parts_offered(catalog: &Catalog, dimension: &Dimension) -> Vec<TimePart> {
    match dimension.kind {
        DimensionKind::Time => TimePart::offered(&dimension.data_type, &catalog.calendar).collect(),
        DimensionKind::Category | DimensionKind::Segment => vec![TimePart::Whole],
    }
}

fn field_of(catalog: &Catalog, name: &str, input: &Input) -> Field {
    let kind = if matches!(input, Input::Indicator(..)) { KIND_INDICATOR } else { KIND_DIMENSION };
    let mut metadata = HashMap::from([(KIND_KEY.to_string(), kind.to_string())]);
    let item = match input {
        Input::Indicator(id, _) => Some(&catalog.indicator(*id).item),
        Input::Dimension(id, _) => Some(&catalog.dimension(*id).item),
        _ => None,
    };
    if let Some(label) = item.and_then(|item| item.label.clone()) {
        metadata.insert("bell.label".to_string(), label);
    }
    Field::new(name, catalog.input_type(input), true).with_metadata(metadata)
}

#[async_trait]
impl TableProvider for IndicatorView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// Only a session without our rule gets here.
    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(Diagnostic::new(
            codes::NOT_EXPANDED,
            format!("`{}` was scanned without its indicators being expanded", self.name),
        )
        .help("register Bellwether into this session with `bellwether::register`")
        .into())
    }
}

/// The view that a plan scans, if it is a scan of one.
pub(crate) fn scanned_view(
    plan: &LogicalPlan,
) -> Option<(Arc<dyn TableProvider>, &datafusion::logical_expr::TableScan)> {
    match plan {
        LogicalPlan::TableScan(scan) => IndicatorView::behind(&scan.source).map(|view| (view, scan)),
        _ => None,
    }
}
