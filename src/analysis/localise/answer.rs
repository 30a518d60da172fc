//! From the values of the leaves to the rows that name causes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::gain::{Direction, Model, Sums};
use super::scan::{Cause, Cell, Leaf, Limits, meet, scan};
use crate::analysis::cells::{Cells, Key};
use crate::analysis::components::OverSlices;
use crate::analysis::effects::Method;
use crate::analysis::nested::ROUNDING;
use crate::analysis::slices::{Ratio, Slice, of_ratio};
use crate::catalog::IndicatorId;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

/// What is looked for.
#[derive(Debug)]
pub struct Located {
    /// The indicator's name.
    pub name: String,
    /// The indicator.
    pub root: IndicatorId,
    /// What it is over slices.
    pub over: OverSlices,
    /// The dimensions' names.
    pub by: Vec<String>,
    /// Whether the base is what was to be reached.
    pub is_due: bool,
    /// How far the search goes.
    pub limits: Limits,
    /// What the sides are called: those of the base, then the current one.
    pub sides: Vec<String>,
    /// Where base and current side are said.
    pub places: [Option<Span>; 2],
    /// Where the dimensions are said.
    pub dimensions: Option<Span>,
}

/// The leaves, with the values that their numbers stand for.
struct Leaves {
    leaves: Vec<Leaf>,
    values: Vec<Vec<Option<String>>>,
}

impl crate::analysis::Answer for Located {
    fn schema(&self) -> SchemaRef {
        let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
        let count = |name: &str| Field::new(name, DataType::Int32, false);
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let numbers = ["base", "current", "effect", "share", "score", "chance"].map(number);
        let first = [count("rank"), text("reading", false), text("cause", false), count("dimensions")];
        let fields: Vec<Field> = first.into_iter().chain(numbers).chain([text("flags", true)]).collect();
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let whole = self.whole(cells)?;
        let leaves = self.leaves(cells);
        self.require_sum(cells, &leaves.leaves)?;
        let model = self.model(&leaves.leaves)?;
        let change = self.effect(&whole, &whole);
        let own = match self.over {
            OverSlices::Ratio { scale, .. } => change / scale,
            _ => change,
        };
        let direction = if own > 0.0 { Direction::Rise } else { Direction::Fall };
        let found = match own == 0.0 {
            true => vec![],
            false => scan(model, direction, &leaves.leaves, self.limits),
        };
        self.batch(cells, &found, &leaves, &whole, change)
    }
}

/// A row of the answer.
struct Row {
    rank: i32,
    reading: &'static str,
    cell: Cell,
    sums: Sums,
    score: f64,
    chance: Option<f64>,
    flag: Option<&'static str>,
}

impl Located {
    fn periods(&self) -> f64 {
        (self.sides.len() - 1) as f64
    }

    /// What is summed: a sum, or the two of a ratio.
    pub(super) fn parts(&self) -> Vec<IndicatorId> {
        match self.over {
            OverSlices::Ratio { above, below, .. } => vec![above, below],
            OverSlices::Sum | OverSlices::Neither => vec![self.root],
        }
    }

    /// The sums of the whole.
    fn whole(&self, cells: &Cells) -> Result<Sums, Diagnostic> {
        let mut whole = Sums::default();
        let last = self.sides.len() - 1;
        for (part, id) in self.parts().into_iter().enumerate() {
            for side in 0..=last {
                let value = cells.total(side, id);
                // A ratio's base is that of all its periods together; of a mean of sums each has to be known.
                if value.is_none() && (matches!(self.over, OverSlices::Sum) || side == last) {
                    return Err(self.no_value(side));
                }
                let into = if side == last { &mut whole.current } else { &mut whole.base };
                into[part] += value.unwrap_or(0.0);
            }
        }
        let divides = matches!(self.over, OverSlices::Ratio { .. });
        match [whole.base[1], whole.current[1]] {
            [0.0, _] if divides => Err(self.no_value(0)),
            [_, 0.0] if divides => Err(self.no_value(last)),
            _ => Ok(whole),
        }
    }

