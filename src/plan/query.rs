//! [`Request`]: a question, as every entrance states it.

use serde::{Deserialize, Serialize};

/// A question to indicators: which, by what, under which conditions. The CLI's options, a JSON file, the library and
/// the page all fill in this one type; see `bell query --help` for the meaning of each part.
///
/// In JSON every part may be left out:
///
/// ```
/// let request: bellwether::Request = serde_json::from_str(
///     r#"{"indicators": ["gmv", "conversion"], "by": ["region", "metric_time__month"],
///         "where": ["channel = 'online'"], "from": "2026-01-01", "to": "2026-03-31", "order": ["-gmv"], "limit": 10}"#,
/// )?;
/// assert_eq!(request.indicators, ["gmv", "conversion"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// Indicators by name: `gmv`, or `retail.gmv` where several packages have one.
    pub indicators: Vec<String>,
    /// Dimensions, with a grain after two underscores: `region`, `metric_time__month`.
    pub by: Vec<String>,
    /// Conditions in Bell's expressions, AND-ed.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
    /// First period of `metric_time` that is read (`2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-31`, a timestamp).
    pub from: Option<String>,
    /// Last period that is read, all of it.
    pub to: Option<String>,
    /// Columns to order by; a leading `-` turns the order round, NULLs then come last either way.
    pub order: Vec<String>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// The dimensions' distinct values, without an indicator.
    pub distinct: bool,
}
