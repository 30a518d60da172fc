//! [`Ex`]: the expressions of models and questions, and their meaning row by row.

use super::model::Path;
use super::modifier::{Amount, Mod};
use super::value::{DAY, Value, arithmetic, civil, compare, days};

/// An expression over a row, or over a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Ex {
    Lit(Value),
    /// A column through joins.
    Col(Path),
    /// A dimension of the model, by position.
    Dim(usize, Grain),
    /// The own time axis of each indicator.
    MetricTime(Grain),
    /// A segment of the model, by position.
    Seg(usize),
    /// Whether the steps lead to a row.
    Exists(Path),
    /// A grain of a time.
    Cut(Box<Ex>, Grain),
    /// An aggregate over a source's rows.
    Agg(Agg, usize, Option<Box<Ex>>),
    /// An indicator of the model, by position.
    Ind(usize),
    /// `x filter (where p)`.
    Filter(Box<Ex>, Box<Ex>),
    /// `x at (…)`.
    At(Box<Ex>, Vec<Mod>),
    /// An aggregate of indicators at a finer grain: `avg(x per d)`, `covar_pop(x per d, y per d)`.
    Fold(Agg, Vec<Ex>, Vec<Ex>),
    /// `x per d` in a condition or a dimension.
    Per(Box<Lookup>),
    /// `conversion from a to b …`, the whole of a definition.
    Conversion(Box<Conversion>),
    /// `current d`, inside `set`.
    Current(Box<Ex>),
    /// A group key of the question, by position.
    Key(usize),
    /// `GROUPING(key)`.
    Grouping(usize),
    Not(Box<Ex>),
    IsNull(Box<Ex>, bool),
    Bin(Op, Box<Ex>, Box<Ex>),
    In(Box<Ex>, Vec<Value>, bool),
    Between(Box<Ex>, Value, Value, bool),
    Like(Box<Ex>, String, bool),
    Case(Vec<(Ex, Ex)>, Option<Box<Ex>>),
    Call(Func, Vec<Ex>),
}

/// An indicator looked up for a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    pub x: Ex,
    /// By what it is asked.
    pub by: Vec<Ex>,
    /// The same on the row that looks it up.
    pub on: Vec<Ex>,
}

/// Which rows of one source are followed by rows of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    pub from: usize,
    pub to: usize,
    /// What is equal on both sides: the entity first.
    pub by: Vec<Ex>,
    pub within: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agg {
    CountRows,
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    Median,
    Stddev,
    CovarPop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Concat,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Func {
    Upper,
    Lower,
    Coalesce,
    Nullif,
    Abs,
}

/// What is asked of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// The time itself.
    Raw,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    ExtractYear,
    ExtractQuarter,
    ExtractMonth,
    ExtractDay,
    ExtractDow,
    ExtractDoy,
    ExtractHour,
}

/// The grains and parts that every time offers.
pub const DAY_GRAINS: [Grain; 11] = [
    Grain::Day,
    Grain::Week,
    Grain::Month,
    Grain::Quarter,
    Grain::Year,
    Grain::ExtractYear,
    Grain::ExtractQuarter,
    Grain::ExtractMonth,
    Grain::ExtractDay,
    Grain::ExtractDow,
    Grain::ExtractDoy,
];

