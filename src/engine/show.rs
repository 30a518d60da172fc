//! `SHOW INDICATORS`, `SHOW DIMENSIONS [FOR gmv]`, `DESCRIBE INDICATOR gmv`, `DESCRIBE FUNNEL checkout`.

use datafusion::arrow::array::RecordBatch;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::catalog_tables::{collapsed, small_table};
use super::lineage::{dimensions_of, dimensions_of_event, lineage_of, lineage_of_event};
use super::target_tables::target_in_words;
use crate::catalog::dimension::DimensionKind;
use crate::catalog::event::EventView;
use crate::catalog::indicator::Direction;
use crate::catalog::words::{event_in_words, in_words};
use crate::catalog::{Catalog, DimensionId, IndicatorId, Item, Member, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;
use crate::plan::view::event_columns;
use crate::source::SourceFile;
use crate::syntax::dialect::{BellDialect, Text};

/// The answer to one of these statements; `None` for every other text.
///
/// # Errors
/// A diagnostic, if the indicator is not known.
pub fn show(catalog: &Catalog, file: &SourceFile) -> Option<Result<RecordBatch>> {
    if !may_show(&file.text) {
        return None;
    }
    let words = words(&file.text)?;
    let folded: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let folded: Vec<&str> = folded.iter().map(String::as_str).collect();
    match folded.as_slice() {
        ["show", "indicators"] => Some(indicators(catalog)),
        ["show", "dimensions"] => Some(dimensions(catalog, all_dimensions(catalog))),
        ["show", "dimensions", "for", ..] => Some(dimensions_for(catalog, &words[3..])),
        ["describe" | "desc", "indicator" | "funnel" | "cohort", ..] => Some(described(catalog, &words[2..])),
        _ => None,
    }
}

/// Whether a text may begin with one of these words: of most questions the first letters tell.
fn may_show(text: &str) -> bool {
    let text = text.trim_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    !text.starts_with(|first: char| first.is_ascii_alphabetic()) || begins("show") || begins("desc")
}

/// The words of a text that is nothing but words, dots and a closing semicolon.
fn words(text: &str) -> Option<Vec<String>> {
    let dialect = BellDialect::new(Text::Statement);
    let tokens = Tokenizer::new(&dialect, text).tokenize().ok()?;
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Word(word) => words.push(word.value),
            Token::Whitespace(_) | Token::Period | Token::SemiColon => {}
            _ => return None,
        }
    }
    Some(words)
}

fn indicators(catalog: &Catalog) -> Result<RecordBatch> {
    let rows: Vec<Vec<Option<String>>> = catalog
        .declared_indicators()
        .map(|(_, indicator)| {
            vec![
                Some(indicator.item.package.clone()),
                Some(indicator.item.name.clone()),
                indicator.item.label.clone(),
                indicator.unit.as_ref().map(ToString::to_string),
                indicator.item.owner.clone(),
                Some(collapsed(&indicator.definition_text)),
            ]
        })
        .collect();
    Ok(small_table(&["package", "name", "label", "unit", "owner", "definition"], &rows)?)
}

fn all_dimensions(catalog: &Catalog) -> Vec<DimensionId> {
    catalog.declared_dimensions().map(|(id, _)| id).collect()
}

fn dimensions(catalog: &Catalog, ids: Vec<DimensionId>) -> Result<RecordBatch> {
    let rows: Vec<Vec<Option<String>>> = ids
        .into_iter()
        .map(|id| {
            let dimension = catalog.dimension(id);
            let kind = match dimension.kind {
                DimensionKind::Category => "category",
                DimensionKind::Time => "time",
                DimensionKind::Segment => "segment",
            };
            vec![
                Some(dimension.item.package.clone()),
                Some(dimension.item.name.clone()),
                dimension.item.label.clone(),
                Some(kind.to_string()),
                Some(dimension.data_type.to_string()),
            ]
        })
        .collect();
    Ok(small_table(&["package", "name", "label", "kind", "data_type"], &rows)?)
}

fn dimensions_for(catalog: &Catalog, name: &[String]) -> Result<RecordBatch> {
    if let Some(view) = find_event(catalog, name) {
        return dimensions(catalog, dimensions_of_event(catalog, view));
    }
    let id = find_indicator(catalog, name)?;
    dimensions(catalog, dimensions_of(catalog, id))
}

fn described(catalog: &Catalog, name: &[String]) -> Result<RecordBatch> {
    let known: Vec<(String, String)> = match find_event(catalog, name) {
        Some(view) => properties_of_event(catalog, view),
        None => {
            let known = properties(catalog, find_indicator(catalog, name)?);
            known.into_iter().map(|(property, value)| (property.to_string(), value)).collect()
        }
    };
    let rows: Vec<Vec<Option<String>>> =
        known.into_iter().map(|(property, value)| vec![Some(property), Some(value)]).collect();
    Ok(small_table(&["property", "value"], &rows)?)
}

