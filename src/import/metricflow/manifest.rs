//! What a semantic manifest says, in the JSON that dbt writes and in the YAML that people write.
//!
//! The two forms differ in detail: a measure may be a name or an object, a filter a text or a list of templates, a
//! window `2 months` or a count with a grain. Both are read into one shape. Fields that mean nothing here are ignored.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `semantic_manifest.json`, or the YAML files of a project together.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Manifest {
    /// The semantic models.
    #[serde(default, deserialize_with = "or_default")]
    pub semantic_models: Vec<SemanticModel>,
    /// The metrics.
    #[serde(default, deserialize_with = "or_default")]
    pub metrics: Vec<Metric>,
    /// Time spines and custom granularities.
    #[serde(default, deserialize_with = "or_default")]
    pub project_configuration: ProjectConfiguration,
    /// The saved queries.
    #[serde(default, deserialize_with = "or_default")]
    pub saved_queries: Vec<SavedQuery>,
}

/// A table with its entities, dimensions and measures.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SemanticModel {
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
    /// The table.
    #[serde(default)]
    pub node_relation: Option<NodeRelation>,
    /// The table, as a dbt project writes it: `ref('orders')`.
    #[serde(default)]
    pub model: Option<String>,
    /// `agg_time_dimension`.
    #[serde(default, deserialize_with = "or_default")]
    pub defaults: Defaults,
    /// A primary entity without a column of its own.
    #[serde(default)]
    pub primary_entity: Option<String>,
    /// What it is about, and what it refers to.
    #[serde(default, deserialize_with = "or_default")]
    pub entities: Vec<Entity>,
    /// What is aggregated.
    #[serde(default, deserialize_with = "or_default")]
    pub measures: Vec<Measure>,
    /// What it is sliced by.
    #[serde(default, deserialize_with = "or_default")]
    pub dimensions: Vec<Dimension>,
    /// `meta` and whatever else is configured.
    #[serde(default)]
    pub config: Option<Value>,
}

/// A table.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NodeRelation {
    /// Its name.
    pub alias: String,
    /// Its schema.
    #[serde(default)]
    pub schema_name: Option<String>,
}

/// Defaults of a semantic model.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Defaults {
    /// The time dimension of measures that name none.
    #[serde(default)]
    pub agg_time_dimension: Option<String>,
}

/// An entity of a semantic model.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Entity {
    /// Its name, by which models join.
    pub name: String,
    /// `primary`, `unique`, `foreign`, `natural`.
    #[serde(rename = "type", deserialize_with = "lower")]
    pub kind: String,
    /// Its column or expression, if not its name.
    #[serde(default, deserialize_with = "text")]
    pub expr: Option<String>,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
    /// `meta`.
    #[serde(default)]
    pub config: Option<Value>,
}

/// A dimension of a semantic model.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// `categorical` or `time`.
    #[serde(rename = "type", deserialize_with = "lower")]
    pub kind: String,
    /// Its column or expression, if not its name.
    #[serde(default, deserialize_with = "text")]
    pub expr: Option<String>,
    /// Whether the table has a copy of its rows for each value.
    #[serde(default, deserialize_with = "or_default")]
    pub is_partition: bool,
    /// What a time dimension says more.
    #[serde(default, deserialize_with = "or_default")]
    pub type_params: DimensionParams,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
    /// `meta`.
    #[serde(default)]
    pub config: Option<Value>,
}

/// What a time dimension says more.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DimensionParams {
    /// Its finest grain.
    #[serde(default, deserialize_with = "lower_option")]
    pub time_granularity: Option<String>,
    /// Whether it is an end of the time in which a row is valid.
    #[serde(default, deserialize_with = "or_default")]
    pub validity_params: Validity,
}

/// Whether a time dimension begins or ends the time in which a row is valid.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Validity {
    /// It begins it.
    #[serde(default, deserialize_with = "or_default")]
    pub is_start: bool,
    /// It ends it.
    #[serde(default, deserialize_with = "or_default")]
    pub is_end: bool,
}

