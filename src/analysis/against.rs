//! Why was the target missed? The target as the base: of the whole, of each slice, of each part of the tree.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;

use super::Analysis;
use super::arithmetic::evaluate;
use super::cells::Cells;
use super::components::OverSlices;
use super::explanation::Explanation;
use super::nested::TOLERANCE;
use super::question::Asked;
use super::reader::{Argument, Reader};
use super::rows::{schema, to_batch};
use super::span::Span;
use super::standing::{Bench, Book, Subject, Terms, ask_values};
use super::status::whole;
use crate::catalog::expr::Input;
use crate::catalog::target::Level;
use crate::catalog::tree::Arithmetic;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::goal::amount::Decided;
use crate::source;

/// The side of the targets, and that of the values.
const SIDES: [usize; 2] = [0, 1];

/// What answers why a target was missed.
///
/// # Errors
/// A diagnostic, if there is no target, or it says nothing about the parts that are asked for.
pub(super) fn against_target(
    explanation: Explanation,
    period: Option<Span>,
    package: &str,
    by: Vec<(String, Input)>,
    now: NaiveDateTime,
    reader: &Reader<'_, '_>,
    options: &ConfigOptions,
) -> Result<Analysis> {
    let catalog = Arc::clone(&explanation.catalog);
    let name = &catalog.indicator(explanation.root).item.name;
    let refused = |code, message: String, argument| reader.at(Diagnostic::new(code, message), argument, 0);
    let Some(period) = period else {
        return Err(refused(codes::REQUEST, "a target is of a period and of all its rows".to_string(), Argument::Base)
            .help("say the period (`current`), and leave conditions out: ask for slices (`by`) instead")
            .into());
    };
    if catalog.targets_of(explanation.root).next().is_none() {
        return Err(refused(codes::NO_TARGET, format!("`{name}` has no target"), Argument::Indicator)
            .help(format!("declare `target {name} {{ … }}`"))
            .into());
    }
    if matches!(explanation.over, OverSlices::Ratio { .. }) {
        let message = format!("the target of `{name}` does not say how much each slice weighs");
        return Err(refused(codes::NOT_SLICEABLE, message, Argument::By)
            .help("leave `by` out, or explain the sums and counts that it is the ratio of")
            .into());
    }
    let terms = Terms { as_of: now, level: Level::Commit, decided: Decided::Current };
    let span = period.stretch();
    let (mut parts, mut questions, mut spares, mut first) = (vec![], vec![], vec![], 0);
    for set in &explanation.sets {
        let own: Vec<(String, Input)> = set.iter().map(|at| by[*at].clone()).collect();
        let indicators: Vec<IndicatorId> = match set.is_empty() {
            true => catalog.nodes_below(explanation.root).iter().map(|node| node.indicator).collect(),
            false => vec![explanation.root],
        };
        let subjects: Vec<Subject> = indicators.into_iter().map(|indicator| Subject { indicator, span }).collect();
        let dimensions = own.iter().map(|(_, input)| whole(input)).collect();
        let asked =
            Asked { catalog: Arc::clone(&catalog), package: package.to_string(), by: own, first, ..Asked::default() };
        let found = ask_values(&asked, &subjects, &terms, options);
        let (book, own, spare) = found.map_err(|error| reader.at_dimension(error.into()))?;
        first = book.next;
        questions.extend(own);
        spares.extend(spare);
        parts.push(Part { set: set.clone(), subjects, dimensions, book });
    }
    let places = (0..by.len()).map(|at| reader.place(Argument::By, at)).collect();
    Ok(Analysis { questions, spares, answer: Arc::new(Against { explanation, terms, parts, places }) })
}

/// What is asked of a set of dimensions.
#[derive(Debug)]
struct Part {
    set: Vec<usize>,
    subjects: Vec<Subject>,
    /// The dimensions, if targets can be about them.
    dimensions: Option<Vec<DimensionId>>,
    book: Book,
}

#[derive(Debug)]
struct Against {
    explanation: Explanation,
    terms: Terms,
    parts: Vec<Part>,
    /// Where the dimensions are named.
    places: Vec<Option<source::Span>>,
}

impl Against {
    /// Targets and values as the two sides of a change.
    fn sides(&self, cells: &Cells) -> Cells {
        let mut sides = Cells::default();
        for part in &self.parts {
            let set: Vec<usize> = (0..part.set.len()).collect();
            let bench = Bench {
                catalog: &self.explanation.catalog,
                terms: &self.terms,
                book: &part.book,
                cells,
                set: &set,
                by: part.dimensions.as_deref(),
            };
            for subject in &part.subjects {
                for key in bench.keys(subject) {
                    let [value, target] = bench.value_and_target(subject, &key);
                    for (side, amount) in SIDES.into_iter().zip([target, value]) {
                        if let Some(amount) = amount {
                            sides.put(side, &part.set, &key, subject.indicator, amount);
                        }
                    }
                }
            }
        }
        self.infer(&mut sides);
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
                let by = &self.explanation.by[at];
                let diagnostic =
                    Diagnostic::new(codes::NO_TARGET, format!("no target of `{name}` is for slices of `{by}`"))
                        .help(format!("split the target by `{by}`, or leave it out here"));
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
