//! What a leaf reads: the question's keys, conditions and range, changed by modifiers from left to right.
//!
//! A leaf is one aggregate over one source. Its [`State`] begins with the question's conditions; then layers act on
//! it in order: keys are added, modifiers change what is there.

use std::collections::BTreeSet;

use super::calendar::{EVER, Intervals, common, end, instant, intersection, moved, start};
use super::expr::{Ex, Grain, Op};
use super::model::{Path, Step, Ty};
use super::modifier::{Amount, Mod};
use super::naive::{Layer, Naive, Scope};
use super::reach::{Why, children, overlap, reads, resolve, split};
use super::rows::Row;
use super::state::{Key, State};
use super::value::{DAY, Value};

/// One aggregate's source, and what surrounds the aggregate.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub fact: usize,
    pub scope: Scope,
    pub axis: Option<Path>,
}

/// How an expression relates to a dimension.
#[derive(PartialEq)]
enum Mention {
    Nothing,
    Only,
    Mixed,
}

fn refused<T>(why: &str) -> Result<T, Why> {
    Err(Why::Refused(why.into()))
}

fn unspecified<T>(why: &str) -> Result<T, Why> {
    Err(Why::Unspecified(why.into()))
}

impl Naive<'_> {
    pub fn leaf(&self, fact: usize, scope: Scope) -> Leaf {
        let own = self.model.sources[fact].time.map(|column| Path { root: fact, steps: vec![], column });
        Leaf { fact, axis: scope.time.clone().or(own), scope }
    }

    pub fn resolved(&self, leaf: &Leaf, ex: &Ex) -> Result<Ex, Why> {
        resolve(self.model, leaf.fact, leaf.axis.as_ref(), ex)
    }

    /// The context after these layers.
    pub fn state(&self, leaf: &Leaf, layers: &[Layer]) -> Result<State, Why> {
        let mut state = State::default();
        self.replace_conditions(leaf, &mut state, &leaf.scope.root.conditions)?;
        for layer in layers {
            match layer {
                Layer::Keys(keys) => self.add_keys(leaf, &mut state, keys)?,
                Layer::Mods(mods) => mods.iter().try_for_each(|m| self.apply(leaf, &mut state, m))?,
            }
        }
        if state.timed && state.sets_time {
            return unspecified("a time that is set and then moved");
        }
        Ok(state)
    }

    fn replace_conditions(&self, leaf: &Leaf, state: &mut State, conditions: &[Ex]) -> Result<(), Why> {
        state.conditions.clear();
        state.range = vec![EVER];
        for condition in conditions {
            match self.range_of(leaf, condition)? {
                Some(range) => state.range = intersection(&state.range, &range),
                None => state.conditions.push(condition.clone()),
            }
        }
        Ok(())
    }

    /// The intervals that a comparison of the time axis with constants leaves.
    fn range_of(&self, leaf: &Leaf, condition: &Ex) -> Result<Option<Intervals>, Why> {
        let Some(axis) = &leaf.axis else { return Ok(None) };
        let of = match condition {
            Ex::Bin(Op::Eq | Op::Lt | Op::Le | Op::Gt | Op::Ge, a, b) if matches!(b.as_ref(), Ex::Lit(_)) => a,
            Ex::Between(a, _, _, false) | Ex::In(a, _, false) => a,
            _ => return Ok(None),
        };
        // What cannot be reached is found when it is read, if no modifier drops it before.
        let Ok(of) = self.resolved(leaf, of) else { return Ok(None) };
        let grain = match of {
            Ex::Col(path) if path == *axis => Grain::Raw,
            Ex::Cut(inner, grain) if *inner == Ex::Col(axis.clone()) && !grain.is_part() => grain,
            _ => return Ok(None),
        };
        let grain = if grain == Grain::Raw && self.is_date(axis) { Grain::Day } else { grain };
        let compared = |op: Op, value: &Value| self.compared(grain, op, value);
        Ok(Some(match condition {
            Ex::Bin(op, _, b) => match b.as_ref() {
                Ex::Lit(value) => compared(*op, value),
                _ => vec![],
            },
            Ex::Between(_, low, high, _) => intersection(&compared(Op::Ge, low), &compared(Op::Le, high)),
            Ex::In(_, list, _) => list.iter().flat_map(|value| compared(Op::Eq, value)).collect(),
            _ => vec![],
        }))
    }

    /// The instants whose period's first instant compares so with a constant.
    fn compared(&self, grain: Grain, op: Op, value: &Value) -> Intervals {
        let Some(at) = instant(value) else { return vec![] };
        let (first, next) = (start(at, grain, self.model.sunday), end(at, grain, self.model.sunday));
        match op {
            Op::Eq if first == at => vec![(first, next)],
            Op::Lt if first == at => vec![(EVER.0, first)],
            Op::Lt | Op::Le => vec![(EVER.0, next)],
            Op::Ge if first == at => vec![(first, EVER.1)],
            Op::Gt | Op::Ge => vec![(next, EVER.1)],
            _ => vec![],
        }
    }

    pub fn is_date(&self, axis: &Path) -> bool {
        self.model.sources[self.model.target(axis)].columns[axis.column].ty == Ty::Date
    }

    fn add_keys(&self, leaf: &Leaf, state: &mut State, keys: &[(Ex, Option<Value>)]) -> Result<(), Why> {
        self.restrict(leaf, state)?;
        for (asked, value) in keys {
            let key = self.key(leaf, asked, value.clone())?;
            if let Some(grain) = key.grain {
                // While only the meaning is checked, any period will do.
                match key.value.clone().unwrap_or(Value::Date(20_000)) {
                    Value::Null => state.unknown = true,
                    value => {
                        let at = instant(&value).expect("a period is a time");
                        let period = (at, end(at, grain, self.model.sunday));
                        let before = state.window;
                        state.window = Some(before.map_or(period, |window| common(window, period)));
                        // A coarser period around a day changes nothing.
                        let is_day = grain <= Grain::Day && state.window == Some(period);
                        state.day = is_day || state.day && state.window == before;
                    }
                }
            }
            state.keys.push(key);
        }
        Ok(())
    }

    fn key(&self, leaf: &Leaf, asked: &Ex, value: Option<Value>) -> Result<Key, Why> {
        let row = self.resolved(leaf, asked);
        let (mut grain, mut moves) = (None, None);
        if let (Some(axis), Ok(row)) = (&leaf.axis, &row) {
            match row {
                Ex::Col(path) if path == axis && self.is_date(axis) => grain = Some(Grain::Day),
                Ex::Col(path) if path == axis => grain = Some(Grain::Raw),
                Ex::Cut(inner, g) if **inner == Ex::Col(axis.clone()) && !g.is_part() => grain = Some(*g),
                _ if self.mention(leaf, asked, &Ex::Col(axis.clone())).is_ok_and(|m| m == Mention::Only) => {
                    moves = Some(vec![]);
                }
                _ => {}
            }
        }
        Ok(Key { asked: asked.clone(), row, value, grain, moves })
    }

    /// The grain, if the key is one of the leaf's time axis.
    pub fn grain_of(&self, leaf: &Leaf, key: &Ex) -> Result<Option<Grain>, Why> {
        Ok(self.key(leaf, key, None)?.grain)
    }

    /// Whether a key reads the leaf's time axis.
    pub fn reads_time(&self, leaf: &Leaf, key: &Ex) -> Result<bool, Why> {
        let row = self.resolved(leaf, key)?;
        Ok(leaf.axis.as_ref().is_some_and(|axis| reads(&row, &Ex::Col(axis.clone()))))
    }

    /// Applies `first` and `last` before keys are added inside.
    pub fn restrict(&self, leaf: &Leaf, state: &mut State) -> Result<(), Why> {
        if !state.ends.is_empty() {
            if !leaf.scope.filters.is_empty() {
                return unspecified("first or last around a filtered aggregate of indicators");
            }
            let rows = self.rows(leaf, state)?;
            state.only = Some(rows);
            state.ends.clear();
        }
        Ok(())
    }

    fn apply(&self, leaf: &Leaf, state: &mut State, modifier: &Mod) -> Result<(), Why> {
        if state.only.is_some() && !matches!(modifier, Mod::First(..) | Mod::Last(..)) {
            return unspecified("first or last around an aggregate of changed indicators");
        }
        if modifier.is_timed() && leaf.axis.is_none() {
            return refused("no time axis");
        }
        if modifier.is_timed() && state.sets_time {
            return unspecified("a time that is set and then moved");
        }
        if modifier.is_timed() && state.cuts() {
            return refused("weeks and months cut each other");
        }
        match modifier {
            Mod::AllOf(ds) => ds.iter().try_for_each(|d| self.drop(leaf, state, d)),
            Mod::All => {
                let ends = std::mem::take(&mut state.ends);
                let (timed, only) = (state.timed, state.only.take());
                *state = State { ends, timed, only, ..State::default() };
                Ok(())
            }
            Mod::Set(d, v) => self.set(leaf, state, d, v),
            Mod::Where(p) => self.replace_conditions(leaf, state, &split(p)),
            Mod::Visible if state.timed => unspecified("visible after a time modifier"),
            Mod::Visible => self.replace_conditions(leaf, state, &leaf.scope.root.visible),
            Mod::Shift(by) => self.shift(leaf, state, by.back()),
            Mod::Previous(grain) => self.shift(leaf, state, Amount::one(*grain).back()),
            Mod::PreviousPeriod => self.previous_period(leaf, state),
            Mod::Trailing(_) | Mod::ToDate(_) | Mod::Cumulative => self.run(state, modifier),
            Mod::First(d, per) | Mod::Last(d, per) => {
                let end = if matches!(modifier, Mod::First(..)) { Op::Lt } else { Op::Gt };
                state.ends.push((end, d.clone(), per.clone()));
                Ok(())
            }
            // Met only while the meaning is checked.
            Mod::EachStep(own) if state.finest().is_some_and(|grain| grain > *own) => {
                self.add_keys(leaf, state, &[(Ex::MetricTime(*own), None)])
            }
            Mod::EachStep(_) => Ok(()),
            Mod::FirstStep(_) if state.running => unspecified("the first step of a window"),
            Mod::FirstStep(grain) => {
                if let (Some(finest), Some((a, b))) = (state.finest(), state.window)
                    && finest > *grain
                {
                    state.window = Some((a, b.min(end(a, *grain, self.model.sunday))));
                }
                Ok(())
            }
        }
    }

    /// `all d`.
    fn drop(&self, leaf: &Leaf, state: &mut State, d: &Ex) -> Result<(), Why> {
        // A dimension that is not reached is only what it is called.
        let atom = self.atom(leaf, d).unwrap_or(d.clone());
        let mut kept = vec![];
        for key in &state.keys {
            let itself = matches!((&key.asked, d), (Ex::Dim(a, _), Ex::Dim(b, _)) if a == b);
            // What is not reached is only what it is called.
            let mention = match (itself, &key.row) {
                (true, _) => Mention::Only,
                (false, Err(_)) => Mention::Nothing,
                (false, Ok(_)) => self.mention(leaf, &key.asked, &atom)?,
            };
            match mention {
                Mention::Only if key.grain.is_some() && state.running => {
                    return unspecified("a window whose period is dropped");
                }
                Mention::Only => {}
                Mention::Mixed => return refused("a key mixes dimensions"),
                Mention::Nothing => kept.push(key.clone()),
            }
        }
        if kept.iter().all(|key| key.grain.is_none()) && state.keys.iter().any(|key| key.grain.is_some()) {
            (state.window, state.day, state.unknown, state.lost) = (None, false, false, false);
        }
        state.keys = kept;
        let mut kept = vec![];
        for condition in &state.conditions {
            match self.mention(leaf, condition, &atom)? {
                Mention::Only => {}
                Mention::Mixed => return refused("a condition mixes dimensions"),
                Mention::Nothing => kept.push(condition.clone()),
            }
        }
        state.conditions = kept;
        Ok(())
    }

    fn set(&self, leaf: &Leaf, state: &mut State, d: &Ex, v: &Ex) -> Result<(), Why> {
        let current = v.replace(&mut |inner| match inner {
            Ex::Current(of) => {
                let row = self.resolved(leaf, of)?;
                match state.keys.iter().find(|key| key.row == Ok(row.clone())) {
                    Some(key) => Ok(Some(Ex::Lit(key.value.clone().unwrap_or(Value::Null)))),
                    None => refused("current of what is no key"),
                }
            }
            _ => Ok(None),
        })?;
        let value = current.eval(&|ex| panic!("the harness finds {ex:?} in a value"), self.model.sunday);
        self.drop(leaf, state, d)?;
        let atom = self.atom(leaf, d)?;
        let condition = Ex::bin(Op::Eq, d.clone(), Ex::Lit(value));
        let of_row = has_current(v);
        match self.range_of(leaf, &condition)? {
            Some(range) if !of_row => state.range = intersection(&state.range, &range),
            _ => {
                state.sets_time |= leaf.axis.as_ref().is_some_and(|axis| atom == Ex::Col(axis.clone()));
                state.conditions.push(condition);
            }
        }
        Ok(())
    }

    fn shift(&self, leaf: &Leaf, state: &mut State, by: Amount) -> Result<(), Why> {
        state.timed = true;
        state.lost |= state.unknown;
        let axis = Ex::Col(leaf.axis.clone().expect("a time axis"));
        for key in &mut state.keys {
            match &mut key.moves {
                // A later shift acts on the row's time first.
                Some(moves) => moves.insert(0, by.back()),
                None if key.grain.is_none() && key.row.as_ref().is_ok_and(|row| reads(row, &axis)) => {
                    return unspecified("a shift of a dimension that reads the time");
                }
                None => {}
            }
        }
        if state.finest().is_none() && state.window.is_none() {
            state.window = state.hull().filter(|hull| *hull != EVER);
        }
        // Without a period, and before any window, the range itself is what moves.
        let is_range = state.finest().is_none() && !state.running;
        state.window = state.window.map(|(a, b)| match (state.day, is_range) {
            (true, _) => (moved(a, by), moved(a, by) + (b - a)),
            (false, true) => landed((a, b), by),
            (false, false) => (moved(a, by), moved(b, by)),
        });
        state.range = state.range.iter().map(|range| landed(*range, by)).collect();
        Ok(())
    }

    fn previous_period(&self, leaf: &Leaf, state: &mut State) -> Result<(), Why> {
        match state.finest() {
            Some(Grain::Raw) => unspecified("the instant before"),
            Some(grain) => self.shift(leaf, state, Amount::one(grain).back()),
            None if state.running => unspecified("the period before a window"),
            None if state.keys.iter().any(|key| key.moves.is_some()) => refused("the range before has other dates"),
            None => {
                let Some(hull) = state.hull() else { return unspecified("the range before none") };
                let (a, b) = state.window.map_or(hull, |window| common(window, hull));
                match (state.is_split(), a == EVER.0 || b == EVER.1) {
                    (true, _) => unspecified("the range before several ones"),
                    (_, true) => refused("previous period needs a grain or a range"),
                    _ => self.shift(leaf, state, Amount { n: b - a, unit: Grain::Raw }.back()),
                }
            }
        }
    }

    fn run(&self, state: &mut State, modifier: &Mod) -> Result<(), Why> {
        state.timed = true;
        state.running = true;
        state.lost |= state.unknown;
        if state.lost {
            return Ok(());
        }
        if state.keys.iter().any(|key| key.grain == Some(Grain::Raw)) {
            return refused("a window at every instant");
        }
        let Some(last) = state.range.iter().map(|(_, b)| *b).max() else {
            return unspecified("a window in an empty range");
        };
        let b = state.window.map_or(last, |(_, b)| b.min(last));
        state.range = vec![(EVER.0, last)];
        state.day = false;
        let a = match modifier {
            Mod::Cumulative if b == EVER.1 => {
                state.window = None;
                return Ok(());
            }
            _ if b == EVER.1 => return refused("a window needs a grain or the end of a range"),
            Mod::Trailing(by) => moved(b, by.back()),
            Mod::ToDate(grain) => start(b - 1, *grain, self.model.sunday),
            _ => EVER.0,
        };
        state.window = Some((a, b));
        Ok(())
    }

    /// The column or expression that a dimension stands for.
    fn atom(&self, leaf: &Leaf, d: &Ex) -> Result<Ex, Why> {
        match d {
            Ex::Dim(at, _) => self.resolved(leaf, &Ex::Dim(*at, Grain::Raw)),
            Ex::MetricTime(_) => self.resolved(leaf, &Ex::MetricTime(Grain::Raw)),
            other => self.resolved(leaf, other),
        }
    }

    fn mention(&self, leaf: &Leaf, ex: &Ex, atom: &Ex) -> Result<Mention, Why> {
        let mut named = vec![];
        ex.visit_row(&mut |inner| {
            if matches!(inner, Ex::Dim(..) | Ex::MetricTime(_) | Ex::Seg(_) | Ex::Col(_)) {
                named.push(inner);
            }
        });
        let (mut same, mut other) = (0, 0);
        for inner in named {
            let inner = self.atom(leaf, inner)?;
            match inner == *atom {
                true => same += 1,
                false if overlap(&inner, atom) => return unspecified("two dimensions share a column"),
                false => other += 1,
            }
        }
        Ok(match (same, other) {
            (0, _) => Mention::Nothing,
            (_, 0) => Mention::Only,
            _ => Mention::Mixed,
        })
    }

    /// The rows in the context, each once for every choice of child rows, with the values of some expressions.
    pub fn select(&self, leaf: &Leaf, state: &State, extra: &[Ex]) -> Result<Vec<(usize, Vec<Value>)>, Why> {
        let conditions = state.conditions.iter().chain(&leaf.scope.wheres).chain(&leaf.scope.filters);
        let conditions = conditions.map(|c| self.resolved(leaf, c)).collect::<Result<Vec<_>, _>>()?;
        let keys = state.keys.iter().filter(|key| key.grain.is_none());
        let keys = keys.filter(|key| key.value.is_some()).map(|key| Ok((key, key.row.clone()?)));
        let keys = keys.collect::<Result<Vec<(&Key, Ex)>, Why>>()?;
        let read = keys.iter().map(|(_, row)| row).chain(&conditions).chain(extra);
        let mut below: Vec<Vec<Step>> = read.flat_map(children).collect();
        below.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
        below.dedup();

        let mut found = vec![];
        for at in 0..self.tables[leaf.fact].len() {
            if state.only.as_ref().is_some_and(|only| !only.contains(&at)) {
                continue;
            }
            for assignment in self.assignments(leaf.fact, at, &below) {
                let row = Row { at, children: &assignment };
                let equal = |(key, ex): &(&Key, Ex)| {
                    let moves = leaf.axis.as_ref().zip(key.moves.as_deref());
                    let value = self.moved_value(ex, row, moves);
                    key.value.as_ref().is_some_and(|due| due.canonical() == value.canonical())
                };
                if self.is_in_time(leaf, state, row)
                    && keys.iter().all(equal)
                    && conditions.iter().all(|c| self.row_value(c, row).is_true())
                {
                    found.push((at, extra.iter().map(|ex| self.row_value(ex, row)).collect()));
                }
            }
        }
        Ok(found)
    }

    fn is_in_time(&self, leaf: &Leaf, state: &State, row: Row<'_>) -> bool {
        let Some(axis) = &leaf.axis else { return true };
        let time = instant(&self.cell(axis, row));
        let inside = |(a, b): &(i64, i64)| time.is_some_and(|t| *a <= t && t < *b);
        !state.lost
            && (!state.unknown || time.is_none())
            && state.window.is_none_or(|window| inside(&window))
            && (state.range == [EVER] || state.range.iter().any(inside))
    }

    /// The rows that the leaf aggregates.
    pub fn rows(&self, leaf: &Leaf, state: &State) -> Result<BTreeSet<usize>, Why> {
        let mut extra = vec![];
        for (_, d, per) in &state.ends {
            for ex in [d].into_iter().chain(per) {
                extra.push(self.resolved(leaf, ex)?);
            }
        }
        let mut rows = self.select(leaf, state, &extra)?;
        let mut column = 0;
        for (op, _, per) in &state.ends {
            let (d, k) = (column, column + 1..column + 1 + per.len());
            column = k.end;
            rows = at_the_end(rows, *op, d, k);
        }
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }
}

