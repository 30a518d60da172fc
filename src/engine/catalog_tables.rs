//! The catalog itself as tables in schema `bell`: what indicators, dimensions, sources and views there are, and what
//! they are made of.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::Result;

use super::quality_tables::QualityTable;
use super::run_tables::{RunTable, Written};
use super::{mapping_tables, target_tables};
use crate::analysis::arithmetic::operation_name;
use crate::catalog::dimension::DimensionKind;
use crate::catalog::indicator::Direction;
use crate::catalog::tree::Identity;
use crate::catalog::{Catalog, Item};
use crate::engine::lineage::{dimensions_of, lineage_of, lineage_of_event};

/// Schema `bell`.
#[derive(Debug)]
pub struct BellSchema {
    catalog: Arc<Catalog>,
    /// The folders that runs write to, where the session knows them.
    written: Vec<Written>,
    /// Tables that a program puts beside them.
    beside: RwLock<HashMap<String, Arc<dyn TableProvider>>>,
}

const TABLES: &[&str] = &[
    "indicators",
    "dimensions",
    "indicator_dimensions",
    "lineage",
    "sources",
    "columns",
    "views",
    "events",
    "tree",
    "targets",
    "scorecards",
    "scenarios",
    "scenario_indicators",
    "scenario_processes",
    "processes",
    "alerts",
    "publications",
    "rollups",
    "policies",
    "owners",
    "audit",
];

impl BellSchema {
    /// The tables of a catalog; they are made when they are asked for.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        BellSchema { catalog, written: vec![], beside: RwLock::default() }
    }

    /// With the folders that runs write to.
    pub fn with_runs(catalog: Arc<Catalog>, written: Vec<Written>) -> Self {
        BellSchema { catalog, written, beside: RwLock::default() }
    }

    fn beside(&self) -> RwLockReadGuard<'_, HashMap<String, Arc<dyn TableProvider>>> {
        self.beside.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, name: &str) -> Option<Table> {
        let catalog = &self.catalog;
        Some(match name {
            "indicators" => indicators(catalog),
            "dimensions" => dimensions(catalog),
            "indicator_dimensions" => indicator_dimensions(catalog),
            "lineage" => lineage(catalog),
            "sources" => sources(catalog),
            "columns" => columns(catalog),
            "views" => views(catalog),
            "events" => events(catalog),
            "tree" => tree(catalog),
            "targets" => target_tables::targets(catalog),
            "scorecards" => target_tables::scorecards(catalog),
            "scenarios" => mapping_tables::scenarios(catalog),
            "scenario_indicators" => mapping_tables::scenario_indicators(catalog),
            "scenario_processes" => mapping_tables::scenario_processes(catalog),
            "processes" => mapping_tables::processes(catalog),
            "alerts" => mapping_tables::alerts(catalog),
            "publications" => mapping_tables::publications(catalog),
            "rollups" => mapping_tables::rollups(catalog),
            "policies" => mapping_tables::policies(catalog),
            "owners" => mapping_tables::owners(catalog),
            "audit" => mapping_tables::findings(catalog),
            _ => return None,
        })
    }
}

