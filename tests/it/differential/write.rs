//! [`Writer`]: expressions as text in Bell and SQL.

use super::expr::{Agg, Conversion, Ex, Grain, Op};
use super::model::{Model, Path, Step};
use super::modifier::{Amount, Mod};
use super::value::{Value, date_text, time_text};

/// How an expression is written.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    pub model: &'a Model,
    /// Columns of this source are written without its name.
    pub inside: Option<usize>,
    /// The word around an indicator in SQL (`MEASURE`; empty: bare); `None`: Bell.
    pub measure: Option<&'a str>,
    /// The question's keys, for [`Ex::Key`].
    pub keys: &'a [Ex],
}

impl Writer<'_> {
    pub fn bell(model: &Model) -> Writer<'_> {
        Writer { model, inside: None, measure: None, keys: &[] }
    }

    pub fn write(&self, ex: &Ex) -> String {
        let go = |ex: &Ex| self.write(ex);
        match ex {
            Ex::Lit(value) => literal(value),
            Ex::Col(path) => self.path(path),
            Ex::Dim(at, grain) => self.name(&self.model.dimensions[*at].name, *grain),
            Ex::MetricTime(grain) => self.name("metric_time", *grain),
            Ex::Seg(at) => self.model.segments[*at].name.clone(),
            Ex::Cut(..) | Ex::Exists(_) => panic!("only names are written"),
            Ex::Agg(agg, source, arg) => self.aggregate(*agg, *source, arg.as_deref()),
            Ex::Ind(at) => self.indicator(*at),
            Ex::Filter(x, p) if self.measure == Some("") => Writer { measure: Some("MEASURE"), ..*self }.filter(x, p),
            Ex::Filter(x, p) => self.filter(x, p),
            Ex::At(x, mods) => self.at(x, mods),
            Ex::Fold(agg, xs, by) => {
                let by = self.listed(by);
                let args: Vec<String> = xs.iter().map(|x| format!("{} per {by}", go(x))).collect();
                self.call(*agg, &args.join(", "))
            }
            Ex::Per(lookup) => format!("{} per {}", go(&lookup.x), self.listed(&lookup.by)),
            Ex::Conversion(conversion) => self.conversion(conversion),
            Ex::Current(d) => format!("{} {}", self.word("current"), self.changed(d)),
            Ex::Key(at) => go(&self.keys[*at]),
            Ex::Grouping(at) => format!("GROUPING({})", go(&self.keys[*at])),
            Ex::Not(a) => format!("not ({})", go(a)),
            Ex::IsNull(a, not) => format!("{} is {}null", go(a), negation(*not)),
            Ex::Bin(op, a, b) => format!("({} {} {})", go(a), operator(*op), go(b)),
            Ex::In(a, list, not) => {
                let list: Vec<String> = list.iter().map(literal).collect();
                format!("{} {}in ({})", go(a), negation(*not), list.join(", "))
            }
            Ex::Between(a, low, high, not) => {
                format!("{} {}between {} and {}", go(a), negation(*not), literal(low), literal(high))
            }
            Ex::Like(a, pattern, not) => format!("{} {}like '{pattern}'", go(a), negation(*not)),
            Ex::Case(arms, otherwise) => {
                let arms: String = arms.iter().map(|(a, b)| format!("when {} then {} ", go(a), go(b))).collect();
                let otherwise = otherwise.as_ref().map(|e| format!("else {} ", go(e))).unwrap_or_default();
                format!("case {arms}{otherwise}end")
            }
            Ex::Call(func, args) => {
                let args: Vec<String> = args.iter().map(go).collect();
                format!("{}({})", format!("{func:?}").to_lowercase(), args.join(", "))
            }
        }
    }

    fn filter(&self, x: &Ex, p: &Ex) -> String {
        match x {
            Ex::At(..) => format!("({}) filter (where {})", self.write(x), self.write(p)),
            _ => format!("{} filter (where {})", self.write(x), self.write(p)),
        }
    }

    fn conversion(&self, conversion: &Conversion) -> String {
        let source = |at: usize| self.model.sources[at].name.as_str();
        let by: Vec<String> = conversion.by.iter().map(|by| self.write(by)).collect();
        let Amount { n, unit } = conversion.within;
        let matching = if by.len() > 1 { format!(" matching {}", by[1..].join(", ")) } else { String::new() };
        let (from, to, plural) = (source(conversion.from), source(conversion.to), if n == 1 { "" } else { "s" });
        format!("conversion from {from} to {to} by {} within {n} {}{plural}{matching}", by[0], unit.word())
    }

    /// `x at (…)`; a formula stands in brackets.
    fn at(&self, x: &Ex, mods: &[Mod]) -> String {
        let counted = matches!(x, Ex::Agg(Agg::CountRows, ..));
        let simple = !counted
            && matches!(x, Ex::Ind(_) | Ex::Agg(..) | Ex::Filter(..) | Ex::At(..) | Ex::Bin(..) | Ex::Fold(..));
        let x = if simple { self.write(x) } else { format!("({})", self.write(x)) };
        let mods: Vec<String> = mods.iter().map(|m| self.modifier(m)).collect();
        // Commas are optional.
        let between = if mods.len().is_multiple_of(2) { " " } else { ", " };
        format!("{x} {} ({})", self.word("at"), mods.join(between))
    }

    fn modifier(&self, modifier: &Mod) -> String {
        let list = |ds: &[Ex]| ds.iter().map(|d| self.bare(d)).collect::<Vec<_>>().join(", ");
        let amount = |Amount { n, unit }: &Amount| {
            let plural = if n.abs() == 1 { "" } else { "s" };
            format!("{n} {}", self.word(&format!("{}{plural}", unit.word())))
        };
        let say = |word: &str, rest: String| format!("{} {rest}", self.word(word));
        match modifier {
            Mod::AllOf(ds) => say("all", list(ds)),
            Mod::All => self.word("all"),
            Mod::Set(d, v) => say("set", format!("{} = {}", self.changed(d), self.write(v))),
            Mod::Where(p) => say("where", self.write(p)),
            Mod::Visible => self.word("visible"),
            Mod::Shift(by) => say("shift", amount(by)),
            Mod::Previous(grain) => say("previous", self.word(grain.word())),
            Mod::PreviousPeriod => self.word("previous period"),
            Mod::Trailing(by) => say("trailing", amount(by)),
            Mod::ToDate(grain) => say("to date", self.word(grain.word())),
            Mod::Cumulative => self.word("cumulative"),
            Mod::First(d, per) if per.is_empty() => say("first", self.bare(d)),
            Mod::Last(d, per) if per.is_empty() => say("last", self.bare(d)),
            Mod::First(d, per) => say("first", format!("{} {} {}", self.bare(d), self.word("per"), list(per))),
            Mod::Last(d, per) => say("last", format!("{} {} {}", self.bare(d), self.word("per"), list(per))),
            Mod::FirstStep(_) | Mod::EachStep(_) => panic!("never written"),
        }
    }

    /// What a modifier or `per` names: grains of the time axis are bare words in Bell.
    fn changed(&self, d: &Ex) -> String {
        match d {
            Ex::MetricTime(grain) if *grain != Grain::Raw && !grain.is_part() && self.measure.is_none() => {
                grain.word().to_string()
            }
            other => self.write(other),
        }
    }

    /// The same after `all`, `first` and `last`, where SQL takes bare grains too.
    fn bare(&self, d: &Ex) -> String {
        match d {
            Ex::MetricTime(grain @ (Grain::Day | Grain::Month)) => grain.word().to_string(),
            other => self.changed(other),
        }
    }

    fn listed(&self, by: &[Ex]) -> String {
        let by: Vec<String> = by.iter().map(|d| self.changed(d)).collect();
        if let [one] = by.as_slice() { one.clone() } else { format!("({})", by.join(", ")) }
    }

    /// A keyword: SQL shouts.
    fn word(&self, word: &str) -> String {
        if self.measure.is_some() { word.to_uppercase() } else { word.to_string() }
    }

    fn name(&self, name: &str, grain: Grain) -> String {
        let name = format!("{name}{}", grain.suffix());
        if self.measure.is_some() { quoted(&name) } else { name }
    }

    fn indicator(&self, at: usize) -> String {
        let name = &self.model.indicators[at].name;
        match self.measure {
            None => name.clone(),
            Some("") => quoted(name),
            Some(word) => format!("{word}({})", quoted(name)),
        }
    }

    fn aggregate(&self, agg: Agg, source: usize, arg: Option<&Ex>) -> String {
        let arg = arg.map(|a| self.write(a)).unwrap_or_default();
        match agg {
            Agg::CountRows => format!("count(*) of {}", self.model.sources[source].name),
            other => self.call(other, &arg),
        }
    }

    fn call(&self, agg: Agg, args: &str) -> String {
        match agg {
            Agg::CountDistinct => format!("count(distinct {args})"),
            Agg::CovarPop => format!("covar_pop({args})"),
            other => format!("{}({args})", format!("{other:?}").to_lowercase()),
        }
    }

    /// `orders.store.region`, `orders.items.category`.
    pub fn path(&self, path: &Path) -> String {
        let mut at = path.root;
        let mut parts = match self.inside {
            Some(inside) if inside == path.root => vec![],
            _ => vec![self.model.sources[at].name.clone()],
        };
        for step in &path.steps {
            parts.push(match step {
                Step::Up(join) => self.model.sources[at].joins[*join].name.clone(),
                Step::Down(source, _) => self.model.sources[*source].name.clone(),
            });
            at = step.target(self.model, at);
        }
        parts.push(self.model.sources[at].columns[path.column].name.clone());
        parts.join(".")
    }
}

fn negation(not: bool) -> &'static str {
    if not { "not " } else { "" }
}

/// A name as SQL finds it: quoted if it has upper case.
pub fn quoted(name: &str) -> String {
    if name.chars().any(char::is_uppercase) { format!("\"{name}\"") } else { name.to_string() }
}

fn operator(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::Concat => "||",
        Op::Eq => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
        Op::And => "and",
        Op::Or => "or",
    }
}

/// A literal in SQL, which is Bell's too.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Date(day) => format!("date '{}'", date_text(*day)),
        Value::Time(micros) => format!("timestamp '{}'", time_text(*micros)),
        other => other.to_string(),
    }
}
