//! MetricFlow: a dbt semantic manifest becomes a project.
//!
//! A semantic model becomes a source, an entity that two models share a join, a linked name
//! (`listing__country_latest`) a dimension, a metric an indicator of its name. [`manifest`] reads, `model` and `links`
//! find out what joins what, `sources`, `metrics` and `saved` write the items.

mod aggregates;
mod links;
pub mod manifest;
mod metrics;
mod model;
mod names;
mod running;
mod saved;
mod sources;
mod tables;
pub mod template;
pub mod yaml;

use std::collections::HashSet;
use std::path::Path;

use datafusion::prelude::SessionContext;

use super::draft::{File, Item, Refused, write};
use super::report::{Entry, Fidelity, Kind, Report};
use crate::error::{Error, Result};
use links::{Element, Link, Way};
use manifest::{ConstantProperty, Manifest, Metric, MetricInput, TimeSpine};
use model::Model;
pub use names::{Name, fineness, is_date_part};
use tables::Tables;

/// A manifest whose names are understood.
pub struct Semantics {
    /// What was read.
    pub manifest: Manifest,
    models: Vec<Model>,
    missing: Vec<(usize, String)>,
    links: Vec<Link>,
    ambiguous: Vec<String>,
    spines: Vec<Spine>,
    /// Custom grains: their names there and here.
    custom_grains: Vec<(String, String)>,
    tables: Tables,
}

/// A time spine as a source.
struct Spine {
    source: String,
    from: String,
    column: String,
    grain: String,
    customs: Vec<(String, String)>,
    calendar: String,
}

/// Imports a manifest (a JSON file, a YAML file, or a folder of YAML files) whose tables lie in `data` into a project.
///
/// # Errors
/// [`Error::Io`] and [`Error::Data`] if the manifest cannot be read, none of its tables is there, or `project` holds
/// a project already.
pub async fn import(path: &Path, data: &Path, project: &Path, ctx: &SessionContext) -> Result<(Semantics, Report)> {
    super::refuse_existing(project)?;
    let semantics = Semantics::read(path, data, project, ctx).await?;
    let mut draft = Draft { files: vec![], report: Report::default() };
    semantics.draft(&mut draft);
    let Draft { files, mut report } = draft;
    let (written, refused) = write(project, files, ctx).await?;
    report.files = written;
    for refused in refused {
        settle(&mut report, &refused);
    }
    Ok((semantics, report))
}

/// The models behind which there are several others, and whose key is none: with the columns by which they are met.
async fn repeating(
    models: &[Model],
    tables: &Tables,
    manifest: &Manifest,
    ctx: &SessionContext,
) -> Result<Vec<(usize, Vec<String>)>> {
    let mut met: Vec<(usize, Vec<String>)> = Vec::new();
    for join in models.iter().flat_map(|model| &model.joins) {
        let columns = join.on.iter().map(|(_, there)| there.clone()).collect();
        let several = models[join.to].joins.len() > 1 && !join.valid && !met.contains(&(join.to, columns));
        if several {
            met.push((join.to, join.on.iter().map(|(_, there)| there.clone()).collect()));
        }
    }
    let mut found = Vec::new();
    for (to, columns) in met {
        let own = columns.iter().all(|column| models[to].computed.iter().all(|(computed, _)| computed != column));
        let table = tables.get(&model::table_name(&manifest.semantic_models[models[to].at])).filter(|_| own);
        let repeats = match table {
            Some(table) => table.repeats(&columns, ctx).await?,
            None => false,
        };
        if repeats {
            found.push((to, columns));
        }
    }
    Ok(found)
}

/// Deeper than any metric is made of others: a circle is refused when the project is checked.
const DEEP: usize = 32;

/// The metrics that a metric is made of; of a conversion its base.
fn inputs_of(metric: &Metric) -> impl Iterator<Item = &manifest::MetricInput> {
    let params = &metric.type_params;
    let base = params.conversion_type_params.as_ref().and_then(|conversion| conversion.base_metric.as_ref());
    let sides = params.numerator.iter().chain(&params.denominator);
    params.metrics.iter().chain(sides).chain(&params.cumulative_type_params.metric).chain(base)
}