impl Grain {
    /// `__month`; nothing for the time itself.
    pub fn suffix(self) -> &'static str {
        match self {
            Grain::Raw => "",
            Grain::Hour => "__hour",
            Grain::Day => "__day",
            Grain::Week => "__week",
            Grain::Month => "__month",
            Grain::Quarter => "__quarter",
            Grain::Year => "__year",
            Grain::ExtractYear => "__extract_year",
            Grain::ExtractQuarter => "__extract_quarter",
            Grain::ExtractMonth => "__extract_month",
            Grain::ExtractDay => "__extract_day",
            Grain::ExtractDow => "__extract_dow",
            Grain::ExtractDoy => "__extract_doy",
            Grain::ExtractHour => "__extract_hour",
        }
    }

    pub fn is_part(self) -> bool {
        self.suffix().starts_with("__extract")
    }

    /// The period that a time lies in, or the part of it. Weeks start on Sunday if `sunday`, else on Monday.
    pub fn cut(self, time: &Value, sunday: bool) -> Value {
        let (day, micros) = match time {
            Value::Null => return Value::Null,
            Value::Date(day) => (*day, *day * DAY),
            Value::Time(micros) => (micros.div_euclid(DAY), *micros),
            other => panic!("the harness cuts {other}"),
        };
        let (year, month, date) = civil(day);
        // 1970-01-01 was a Thursday.
        let weekday = (day + 4).rem_euclid(7);
        match self {
            Grain::Raw => time.clone(),
            Grain::Hour => Value::Time(micros.div_euclid(DAY / 24) * (DAY / 24)),
            Grain::Day => Value::Date(day),
            Grain::Week if sunday => Value::Date(day - weekday),
            Grain::Week => Value::Date(day - (weekday + 6) % 7),
            Grain::Month => Value::Date(days(year, month, 1)),
            Grain::Quarter => Value::Date(days(year, (month - 1) / 3 * 3 + 1, 1)),
            Grain::Year => Value::Date(days(year, 1, 1)),
            Grain::ExtractYear => Value::Int(year.into()),
            Grain::ExtractQuarter => Value::Int(((month - 1) / 3 + 1).into()),
            Grain::ExtractMonth => Value::Int(month.into()),
            Grain::ExtractDay => Value::Int(date.into()),
            Grain::ExtractDow => Value::Int(weekday.into()),
            Grain::ExtractDoy => Value::Int((day - days(year, 1, 1) + 1).into()),
            Grain::ExtractHour => Value::Int((micros.rem_euclid(DAY) / (DAY / 24)).into()),
        }
    }
}

impl Ex {
    pub fn bin(op: Op, a: Ex, b: Ex) -> Ex {
        Ex::Bin(op, Box::new(a), Box::new(b))
    }

    pub fn per(x: Ex, by: Vec<Ex>) -> Ex {
        Ex::Per(Box::new(Lookup { x, on: by.clone(), by }))
    }

    pub fn filtered(self, by: Ex) -> Ex {
        Ex::Filter(Box::new(self), Box::new(by))
    }