#[async_trait]
impl SchemaProvider for BellSchema {
    fn table_names(&self) -> Vec<String> {
        let runs = RunTable::NAMES.iter().filter(|_| !self.written.is_empty());
        let own = TABLES.iter().chain(QualityTable::NAMES).chain(runs).map(ToString::to_string);
        own.chain(self.beside().keys().cloned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.beside().get(name) {
            return Ok(Some(Arc::clone(table)));
        }
        match self.build(name) {
            Some(table) => Ok(Some(table.provider()?)),
            None if QualityTable::NAMES.contains(&name) => QualityTable::named(name, &self.catalog, &self.written),
            None if self.written.is_empty() => Ok(None),
            None => Ok(RunTable::named(name, &self.written)?),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        let always = TABLES.contains(&name) || QualityTable::NAMES.contains(&name);
        always || !self.written.is_empty() && RunTable::NAMES.contains(&name) || self.beside().contains_key(name)
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.table_exist(&name) {
            return datafusion::common::plan_err!("schema `bell` has a table `{name}` of its own");
        }
        let mut beside = self.beside.write().unwrap_or_else(PoisonError::into_inner);
        Ok(beside.insert(name, table))
    }
}

/// Rows of texts, flags and numbers under names.
pub(super) struct Table {
    pub(super) names: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A value; all of a column are of one kind.
pub(super) enum Cell {
    Text(Option<String>),
    Flag(bool),
    Number(Option<f64>),
}

pub(super) fn number(value: Option<f64>) -> Cell {
    Cell::Number(value)
}

pub(super) fn text(value: impl Into<String>) -> Cell {
    Cell::Text(Some(value.into()))
}

impl Table {
    fn provider(self) -> Result<Arc<dyn TableProvider>> {
        let columns: Vec<ArrayRef> = (0..self.names.len()).map(|at| self.column(at)).collect();
        let fields: Vec<Field> = self
            .names
            .iter()
            .zip(&columns)
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn column(&self, at: usize) -> ArrayRef {
        let flags = matches!(self.rows.first().map(|row| &row[at]), Some(Cell::Flag(_)));
        let cells = self.rows.iter().map(|row| &row[at]);
        if flags {
            let value = |cell: &Cell| matches!(cell, Cell::Flag(true));
            return Arc::new(BooleanArray::from_iter(cells.map(|cell| Some(value(cell)))));
        }
        if matches!(self.rows.first().map(|row| &row[at]), Some(Cell::Number(_))) {
            let value = |cell: &Cell| if let Cell::Number(number) = cell { *number } else { None };
            return Arc::new(Float64Array::from_iter(cells.map(value)));
        }
        Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Flag(flag) => Some(flag.to_string()),
            Cell::Number(number) => number.map(|number| number.to_string()),
        })))
    }
}

/// package, name, label, description.
pub(super) fn named(item: &Item) -> Vec<Cell> {
    vec![text(&item.package), text(&item.name), Cell::Text(item.label.clone()), Cell::Text(item.description.clone())]
}

fn indicators(catalog: &Catalog) -> Table {
    let rows = catalog.declared_indicators().map(|(_, indicator)| {
        let mut row = named(&indicator.item);
        row.push(text(collapsed(&indicator.definition_text)));
        row.push(Cell::Text(indicator.unit.as_ref().map(ToString::to_string)));
        row.push(Cell::Text(indicator.good.map(|good| match good {
            Direction::Up => "up".to_string(),
            Direction::Down => "down".to_string(),
        })));
        row.push(Cell::Text(indicator.item.owner.clone()));
        row.push(text(indicator.additivity.to_string()));
        row.push(text(indicator.data_type.to_string()));
        row
    });
    Table {
        names: vec![
            "package",
            "name",
            "label",
            "description",
            "definition",
            "unit",
            "good",
            "owner",
            "additivity",
            "data_type",
        ],
        rows: rows.collect(),
    }
}

/// A definition on one line.
pub(crate) fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn dimensions(catalog: &Catalog) -> Table {
    let rows = catalog.declared_dimensions().map(|(_, dimension)| {
        let mut row = named(&dimension.item);
        row.push(text(match dimension.kind {
            DimensionKind::Category => "category",
            DimensionKind::Time => "time",
            DimensionKind::Segment => "segment",
        }));
        row.push(text(dimension.data_type.to_string()));
        row.push(Cell::Text(dimension.item.owner.clone()));
        row
    });
    Table { names: vec!["package", "name", "label", "description", "kind", "data_type", "owner"], rows: rows.collect() }
}

fn indicator_dimensions(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for (id, indicator) in catalog.declared_indicators() {
        for dimension in dimensions_of(catalog, id) {
            let dimension = &catalog.dimension(dimension).item;
            let (package, name) = (&indicator.item.package, &indicator.item.name);
            rows.push(vec![text(package), text(name), text(&dimension.package), text(&dimension.name)]);
        }
    }
    Table { names: vec!["package", "indicator", "dimension_package", "dimension"], rows }
}

