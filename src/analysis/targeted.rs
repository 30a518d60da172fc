//! Targets and values as the two sides of a comparison: of the whole, and of each slice.

use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::config::ConfigOptions;

use super::cells::{Cells, Key};
use super::components::OverSlices;
use super::planned::Planned;
use super::question::{Asked, Question, Spare};
use super::reader::{Argument, Reader};
use super::span::Span;
use super::standing::{Bench, Book, Subject, Terms, ask_values};
use super::status::whole;
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::target::Level;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::goal::amount::Decided;
use crate::plan::{conjuncts, one_value};

/// The side of the targets, and that of the values.
pub(super) const SIDES: [usize; 2] = [0, 1];

/// What is compared with its target.
pub(super) struct Wanted<'w> {
    /// The package that it is asked in.
    pub(super) package: &'w str,
    /// The dimensions, by the names that they are asked by.
    pub(super) by: &'w [(String, Input)],
    /// The slice of which it is asked, the whole if that is empty.
    pub(super) slice: Within,
    pub(super) root: IndicatorId,
    /// What it is over slices.
    pub(super) over: OverSlices,
    /// Of what the whole is asked, too.
    pub(super) below: Vec<IndicatorId>,
    /// By which of the dimensions together.
    pub(super) sets: &'w [Vec<usize>],
    pub(super) period: Span,
    /// Up to when the data count, and by when a target must have been decided.
    pub(super) now: NaiveDateTime,
}

/// A slice: dimensions with one value each.
pub(super) type Within = Vec<(Input, Option<String>)>;

/// The slice that conditions are: `region = 'a'`, `carrier is null`; `None`, if they are more than that.
pub(super) fn slice_of(conditions: &[Expression]) -> Option<Within> {
    let value = |condition: &Expression| match condition.inputs.as_slice() {
        [input @ Input::Dimension(_, TimePart::Whole)] => Some((input.clone(), one_value(&condition.expr)?)),
        _ => None,
    };
    conditions.iter().flat_map(conjuncts).map(|condition| value(&condition)).collect()
}

/// Why other conditions and targets do not go together.
pub(super) fn of_all_rows() -> Diagnostic {
    Diagnostic::new(codes::REQUEST, "a target is of a period and of all rows of a slice")
        .help("write conditions like `region = 'a'`, leave them out, or compare with a period")
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

/// The values of a slice, by the positions of its dimensions.
type Fixed = Vec<(usize, Option<String>)>;

/// What is asked of a set of dimensions.
#[derive(Debug)]
struct Part {
    set: Vec<usize>,
    /// The slice; its dimensions are among those of the set, or after them.
    slice: Fixed,
    /// How many dimensions these are together.
    width: usize,
    subjects: Vec<Subject>,
    /// The dimensions, if targets can be about them.
    dimensions: Option<Vec<DimensionId>>,
    /// Those of its questions. Slices of other dimensions lie at the same positions, on other sides.
    sides: Range<usize>,
    book: Book,
}

/// The questions for both sides.
///
/// # Errors
/// A diagnostic, if there is no target, or the indicator cannot be asked so.
pub(super) fn targeted(
    catalog: &Arc<Catalog>,
    wanted: &Wanted<'_>,
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
        let (own, slice) = wanted.dimensions(set);
        let width = own.len();
        let mut indicators = vec![wanted.root];
        let below = wanted.below.iter().copied().filter(|_| set.is_empty());
        for id in below.chain(planned.iter().flat_map(Planned::asked)) {
            if !indicators.contains(&id) {
                indicators.push(id);
            }
        }
        let subjects: Vec<Subject> = indicators.into_iter().map(|indicator| Subject { indicator, span }).collect();
        let dimensions = own.iter().map(|(_, input)| whole(input)).collect();
        let asked = Asked {
            catalog: Arc::clone(catalog),
            package: wanted.package.to_string(),
            by: own,
            first,
            ..Asked::default()
        };
        let found = ask_values(&asked, &subjects, &terms, options);
        let (book, own, spare) = found.map_err(|error| reader.at_dimension(error.into()))?;
        let sides = first..book.next;
        first = book.next;
        questions.extend(own);
        spares.extend(spare);
        parts.push(Part { set: set.clone(), slice, width, subjects, dimensions, sides, book });
    }
    Ok((Targeted { catalog: Arc::clone(catalog), terms, parts, planned }, questions, spares))
}

impl Wanted<'_> {
    /// The dimensions of a set and those of the slice, each once, as targets name them; and the slice's values.
    fn dimensions(&self, set: &[usize]) -> (Vec<(String, Input)>, Fixed) {
        let mut own: Vec<(String, Input)> = set.iter().map(|at| self.by[*at].clone()).collect();
        let mut slice = Vec::new();
        for (input, value) in &self.slice {
            let at = own.iter().position(|(_, known)| known == input).unwrap_or(own.len());
            if at == own.len() {
                own.push((format!("slice {at}"), input.clone()));
            }
            slice.push((at, value.clone()));
        }
        (own, slice)
    }
}

impl Part {
    /// The values of the set's dimensions, if a key is of the slice.
    fn within(&self, key: &Key) -> Option<Key> {
        let is_of_slice = self.slice.iter().all(|(at, value)| key.get(*at) == Some(value));
        is_of_slice.then(|| key[..self.set.len()].to_vec())
    }
}

impl Targeted {
    /// The targets on one side, the values on the other.
    pub(super) fn sides(&self, cells: &Cells) -> Cells {
        let mut sides = Cells::default();
        for part in &self.parts {
            let set: Vec<usize> = (0..part.width).collect();
            let bench = Bench {
                catalog: &self.catalog,
                terms: &self.terms,
                book: &part.book,
                cells: &cells.of_sides(&part.sides),
                set: &set,
                by: part.dimensions.as_deref(),
            };
            for subject in &part.subjects {
                for key in bench.keys(subject) {
                    let Some(own) = part.within(&key) else { continue };
                    let [value, target] = bench.value_and_target(subject, &key);
                    for (side, amount) in SIDES.into_iter().zip([target, value]) {
                        if let Some(amount) = amount {
                            sides.put(side, &part.set, &own, subject.indicator, amount);
                        }
                    }
                }
            }
        }
        sides
    }
}
