//! Reading rows: cells through joins, and every way to choose child rows.

use std::collections::BTreeMap;

use super::calendar::{instant, moved};
use super::expr::Ex;
use super::model::{Join, Model, Path, Step, Table};
use super::modifier::Amount;
use super::naive::Naive;
use super::value::{Value, compare};

/// Which child row stands for each against-the-direction step.
pub type Assignment = BTreeMap<Vec<Step>, Option<usize>>;

/// A row with its child rows.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub at: usize,
    pub children: &'a Assignment,
}

impl Naive<'_> {
    /// The value of a resolved expression on a row.
    pub fn row_value(&self, ex: &Ex, row: Row<'_>) -> Value {
        self.moved_value(ex, row, None)
    }

    /// The same, with the times of one column moved, in this order.
    pub fn moved_value(&self, ex: &Ex, row: Row<'_>, moves: Option<(&Path, &[Amount])>) -> Value {
        let leaf = |leaf: &Ex| match leaf {
            Ex::Col(path) => match (self.cell(path, row), moves) {
                (value, Some((axis, moves))) if axis == path => {
                    let is_date = matches!(value, Value::Date(_));
                    let Some(at) = instant(&value) else { return Value::Null };
                    let at = moves.iter().fold(at, |at, by| moved(at, *by));
                    if is_date { Value::Date(at.div_euclid(super::value::DAY)) } else { Value::Time(at) }
                }
                (value, _) => value,
            },
            Ex::Exists(path) => Value::Bool(self.arrive(path.root, &path.steps, row).is_some()),
            Ex::Per(lookup) => {
                let on = lookup.on.iter().map(|on| self.row_value(on, row)).collect();
                self.looked_up(&lookup.x, &lookup.by, on)
            }
            other => panic!("the harness finds {other:?} in a row"),
        };
        ex.eval(&leaf, self.model.sunday)
    }

    pub fn cell(&self, path: &Path, row: Row<'_>) -> Value {
        match self.arrive(path.root, &path.steps, row) {
            Some(row) => self.tables[self.model.target(path)][row][path.column].clone(),
            None => Value::Null,
        }
    }

    /// The row at the end of the steps.
    fn arrive(&self, root: usize, steps: &[Step], row: Row<'_>) -> Option<usize> {
        let mut source = root;
        let mut at = row.at;
        for (position, step) in steps.iter().enumerate() {
            at = match step {
                Step::Up(join) => self.joined(source, *join, at)?,
                Step::Down(..) => row.children[&steps[..=position]]?,
            };
            source = step.target(self.model, source);
        }
        Some(at)
    }

    /// The one row that a join leads to, if any.
    fn joined(&self, source: usize, join: usize, row: usize) -> Option<usize> {
        let join = &self.model.sources[source].joins[join];
        let own = &self.tables[source][row];
        self.tables[join.target].iter().position(|their| self.meet(source, join, own, their))
    }

    /// Whether a join leads from the one row to the other.
    fn meet(&self, source: usize, join: &Join, own: &[Value], their: &[Value]) -> bool {
        let equal = |(a, b): &(usize, usize)| compare(&own[*a], &their[*b]).is_some_and(|o| o.is_eq());
        let valid = || match (join.valid, self.model.sources[source].time) {
            (None, _) => true,
            (Some(_), None) => panic!("a join with a validity needs a time"),
            (Some((from, to)), Some(time)) => {
                let (time, from, to) = (&own[time], &their[from], &their[to]);
                !time.is_null()
                    && (from.is_null() || compare(from, time).is_some_and(|o| o.is_le()))
                    && (to.is_null() || compare(time, to).is_some_and(|o| o.is_lt()))
            }
        };
        join.on.iter().all(equal) && valid()
    }

    /// Every way to choose one child row for each step against a direction; none where there is no child row.
    pub fn assignments(&self, fact: usize, row: usize, below: &[Vec<Step>]) -> Vec<Assignment> {
        let mut all = vec![Assignment::new()];
        for steps in below {
            all = all.into_iter().flat_map(|partial| self.extended(fact, row, steps, partial)).collect();
        }
        all
    }

    fn extended(&self, fact: usize, row: usize, steps: &[Step], partial: Assignment) -> Vec<Assignment> {
        let (last, before) = steps.split_last().expect("a step down");
        let Step::Down(child, join) = last else { panic!("the harness ends in a step down") };
        let join = &self.model.sources[*child].joins[*join];
        let parent = self.arrive(fact, before, Row { at: row, children: &partial });
        let parent = parent.map(|at| &self.tables[join.target][at]);
        let candidates = self.tables[*child].iter().enumerate();
        let found = candidates.filter(|(_, own)| parent.is_some_and(|their| self.meet(*child, join, own, their)));
        let mut found: Vec<Option<usize>> = found.map(|(at, _)| Some(at)).collect();
        if found.is_empty() {
            found.push(None);
        }
        let with = |choice| {
            let mut extended = partial.clone();
            extended.insert(steps.to_vec(), choice);
            extended
        };
        found.into_iter().map(with).collect()
    }
}

/// The rows of a source that exist at all, with their computed columns.
pub fn existing(model: &Model, at: usize, data: &Table) -> Table {
    let source = &model.sources[at];
    let mut rows = vec![];
    for stored in data {
        let mut row = stored.clone();
        let value = |ex: &Ex, row: &[Value]| {
            let leaf = |leaf: &Ex| match leaf {
                Ex::Col(path) => row[path.column].clone(),
                other => panic!("the harness finds {other:?} in a source"),
            };
            ex.eval(&leaf, model.sunday)
        };
        for (column, formula) in source.columns.iter().enumerate() {
            if let Some(formula) = &formula.computed {
                row[column] = value(formula, stored);
            }
        }
        if source.filter.as_ref().is_none_or(|filter| value(filter, &row).is_true()) {
            rows.push(row);
        }
    }
    rows
}
