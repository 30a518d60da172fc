//! [`Value`]: one cell, with SQL's arithmetic and comparison, written out by hand.

use std::cmp::Ordering;

/// One cell. Decimals carry their scale; times are microseconds of a wall clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Dec(i128, u32),
    Double(f64),
    Text(String),
    Date(i64),
    Time(i64),
}

/// Microseconds in a day.
pub const DAY: i64 = 86_400_000_000;

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn is_true(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    pub fn text(text: &str) -> Value {
        Value::Text(text.to_string())
    }

    /// As a double, where the value is a number.
    pub fn double(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Dec(n, scale) => Some(*n as f64 / 10f64.powi(*scale as i32)),
            Value::Double(x) => Some(*x),
            _ => None,
        }
    }

    /// Equal values have equal texts, whatever their number type: the identity of a group.
    pub fn canonical(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(b) => format!("bool {b}"),
            Value::Int(n) => format!("number {n}"),
            Value::Dec(n, scale) => format!("number {}", trimmed(*n, *scale)),
            Value::Double(x) => format!("number {}", if *x == 0.0 { 0.0 } else { *x }),
            Value::Text(t) => format!("text {t}"),
            Value::Date(d) => format!("date {d}"),
            Value::Time(t) => format!("time {t}"),
        }
    }
}

fn trimmed(mut n: i128, mut scale: u32) -> String {
    while scale > 0 && n % 10 == 0 {
        n /= 10;
        scale -= 1;
    }
    decimal_text(n, scale)
}

/// `-12.50` from the unscaled number and the scale.
pub fn decimal_text(n: i128, scale: u32) -> String {
    if scale == 0 {
        return n.to_string();
    }
    let one = 10i128.pow(scale);
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", n.abs() / one, n.abs() % one, width = scale as usize)
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Dec(n, scale) => f.write_str(&decimal_text(*n, *scale)),
            Value::Double(x) => write!(f, "{x:?}"),
            Value::Text(t) => write!(f, "'{t}'"),
            Value::Date(d) => f.write_str(&date_text(*d)),
            Value::Time(t) => f.write_str(&time_text(*t)),
        }
    }
}

/// SQL's comparison: `None` if a side is NULL.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    use Value::*;
    match (a, b) {
        (Null, _) | (_, Null) => None,
        (Bool(a), Bool(b)) => Some(a.cmp(b)),
        (Text(a), Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Date(a), Date(b)) => Some(a.cmp(b)),
        (Time(a), Time(b)) => Some(a.cmp(b)),
        (Date(a), Time(b)) => Some((a * DAY).cmp(b)),
        (Time(a), Date(b)) => Some(a.cmp(&(b * DAY))),
        _ => Some(compare_numbers(a, b)),
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Ordering {
    if let (Some((a, b, _)), true) = (aligned(a, b), !matches!((a, b), (Value::Double(_), _) | (_, Value::Double(_)))) {
        return a.cmp(&b);
    }
    match (a.double(), b.double()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => panic!("the harness compares {a} with {b}"),
    }
}

/// Two exact numbers at their larger scale.
fn aligned(a: &Value, b: &Value) -> Option<(i128, i128, u32)> {
    let (a, a_scale) = exact(a)?;
    let (b, b_scale) = exact(b)?;
    let scale = a_scale.max(b_scale);
    Some((a * 10i128.pow(scale - a_scale), b * 10i128.pow(scale - b_scale), scale))
}

fn exact(value: &Value) -> Option<(i128, u32)> {
    match value {
        Value::Int(n) => Some((*n, 0)),
        Value::Dec(n, scale) => Some((*n, *scale)),
        _ => None,
    }
}

/// `a + b`, `a - b`, `a * b`, `a / b`; NULL with NULL. Division is Bell's: in doubles, NULL by zero.
pub fn arithmetic(op: char, a: &Value, b: &Value) -> Value {
    if a.is_null() || b.is_null() {
        return Value::Null;
    }
    match (op, aligned(a, b)) {
        ('/', _) | (_, None) => doubles(op, a, b),
        ('*', Some(_)) => {
            let ((a, a_scale), (b, b_scale)) = (exact(a).expect("exact"), exact(b).expect("exact"));
            number(a * b, a_scale + b_scale)
        }
        ('+', Some((a, b, scale))) => number(a + b, scale),
        (_, Some((a, b, scale))) => number(a - b, scale),
    }
}

fn number(n: i128, scale: u32) -> Value {
    if scale == 0 { Value::Int(n) } else { Value::Dec(n, scale) }
}

fn doubles(op: char, a: &Value, b: &Value) -> Value {
    let (Some(a), Some(b)) = (a.double(), b.double()) else { panic!("the harness computes {a} {op} {b}") };
    match op {
        '+' => Value::Double(a + b),
        '-' => Value::Double(a - b),
        '*' => Value::Double(a * b),
        _ if b == 0.0 => Value::Null,
        _ => Value::Double(a / b),
    }
}

/// Days since 1970-01-01 of a civil date: years are counted from March, so that leap days come last.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01, found by walking the calendar.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= day {
        month += 1;
    }
    (year, month, day - days(year, month, 1) + 1)
}

pub fn date_text(day: i64) -> String {
    let (y, m, d) = civil(day);
    format!("{y:04}-{m:02}-{d:02}")
}

pub fn time_text(micros: i64) -> String {
    let seconds = micros.rem_euclid(DAY) / 1_000_000;
    let day = date_text(micros.div_euclid(DAY));
    format!("{day} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_right() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(date_text(-1), "1969-12-31");
        for day in -1000..30_000 {
            let (y, m, d) = civil(day);
            assert_eq!(days(y, m, d), day);
        }
    }

    #[test]
    fn decimals_stay_exact() {
        let (a, b) = (Value::Dec(150, 2), Value::Int(2));
        assert_eq!(arithmetic('*', &a, &b), Value::Dec(300, 2));
        assert_eq!(arithmetic('-', &a, &b), Value::Dec(-50, 2));
        assert_eq!(arithmetic('/', &a, &b), Value::Double(0.75));
        assert_eq!(arithmetic('/', &a, &Value::Int(0)), Value::Null);
        assert_eq!(Value::Dec(1500, 3).canonical(), Value::Double(1.5).canonical());
        assert_eq!(decimal_text(-5, 2), "-0.05");
    }
}
