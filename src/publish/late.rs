//! What a run computes anew by itself: with a `lookback`, the latest periods only; and what it leaves as it is, where
//! periods are final.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use serde_json::{Map, Value};

use super::question::{Range, frame_of, looks_at_own_periods};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::period::Period;
use crate::catalog::publication::Publication;
use crate::catalog::stretch::{containing, later, now};
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, SourceId};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::cells::changes_by_itself;
use crate::store::inputs::inputs_of;
use crate::store::manifest::{File, Input as Read, InputFile, Made, Manifest};

/// What there is to compute.
pub(super) enum Changed {
    Nothing,
    Since(Range),
    All,
}

/// What there is to compute of a publication with the same definition. Without a `lookback`, all.
pub(super) fn changed(engine: &Engine, publication: &Publication, before: &Manifest) -> Result<Changed> {
    let (Some(lookback), Some((period, grain))) = (publication.lookback, publication.partition_periods()) else {
        return Ok(Changed::All);
    };
    let catalog = engine.catalog();
    // A value that looks beyond its own period changes with every row.
    if !looks_at_own_periods(catalog, publication) {
        return Ok(Changed::All);
    }
    let plan = frame_of(engine, publication, None)?;
    // What depends on the time of the run changes by itself.
    if changes_by_itself(plan.logical_plan())? {
        return Ok(Changed::All);
    }
    // Of what a backfill has read, only its own periods are known to be published.
    let Some(whole) = last_whole(before) else { return Ok(Changed::All) };
    let (then, now) = (versions(&whole.inputs), versions(&inputs_of(plan.logical_plan())?));
    let facts = facts(catalog, publication, &now);
    for (source, files) in &now {
        let known = then.get(source);
        let gone = known.is_some_and(|known| !known.is_subset(files));
        if gone || known != Some(files) && !facts.contains(source) {
            return Ok(Changed::All);
        }
    }
    if now == then {
        return Ok(Changed::Nothing);
    }
    let column = &publication.by[period].0;
    let is_backfill = |file: &&File| before.runs.iter().any(|made| made.run == file.run && asked_for(made));
    let found = before.files.iter().filter(|file| !is_backfill(file));
    let periods = found.filter_map(|file| start_of(&file.partition, column));
    let Some(newest) = periods.max() else { return Ok(Changed::All) };
    let back = TimeSpan { months: -lookback.months, days: -lookback.days, nanoseconds: -lookback.nanoseconds };
    let from = later(newest, back).and_then(|from| containing(grain, from, &catalog.calendar));
    Ok(from.map_or(Changed::All, |period| Changed::Since(Range::since(column, period.start))))
}

/// The last run that was left to find what is new.
pub(super) fn last_whole(before: &Manifest) -> Option<&Made> {
    before.runs.iter().rev().find(|made| !asked_for(made))
}

pub(super) fn asked_for(made: &Made) -> bool {
    made.backfill || made.to.is_some()
}

/// What was known when anything new was last looked for, or else to the run before.
pub(super) fn known(before: &Manifest) -> &[Read] {
    let latest = || before.runs.iter().find(|made| made.run == before.run);
    last_whole(before).or_else(latest).map_or(&[], |made| made.inputs.as_slice())
}

pub(super) fn versions(inputs: &[Read]) -> BTreeMap<String, BTreeSet<InputFile>> {
    let mut all: BTreeMap<String, BTreeSet<InputFile>> = BTreeMap::new();
    for input in inputs {
        all.entry(input.source.clone()).or_default().extend(input.files.iter().cloned());
    }
    all
}

/// The sources whose new rows concern their own periods only: their rows are counted, and none of the others that are read
/// joins to them. One whose name another source has too is not told from it.
pub(super) fn facts(
    catalog: &Catalog,
    publication: &Publication,
    read: &BTreeMap<String, BTreeSet<InputFile>>,
) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for (_, id) in &publication.indicators {
        let asked = Expression::input(Input::Indicator(*id, vec![]));
        for_each_measure(catalog, &asked, &Around::default(), &mut |measure, _| {
            facts.insert(measure.source);
        });
    }
    let name = |id: SourceId| &catalog.source(id).item.name;
    let joined = |id: SourceId| {
        let others = catalog.sources.iter().filter(|source| read.contains_key(&source.item.name));
        others.flat_map(|source| &source.joins).any(|join| join.to == id)
    };
    let alone = |id: SourceId| catalog.sources.iter().filter(|source| source.item.name == *name(id)).count() == 1;
    facts.into_iter().filter(|id| !joined(*id) && alone(*id)).map(|id| name(id).clone()).collect()
}

/// The partitions whose values no longer change.
pub(super) struct Held {
    column: String,
    periods: BTreeSet<String>,
    /// Partitions of such periods whose files are lost. They are computed anew: the other files of the period do not have
    /// their rows, and nobody else has them any more.
    reopened: Vec<Map<String, Value>>,
}

impl Held {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.periods.is_empty()
    }

    /// Whether the partition with these values, among others perhaps, is one of them.
    pub(super) fn holds(&self, partition: &Map<String, Value>) -> bool {
        let period = partition.get(&self.column).and_then(Value::as_str);
        let is_of = |lost: &Map<String, Value>| lost.iter().all(|(name, value)| partition.get(name) == Some(value));
        period.is_some_and(|period| self.periods.contains(period)) && !self.reopened.iter().any(is_of)
    }

    /// How many files of final periods are lost.
    pub(super) fn reopened(&self) -> usize {
        self.reopened.len()
    }
}

/// The partitions that were published and are final by now, but for what is lost of them.
pub(super) fn final_partitions(
    catalog: &Catalog,
    publication: &Publication,
    before: Option<&Manifest>,
    lost: &[File],
) -> Held {
    let mut held = Held { column: String::new(), periods: BTreeSet::new(), reopened: vec![] };
    let (Some(after), Some((period, grain))) = (publication.final_after, publication.partition_periods()) else {
        return held;
    };
    held.column.clone_from(&publication.by[period].0);
    let now = now(&catalog.calendar);
    let is_final = |file: &&File| {
        let end = start_of(&file.partition, &held.column)
            .and_then(|start| containing(grain, start, &catalog.calendar))
            .and_then(|period| later(period.end, after));
        end.is_some_and(|end| end <= now)
    };
    let there = before.iter().flat_map(|before| &before.files).filter(is_final);
    let periods = there.filter_map(|file| file.partition.get(&held.column).and_then(Value::as_str));
    let periods = periods.map(str::to_string).collect();
    let reopened = lost.iter().filter(is_final).map(|file| file.partition.clone()).collect();
    Held { periods, reopened, ..held }
}

fn start_of(partition: &Map<String, Value>, column: &str) -> Option<NaiveDateTime> {
    let text = partition.get(column).and_then(Value::as_str)?;
    Some(Period::parse(text)?.start())
}
