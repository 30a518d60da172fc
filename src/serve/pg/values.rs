//! Values as bytes of the wire.
//!
//! `arrow-pg` writes most of them. Decimal numbers are written here: with all their digits, which it refuses beyond 28.

use std::sync::Arc;

use arrow_pg::datatypes::field_into_pg_type;
use arrow_pg::encoder::{Encoder, encode_value};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field, Int8Type, Schema,
};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;

use super::errors::user;

/// PostgreSQL's type for a column.
pub(in crate::serve) fn wire_type(field: &Arc<Field>) -> PgWireResult<Type> {
    if field.data_type().is_decimal() { Ok(Type::NUMERIC) } else { field_into_pg_type(field) }
}

/// The columns of an answer in the format that a client asks for.
pub(super) fn fields(schema: &Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(formats) = format
        && formats.len() != schema.fields().len()
    {
        let (said, are) = (formats.len(), schema.fields().len());
        return Err(user("08P01", format!("{said} formats are given for {are} columns")));
    }
    let one = |(at, field): (usize, &Arc<Field>)| {
        let name = field.name().clone();
        Ok(FieldInfo::new(name, None, None, wire_type(field)?, format.format_for(at)))
    };
    schema.fields().iter().enumerate().map(one).collect()
}

/// The rows of a batch.
pub(super) fn rows(batch: &RecordBatch, fields: &Arc<Vec<FieldInfo>>) -> Vec<PgWireResult<DataRow>> {
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    (0..batch.num_rows()).map(|row| encoded(&mut encoder, batch, row, fields)).collect()
}

fn encoded(
    encoder: &mut DataRowEncoder,
    batch: &RecordBatch,
    row: usize,
    fields: &Arc<Vec<FieldInfo>>,
) -> PgWireResult<DataRow> {
    let mut bytes = BytesMut::new();
    for (at, column) in batch.columns().iter().enumerate() {
        match decimal(column, row).filter(|_| fields[at].format() == FieldFormat::Binary) {
            None => encode(encoder, column, row, batch.schema_ref().field(at), &fields[at])?,
            Some(number) => {
                // What is encoded so far stands before it.
                bytes.extend_from_slice(&encoder.take_row().data);
                let number = binary(&number);
                bytes.put_i32(number.len() as i32);
                bytes.extend_from_slice(&number);
            }
        }
    }
    let rest = encoder.take_row().data;
    let data = if bytes.is_empty() { rest } else { [&bytes[..], &rest[..]].concat().as_slice().into() };
    Ok(DataRow::new(data, fields.len() as i16))
}

/// One value, by an encoder that writes rows in texts, lines, or anything but decimals in binary.
pub(super) fn encode<E: Encoder>(
    encoder: &mut E,
    column: &ArrayRef,
    row: usize,
    field: &Field,
    info: &FieldInfo,
) -> PgWireResult<()> {
    if column.is_null(row) {
        return encoder.encode_field(&None::<String>, info);
    }
    // The wire has no number of one byte.
    if let Some(small) = column.as_primitive_opt::<Int8Type>() {
        return encoder.encode_field(&Some(i16::from(small.value(row))), info);
    }
    match decimal(column, row) {
        Some(number) => encoder.encode_field(&Some(number), info),
        None => encode_value(encoder, column, row, field, info),
    }
}

/// The digits of a decimal number; `None` for NULL, and for what is none.
fn decimal(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Decimal32(..) => column.as_primitive::<Decimal32Type>().value_as_string(row),
        DataType::Decimal64(..) => column.as_primitive::<Decimal64Type>().value_as_string(row),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => column.as_primitive::<Decimal256Type>().value_as_string(row),
        _ => return None,
    })
}

/// How many decimal digits a digit of the wire holds.
const WIDTH: usize = 4;

/// A decimal number in PostgreSQL's binary form: digits to the base of 10000.
fn binary(number: &str) -> Vec<u8> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let before = whole.len().next_multiple_of(WIDTH) - whole.len();
    let after = fraction.len().next_multiple_of(WIDTH) - fraction.len();
    let padded = ["0".repeat(before).as_str(), whole, fraction, "0".repeat(after).as_str()].concat();
    let digit = |group: &[u8]| group.iter().fold(0_u16, |digit, byte| digit * 10 + u16::from(byte - b'0'));
    let digits: Vec<u16> = padded.as_bytes().chunks(WIDTH).map(digit).collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    let end = digits.iter().rposition(|digit| *digit != 0).map_or(leading, |at| at + 1);
    let weight = ((whole.len() + before) / WIDTH) as i16 - 1 - leading as i16;
    let digits = &digits[leading..end];
    let mut bytes = Vec::with_capacity(8 + 2 * digits.len());
    bytes.put_u16(digits.len() as u16);
    bytes.put_i16(if digits.is_empty() { 0 } else { weight });
    bytes.put_u16(if negative && !digits.is_empty() { 0x4000 } else { 0 });
    bytes.put_u16(fraction.len() as u16);
    digits.iter().for_each(|digit| bytes.put_u16(*digit));
    bytes
}

/// A decimal number, or `NaN` and the like, that a client sent in binary; `None` if it is none.
pub(super) fn from_binary(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(2 * at..2 * at + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)?, word(1)? as i16, word(2)?, usize::from(word(3)?));
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_string()),
        0xD000 => return Some("Infinity".to_string()),
        0xF000 => return Some("-Infinity".to_string()),
        _ => return None,
    };
    let digits: Vec<u16> = (0..usize::from(count)).map(|at| word(4 + at)).collect::<Option<_>>()?;
    let digit = |place: i32| {
        let at = i32::from(weight) - place;
        usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0)
    };
    if scale > 0x3fff || weight.unsigned_abs() > 0x1000 || digits.iter().any(|digit| *digit > 9999) {
        return None;
    }
    let whole: String = (0..=i32::from(weight).max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
    let groups = scale.div_ceil(WIDTH) as i32;
    let mut fraction: String = (1..=groups).map(|place| format!("{:04}", digit(-place))).collect();
    fraction.truncate(scale);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        let long = "99999999999999999999999999999999999999.1234567890";
        let table = ["0", "0.00", "1.5", "-1.5", "10000", "12345.678", "0.0001", "0.00001", "-0.10", "100000000", long];
        for number in table {
            assert_eq!(from_binary(&binary(number)).as_deref(), Some(number));
        }
    }

    #[test]
    fn the_binary_form_is_that_of_postgresql() {
        // What `SELECT 12345.678::numeric` and `0.00` send: count, weight, sign, scale, digits.
        assert_eq!(binary("12345.678"), [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
        assert_eq!(binary("0.00"), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(binary("-0.0001"), [0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 1]);
    }

    #[test]
    fn nonsense_is_no_number() {
        assert_eq!(from_binary(&[0, 1, 0, 0]), None);
        assert_eq!(from_binary(&[0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), None);
        assert_eq!(from_binary(&[0, 0, 0, 0, 0xc0, 0, 0, 0]).as_deref(), Some("NaN"));
    }
}