/// The text of a project in the making, and what it holds.
struct Draft {
    files: Vec<File>,
    report: Report,
}

impl Draft {
    fn entry(&mut self, entry: Entry) -> usize {
        self.report.entries.push(entry);
        self.report.entries.len() - 1
    }
}

/// What the checker refused is not there; where only a part of it was, it is approximated.
fn settle(report: &mut Report, refused: &Refused) {
    for at in &refused.entries {
        let entry = &mut report.entries[*at];
        if refused.whole {
            entry.drop(&refused.reason);
        } else if entry.bell.is_some() {
            entry.fidelity = Fidelity::Approximated;
            entry.notes.push(format!("in part: {}", refused.reason));
        }
    }
}

impl Semantics {
    async fn read(path: &Path, data: &Path, project: &Path, ctx: &SessionContext) -> Result<Semantics> {
        let manifest = yaml::read(path)?;
        let spines = manifest.project_configuration.time_spines.iter().map(|spine| spine.node_relation.alias.clone());
        let names: Vec<String> = manifest.semantic_models.iter().map(model::table_name).chain(spines).collect();
        let names: Vec<String> = names.iter().cloned().collect::<HashSet<_>>().into_iter().collect();
        let tables = tables::read(data, project, &names, ctx).await;
        if tables.is_empty() {
            return Err(Error::Data(format!("{}: none of the manifest's tables is there", data.display())));
        }
        let (mut models, missing) = model::models(&manifest, &tables);
        let mut taken: HashSet<&str> = manifest.metrics.iter().map(|metric| metric.name.as_str()).collect();
        taken.extend(["indicators", "metric_time"]);
        for model in &mut models {
            // Sources and indicators are tables of one SQL schema.
            if taken.contains(model.source.as_str()) {
                model.source.push_str("_source");
            }
        }
        model::join(&mut models, &manifest);
        let repeating = repeating(&models, &tables, &manifest, ctx).await?;
        model::join_again(&mut models, &repeating);
        let (links, ambiguous) = links::links(&models);
        let mut read =
            Semantics { manifest, models, missing, links, ambiguous, spines: vec![], custom_grains: vec![], tables };
        read.equate_properties();
        read.find_spines();
        Ok(read)
    }

    /// Conversions say that two properties are one: they become one dimension.
    fn equate_properties(&mut self) {
        let conversions = self.manifest.metrics.iter().filter_map(|metric| {
            let params = metric.type_params.conversion_type_params.as_ref()?;
            let model = |metric: Option<&manifest::MetricInput>, measure: Option<&manifest::MeasureInput>| {
                let found = metric.and_then(|input| self.manifest.metrics.iter().find(|m| m.name == input.name));
                match found {
                    Some(metric) => self.aggregate(metric).ok().map(|aggregate| aggregate.model),
                    None => self.measure(&measure?.name).ok().map(|aggregate| aggregate.model),
                }
            };
            Some((model(params.conversion_metric.as_ref(), params.conversion_measure.as_ref())?, params))
        });
        let mut ways = Vec::new();
        for (to, params) in conversions {
            for property in &params.constant_properties {
                if property.base_property == property.conversion_property {
                    continue;
                }
                let (name, model) = (self.property_name(property), &self.models[to]);
                let wanted = &property.conversion_property;
                let column = model.entity(wanted).map(|entity| &entity.column);
                let column = column.or(model.dimension(wanted).map(|dimension| &dimension.column));
                ways.extend(column.map(|column| (name, Way { from: to, path: vec![], column: column.clone() })));
            }
        }
        for (name, way) in ways {
            let link = self.links.iter_mut().find(|link| link.name == name);
            if let Some(link) = link.filter(|link| link.ways.iter().all(|known| known.from != way.from)) {
                link.ways.push(way);
            }
        }
    }

