//! The type in which values of two types are compared.
//!
//! A column's type changes with the files that it is made of and with its definition. Cast to either of the two, a value may
//! lose what differs: 50.5 is 50 as an integer.

use datafusion::arrow::datatypes::{DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, try_cast};

/// A type that loses nothing of either: of doubles twelve digits count, and these are in the double of a number of any type.
/// What has no such type is compared as it is written.
pub(super) fn common(one: &DataType, other: &DataType) -> DataType {
    use DataType::{Date32, Decimal256, Float64, Null, Timestamp, Utf8};
    if one == other {
        return one.clone();
    }
    match (plain(one), plain(other)) {
        (one, other) if one == other => one,
        (Null, typed) | (typed, Null) => typed,
        (one, other) if one.is_numeric() && other.is_numeric() => match one.is_floating() || other.is_floating() {
            true => Float64,
            false => Decimal256(DECIMAL256_MAX_PRECISION, scale(&one).max(scale(&other))),
        },
        (Date32, Timestamp(unit, None)) | (Timestamp(unit, None), Date32) => Timestamp(unit, None),
        (Timestamp(one, None), Timestamp(other, None)) => Timestamp(one.max(other), None),
        (Timestamp(one, Some(_)), Timestamp(other, zone @ Some(_))) => Timestamp(one.max(other), zone),
        _ => Utf8,
    }
}

/// The same of keys, which must be as many in it as they are in either.
///
/// # Errors
/// Why there is none, in a sentence.
pub(super) fn common_of_keys(name: &str, was: &DataType, is: &DataType) -> Result<DataType, String> {
    let found = common(was, is);
    let rounds = found == DataType::Float64 && !(was.is_floating() && is.is_floating());
    let untimes = found == DataType::Utf8 && (was.is_temporal() || is.is_temporal());
    match was != is && (rounds || untimes) {
        true => Err(format!("`{name}` was {was} and is {is}")),
        false => Ok(found),
    }
}

/// A column in such a type; what does not fit there is NULL.
pub(super) fn typed(plan: &LogicalPlan, name: &str, to: &DataType) -> datafusion::error::Result<Expr> {
    let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
    let column = Expr::Column(Column::new(qualifier.cloned(), name));
    Ok(if field.data_type() == to { column } else { try_cast(column, to.clone()) })
}

/// The type of a column.
pub(super) fn type_of(plan: &LogicalPlan, name: &str) -> datafusion::error::Result<DataType> {
    Ok(plan.schema().field_with_unqualified_name(name)?.data_type().clone())
}

/// However values are held in memory.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    }
}

fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => (*scale).max(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::TimeUnit::{Millisecond, Nanosecond, Second};

    use super::*;
    use DataType::{Date32, Decimal128, Decimal256, Float32, Float64, Int64, Timestamp, UInt64, Utf8, Utf8View};

    #[test]
    fn nothing_is_lost_in_a_common_type() {
        let day_time = Timestamp(Second, None);
        for (one, other, expected) in [
            (Int64, Int64, Int64),
            (Int64, UInt64, Decimal256(76, 0)),
            (Decimal128(10, 2), Int64, Decimal256(76, 2)),
            (Decimal128(10, 2), Decimal128(38, 4), Decimal256(76, 4)),
            (Int64, Float64, Float64),
            (Float32, Float64, Float64),
            (Utf8, Utf8View, Utf8),
            (Int64, Utf8View, Utf8),
            (Date32, day_time.clone(), day_time.clone()),
            (Timestamp(Millisecond, None), day_time.clone(), Timestamp(Millisecond, None)),
            (day_time.clone(), Timestamp(Nanosecond, None), Timestamp(Nanosecond, None)),
            (day_time.clone(), Timestamp(Second, Some("UTC".into())), Utf8),
        ] {
            assert_eq!(common(&one, &other), expected, "{one}, {other}");
            assert_eq!(common(&other, &one), expected, "{other}, {one}");
        }
    }

    #[test]
    fn keys_stay_as_many_as_they_are() {
        assert_eq!(common_of_keys("k", &Int64, &Utf8), Ok(Utf8));
        assert_eq!(common_of_keys("k", &Float32, &Float64), Ok(Float64));
        assert_eq!(common_of_keys("k", &Int64, &Float64), Err("`k` was Int64 and is Float64".to_string()));
        let zoned = Timestamp(Second, Some("UTC".into()));
        assert!(common_of_keys("k", &zoned, &Timestamp(Second, None)).is_err());
        assert!(common_of_keys("k", &Date32, &Utf8).is_err());
    }
}
