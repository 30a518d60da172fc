//! [`State`]: the context of a leaf, as modifiers change it.

use std::collections::BTreeSet;

use super::calendar::{EVER, Intervals, common};
use super::expr::{Ex, Grain, Op};
use super::modifier::Amount;
use super::reach::Why;
use super::value::Value;

/// A key with the row's value of it.
#[derive(Debug, Clone)]
pub struct Key {
    pub asked: Ex,
    /// What it is on the leaf's rows. Whoever cannot reach it may drop it still.
    pub row: Result<Ex, Why>,
    /// `None` while only the meaning is checked.
    pub value: Option<Value>,
    /// A grain of the leaf's time axis.
    pub grain: Option<Grain>,
    /// For other expressions of the time axis: how far a row's time is moved before it is compared.
    pub moves: Option<Vec<Amount>>,
}

/// The context of a leaf.
#[derive(Debug, Clone)]
pub struct State {
    pub keys: Vec<Key>,
    pub conditions: Vec<Ex>,
    pub range: Intervals,
    /// The window of time; `None`: the range is all there is.
    pub window: Option<(i64, i64)>,
    /// Whether the window is a whole day, hour or instant, which stays one when it is shifted.
    pub day: bool,
    /// Whether a grain key is NULL.
    pub unknown: bool,
    /// Whether it was NULL when time moved: no period is before it, and no window ends there.
    pub lost: bool,
    pub timed: bool,
    pub running: bool,
    pub sets_time: bool,
    /// Least or greatest by what, for each of what.
    pub ends: Vec<(Op, Ex, Vec<Ex>)>,
    /// The rows left by `first` or `last` around an aggregate of indicators.
    pub only: Option<BTreeSet<usize>>,
}

impl Default for State {
    /// No grouping, no conditions, no range.
    fn default() -> State {
        State {
            keys: vec![],
            conditions: vec![],
            range: vec![EVER],
            window: None,
            day: false,
            unknown: false,
            lost: false,
            timed: false,
            running: false,
            sets_time: false,
            ends: vec![],
            only: None,
        }
    }
}

impl State {
    /// What is read from rows.
    pub fn read(&self) -> impl Iterator<Item = &Ex> {
        let ends = self.ends.iter().flat_map(|(_, d, per)| per.iter().chain([d]));
        self.keys.iter().map(|key| &key.asked).chain(&self.conditions).chain(ends)
    }

    /// The finest grain key.
    pub fn finest(&self) -> Option<Grain> {
        self.keys.iter().filter_map(|key| key.grain).min()
    }

    /// Whether a week is asked for beside months, which it does not lie in.
    pub fn cuts(&self) -> bool {
        let has = |is: fn(Grain) -> bool| self.keys.iter().filter_map(|key| key.grain).any(is);
        has(|grain| grain == Grain::Week) && has(|grain| grain > Grain::Week) && self.finest() == Some(Grain::Week)
    }

    /// From the beginning of the range to its end, if it has either.
    pub fn hull(&self) -> Option<(i64, i64)> {
        let hull = (self.range.iter().map(|(a, _)| *a).min()?, self.range.iter().map(|(_, b)| *b).max()?);
        Some(hull)
    }

    /// The part of the window inside the range, if any.
    pub fn is_open(&self) -> bool {
        let window = self.window.unwrap_or(EVER);
        self.range.iter().any(|range| {
            let (a, b) = common(window, *range);
            a < b
        })
    }

    /// Every group together, from the first row up to the end of the range.
    pub fn of_all_groups(&self) -> State {
        let last = self.range.iter().map(|(_, b)| *b).max().unwrap_or(EVER.0);
        let range = vec![(EVER.0, last)];
        State {
            keys: vec![],
            range,
            window: None,
            unknown: false,
            lost: false,
            only: None,
            ends: vec![],
            ..self.clone()
        }
    }

    /// First and last bound of the range, where it has them.
    pub fn bounds(&self) -> (Option<i64>, Option<i64>) {
        let first = self.range.iter().map(|(a, _)| *a).min().filter(|a| *a != EVER.0);
        let last = self.range.iter().map(|(_, b)| *b).max().filter(|b| *b != EVER.1);
        (first, last)
    }

    /// Whether the window has instants between these.
    pub fn meets(&self, first: i64, last: i64) -> bool {
        self.window.is_none_or(|(a, b)| a <= last && first < b)
    }

    /// Whether the range has gaps, or nothing.
    pub fn is_split(&self) -> bool {
        self.range.len() != 1
    }
}
