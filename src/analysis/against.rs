//! Why was the target missed? The target as the base: of the whole, of each slice, of each part of the tree.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;

use super::Analysis;
use super::arithmetic::evaluate;
use super::cells::Cells;
use super::explanation::Explanation;
use super::nested::TOLERANCE;
use super::reader::{Argument, Reader};
use super::rows::{schema, to_batch};
use super::targeted::{SIDES, Targeted, Wanted, targeted};
use crate::catalog::tree::Arithmetic;
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::source;

/// What answers why a target was missed.
///
/// # Errors
/// A diagnostic, if there is no target, or it says nothing about the parts that are asked for.
pub(super) fn against_target(
    explanation: Explanation,
    wanted: &Wanted<'_>,
    reader: &Reader<'_, '_>,
    options: &ConfigOptions,
) -> Result<Analysis> {
    let (targeted, questions, spares) = targeted(&explanation.catalog, wanted, reader, options)?;
    let places = (0..wanted.by.len()).map(|at| reader.place(Argument::By, at)).collect();
    Ok(Analysis { questions, spares, answer: Arc::new(Against { explanation, targeted, places }) })
}

#[derive(Debug)]
struct Against {
    explanation: Explanation,
    targeted: Targeted,
    /// Where the dimensions are named.
    places: Vec<Option<source::Span>>,
}

impl Against {
    /// Targets and values as the two sides of a change.
    fn sides(&self, cells: &Cells) -> Cells {
        let mut sides = self.targeted.sides(cells);
        self.infer(&mut sides);
        if let Some(planned) = &self.targeted.planned {
            let sets = self.explanation.sets.iter().filter(|set| !set.is_empty());
            sets.for_each(|set| planned.put_in(&mut sides, set));
        }
        sides
    }

    /// Where all parts but one have targets, and the whole has one, that of the last one follows.
    fn infer(&self, sides: &mut Cells) {
        for node in self.explanation.catalog.nodes_below(self.explanation.root) {
            let Some(breakdown) = node.breakdown else { continue };
            let known: Vec<Option<f64>> = breakdown.parts.iter().map(|part| sides.total(SIDES[0], *part)).collect();
            let missing: Vec<usize> = (0..known.len()).filter(|at| known[*at].is_none()).collect();
            let (Some(whole), [missing]) = (sides.total(SIDES[0], node.indicator), missing.as_slice()) else {
                continue;
            };
            if let Some(amount) = solved(&breakdown.formula, &known, *missing, whole) {
                sides.put(SIDES[0], &[], &vec![], breakdown.parts[*missing], amount);
            }
        }
    }

    /// The explanation without what no target says anything about.
    fn told(&self, sides: &Cells) -> Result<Explanation, Diagnostic> {
        let mut catalog = Catalog::clone(&self.explanation.catalog);
        let has_target = |id: &IndicatorId| sides.total(SIDES[0], *id).is_some();
        for tree in &mut catalog.trees {
            tree.breakdowns.retain(|breakdown| breakdown.parts.iter().all(has_target));
        }
        let root = self.explanation.root;
        let kept = |tree: &crate::catalog::tree::Tree| !tree.breakdowns.is_empty();
        catalog.trees.retain(kept);
        let name = catalog.indicator(root).item.name.clone();
        let covered =
            |set: &[usize]| sides.of_set(set).any(|(side, _, values)| side == SIDES[0] && values.contains_key(&root));
        let mut sets = self.explanation.sets.clone();
        for (at, place) in self.places.iter().enumerate() {
            if !covered(&[at]) {
                let diagnostic = self.no_slices(&name, &self.explanation.by[at]);
                return Err(match place {
                    Some(place) => diagnostic.at(*place),
                    None => diagnostic,
                });
            }
        }
        sets.retain(|set| set.len() < 2 || covered(set));
        if self.places.is_empty() && catalog.tree_of(root).is_none() {
            let diagnostic = Diagnostic::new(codes::NOTHING_BELOW, format!("the parts of `{name}` have no targets"))
                .help("declare targets for all of them but one, or say by which dimensions to break it down");
            return Err(match self.explanation.places[SIDES[0]] {
                Some(place) => diagnostic.at(place),
                None => diagnostic,
            });
        }
        Ok(Explanation { catalog: Arc::new(catalog), sets, ..self.explanation.clone() })
    }

    fn no_slices(&self, name: &str, by: &str) -> Diagnostic {
        let message = format!("no target of `{name}` is for slices of `{by}`");
        let diagnostic = Diagnostic::new(codes::NO_TARGET, message);
        let Some(planned) = &self.targeted.planned else {
            return diagnostic.help(format!("split the target by `{by}`, or leave it out here"));
        };
        let others = planned.names(&self.explanation.catalog);
        let others = others.map(|names| format!(" (or split those of {names}, which it is the ratio of)"));
        diagnostic
            .note("a ratio's target does not share itself among slices: each has a ratio of its own")
            .help(format!("write `for each {by}` in the target{}, or leave it out here", others.unwrap_or_default()))
    }
}

/// The value of a part for which a formula gives that of the whole, where there is one.
fn solved(formula: &Arithmetic, known: &[Option<f64>], missing: usize, whole: f64) -> Option<f64> {
    let with = |value: f64| {
        let mut parts = known.to_vec();
        parts[missing] = Some(value);
        evaluate(formula, &parts)
    };
    let one = with(1.0)?;
    // In a sum and as a factor the whole goes in a straight line with it, as a divisor with its inverse.
    let straight = with(0.0).filter(|zero| *zero != one).map(|zero| (whole - zero) / (one - zero));
    let inverse = (whole != 0.0).then(|| one / whole);
    let fits = |value: &f64| with(*value).is_some_and(|found| (found - whole).abs() <= TOLERANCE * whole.abs());
    [straight, inverse].into_iter().flatten().filter(|value| value.is_finite()).find(fits)
}

impl super::Answer for Against {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn answer(&self, cells: &Cells) -> PlanResult<RecordBatch> {
        let sides = self.sides(cells);
        self.explanation.whole(&sides)?;
        let explanation = self.told(&sides)?;
        to_batch(&explanation.rows(&sides)?, explanation.whole(&sides)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tree::Operation;

    #[test]
    fn the_last_part_follows_from_the_others() {
        let part = |at| Box::new(Arithmetic::Part(at));
        let formula = |operation| Arithmetic::Binary(part(0), operation, part(1));
        let of = |operation, missing: usize| {
            let mut known = vec![Some(8.0), Some(8.0)];
            known[missing] = None;
            solved(&formula(operation), &known, missing, 2.0)
        };
        assert_eq!(of(Operation::Plus, 1), Some(-6.0));
        assert_eq!(of(Operation::Minus, 1), Some(6.0));
        assert_eq!(of(Operation::Times, 0), Some(0.25));
        assert_eq!(of(Operation::Over, 0), Some(16.0));
        assert_eq!(of(Operation::Over, 1), Some(4.0));
        assert_eq!(solved(&formula(Operation::Times), &[Some(0.0), None], 1, 2.0), None);
    }
}
