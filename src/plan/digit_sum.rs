//! `bell_sum(digits)`: a sum of integers of 64 bits that says so when it needs more.
//!
//! DataFusion's sum of integers goes round at the end of their range. This one stays at [`BEYOND`], whatever comes, and
//! [`bell_decimal`](super::digits) refuses it.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, Signature, Volatility,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// A sum that 64 bits do not hold, or of one.
pub(crate) const BEYOND: i64 = i64::MIN;

static SUM: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(DigitSum { signature }))
});

/// The function, to register.
pub fn digit_sum() -> Arc<AggregateUDF> {
    Arc::clone(&SUM)
}

/// The sum of these digits, of the rows that the filter of another call leaves.
pub(crate) fn sum_like(call: &AggregateFunction, digits: Expr) -> Expr {
    let mut params = call.params.clone();
    params.args = vec![digits];
    Expr::AggregateFunction(AggregateFunction { func: digit_sum(), params })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DigitSum {
    signature: Signature,
}

impl AggregateUDFImpl for DigitSum {
    fn name(&self) -> &str {
        "bell_sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[sum]", args.name), DataType::Int64, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(None)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(PrimitiveGroupsAccumulator::<Int64Type, _>::new(&DataType::Int64, add)))
    }
}

fn add(sum: &mut i64, value: i64) {
    let (next, over) = sum.overflowing_add(value);
    *sum = if over | (*sum == BEYOND) | (value == BEYOND) { BEYOND } else { next };
}

/// The sum without groups.
#[derive(Debug)]
struct One(Option<i64>);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Int64Type>();
        if values.null_count() == values.len() {
            return Ok(());
        }
        let mut sum = self.0.unwrap_or_default();
        match values.nulls() {
            None => values.values().iter().for_each(|value| add(&mut sum, *value)),
            Some(_) => values.iter().flatten().for_each(|value| add(&mut sum, value)),
        }
        self.0 = Some(sum);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(self.0))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_beyond_stays_beyond() {
        let mut sum = i64::MAX - 1;
        add(&mut sum, 1);
        assert_eq!(sum, i64::MAX);
        add(&mut sum, 1);
        assert_eq!(sum, BEYOND);
        add(&mut sum, -5);
        assert_eq!(sum, BEYOND);
        let mut merged = 3;
        add(&mut merged, BEYOND);
        assert_eq!(merged, BEYOND);
        let mut least = i64::MIN + 1;
        add(&mut least, -1);
        assert_eq!(least, BEYOND);
    }
}
