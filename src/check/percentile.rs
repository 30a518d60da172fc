//! `percentile_disc`: SQL's percentile that is one of the values, which DataFusion does not have.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use datafusion::arrow::compute::{SortOptions, concat, filter, is_not_null, sort_to_indices};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

/// `percentile_disc(0.9) within group (order by x)`: the first value, in order, at or before which that share of the
/// values lies.
pub fn percentile_disc() -> Arc<AggregateUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(AggregateUDF::from(PercentileDisc { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileDisc {
    signature: Signature,
}

impl AggregateUDFImpl for PercentileDisc {
    fn name(&self) -> &str {
        "percentile_disc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(args.input_fields[0].data_type().clone(), true);
        Ok(vec![Arc::new(Field::new(args.name, DataType::List(Arc::new(item)), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let literal =
            args.exprs[1].downcast_ref::<Literal>().map(|literal| literal.value().cast_to(&DataType::Float64));
        let fraction = match literal.transpose()? {
            Some(ScalarValue::Float64(Some(fraction))) if (0.0..=1.0).contains(&fraction) => fraction,
            _ => return plan_err!("the percentile is a number from 0 to 1"),
        };
        let options = args.order_bys.first().map(|order| order.options).unwrap_or_default();
        let data_type = args.expr_fields[0].data_type().clone();
        Ok(Box::new(Values { fraction, descending: options.descending, data_type, values: vec![] }))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

/// All values that are not NULL.
#[derive(Debug)]
struct Values {
    fraction: f64,
    descending: bool,
    data_type: DataType,
    values: Vec<ArrayRef>,
}

impl Values {
    fn keep(&mut self, values: &ArrayRef) -> Result<()> {
        let known = if values.null_count() > 0 { filter(values, &is_not_null(values)?)? } else { Arc::clone(values) };
        if !known.is_empty() {
            self.values.push(known);
        }
        Ok(())
    }

    fn all(&self) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        Ok(if arrays.is_empty() { new_empty_array(&self.data_type) } else { concat(&arrays)? })
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.keep(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|values| self.keep(&values))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![SingleRowListArrayBuilder::new(self.all()?).build_list_scalar()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        if all.is_empty() {
            return ScalarValue::try_from(&self.data_type);
        }
        let options = SortOptions { descending: self.descending, nulls_first: false };
        let at = ((self.fraction * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1;
        let sorted = sort_to_indices(&all, Some(options), Some(at + 1))?;
        ScalarValue::try_from_array(&all, sorted.value(at) as usize)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(|array| array.get_array_memory_size()).sum::<usize>()
    }
}