/// A measure: an aggregate.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// `sum`, `count_distinct`, ….
    #[serde(deserialize_with = "lower")]
    pub agg: String,
    /// What is aggregated, if not the column of its name.
    #[serde(default, deserialize_with = "text")]
    pub expr: Option<String>,
    /// Of a percentile.
    #[serde(default, deserialize_with = "or_default")]
    pub agg_params: AggParams,
    /// Its own time dimension.
    #[serde(default)]
    pub agg_time_dimension: Option<String>,
    /// The dimension over which it may not be summed.
    #[serde(default)]
    pub non_additive_dimension: Option<NonAdditive>,
    /// Whether there is a metric of the same name.
    #[serde(default, deserialize_with = "or_default")]
    pub create_metric: bool,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
}

/// Parameters of percentiles.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct AggParams {
    /// Which.
    #[serde(default)]
    pub percentile: Option<f64>,
    /// A value that occurs.
    #[serde(default, deserialize_with = "or_default")]
    pub use_discrete_percentile: bool,
    /// Estimated.
    #[serde(default, deserialize_with = "or_default")]
    pub use_approximate_percentile: bool,
}

/// The dimension over which a measure may not be summed.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NonAdditive {
    /// The time dimension.
    pub name: String,
    /// `min` (the first) or `max` (the last).
    #[serde(default, deserialize_with = "lower_option")]
    pub window_choice: Option<String>,
    /// Entities that have a first or last one each.
    #[serde(default, deserialize_with = "or_default")]
    pub window_groupings: Vec<String>,
}

/// A metric.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
    /// `simple`, `ratio`, `derived`, `cumulative`, `conversion`.
    #[serde(rename = "type", deserialize_with = "lower")]
    pub kind: String,
    /// What it computes.
    #[serde(default, deserialize_with = "or_default")]
    pub type_params: TypeParams,
    /// Which rows count.
    #[serde(default, deserialize_with = "filters")]
    pub filter: Vec<String>,
    /// The grain at which it is shown.
    #[serde(default, deserialize_with = "lower_option")]
    pub time_granularity: Option<String>,
    /// `meta`.
    #[serde(default)]
    pub config: Option<Value>,
}

/// What a metric computes.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TypeParams {
    /// Of a simple or cumulative metric.
    #[serde(default, deserialize_with = "named")]
    pub measure: Option<MeasureInput>,
    /// Of a ratio.
    #[serde(default, deserialize_with = "named")]
    pub numerator: Option<MetricInput>,
    /// Of a ratio.
    #[serde(default, deserialize_with = "named")]
    pub denominator: Option<MetricInput>,
    /// Of a derived metric; in newer manifests also what a simple metric aggregates.
    #[serde(default, deserialize_with = "text")]
    pub expr: Option<String>,
    /// Of a derived metric.
    #[serde(default, deserialize_with = "all_named")]
    pub metrics: Vec<MetricInput>,
    /// Of a cumulative metric (older manifests).
    #[serde(default, deserialize_with = "window")]
    pub window: Option<Window>,
    /// Of a cumulative metric (older manifests).
    #[serde(default, deserialize_with = "lower_option")]
    pub grain_to_date: Option<String>,
    /// Of a cumulative metric.
    #[serde(default, deserialize_with = "or_default")]
    pub cumulative_type_params: Cumulative,
    /// Of a conversion metric.
    #[serde(default)]
    pub conversion_type_params: Option<Conversion>,
    /// How a simple metric aggregates (newer manifests).
    #[serde(default)]
    pub metric_aggregation_params: Option<Aggregation>,
    /// Every period of the time spine is shown.
    #[serde(default, deserialize_with = "or_default")]
    pub join_to_timespine: bool,
    /// What stands where there are no rows.
    #[serde(default, deserialize_with = "text")]
    pub fill_nulls_with: Option<String>,
}