    /// The linked name of a property of a conversion's base.
    fn property_name(&self, property: &ConstantProperty) -> String {
        let wanted = &property.base_property;
        let suffix = format!("__{wanted}");
        let exact = self.links.iter().find(|link| link.name == *wanted);
        let found = exact.or_else(|| self.links.iter().find(|link| link.name.ends_with(&suffix)));
        found.map_or(wanted, |link| &link.name).clone()
    }

    fn find_spines(&mut self) {
        for spine in &self.manifest.project_configuration.time_spines {
            let Some(table) = self.tables.get(&spine.node_relation.alias) else { continue };
            let customs: Vec<(String, String)> = spine
                .custom_granularities
                .iter()
                .map(|custom| (custom.name.clone(), custom.column_name.clone().unwrap_or(custom.name.clone())))
                .collect();
            let grain = &spine.primary_column.time_granularity;
            let known = |name: &str| self.spines.iter().any(|other: &Spine| other.calendar == name);
            let mut calendar = if grain == "day" { "spine".to_string() } else { format!("spine_{grain}") };
            while known(&calendar) {
                calendar.push('_');
            }
            for (name, _) in &customs {
                self.custom_grains.push((name.clone(), format!("{calendar}_{name}")));
            }
            let taken = |name: &str| {
                self.models.iter().any(|model| model.source == name)
                    || self.manifest.metrics.iter().any(|metric| metric.name == name)
            };
            let alias = &spine.node_relation.alias;
            self.spines.push(Spine {
                source: if taken(alias) { format!("{alias}_spine") } else { alias.clone() },
                from: table.from.clone(),
                column: spine.primary_column.name.clone(),
                grain: spine.primary_column.time_granularity.clone(),
                customs,
                calendar,
            });
        }
    }

    fn model_named(&self, name: &str) -> std::result::Result<usize, String> {
        let found = self.models.iter().position(|model| model.name == name);
        found.ok_or_else(|| {
            let missing = self.missing.iter().find(|(at, _)| self.manifest.semantic_models[*at].name == name);
            missing.map_or(format!("there is no semantic model `{name}`"), |(_, why)| format!("`{name}`: {why}"))
        })
    }

