//! Types of text: which one a column of fields has, and whether a field fits a declared one.
//!
//! A guess never changes what a field says: numbers with leading zeros, integers beyond 64 bits and mixtures stay
//! text. A declared type refuses what it would have to cut (`1.005` as `decimal(18,2)`), where Arrow's parsers cut.

use chrono::Utc;
use datafusion::arrow::compute::kernels::cast_utils::{Parser, parse_decimal, string_to_datetime};
use datafusion::arrow::datatypes::*;

/// What the fields of one column look like.
#[derive(Debug, Clone, Default)]
pub(super) struct Guess {
    seen: u8,
    /// Integers that a double would round.
    beyond_double: bool,
    /// Fractions of seconds finer than a microsecond.
    nanoseconds: bool,
    /// Moments that do not fit 64 bits of nanoseconds.
    beyond_nanoseconds: bool,
}

const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const DOUBLE: u8 = 4;
const DATE: u8 = 8;
const MOMENT: u8 = 16;
const ZONED: u8 = 32;
const TEXT: u8 = 64;

impl Guess {
    /// Takes a field that is not NULL into account.
    pub fn add(&mut self, field: &str) {
        if self.seen & TEXT == 0 {
            self.seen |= self.kind_of(field);
        }
    }

    /// Takes everything into account that another guess has seen.
    pub fn merge(&mut self, other: &Guess) {
        self.seen |= other.seen;
        self.beyond_double |= other.beyond_double;
        self.nanoseconds |= other.nanoseconds;
        self.beyond_nanoseconds |= other.beyond_nanoseconds;
    }

    fn kind_of(&mut self, field: &str) -> u8 {
        match field.as_bytes().first() {
            Some(b'0'..=b'9' | b'-' | b'.') => self.kind_of_number_or_time(field),
            _ if field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false") => BOOLEAN,
            _ => TEXT,
        }
    }

    fn kind_of_number_or_time(&mut self, field: &str) -> u8 {
        if let Some(kind) = number_kind(field) {
            self.beyond_double |= kind == INTEGER && field.len() > 15;
            return kind;
        }
        if field.len() == 10 && Date32Type::parse(field).is_some() {
            return DATE;
        }
        // Arrow also reads `2024-01-31 10` and the like; only full moments are taken for one.
        match string_to_datetime(&Utc, field) {
            Ok(moment) if field.len() >= 16 => {
                self.nanoseconds |= fraction_digits(field) > 6;
                self.beyond_nanoseconds |= moment.timestamp_nanos_opt().is_none();
                if has_zone(field) { ZONED } else { MOMENT }
            }
            _ => TEXT,
        }
    }

    /// The narrowest type that holds every field as it is written.
    pub fn data_type(&self) -> DataType {
        const NUMBER: u8 = INTEGER | DOUBLE;
        const DAY_OR_MOMENT: u8 = DATE | MOMENT;
        match self.seen {
            BOOLEAN => DataType::Boolean,
            INTEGER => DataType::Int64,
            DOUBLE => DataType::Float64,
            NUMBER if !self.beyond_double => DataType::Float64,
            _ => match (self.seen, self.time_unit()) {
                (DATE, _) => DataType::Date32,
                (MOMENT | DAY_OR_MOMENT, Some(unit)) => DataType::Timestamp(unit, None),
                (ZONED, Some(unit)) => DataType::Timestamp(unit, Some("+00:00".into())),
                _ => DataType::Utf8View,
            },
        }
    }

    /// A date or a moment if all fields are one; for values that are text in the file's own format.
    pub fn time_type(&self) -> DataType {
        match self.seen & (DATE | MOMENT | ZONED) {
            0 => DataType::Utf8View,
            _ => self.data_type(),
        }
    }

    fn time_unit(&self) -> Option<TimeUnit> {
        match (self.nanoseconds, self.beyond_nanoseconds) {
            (false, _) => Some(TimeUnit::Microsecond),
            (true, false) => Some(TimeUnit::Nanosecond),
            (true, true) => None,
        }
    }
}

fn number_kind(field: &str) -> Option<u8> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    let plain = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if padded || !plain || digits.is_empty() {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return field.parse::<i64>().ok().map(|_| INTEGER);
    }
    field.parse::<f64>().ok().filter(|value| value.is_finite()).map(|_| DOUBLE)
}

/// Whether a field can be read as the type without losing anything; `None`: text is not read as this type.
pub(super) fn fits(field: &str, data_type: &DataType) -> Option<bool> {
    let parses = match data_type {
        DataType::Utf8 | DataType::Utf8View => true,
        DataType::Boolean => field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false"),
        DataType::Int8 => Int8Type::parse(field).is_some(),
        DataType::Int16 => Int16Type::parse(field).is_some(),
        DataType::Int32 => Int32Type::parse(field).is_some(),
        DataType::Int64 => Int64Type::parse(field).is_some(),
        DataType::UInt8 => UInt8Type::parse(field).is_some(),
        DataType::UInt16 => UInt16Type::parse(field).is_some(),
        DataType::UInt32 => UInt32Type::parse(field).is_some(),
        DataType::UInt64 => UInt64Type::parse(field).is_some(),
        DataType::Float32 => Float32Type::parse(field).is_some_and(|v| v.is_finite() || !has_digit(field)),
        DataType::Float64 => Float64Type::parse(field).is_some_and(|v| v.is_finite() || !has_digit(field)),
        DataType::Decimal128(precision, scale) => {
            parse_decimal::<Decimal128Type>(field, *precision, *scale).is_ok() && decimals(field) <= i64::from(*scale)
        }
        DataType::Decimal256(precision, scale) => {
            parse_decimal::<Decimal256Type>(field, *precision, *scale).is_ok() && decimals(field) <= i64::from(*scale)
        }
        DataType::Date32 => field.len() <= 10 && Date32Type::parse(field).is_some(),
        DataType::Timestamp(unit, zone) => is_moment(field, *unit, zone.is_some()),
        DataType::Time64(TimeUnit::Nanosecond) => Time64NanosecondType::parse(field).is_some(),
        DataType::Time64(TimeUnit::Microsecond) => {
            Time64MicrosecondType::parse(field).is_some() && fraction_digits(field) <= 6
        }
        _ => return None,
    };
    Some(parses)
}

