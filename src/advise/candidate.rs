//! Rollups that could be declared: as values, and as the planner takes them.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;

use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::Input;
use crate::catalog::path::ColumnRef;
use crate::catalog::rollup::{Kept, Rollup, Stored};
use crate::catalog::{Catalog, IndicatorId, Item};
use crate::plan::cells::{Cells, cells_of};
use crate::source::{FileId, Span};
use crate::syntax::quoted;

/// A rollup that could be declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) package: String,
    pub(super) indicators: Vec<IndicatorId>,
    /// The periods of the cells; none if time is not told.
    pub(super) grain: Option<Grain>,
    /// By what else.
    pub(super) keys: Vec<Input>,
}

impl Candidate {
    /// One that answers what both do; none across packages.
    pub(super) fn with(&self, other: &Candidate) -> Option<Candidate> {
        if self.package != other.package {
            return None;
        }
        let grain = match (self.grain, other.grain) {
            (Some(left), Some(right)) => Some(common(left, right)?),
            (left, right) => left.or(right),
        };
        let mut both = Candidate { grain, ..self.clone() };
        both.keys.extend(other.keys.iter().filter(|key| !self.keys.contains(key)).cloned());
        both.indicators.extend(other.indicators.iter().filter(|id| !self.indicators.contains(id)));
        both.put_in_order();
        Some(both)
    }

    /// So that the same rollup is the same value.
    pub(super) fn put_in_order(&mut self) {
        self.indicators.sort_unstable_by_key(|id| id.0);
        self.keys.sort_by_cached_key(|key| format!("{key:?}"));
    }

    /// Its columns, by the names that they have in a file, with the last of these for the name of the column.
    pub(super) fn by(&self, catalog: &Catalog) -> Vec<(Vec<String>, Input)> {
        let time = self.grain.map(|grain| Input::MetricTime(TimePart::Grain(grain)));
        let named = |input: Input| Some((path_of(catalog, &self.package, &input)?, input));
        time.into_iter().chain(self.keys.iter().cloned()).filter_map(named).collect()
    }

    /// The names of its indicators as a file of its package writes them.
    pub(super) fn names(&self, catalog: &Catalog) -> Vec<Vec<String>> {
        self.indicators.iter().map(|id| member(&self.package, &catalog.indicator(*id).item)).collect()
    }

    /// As an item that is declared nowhere yet.
    pub(super) fn rollup(&self, catalog: &Catalog, name: &str) -> Rollup {
        let item = Item {
            package: self.package.clone(),
            name: name.to_string(),
            label: None,
            labels: vec![],
            description: None,
            owner: None,
            span: Span::new(FileId(0), 0, 0),
        };
        let last = |path: Vec<String>| path.last().cloned().unwrap_or_default();
        let by = self.by(catalog).into_iter().map(|(path, input)| (last(path), input)).collect();
        Rollup {
            item,
            indicators: self.indicators.clone(),
            by,
            approximate: vec![],
            tolerance: None,
            to: String::new(),
            sources: vec![],
            tables: vec![],
        }
    }

    /// What it would store.
    ///
    /// # Errors
    /// A refusal, if it cannot be declared so.
    pub(super) fn cells(&self, catalog: &Catalog) -> Result<Vec<Cells>> {
        let mut columns = HashSet::new();
        let paths = self.by(catalog).into_iter().map(|(path, _)| path).chain(self.names(catalog));
        for name in paths.filter_map(|path| path.last().cloned()) {
            if !columns.insert(name.clone()) {
                return plan_err!("two columns would be called `{name}`");
            }
        }
        cells_of(catalog, &self.rollup(catalog, "it"))
    }

    /// Its declaration.
    pub(super) fn text(&self, catalog: &Catalog, name: &str) -> String {
        let list = |paths: Vec<Vec<String>>| {
            let written = |path: Vec<String>| path.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".");
            paths.into_iter().map(written).collect::<Vec<_>>().join(", ")
        };
        let by: Vec<Vec<String>> = self.by(catalog).into_iter().map(|(path, _)| path).collect();
        let by = if by.is_empty() { String::new() } else { format!("  by {}\n", list(by)) };
        let indicators = list(self.names(catalog));
        format!("rollup {name} {{\n  indicators {indicators}\n{by}  to 'rollups/{name}/'\n}}\n")
    }
}

/// A rollup as if it were stored, with so many cells in each of its tables.
pub(super) fn supposed(mut rollup: Rollup, cells: &[Cells], rows: impl Fn(usize) -> u64) -> Rollup {
    rollup.sources = cells.iter().map(|table| table.source).collect();
    let stored = |(at, table): (usize, &Cells)| {
        let schema = Arc::clone(table.plan.schema().inner());
        let table = provider_as_source(Arc::new(EmptyTable::new(schema)));
        Stored::Current(Kept { table, rows: rows(at), runs: 1, at: String::new(), late: false })
    };
    rollup.tables = cells.iter().enumerate().map(stored).collect();
    rollup
}

/// The coarsest grain of whose periods those of both consist.
fn common(left: Grain, right: Grain) -> Option<Grain> {
    Grain::ALL.iter().rev().copied().find(|grain| left.consists_of(*grain) && right.consists_of(*grain))
}

fn path_of(catalog: &Catalog, package: &str, input: &Input) -> Option<Vec<String>> {
    match input {
        Input::MetricTime(TimePart::Grain(grain)) => Some(vec![grain.name().to_string()]),
        Input::MetricTime(TimePart::Period(id)) => Some(vec![catalog.calendar.period(*id).name.clone()]),
        Input::Dimension(id, part) => {
            let mut path = member(package, &catalog.dimension(*id).item);
            path.last_mut()?.push_str(&part.suffix(&catalog.calendar));
            Some(path)
        }
        Input::Column(column) => Some(column_path(catalog, column)),
        _ => None,
    }
}

fn member(package: &str, item: &Item) -> Vec<String> {
    let elsewhere = (item.package != package).then(|| item.package.clone());
    elsewhere.into_iter().chain([item.name.clone()]).collect()
}

fn column_path(catalog: &Catalog, column: &ColumnRef) -> Vec<String> {
    let target = catalog.source(column.path.target(catalog));
    let mut path = column.path.names(catalog);
    path.push(target.columns[column.column].name.clone());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grains_have_a_common_one() {
        assert_eq!(common(Grain::Month, Grain::Quarter), Some(Grain::Month));
        assert_eq!(common(Grain::Month, Grain::Week), Some(Grain::Day));
        assert_eq!(common(Grain::FiscalYear, Grain::Year), Some(Grain::Month));
        assert_eq!(common(Grain::Hour, Grain::Day), Some(Grain::Hour));
        assert_eq!(common(Grain::Week, Grain::Week), Some(Grain::Week));
    }
}
