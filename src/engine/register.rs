//! Puts a project into a session: one schema a package, the marker, the rule that expands it.

use std::any::Any;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{SessionContext, col, ident};

use super::Project;
use super::catalog_tables;
use super::changes::PlainFunction;
use super::division::IndicatorDivision;
use super::lineage::serves;
use super::run_tables::written_by;
use crate::analysis::function::FUNCTIONS;
use crate::catalog::calendar::TimePart;
use crate::catalog::event::EventView;
use crate::catalog::expr::Input;
use crate::catalog::indicator::{Additivity, Indicator};
use crate::catalog::period_start::period_start_function;
use crate::catalog::{Catalog, DimensionId, IndicatorId, Member, Package};
use crate::check::percentile::percentile_disc;
use crate::plan::digits_at_scan::DigitsAtScan;
use crate::plan::first_rows::FirstRowsBeforeLookups;
use crate::plan::narrow::NarrowDecimals;
use crate::plan::null_safe::NullSafeJoins;
use crate::plan::percentile_values::percentiles;
use crate::plan::rules::ExpandMeasures;
use crate::plan::shared_averages::SharedAverages;
use crate::plan::shared_percentiles::SharedPercentiles;
use crate::plan::view::{IndicatorView, event_columns};
use crate::plan::{
    Aspect, BellOptions, aspect_functions, digit_functions, digit_sum, measure, measure_aspect, measure_udaf,
    modifier_functions, source_rows,
};

/// Registers a project's packages, the marker `MEASURE` and the rule that expands it into a session that the caller owns.
///
/// Afterwards `ctx.sql("SELECT region, MEASURE(gmv) FROM retail.indicators GROUP BY region")` and the DataFrame API with
/// [`crate::plan::measure`] work. Called again for another project it adds that one's
/// packages; schema `bell` then describes the last project only.
///
/// # Errors
/// What DataFusion says, if the session has no catalog to put schemas into.
pub fn register(ctx: &SessionContext, catalog: &Arc<Catalog>) -> Result<()> {
    let known = ctx.state().aggregate_functions().contains_key("measure");
    if !known {
        ctx.register_udaf(measure_udaf().as_ref().clone());
        ctx.register_udaf(percentile_disc().as_ref().clone());
        aspect_functions().into_iter().for_each(|function| ctx.register_udaf(function));
        modifier_functions().into_iter().for_each(|function| ctx.register_udf(function));
        ctx.register_udaf(digit_sum().as_ref().clone());
        ctx.register_udaf(percentiles().as_ref().clone());
        ctx.register_udf(period_start_function().as_ref().clone());
        digit_functions().into_iter().for_each(|function| ctx.register_udf(function.as_ref().clone()));
        ctx.add_analyzer_rule(Arc::new(ExpandMeasures::default()));
        ctx.add_analyzer_rule(Arc::new(NullSafeJoins::default()));
        ctx.add_optimizer_rule(Arc::new(NullSafeJoins::default()));
        ctx.add_optimizer_rule(Arc::new(SharedAverages::default()));
        ctx.add_optimizer_rule(Arc::new(NarrowDecimals::default()));
        ctx.add_optimizer_rule(Arc::new(DigitsAtScan::default()));
        ctx.add_optimizer_rule(Arc::new(FirstRowsBeforeLookups::default()));
        ctx.add_optimizer_rule(Arc::new(SharedPercentiles::default()));
        let state = ctx.state_ref();
        let mut state = state.write();
        state.register_expr_planner(Arc::new(IndicatorDivision))?;
        state.config_mut().options_mut().extensions.insert(BellOptions::default());
    }
    let default = ctx.state().config_options().catalog.default_catalog.clone();
    let Some(session) = ctx.catalog(&default) else {
        return datafusion::common::plan_err!("the session has no catalog `{default}`");
    };
    for package in &catalog.packages {
        let schema = Arc::new(PackageSchema {
            catalog: Arc::clone(catalog),
            package: package.name.clone(),
            beside: session.schema(&package.name),
        });
        session.register_schema(&package.name, schema)?;
    }
    for name in FUNCTIONS {
        ctx.register_udtf(name, Arc::new(PlainFunction { name, catalog: Arc::clone(catalog) }));
    }
    session.register_schema("bell", Arc::new(catalog_tables::BellSchema::new(Arc::clone(catalog))))?;
    Ok(())
}