    /// A metric's name in Bell. A dimension never takes it, so it is kept.
    fn bell_metric<'n>(&self, name: &'n str) -> &'n str {
        name
    }

    /// A linked name in Bell: indicators keep theirs.
    fn bell_name<'l>(&self, link: &'l Link) -> &'l str {
        &link.name
    }

    /// The link that a name means for metrics over these models: the shortest that all of them reach.
    fn link(&self, models: &[usize], name: &str) -> std::result::Result<&Link, String> {
        let reached = |link: &&Link| models.iter().all(|model| link.ways.iter().any(|way| way.from == *model));
        let exact = self.links.iter().find(|link| link.name == name);
        if let Some(link) = exact.filter(|link| reached(link)) {
            return Ok(link);
        }
        let suffix = format!("__{name}");
        let mut longer: Vec<&Link> =
            self.links.iter().filter(|link| link.name.ends_with(&suffix)).filter(reached).collect();
        longer.sort_by_key(|link| link.name.matches("__").count());
        let local = name.split_once("__").and_then(|(_, entity)| {
            // An entity of a model itself may be written with the model's own entity before it.
            self.links.iter().find(|link| link.name == entity && matches!(link.element, Element::Entity { .. }))
        });
        longer.first().copied().or(local.filter(|link| reached(link))).or(exact).ok_or_else(|| {
            let near = crate::diagnostic::nearest(name, self.links.iter().map(|link| link.name.as_str()));
            match near {
                Some(near) => format!("there is no `{name}` for it; there is `{near}`"),
                None => format!("there is no `{name}` for it"),
            }
        })
    }

    fn grain_of(&self, link: &Link) -> Option<String> {
        match link.element {
            Element::Dimension { model, at } => {
                self.models[model].dimensions.iter().find(|dimension| dimension.at == at)?.grain.clone()
            }
            Element::Entity { .. } => None,
        }
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        self.manifest.metrics.iter().find(|metric| metric.name == name)
    }

    /// The simple metrics (and measures) that a metric comes down to, as models and grains of their times.
    fn leaves(&self, name: &str, depth: usize) -> Vec<(usize, String)> {
        let Some(metric) = self.metric(name).filter(|_| depth < DEEP) else { return vec![] };
        let params = &metric.type_params;
        let leaf = |aggregate: std::result::Result<aggregates::Aggregate, String>| {
            aggregate.ok().map(|aggregate| (aggregate.model, self.time_grain(&aggregate)))
        };
        if metric.kind == "simple" {
            return leaf(self.aggregate(metric)).into_iter().collect();
        }
        let conversion = params.conversion_type_params.as_ref();
        let mut found: Vec<(usize, String)> =
            inputs_of(metric).flat_map(|input| self.leaves(&input.name, depth + 1)).collect();
        if found.is_empty() {
            let base = conversion.and_then(|conversion| conversion.base_measure.as_ref());
            found.extend(params.measure.as_ref().or(base).and_then(|measure| leaf(self.measure(&measure.name))));
        }
        found
    }

    fn models_of(&self, metrics: &[String]) -> Vec<usize> {
        let mut found: Vec<usize> = metrics.iter().flat_map(|name| self.leaves(name, 0)).map(|(at, _)| at).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The grains of the times of what a metric comes down to.
    pub fn grains_of(&self, metric: &str) -> Vec<String> {
        self.leaves(metric, 0).into_iter().map(|(_, grain)| grain).collect()
    }

    /// The grain of `metric_time` where none is asked for: the coarsest that any of the metrics has.
    pub fn default_grain(&self, metrics: &[String]) -> String {
        let of = |name: &String| match self.metric(name).and_then(|metric| metric.time_granularity.clone()) {
            Some(grain) => vec![grain],
            None => {
                let day = |grain: String| if fineness(&grain) < fineness("day") { "day".to_string() } else { grain };
                self.grains_of(name).into_iter().map(day).collect()
            }
        };
        let grains = metrics.iter().flat_map(of);
        grains.max_by_key(|grain| fineness(grain)).unwrap_or("day".to_string())
    }

    /// A metric that has a value wherever the rows are whose values these names are: it shows all of them.
    pub fn metric_over(&self, names: &[Name]) -> Option<&str> {
        let homes_of = |name: &Name| {
            let base = self.split(&name.plain).base;
            let link = self.links.iter().find(|link| link.name == base);
            let identified = |at: &usize| self.models[*at].primary.as_deref() == Some(base);
            match link.map(|link| link.element) {
                Some(Element::Dimension { model, .. }) => vec![model],
                Some(Element::Entity { .. }) => (0..self.models.len()).filter(identified).collect(),
                None => vec![],
            }
        };
        let homes: Vec<usize> = names.iter().flat_map(homes_of).collect();
        let plain = |metric: &&Metric| {
            let params = &metric.type_params;
            let filtered =
                !metric.filter.is_empty() || params.measure.as_ref().is_some_and(|own| !own.filter.is_empty());
            let filled = params.join_to_timespine || params.measure.as_ref().is_some_and(|own| own.join_to_timespine);
            metric.kind == "simple" && !filtered && !filled
        };
        let mut metrics = self.manifest.metrics.iter().filter(plain);
        let found = metrics.find(|metric| self.leaves(&metric.name, 0).iter().any(|(model, _)| homes.contains(model)));
        found.map(|metric| metric.name.as_str())
    }

    /// The offsets of a metric that is nothing but an earlier value of a cumulative one, the outermost first. A time
    /// constraint of MetricFlow's limits the cumulative metric, too, before it is offset.
    pub fn offsets_of_cumulative(&self, name: &str) -> Vec<MetricInput> {
        let (mut offsets, mut name) = (Vec::new(), name);
        while let Some(metric) = self.metric(name).filter(|_| offsets.len() < DEEP) {
            match (metric.kind.as_str(), metric.type_params.metrics.as_slice()) {
                ("cumulative", _) => return offsets,
                ("derived", [only]) => {
                    offsets.push(only.clone());
                    name = &only.name;
                }
                _ => return vec![],
            }
        }
        vec![]
    }

    /// The source and column of the time spine that has this grain: the coarsest that is fine enough.
    pub fn spine(&self, grain: &str) -> Option<(&str, &str)> {
        let custom = |spine: &&Spine| spine.customs.iter().any(|(name, _)| name == grain);
        let fits = self.spines.iter().filter(|spine| fineness(&spine.grain) <= fineness(grain));
        let found = self.spines.iter().find(custom).or(fits.max_by_key(|spine| fineness(&spine.grain)))?;
        Some((&found.source, &found.column))
    }

    fn draft(&self, draft: &mut Draft) {
        let from = "Imported from a dbt semantic manifest.".to_string();
        let mut files: Vec<File> = self
            .models
            .iter()
            .map(|model| File { name: model.source.clone(), head: vec![from.clone()], items: vec![] })
            .collect();
        self.draft_models(&mut files, draft);
        self.draft_dimensions(&mut files, draft);
        let metrics = File { name: "metrics".to_string(), head: vec![from.clone()], items: self.draft_metrics(draft) };
        let spines =
            File { name: "time_spines".to_string(), head: vec![from.clone()], items: self.draft_spines(draft) };
        let saved = File { name: "saved_queries".to_string(), head: vec![from], items: self.draft_saved(draft) };
        files.extend([metrics, spines, saved].into_iter().filter(|file| !file.items.is_empty()));
        draft.files = files;
    }

    fn draft_models(&self, files: &mut [File], draft: &mut Draft) {
        for (at, why) in &self.missing {
            let model = &self.manifest.semantic_models[*at];
            draft.entry(Entry::missing(Kind::SemanticModel, &model.name, why));
            let elements = model.entities.iter().map(|entity| (Kind::Entity, &entity.name));
            let dimensions = model.dimensions.iter().map(|dimension| (Kind::Dimension, &dimension.name));
            for (kind, name) in elements.chain(dimensions) {
                draft.entry(Entry::missing(kind, format!("{}.{name}", model.name), why));
            }
        }
        for (at, model) in self.models.iter().enumerate() {
            let notes: Vec<String> =
                self.ambiguous.iter().filter(|note| note.contains(&format!("`{}`", model.name))).cloned().collect();
            let entry = draft.entry(Entry::imported(Kind::SemanticModel, &model.name, &model.source, notes));
            files[at].items.push(sources::source(&self.models, at, &self.manifest, vec![entry]));
        }
    }

    fn draft_dimensions(&self, files: &mut [File], draft: &mut Draft) {
        for (at, model) in self.models.iter().enumerate() {
            let declared = &self.manifest.semantic_models[model.at];
            for entity in &declared.entities {
                self.draft_element(at, &entity.name, Kind::Entity, draft);
            }
            for dimension in &declared.dimensions {
                self.draft_element(at, &dimension.name, Kind::Dimension, draft);
            }
        }
        for link in &self.links {
            let entries = self.entries_of(link, draft);
            let item = sources::dimension(&self.models, link, self.bell_name(link), &self.manifest, entries);
            files[self.home_of(link)].items.push(item);
        }
    }

    /// The model in whose file a dimension stands: an entity's is the one whose rows it identifies.
    fn home_of(&self, link: &Link) -> usize {
        let primary = |model: &&Model| model.primary.as_ref() == Some(&link.name) && model.entity(&link.name).is_some();
        let named = self.models.iter().position(|model| primary(&model));
        named.unwrap_or(link.element.model())
    }

    fn draft_element(&self, model: usize, name: &str, kind: Kind, draft: &mut Draft) {
        let model = &self.models[model];
        let full = format!("{}.{name}", model.name);
        let there = model.entity(name).is_some() || model.dimension(name).is_some();
        if !there {
            let why = model.problems.iter().find(|problem| problem.starts_with(&format!("`{name}`")));
            let why = why.map_or("its column was not found", |why| why.as_str());
            draft.entry(Entry::missing(kind, full, why));
            return;
        }
        let bell = match (kind, model.own_links().first()) {
            (Kind::Dimension, Some(primary)) => format!("{primary}__{name}"),
            _ => name.to_string(),
        };
        draft.entry(Entry::imported(kind, full, bell, vec![]));
    }

    /// The entries of the report that a dimension stands for.
    fn entries_of(&self, link: &Link, draft: &Draft) -> Vec<usize> {
        let entries = draft.report.entries.iter().enumerate();
        let same = entries.filter(|(_, entry)| {
            matches!(entry.kind, Kind::Entity | Kind::Dimension) && entry.bell.as_deref() == Some(&link.name)
        });
        same.map(|(at, _)| at).collect()
    }

    fn draft_metrics(&self, draft: &mut Draft) -> Vec<Item> {
        let mut items = Vec::new();
        for metric in &self.manifest.metrics {
            let at = draft.report.entries.len();
            match self.indicator(metric, vec![at]) {
                Ok((own, notes)) => {
                    draft.entry(Entry::imported(Kind::Metric, &metric.name, &metric.name, notes));
                    items.extend(own);
                }
                Err(why) => {
                    draft.entry(Entry::missing(Kind::Metric, &metric.name, why));
                }
            }
        }
        self.spread(draft);
        items
    }

    /// What is made of something approximated is approximated.
    fn spread(&self, draft: &mut Draft) {
        let metrics = || self.manifest.metrics.iter();
        // Each round reaches one step further.
        for _ in metrics().take(DEEP) {
            let doubtful = |name: &str, draft: &Draft| {
                let mut entries = draft.report.entries.iter().filter(|entry| entry.kind == Kind::Metric);
                entries.any(|entry| entry.name == name && entry.fidelity == Fidelity::Approximated)
            };
            for metric in metrics() {
                let Some(input) = inputs_of(metric).find(|input| doubtful(&input.name, draft)) else { continue };
                let mut entries = draft.report.entries.iter_mut().filter(|entry| entry.kind == Kind::Metric);
                let own = entries.find(|entry| entry.name == metric.name && entry.fidelity == Fidelity::Exact);
                if let Some(entry) = own {
                    entry.fidelity = Fidelity::Approximated;
                    entry.notes.push(format!("made of `{}`", input.name));
                }
            }
        }
    }

    fn draft_spines(&self, draft: &mut Draft) -> Vec<Item> {
        let mut items = Vec::new();
        for declared in &self.manifest.project_configuration.time_spines {
            let spine = self.spines.iter().find(|spine| self.is_of(spine, declared));
            let name = &declared.node_relation.alias;
            match spine {
                None => {
                    draft.entry(Entry::missing(Kind::TimeSpine, name, "no file of its table was found"));
                }
                Some(spine) => {
                    let entry = draft.entry(Entry::imported(Kind::TimeSpine, name, &spine.source, vec![]));
                    let customs = spine.customs.iter().map(|(grain, _)| {
                        let bell = self.bell_grain(grain);
                        let note = format!("it is called `{bell}`: grains of a calendar begin with its name");
                        draft.entry(Entry::exact(Kind::CustomGranularity, grain, bell, vec![note]))
                    });
                    let customs = customs.collect();
                    items.extend(saved::spine(spine, entry, customs));
                }
            }
        }
        items
    }

    fn is_of(&self, spine: &Spine, declared: &TimeSpine) -> bool {
        let table = self.tables.get(&declared.node_relation.alias);
        table.is_some_and(|table| table.from == spine.from) && spine.grain == declared.primary_column.time_granularity
    }
}
