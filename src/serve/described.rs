//! What people and programs are told of an indicator, and how they find it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::catalog::dimension::DimensionKind;
use crate::catalog::indicator::Direction;
use crate::catalog::words::in_words;
use crate::catalog::{Catalog, IndicatorId, Item};
use crate::engine::catalog_tables::collapsed;
use crate::engine::lineage::{dimensions_of, lineage_of};
use crate::engine::target_tables::target_in_words;

/// An indicator in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Brief {
    /// Its package.
    pub(super) package: String,
    /// Its name, by which it is asked for.
    pub(super) name: String,
    /// The label without a language.
    pub(super) label: Option<String>,
    /// Labels by language.
    pub(super) labels: Vec<Labelled>,
    /// What it means.
    pub(super) description: Option<String>,
    /// Its unit.
    pub(super) unit: Option<String>,
    /// Which direction is good: `up`, `down`.
    pub(super) good: Option<&'static str>,
    /// Who answers for it.
    pub(super) owner: Option<String>,
}

/// A label in a language.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Labelled {
    /// The language's tag.
    pub(super) language: String,
    /// The label.
    pub(super) label: String,
}

/// Everything about an indicator.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Described {
    #[serde(flatten)]
    pub(super) brief: Brief,
    /// Its definition as written.
    pub(super) definition: String,
    /// Its definition in words.
    pub(super) in_words: String,
    /// Whether finer values may be summed.
    pub(super) additivity: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub(super) data_type: String,
    /// What is to be reached.
    pub(super) targets: Vec<String>,
    /// What it can be grouped and filtered by; times take a grain: `metric_time__month`.
    pub(super) dimensions: Vec<DimensionBrief>,
    /// The sources and columns that it reads.
    pub(super) lineage: Vec<Read>,
    /// The scenarios that it tells of.
    pub(super) scenarios: Vec<String>,
}

/// A dimension in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DimensionBrief {
    /// Its name.
    pub(super) name: String,
    /// Its label.
    pub(super) label: Option<String>,
    /// `category`, `time`, `segment`.
    pub(super) kind: &'static str,
}

/// A source that is read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Read {
    /// The source.
    pub(super) source: String,
    /// The column; none where rows are counted.
    pub(super) column: Option<String>,
}

/// An indicator in a list.
pub(super) fn brief(catalog: &Catalog, id: IndicatorId) -> Brief {
    let indicator = catalog.indicator(id);
    let item = &indicator.item;
    let labelled = |(language, label): &(String, String)| Labelled { language: language.clone(), label: label.clone() };
    Brief {
        package: item.package.clone(),
        name: item.name.clone(),
        label: item.label.clone(),
        labels: item.labels.iter().map(labelled).collect(),
        description: item.description.clone(),
        unit: indicator.unit.as_ref().map(ToString::to_string).filter(|unit| !unit.is_empty()),
        good: indicator.good.map(|good| if good == Direction::Up { "up" } else { "down" }),
        owner: item.owner.clone(),
    }
}

/// Everything about an indicator.
pub(super) fn described(catalog: &Catalog, id: IndicatorId) -> Described {
    let indicator = catalog.indicator(id);
    let dimensions = dimensions_of(catalog, id).into_iter().map(|id| {
        let dimension = catalog.dimension(id);
        let kind = match dimension.kind {
            DimensionKind::Category => "category",
            DimensionKind::Time => "time",
            DimensionKind::Segment => "segment",
        };
        DimensionBrief { name: dimension.item.name.clone(), label: dimension.item.label.clone(), kind }
    });
    let lineage = lineage_of(catalog, id).into_iter();
    let scenarios = catalog.scenarios_of(id).map(|scenario| title(&scenario.item).to_string());
    Described {
        brief: brief(catalog, id),
        definition: collapsed(&indicator.definition_text),
        in_words: in_words(catalog, id),
        additivity: indicator.additivity.to_string(),
        data_type: indicator.data_type.to_string(),
        targets: catalog.targets_of(id).map(|target| target_in_words(catalog, target)).collect(),
        dimensions: dimensions.collect(),
        lineage: lineage
            .map(|(source, column)| Read { source: catalog.source(source).item.name.clone(), column })
            .collect(),
        scenarios: scenarios.collect(),
    }
}

/// What people call an item.
pub(super) fn title(item: &Item) -> &str {
    item.label.as_ref().unwrap_or(&item.name)
}

/// The indicators that a text is about, the nearest first; all, if it is empty.
///
/// Every word must be found: in a name, a label of any language, the owner, or the description. Chinese has no blanks
/// between words, so a word may be any part of a text.
pub(super) fn search(catalog: &Catalog, text: &str) -> Vec<IndicatorId> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let found = catalog.declared_indicators();
    let mut found: Vec<(u32, IndicatorId)> =
        found.filter_map(|(id, indicator)| Some((distance(&indicator.item, &words)?, id))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, id)| id).collect()
}

/// How far an item is from words; `None`, if one of them is not in it.
fn distance(item: &Item, words: &[String]) -> Option<u32> {
    let names: Vec<String> = [&item.name]
        .into_iter()
        .chain(&item.label)
        .chain(item.labels.iter().map(|(_, label)| label))
        .map(|text| text.to_lowercase())
        .collect();
    let others: Vec<String> =
        item.description.iter().chain(&item.owner).chain([&item.package]).map(|text| text.to_lowercase()).collect();
    words.iter().map(|word| word_distance(word, &names, &others)).sum()
}

fn word_distance(word: &str, names: &[String], others: &[String]) -> Option<u32> {
    let named = |fits: &dyn Fn(&String) -> bool| names.iter().any(fits);
    match () {
        () if named(&|name| name == word) => Some(0),
        () if named(&|name| name.starts_with(word)) => Some(1),
        () if named(&|name| name.contains(word)) => Some(2),
        () if others.iter().any(|text| text.contains(word)) => Some(3),
        () => None,
    }
}