/// Adds `bell.runs` and `bell.restatements`.
pub(super) fn register_runs(ctx: &SessionContext, project: &Project) -> Result<()> {
    let written = written_by(project, ctx);
    let default = ctx.state().config_options().catalog.default_catalog.clone();
    if let Some(session) = ctx.catalog(&default) {
        let schema = catalog_tables::BellSchema::with_runs(Arc::clone(&project.catalog), written);
        session.register_schema("bell", Arc::new(schema))?;
    }
    Ok(())
}

/// A package as a SQL schema; tables that the schema already had (in `public`) stay in it.
#[derive(Debug)]
pub struct PackageSchema {
    catalog: Arc<Catalog>,
    package: String,
    beside: Option<Arc<dyn SchemaProvider>>,
}

impl PackageSchema {
    fn package(&self) -> Option<&Package> {
        self.catalog.package(&self.package)
    }

    /// Whether a name is an indicator view: `indicators`, or a declared view.
    pub fn has_view(&self, name: &str) -> bool {
        name == "indicators" || self.declared_view(name).is_some() || self.event(name).is_some()
    }

    /// What a column of an indicator view is.
    pub fn member_of(&self, view: &str, column: &str) -> Option<Member> {
        if view == "indicators" {
            return self.catalog.member(&self.package, column);
        }
        if let Some(event) = self.event(view) {
            let named = |id: &&IndicatorId| self.catalog.indicator(**id).item.name == column;
            return event.indicators.iter().find(named).map(|id| Member::Indicator(*id));
        }
        let view = self.declared_view(view)?;
        let named = |id: &&IndicatorId| self.catalog.indicator(**id).item.name == column;
        view.indicators.iter().find(named).map(|id| Member::Indicator(*id))
    }

    /// The names of the package's indicators and dimensions.
    pub fn members(&self) -> Vec<String> {
        let Some(package) = self.package() else { return vec![] };
        let indicators = package.indicators.iter().map(|id| &self.catalog.indicator(*id).item.name);
        let dimensions = package.dimensions.iter().map(|id| &self.catalog.dimension(*id).item.name);
        indicators.chain(dimensions).cloned().collect()
    }

    fn declared_view(&self, name: &str) -> Option<&crate::catalog::View> {
        self.catalog.views.iter().find(|view| view.item.package == self.package && view.item.name == name)
    }

    /// A view with only the columns of these names, or all; `None` for what is no indicator view.
    pub fn view(&self, name: &str, wanted: Option<&HashSet<String>>) -> Option<IndicatorView> {
        if name == "indicators" {
            return Some(match wanted {
                Some(wanted) => self.narrow(wanted),
                None => IndicatorView::of_package(&self.catalog, &self.package),
            });
        }
        if let Some(event) = self.event(name) {
            return Some(self.event_view(event, wanted));
        }
        let view = self.declared_view(name)?;
        let name = format!("{}.{name}", self.package);
        let keep = |column: &str| wanted.is_none_or(|wanted| wanted.contains(column));
        Some(IndicatorView::of_members(&self.catalog, name, &view.dimensions, &view.indicators, keep))
    }

    /// The names of the columns that a funnel or a cohort has of its own.
    pub fn own_columns(&self, name: &str) -> Option<Vec<String>> {
        let columns = event_columns(&self.catalog, self.event(name)?);
        Some(columns.into_iter().map(|(name, _)| name).collect())
    }

    fn event(&self, name: &str) -> Option<&EventView> {
        self.catalog.event_named(&self.package, name)
    }

    /// A funnel or a cohort with the package's dimensions that slice it.
    fn event_view(&self, event: &EventView, wanted: Option<&HashSet<String>>) -> IndicatorView {
        let dimensions = self.package().map(|package| package.dimensions.clone()).unwrap_or_default();
        let slices = |id: &DimensionId| serves(&self.catalog, event.event.source(), *id);
        let dimensions: Vec<DimensionId> = dimensions.into_iter().filter(slices).collect();
        IndicatorView::of_event(&self.catalog, event, &dimensions, wanted)
    }

    /// The package's view, looked up by the names that are wanted: its cost does not grow with the catalog.
    fn narrow(&self, wanted: &HashSet<String>) -> IndicatorView {
        let (mut dimensions, mut indicators) = (BTreeSet::new(), BTreeSet::new());
        for word in wanted {
            let base = TimePart::split(word, &self.catalog.calendar).map(|(base, _)| base);
            for name in std::iter::once(word.as_str()).chain(base) {
                match self.catalog.member(&self.package, name) {
                    Some(Member::Dimension(id)) => _ = dimensions.insert(id),
                    Some(Member::Indicator(id)) => _ = indicators.insert(id),
                    None => {}
                }
            }
        }
        let (dimensions, indicators) = (Vec::from_iter(dimensions), Vec::from_iter(indicators));
        let name = format!("{}.indicators", self.package);
        IndicatorView::of_members(&self.catalog, name, &dimensions, &indicators, |column| wanted.contains(column))
    }

