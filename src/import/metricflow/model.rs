//! Semantic models as sources: their columns, keys and joins.

use datafusion::arrow::datatypes::DataType;

use super::super::text;
use super::manifest::{Manifest, SemanticModel};
use super::tables::Tables;
use crate::catalog::calendar::is_time;

/// A semantic model whose table was found.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// Its position in the manifest.
    pub(crate) at: usize,
    /// Its name in the manifest.
    pub(crate) name: String,
    /// Its name as a source.
    pub(crate) source: String,
    /// Where its rows come from.
    pub(crate) from: String,
    /// The columns of the table, then the computed ones.
    pub(crate) columns: Vec<(String, DataType)>,
    /// Computed columns with their expressions.
    pub(crate) computed: Vec<(String, String)>,
    /// Its entities.
    pub(crate) entities: Vec<Entity>,
    /// Its dimensions.
    pub(crate) dimensions: Vec<Dimension>,
    /// The entity that its rows are, by which its dimensions are named.
    pub(crate) primary: Option<String>,
    /// The column of its default time dimension.
    pub(crate) time: Option<String>,
    /// From when to when a row is valid.
    pub(crate) validity: Option<(String, String)>,
    /// Its joins.
    pub(crate) joins: Vec<Join>,
    /// What could not be carried over.
    pub(crate) problems: Vec<String>,
}

/// An entity of a model.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) name: String,
    pub(crate) kind: EntityKind,
    pub(crate) column: String,
}

/// What an entity is for the rows of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntityKind {
    Primary,
    Unique,
    Natural,
    Foreign,
}

impl EntityKind {
    fn of(kind: &str) -> EntityKind {
        match kind {
            "primary" => EntityKind::Primary,
            "unique" => EntityKind::Unique,
            "natural" => EntityKind::Natural,
            _ => EntityKind::Foreign,
        }
    }

    /// Whether rows may join a model by its entity of that kind: each finds at most one row at a time.
    pub(crate) fn joins(self, to: EntityKind) -> bool {
        match to {
            EntityKind::Foreign => false,
            EntityKind::Natural => self != EntityKind::Natural,
            EntityKind::Primary | EntityKind::Unique => true,
        }
    }
}

/// A dimension of a model.
#[derive(Debug, Clone)]
pub(crate) struct Dimension {
    pub(crate) name: String,
    pub(crate) column: String,
    /// The grain of a time dimension.
    pub(crate) grain: Option<String>,
    pub(crate) partition: bool,
    /// Its position in the manifest.
    pub(crate) at: usize,
}

/// A join to another model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    /// The role.
    pub(crate) name: String,
    /// The entity that both share.
    pub(crate) entity: String,
    /// The other model.
    pub(crate) to: usize,
    /// Columns that are equal: a column here (of `through`, if it begins there) and one there.
    pub(crate) on: Vec<(String, String)>,
    /// Whether only the row that is valid at the time is met.
    pub(crate) valid: bool,
    /// The join that leads to the entity, where it is not this model's own.
    pub(crate) through: Option<usize>,
    /// Another join to the same model, made once more for what lies behind it: that join, and the model behind.
    pub(crate) again: Option<(usize, usize)>,
}

/// The models whose tables were found, and why others are missing.
pub(crate) fn models(manifest: &Manifest, tables: &Tables) -> (Vec<Model>, Vec<(usize, String)>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (at, model) in manifest.semantic_models.iter().enumerate() {
        let table = table_name(model);
        match tables.get(&table) {
            None => missing.push((at, format!("no file of table `{table}` was found"))),
            Some(table) => found.push(Builder::new(at, model, table.from.clone(), table.columns.clone()).build(model)),
        }
    }
    (found, missing)
}

