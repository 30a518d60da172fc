//! Every aggregate that a formula comes to, with what surrounds it on the way.

use super::Catalog;
use super::expr::{Expression, Input};
use super::indicator::Measure;

/// What the definitions around an aggregate say about its rows.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Conditions and filters on the way, AND-ed.
    pub conditions: Vec<Expression>,
    /// The innermost time axis that an indicator on the way names.
    pub time: Option<Expression>,
}

/// Calls `act` for every aggregate of a formula, those of the indicators and contexts inside it included.
pub fn for_each_measure<'c>(
    catalog: &'c Catalog,
    formula: &'c Expression,
    around: &Around,
    act: &mut impl FnMut(&'c Measure, &Around),
) {
    formula.inputs.iter().for_each(|input| for_each_measure_of(catalog, input, around, act));
}

/// The same for one input of a formula.
pub fn for_each_measure_of<'c>(
    catalog: &'c Catalog,
    input: &'c Input,
    around: &Around,
    act: &mut impl FnMut(&'c Measure, &Around),
) {
    match input {
        Input::Measure(measure) => act(measure, around),
        Input::Indicator(id, filters) => {
            let inner = catalog.indicator(*id);
            let mut inside = around.clone();
            inside.conditions.extend(filters.iter().chain(&inner.conditions).cloned());
            inside.time = inner.time.clone().or(inside.time);
            for_each_measure(catalog, &inner.formula, &inside, act);
        }
        Input::At(at) => for_each_measure(catalog, &at.operand, around, act),
        Input::Fold(fold) => for_each_measure(catalog, &fold.aggregate, around, act),
        _ => {}
    }
}
