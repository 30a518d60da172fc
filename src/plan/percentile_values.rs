//! `bell_percentiles(value, 0.5, 0.9, …)`: several exact percentiles of the values of a group, kept once.
//!
//! DataFusion's `percentile_cont` keeps a list of the values of each group for each percentile, and each list doubles as
//! it grows. Here all values are kept together, as they come, and are put in order of their groups once, at the end.
//! The numbers are `percentile_cont`'s, to the last digit.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, LargeListArray, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::{filter, is_not_null};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;

/// DataFusion rounds the place between two values down to so many parts.
const PLACES: f64 = 1_000_000.0;

/// So many values are kept in one allocation.
const CHUNK: usize = 1 << 16;

/// Fewer values than these are copied, not kept as a slice of what they came in.
const FEW: usize = 64;

static PERCENTILES: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Percentiles { signature }))
});

/// The function, to register: `bell_percentiles(value, fraction, …)`, of doubles, as a struct of `p0`, `p1`, ….
pub fn percentiles() -> Arc<AggregateUDF> {
    Arc::clone(&PERCENTILES)
}

/// The name of a percentile in what the function gives.
pub(crate) fn field_name(at: usize) -> String {
    format!("p{at}")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentiles {
    signature: Signature,
}

impl AggregateUDFImpl for Percentiles {
    fn name(&self) -> &str {
        "bell_percentiles"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(DataType::Float64) => Ok(DataType::Struct(fields(arguments.len() - 1))),
            _ => plan_err!("bell_percentiles takes doubles"),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), DataType::LargeList(item()), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(Values::new(fractions(&args)?))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Values::new(fractions(&args)?)))
    }
}

fn fields(count: usize) -> Fields {
    (0..count).map(|at| Field::new(field_name(at), DataType::Float64, true)).collect()
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

fn fractions(args: &AccumulatorArgs) -> Result<Vec<f64>> {
    let fraction = |literal: &Literal| match literal.value() {
        ScalarValue::Float64(Some(fraction)) if (0.0..=1.0).contains(fraction) => Some(*fraction),
        _ => None,
    };
    let fractions: Option<Vec<f64>> =
        args.exprs[1..].iter().map(|expr| expr.downcast_ref::<Literal>().and_then(fraction)).collect();
    match fractions {
        Some(fractions) => Ok(fractions),
        None => plan_err!("the percentiles are numbers from 0 to 1"),
    }
}

/// The values of all groups, in the order in which they came.
#[derive(Debug)]
struct Values {
    fractions: Vec<f64>,
    /// How many groups there are.
    groups: usize,
    /// Values one by one, each with its group.
    chunks: Vec<(Vec<u32>, Vec<f64>)>,
    /// Many values of one group, as they came.
    slices: Vec<(u32, Float64Array)>,
}

/// The values of all groups, group by group.
struct Sorted {
    /// Where each group begins, and the last one ends.
    bounds: Vec<usize>,
    values: Vec<f64>,
}

impl Values {
    fn new(fractions: Vec<f64>) -> Self {
        Values { fractions, groups: 0, chunks: vec![], slices: vec![] }
    }

    fn push(&mut self, group: usize, value: f64) {
        let full = |(_, values): &(Vec<u32>, Vec<f64>)| values.len() == CHUNK;
        if self.chunks.last().is_none_or(full) {
            // What is small stays small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push((Vec::with_capacity(room), Vec::with_capacity(room)));
        }
        if let Some((groups, values)) = self.chunks.last_mut() {
            groups.push(group as u32);
            values.push(value);
        }
    }

    /// More values of one group, none of them NULL.
    fn append(&mut self, group: usize, values: &Float64Array) {
        match values.len() {
            0..FEW => values.values().iter().for_each(|value| self.push(group, *value)),
            _ => self.slices.push((group as u32, values.clone())),
        }
    }

    fn sorted(&mut self) -> Sorted {
        let (chunks, slices) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.slices));
        let mut bounds = vec![0; self.groups + 1];
        chunks.iter().flat_map(|(groups, _)| groups).for_each(|group| bounds[*group as usize + 1] += 1);
        slices.iter().for_each(|(group, values)| bounds[*group as usize + 1] += values.len());
        (0..self.groups).for_each(|group| bounds[group + 1] += bounds[group]);
        let mut next = bounds.clone();
        let mut values = vec![0.0; bounds[self.groups]];
        for (groups, of_chunk) in chunks {
            for (group, value) in groups.into_iter().zip(of_chunk) {
                let at = &mut next[group as usize];
                values[*at] = value;
                *at += 1;
            }
        }
        for (group, slice) in slices {
            let at = &mut next[group as usize];
            values[*at..*at + slice.len()].copy_from_slice(slice.values());
            *at += slice.len();
        }
        Sorted { bounds, values }
    }

    /// The first groups; what comes after them is kept, numbered from 0.
    fn first(&mut self, count: usize) -> Sorted {
        let Sorted { mut bounds, values } = self.sorted();
        let values = ScalarBuffer::from(values);
        for group in count..self.groups {
            let of_group = values.slice(bounds[group], bounds[group + 1] - bounds[group]);
            self.append(group - count, &Float64Array::new(of_group, None));
        }
        self.groups -= count;
        bounds.truncate(count + 1);
        let values = values[..bounds[count]].to_vec();
        Sorted { bounds, values }
    }

    fn emitted(&mut self, emit_to: EmitTo) -> Sorted {
        match emit_to {
            EmitTo::First(count) if count < self.groups => self.first(count),
            _ => {
                let sorted = self.sorted();
                self.groups = 0;
                sorted
            }
        }
    }

    fn percentiles(&self, mut sorted: Sorted) -> StructArray {
        let rows = sorted.bounds.len() - 1;
        let mut found: Vec<Vec<Option<f64>>> = vec![vec![None; rows]; self.fractions.len()];
        let mut ascending: Vec<usize> = (0..self.fractions.len()).collect();
        ascending.sort_by(|a, b| self.fractions[*a].total_cmp(&self.fractions[*b]));
        for (group, bounds) in sorted.bounds.windows(2).enumerate() {
            let mut rest = &mut sorted.values[bounds[0]..bounds[1]];
            let Some(last) = rest.len().checked_sub(1) else { continue };
            for at in &ascending {
                // What is left has the largest values in it.
                let index = self.fractions[*at] * last as f64;
                let skipped = last + 1 - rest.len();
                let (value, larger) = percentile(rest, index - skipped as f64);
                found[*at][group] = Some(value);
                rest = larger;
            }
        }
        let columns = found.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef).collect();
        // The length is needed where no percentile is asked for.
        StructArray::try_new_with_length(fields(self.fractions.len()), columns, None, rows)
            .expect("as many values in each column as there are groups")
    }
}

