//! Which groups are shown: where a leaf has rows, where its window has, and what `fill` adds.

use std::collections::BTreeSet;

use super::calendar::{end, instant, moved, start};
use super::context::Leaf;
use super::expr::{Ex, Grain};
use super::modifier::{Amount, Mod};
use super::naive::{Groups, Layer, Naive, Scope};
use super::reach::Why;
use super::state::State;
use super::value::Value;

/// The keys that are grains of a leaf's time axis: where they stand, and which grain.
type GrainKeys = Vec<(usize, Grain)>;

/// The keys of a question on the way to a leaf, and the modifiers right inside it.
type Segment = (Vec<Ex>, Vec<Mod>);

fn identity(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::canonical).collect()
}

impl Naive<'_> {
    /// The groups that a question for these values shows, inside what the scope's layers already say.
    pub fn shown(&self, items: &[&Ex], scope: &Scope, keys: &[Ex]) -> Result<Groups, Why> {
        let base = scope.layers.len();
        let filled: Vec<Leaf> = items.iter().flat_map(|item| self.filled(item, scope)).collect();
        if !filled.is_empty() && base > 0 {
            return self.shown_inside(items, scope, keys);
        }
        let leaves: Vec<Leaf> = items.iter().flat_map(|item| self.leaves(item, scope)).collect();
        let (mut shown, mut doubtful) = (Groups::new(), Groups::new());
        for leaf in &leaves {
            shown.extend(self.plain_groups(leaf, base, keys)?);
            let segments = self.segments(leaf, base, keys)?;
            let silent =
                |at: usize| segments.iter().enumerate().all(|(other, (_, mods))| other == at || mods.is_empty());
            for (at, (inner, mods)) in segments.iter().enumerate() {
                if !mods.iter().any(Mod::is_running) || mods.iter().any(Mod::changes_groups) {
                    continue;
                }
                let groups = self.window_groups(leaf, base, mods, inner)?;
                let groups = groups.into_values().map(|values| values[..keys.len()].to_vec());
                let groups = groups.map(|values| (identity(&values), values));
                match at == 0 || silent(at) {
                    true => shown.extend(groups),
                    false => doubtful.extend(groups),
                }
            }
        }
        if doubtful.keys().any(|group| !shown.contains_key(group)) {
            return Err(Why::Unspecified("a group that only a window inside an aggregate of indicators has".into()));
        }
        self.fill_up(&filled, base, keys, &mut shown)?;
        Ok(shown)
    }

    /// The groups where a leaf has rows, whatever is filtered.
    pub fn plain_groups(&self, leaf: &Leaf, base: usize, keys: &[Ex]) -> Result<Groups, Why> {
        let leaf = Leaf { scope: leaf.scope.unfiltered(), ..leaf.clone() };
        let mut state = self.state(&leaf, &leaf.scope.layers[..base])?;
        self.restrict(&leaf, &mut state)?;
        let keys = keys.iter().map(|key| self.resolved(&leaf, key)).collect::<Result<Vec<_>, _>>()?;
        let rows = self.select(&leaf, &state, &keys)?;
        Ok(rows.into_iter().map(|(_, values)| (identity(&values), values)).collect())
    }

    /// The groups whose window has rows, between the first and the last period with data, inside the range.
    fn window_groups(&self, leaf: &Leaf, base: usize, own: &[Mod], keys: &[Ex]) -> Result<Groups, Why> {
        let leaf = Leaf { scope: leaf.scope.unfiltered(), ..leaf.clone() };
        let before = leaf.scope.layers[..base].to_vec();
        let mut state = self.state(&leaf, &before)?;
        self.restrict(&leaf, &mut state)?;
        let grains = self.grain_keys(&leaf, keys)?;
        let Some(axis) = leaf.axis.clone() else { return Ok(Groups::new()) };
        let instants = self.select(&leaf, &state.of_all_groups(), &[Ex::Col(axis)])?;
        let instants: Vec<i64> = instants.iter().filter_map(|(_, values)| instant(&values[0])).collect();
        let (Some(first), Some(last)) = (instants.iter().min(), instants.iter().max()) else {
            return Ok(Groups::new());
        };
        let others: Vec<usize> = (0..keys.len()).filter(|at| grains.iter().all(|(g, _)| g != at)).collect();
        let extra = others.iter().map(|at| self.resolved(&leaf, &keys[*at])).collect::<Result<Vec<_>, _>>()?;
        let mut found = Groups::new();
        for periods in self.periods(&leaf, &state, &grains, *first, *last) {
            let named = grains.iter().zip(&periods).map(|((at, _), value)| (keys[*at].clone(), Some(value.clone())));
            let mut layers = [before.clone(), vec![Layer::Keys(named.collect())]].concat();
            if !self.state(&leaf, &layers)?.is_open() {
                continue;
            }
            layers.push(Layer::Mods(own.to_vec()));
            let mut windowed = self.state(&leaf, &layers)?;
            windowed.only = state.only.clone();
            for (_, rest) in self.select(&leaf, &windowed, &extra)? {
                let values = placed(keys.len(), &grains, &periods, &others, &rest);
                found.insert(identity(&values), values);
            }
        }
        Ok(found)
    }

    /// The keys of each question on the way to a leaf, from the outermost to the innermost, and the modifiers right
    /// inside it.
    fn segments(&self, leaf: &Leaf, base: usize, keys: &[Ex]) -> Result<Vec<Segment>, Why> {
        let (outside, layers) = leaf.scope.layers.split_at(base);
        let outer = self.state(leaf, outside)?.finest();
        let mut found = vec![(keys.to_vec(), vec![])];
        for layer in layers {
            let (keys, mods) = found.last_mut().expect("one at least");
            let mut inner = keys.clone();
            match layer {
                Layer::Mods(more) => {
                    mods.extend(more.iter().filter(|m| !matches!(m, Mod::EachStep(_))).cloned());
                    let grain = self.grain_keys(leaf, keys)?.iter().map(|(_, grain)| *grain).chain(outer).min();
                    if let [Mod::EachStep(own)] = more.as_slice()
                        && grain.is_some_and(|grain| grain > *own)
                    {
                        inner.push(Ex::MetricTime(*own));
                        found.push((inner, vec![]));
                    }
                }
                Layer::Keys(by) => {
                    inner.extend(by.iter().map(|(key, _)| key.clone()));
                    found.push((inner, vec![]));
                }
            }
        }
        Ok(found)
    }

    fn grain_keys(&self, leaf: &Leaf, keys: &[Ex]) -> Result<GrainKeys, Why> {
        let mut found = vec![];
        for (at, key) in keys.iter().enumerate() {
            found.extend(self.grain_of(leaf, key)?.map(|grain| (at, grain)));
        }
        Ok(found)
    }

    /// The values of the grain keys at each period from one instant to another.
    fn periods(&self, leaf: &Leaf, state: &State, grains: &GrainKeys, first: i64, last: i64) -> Vec<Vec<Value>> {
        let sunday = self.model.sunday;
        if grains.is_empty() {
            // The period stands outside already.
            return if state.finest().is_some() && state.meets(first, last) { vec![vec![]] } else { vec![] };
        }
        let finest = grains.iter().map(|(_, grain)| *grain).min().unwrap_or(Grain::Day);
        if finest == Grain::Raw {
            return vec![];
        }
        let step = if grains.len() > 1 { finest.min(Grain::Day) } else { finest };
        let is_date = leaf.axis.as_ref().is_some_and(|axis| self.is_date(axis));
        let (mut at, mut seen, mut found) = (start(first, step, sunday), BTreeSet::new(), vec![]);
        while at <= last {
            let cut = |grain: Grain| match (grain, is_date) {
                (Grain::Hour, _) => Value::Time(start(at, grain, sunday)),
                _ => grain.cut(&Value::Time(at), sunday),
            };
            let values: Vec<Value> = grains.iter().map(|(_, grain)| cut(*grain)).collect();
            if seen.insert(identity(&values)) {
                found.push(values);
            }
            at = moved(at, Amount::one(step));
        }
        found
    }

    /// The leaves of filled indicators, but for those inside aggregates of indicators.
    fn filled(&self, ex: &Ex, scope: &Scope) -> Vec<Leaf> {
        match ex {
            Ex::Ind(at) => {
                let indicator = &self.model.indicators[*at];
                let inner = self.within(scope, *at);
                match &indicator.fill {
                    Some(_) => self.leaves(&indicator.definition, &inner),
                    None => self.filled(&indicator.definition, &inner),
                }
            }
            Ex::Filter(x, _) => self.filled(x, scope),
            Ex::At(x, inner) => self.filled(x, &scope.under(Layer::Mods(inner.clone()))),
            Ex::Agg(..) | Ex::Fold(..) | Ex::Conversion(_) => vec![],
            other => other.children().into_iter().flat_map(|child| self.filled(child, scope)).collect(),
        }
    }

    /// Groups of a filled indicator inside others: those of a question with all keys that have the outer values.
    fn shown_inside(&self, items: &[&Ex], scope: &Scope, keys: &[Ex]) -> Result<Groups, Why> {
        let mut outer: Vec<(Ex, Option<Value>)> = vec![];
        for layer in &scope.layers {
            match layer {
                Layer::Keys(keys) => outer.extend(keys.iter().cloned()),
                Layer::Mods(_) => {
                    return Err(Why::Unspecified("the periods of a filled indicator in a context".into()));
                }
            }
        }
        let all: Vec<Ex> = outer.iter().map(|(key, _)| key).chain(keys).cloned().collect();
        let name = format!("{items:?} {:?} {:?} {all:?}", scope.wheres, scope.filters);
        let known = self.inside.borrow().get(&name).cloned();
        let groups = match known {
            Some(groups) => groups,
            None => {
                let groups = self.shown(items, &Scope { layers: vec![], ..scope.clone() }, &all)?;
                self.inside.borrow_mut().insert(name, groups.clone());
                groups
            }
        };
        let is_here = |values: &[Value]| {
            let mut pairs = outer.iter().zip(values);
            pairs.all(|((_, due), value)| due.as_ref().is_some_and(|due| due.canonical() == value.canonical()))
        };
        let here = groups.values().filter(|values| is_here(values)).map(|values| values[outer.len()..].to_vec());
        Ok(here.map(|values| (identity(&values), values)).collect())
    }

    /// Every period between the first and the last shown, for each combination of the other keys.
    fn fill_up(&self, filled: &[Leaf], base: usize, keys: &[Ex], shown: &mut Groups) -> Result<(), Why> {
        let Some(leaf) = filled.first() else { return Ok(()) };
        let grains = self.grain_keys(leaf, keys)?;
        let state = self.state(leaf, &leaf.scope.layers[..base])?;
        for other in filled {
            let alike = self.state(other, &other.scope.layers[..base])?.bounds() == state.bounds();
            if self.grain_keys(other, keys)? != grains || !alike {
                return Err(Why::Unspecified("filled indicators with different time axes".into()));
            }
        }
        if grains.is_empty() {
            return Ok(());
        }
        let others: Vec<usize> = (0..keys.len()).filter(|at| grains.iter().all(|(g, _)| g != at)).collect();
        for at in &others {
            if self.reads_time(leaf, &keys[*at])? {
                return Err(Why::Unspecified("filled periods beside parts of the time".into()));
            }
        }
        let periods = shown.values().filter_map(|values| {
            let instants: Option<Vec<i64>> = grains.iter().map(|(at, _)| instant(&values[*at])).collect();
            let instants = instants?;
            let ends = instants.iter().zip(&grains).map(|(at, (_, grain))| end(*at, *grain, self.model.sunday));
            Some((*instants.iter().max()?, ends.min()? - 1))
        });
        let periods: Vec<(i64, i64)> = periods.collect();
        let (low, high) = state.bounds();
        if state.is_split() || (periods.is_empty() && low.is_some() && high.is_some() && others.is_empty()) {
            return Err(Why::Unspecified("which periods are filled".into()));
        }
        let first = low.or(periods.iter().map(|(a, _)| *a).min());
        let last = high.map(|b| b - 1).or(periods.iter().map(|(_, b)| *b).max());
        let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
        let combinations: Vec<Vec<Value>> =
            shown.values().map(|values| others.iter().map(|at| values[*at].clone()).collect()).collect();
        for periods in self.periods(leaf, &state, &grains, first, last) {
            for rest in &combinations {
                let values = placed(keys.len(), &grains, &periods, &others, rest);
                shown.insert(identity(&values), values);
            }
        }
        Ok(())
    }
}

/// Periods and other values, each where its key stands.
fn placed(count: usize, grains: &GrainKeys, periods: &[Value], others: &[usize], rest: &[Value]) -> Vec<Value> {
    let mut values = vec![Value::Null; count];
    grains.iter().zip(periods).for_each(|((at, _), value)| values[*at] = value.clone());
    others.iter().zip(rest).for_each(|(at, value)| values[*at] = value.clone());
    values
}