    pub(super) fn no_value(&self, side: usize) -> Diagnostic {
        let current = side + 1 == self.sides.len();
        let which = if current { "current side" } else { "base" };
        let message = format!("`{}` has no value on the {which}, {}", self.name, self.sides[side]);
        let diagnostic = Diagnostic::new(codes::NO_VALUE, message);
        let help = "a change needs a value on both sides: compare with periods that have rows";
        match self.places[usize::from(current)].or(self.places[1]) {
            Some(place) => diagnostic.at(place).help(help),
            None => diagnostic.help(help),
        }
    }

    fn leaves(&self, cells: &Cells) -> Leaves {
        let all: Vec<usize> = (0..self.by.len()).collect();
        let last = self.sides.len() - 1;
        let mut sums: BTreeMap<&Key, Sums> = BTreeMap::new();
        let parts = self.parts();
        for (side, key, values) in cells.of_set(&all) {
            let leaf = sums.entry(key).or_insert(Sums { leaves: 1.0, ..Sums::default() });
            let into = if side == last { &mut leaf.current } else { &mut leaf.base };
            for (part, id) in parts.iter().enumerate() {
                into[part] += values.get(id).copied().unwrap_or(0.0);
            }
        }
        let values: Vec<Vec<Option<String>>> = (0..self.by.len())
            .map(|at| sums.keys().map(|key| key[at].clone()).collect::<BTreeSet<_>>().into_iter().collect())
            .collect();
        let number = |at: usize, value: &Option<String>| values[at].binary_search(value).unwrap_or_default() as u32;
        let key = |key: &Key| key.iter().enumerate().map(|(at, value)| number(at, value)).collect();
        let leaves = sums.iter().map(|(own, sums)| Leaf { key: key(own), sums: *sums }).collect();
        Leaves { leaves, values }
    }

    /// Refuses what is counted in several leaves: nobody could say what a cell of them is.
    fn require_sum(&self, cells: &Cells, leaves: &[Leaf]) -> Result<(), Diagnostic> {
        let mut sum = Sums::default();
        leaves.iter().for_each(|leaf| sum.add(&leaf.sums));
        let size = |part: usize| {
            leaves.iter().map(|leaf| leaf.sums.base[part].abs() + leaf.sums.current[part].abs()).sum::<f64>()
        };
        let whole = self.whole(cells)?;
        let off = |part: usize| {
            let off = [sum.base[part] - whole.base[part], sum.current[part] - whole.current[part]];
            off.iter().any(|off| off.abs() > ROUNDING * size(part))
        };
        if !off(0) && !off(1) {
            return Ok(());
        }
        let message = format!("the slices of `{}` do not add up to it: some of it is counted in several", self.name);
        let mut diagnostic = Diagnostic::new(codes::NOT_SLICEABLE, message);
        if let Some(place) = self.dimensions {
            diagnostic = diagnostic.at(place);
        }
        Err(diagnostic.note("a buyer of two channels is a buyer in both, and one in the whole").help(
            "localise a sum or a count of rows behind it, or leave out the dimension in whose slices it overlaps",
        ))
    }

    fn model(&self, leaves: &[Leaf]) -> Result<Model, Diagnostic> {
        let all =
            |holds: fn([f64; 2]) -> bool| leaves.iter().all(|leaf| holds(leaf.sums.base) && holds(leaf.sums.current));
        let periods = self.periods();
        if self.is_due {
            let short = |leaf: &Leaf| leaf.sums.base[0] < leaf.sums.base[1];
            let share = matches!(self.over, OverSlices::Ratio { .. }) && leaves.iter().all(short);
            return match all(|[value, _]| 0.0 <= value) {
                true => Ok(Model::Due { share: share && all(|[above, below]| above <= below) }),
                false => Err(self.negative()),
            };
        }
        match self.over {
            OverSlices::Ratio { .. } if all(|[above, below]| 0.0 <= above && above <= below) => Ok(Model::Share),
            OverSlices::Ratio { .. } if all(|[above, below]| 0.0 <= above && 0.0 <= below) => Ok(Model::Rate),
            OverSlices::Ratio { .. } => Err(self.negative()),
            _ if all(|[value, _]| 0.0 <= value) => Ok(Model::Sum { periods }),
            _ => Ok(Model::Signed { periods }),
        }
    }

