//! [`Naive`]: the answer to a question, row by row, by the letter of the language page.
//!
//! Nothing here is clever: a fact row belongs to a group if any assignment of child rows to it satisfies every
//! condition and gives the group's values; an aggregate folds the rows that belong; a group is shown if an asked
//! aggregate has rows there before any `filter`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::expr::{Agg, Ex};
use super::model::{Model, Path, Step, Table};
use super::question::{Form, Question};
use super::reach::{Why, children, resolve};
use super::value::{Value, arithmetic, compare};

/// Rows of an answer.
pub type Rows = Vec<Vec<Value>>;

/// A model and its rows.
pub struct Naive<'a> {
    model: &'a Model,
    tables: Vec<Table>,
    groups: RefCell<HashMap<String, Rc<Groups>>>,
}

/// The group's identity; its values, and the fact rows that belong to it.
type Groups = BTreeMap<Vec<String>, (Vec<Value>, BTreeSet<usize>)>;

/// Which child row stands for each against-the-direction step.
type Assignment = BTreeMap<Vec<Step>, Option<usize>>;

/// What surrounds an aggregate: conditions of definitions, filters, and the time axis.
#[derive(Debug, Clone, Default)]
struct Scope {
    wheres: Vec<Ex>,
    filters: Vec<Ex>,
    time: Option<Path>,
}

/// The part of a question that an aggregate is folded in.
struct Context<'a> {
    keys: &'a [Ex],
    conditions: &'a [Ex],
    set: &'a [bool],
}

/// One group of an answer.
struct Group<'a> {
    identity: &'a [String],
    values: &'a [Value],
}

