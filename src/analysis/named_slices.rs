//! Slices that targets name: are there rows of them? Of a misspelt one nobody would ever see a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::ConfigOptions;

use super::Cells;
use super::question::{Asked, Question, Side};
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::Input;
use crate::catalog::target::{Amounts, Slices, SplitBy, Target};
use crate::catalog::{Catalog, DimensionId};
use crate::diagnostic::{Diagnostic, codes, nearest};

/// Slices by the same dimensions that one target names, and the question that tells whether they are there.
pub struct NamedSlices<'c> {
    catalog: &'c Arc<Catalog>,
    target: &'c Target,
    by: Vec<DimensionId>,
    named: BTreeSet<Vec<String>>,
    /// What is asked.
    pub question: Question,
}

impl<'c> NamedSlices<'c> {
    /// Those of all targets of a model.
    ///
    /// # Errors
    /// What the planner says of one of the questions.
    pub fn all(catalog: &'c Arc<Catalog>, options: &ConfigOptions) -> Result<Vec<NamedSlices<'c>>> {
        let mut all = Vec::new();
        for target in &catalog.targets {
            for (by, named) in named_by(target) {
                let name = |id: &DimensionId| catalog.dimension(*id).item.name.clone();
                let asked = Asked {
                    catalog: Arc::clone(catalog),
                    package: target.item.package.clone(),
                    by: by.iter().map(|id| (name(id), Input::Dimension(*id, TimePart::Whole))).collect(),
                    sets: vec![(0..by.len()).collect()],
                    indicators: vec![target.of],
                    sides: vec![Side::default()],
                    first: 0,
                };
                // By what the indicator cannot be asked, `check` has said already.
                let questions = asked.questions(options).unwrap_or_default();
                let slices = |question| NamedSlices { catalog, target, by, named, question };
                all.extend(questions.into_iter().next().map(slices));
            }
        }
        Ok(all)
    }

    /// What the data says of those that are not there.
    pub fn missing(&self, cells: &Cells) -> Vec<Diagnostic> {
        let positions: Vec<usize> = (0..self.by.len()).collect();
        let there = cells.slices(&positions);
        let is_there = |slice: &&Vec<String>| {
            there.iter().any(|key| key.iter().flatten().eq(slice.iter()) && key.len() == slice.len())
        };
        self.named.iter().filter(|slice| !is_there(slice)).map(|slice| self.warning(slice, &there)).collect()
    }

    fn warning(&self, slice: &[String], there: &[Vec<Option<String>>]) -> Diagnostic {
        let name = |id: DimensionId| self.catalog.dimension(id).item.name.as_str();
        let condition: Vec<String> =
            self.by.iter().zip(slice).map(|(id, value)| format!("{} = '{value}'", name(*id))).collect();
        let Target { item, of, .. } = self.target;
        let of = &self.catalog.indicator(*of).item.name;
        let message = format!("target `{}` is for `{}`, of which `{of}` has no rows", item.name, condition.join(", "));
        let diagnostic = Diagnostic::new(codes::TARGET_VAGUE, message).at(item.span);
        let known = |at: usize| there.iter().filter_map(move |key| key[at].as_deref());
        let similar = slice.iter().enumerate().find_map(|(at, value)| match known(at).any(|known| known == value) {
            true => None,
            false => nearest(value, known(at)),
        });
        match similar {
            Some(similar) => diagnostic.help(format!("did you mean `'{similar}'`?")),
            None => diagnostic.note("until there are rows, it has no status"),
        }
    }
}

/// The slices that a target names, by the dimensions that they are of.
fn named_by(target: &Target) -> Vec<(Vec<DimensionId>, BTreeSet<Vec<String>>)> {
    if let Slices::These(these) = &target.slices {
        let (by, values) = these.iter().cloned().unzip();
        return vec![(by, BTreeSet::from([values]))];
    }
    let Amounts::Stated(statements) = &target.amounts else { return vec![] };
    let mut found: Vec<(Vec<DimensionId>, BTreeSet<Vec<String>>)> = Vec::new();
    for split in statements.iter().filter_map(|statement| statement.split.as_ref()) {
        let SplitBy::Shares { parts, .. } = &split.how else { continue };
        let named = parts.iter().map(|(value, _)| vec![value.clone()]);
        match found.iter_mut().find(|(by, _)| *by == [split.by]) {
            Some((_, known)) => known.extend(named),
            None => found.push((vec![split.by], named.collect())),
        }
    }
    found
}