    fn own_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(view) = self.view(name, None) {
            return Ok(Some(Arc::new(view)));
        }
        if let Some(Member::Indicator(id)) = self.catalog.member(&self.package, name) {
            return Ok(Some(as_view(indicator_plan(&self.catalog, id)?)));
        }
        match self.catalog.source_named(&self.package, name) {
            Some(id) => Ok(Some(as_view(source_rows(&self.catalog, id)?))),
            None => Ok(None),
        }
    }
}

fn as_view(plan: LogicalPlan) -> Arc<dyn TableProvider> {
    Arc::new(ViewTable::new(plan, None))
}

/// An indicator's own view: its `grain`, or one total row, and `value`.
fn indicator_plan(catalog: &Arc<Catalog>, id: IndicatorId) -> Result<LogicalPlan> {
    let indicator = catalog.indicator(id);
    let mut columns = grain_columns(catalog, indicator);
    let keys: Vec<Expr> = columns.iter().map(|(name, _)| ident(name)).collect();
    columns.push(("value".to_string(), Input::Indicator(id, vec![])));
    let mut calls = vec![measure(col("value"))];
    if has_target(catalog, id) {
        calls.extend(Aspect::ALL.map(|aspect| measure_aspect(aspect, col("value"))));
    }
    let name = format!("{}.{}", indicator.item.package, indicator.item.name);
    let view = IndicatorView::new(Arc::clone(catalog), name, columns).into_source();
    let plan = LogicalPlanBuilder::scan(TableReference::bare(indicator.item.name.as_str()), view, None)?
        .aggregate(keys.clone(), calls.clone())?;
    let outputs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let (keys, values) = outputs.split_at(keys.len());
    let names = std::iter::once("value").chain(Aspect::ALL.map(Aspect::name));
    let values = values.iter().zip(names).map(|(value, name)| value.clone().alias(name));
    plan.project(keys.iter().cloned().chain(values))?.build()
}

/// Whether a target can stand for the rows of an indicator's own view, by its grain and its slices.
fn has_target(catalog: &Catalog, id: IndicatorId) -> bool {
    let indicator = catalog.indicator(id);
    let Some(grain) = &indicator.grain else { return false };
    let Some(TimePart::Grain(time)) = grain.time else { return false };
    let adds_up = indicator.additivity == Additivity::Additive;
    catalog.targets_of(id).any(|target| {
        let period = target.every.is_some_and(|every| every == time || adds_up && every.nests_in(time));
        period && target.is_of_slices_by(&grain.by)
    })
}

fn grain_columns(catalog: &Catalog, indicator: &Indicator) -> Vec<(String, Input)> {
    let Some(grain) = &indicator.grain else { return vec![] };
    let time =
        grain.time.map(|part| (format!("metric_time{}", part.suffix(&catalog.calendar)), Input::MetricTime(part)));
    let by =
        grain.by.iter().map(|id| (catalog.dimension(*id).item.name.clone(), Input::Dimension(*id, TimePart::Whole)));
    time.into_iter().chain(by).collect()
}

#[async_trait]
impl SchemaProvider for PackageSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = vec!["indicators".to_string()];
        if let Some(package) = self.package() {
            names.extend(package.indicators.iter().map(|id| self.catalog.indicator(*id).item.name.clone()));
            names.extend(package.sources.iter().map(|id| self.catalog.source(*id).item.name.clone()));
        }
        let events = self.catalog.events.iter().filter(|event| event.item.package == self.package);
        names.extend(events.map(|event| event.item.name.clone()));
        let views = self.catalog.views.iter().filter(|view| view.item.package == self.package);
        names.extend(views.map(|view| view.item.name.clone()));
        names.extend(self.beside.iter().flat_map(|schema| schema.table_names()));
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.own_table(name)? {
            return Ok(Some(table));
        }
        match &self.beside {
            Some(schema) => schema.table(name).await,
            None => Ok(None),
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        match &self.beside {
            Some(schema) => schema.register_table(name, table),
            None => {
                datafusion::common::plan_err!("schema `{}` is a Bell package: create tables in another", self.package)
            }
        }
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match &self.beside {
            Some(schema) => schema.deregister_table(name),
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known == name)
    }
}

/// The package schema behind a schema provider, if it is one.
pub fn as_package(schema: &Arc<dyn SchemaProvider>) -> Option<&PackageSchema> {
    let any: &dyn Any = schema.as_ref();
    any.downcast_ref::<PackageSchema>()
}