impl<'a> Naive<'a> {
    /// The rows that exist at all, with their computed columns.
    pub fn new(model: &'a Model, data: &[Table]) -> Naive<'a> {
        let tables = (0..data.len()).map(|at| existing(model, at, &data[at])).collect();
        Naive { model, tables, groups: RefCell::default() }
    }

    /// The answer, in the question's order if it has one.
    pub fn answer(&self, question: &Question) -> Result<Rows, Why> {
        if question.range_is_reversed() {
            return Err(Why::Refused("the range ends before it begins".to_string()));
        }
        let conditions = question.all_conditions();
        let mut rows = vec![];
        if let Form::Distinct(root) = question.form {
            let all = vec![true; question.keys.len()];
            let context = Context { keys: &question.keys, conditions: &conditions, set: &all };
            let groups = self.groups(root, &Scope::default(), &context)?;
            rows.extend(groups.values().map(|(values, _)| values.clone()));
        } else {
            for set in question.grouping_sets() {
                let context = Context { keys: &question.keys, conditions: &conditions, set: &set };
                rows.extend(self.grouped(question, &context)?);
            }
        }
        Ok(ordered(rows, question))
    }

    /// The rows of one grouping set.
    fn grouped(&self, question: &Question, context: &Context<'_>) -> Result<Rows, Why> {
        let mut shown: BTreeMap<Vec<String>, Vec<Value>> = BTreeMap::new();
        for item in &question.items {
            self.show(item, &Scope::default(), context, &mut shown)?;
        }
        if context.set.iter().all(|k| !k) {
            if shown.is_empty() && !context.keys.is_empty() {
                return Err(Why::Unspecified("a grand total without any row".into()));
            }
            let nothing = vec![Value::Null; context.keys.len()];
            shown.entry(identity(&nothing, context.set)).or_insert(nothing);
        }
        let mut rows = vec![];
        for (identity, values) in &shown {
            let group = Group { identity, values };
            let value = |ex: &Ex| self.value(ex, &Scope::default(), context, &group);
            if question.having.as_ref().is_none_or(|having| value(having).is_true()) {
                rows.push(question.items.iter().map(value).collect());
            }
        }
        Ok(rows)
    }

    /// Adds the groups where an aggregate of the expression has rows; fails if any part of it cannot be answered.
    fn show(
        &self,
        ex: &Ex,
        scope: &Scope,
        context: &Context<'_>,
        shown: &mut BTreeMap<Vec<String>, Vec<Value>>,
    ) -> Result<(), Why> {
        match ex {
            Ex::Ind(at) => self.show(&self.model.indicators[*at].definition, &self.within(scope, *at), context, shown),
            Ex::Filter(x, p) => self.show(x, &scope.filtered(p), context, shown),
            Ex::Agg(_, fact, _) => {
                self.groups(*fact, scope, context)?;
                let unfiltered = Scope { filters: vec![], ..scope.clone() };
                let groups = self.groups(*fact, &unfiltered, context)?;
                shown.extend(groups.iter().map(|(identity, (values, _))| (identity.clone(), values.clone())));
                Ok(())
            }
            other => other.children().into_iter().try_for_each(|child| self.show(child, scope, context, shown)),
        }
    }

    /// The scope inside an indicator's definition.
    fn within(&self, scope: &Scope, indicator: usize) -> Scope {
        let indicator = &self.model.indicators[indicator];
        let mut inner = Scope { time: indicator.time.clone(), ..scope.clone() };
        inner.wheres.extend(indicator.trailing.iter().chain(&indicator.clause).cloned());
        inner
    }

    fn value(&self, ex: &Ex, scope: &Scope, context: &Context<'_>, group: &Group<'_>) -> Value {
        let leaf = |leaf: &Ex| match leaf {
            Ex::Ind(at) => self.value(&self.model.indicators[*at].definition, &self.within(scope, *at), context, group),
            Ex::Filter(x, p) => self.value(x, &scope.filtered(p), context, group),
            Ex::Agg(agg, fact, arg) => self.aggregate((*agg, *fact, arg.as_deref()), scope, context, group),
            Ex::Key(at) => group.values[*at].clone(),
            Ex::Grouping(at) => Value::Int((!context.set[*at]).into()),
            other => panic!("the harness finds {other:?} in a group"),
        };
        ex.eval(&leaf, self.model.sunday)
    }

    fn aggregate(
        &self,
        (agg, fact, arg): (Agg, usize, Option<&Ex>),
        scope: &Scope,
        context: &Context<'_>,
        group: &Group<'_>,
    ) -> Value {
        let groups = self.groups(fact, scope, context).expect("checked when groups were shown");
        let none = BTreeSet::new();
        let rows = groups.get(group.identity).map_or(&none, |(_, rows)| rows);
        let nothing = Assignment::new();
        let values = rows.iter().map(|row| match arg {
            None => Value::Null,
            Some(arg) => self.row_value(arg, *row, &nothing),
        });
        fold(agg, values.collect())
    }

    /// The rows of a fact that satisfy everything, by group.
    fn groups(&self, fact: usize, scope: &Scope, context: &Context<'_>) -> Result<Rc<Groups>, Why> {
        let name = format!("{fact} {scope:?} {:?}", context.set);
        let name = format!("{name} {:?} {:?}", context.keys, context.conditions);
        if let Some(known) = self.groups.borrow().get(&name) {
            return Ok(known.clone());
        }
        let found = Rc::new(self.find_groups(fact, scope, context)?);
        self.groups.borrow_mut().insert(name, found.clone());
        Ok(found)
    }

    fn find_groups(&self, fact: usize, scope: &Scope, context: &Context<'_>) -> Result<Groups, Why> {
        let axis = self.model.sources[fact].time.map(|column| Path { root: fact, steps: vec![], column });
        let time = scope.time.clone().or(axis);
        let resolved = |ex: &Ex| resolve(self.model, fact, time.as_ref(), ex);
        let keys = context.keys.iter().map(resolved).collect::<Result<Vec<_>, _>>()?;
        let conditions = context.conditions.iter().chain(&scope.wheres).chain(&scope.filters);
        let conditions = conditions.map(resolved).collect::<Result<Vec<_>, _>>()?;
        let mut below: Vec<Vec<Step>> = keys.iter().chain(&conditions).flat_map(children).collect();
        below.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
        below.dedup();

        let mut groups = Groups::new();
        for row in 0..self.tables[fact].len() {
            for assignment in self.assignments(fact, row, &below) {
                if !conditions.iter().all(|c| self.row_value(c, row, &assignment).is_true()) {
                    continue;
                }
                let values = keys.iter().zip(context.set).map(|(key, grouped)| match grouped {
                    true => self.row_value(key, row, &assignment),
                    false => Value::Null,
                });
                let values: Vec<Value> = values.collect();
                let entry = groups.entry(identity(&values, context.set)).or_insert((values, BTreeSet::new()));
                entry.1.insert(row);
            }
        }
        Ok(groups)
    }

    fn row_value(&self, ex: &Ex, row: usize, assignment: &Assignment) -> Value {
        let leaf = |leaf: &Ex| match leaf {
            Ex::Col(path) => self.cell(path, row, assignment),
            Ex::Exists(path) => Value::Bool(self.arrive(path.root, &path.steps, row, assignment).is_some()),
            other => panic!("the harness finds {other:?} in a row"),
        };
        ex.eval(&leaf, self.model.sunday)
    }

    fn cell(&self, path: &Path, row: usize, assignment: &Assignment) -> Value {
        match self.arrive(path.root, &path.steps, row, assignment) {
            Some(row) => self.tables[self.model.target(path)][row][path.column].clone(),
            None => Value::Null,
        }
    }

    /// The row at the end of the steps.
    fn arrive(&self, root: usize, steps: &[Step], row: usize, assignment: &Assignment) -> Option<usize> {
        let mut source = root;
        let mut at = row;
        for (position, step) in steps.iter().enumerate() {
            at = match step {
                Step::Up(join) => self.joined(source, *join, at)?,
                Step::Down(..) => assignment[&steps[..=position]]?,
            };
            source = step.target(self.model, source);
        }
        Some(at)
    }

    /// The one row that a join leads to, if any.
    fn joined(&self, source: usize, join: usize, row: usize) -> Option<usize> {
        let join = &self.model.sources[source].joins[join];
        let own = &self.tables[source][row];
        self.tables[join.target].iter().position(|their| meet(&join.on, own, their))
    }

    /// Every way to choose one child row for each step against a direction; none where there is no child row.
    fn assignments(&self, fact: usize, row: usize, below: &[Vec<Step>]) -> Vec<Assignment> {
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
        let parent = self.arrive(fact, before, row, &partial);
        let parent = parent.map(|at| &self.tables[join.target][at]);
        let candidates = self.tables[*child].iter().enumerate();
        let found = candidates.filter(|(_, own)| parent.is_some_and(|their| meet(&join.on, own, their)));
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

impl Scope {
    fn filtered(&self, by: &Ex) -> Scope {
        let mut inner = self.clone();
        inner.filters.push(by.clone());
        inner
    }
}

fn existing(model: &Model, at: usize, data: &Table) -> Table {
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

fn meet(on: &[(usize, usize)], own: &[Value], their: &[Value]) -> bool {
    on.iter().all(|(a, b)| compare(&own[*a], &their[*b]).is_some_and(|o| o.is_eq()))
}

/// Keys outside the grouping set differ from NULL.
fn identity(values: &[Value], set: &[bool]) -> Vec<String> {
    let text = |(value, grouped): (&Value, &bool)| if *grouped { value.canonical() } else { "all".into() };
    values.iter().zip(set).map(text).collect()
}

fn ordered(mut rows: Rows, question: &Question) -> Rows {
    rows.sort_by(|a, b| {
        let by = question.order.iter().map(|order| {
            let (a, b) = (&a[order.item], &b[order.item]);
            let values = || {
                let o = compare(a, b).expect("not NULL");
                if order.descending { o.reverse() } else { o }
            };
            match (a.is_null(), b.is_null()) {
                (false, false) => values(),
                (a_null, b_null) if order.nulls_first => b_null.cmp(&a_null),
                (a_null, b_null) => a_null.cmp(&b_null),
            }
        });
        by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    rows.truncate(question.limit.unwrap_or(usize::MAX));
    rows
}

/// An aggregate over values, one for each row.
pub fn fold(agg: Agg, values: Vec<Value>) -> Value {
    if agg == Agg::CountRows {
        return Value::Int(values.len() as i128);
    }
    let mut values: Vec<Value> = values.into_iter().filter(|v| !v.is_null()).collect();
    let count = values.len();
    match agg {
        Agg::Count => return Value::Int(count as i128),
        Agg::CountDistinct => {
            let distinct: BTreeSet<String> = values.iter().map(Value::canonical).collect();
            return Value::Int(distinct.len() as i128);
        }
        _ if count == 0 => return Value::Null,
        _ => {}
    }
    let sum = || values.iter().cloned().reduce(|a, b| arithmetic('+', &a, &b)).expect("not empty");
    match agg {
        Agg::Sum => sum(),
        Agg::Avg => Value::Double(sum().double().expect("a number") / count as f64),
        Agg::Stddev => stddev(&values),
        Agg::Min | Agg::Max | Agg::Median => {
            values.sort_by(|a, b| compare(a, b).expect("not NULL"));
            match agg {
                Agg::Min => values[0].clone(),
                Agg::Max => values[count - 1].clone(),
                _ => middle(&values),
            }
        }
        Agg::CountRows | Agg::Count | Agg::CountDistinct => panic!("counted above"),
    }
}

/// DataFusion's median of ints is a double; that of decimals keeps their type and is cut towards zero.
fn middle(sorted: &[Value]) -> Value {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return sorted[half].clone();
    }
    match arithmetic('+', &sorted[half - 1], &sorted[half]) {
        Value::Int(n) => Value::Double(n as f64 / 2.0),
        Value::Dec(n, scale) => Value::Dec(n / 2, scale),
        Value::Double(x) => Value::Double(x / 2.0),
        other => panic!("the harness takes the median of {other}"),
    }
}

/// Of a sample; NULL for one value.
fn stddev(values: &[Value]) -> Value {
    if values.len() < 2 {
        return Value::Null;
    }
    let numbers: Vec<f64> = values.iter().filter_map(Value::double).collect();
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let squares: f64 = numbers.iter().map(|x| (x - mean) * (x - mean)).sum();
    Value::Double((squares / (numbers.len() - 1) as f64).sqrt())
}