/// The table of a model: the alias of its relation, or what `ref('…')` names.
pub(crate) fn table_name(model: &SemanticModel) -> String {
    if let Some(relation) = &model.node_relation {
        return relation.alias.clone();
    }
    let reference = model.model.as_deref().unwrap_or(&model.name);
    let quoted: Vec<&str> = reference.split(['\'', '"']).collect();
    quoted.iter().rev().nth(1).unwrap_or(&reference).to_string()
}

struct Builder {
    model: Model,
}

impl Builder {
    fn new(at: usize, model: &SemanticModel, from: String, columns: Vec<(String, DataType)>) -> Builder {
        Builder {
            model: Model {
                at,
                name: model.name.clone(),
                source: model.name.clone(),
                from,
                columns,
                computed: vec![],
                entities: vec![],
                dimensions: vec![],
                primary: None,
                time: None,
                validity: None,
                joins: vec![],
                problems: vec![],
            },
        }
    }

    fn build(mut self, model: &SemanticModel) -> Model {
        for entity in &model.entities {
            if let Some(column) = self.column(&entity.name, entity.expr.as_deref(), false) {
                let kind = EntityKind::of(&entity.kind);
                self.model.entities.push(Entity { name: entity.name.clone(), kind, column });
            }
        }
        for (at, dimension) in model.dimensions.iter().enumerate() {
            let time = dimension.kind == "time";
            let Some(column) = self.column(&dimension.name, dimension.expr.as_deref(), time) else { continue };
            let grain = time.then(|| dimension.type_params.time_granularity.clone().unwrap_or("day".to_string()));
            let (name, partition) = (dimension.name.clone(), dimension.is_partition);
            self.model.dimensions.push(Dimension { name, column, grain, partition, at });
        }
        self.model.primary = model.primary_entity.clone().or_else(|| {
            let primary = model.entities.iter().find(|entity| entity.kind == "primary");
            primary.map(|entity| entity.name.clone())
        });
        let default = model.defaults.agg_time_dimension.as_deref();
        self.model.time = default.and_then(|name| self.model.dimension(name)).map(|found| found.column.clone());
        let end = |start: bool| {
            model.dimensions.iter().find(|dimension| {
                let validity = &dimension.type_params.validity_params;
                if start { validity.is_start } else { validity.is_end }
            })
        };
        let column = |dimension: &super::manifest::Dimension| {
            self.model.dimension(&dimension.name).map(|found| found.column.clone())
        };
        self.model.validity = end(true).and_then(column).zip(end(false).and_then(column));
        self.model
    }

    /// The column of an entity or dimension: the table's, or a computed one.
    fn column(&mut self, name: &str, expr: Option<&str>, time: bool) -> Option<String> {
        let expr = expr.unwrap_or(name).trim();
        let own = text::plain_column(expr).and_then(|wanted| self.model.column_named(wanted)).cloned();
        match own {
            Some((column, data_type)) if !time || is_time(&data_type) => return Some(column),
            Some((column, _)) => {
                return Some(self.compute(name, &format!("cast({} as timestamp)", text::name(&column))));
            }
            None => {}
        }
        if text::plain_column(expr).is_some() {
            self.model.problems.push(format!("`{name}`: the table has no column `{expr}`"));
            return None;
        }
        let columns = self.model.columns.clone();
        let known = |parts: &[&str]| {
            let wanted = parts.last()?;
            let found = columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(wanted))?;
            Some(text::name(&found.0))
        };
        match text::with_names(expr, known) {
            Ok(expr) => Some(self.compute(name, &expr)),
            Err(problem) => {
                self.model.problems.push(format!("`{name}`: `{expr}` is not understood: {problem}"));
                None
            }
        }
    }

    fn compute(&mut self, name: &str, expr: &str) -> String {
        if let Some((known, _)) = self.model.computed.iter().find(|(_, known)| known == expr) {
            return known.clone();
        }
        let mut column = name.to_string();
        while self.model.column_named(&column).is_some() {
            column.push_str("_value");
        }
        self.model.columns.push((column.clone(), DataType::Null));
        self.model.computed.push((column.clone(), expr.to_string()));
        column
    }
}

