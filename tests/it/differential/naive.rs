//! [`Naive`]: the answer to a question, row by row, by the letter of the language page.
//!
//! Nothing here is clever: for each shown row, every aggregate reads the rows of its context (see `context`), each
//! chosen by looking at all rows with all child rows, and folds them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::context::Leaf;
use super::expr::{Agg, Ex, Grain};
use super::model::{Model, Path, Table, Within};
use super::modifier::Mod;
use super::question::{Form, Question};
use super::reach::{Why, split};
use super::rows::{Assignment, Row, existing};
use super::value::{Value, arithmetic, compare};

/// Rows of an answer.
pub type Rows = Vec<Vec<Value>>;

/// Group identities with the keys' values.
pub type Groups = BTreeMap<Vec<String>, Vec<Value>>;

/// A model and its rows.
pub struct Naive<'a> {
    pub model: &'a Model,
    pub tables: Vec<Table>,
    /// The first thing that went wrong where values were computed.
    trouble: RefCell<Option<Why>>,
    /// The conditions of the question in hand.
    asked: RefCell<Rc<Root>>,
    lookups: RefCell<HashMap<String, Value>>,
    /// The groups of filled indicators inside aggregates of indicators.
    pub inside: RefCell<HashMap<String, Groups>>,
}

/// Where contexts begin.
#[derive(Debug, Default)]
pub struct Root {
    pub conditions: Vec<Ex>,
    /// The question's own conditions, which `visible` puts back.
    pub visible: Vec<Ex>,
}

/// One step from the question to an aggregate.
#[derive(Debug, Clone)]
pub enum Layer {
    /// Keys with their values in a row; `None` while only the meaning is checked.
    Keys(Vec<(Ex, Option<Value>)>),
    Mods(Vec<Mod>),
}

/// What surrounds an aggregate: conditions of definitions, filters, the time axis, keys and modifiers.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub wheres: Vec<Ex>,
    pub filters: Vec<Ex>,
    pub time: Option<Path>,
    pub layers: Vec<Layer>,
    pub root: Rc<Root>,
}

impl Scope {
    fn filtered(&self, by: &Ex) -> Scope {
        let mut inner = self.clone();
        inner.filters.push(by.clone());
        inner
    }

    pub fn unfiltered(&self) -> Scope {
        Scope { filters: vec![], ..self.clone() }
    }

    pub fn under(&self, layer: Layer) -> Scope {
        let mut inner = self.clone();
        inner.layers.push(layer);
        inner
    }

    pub fn with_keys(&self, keys: &[Ex], values: &[Value]) -> Scope {
        self.under(Layer::Keys(keys.iter().cloned().zip(values.iter().cloned().map(Some)).collect()))
    }

    fn with_unknown_keys(&self, keys: &[Ex]) -> Scope {
        self.under(Layer::Keys(keys.iter().map(|key| (key.clone(), None)).collect()))
    }
}

