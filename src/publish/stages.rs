//! In which order: what reads a folder that the same run writes comes after it, and reads what is new there.

use std::collections::{BTreeSet, HashMap};

use super::{Run, chosen};
use crate::catalog::source::Rows;
use crate::catalog::{Catalog, SourceId};
use crate::engine::{Engine, definition};
use crate::error::Result;
use crate::store::destination::Destination;
use crate::store::inputs::{input_of, inputs_of};
use crate::store::unpublished::{all_awaited_by, awaited_by};

/// Something that a run writes.
struct Item {
    name: String,
    /// How the names of files in its folder begin; `None`, where there is none yet.
    folder: Option<String>,
    /// What it is made of.
    sources: BTreeSet<SourceId>,
}

/// The names of what is to be run, in stages: a project that is opened again after a stage reads in the next one what that
/// has written. [`super::run`] of all of them at once would read what was there before. Mostly there is one stage. What is
/// made of itself in a circle comes last, and reads what was there.
///
/// # Errors
/// As [`super::run`].
pub fn stages(engine: &Engine, asked: &Run) -> Result<Vec<Vec<String>>> {
    let catalog = engine.catalog();
    let (publications, rollups) = chosen(engine, asked)?;
    let of_publications = publications.into_iter().map(|it| {
        let sources = definition::sources_behind(catalog, &(&it.indicators, &it.by, &it.conditions));
        Item { name: it.qualified(), folder: folder(engine, &it.to), sources }
    });
    let of_rollups = rollups.into_iter().map(|it| {
        let sources = definition::sources_behind(catalog, &(&it.indicators, &it.by));
        Item { name: it.qualified(), folder: folder(engine, &it.to), sources }
    });
    let mut left: Vec<Item> = of_rollups.chain(of_publications).collect();
    let origins = origins(catalog, left.iter().flat_map(|item| &item.sources).copied().collect())?;
    let mut stages = Vec::new();
    while !left.is_empty() {
        let waits = |item: &Item| left.iter().any(|other| other.name != item.name && reads(item, other, &origins));
        let waiting: BTreeSet<String> = left.iter().filter(|it| waits(it)).map(|it| it.name.clone()).collect();
        let circle = waiting.len() == left.len();
        let (later, now): (Vec<Item>, Vec<Item>) =
            left.into_iter().partition(|item| !circle && waiting.contains(&item.name));
        stages.push(now.into_iter().map(|item| item.name).collect());
        left = later;
    }
    Ok(stages)
}

/// What a source is read from.
struct Origin {
    files: Vec<String>,
    /// Publications that have not run.
    awaited: BTreeSet<String>,
}

fn reads(item: &Item, other: &Item, origins: &HashMap<SourceId, Origin>) -> bool {
    let within = |file: &String| other.folder.as_ref().is_some_and(|folder| file.starts_with(folder));
    let mut origins = item.sources.iter().filter_map(|id| origins.get(id));
    origins.any(|from| from.awaited.contains(&other.name) || from.files.iter().any(within))
}

/// What is wrong with a folder is found when it is run.
fn folder(engine: &Engine, to: &str) -> Option<String> {
    let found = Destination::at(to, &engine.sources().root, engine.context()).ok()?;
    match &found.local {
        Some(path) => Some(format!("{}/", path.canonicalize().ok()?.display())),
        None => Some(format!("{}/", found.shown)),
    }
}

/// What sources are read from, or what they are queried from.
fn origins(catalog: &Catalog, sources: BTreeSet<SourceId>) -> Result<HashMap<SourceId, Origin>> {
    let mut found = HashMap::new();
    for id in sources {
        let source = catalog.source(id);
        let (inputs, awaited) = match &source.rows {
            Rows::Table(table) => (input_of(table).into_iter().collect(), awaited_by(table).into_iter().collect()),
            Rows::Query(query) => (inputs_of(query)?, all_awaited_by(query)?),
        };
        let files = inputs.into_iter().flat_map(|input| input.files).map(|file| file.path).collect();
        found.insert(id, Origin { files, awaited });
    }
    Ok(found)
}
