//! What an indicator is made of, and what it can be sliced by.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;

use crate::catalog::event::EventView;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::reach::{Standpoint, definition_for, flatten};
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, DimensionId, IndicatorId, SourceId};

/// The sources and columns that an indicator reads, in order; `None` as the column for `count(*)`.
pub fn lineage_of(catalog: &Catalog, id: IndicatorId) -> Vec<(SourceId, Option<String>)> {
    let mut found = BTreeSet::new();
    lineage_into(catalog, &asked(id), &mut found);
    found.into_iter().collect()
}

/// The sources and columns that a funnel or a cohort reads, the times of its sources included.
pub fn lineage_of_event(catalog: &Catalog, view: &EventView) -> Vec<(SourceId, Option<String>)> {
    let mut found = BTreeSet::new();
    view.event.expressions().into_iter().for_each(|read| columns_of(catalog, read, &mut found));
    let read: Vec<SourceId> = found.iter().map(|(source, _)| *source).collect();
    for axis in read.into_iter().filter_map(|source| catalog.source(source).time.as_ref()) {
        columns_of(catalog, axis, &mut found);
    }
    found.into_iter().collect()
}

/// The dimensions and segments that slice a funnel or a cohort.
pub fn dimensions_of_event(catalog: &Catalog, view: &EventView) -> Vec<DimensionId> {
    let source = view.event.source();
    let all = catalog.declared_dimensions().map(|(id, _)| id);
    all.filter(|dimension| serves(catalog, source, *dimension)).collect()
}

fn lineage_into(catalog: &Catalog, formula: &Expression, found: &mut BTreeSet<(SourceId, Option<String>)>) {
    for_each_measure(catalog, formula, &Around::default(), &mut |measure, around| {
        let before = found.len();
        let standpoint = Standpoint { source: measure.source, axis: catalog.source(measure.source).time.as_ref() };
        for expression in [&measure.aggregate].into_iter().chain(&measure.filter).chain(&around.conditions) {
            if let Ok(flat) = flatten(catalog, standpoint, expression) {
                columns_of(catalog, &flat, found);
            }
        }
        if found.len() == before {
            found.insert((measure.source, None));
        }
    });
}

/// The formula that is just this indicator.
fn asked(id: IndicatorId) -> Expression {
    Expression::input(Input::Indicator(id, vec![]))
}

/// The dimensions and segments that every aggregate of an indicator reaches.
pub fn dimensions_of(catalog: &Catalog, id: IndicatorId) -> Vec<DimensionId> {
    let sources = facts_of(catalog, id);
    let all = catalog.declared_dimensions().map(|(id, _)| id);
    all.filter(|dimension| sources.iter().all(|source| serves(catalog, *source, *dimension))).collect()
}

/// Whether a source can be sliced by a dimension: it is reached, and where that is against a join's direction the
/// source has a key.
pub fn serves(catalog: &Catalog, source: SourceId, dimension: DimensionId) -> bool {
    let Ok(definition) = definition_for(catalog, source, dimension) else { return false };
    let Ok(flat) = flatten(catalog, Standpoint { source, axis: None }, definition) else { return false };
    !flat.fans_out() || !catalog.source(source).keys.is_empty()
}

/// The sources of an indicator's aggregates, each once.
pub fn facts_of(catalog: &Catalog, id: IndicatorId) -> Vec<SourceId> {
    let mut sources = Vec::new();
    for_each_measure(catalog, &asked(id), &Around::default(), &mut |measure, _| {
        if !sources.contains(&measure.source) {
            sources.push(measure.source);
        }
    });
    sources
}

/// The types of the time axes of an indicator's aggregates; empty, if one of them has none.
pub fn axis_types(catalog: &Catalog, id: IndicatorId) -> Vec<DataType> {
    let mut types: Vec<Option<DataType>> = Vec::new();
    for_each_measure(catalog, &asked(id), &Around::default(), &mut |measure, around| {
        let axis = around.time.as_ref().or(catalog.source(measure.source).time.as_ref());
        types.push(axis.map(|axis| catalog.axis_type(axis)));
    });
    types.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn columns_of(catalog: &Catalog, flat: &Expression, found: &mut BTreeSet<(SourceId, Option<String>)>) {
    for input in &flat.inputs {
        if let Input::Per(per) = input {
            lineage_into(catalog, &per.value, found);
            per.of_row.iter().for_each(|by| columns_of(catalog, by, found));
        }
        if let Input::Period(id, day) = input {
            let period = catalog.calendar.period(*id);
            let column = ColumnRef { path: JoinPath::root(period.source), column: period.column };
            columns_of(catalog, &Expression::input(Input::Column(column)), found);
            columns_of(catalog, day, found);
        }
        if let Input::Event(value) = input {
            value.event.expressions().into_iter().for_each(|read| columns_of(catalog, read, found));
        }
        let Input::Column(column) = input else { continue };
        let id = column.path.target(catalog);
        let declared = &catalog.source(id).columns[column.column];
        match &declared.computed {
            Some(computed) => columns_of(catalog, computed, found),
            None => {
                found.insert((id, Some(declared.name.clone())));
            }
        }
    }
}