/// How a simple metric aggregates.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Aggregation {
    /// Over the rows of which model.
    pub semantic_model: String,
    /// `sum`, ….
    #[serde(deserialize_with = "lower")]
    pub agg: String,
    /// Of a percentile.
    #[serde(default, deserialize_with = "or_default")]
    pub agg_params: AggParams,
    /// Its own time dimension.
    #[serde(default)]
    pub agg_time_dimension: Option<String>,
    /// The dimension over which it may not be summed.
    #[serde(default)]
    pub non_additive_dimension: Option<NonAdditive>,
}

/// A measure as an input of a metric.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MeasureInput {
    /// Which.
    pub name: String,
    /// Which rows count.
    #[serde(default, deserialize_with = "filters")]
    pub filter: Vec<String>,
    /// Every period of the time spine is shown.
    #[serde(default, deserialize_with = "or_default")]
    pub join_to_timespine: bool,
    /// What stands where there are no rows.
    #[serde(default, deserialize_with = "text")]
    pub fill_nulls_with: Option<String>,
}

/// A metric as an input of another.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MetricInput {
    /// Which.
    pub name: String,
    /// Its name in the expression.
    #[serde(default)]
    pub alias: Option<String>,
    /// Which rows count.
    #[serde(default, deserialize_with = "filters")]
    pub filter: Vec<String>,
    /// So much earlier.
    #[serde(default, deserialize_with = "window")]
    pub offset_window: Option<Window>,
    /// At the start of the enclosing period.
    #[serde(default, deserialize_with = "lower_option")]
    pub offset_to_grain: Option<String>,
}

/// What a cumulative metric says.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Cumulative {
    /// The length of the window.
    #[serde(default, deserialize_with = "window")]
    pub window: Option<Window>,
    /// The period at whose start it begins anew.
    #[serde(default, deserialize_with = "lower_option")]
    pub grain_to_date: Option<String>,
    /// What a coarser period shows: `first` unless said.
    #[serde(default, deserialize_with = "lower_option")]
    pub period_agg: Option<String>,
    /// What is accumulated (newer manifests).
    #[serde(default, deserialize_with = "named")]
    pub metric: Option<MetricInput>,
}

/// What a conversion metric says.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Conversion {
    /// What may convert.
    #[serde(default, deserialize_with = "named")]
    pub base_measure: Option<MeasureInput>,
    /// The same as a metric (newer manifests).
    #[serde(default, deserialize_with = "named")]
    pub base_metric: Option<MetricInput>,
    /// What it converts to.
    #[serde(default, deserialize_with = "named")]
    pub conversion_measure: Option<MeasureInput>,
    /// The same as a metric (newer manifests).
    #[serde(default, deserialize_with = "named")]
    pub conversion_metric: Option<MetricInput>,
    /// Who converts.
    pub entity: String,
    /// `conversion_rate` (unless said) or `conversions`.
    #[serde(default, deserialize_with = "lower_option")]
    pub calculation: Option<String>,
    /// How long it may take.
    #[serde(default, deserialize_with = "window")]
    pub window: Option<Window>,
    /// What must be the same on both sides.
    #[serde(default, deserialize_with = "or_default")]
    pub constant_properties: Vec<ConstantProperty>,
}

/// What must be the same on both sides of a conversion.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ConstantProperty {
    /// A dimension or entity of the base.
    pub base_property: String,
    /// One of the conversion.
    pub conversion_property: String,
}

/// A length of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub count: i64,
    /// Of what, in the singular.
    pub granularity: String,
}

/// Time spines.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ProjectConfiguration {
    /// The tables of instants.
    #[serde(default, deserialize_with = "or_default")]
    pub time_spines: Vec<TimeSpine>,
}

/// A table with one row an instant.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TimeSpine {
    /// The table.
    pub node_relation: NodeRelation,
    /// Its instants.
    pub primary_column: SpineColumn,
    /// Further columns that are grains.
    #[serde(default, deserialize_with = "or_default")]
    pub custom_granularities: Vec<CustomGranularity>,
}

