//! Parameters of prepared statements: what a client sends, as exactly that value.
//!
//! A value keeps the type that the client gave it. It is not forced into the type of the column that it is compared with:
//! 1.005 is not 1.01, nor 1.5 one. DataFusion finds a type that holds both.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ParamValues, ScalarValue};
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::results::FieldFormat;
use pgwire::error::PgWireResult;

use super::errors::user;
use super::extended::Prepared;
use super::values;

/// The values of `$1`, `$2` …, whose types are these as far as the statement tells.
pub(super) fn values(portal: &Portal<Prepared>, known: &[(Option<DataType>, Type)]) -> PgWireResult<ParamValues> {
    if portal.parameter_len() != known.len() {
        let message = format!("{} parameters are needed, not {}", known.len(), portal.parameter_len());
        return Err(user("08P01", message));
    }
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != known.len()
    {
        return Err(user("08P01", format!("{} formats are given for {} parameters", formats.len(), known.len())));
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

/// The type of a value that a client says to be of this one, as far as it is known before the value.
pub(super) fn data_type(said: &Type) -> Option<DataType> {
    Some(match *said {
        Type::BOOL => DataType::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 | Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => DataType::Utf8,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        _ => return None,
    })
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
        Type::NUMERIC => match portal.parameters.get(at) {
            Some(Some(bytes)) => match values::from_binary(bytes).as_deref().and_then(number) {
                Some(number) => number?,
                None => return Err(user("22P03", format!("parameter ${} is no numeric in binary", at + 1))),
            },
            _ => ScalarValue::Decimal128(None, 38, 0),
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

/// A time; of a day only if it is the beginning of one. As in PostgreSQL, a zone means nothing where times have none.
fn time(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    let zoned = matches!(data_type, DataType::Timestamp(_, Some(_)));
    let text = if zoned { text } else { without_zone(text) };
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

/// A time without the zone that it ends with.
fn without_zone(text: &str) -> &str {
    let text = text.trim();
    let Some((_, rest)) = text.split_at_checked("2026-01-01".len()) else { return text };
    let zone = rest.rfind(['+', '-', 'Z']).map_or(0, |at| rest.len() - at);
    text[..text.len() - zone].trim_end()
}

/// A decimal number with all its digits; `None` if it is none.
fn number(text: &str) -> Option<PgWireResult<ScalarValue>> {
    let text = text.trim();
    let (plain, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = format!("{whole}{fraction}");
    let bare = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    let exponent = exponent.parse::<i64>().ok()?;
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        // Infinite, or not a number.
        return text.parse::<f64>().ok().map(|value| Ok(ScalarValue::Float64(Some(value))));
    }
    let scale = fraction.len() as i64 - exponent;
    let zeros = "0".repeat(usize::try_from(-scale).unwrap_or(0).min(40));
    let mantissa = format!("{digits}{zeros}").parse::<i128>().ok();
    Some(match (mantissa, u32::try_from(scale.max(0))) {
        (Some(mantissa), Ok(scale)) => decimal(mantissa, scale),
        _ => Err(user("22003", format!("{text} has more than 38 digits"))),
    })
}

fn decimal(mantissa: i128, scale: u32) -> PgWireResult<ScalarValue> {
    let digits = mantissa.unsigned_abs().checked_ilog10().map_or(1, |digits| digits + 1).max((scale + 1).min(38));
    match (u8::try_from(digits), i8::try_from(scale)) {
        (Ok(precision @ ..=38), Ok(scale @ ..=38)) => Ok(ScalarValue::Decimal128(Some(mantissa), precision, scale)),
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
        assert_eq!(time("1970-01-02 +08", &DataType::Date32), Some(ScalarValue::Date32(Some(1))));
        let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
        let noon = ScalarValue::TimestampMicrosecond(Some(36 * 3_600_000_000), None);
        assert_eq!(time("1970-01-02 12:00:00+08", &moment), Some(noon.clone()));
        assert_eq!(time("1970-01-02T12:00:00Z", &moment), Some(noon));
    }

    #[test]
    fn numbers_keep_their_digits() {
        let read = |text: &str| number(text).unwrap().unwrap();
        assert_eq!(read("1.005"), ScalarValue::Decimal128(Some(1005), 4, 3));
        assert_eq!(read("-0.5"), ScalarValue::Decimal128(Some(-5), 2, 1));
        assert_eq!(read("12"), ScalarValue::Decimal128(Some(12), 2, 0));
        assert_eq!(read("1e3"), ScalarValue::Decimal128(Some(1000), 4, 0));
        assert_eq!(read("-1.5E-3"), ScalarValue::Decimal128(Some(-15), 5, 4));
        assert_eq!(read("1E-38"), ScalarValue::Decimal128(Some(1), 38, 38));
        assert!(matches!(read("NaN"), ScalarValue::Float64(Some(value)) if value.is_nan()));
        assert!(number("1e400").unwrap().is_err() && number("1e-39").unwrap().is_err());
        assert!(number("twelve").is_none() && number("").is_none());
        assert!(number(&"9".repeat(40)).unwrap().is_err());
    }
}
