//! The target as the base: what slices should have reached is no sample, but known exactly.
//!
//! The leaves are the slices with a target. Of a sum they make up the target of the whole, or the answer is refused; of a
//! ratio what should have been reached is taken at the weights of the period, as no rate is to blame for weights.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;

use super::answer::Located;
use crate::analysis::cells::{Cells, Key};
use crate::analysis::components::OverSlices;
use crate::analysis::nested::ROUNDING;
use crate::analysis::reader::{Argument, Reader};
use crate::analysis::targeted::{SIDES, Targeted, Wanted, targeted};
use crate::analysis::{Analysis, Answer};
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;

/// What answers who is to blame for a target that was missed.
///
/// # Errors
/// A diagnostic, if there is no target or it is not due yet.
pub(super) fn due(
    located: Located,
    catalog: &Arc<Catalog>,
    wanted: &Wanted<'_>,
    reader: &Reader<'_, '_>,
    options: &ConfigOptions,
) -> Result<Analysis> {
    if wanted.period.end > wanted.now {
        let message = format!("{} has not ended: its target is not due yet", wanted.period);
        let diagnostic = Diagnostic::new(codes::REQUEST, message);
        let help = "explain a period that has ended; `status` says what is due by now";
        return Err(reader.at(diagnostic, Argument::Current, 0).help(help).into());
    }
    let (targeted, questions, spares) = targeted(catalog, wanted, reader, options)?;
    Ok(Analysis { questions, spares, answer: Arc::new(Due { located, targeted }) })
}

#[derive(Debug)]
struct Due {
    located: Located,
    targeted: Targeted,
}

/// A slice with what it should have reached and what it did: sums, or the two of a ratio.
type Leaf = (Key, [[f64; 2]; 2]);

impl Due {
    fn leaves(&self, sides: &Cells) -> Vec<Leaf> {
        let set: Vec<usize> = (0..self.located.by.len()).collect();
        let value = |side: usize, key: &Key, id| sides.value(side, &set, key, id);
        if let (Some(planned), OverSlices::Ratio { above, .. }) = (&self.targeted.planned, self.located.over) {
            let expected = planned.at_present_weights(sides, &set).into_iter();
            let found = |key: &Key, below| [value(SIDES[1], key, above).unwrap_or(0.0), below];
            return expected
                .map(|(key, due)| {
                    let found = found(&key, due[1]);
                    (key, [due, found])
                })
                .collect();
        }
        let leaf = |key: Key| {
            let due = value(SIDES[0], &key, self.located.root)?;
            let found = value(SIDES[1], &key, self.located.root).unwrap_or(0.0);
            Some((key, [[due, 0.0], [found, 0.0]]))
        };
        sides.slices(&set).into_iter().filter_map(leaf).collect()
    }

    /// The leaves as the values of both sides.
    fn cells(&self, sides: &Cells, leaves: &[Leaf]) -> Cells {
        let set: Vec<usize> = (0..self.located.by.len()).collect();
        let parts: Vec<IndicatorId> = self.located.parts();
        let mut cells = Cells::default();
        let mut whole = [[0.0; 2]; 2];
        for (key, sums) in leaves {
            for side in SIDES {
                for (part, id) in parts.iter().enumerate() {
                    cells.put(side, &set, key, *id, sums[side][part]);
                    whole[side][part] += sums[side][part];
                }
            }
        }
        for side in SIDES {
            for (part, id) in parts.iter().enumerate() {
                cells.put(side, &[], &vec![], *id, whole[side][part]);
            }
            if let (Some(planned), OverSlices::Ratio { scale, .. }) = (&self.targeted.planned, self.located.over) {
                let value = scale * whole[side][0] / whole[side][1] + planned.constant(sides);
                cells.put(side, &[], &vec![], self.located.root, value);
            }
        }
        cells
    }

    fn require_targets(&self, sides: &Cells, leaves: &[Leaf]) -> Result<(), Diagnostic> {
        let (name, by) = (&self.located.name, self.located.by.join(", "));
        let at = |diagnostic: Diagnostic| match self.located.dimensions {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        };
        if leaves.is_empty() {
            let message = format!("no target of `{name}` is for slices of `{by}`");
            return Err(at(Diagnostic::new(codes::NO_TARGET, message))
                .note("the search needs what each combination of their values should have reached")
                .help(format!("declare targets for them (`for each {by}`, or amounts from a table), or name only dimensions that have some")));
        }
        if let Some((key, sums)) = leaves.iter().find(|(_, sums)| sums[0][0] <= 0.0) {
            let slice: Vec<&str> = key.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
            let message =
                format!("the target of {} ({}) is no amount that can be missed in part", slice.join(", "), sums[0][0]);
            return Err(at(Diagnostic::new(codes::NOT_SLICEABLE, message))
                .help("compare with a period, or leave out the dimension"));
        }
        let (Some(whole), OverSlices::Sum) = (sides.total(SIDES[0], self.located.root), self.located.over) else {
            return Ok(());
        };
        let sum: f64 = leaves.iter().map(|(_, sums)| sums[0][0]).sum();
        if (sum - whole).abs() <= ROUNDING * whole.abs() {
            return Ok(());
        }
        let message = format!("the targets of the slices add up to {sum}, and that of `{name}` is {whole}");
        Err(at(Diagnostic::new(codes::NOT_SLICEABLE, message))
            .note("what slices have together (`others`), or nobody has, could not be searched")
            .help("give each slice its own target, or compare with a period"))
    }
}

impl Answer for Due {
    fn schema(&self) -> SchemaRef {
        self.located.schema()
    }

    fn answer(&self, cells: &Cells) -> PlanResult<RecordBatch> {
        let sides = self.targeted.sides(cells);
        for side in SIDES {
            if sides.total(side, self.located.root).is_none() {
                return Err(self.located.no_value(side).into());
            }
        }
        let leaves = self.leaves(&sides);
        self.require_targets(&sides, &leaves)?;
        self.located.answer(&self.cells(&sides, &leaves))
    }
}