    fn negative(&self) -> Diagnostic {
        let what = if matches!(self.over, OverSlices::Sum) { "it" } else { "what it divides" };
        let message = format!("`{}` has no slices to blame: {what} is negative in some", self.name);
        let diagnostic = Diagnostic::new(codes::NOT_SLICEABLE, message);
        let diagnostic = match self.dimensions {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        };
        diagnostic.help(match self.is_due {
            true => "compare with a period instead of the target",
            false => "localise the sum above the line",
        })
    }

    /// What a cell did to the whole.
    fn effect(&self, cell: &Sums, whole: &Sums) -> f64 {
        let OverSlices::Ratio { scale, .. } = self.over else {
            return cell.current[0] - cell.base[0] / self.periods();
        };
        let ratio = |[above, below]: [f64; 2]| Some(Ratio { above: scale * above, below });
        let rest = |whole: [f64; 2], cell: [f64; 2]| [whole[0] - cell[0], whole[1] - cell[1]];
        let slices = [
            Slice { base: ratio(cell.base), current: ratio(cell.current) },
            Slice { base: ratio(rest(whole.base, cell.base)), current: ratio(rest(whole.current, cell.current)) },
        ];
        of_ratio(&slices, Method::Midpoint).map_or(0.0, |effects| effects[0].effect)
    }

    /// The indicator's values for a cell on both sides; `constant` is what is added to a ratio.
    fn shown(&self, sums: &Sums, constant: f64) -> [Option<f64>; 2] {
        match self.over {
            OverSlices::Ratio { scale, .. } => {
                [sums.base, sums.current].map(|[above, below]| (below != 0.0).then(|| scale * above / below + constant))
            }
            _ => [Some(sums.base[0] / self.periods()), Some(sums.current[0])],
        }
    }

    fn rows(found: &[Cause], leaves: &[Leaf]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (at, cause) in found.iter().enumerate() {
            let rank = at as i32 + 1;
            let rest =
                |cell: &Cell| found[..at].iter().any(|before| meet(&before.cell, cell, leaves)).then_some("rest");
            rows.push(Row {
                rank,
                reading: "cause",
                cell: cause.cell.clone(),
                sums: cause.sums,
                score: cause.gain,
                chance: cause.chance,
                flag: rest(&cause.cell),
            });
            let known = |cell: &Cell| found.iter().any(|other| other.cell == *cell);
            let other = cause.alternative.clone().filter(|(cell, ..)| !known(cell));
            rows.extend(other.map(|(cell, sums, score)| Row {
                rank,
                reading: "alternative",
                flag: rest(&cell),
                cell,
                sums,
                score,
                chance: None,
            }));
        }
        rows
    }

    fn batch(
        &self,
        cells: &Cells,
        found: &[Cause],
        leaves: &Leaves,
        whole: &Sums,
        change: f64,
    ) -> datafusion::common::Result<RecordBatch> {
        let rows = Located::rows(found, &leaves.leaves);
        let total = cells.total(self.sides.len() - 1, self.root);
        let constant = total.zip(self.shown(whole, 0.0)[1]).map_or(0.0, |(value, ratio)| value - ratio);
        // What a ratio only shows through rounding is none.
        let constant = if constant.abs() <= ROUNDING * total.unwrap_or(0.0).abs() { 0.0 } else { constant };
        let numbers = |of: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| of(row).map(|number| number + 0.0))))
        };
        let texts =
            |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
        let named = |row: &Row| {
            let value = |(at, value): &(usize, u32)| {
                let value = leaves.values[*at][*value as usize].as_deref().unwrap_or("NULL");
                format!("{} = {value}", self.by[*at])
            };
            row.cell.iter().map(value).collect::<Vec<_>>().join(", ")
        };
        let effect = |row: &Row| self.effect(&row.sums, whole);
        Ok(RecordBatch::try_new(
            crate::analysis::Answer::schema(self),
            vec![
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.rank))),
                texts(&|row| Some(row.reading.to_string())),
                texts(&|row| Some(named(row))),
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.cell.len() as i32))),
                numbers(&|row| self.shown(&row.sums, constant)[0]),
                numbers(&|row| self.shown(&row.sums, constant)[1]),
                numbers(&|row| Some(effect(row))),
                numbers(&|row| (change != 0.0).then(|| effect(row) / change)),
                numbers(&|row| Some(row.score)),
                numbers(&|row| row.chance),
                texts(&|row| row.flag.map(str::to_string)),
            ],
        )?)
    }
}
