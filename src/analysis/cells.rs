//! The values that came back: for each side and slice, those of the indicators.

use std::collections::HashMap;
use std::ops::Range;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float64Type, UInt64Type};

use super::question::Question;
use crate::catalog::IndicatorId;

/// The values of a slice's dimensions; `None` is NULL.
pub type Key = Vec<Option<String>>;

/// By what slices are sorted: by their values, NULL last.
pub(super) fn in_order(key: &Key) -> Vec<(bool, Option<String>)> {
    key.iter().map(|part| (part.is_none(), part.clone())).collect()
}

/// The values of all questions of an analysis.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    values: HashMap<(usize, Vec<usize>, Key), HashMap<IndicatorId, f64>>,
}

impl Cells {
    /// Takes the rows of a question.
    pub fn add(&mut self, question: &Question, batch: &RecordBatch) {
        let number = |column: usize, row: usize| {
            let column = batch.column(column).as_primitive::<UInt64Type>();
            column.value(row)
        };
        for row in 0..batch.num_rows() {
            let (side, left_out) = (number(0, row) as usize, number(1, row));
            let is_in = |dimension: &usize| left_out & (1 << (question.dimensions - 1 - dimension)) == 0;
            let set: Vec<usize> = (0..question.dimensions).filter(is_in).collect();
            let text = |dimension: &usize| {
                let column = batch.column(2 + dimension).as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_string())
            };
            let key: Key = set.iter().map(text).collect();
            let cell = self.values.entry((side, set, key)).or_default();
            for (at, id) in question.indicators.iter().enumerate() {
                let column = batch.column(2 + question.dimensions + at).as_primitive::<Float64Type>();
                if column.is_valid(row) {
                    cell.insert(*id, column.value(row));
                }
            }
        }
    }

    /// Those of some sides alone.
    pub(super) fn of_sides(&self, sides: &Range<usize>) -> Cells {
        let own = self.values.iter().filter(|((side, ..), _)| sides.contains(side));
        Cells { values: own.map(|(key, values)| (key.clone(), values.clone())).collect() }
    }

    /// Puts a value in.
    pub(super) fn put(&mut self, side: usize, set: &[usize], key: &Key, id: IndicatorId, value: f64) {
        self.values.entry((side, set.to_vec(), key.clone())).or_default().insert(id, value);
    }

    /// The value of an indicator for a slice; `None` where it has none.
    pub fn value(&self, side: usize, set: &[usize], key: &Key, id: IndicatorId) -> Option<f64> {
        self.values.get(&(side, set.to_vec(), key.clone()))?.get(&id).copied()
    }

    /// The value of an indicator for everything that is asked.
    pub fn total(&self, side: usize, id: IndicatorId) -> Option<f64> {
        self.value(side, &[], &vec![], id)
    }

    /// Whether a side has rows.
    pub fn has_rows(&self, side: usize) -> bool {
        self.values.contains_key(&(side, vec![], vec![]))
    }

    /// All that is known of the slices of a set of dimensions: side, slice, values.
    pub fn of_set(&self, set: &[usize]) -> impl Iterator<Item = (usize, &Key, &HashMap<IndicatorId, f64>)> {
        let of_set = self.values.iter().filter(move |((_, known, _), _)| known == set);
        of_set.map(|((side, _, key), values)| (*side, key, values))
    }

    /// The slices of a set of dimensions that either side has, in order of their values, NULL last.
    pub fn slices(&self, set: &[usize]) -> Vec<Key> {
        let of_set = self.values.keys().filter(|(_, known, _)| known == set);
        let mut keys: Vec<Key> = of_set.map(|(_, _, key)| key.clone()).collect();
        keys.sort_by_key(in_order);
        keys.dedup();
        keys
    }
}
