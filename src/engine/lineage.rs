//! What an indicator is made of, and what it can be sliced by.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;

use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Measure;
use crate::catalog::reach::{Standpoint, definition_for, flatten};
use crate::catalog::{Catalog, DimensionId, IndicatorId, SourceId};

/// The sources and columns that an indicator reads, in order; `None` as the column for `count(*)`.
pub fn lineage_of(catalog: &Catalog, id: IndicatorId) -> Vec<(SourceId, Option<String>)> {
    let mut found = BTreeSet::new();
    for_each_measure(catalog, id, &mut vec![], &mut |measure, conditions| {
        let before = found.len();
        let standpoint = Standpoint { source: measure.source, axis: catalog.source(measure.source).time.as_ref() };
        for expression in [&measure.aggregate].into_iter().chain(&measure.filter).chain(conditions.iter().copied()) {
            if let Ok(flat) = flatten(catalog, standpoint, expression) {
                columns_of(catalog, &flat, &mut found);
            }
        }
        if found.len() == before {
            found.insert((measure.source, None));
        }
    });
    found.into_iter().collect()
}

/// The dimensions and segments that every aggregate of an indicator reaches.
pub fn dimensions_of(catalog: &Catalog, id: IndicatorId) -> Vec<DimensionId> {
    let mut sources: Vec<SourceId> = Vec::new();
    for_each_measure(catalog, id, &mut vec![], &mut |measure, _| {
        if !sources.contains(&measure.source) {
            sources.push(measure.source);
        }
    });
    let all = (0..catalog.dimensions.len() as u32).map(DimensionId);
    all.filter(|dimension| sources.iter().all(|source| serves(catalog, *source, *dimension))).collect()
}

/// Whether a source can be sliced by a dimension: it is reached, and where that is against a join's direction the
/// source has a key.
fn serves(catalog: &Catalog, source: SourceId, dimension: DimensionId) -> bool {
    let Ok(definition) = definition_for(catalog, source, dimension) else { return false };
    let Ok(flat) = flatten(catalog, Standpoint { source, axis: None }, definition) else { return false };
    let fans_out = flat.inputs.iter().any(|input| matches!(input, Input::Column(c) if c.path.fans_out()));
    !fans_out || !catalog.source(source).keys.is_empty()
}

/// The sources of an indicator's aggregates, each once.
pub fn facts_of(catalog: &Catalog, id: IndicatorId) -> Vec<SourceId> {
    let mut sources = Vec::new();
    for_each_measure(catalog, id, &mut vec![], &mut |measure, _| {
        if !sources.contains(&measure.source) {
            sources.push(measure.source);
        }
    });
    sources
}

/// The types of the time axes of an indicator's aggregates; empty, if one of them has none.
pub fn axis_types(catalog: &Catalog, id: IndicatorId) -> Vec<DataType> {
    let facts = facts_of(catalog, id);
    let own = catalog.indicator(id).time.as_ref();
    let axes: Option<Vec<&Expression>> =
        facts.iter().map(|fact| own.or(catalog.source(*fact).time.as_ref())).collect();
    axes.unwrap_or_default().into_iter().map(|axis| catalog.axis_type(axis)).collect()
}

fn for_each_measure<'c>(
    catalog: &'c Catalog,
    id: IndicatorId,
    conditions: &mut Vec<&'c Expression>,
    act: &mut impl FnMut(&'c Measure, &[&'c Expression]),
) {
    let indicator = catalog.indicator(id);
    let before = conditions.len();
    conditions.extend(&indicator.conditions);
    for input in &indicator.formula.inputs {
        match input {
            Input::Measure(measure) => act(measure, conditions),
            Input::Indicator(inner, filters) => {
                let outside = conditions.len();
                conditions.extend(filters);
                for_each_measure(catalog, *inner, conditions, act);
                conditions.truncate(outside);
            }
            _ => {}
        }
    }
    conditions.truncate(before);
}

fn columns_of(catalog: &Catalog, flat: &Expression, found: &mut BTreeSet<(SourceId, Option<String>)>) {
    for input in &flat.inputs {
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