fn lineage(catalog: &Catalog) -> Table {
    let indicators = catalog.declared_indicators().map(|(id, it)| (&it.item, lineage_of(catalog, id)));
    let events = catalog.events.iter().map(|event| (&event.item, lineage_of_event(catalog, event)));
    let mut rows = Vec::new();
    for (item, read) in indicators.chain(events) {
        for (source, column) in read {
            let source = &catalog.source(source).item;
            let (package, name) = (&item.package, &item.name);
            rows.push(vec![text(package), text(name), text(&source.package), text(&source.name), Cell::Text(column)]);
        }
    }
    Table { names: vec!["package", "indicator", "source_package", "source", "column"], rows }
}

fn sources(catalog: &Catalog) -> Table {
    let rows = catalog.sources.iter().map(|source| {
        let mut row = named(&source.item);
        row.push(text(&source.location));
        let key = source
            .keys
            .first()
            .map(|key| key.iter().map(|at| source.columns[*at].name.as_str()).collect::<Vec<_>>().join(", "));
        row.push(Cell::Text(key));
        row.push(Cell::Text(source.item.owner.clone()));
        row
    });
    Table { names: vec!["package", "name", "label", "description", "location", "key", "owner"], rows: rows.collect() }
}

fn columns(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for source in &catalog.sources {
        for column in &source.columns {
            rows.push(vec![
                text(&source.item.package),
                text(&source.item.name),
                text(&column.name),
                Cell::Text(column.label.clone()),
                text(column.data_type.to_string()),
                Cell::Flag(column.hidden),
                Cell::Flag(column.computed.is_some()),
            ]);
        }
    }
    Table { names: vec!["package", "source", "name", "label", "data_type", "hidden", "computed"], rows }
}

fn views(catalog: &Catalog) -> Table {
    let all = catalog.packages.iter().map(|package| {
        vec![
            text(&package.name),
            text("indicators"),
            Cell::Text(package.label.clone()),
            Cell::Text(None),
            text("package"),
        ]
    });
    let declared = catalog.views.iter().map(|view| {
        let mut row = named(&view.item);
        row.push(text("view"));
        row
    });
    let events = catalog.events.iter().map(|event| {
        let mut row = named(&event.item);
        row.push(text(event.kind.name()));
        row
    });
    let own = catalog.declared_indicators().map(|(_, indicator)| {
        let mut row = named(&indicator.item);
        row.push(text("indicator"));
        row
    });
    Table {
        names: vec!["package", "name", "label", "description", "kind"],
        rows: all.chain(declared).chain(events).chain(own).collect(),
    }
}

/// Funnels and cohorts.
fn events(catalog: &Catalog) -> Table {
    let rows = catalog.events.iter().map(|event| {
        let mut row = named(&event.item);
        row.push(text(event.kind.name()));
        row.push(text(&event.definition_text));
        row.push(Cell::Text(event.item.owner.clone()));
        row
    });
    Table {
        names: vec!["package", "name", "label", "description", "kind", "definition", "owner"],
        rows: rows.collect(),
    }
}

/// The edges of all trees.
fn tree(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for tree in &catalog.trees {
        for breakdown in &tree.breakdowns {
            let of = &catalog.indicator(breakdown.of).item;
            for part in &breakdown.parts {
                let part = &catalog.indicator(*part).item;
                rows.push(vec![
                    text(&tree.item.package),
                    text(&tree.item.name),
                    text(&of.name),
                    text(&part.package),
                    text(&part.name),
                    text(operation_name(&breakdown.formula, breakdown.parts.len())),
                    text(collapsed(&breakdown.text)),
                    text(match breakdown.identity {
                        Identity::Proven => "proven",
                        Identity::ByData => "by data",
                    }),
                ]);
            }
        }
    }
    let names = vec!["package", "tree", "indicator", "part_package", "part", "operation", "formula", "identity"];
    Table { names, rows }
}

/// A small table for `SHOW` and `DESCRIBE`.
pub(crate) fn small_table(names: &[&str], rows: &[Vec<Option<String>>]) -> Result<RecordBatch> {
    let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let columns: Vec<ArrayRef> = (0..names.len())
        .map(|at| Arc::new(StringArray::from_iter(rows.iter().map(|row| row[at].clone()))) as ArrayRef)
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