    /// This and every expression inside.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Ex)) {
        see(self);
        self.children().into_iter().for_each(|child| child.visit(see));
    }

    /// This and every expression that is read from the row itself: not what is looked up.
    pub fn visit_row<'a>(&'a self, see: &mut dyn FnMut(&'a Ex)) {
        see(self);
        match self {
            Ex::Per(lookup) => lookup.on.iter().for_each(|on| on.visit_row(see)),
            other => other.children().into_iter().for_each(|child| child.visit_row(see)),
        }
    }

    /// The indicators, aggregates, filters and modifiers that make up a value: no conditions and modifiers' insides.
    pub fn visit_value<'a>(&'a self, see: &mut dyn FnMut(&'a Ex)) {
        see(self);
        match self {
            Ex::Agg(..) | Ex::Conversion(_) => {}
            Ex::At(x, _) | Ex::Filter(x, _) => x.visit_value(see),
            Ex::Fold(_, xs, _) => xs.iter().for_each(|x| x.visit_value(see)),
            other => other.children().into_iter().for_each(|child| child.visit_value(see)),
        }
    }

    /// The expressions right inside.
    pub fn children(&self) -> Vec<&Ex> {
        match self {
            Ex::Cut(a, _) | Ex::Not(a) | Ex::IsNull(a, _) | Ex::In(a, ..) | Ex::Between(a, ..) | Ex::Like(a, ..) => {
                vec![a]
            }
            Ex::Current(a) => vec![a],
            Ex::Agg(_, _, arg) => arg.iter().map(AsRef::as_ref).collect(),
            Ex::Filter(a, b) | Ex::Bin(_, a, b) => vec![a, b],
            Ex::At(x, mods) => mods.iter().flat_map(Mod::expressions).chain([x.as_ref()]).collect(),
            Ex::Fold(_, xs, by) => xs.iter().chain(by).collect(),
            Ex::Conversion(conversion) => conversion.by.iter().collect(),
            Ex::Per(lookup) => lookup.by.iter().chain(&lookup.on).chain([&lookup.x]).collect(),
            Ex::Case(arms, otherwise) => {
                arms.iter().flat_map(|(a, b)| [a, b]).chain(otherwise.iter().map(AsRef::as_ref)).collect()
            }
            Ex::Call(_, args) => args.iter().collect(),
            _ => vec![],
        }
    }

    /// The same expression with some leaves replaced: those that are read from the row, not what is looked up.
    pub fn replace<E>(&self, by: &mut dyn FnMut(&Ex) -> Result<Option<Ex>, E>) -> Result<Ex, E> {
        if let Some(replaced) = by(self)? {
            return Ok(replaced);
        }
        let mut go = |ex: &Ex| ex.replace(by);
        Ok(match self {
            Ex::Cut(a, grain) => Ex::Cut(Box::new(go(a)?), *grain),
            Ex::Not(a) => Ex::Not(Box::new(go(a)?)),
            Ex::IsNull(a, not) => Ex::IsNull(Box::new(go(a)?), *not),
            Ex::In(a, list, not) => Ex::In(Box::new(go(a)?), list.clone(), *not),
            Ex::Between(a, low, high, not) => Ex::Between(Box::new(go(a)?), low.clone(), high.clone(), *not),
            Ex::Like(a, pattern, not) => Ex::Like(Box::new(go(a)?), pattern.clone(), *not),
            Ex::Agg(agg, source, Some(arg)) => Ex::Agg(*agg, *source, Some(Box::new(go(arg)?))),
            Ex::Filter(a, b) => go(a)?.filtered(go(b)?),
            Ex::Bin(op, a, b) => Ex::bin(*op, go(a)?, go(b)?),
            Ex::Per(lookup) => {
                let on = lookup.on.iter().map(go).collect::<Result<_, E>>()?;
                Ex::Per(Box::new(Lookup { on, ..lookup.as_ref().clone() }))
            }
            Ex::Case(arms, otherwise) => {
                let arms = arms.iter().map(|(a, b)| Ok((go(a)?, go(b)?))).collect::<Result<_, E>>()?;
                Ex::Case(arms, otherwise.as_ref().map(|e| go(e).map(Box::new)).transpose()?)
            }
            Ex::Call(func, args) => Ex::Call(*func, args.iter().map(go).collect::<Result<_, E>>()?),
            leaf => leaf.clone(),
        })
    }

    /// The value, where `leaf` knows columns, indicators and keys.
    pub fn eval(&self, leaf: &dyn Fn(&Ex) -> Value, sunday: bool) -> Value {
        let go = |ex: &Ex| ex.eval(leaf, sunday);
        match self {
            Ex::Lit(value) => value.clone(),
            Ex::Cut(a, grain) => grain.cut(&go(a), sunday),
            Ex::Not(a) => truth(truth_of(&go(a)).map(|t| !t)),
            Ex::IsNull(a, not) => Value::Bool(go(a).is_null() != *not),
            Ex::Bin(op, a, b) => binary(*op, &go(a), &go(b)),
            Ex::In(a, list, not) => negate(is_in(&go(a), list), *not),
            Ex::Between(a, low, high, not) => {
                let a = go(a);
                let both = binary(Op::And, &binary(Op::Ge, &a, low), &binary(Op::Le, &a, high));
                negate(truth_of(&both), *not)
            }
            Ex::Like(a, pattern, not) => match go(a) {
                Value::Text(text) => Value::Bool(like(&text, pattern) != *not),
                _ => Value::Null,
            },
            Ex::Case(arms, otherwise) => match arms.iter().find(|(condition, _)| go(condition).is_true()) {
                Some((_, value)) => go(value),
                None => otherwise.as_ref().map_or(Value::Null, |e| go(e)),
            },
            Ex::Call(func, args) => call(*func, &args.iter().map(go).collect::<Vec<_>>()),
            other => leaf(other),
        }
    }
}

fn truth_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Null => None,
        other => panic!("the harness takes {other} for a condition"),
    }
}

fn truth(known: Option<bool>) -> Value {
    known.map_or(Value::Null, Value::Bool)
}

fn negate(known: Option<bool>, not: bool) -> Value {
    truth(known.map(|k| k != not))
}

fn is_in(value: &Value, list: &[Value]) -> Option<bool> {
    if list.iter().any(|item| compare(value, item).is_some_and(|o| o.is_eq())) {
        return Some(true);
    }
    if value.is_null() || list.iter().any(Value::is_null) { None } else { Some(false) }
}

