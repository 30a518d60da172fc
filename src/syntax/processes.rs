//! Processes: which rows are steps of which case, and the dimension and the indicators that they come to.
//!
//! What a process declares is written here as Bell and read like any other: nothing later knows that it was not written by
//! hand.

use super::ast::{Dimension, Expr, Indicator, Labels, Name, Path, Process};
use super::cursor::{Node, Rule};
use super::exprs;
use super::items::once;
use crate::diagnostic::Diagnostic;

type Read<T> = Result<T, Diagnostic>;

/// Reads a `process`.
pub(super) fn process(node: &Node) -> Read<Process> {
    let mut paths = node.paths().into_iter();
    let (Some(source), Some(case), Some(step), Some(time)) = (paths.next(), paths.next(), paths.next(), paths.next())
    else {
        unreachable!("the grammar requires a source and three columns")
    };
    let until = paths.next();
    let mut waits = Vec::new();
    let (mut unit, mut owner) = (None, None);
    for clause in node.children() {
        match clause.rule() {
            Rule::process_waits => waits.extend(clause.all(Rule::text).map(|text| text.to_text())),
            Rule::unit_clause => once(&mut unit, clause.must(Rule::unit).to_name(), &clause)?,
            Rule::owner_clause => once(&mut owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    let name = node.name();
    let full = |column: &Path| Column { text: in_full(&source, column), place: column.clone() };
    let (case, step, time) = (full(&case), full(&step), full(&time));
    let tells_waiting = until.is_some() || !waits.is_empty();
    let made = Made { node, name: &name, unit: unit.clone(), owner: owner.clone(), time: time.read(node)? };
    Ok(Process {
        steps: Dimension {
            name: made.called("step"),
            labels: Labels::default(),
            definitions: vec![step.read(node)?],
            owner: owner.clone(),
        },
        indicators: made.indicators(&case.text, tells_waiting)?,
        case: case.read(node)?,
        step: step.read(node)?,
        time: time.read(node)?,
        until: until.map(|until| full(&until).read(node)).transpose()?,
        labels: node.labels(),
        source,
        waits,
        unit,
        owner,
        name,
    })
}

/// A column of the source, by its whole path.
struct Column {
    text: String,
    place: Path,
}

impl Column {
    fn read(&self, node: &Node) -> Read<Expr> {
        exprs::generated(node.file(), self.place.span, &self.text)
    }
}

/// `happened_at` as `events.happened_at`.
fn in_full(source: &Path, column: &Path) -> String {
    let begins = column.parts.len() > source.parts.len()
        && column.parts.iter().zip(&source.parts).all(|(column, source)| column.text == source.text);
    let parts = source.parts.iter().filter(|_| !begins).chain(&column.parts);
    parts.map(|part| quoted(&part.text)).collect::<Vec<_>>().join(".")
}

/// A name as it is written in an expression.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(char::is_numeric);
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Indicators in the making.
struct Made<'n> {
    node: &'n Node<'n>,
    name: &'n Name,
    unit: Option<Name>,
    owner: Option<super::ast::Text>,
    time: Expr,
}

/// The indicators that are made of others.
const COMPOSED: [&str; 4] = ["per_case", "share", "bottleneck", "waiting_share"];

/// What the values of an indicator are.
#[derive(Clone, Copy)]
enum Measured {
    Number,
    Time,
    Share,
}

impl Made<'_> {
    fn indicators(&self, case: &str, tells_waiting: bool) -> Read<Vec<Indicator>> {
        use Measured::{Number, Share, Time};
        let rows = quoted(&self.name.text);
        let own = |suffix: &str| quoted(&self.called(suffix).text);
        let (time, cases, step) = (own("time"), own("cases"), own("step"));
        let mut all = vec![
            self.indicator("cases", Number, format!("count(distinct {case})"))?,
            self.indicator("visits", Number, format!("count({rows}.visit)"))?,
            self.indicator("time", Time, format!("sum({rows}.stay)"))?,
            self.indicator("average", Time, format!("avg({rows}.stay)"))?,
            self.indicator("median", Time, format!("median({rows}.stay)"))?,
            self.indicator("p90", Time, format!("percentile_cont(0.9) within group (order by {rows}.stay)"))?,
            self.indicator("per_case", Time, format!("{time} / {cases}"))?,
            self.indicator("share", Share, format!("{time} / {time} at (all {step})"))?,
            self.indicator("bottleneck", Share, format!("max({time} per {step}) / {time}"))?,
            self.indicator(
                "rework",
                Share,
                format!("count({rows}.visit) filter (where {rows}.visit > 1) / count({rows}.visit)"),
            )?,
        ];
        if tells_waiting {
            all.push(self.indicator("working", Time, format!("sum({rows}.working)"))?);
            all.push(self.indicator("waiting", Time, format!("sum({rows}.waiting)"))?);
            all.push(self.indicator("waiting_share", Share, format!("{} / {time}", own("waiting")))?);
        }
        Ok(all)
    }

    fn called(&self, suffix: &str) -> Name {
        Name { text: format!("{}_{suffix}", self.name.text), span: self.name.span }
    }

    fn word(&self, text: &str) -> Name {
        Name { text: text.to_string(), span: self.name.span }
    }

    fn indicator(&self, suffix: &str, measured: Measured, definition: String) -> Read<Indicator> {
        let unit = match measured {
            Measured::Number => None,
            Measured::Time => Some(self.unit.clone().unwrap_or_else(|| self.word("hours"))),
            Measured::Share => Some(self.word("percent")),
        };
        // More of a process is neither good nor bad; the rest is lost time.
        let lost = !matches!((measured, suffix), (Measured::Number, _) | (_, "share" | "working" | "bottleneck"));
        let read = exprs::generated(self.node.file(), self.name.span, &definition)?;
        Ok(Indicator {
            unit,
            good: lost.then(|| self.word("down")),
            owner: self.owner.clone(),
            // What is made of the others has their times.
            time: (!COMPOSED.contains(&suffix)).then(|| self.time.clone()),
            written: Some(definition),
            ..Indicator::defined(self.called(suffix), Labels::default(), read)
        })
    }
}
