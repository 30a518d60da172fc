//! In which form an answer is sent: by `?format=`, or by what the caller accepts.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use std::io::Write;

use super::refusal::Refusal;
use crate::store::rows::{RowWriter, columnar, csv, json};

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// With a header.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

/// Names, media types, and whether readers find values by name.
const FORMATS: &[(Format, &str, &str)] = &[
    (Format::Json, "json", "application/json"),
    (Format::Ndjson, "ndjson", "application/x-ndjson"),
    (Format::Csv, "csv", "text/csv"),
    (Format::Arrow, "arrow", "application/vnd.apache.arrow.stream"),
    (Format::Parquet, "parquet", "application/vnd.apache.parquet"),
];

impl Format {
    /// The form that is asked for.
    pub(super) fn asked(name: Option<&str>, headers: &HeaderMap) -> Result<Format, Refusal> {
        if let Some(name) = name {
            let known = FORMATS.iter().find(|(_, known, _)| *known == name);
            return known.map(|(format, ..)| *format).ok_or_else(|| {
                Refusal::new(StatusCode::BAD_REQUEST, format!("`{name}` is no format: {}", names().join(", ")))
            });
        }
        let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or("*/*");
        let mut kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        kinds.find_map(Format::of_kind).ok_or_else(|| {
            let kinds: Vec<&str> = FORMATS.iter().map(|(_, _, kind)| *kind).collect();
            Refusal::new(StatusCode::NOT_ACCEPTABLE, format!("answers are {}", kinds.join(", ")))
        })
    }

    fn of_kind(kind: &str) -> Option<Format> {
        match kind {
            "*/*" | "application/*" => Some(Format::Json),
            "application/jsonl" | "application/jsonlines" => Some(Format::Ndjson),
            "text/*" => Some(Format::Csv),
            kind => FORMATS.iter().find(|(_, _, known)| *known == kind).map(|(format, ..)| *format),
        }
    }

    /// Its media type.
    pub(super) fn kind(self) -> &'static str {
        let known = FORMATS.iter().find(|(format, ..)| *format == self);
        match known {
            Some((Format::Csv, ..)) => "text/csv; charset=utf-8",
            Some((_, _, kind)) => kind,
            None => "application/octet-stream",
        }
    }

    /// Whether its readers find values by name, so that two columns called the same would be one.
    pub(super) fn by_name(self) -> bool {
        matches!(self, Format::Json | Format::Ndjson | Format::Parquet)
    }

    /// Writes rows.
    pub(super) fn writer(
        self,
        sink: Box<dyn Write + Send>,
        schema: &SchemaRef,
    ) -> Result<Box<dyn RowWriter>, ArrowError> {
        Ok(match self {
            Format::Json => Box::new(json::array(sink)),
            Format::Ndjson => Box::new(json::lines(sink)),
            Format::Csv => Box::new(csv::CsvWriter::new(sink, SchemaRef::clone(schema), None)),
            Format::Arrow => columnar::arrow_stream(sink, schema)?,
            Format::Parquet => columnar::parquet(sink, SchemaRef::clone(schema))?,
        })
    }
}

/// The names of all forms.
pub(super) fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|(_, name, _)| *name).collect()
}

/// The media types of all forms.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|(_, _, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn accepted(text: &'static str) -> Option<Format> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))]);
        Format::asked(None, &headers).ok()
    }

    #[test]
    fn the_first_known_kind_counts() {
        assert_eq!(accepted("text/html, text/csv;q=0.9, */*;q=0.1"), Some(Format::Csv));
        assert_eq!(accepted("application/vnd.apache.arrow.stream"), Some(Format::Arrow));
        assert_eq!(accepted("*/*"), Some(Format::Json));
        assert_eq!(accepted("image/png"), None);
        assert_eq!(Format::asked(None, &HeaderMap::new()).unwrap(), Format::Json);
        assert!(Format::asked(Some("xml"), &HeaderMap::new()).is_err());
    }
}
