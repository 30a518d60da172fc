//! What is picked, as it stands in an address.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::{Sorry, Visitor};
use crate::catalog::IndicatorId;
use crate::catalog::dimension::{Dimension, DimensionKind};
use crate::engine::lineage::dimensions_of;
use crate::serve::http::Refusal;

/// What needs no quoting anywhere in an address.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text for a place in an address.
pub(super) fn quoted(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, QUOTED).to_string()
}

/// An address with picks, each of which begins with `&`.
pub(super) fn with_picks(path: &str, picks: &str) -> String {
    match picks.trim_start_matches('&') {
        "" => path.to_string(),
        picks => format!("{path}?{picks}"),
    }
}

/// The picks of an address; one may be there several times.
pub(super) struct Picks(Vec<(String, String)>);

impl Picks {
    /// The last pick of a name; empty, if there is none.
    pub(super) fn one(&self, name: &str) -> &str {
        self.all(name).last().unwrap_or_default().trim()
    }

    /// All picks of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Picks {
    type Rejection = std::convert::Infallible;

    /// Picks that cannot be read are none.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Picks, Self::Rejection> {
        let read = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(Picks(read.map(|Query(picks)| picks).unwrap_or_default()))
    }
}

/// A slice that is looked at alone.
pub(super) struct Slice {
    pub(super) dimension: Dimension,
    /// None for NULL.
    pub(super) value: Option<String>,
}

/// The parameter that picks a slice: `only=region:华东`, `only=region` for NULL.
const ONLY: &str = "only";

impl Slice {
    /// The slices of an address. What cannot be a slice is refused: left out, it would show the numbers of all slices.
    pub(super) fn picked(visitor: &Visitor, id: IndicatorId, picks: &Picks) -> Result<Vec<Slice>, Sorry> {
        let slice = |text: &str| {
            let (name, value) = match text.split_once(':') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (text, None),
            };
            Ok(Slice { dimension: dimension(visitor, id, name)?, value })
        };
        picks.all(ONLY).filter(|text| !text.is_empty()).map(slice).collect()
    }

    /// Its condition in SQL.
    pub(super) fn condition(&self) -> String {
        let column = identifier(&self.dimension.item.name);
        match &self.value {
            None => format!("{column} IS NULL"),
            Some(value) if is_text(&self.dimension.data_type) => format!("{column} = {}", literal(value)),
            Some(value) => format!("CAST({column} AS VARCHAR) = {}", literal(value)),
        }
    }

    /// What it is called.
    pub(super) fn title(&self, visitor: &Visitor) -> String {
        format!("{} = {}", visitor.language.call(&self.dimension.item), self.value.as_deref().unwrap_or("NULL"))
    }

    /// The value of its parameter.
    pub(super) fn text(&self) -> String {
        written(&self.dimension.item.name, self.value.as_deref())
    }
}

/// A slice as the value of its parameter.
fn written(dimension: &str, value: Option<&str>) -> String {
    value.map_or_else(|| dimension.to_string(), |value| format!("{dimension}:{value}"))
}

/// Slices for the end of an address.
pub(super) fn only(slices: &[Slice]) -> String {
    slices.iter().map(|slice| format!("&{ONLY}={}", quoted(&slice.text()))).collect()
}

/// The same for dimensions and values.
pub(super) fn only_these(slices: &[(&str, Option<&str>)]) -> String {
    slices.iter().map(|(dimension, value)| format!("&{ONLY}={}", quoted(&written(dimension, *value)))).collect()
}

/// A dimension that slices an indicator.
pub(super) fn dimension(visitor: &Visitor, id: IndicatorId, name: &str) -> Result<Dimension, Sorry> {
    let all = dimensions(visitor, id);
    all.iter().find(|it| it.item.name == name).cloned().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|it| it.item.name.as_str()).collect();
        let indicator = &visitor.catalog().indicator(id).item.name;
        let message = format!("`{indicator}` has no slices by `{name}`; it has them by: {}", known.join(", "));
        visitor.sorry(Refusal::new(StatusCode::BAD_REQUEST, message))
    })
}

/// What an indicator can be sliced by.
pub(super) fn dimensions(visitor: &Visitor, id: IndicatorId) -> Vec<Dimension> {
    let catalog = visitor.catalog();
    let all = dimensions_of(catalog, id).into_iter().map(|id| catalog.dimension(id).clone());
    all.filter(|it| it.kind != DimensionKind::Time).collect()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A name in SQL.
pub(super) fn identifier(name: &str) -> String {
    let keyword = ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).is_ok();
    let plain = !keyword
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text in SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The dimensions and values of a slice as analyses write it: `region = 华东, channel = web`. `None`, if it cannot be
/// told where a value ends.
pub(super) fn parts_of<'t>(
    text: &'t str,
    dimensions: &[String],
    count: usize,
) -> Option<Vec<(&'t str, Option<&'t str>)>> {
    let begins = |rest: &str| dimensions.iter().any(|name| rest.starts_with(&format!("{name} = ")));
    let breaks = text.match_indices(", ").map(|(at, _)| at).filter(|at| begins(&text[at + 2..]));
    let starts: Vec<usize> = [0].into_iter().chain(breaks.clone().map(|at| at + 2)).collect();
    let ends: Vec<usize> = breaks.chain([text.len()]).collect();
    let parts: Option<Vec<_>> = starts.iter().zip(&ends).map(|(from, to)| text[*from..*to].split_once(" = ")).collect();
    let parts = parts.filter(|parts| parts.len() == count && begins(text))?;
    Some(parts.into_iter().map(|(name, value)| (name, (value != "NULL").then_some(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_read_as_they_are_written() {
        let known = ["region".to_string(), "channel".to_string()];
        assert_eq!(
            parts_of("region = a, b = c, channel = NULL", &known, 2),
            Some(vec![("region", Some("a, b = c")), ("channel", None)])
        );
        assert_eq!(parts_of("region = a, channel = b", &known, 1), None, "a value may look like a slice");
        assert_eq!(parts_of("(in several slices)", &known, 1), None);
        assert_eq!(only_these(&[("region", Some("a&b")), ("x", None)]), "&only=region%3Aa%26b&only=x");
    }

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!((identifier("gmv"), identifier("a\"B")), ("gmv".to_string(), "\"a\"\"B\"".to_string()));
        assert_eq!((identifier("order"), literal("it's")), ("\"order\"".to_string(), "'it''s'".to_string()));
        assert_eq!(quoted("a.b_c d/华"), "a.b_c%20d%2F%E5%8D%8E");
    }
}
