//! The table of pairs: what kind of indicator met which modifier over which shape of joins, and how it went.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Outcome;
use super::draw_items::facts_of;
use super::expr::Ex;
use super::model::{Model, Step};
use super::question::Question;
use super::reach::{children, resolve};

/// The kinds of indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sum,
    Count,
    Distinct,
    Average,
    MinMax,
    Ratio,
    SemiAdditive,
    Nested,
    Running,
}

pub const KINDS: [Kind; 9] = [
    Kind::Sum,
    Kind::Count,
    Kind::Distinct,
    Kind::Average,
    Kind::MinMax,
    Kind::Ratio,
    Kind::SemiAdditive,
    Kind::Nested,
    Kind::Running,
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Sum => "sum",
            Kind::Count => "count",
            Kind::Distinct => "distinct count",
            Kind::Average => "average, median",
            Kind::MinMax => "min, max",
            Kind::Ratio => "ratio of two facts",
            Kind::SemiAdditive => "semi-additive (`last`)",
            Kind::Nested => "nested (`per`)",
            Kind::Running => "running (`trailing`)",
        }
    }
}

/// What changes an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Nothing,
    AllOf,
    All,
    Set,
    Where,
    Visible,
    Shift,
    Previous,
    PreviousPeriod,
    Trailing,
    ToDate,
    Cumulative,
    First,
    Last,
    Per,
    Fill,
    Filter,
}

pub const CHANGES: [Change; 17] = [
    Change::Nothing,
    Change::AllOf,
    Change::All,
    Change::Set,
    Change::Where,
    Change::Visible,
    Change::Shift,
    Change::Previous,
    Change::PreviousPeriod,
    Change::Trailing,
    Change::ToDate,
    Change::Cumulative,
    Change::First,
    Change::Last,
    Change::Per,
    Change::Fill,
    Change::Filter,
];

impl Change {
    fn name(self) -> &'static str {
        match self {
            Change::Nothing => "(none)",
            Change::AllOf => "`all d`",
            Change::All => "`all`",
            Change::Set => "`set d = v`",
            Change::Where => "`where p`",
            Change::Visible => "`visible`",
            Change::Shift => "`shift`",
            Change::Previous => "`previous`",
            Change::PreviousPeriod => "`previous period`",
            Change::Trailing => "`trailing`",
            Change::ToDate => "`to date`",
            Change::Cumulative => "`cumulative`",
            Change::First => "`first d`",
            Change::Last => "`last d`",
            Change::Per => "`per d`",
            Change::Fill => "`fill`",
            Change::Filter => "`filter`",
        }
    }
}

/// How the question's dimensions are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Own,
    Chain,
    Against,
    Several,
}

pub const SHAPES: [Shape; 4] = [Shape::Own, Shape::Chain, Shape::Against, Shape::Several];

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Own => "own table",
            Shape::Chain => "many-to-one chain",
            Shape::Against => "against a direction",
            Shape::Several => "several facts",
        }
    }
}

/// How often a pair was equal, refused by the engine (with which codes), and anything else.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    equal: usize,
    refused: usize,
    codes: BTreeSet<String>,
    other: usize,
}

/// A pair that was never drawn.
pub const EMPTY: &str = "-";

/// Every pair that a run met.
#[derive(Default)]
pub struct Pairs(BTreeMap<(Kind, Change, Shape), Cell>);

impl Pairs {
    pub fn count(&mut self, model: &Model, question: &Question, outcome: &Outcome) {
        for pair in of(model, question) {
            let cell = self.0.entry(pair).or_default();
            match outcome {
                Outcome::Equal => cell.equal += 1,
                Outcome::Refused(code) | Outcome::Declined(code) => {
                    cell.refused += 1;
                    cell.codes.insert(code.clone());
                }
                _ => cell.other += 1,
            }
        }
    }

    /// A Markdown table for each shape.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for shape in SHAPES {
            text += &format!("**{}**\n\n| | {} |\n", shape.name(), KINDS.map(Kind::name).join(" | "));
            text += &format!("|---|{}\n", "---|".repeat(KINDS.len()));
            for change in CHANGES {
                let cells = KINDS.map(|kind| self.0.get(&(kind, change, shape)).map_or(EMPTY.into(), Cell::text));
                text += &format!("| {} | {} |\n", change.name(), cells.join(" | "));
            }
            text += "\n";
        }
        text
    }
}

impl Cell {
    fn text(&self) -> String {
        let codes = self.codes.iter().cloned().collect::<Vec<_>>().join(" ");
        let refused = match self.refused {
            0 => String::new(),
            many => format!("{many} refused {codes}"),
        };
        let different = if self.other > 0 { format!("{} DIFFERENT", self.other) } else { String::new() };
        let equal = if self.equal > 0 { format!("{} equal", self.equal) } else { String::new() };
        [equal, refused, different].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// The pairs that a question shows.
fn of(model: &Model, question: &Question) -> Vec<(Kind, Change, Shape)> {
    let facts: Vec<usize> = question.items.iter().flat_map(|item| facts_of(model, item)).collect();
    let shape = shape(model, question, &facts);
    let mut found = vec![];
    for item in &question.items {
        let mut changes = vec![];
        item.visit_value(&mut |inner| match inner {
            Ex::At(_, mods) => changes.extend(mods.iter().filter_map(change)),
            Ex::Filter(..) => changes.push(Change::Filter),
            _ => {}
        });
        item.visit_value(&mut |inner| {
            if let Ex::Ind(at) = inner
                && let Some(kind) = model.indicators[*at].kind
            {
                let all: Vec<Change> = model.indicators[*at].changes.iter().chain(&changes).copied().collect();
                let all = if all.is_empty() { vec![Change::Nothing] } else { all };
                found.extend(all.into_iter().map(|change| (kind, change, shape)));
            }
        });
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn shape(model: &Model, question: &Question, facts: &[usize]) -> Shape {
    let each = question.items.iter().map(|item| facts_of(model, item)).filter(|facts| !facts.is_empty());
    let each: Vec<Vec<usize>> = each.collect();
    if each.iter().any(|facts| *facts != each[0]) {
        return Shape::Several;
    }
    let read = question.keys.iter().chain(&question.conditions);
    let read: Vec<Ex> =
        facts.first().map_or(vec![], |fact| read.filter_map(|ex| resolve(model, *fact, None, ex).ok()).collect());
    let mut joined = false;
    for ex in &read {
        ex.visit_row(&mut |inner| joined |= matches!(inner, Ex::Col(path) if has_up(&path.steps)));
    }
    match read.iter().any(|ex| !children(ex).is_empty()) {
        true => Shape::Against,
        false if joined => Shape::Chain,
        false => Shape::Own,
    }
}

fn has_up(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Up(_)))
}

/// How the table calls a modifier.
pub fn change(modifier: &super::modifier::Mod) -> Option<Change> {
    use super::modifier::Mod;
    Some(match modifier {
        Mod::AllOf(_) => Change::AllOf,
        Mod::All => Change::All,
        Mod::Set(..) => Change::Set,
        Mod::Where(_) => Change::Where,
        Mod::Visible => Change::Visible,
        Mod::Shift(_) => Change::Shift,
        Mod::Previous(_) => Change::Previous,
        Mod::PreviousPeriod => Change::PreviousPeriod,
        Mod::Trailing(_) => Change::Trailing,
        Mod::ToDate(_) => Change::ToDate,
        Mod::Cumulative => Change::Cumulative,
        Mod::First(..) => Change::First,
        Mod::Last(..) => Change::Last,
        Mod::FirstStep(_) | Mod::EachStep(_) => return None,
    })
}