/// The value at a place in the order of values, between two of them if need be, and the values from there on:
/// `percentile_cont` of DataFusion 55.2.
fn percentile(values: &mut [f64], index: f64) -> (f64, &mut [f64]) {
    let at = index.floor() as usize;
    let (_, lower, above) = values.select_nth_unstable_by(at, f64::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().min_by(f64::total_cmp);
    let weight = ((index - at as f64) * PLACES).trunc() / PLACES;
    let value = match upper {
        Some(upper) if index > at as f64 => lower + (upper - lower) * weight,
        _ => lower,
    };
    (value, &mut values[at..])
}

impl GroupsAccumulator for Values {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        let values = values[0].as_primitive::<Float64Type>();
        let kept = kept(values, opt_filter);
        for (row, group) in group_indices.iter().enumerate() {
            if kept.as_ref().is_none_or(|kept| kept.is_valid(row)) {
                self.push(*group, values.value(row));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups = total_num_groups;
        let lists = states[0].as_list::<i64>();
        for (row, group) in group_indices.iter().enumerate().filter(|(row, _)| lists.is_valid(*row)) {
            self.append(*group, lists.value(row).as_primitive::<Float64Type>());
        }
        Ok(())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let Sorted { bounds, values } = self.emitted(emit_to);
        let offsets: ScalarBuffer<i64> = bounds.into_iter().map(|bound| bound as i64).collect();
        let values = Arc::new(Float64Array::from(values));
        Ok(vec![Arc::new(LargeListArray::try_new(item(), OffsetBuffer::new(offsets), values, None)?)])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sorted = self.emitted(emit_to);
        Ok(Arc::new(self.percentiles(sorted)))
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let kept = kept(values, opt_filter);
        let offsets = OffsetBuffer::<i64>::from_lengths(std::iter::repeat_n(1, values.len()));
        let values = Arc::new(Float64Array::new(values.values().clone(), None));
        Ok(vec![Arc::new(LargeListArray::try_new(item(), offsets, values, kept)?)])
    }

    fn size(&self) -> usize {
        let chunk = |(groups, values): &(Vec<u32>, Vec<f64>)| groups.capacity() * 4 + values.capacity() * 8;
        let slice = |(_, values): &(u32, Float64Array)| size_of::<(u32, Float64Array)>() + values.len() * 8;
        size_of_val(self) + self.chunks.iter().map(chunk).sum::<usize>() + self.slices.iter().map(slice).sum::<usize>()
    }
}

/// The rows that are neither NULL nor left out by a filter; none, if that is all of them.
fn kept(values: &Float64Array, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let filter = filter.map(|filter| match filter.nulls() {
        Some(nulls) => NullBuffer::new(filter.values() & nulls.inner()),
        None => NullBuffer::new(filter.values().clone()),
    });
    NullBuffer::union(values.nulls(), filter.as_ref())
}

/// The values without groups.
#[derive(Debug)]
struct One(Values);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.groups = 1;
        match values[0].null_count() {
            0 => self.0.append(0, values[0].as_primitive()),
            _ => self.0.append(0, filter(&values[0], &is_not_null(&values[0])?)?.as_primitive()),
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states, &vec![0; states[0].len()], 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.groups = 1;
        Ok(vec![ScalarValue::try_from_array(&self.0.state(EmitTo::All)?[0], 0)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.groups = 1;
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
