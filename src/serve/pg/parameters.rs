//! Parameters of prepared statements: what a client sends, as exactly that value.
//!
//! A value keeps the type that the client gave it. It is not forced into the type of the column that it is compared with:
//! 1.005 is not 1.01, nor 1.5 one. DataFusion finds a type that holds both.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ParamValues, ScalarValue};
use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::api::results::FieldFormat;
use pgwire::error::PgWireResult;
use rust_decimal::Decimal;

use super::errors::user;
use super::extended::Prepared;

/// The values of `$1`, `$2` …, whose types are these as far as the statement tells.
pub(super) fn values(portal: &Portal<Prepared>, known: &[(Option<DataType>, Type)]) -> PgWireResult<ParamValues> {
    if portal.parameter_len() != known.len() {
        let message = format!("{} parameters are needed, not {}", known.len(), portal.parameter_len());
        return Err(user("08P01", message));
    }
    let one = |(at, (inferred, server)): (usize, &(Option<DataType>, Type))| {
        let said = portal.statement.parameter_types.get(at).cloned().flatten();
        let wire = said.filter(|said| *said != Type::UNKNOWN).unwrap_or_else(|| server.clone());
        match portal.parameter_format.format_for(at) {
            FieldFormat::Text => text(portal, at, &wire, inferred.as_ref()),
            FieldFormat::Binary => binary(portal, at, &wire),
        }
    };
    let values = known.iter().enumerate().map(one).collect::<PgWireResult<Vec<_>>>()?;
    Ok(ParamValues::from(values))
}

fn binary(portal: &Portal<Prepared>, at: usize, wire: &Type) -> PgWireResult<ScalarValue> {
    Ok(match *wire {
        Type::BOOL => ScalarValue::Boolean(portal.parameter::<bool>(at, wire)?),
        Type::INT2 => ScalarValue::Int64(portal.parameter::<i16>(at, wire)?.map(i64::from)),
        Type::INT4 => ScalarValue::Int64(portal.parameter::<i32>(at, wire)?.map(i64::from)),
        Type::INT8 => ScalarValue::Int64(portal.parameter::<i64>(at, wire)?),
        Type::OID => ScalarValue::Int64(portal.parameter::<u32>(at, wire)?.map(i64::from)),
        Type::FLOAT4 => ScalarValue::Float64(portal.parameter::<f32>(at, wire)?.map(f64::from)),
        Type::FLOAT8 => ScalarValue::Float64(portal.parameter::<f64>(at, wire)?),
        Type::NUMERIC => match portal.parameter::<Decimal>(at, wire)? {
            Some(value) => decimal(value.mantissa(), value.scale())?,
            None => ScalarValue::Decimal128(None, 38, 0),
        },
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            ScalarValue::Utf8(portal.parameter::<String>(at, wire)?)
        }
        Type::BYTEA => ScalarValue::Binary(portal.parameter::<Vec<u8>>(at, wire)?),
        Type::DATE => {
            let days = |day: NaiveDate| (day - NaiveDate::default()).num_days() as i32;
            ScalarValue::Date32(portal.parameter::<NaiveDate>(at, wire)?.map(days))
        }
        Type::TIMESTAMP => {
            let time = portal.parameter::<NaiveDateTime>(at, wire)?;
            ScalarValue::TimestampMicrosecond(time.map(|time| time.and_utc().timestamp_micros()), None)
        }
        Type::TIMESTAMPTZ => {
            let time = portal.parameter::<DateTime<FixedOffset>>(at, wire)?;
            ScalarValue::TimestampMicrosecond(time.map(|time| time.timestamp_micros()), Some("+00:00".into()))
        }
        ref other => return Err(user("0A000", format!("parameters of type {other} are not read in binary"))),
    })
}