fn binary(op: Op, a: &Value, b: &Value) -> Value {
    let ordered = |test: fn(std::cmp::Ordering) -> bool| truth(compare(a, b).map(test));
    match op {
        Op::Add => arithmetic('+', a, b),
        Op::Sub => arithmetic('-', a, b),
        Op::Mul => arithmetic('*', a, b),
        Op::Div => arithmetic('/', a, b),
        Op::Concat => match (a, b) {
            (Value::Text(a), Value::Text(b)) => Value::Text(format!("{a}{b}")),
            _ => Value::Null,
        },
        Op::Eq => ordered(|o| o.is_eq()),
        Op::Ne => ordered(|o| o.is_ne()),
        Op::Lt => ordered(|o| o.is_lt()),
        Op::Le => ordered(|o| o.is_le()),
        Op::Gt => ordered(|o| o.is_gt()),
        Op::Ge => ordered(|o| o.is_ge()),
        Op::And => match (truth_of(a), truth_of(b)) {
            (Some(false), _) | (_, Some(false)) => Value::Bool(false),
            (Some(true), Some(true)) => Value::Bool(true),
            _ => Value::Null,
        },
        Op::Or => match (truth_of(a), truth_of(b)) {
            (Some(true), _) | (_, Some(true)) => Value::Bool(true),
            (Some(false), Some(false)) => Value::Bool(false),
            _ => Value::Null,
        },
    }
}

fn call(func: Func, args: &[Value]) -> Value {
    match (func, args) {
        (Func::Coalesce, _) => args.iter().find(|a| !a.is_null()).cloned().unwrap_or(Value::Null),
        (Func::Nullif, [a, b]) if compare(a, b).is_some_and(|o| o.is_eq()) => Value::Null,
        (Func::Nullif, [a, _]) => a.clone(),
        (_, [Value::Null]) => Value::Null,
        (Func::Upper, [Value::Text(t)]) => Value::Text(t.to_uppercase()),
        (Func::Lower, [Value::Text(t)]) => Value::Text(t.to_lowercase()),
        (Func::Abs, [Value::Int(n)]) => Value::Int(n.abs()),
        (Func::Abs, [Value::Dec(n, scale)]) => Value::Dec(n.abs(), *scale),
        (Func::Abs, [Value::Double(x)]) => Value::Double(x.abs()),
        _ => panic!("the harness calls {func:?} with {args:?}"),
    }
}

/// SQL's LIKE: `%` any characters, `_` exactly one.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            text.char_indices().any(|(at, _)| like(&text[at..], rest)) || like("", rest)
        }
        Some(p) => {
            let mut following = text.chars();
            following.next().is_some_and(|c| p == '_' || p == c) && like(following.as_str(), rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_counts_characters() {
        assert!(like("华东区", "华__") && like("华东", "%东") && like("", "%") && !like("华东", "_"));
        assert!(like("a%b", "a%") && !like("ab", "b%"));
    }

    #[test]
    fn grains_and_parts() {
        let sunday = Value::Date(days(2026, 2, 1));
        assert_eq!(Grain::Week.cut(&sunday, false), Value::Date(days(2026, 1, 26)));
        assert_eq!(Grain::Week.cut(&sunday, true), sunday);
        assert_eq!(Grain::ExtractDow.cut(&sunday, false), Value::Int(0));
        assert_eq!(Grain::Quarter.cut(&Value::Time(-1), false), Value::Date(days(1969, 10, 1)));
        assert_eq!(Grain::ExtractDoy.cut(&Value::Date(days(2024, 12, 31)), false), Value::Int(366));
    }

    #[test]
    fn three_valued_logic() {
        let none = |_: &Ex| Value::Null;
        let null = Ex::Lit(Value::Null);
        let no = Ex::Lit(Value::Bool(false));
        assert_eq!(Ex::bin(Op::And, null.clone(), no.clone()).eval(&none, false), Value::Bool(false));
        assert_eq!(Ex::bin(Op::Or, null.clone(), no).eval(&none, false), Value::Null);
        let listed = Ex::In(Box::new(Ex::Lit(Value::Int(1))), vec![Value::Int(2), Value::Null], true);
        assert_eq!(listed.eval(&none, false), Value::Null);
        assert_eq!(Ex::IsNull(Box::new(null), true).eval(&none, false), Value::Bool(false));
    }
}
