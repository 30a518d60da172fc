//! Decimals as the integers that their digits are, and back: [`NarrowDecimals`](super::narrow::NarrowDecimals) computes
//! with these where 64 bits hold every value.

use std::any::type_name;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Int64Array, PrimitiveArray,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::digit_sum::BEYOND;

/// The values that something has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: i64,
    pub(crate) greatest: i64,
}

static DIGITS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function(Way::Digits));
static DECIMAL: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function(Way::Decimal));

fn function(way: Way) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Digits { way, signature: Signature::any(way.arity(), Volatility::Immutable) }))
}

/// The functions, to register.
pub fn digit_functions() -> [Arc<ScalarUDF>; 2] {
    [Arc::clone(&DIGITS), Arc::clone(&DECIMAL)]
}

/// Whether a function gives the digits of its first argument.
pub(crate) fn takes_digits(function: &ScalarUDF) -> bool {
    *function == **DIGITS
}

/// `bell_digits(d, least, greatest)`: the digits of a decimal as an integer, 12.34 as 1234.
pub(crate) fn digits_of(decimal: Expr, bounds: Bounds) -> Expr {
    DIGITS.call(vec![decimal, lit(bounds.least), lit(bounds.greatest)])
}

/// `bell_decimal(digits, precision, scale, least, greatest)`: the decimal that has these digits.
pub(crate) fn decimal_of(digits: Expr, precision: u8, scale: i8, bounds: Bounds) -> Expr {
    let kind = [lit(i64::from(precision)), lit(i64::from(scale))];
    let bounds = [lit(bounds.least), lit(bounds.greatest)];
    DECIMAL.call([digits].into_iter().chain(kind).chain(bounds).collect())
}

/// The decimal that has a sum's digits; nothing is said of how large it is.
pub(crate) fn sum_as_decimal(digits: Expr, precision: u8, scale: i8) -> Expr {
    decimal_of(digits, precision, scale, Bounds { least: BEYOND, greatest: i64::MAX })
}

/// The bounds that a call of `bell_decimal` tells.
pub(crate) fn bounds_told(expr: &Expr) -> Option<Bounds> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let [_, _, _, least, greatest] = call.args.as_slice() else { return None };
    if call.func != *DECIMAL {
        return None;
    }
    Some(Bounds { least: whole(least)?, greatest: whole(greatest)? })
}

/// What the digits are of a decimal that was made of digits, if these were bounded as they are now.
pub(crate) fn same_digits(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let [decimal @ Expr::ScalarFunction(made), least, greatest] = call.args.as_slice() else { return None };
    let told = bounds_told(decimal).filter(|_| takes_digits(&call.func))?;
    let same = whole(least) == Some(told.least) && whole(greatest) == Some(told.greatest);
    made.args.first().filter(|_| same)
}

fn whole(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => Some(*number),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Digits,
    Decimal,
}