/// The funnel or cohort of that name: `checkout`, `retail.checkout`; in one package no indicator has its name.
fn find_event<'c>(catalog: &'c Catalog, name: &[String]) -> Option<&'c EventView> {
    let (package, name) = match name {
        [name] => (None, name),
        [package, name] => (Some(package), name),
        _ => return None,
    };
    let fits = |item: &Item| item.name == *name && package.is_none_or(|package| item.package == *package);
    let mut found = catalog.events.iter().filter(|event| fits(&event.item));
    // Where several packages have one, none is meant.
    let first = found.next()?;
    let indicators = catalog.declared_indicators().any(|(_, indicator)| fits(&indicator.item));
    if found.next().is_none() && !indicators { Some(first) } else { None }
}

/// What there is to know of a funnel or a cohort, as pairs of a property and a value.
pub fn properties_of_event(catalog: &Catalog, view: &EventView) -> Vec<(String, String)> {
    let item = &view.item;
    let mut rows = vec![("name".to_string(), format!("{}.{}", item.package, item.name))];
    let mut add = |property: &str, value: Option<String>| {
        rows.extend(value.filter(|value| !value.is_empty()).map(|value| (property.to_string(), value)));
    };
    add("label", item.label.clone());
    for (_, label) in &item.labels {
        add("label", Some(label.clone()));
    }
    add("description", item.description.clone());
    add("kind", Some(view.kind.name().to_string()));
    add("definition", Some(view.definition_text.clone()));
    for (property, value) in event_in_words(catalog, &view.event) {
        add(&property, Some(value));
    }
    add("owner", item.owner.clone());
    let columns = event_columns(catalog, view).into_iter().map(|(name, _)| name);
    add("columns", Some(columns.collect::<Vec<_>>().join(", ")));
    let names = dimensions_of_event(catalog, view).into_iter().map(|id| catalog.dimension(id).item.name.clone());
    add("dimensions", Some(names.collect::<Vec<_>>().join(", ")));
    add("lineage", Some(read(catalog, lineage_of_event(catalog, view))));
    rows
}

/// The columns of a lineage, `orders.amount` each.
fn read(catalog: &Catalog, lineage: Vec<(SourceId, Option<String>)>) -> String {
    let columns = lineage
        .into_iter()
        .map(|(source, column)| format!("{}.{}", catalog.source(source).item.name, column.as_deref().unwrap_or("*")));
    columns.collect::<Vec<_>>().join(", ")
}

/// What there is to know of an indicator, as pairs of a property and a value.
pub fn properties(catalog: &Catalog, id: IndicatorId) -> Vec<(&'static str, String)> {
    let indicator = catalog.indicator(id);
    let mut rows = vec![("name", format!("{}.{}", indicator.item.package, indicator.item.name))];
    let mut add = |property, value: Option<String>| rows.extend(value.map(|value| (property, value)));
    add("label", indicator.item.label.clone());
    for (_, label) in &indicator.item.labels {
        add("label", Some(label.clone()));
    }
    add("description", indicator.item.description.clone());
    add("definition", Some(collapsed(&indicator.definition_text)));
    add("in words", Some(in_words(catalog, id)));
    add("unit", indicator.unit.as_ref().map(ToString::to_string).filter(|unit| !unit.is_empty()));
    add("good", indicator.good.map(|good| if good == Direction::Up { "up" } else { "down" }.to_string()));
    add("owner", indicator.item.owner.clone());
    for target in catalog.targets_of(id) {
        add("target", Some(target_in_words(catalog, target)));
    }
    add("additivity", Some(indicator.additivity.to_string()));
    add("type", Some(indicator.data_type.to_string()));
    let names = dimensions_of(catalog, id).into_iter().map(|id| catalog.dimension(id).item.name.clone());
    add("dimensions", Some(names.collect::<Vec<_>>().join(", ")));
    add("lineage", Some(read(catalog, lineage_of(catalog, id))));
    rows
}

/// The indicator of that name: `gmv`, `retail.gmv`.
///
/// # Errors
/// A diagnostic, if there is none, or several packages have one.
pub fn find_indicator(catalog: &Catalog, name: &[String]) -> Result<IndicatorId, Diagnostic> {
    let written = name.join(".");
    let found: Vec<IndicatorId> = match name {
        [name] => catalog
            .packages
            .iter()
            .filter_map(|package| match catalog.member(&package.name, name) {
                Some(Member::Indicator(id)) => Some(id),
                _ => None,
            })
            .collect(),
        [package, name] => match catalog.member(package, name) {
            Some(Member::Indicator(id)) => vec![id],
            _ => vec![],
        },
        _ => vec![],
    };
    match found.as_slice() {
        [id] => Ok(*id),
        [] => {
            let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no indicator `{written}`"));
            let names = catalog.declared_indicators().map(|(_, indicator)| indicator.item.name.as_str());
            let names = names.chain(catalog.events.iter().map(|event| event.item.name.as_str()));
            let last = name.last().map(String::as_str).unwrap_or_default();
            Err(match nearest(last, names) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("`SHOW INDICATORS` lists them"),
            })
        }
        several => {
            let ways = several.iter().map(|id| {
                let item = &catalog.indicator(*id).item;
                format!("{}.{}", item.package, item.name)
            });
            Err(Diagnostic::new(codes::AMBIGUOUS_NAME, format!("several packages have an indicator `{written}`"))
                .help(format!("write one of {}", ways.collect::<Vec<_>>().join(", "))))
        }
    }
}