/// The instants of a time spine.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SpineColumn {
    /// The column.
    pub name: String,
    /// How far apart they are.
    #[serde(deserialize_with = "lower")]
    pub time_granularity: String,
}

/// A grain that a time spine defines.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CustomGranularity {
    /// Its name.
    pub name: String,
    /// Its column, if not its name.
    #[serde(default)]
    pub column_name: Option<String>,
}

/// A saved query.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SavedQuery {
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// For people, short.
    #[serde(default)]
    pub label: Option<String>,
    /// What it asks.
    #[serde(default, deserialize_with = "or_default")]
    pub query_params: QueryParams,
    /// Where it is written to.
    #[serde(default, deserialize_with = "or_default")]
    pub exports: Vec<Value>,
}

/// What a saved query asks.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct QueryParams {
    /// The metrics.
    #[serde(default, deserialize_with = "or_default")]
    pub metrics: Vec<String>,
    /// `Dimension('…')`, `TimeDimension('…', 'day')`, `Entity('…')`, or a plain name.
    #[serde(default, deserialize_with = "or_default")]
    pub group_by: Vec<String>,
    /// The conditions.
    #[serde(default, rename = "where", deserialize_with = "filters")]
    pub conditions: Vec<String>,
    /// Like `group_by`, with `.descending(True)`.
    #[serde(default, deserialize_with = "or_default")]
    pub order_by: Vec<String>,
    /// At most so many rows.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// `null` where a default is meant.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

fn lower<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(String::deserialize(from)?.to_lowercase())
}

fn lower_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|text| text.to_lowercase()))
}

/// A text, which YAML may have read as a number or a truth value.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// An object, or only its name.
fn named<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    object_of(Value::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn all_named<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let values: Vec<Value> = or_default(from)?;
    let read = values.into_iter().filter_map(|value| object_of(value).transpose());
    read.collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

fn object_of<T: serde::de::DeserializeOwned>(value: Value) -> Result<Option<T>, serde_json::Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) => serde_json::from_value(serde_json::json!({ "name": name })).map(Some),
        object => serde_json::from_value(object).map(Some),
    }
}

/// A template, several, or `{"where_filters": [{"where_sql_template": …}]}`.
fn filters<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let mut found = Vec::new();
    templates(&Value::deserialize(from)?, &mut found);
    Ok(found)
}

fn templates(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(template) if !found.contains(template) => found.push(template.clone()),
        Value::Bool(_) | Value::Number(_) => found.push(value.to_string()),
        Value::Array(several) => several.iter().for_each(|one| templates(one, found)),
        Value::Object(fields) => {
            let inner = ["where_filters", "where_sql_template"];
            inner.iter().filter_map(|name| fields.get(*name)).for_each(|one| templates(one, found));
        }
        _ => {}
    }
}

fn window<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Window>, D::Error> {
    let value = Value::deserialize(from)?;
    let read = match &value {
        Value::Null => return Ok(None),
        Value::String(text) => text
            .trim()
            .split_once(char::is_whitespace)
            .and_then(|(count, unit)| Some(Window { count: count.parse().ok()?, granularity: singular(unit.trim()) })),
        Value::Object(fields) => fields.get("count").and_then(Value::as_i64).and_then(|count| {
            let unit = fields.get("granularity").and_then(Value::as_str)?;
            Some(Window { count, granularity: singular(unit) })
        }),
        _ => None,
    };
    read.map(Some).ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not a length of time")))
}

/// `months` is `month`; a custom grain may end in `s` itself, which only its spine can tell.
fn singular(unit: &str) -> String {
    let unit = unit.to_lowercase();
    const GRAINS: [&str; 11] = [
        "nanosecond",
        "microsecond",
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ];
    match unit.strip_suffix('s') {
        Some(one) if GRAINS.contains(&one) || one.contains('_') => one.to_string(),
        _ => unit,
    }
}
