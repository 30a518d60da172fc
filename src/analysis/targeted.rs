//! Targets and values as the two sides of a comparison: of the whole, and of each slice.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::config::ConfigOptions;

use super::cells::Cells;
use super::components::OverSlices;
use super::planned::Planned;
use super::question::{Asked, Question, Spare};
use super::reader::{Argument, Reader};
use super::span::Span;
use super::standing::{Bench, Book, Subject, Terms, ask_values};
use super::status::whole;
use crate::catalog::expr::Input;
use crate::catalog::target::Level;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::goal::amount::Decided;

/// The side of the targets, and that of the values.
pub(super) const SIDES: [usize; 2] = [0, 1];

/// What is compared with its target.
pub(super) struct Wanted<'w> {
    pub(super) root: IndicatorId,
    /// What it is over slices.
    pub(super) over: OverSlices,
    /// Of what the whole is asked, too.
    pub(super) below: Vec<IndicatorId>,
    /// By which dimensions together.
    pub(super) sets: &'w [Vec<usize>],
    pub(super) period: Span,
    /// Up to when the data count, and by when a target must have been decided.
    pub(super) now: NaiveDateTime,
}

/// What is needed to put the sides together.
#[derive(Debug)]
pub(super) struct Targeted {
    catalog: Arc<Catalog>,
    terms: Terms,
    parts: Vec<Part>,
    /// What is known of slices, if it is a ratio.
    pub(super) planned: Option<Planned>,
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

/// The questions for both sides.
///
/// # Errors
/// A diagnostic, if there is no target, or the indicator cannot be asked so.
pub(super) fn targeted(
    catalog: &Arc<Catalog>,
    package: &str,
    by: &[(String, Input)],
    wanted: Wanted<'_>,
    reader: &Reader<'_, '_>,
    options: &ConfigOptions,
) -> Result<(Targeted, Vec<Question>, Vec<Spare>)> {
    if catalog.targets_of(wanted.root).next().is_none() {
        let name = &catalog.indicator(wanted.root).item.name;
        let diagnostic = Diagnostic::new(codes::NO_TARGET, format!("`{name}` has no target"))
            .help(format!("declare `target {name} {{ … }}`"));
        return Err(reader.at(diagnostic, Argument::Indicator, 0).into());
    }
    let terms = Terms { as_of: wanted.now, level: Level::Commit, decided: Decided::Current };
    let planned = Planned::of(catalog, wanted.root, wanted.over);
    let span = wanted.period.stretch();
    let (mut parts, mut questions, mut spares, mut first) = (vec![], vec![], vec![], 0);
    for set in wanted.sets {
        let own: Vec<(String, Input)> = set.iter().map(|at| by[*at].clone()).collect();
        let mut indicators = vec![wanted.root];
        let below = wanted.below.iter().copied().filter(|_| set.is_empty());
        for id in below.chain(planned.iter().flat_map(Planned::asked)) {
            if !indicators.contains(&id) {
                indicators.push(id);
            }
        }
        let subjects: Vec<Subject> = indicators.into_iter().map(|indicator| Subject { indicator, span }).collect();
        let dimensions = own.iter().map(|(_, input)| whole(input)).collect();
        let asked =
            Asked { catalog: Arc::clone(catalog), package: package.to_string(), by: own, first, ..Asked::default() };
        let found = ask_values(&asked, &subjects, &terms, options);
        let (book, own, spare) = found.map_err(|error| reader.at_dimension(error.into()))?;
        first = book.next;
        questions.extend(own);
        spares.extend(spare);
        parts.push(Part { set: set.clone(), subjects, dimensions, book });
    }
    Ok((Targeted { catalog: Arc::clone(catalog), terms, parts, planned }, questions, spares))
}

impl Targeted {
    /// The targets on one side, the values on the other.
    pub(super) fn sides(&self, cells: &Cells) -> Cells {
        let mut sides = Cells::default();
        for part in &self.parts {
            let set: Vec<usize> = (0..part.set.len()).collect();
            let bench = Bench {
                catalog: &self.catalog,
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
        sides
    }
}