fn text(portal: &Portal<Prepared>, at: usize, wire: &Type, inferred: Option<&DataType>) -> PgWireResult<ScalarValue> {
    let Some(Some(bytes)) = portal.parameters.get(at) else { return Ok(ScalarValue::Null) };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(user("22021", format!("parameter ${} is not UTF-8", at + 1)));
    };
    let wrong = |kind: &str| user("22P02", format!("invalid input syntax for type {kind}: \"{text}\""));
    let whole = || text.trim().parse::<i64>().map(|value| ScalarValue::Int64(Some(value)));
    let as_time = |data_type: &DataType| time(text, data_type).ok_or_else(|| wrong(&data_type.to_string()));
    match *wire {
        Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "on" | "yes" | "1" => Ok(ScalarValue::Boolean(Some(true))),
            "f" | "false" | "off" | "no" | "0" => Ok(ScalarValue::Boolean(Some(false))),
            _ => Err(wrong("boolean")),
        },
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => whole().map_err(|_| wrong("bigint")),
        Type::FLOAT4 | Type::FLOAT8 => {
            text.trim().parse().map(|value| ScalarValue::Float64(Some(value))).map_err(|_| wrong("double precision"))
        }
        Type::NUMERIC => number(text).unwrap_or_else(|| Err(wrong("numeric"))),
        Type::DATE => as_time(&DataType::Date32),
        Type::TIMESTAMP => as_time(&DataType::Timestamp(TimeUnit::Microsecond, None)),
        Type::TIMESTAMPTZ => as_time(&DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
        // What the client leaves open is what the statement makes of it.
        _ => match inferred {
            Some(inferred) if inferred.is_temporal() => as_time(inferred),
            _ => Ok(ScalarValue::from(text)),
        },
    }
}

/// A time; of a day only if it is the beginning of one.
fn time(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    let cast = |data_type: &DataType| ScalarValue::from(text).cast_to(data_type).ok().filter(|value| !value.is_null());
    let value = cast(data_type)?;
    match data_type {
        DataType::Date32 | DataType::Date64 => {
            let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
            let exactly = cast(&moment)?;
            Some(if value.cast_to(&moment).ok()? == exactly { value } else { exactly })
        }
        _ => Some(value),
    }
}

/// A decimal number with all its digits; `None` if it is none.
fn number(text: &str) -> Option<PgWireResult<ScalarValue>> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let bare = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        // With an exponent it is a floating-point number.
        return text.parse::<f64>().ok().map(|value| Ok(ScalarValue::Float64(Some(value))));
    }
    Some(match digits.parse::<i128>() {
        Ok(mantissa) => decimal(mantissa, fraction.len() as u32),
        Err(_) => Err(user("22003", format!("{text} has more than 38 digits"))),
    })
}

fn decimal(mantissa: i128, scale: u32) -> PgWireResult<ScalarValue> {
    let digits = mantissa.unsigned_abs().checked_ilog10().map_or(1, |digits| digits + 1).max(scale + 1);
    match (u8::try_from(digits), i8::try_from(scale)) {
        (Ok(precision @ ..=38), Ok(scale)) => Ok(ScalarValue::Decimal128(Some(mantissa), precision, scale)),
        _ => Err(user("22003", "a number has more than 38 digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_day_are_not_lost() {
        assert_eq!(time("1970-01-02", &DataType::Date32), Some(ScalarValue::Date32(Some(1))));
        assert_eq!(time("1970-01-02 00:00:00", &DataType::Date32), Some(ScalarValue::Date32(Some(1))));
        let noon = ScalarValue::TimestampMicrosecond(Some(36 * 3_600_000_000), None);
        assert_eq!(time("1970-01-02 12:00:00", &DataType::Date32), Some(noon));
        assert_eq!(time("soon", &DataType::Date32), None);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let read = |text: &str| number(text).unwrap().unwrap();
        assert_eq!(read("1.005"), ScalarValue::Decimal128(Some(1005), 4, 3));
        assert_eq!(read("-0.5"), ScalarValue::Decimal128(Some(-5), 2, 1));
        assert_eq!(read("12"), ScalarValue::Decimal128(Some(12), 2, 0));
        assert_eq!(read("1e3"), ScalarValue::Float64(Some(1000.0)));
        assert!(number("twelve").is_none() && number("").is_none());
        assert!(number(&"9".repeat(40)).unwrap().is_err());
    }
}