/// From the first to the last instant where those between two bounds land: several days may land on one.
fn landed((a, b): (i64, i64), by: Amount) -> (i64, i64) {
    let day = |at: i64| at - at.rem_euclid(DAY);
    let first = if a == EVER.0 { a } else { moved(a, by).min(moved(day(a) + DAY, by)) };
    let last = if b == EVER.1 { b } else { moved(b, by).max(moved(day(b) - DAY, by) + DAY) };
    (first, last)
}

fn has_current(v: &Ex) -> bool {
    let mut found = false;
    v.visit_row(&mut |inner| found |= matches!(inner, Ex::Current(_)));
    found
}

/// The rows at the least or greatest value of a column, for each of some others.
fn at_the_end(
    rows: Vec<(usize, Vec<Value>)>,
    op: Op,
    d: usize,
    per: std::ops::Range<usize>,
) -> Vec<(usize, Vec<Value>)> {
    let of = |row: &[Value]| -> Vec<String> { row[per.clone()].iter().map(Value::canonical).collect() };
    let beaten = |row: &[Value]| {
        let better = |other: &[Value]| {
            let way = super::value::compare(&other[d], &row[d]);
            way.is_some_and(|o| if op == Op::Lt { o.is_lt() } else { o.is_gt() })
        };
        row[d].is_null() || rows.iter().any(|(_, other)| of(other) == of(row) && better(other))
    };
    rows.iter().filter(|(_, row)| !beaten(row)).cloned().collect()
}
