//! The definition of a publication or rollup: everything in the model that its values depend on, as one text and its hash.
//!
//! The text is that of the items as they are written, in canonical form and without what is only for people (labels,
//! owners, comments). So a hash stays the same when a file is laid out anew or an unrelated indicator changes, and is another
//! one when a formula, a condition, a join, a key or the calendar changes.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use crate::catalog::publication::Publication;
use crate::catalog::rollup::Rollup;
use crate::catalog::source::Rows;
use crate::catalog::{Catalog, DimensionId, IndicatorId, SourceId};
use crate::source::Span;
use crate::syntax::ast::{File, Item, ItemKind};
use crate::syntax::show;

/// The hash of a publication's definition.
pub fn hash_of(files: &[File], catalog: &Catalog, publication: &Publication) -> String {
    let asked = (&publication.indicators, &publication.by, &publication.conditions);
    hashed(&definition_of(files, catalog, &asked, publication.item.span))
}

/// The form of what rollups store: another one, when other columns are stored for the same definition.
const FORM: u32 = 2;

/// The hash of what a rollup stores. The states of aggregates are DataFusion's, whose form may change with its version.
pub fn hash_of_rollup(files: &[File], catalog: &Catalog, rollup: &Rollup) -> String {
    let asked = (&rollup.indicators, &rollup.by);
    let definition = definition_of(files, catalog, &asked, rollup.item.span);
    hashed(&format!("{definition}\nform {FORM}\nDataFusion {}", datafusion::DATAFUSION_VERSION))
}

fn hashed(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The indicators that what is asked is made of, those that it names included.
pub fn indicators_behind(catalog: &Catalog, asked: &impl Debug) -> BTreeSet<IndicatorId> {
    let indicator = |node| match node {
        Node::Indicator(at) => Some(IndicatorId(at)),
        Node::Dimension(_) | Node::Source(_) => None,
    };
    reached_by(catalog, asked).into_iter().filter_map(indicator).collect()
}

/// The sources that what is asked is made of, and those that they join.
pub fn sources_behind(catalog: &Catalog, asked: &impl Debug) -> BTreeSet<SourceId> {
    let source = |node| match node {
        Node::Source(at) => Some(SourceId(at)),
        Node::Dimension(_) | Node::Indicator(_) => None,
    };
    reached_by(catalog, asked).into_iter().filter_map(source).collect()
}

/// The definition of an item that asks for something, as text.
fn definition_of(files: &[File], catalog: &Catalog, asked: &impl Debug, item: Span) -> String {
    let place = |node| match node {
        Node::Indicator(at) => catalog.indicator(IndicatorId(at)).item.span,
        Node::Dimension(at) => catalog.dimension(DimensionId(at)).item.span,
        Node::Source(at) => catalog.source(SourceId(at)).item.span,
    };
    let places: Vec<Span> = reached_by(catalog, asked).into_iter().map(place).chain([item]).collect();
    texts_at(files, &places)
}

/// Everything that what is asked depends on.
fn reached_by(catalog: &Catalog, asked: &impl Debug) -> BTreeSet<Node> {
    let mut reached = Reached::default();
    reached.follow(asked);
    for period in &catalog.calendar.periods {
        reached.add(Node::Source(period.source.0));
    }
    while let Some(node) = reached.waiting.pop() {
        match node {
            Node::Indicator(at) => reached.follow(catalog.indicator(IndicatorId(at))),
            Node::Dimension(at) => reached.follow(catalog.dimension(DimensionId(at))),
            Node::Source(at) => {
                let source = catalog.source(SourceId(at));
                reached.follow(source);
                // A query may read any source: which ones, only its text tells.
                if matches!(source.rows, Rows::Query(_)) {
                    (0..catalog.sources.len() as u32).for_each(|at| reached.add(Node::Source(at)));
                }
            }
        }
    }
    reached.known
}

/// An item of the catalog, by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Indicator(u32),
    Dimension(u32),
    Source(u32),
}

#[derive(Default)]
struct Reached {
    known: BTreeSet<Node>,
    waiting: Vec<Node>,
}

impl Reached {
    /// Goes on to everything that something names. Every id stands in the debugging text of what holds it, however deep, so
    /// that a new kind of expression cannot be forgotten here.
    fn follow(&mut self, holder: &impl Debug) {
        static IDS: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"(IndicatorId|DimensionId|SourceId)\(\s*(\d+),?\s*\)").ok());
        let text = format!("{holder:?}");
        for found in IDS.iter().flat_map(|ids| ids.captures_iter(&text)) {
            let Ok(at) = found[2].parse() else { continue };
            self.add(match &found[1] {
                "IndicatorId" => Node::Indicator(at),
                "DimensionId" => Node::Dimension(at),
                _ => Node::Source(at),
            });
        }
    }

    fn add(&mut self, node: Node) {
        if self.known.insert(node) {
            self.waiting.push(node);
        }
    }
}

/// The texts of the items that declare something at these places, and of all calendars, each once and in order.
fn texts_at(files: &[File], places: &[Span]) -> String {
    let mut texts = BTreeSet::new();
    for file in files {
        let package = file.package.as_ref().map_or("", |package| package.name.text.as_str());
        for item in &file.items {
            let declares = |place: &Span| {
                place.file == item.span.file && item.span.start <= place.start && place.end <= item.span.end
            };
            if matches!(item.kind, ItemKind::Calendar(_)) || places.iter().any(declares) {
                texts.insert(format!("{package}\n{}", text_of(file, item)));
            }
        }
    }
    texts.into_iter().collect()
}

/// An item in canonical form, without what is only for people.
fn text_of(file: &File, item: &Item) -> String {
    let alone = Item { doc: None, ..item.clone() };
    let alone = File { package: None, items: vec![alone], broken: vec![], ..file.clone() };
    let for_people = |line: &&str| {
        [
            "label ",
            "owner ",
            "format \"",
            "tolerance bell_duration",
            "lookback bell_duration",
            "final after bell_duration",
        ]
        .iter()
        .any(|word| line.trim_start().starts_with(word))
    };
    show(&alone).lines().filter(|line| !for_people(line)).map(|line| format!("{line}\n")).collect()
}