impl<'a> Naive<'a> {
    /// The rows that exist at all, with their computed columns.
    pub fn new(model: &'a Model, data: &[Table]) -> Naive<'a> {
        let tables = (0..data.len()).map(|at| existing(model, at, &data[at])).collect();
        Naive {
            model,
            tables,
            trouble: RefCell::default(),
            asked: RefCell::default(),
            lookups: RefCell::default(),
            inside: RefCell::default(),
        }
    }

    /// The answer, in the question's order if it has one.
    pub fn answer(&self, question: &Question) -> Result<Rows, Why> {
        if question.range_is_reversed() {
            return Err(Why::Refused("the range ends before it begins".to_string()));
        }
        let conditions: Vec<Ex> = question.all_conditions().iter().flat_map(split).collect();
        let root = Rc::new(Root { visible: conditions.clone(), conditions });
        *self.asked.borrow_mut() = root.clone();
        self.lookups.borrow_mut().clear();
        self.inside.borrow_mut().clear();
        self.trouble.take();
        let scope = Scope { root, ..Scope::default() };
        let mut rows = vec![];
        if let Form::Distinct(root) = question.form {
            let leaf = self.leaf(root, scope);
            rows.extend(self.plain_groups(&leaf, 0, &question.keys)?.into_values());
        } else {
            for set in question.grouping_sets() {
                rows.extend(self.grouped(question, &scope, &set)?);
            }
        }
        match self.trouble.take() {
            Some(why) => Err(why),
            None => Ok(ordered(rows, question)),
        }
    }

    /// The rows of one grouping set, which is a question of its own.
    fn grouped(&self, question: &Question, scope: &Scope, set: &[bool]) -> Result<Rows, Why> {
        let positions: Vec<usize> = (0..set.len()).filter(|at| set[*at]).collect();
        let keys: Vec<Ex> = positions.iter().map(|at| question.keys[*at].clone()).collect();
        let asked: Vec<&Ex> = question.items.iter().collect();
        asked.iter().copied().chain(&question.having).try_for_each(|x| self.check(x, scope, &keys))?;
        let mut shown = self.shown(&asked, scope, &keys)?;
        if keys.is_empty() {
            if shown.is_empty() && !set.is_empty() {
                return Err(Why::Unspecified("a grand total without any row".into()));
            }
            shown.entry(vec![]).or_default();
        }
        let mut rows = vec![];
        for values in shown.values() {
            let inner = scope.with_keys(&keys, values);
            let mut all = vec![Value::Null; set.len()];
            positions.iter().zip(values).for_each(|(at, value)| all[*at] = value.clone());
            let value = |ex: &Ex| {
                let leaf = |leaf: &Ex| match leaf {
                    Ex::Key(at) => all[*at].clone(),
                    Ex::Grouping(at) => Value::Int((!set[*at]).into()),
                    other => self.value(other, &inner),
                };
                ex.eval(&leaf, self.model.sunday)
            };
            if question.having.as_ref().is_none_or(|having| value(having).is_true()) {
                rows.push(question.items.iter().map(value).collect());
            }
        }
        Ok(rows)
    }

    /// The scope inside an indicator's definition.
    pub fn within(&self, scope: &Scope, indicator: usize) -> Scope {
        let indicator = &self.model.indicators[indicator];
        let mut inner = Scope { time: indicator.time.clone(), ..scope.clone() };
        inner.wheres.extend(indicator.trailing.iter().chain(&indicator.clause).cloned());
        inner
    }

    /// The aggregates of an expression, each with what surrounds it.
    pub fn leaves(&self, ex: &Ex, scope: &Scope) -> Vec<Leaf> {
        match ex {
            Ex::Ind(at) => {
                let (indicator, inner) = (&self.model.indicators[*at], self.within(scope, *at));
                match indicator.within {
                    Some((Within::First, own)) => {
                        self.leaves(&indicator.definition, &inner.under(Layer::Mods(vec![Mod::FirstStep(own)])))
                    }
                    Some((Within::Average, own)) => {
                        self.leaves(&indicator.definition, &inner.under(Layer::Mods(vec![Mod::EachStep(own)])))
                    }
                    _ => self.leaves(&indicator.definition, &inner),
                }
            }
            Ex::Filter(x, p) => self.leaves(x, &scope.filtered(p)),
            Ex::At(x, mods) => self.leaves(x, &scope.under(Layer::Mods(mods.clone()))),
            Ex::Fold(_, xs, by) => {
                let inner = scope.with_unknown_keys(by);
                xs.iter().flat_map(|x| self.leaves(x, &inner)).collect()
            }
            Ex::Agg(_, fact, _) => vec![self.leaf(*fact, scope.clone())],
            Ex::Conversion(conversion) => vec![self.leaf(conversion.from, scope.clone())],
            other => other.children().into_iter().flat_map(|child| self.leaves(child, scope)).collect(),
        }
    }

    /// Fails if any part of the expression has no meaning in a question with these keys.
    fn check(&self, x: &Ex, scope: &Scope, keys: &[Ex]) -> Result<(), Why> {
        for leaf in self.leaves(x, &scope.with_unknown_keys(keys)) {
            let full = self.check_leaf(&leaf, &leaf.scope.layers);
            let plain = self.check_leaf(&leaf, &leaf.scope.layers[..=scope.layers.len()]);
            let emptied = |layer: &Layer| match layer {
                Layer::Mods(mods) => mods.iter().any(|m| matches!(m, Mod::All | Mod::Where(_) | Mod::AllOf(_))),
                Layer::Keys(_) => false,
            };
            match plain {
                Err(Why::Refused(why)) if leaf.scope.layers.iter().any(emptied) && full.is_ok() => {
                    return Err(Why::Unspecified(why));
                }
                plain => plain.and(full)?,
            }
        }
        Ok(())
    }

    fn check_leaf(&self, leaf: &Leaf, layers: &[Layer]) -> Result<(), Why> {
        let state = self.state(leaf, layers)?;
        let scope = &leaf.scope;
        for ex in state.read().chain(&scope.wheres).chain(&scope.filters) {
            let mut looked = vec![];
            self.resolved(leaf, ex)?.visit_row(&mut |inner| {
                if let Ex::Per(lookup) = inner {
                    looked.push(lookup.as_ref().clone());
                }
            });
            for lookup in looked {
                self.check(&lookup.x, &self.lookup_scope(), &lookup.by)?;
            }
        }
        Ok(())
    }

    pub fn value(&self, ex: &Ex, scope: &Scope) -> Value {
        let leaf = |leaf: &Ex| match leaf {
            Ex::Ind(at) => self.indicator(*at, scope),
            Ex::Filter(x, p) => self.value(x, &scope.filtered(p)),
            Ex::At(x, mods) => self.value(x, &scope.under(Layer::Mods(mods.clone()))),
            Ex::Fold(agg, xs, by) => self.folded(*agg, xs, by, scope),
            Ex::Conversion(conversion) => self.converted(conversion, scope),
            Ex::Agg(agg, fact, arg) => self.aggregate((*agg, *fact, arg.as_deref()), scope),
            other => panic!("the harness finds {other:?} in a group"),
        };
        ex.eval(&leaf, self.model.sunday)
    }

    fn indicator(&self, at: usize, scope: &Scope) -> Value {
        let indicator = &self.model.indicators[at];
        let inner = match indicator.within {
            Some((Within::First, own)) => self.within(scope, at).under(Layer::Mods(vec![Mod::FirstStep(own)])),
            _ => self.within(scope, at),
        };
        if let Some(fill) = &indicator.fill
            && !self.has_rows(&indicator.definition, &inner.unfiltered())
        {
            return fill.clone();
        }
        match indicator.within {
            Some((Within::Average, own)) if self.is_coarser(&indicator.definition, &inner, own) => {
                let own = [Ex::MetricTime(own)];
                self.folded(Agg::Avg, std::slice::from_ref(&indicator.definition), &own, &inner)
            }
            _ => self.value(&indicator.definition, &inner),
        }
    }

    /// Whether any aggregate has rows in the context.
    fn has_rows(&self, ex: &Ex, scope: &Scope) -> bool {
        let base = scope.layers.len();
        self.leaves(ex, scope).into_iter().any(|mut leaf| {
            let mut at = 0;
            leaf.scope.layers.retain(|layer| {
                at += 1;
                at <= base || matches!(layer, Layer::Mods(mods) if !matches!(mods.as_slice(), [Mod::EachStep(_)]))
            });
            let rows = self.state(&leaf, &leaf.scope.layers).and_then(|state| self.rows(&leaf, &state));
            self.noted(rows).is_some_and(|rows| !rows.is_empty())
        })
    }

    /// Whether the rows are grouped by a coarser grain than this one.
    fn is_coarser(&self, ex: &Ex, scope: &Scope, own: Grain) -> bool {
        let Some(leaf) = self.leaves(ex, scope).into_iter().next() else { return false };
        let state = self.noted(self.state(&leaf, &scope.layers));
        state.and_then(|state| state.finest()).is_some_and(|grain| grain > own)
    }

    /// An aggregate of the values of each group.
    fn folded(&self, agg: Agg, xs: &[Ex], by: &[Ex], scope: &Scope) -> Value {
        let groups = self.shown(&xs.iter().collect::<Vec<_>>(), scope, by);
        let Some(groups) = self.noted(groups) else { return Value::Null };
        let mut values = vec![];
        for group in groups.values() {
            let inner = scope.with_keys(by, group);
            values.push(xs.iter().map(|x| self.value(x, &inner)).collect::<Vec<_>>());
        }
        match agg {
            Agg::CovarPop => covariance(&values),
            _ => fold(agg, values.into_iter().flatten().collect()),
        }
    }

    fn aggregate(&self, (agg, fact, arg): (Agg, usize, Option<&Ex>), scope: &Scope) -> Value {
        let rows = self.leaf_rows(fact, scope);
        let nothing = Assignment::new();
        let values = rows.iter().map(|row| match arg {
            None => Value::Null,
            Some(arg) => self.row_value(arg, Row { at: *row, children: &nothing }),
        });
        fold(agg, values.collect())
    }

    /// The rows of a source in a context.
    pub fn leaf_rows(&self, fact: usize, scope: &Scope) -> BTreeSet<usize> {
        let leaf = self.leaf(fact, scope.clone());
        let rows = self.state(&leaf, &scope.layers).and_then(|state| self.rows(&leaf, &state));
        self.noted(rows).unwrap_or_default()
    }

    fn lookup_scope(&self) -> Scope {
        let visible = self.asked.borrow().visible.clone();
        Scope { root: Rc::new(Root { conditions: vec![], visible }), ..Scope::default() }
    }

    /// `x per d` for a row: asked by d alone.
    pub fn looked_up(&self, x: &Ex, by: &[Ex], values: Vec<Value>) -> Value {
        let name = format!("{x:?} {by:?} {values:?}");
        if let Some(known) = self.lookups.borrow().get(&name) {
            return known.clone();
        }
        let value = self.value(x, &self.lookup_scope().with_keys(by, &values));
        self.lookups.borrow_mut().insert(name, value.clone());
        value
    }

    /// Keeps what went wrong for the end.
    pub fn noted<T>(&self, found: Result<T, Why>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(why) => {
                self.trouble.borrow_mut().get_or_insert(why);
                None
            }
        }
    }
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
        Agg::CovarPop => panic!("of two arguments"),
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

/// Of the pairs without NULL; NULL without any.
fn covariance(pairs: &[Vec<Value>]) -> Value {
    let numbers = |pair: &Vec<Value>| Some((pair[0].double()?, pair[1].double()?));
    let pairs: Vec<(f64, f64)> = pairs.iter().filter_map(numbers).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let products = pairs.iter().map(|(a, b)| (a - x) * (b - y)).sum::<f64>();
    if pairs.is_empty() { Value::Null } else { Value::Double(products / pairs.len() as f64) }
}