impl Way {
    fn arity(self) -> usize {
        match self {
            Way::Digits => 3,
            Way::Decimal => 5,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Digits {
    way: Way,
    signature: Signature,
}

impl ScalarUDFImpl for Digits {
    fn name(&self) -> &str {
        match self.way {
            Way::Digits => "bell_digits",
            Way::Decimal => "bell_decimal",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} follows from its arguments", type_name::<Self>())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let data_type = match (self.way, args.scalar_arguments) {
            (Way::Digits, _) => DataType::Int64,
            (
                Way::Decimal,
                [_, Some(ScalarValue::Int64(Some(precision))), Some(ScalarValue::Int64(Some(scale))), ..],
            ) => match (u8::try_from(*precision), i8::try_from(*scale)) {
                (Ok(precision), Ok(scale)) => DataType::Decimal128(precision, scale),
                _ => return plan_err!("{} has no such type", self.name()),
            },
            _ => return plan_err!("{} needs its type as constants", self.name()),
        };
        let nullable = args.arg_fields.first().is_none_or(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |at: usize| match args.args.get(at) {
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(number)))) => Ok(*number),
            _ => exec_err!("{} needs constants after its value", self.name()),
        };
        let values = args.args[0].to_array(args.number_rows)?;
        let array: ArrayRef = match (self.way, args.return_field.data_type()) {
            (Way::Digits, _) => Arc::new(digits(&values, Bounds { least: constant(1)?, greatest: constant(2)? })?),
            (Way::Decimal, DataType::Decimal128(precision, scale)) => {
                let digits = values.as_primitive::<Int64Type>();
                if constant(3)? == BEYOND && digits.iter().flatten().any(|sum| sum == BEYOND) {
                    return exec_err!(
                        "a sum needs more digits than the statistics of the files said when the project was opened: \
                         open it again, or `SET bell.narrow_decimals = false`"
                    );
                }
                Arc::new(decimals(digits).with_precision_and_scale(*precision, *scale)?)
            }
            (Way::Decimal, other) => return internal_err!("digits are no {other}"),
        };
        match &args.args[0] {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// Values outside of the bounds could make results of more than 64 bits: a file has changed since its statistics were
/// read, or some writer left them out for a part of it.
fn digits(values: &ArrayRef, bounds: Bounds) -> Result<Int64Array> {
    let (digits, inside) = match values.data_type() {
        DataType::Decimal64(..) => {
            let decimals = values.as_primitive::<Decimal64Type>();
            (decimals.values().clone(), are_inside(decimals, bounds.least, bounds.greatest))
        }
        _ => {
            let decimals = values.as_primitive::<Decimal128Type>();
            let digits: ScalarBuffer<i64> = decimals.values().iter().map(|value| *value as i64).collect();
            (digits, are_inside(decimals, i128::from(bounds.least), i128::from(bounds.greatest)))
        }
    };
    if !inside {
        return exec_err!(
            "a value lies outside of what the statistics of its file said when the project was opened: the file has \
             changed since, or its statistics are wrong or not there for all of it; open the project again, or \
             `SET bell.narrow_decimals = false`"
        );
    }
    Ok(PrimitiveArray::new(digits, values.nulls().cloned()))
}

fn are_inside<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>, least: T::Native, greatest: T::Native) -> bool
where
    T::Native: PartialOrd,
{
    let outside = |value: T::Native| (value < least) | (value > greatest);
    let any = values.values().iter().fold(false, |any, value| any | outside(*value));
    // What NULLs are made of means nothing.
    !any || !values.iter().flatten().any(outside)
}

fn decimals(digits: &Int64Array) -> Decimal128Array {
    digits.unary(i128::from)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Decimal64Array;

    use super::*;

    fn cents(values: &[Option<i128>]) -> ArrayRef {
        let array: Decimal128Array = values.iter().copied().collect();
        Arc::new(array.with_precision_and_scale(15, 2).unwrap())
    }

    #[test]
    fn digits_are_those_of_decimals_and_make_them_again() {
        let values = cents(&[Some(1234), None, Some(-5)]);
        let found = digits(&values, Bounds { least: -5, greatest: 1234 }).unwrap();
        assert_eq!(found, Int64Array::from(vec![Some(1234), None, Some(-5)]));
        let again = decimals(&found).with_precision_and_scale(15, 2).unwrap();
        assert_eq!(&again, values.as_primitive::<Decimal128Type>());
    }

    #[test]
    fn digits_that_are_stored_stay_where_they_are() {
        let stored: Decimal64Array = [Some(7), None, Some(-8)].into_iter().collect();
        let bounds = Bounds { least: -8, greatest: 7 };
        let found = digits(&(Arc::new(stored.clone()) as ArrayRef), bounds).unwrap();
        assert_eq!(found, Int64Array::from(vec![Some(7), None, Some(-8)]));
        assert!(found.values().ptr_eq(stored.values()));
        assert!(digits(&(Arc::new(stored) as ArrayRef), Bounds { least: -7, greatest: 7 }).is_err());
    }

    #[test]
    fn a_value_that_nobody_knew_of_is_refused() {
        let problem = digits(&cents(&[Some(7), Some(8)]), Bounds { least: 0, greatest: 7 }).unwrap_err().to_string();
        assert!(problem.contains("the file has changed"), "{problem}");
    }
}