impl Model {
    /// The column of that name, in either case: warehouses do not distinguish them.
    pub(crate) fn column_named(&self, name: &str) -> Option<&(String, DataType)> {
        let exact = self.columns.iter().find(|(column, _)| column == name);
        exact.or_else(|| self.columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)))
    }

    /// The dimension of that name.
    pub(crate) fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.name == name)
    }

    /// The entity of that name.
    pub(crate) fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == name)
    }

    /// The entities by which its own dimensions are named.
    pub(crate) fn own_links(&self) -> Vec<String> {
        let mut links: Vec<String> = self.primary.iter().cloned().collect();
        for entity in &self.entities {
            if entity.kind != EntityKind::Foreign && !links.contains(&entity.name) {
                links.push(entity.name.clone());
            }
        }
        links
    }

    /// The columns by which partitions of the same name are told apart, here and there.
    fn shared_partitions(&self, other: &Model) -> Vec<(String, String)> {
        let mine = self.dimensions.iter().filter(|dimension| dimension.partition);
        mine.filter_map(|dimension| {
            let theirs = other.dimension(&dimension.name).filter(|other| other.partition)?;
            Some((dimension.column.clone(), theirs.column.clone()))
        })
        .collect()
    }

    /// The columns that identify a row, for each way there is: keys are those of an entity, in each partition.
    pub(crate) fn keys(&self) -> Vec<Vec<String>> {
        let partitions = self.dimensions.iter().filter(|dimension| dimension.partition);
        let partitions: Vec<String> = partitions.map(|dimension| dimension.column.clone()).collect();
        let mut keys: Vec<Vec<String>> = Vec::new();
        let mut entities: Vec<&Entity> = self.entities.iter().collect();
        entities.sort_by_key(|entity| entity.kind != EntityKind::Primary);
        for entity in entities {
            let mut key = match (entity.kind, &self.validity) {
                (EntityKind::Foreign, _) | (EntityKind::Natural, None) => continue,
                (EntityKind::Natural, Some((start, _))) => vec![entity.column.clone(), start.clone()],
                (EntityKind::Primary | EntityKind::Unique, _) => vec![entity.column.clone()],
            };
            key.extend(partitions.iter().filter(|column| !key.contains(column)).cloned().collect::<Vec<_>>());
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn partitioned(&self) -> bool {
        self.dimensions.iter().any(|dimension| dimension.partition)
    }
}

/// Gives every model its joins: by each entity to every model that it identifies rows of.
pub(crate) fn join(models: &mut [Model], manifest: &Manifest) {
    let plain: Vec<Vec<Join>> = (0..models.len()).map(|from| joins_of(models, manifest, from)).collect();
    for (model, joins) in models.iter_mut().zip(plain) {
        model.joins = joins;
    }
    for from in 0..models.len() {
        let further = joins_through(models, from);
        models[from].joins.extend(further);
    }
}

fn joins_of(models: &[Model], manifest: &Manifest, from: usize) -> Vec<Join> {
    let mut found = Vec::new();
    for entity in &models[from].entities {
        if !is_needed(models, manifest, from, entity) {
            continue;
        }
        let to = targets(models, from, entity);
        for target in &to {
            let Some(join) = join_by(models, from, entity, *target) else { continue };
            let name = if to.len() == 1 { entity.name.clone() } else { models[*target].name.clone() };
            found.push(Join { name, ..join });
        }
    }
    distinct_names(&mut found);
    found
}

/// A model that is only joined needs no joins by the entity by which it is met: they would lead back.
fn is_needed(models: &[Model], manifest: &Manifest, from: usize, entity: &Entity) -> bool {
    let model = &manifest.semantic_models[models[from].at];
    let aggregated = manifest.metrics.iter().filter_map(|metric| metric.type_params.metric_aggregation_params.as_ref());
    if !model.measures.is_empty() || aggregated.into_iter().any(|params| params.semantic_model == model.name) {
        return true;
    }
    let others = models[from].entities.iter().filter(|other| other.name != entity.name);
    others.into_iter().any(|other| {
        let meets = |model: &Model| model.entity(&other.name).is_some_and(|near| near.kind.joins(other.kind));
        models.iter().enumerate().any(|(at, model)| at != from && meets(model))
    })
}

fn targets(models: &[Model], from: usize, entity: &Entity) -> Vec<usize> {
    let fits =
        |at: &usize| *at != from && models[*at].entity(&entity.name).is_some_and(|far| entity.kind.joins(far.kind));
    (0..models.len()).filter(fits).collect()
}

/// The join of an entity, if each row meets at most one.
fn join_by(models: &[Model], from: usize, entity: &Entity, to: usize) -> Option<Join> {
    let (near, far) = (&models[from], &models[to]);
    let other = far.entity(&entity.name)?;
    let mut on = vec![(entity.column.clone(), other.column.clone())];
    on.extend(near.shared_partitions(far));
    let valid = other.kind == EntityKind::Natural;
    let unique = if valid { far.validity.is_some() } else { !far.partitioned() || on.len() > 1 };
    unique.then(|| Join { name: String::new(), entity: entity.name.clone(), to, on, valid, through: None, again: None })
}

/// Where the key of a model is none, MetricFlow joins it anew for each further model behind it, so that rows multiply.
/// Gives every model these joins, for the models `repeating` with the columns by which they are met.
pub(crate) fn join_again(models: &mut [Model], repeating: &[(usize, Vec<String>)]) {
    for from in 0..models.len() {
        let mut again = Vec::new();
        for (at, first) in models[from].joins.iter().enumerate() {
            let met: Vec<String> = first.on.iter().map(|(_, there)| there.clone()).collect();
            if first.through.is_some() || !repeating.contains(&(first.to, met)) {
                continue;
            }
            let mut behind: Vec<usize> = Vec::new();
            for join in models[first.to].joins.iter().filter(|join| join.entity != first.entity && join.to != from) {
                if !behind.contains(&join.to) {
                    behind.push(join.to);
                }
            }
            for to in behind.into_iter().skip(1) {
                let name = format!("{}_{}", first.name, models[to].name);
                again.push(Join { name, again: Some((at, to)), ..first.clone() });
            }
        }
        models[from].joins.extend(again);
    }
}

/// Joins over another model's entity that need this model's own partitions.
fn joins_through(models: &[Model], from: usize) -> Vec<Join> {
    let mut found = Vec::new();
    for (at, first) in models[from].joins.iter().enumerate() {
        let middle = &models[first.to];
        for entity in middle.entities.iter().filter(|entity| entity.name != first.entity) {
            for to in targets(models, first.to, entity) {
                if to == from || !needs_own(models, from, first.to, to) {
                    continue;
                }
                // Partitions are compared with this model's own.
                let Some(other) = models[to].entity(&entity.name) else { continue };
                let valid = other.kind == EntityKind::Natural;
                let mut on = vec![(entity.column.clone(), other.column.clone())];
                on.extend(models[from].shared_partitions(&models[to]));
                let name = format!("{}_{}", first.name, models[to].name);
                found.push(Join { name, entity: entity.name.clone(), to, on, valid, through: Some(at), again: None });
            }
        }
    }
    found
}

/// Whether the row that is met depends on a partition that the model in between does not have.
pub(crate) fn needs_own(models: &[Model], from: usize, middle: usize, to: usize) -> bool {
    let partitions = |at: usize| models[at].shared_partitions(&models[to]).len();
    partitions(middle) == 0 && partitions(from) > 0
}

fn distinct_names(joins: &mut [Join]) {
    for at in 1..joins.len() {
        if joins[..at].iter().any(|join| join.name == joins[at].name) {
            joins[at].name = format!("{}_{}", joins[at].entity, joins[at].name);
        }
    }
}