fn is_moment(field: &str, unit: TimeUnit, zoned: bool) -> bool {
    let digits = match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let Ok(moment) = string_to_datetime(&Utc, field) else { return false };
    let in_range = unit != TimeUnit::Nanosecond || moment.timestamp_nanos_opt().is_some();
    // Without a zone in the type, Arrow would silently turn `10:00+08:00` into the wall clock `02:00`; with one, it would
    // take `10:00` for UTC, which nobody said.
    in_range && fraction_digits(field) <= digits && zoned == has_zone(field)
}

/// Whether a moment says its zone: `Z`, `+08:00` or a name after the time.
fn has_zone(field: &str) -> bool {
    field.get(10..).is_some_and(|time| {
        time.bytes()
            .any(|b| matches!(b, b'z' | b'Z' | b'+' | b'-') || b.is_ascii_alphabetic() && b != b'T' && b != b't')
    })
}

/// Digits of the fraction of seconds, without trailing zeros.
fn fraction_digits(field: &str) -> usize {
    let Some((_, fraction)) = field.split_once('.') else { return 0 };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    fraction[..digits].trim_end_matches('0').len()
}

/// Digits after the decimal point that count, the exponent considered.
fn decimals(field: &str) -> i64 {
    let (mantissa, exponent) = field.split_once(['e', 'E']).unwrap_or((field, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let zeros = if fraction.is_empty() { whole.len() - whole.trim_end_matches('0').len() } else { 0 };
    fraction.len() as i64 - zeros as i64 - exponent
}

fn has_digit(field: &str) -> bool {
    field.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(fields: &[&str]) -> String {
        let mut guess = Guess::default();
        fields.iter().for_each(|field| guess.add(field));
        guess.data_type().to_string()
    }

    #[test]
    fn the_narrowest_type_that_keeps_everything() {
        assert_eq!(guess(&["1", "-20"]), "Int64");
        assert_eq!(guess(&["1", "2.5", "1e3"]), "Float64");
        assert_eq!(guess(&["true", "FALSE"]), "Boolean");
        assert_eq!(guess(&["2024-02-29"]), "Date32");
        assert_eq!(guess(&["2024-02-29", "2024-02-29 10:00:00.5"]), "Timestamp(µs)");
        assert_eq!(guess(&["2024-02-29T10:00:00.123456789"]), "Timestamp(ns)");
        assert_eq!(guess(&["2024-02-29T10:00:00+08:00"]), "Timestamp(µs, \"+00:00\")");
        assert_eq!(guess(&[]), "Utf8View");
    }

    #[test]
    fn what_a_number_would_change_stays_text() {
        for fields in [
            &["00123"][..],
            &["-01"],
            &["12345678901234567890"],
            &["1", "x"],
            &["true", "1"],
            &["1e999"],
            &["12345678901234567", "0.5"],
            &["2024-02-30"],
            &["2024-02-29 10:00:00", "2024-02-29T10:00:00Z"],
            &["1", "2024-02-29"],
        ] {
            assert_eq!(guess(fields), "Utf8View", "{fields:?}");
        }
    }

    #[test]
    fn declared_types_refuse_what_they_would_cut() {
        let cents = DataType::Decimal128(18, 2);
        for (field, fit) in
            [("1.25", true), ("1.250", true), ("1.005", false), ("1.5e-2", false), ("1.234e1", true), ("x", false)]
        {
            assert_eq!(fits(field, &cents), Some(fit), "{field}");
        }
        let moment = DataType::Timestamp(TimeUnit::Millisecond, None);
        assert_eq!(fits("2024-01-01 00:00:00.123", &moment), Some(true));
        assert_eq!(fits("2024-01-01 00:00:00.1234", &moment), Some(false));
        assert_eq!(fits("2024-01-01T00:00:00Z", &moment), Some(false));
        let zoned = DataType::Timestamp(TimeUnit::Second, Some("+00:00".into()));
        assert_eq!(fits("2024-01-01T08:00:00+08:00", &zoned), Some(true));
        assert_eq!(fits("2024-01-01 08:00:00", &zoned), Some(false));
        assert_eq!(fits("2024-01-01T05:00", &DataType::Date32), Some(false));
        assert_eq!(fits("300", &DataType::Int8), Some(false));
        assert_eq!(fits("1e999", &DataType::Float64), Some(false));
        assert_eq!(fits("x", &DataType::Binary), None);
    }
}
