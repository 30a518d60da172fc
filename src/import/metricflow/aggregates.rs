//! What simple metrics aggregate.

use super::super::text;
use super::Semantics;
use super::manifest::{AggParams, Metric, NonAdditive};
use super::metrics::{Definition, Result};

/// What a simple metric aggregates, resolved.
pub(super) struct Aggregate<'m> {
    pub(super) model: usize,
    agg: &'m str,
    params: &'m AggParams,
    expr: &'m str,
    /// The column of its time, and the grain.
    pub(super) time: Option<(&'m str, &'m str)>,
    non_additive: Option<&'m NonAdditive>,
}

impl Aggregate<'_> {
    /// Whether it is 0 where there are no rows.
    pub(super) fn is_count(&self) -> bool {
        self.agg == "count_distinct"
    }

    /// Whether it counts rows.
    pub(super) fn is_row_count(&self) -> bool {
        self.agg == "count"
    }

    /// Whether it has a value wherever there are rows.
    pub(super) fn is_sum_of_constant(&self) -> bool {
        self.agg == "sum" && self.expr.trim().parse::<f64>().is_ok()
    }
}

impl Semantics {
    /// What a simple metric aggregates.
    pub(super) fn aggregate<'m>(&'m self, metric: &'m Metric) -> Result<Aggregate<'m>> {
        let params = &metric.type_params;
        if let Some(own) = &params.metric_aggregation_params {
            let model = self.model_named(&own.semantic_model)?;
            let expr = params.expr.as_deref().or(params.measure.as_ref().map(|measure| measure.name.as_str()));
            let time = self.time_of(model, own.agg_time_dimension.as_deref());
            return Ok(Aggregate {
                model,
                agg: &own.agg,
                params: &own.agg_params,
                expr: expr.unwrap_or(&metric.name),
                time,
                non_additive: own.non_additive_dimension.as_ref(),
            });
        }
        let measure = params.measure.as_ref().ok_or("it names no measure")?;
        self.measure(&measure.name)
    }

    /// What a measure aggregates.
    pub(super) fn measure(&self, name: &str) -> Result<Aggregate<'_>> {
        for model in &self.manifest.semantic_models {
            let Some(measure) = model.measures.iter().find(|measure| measure.name == name) else { continue };
            let at = self.model_named(&model.name)?;
            return Ok(Aggregate {
                model: at,
                agg: &measure.agg,
                params: &measure.agg_params,
                expr: measure.expr.as_deref().unwrap_or(&measure.name),
                time: self.time_of(at, measure.agg_time_dimension.as_deref()),
                non_additive: measure.non_additive_dimension.as_ref(),
            });
        }
        Err(format!("there is no measure `{name}`"))
    }

    fn time_of(&self, model: usize, dimension: Option<&str>) -> Option<(&str, &str)> {
        let model = &self.models[model];
        let declared = &self.manifest.semantic_models[model.at];
        let found = model.dimension(dimension.or(declared.defaults.agg_time_dimension.as_deref())?)?;
        Some((&found.column, found.grain.as_deref().unwrap_or("day")))
    }

    /// The grain of a metric's time.
    pub(super) fn time_grain(&self, aggregate: &Aggregate) -> String {
        aggregate.time.map_or("day", |(_, grain)| grain).to_string()
    }

    pub(super) fn aggregate_text(&self, aggregate: &Aggregate) -> Result<Definition> {
        let model = &self.models[aggregate.model];
        let source = text::part(&model.source);
        let mut found = Definition::default();
        let names = std::cell::Cell::new(0);
        let expr = text::with_names(aggregate.expr, |parts| {
            let column = model.column_named(parts.last()?)?;
            names.set(names.get() + 1);
            Some(format!("{source}.{}", text::part(&column.0)))
        })
        .map_err(|problem| format!("`{}` is not understood: {problem}", aggregate.expr))?;
        let percentile = aggregate.params.percentile;
        let call = match aggregate.agg {
            "sum" => format!("sum({expr})"),
            "min" | "max" => format!("{}({expr})", aggregate.agg),
            "average" | "avg" => format!("avg({expr})"),
            "sum_boolean" => format!("sum(case when {expr} then 1 else 0 end)"),
            "count" if names.get() == 0 => format!("sum({expr})"),
            "count" => format!("sum(case when {expr} is not null then 1 else 0 end)"),
            "count_distinct" => format!("count(distinct {expr})"),
            "median" => format!("percentile_cont(0.5) within group (order by {expr})"),
            "percentile" => self.percentile(aggregate.params, percentile.unwrap_or(0.5), &expr, &mut found.notes),
            other => return Err(format!("the aggregation `{other}` is not known")),
        };
        found.formula = if names.get() == 0 { format!("{call} of {source}") } else { call };
        if let Some(non_additive) = aggregate.non_additive {
            found.formula.push_str(&self.semi_additive(aggregate, non_additive)?);
        }
        Ok(found)
    }

    fn percentile(&self, params: &AggParams, fraction: f64, expr: &str, notes: &mut Vec<String>) -> String {
        let function = match (params.use_discrete_percentile, params.use_approximate_percentile) {
            (true, _) => "percentile_disc",
            (false, true) => "approx_percentile_cont",
            (false, false) => "percentile_cont",
        };
        if params.use_approximate_percentile {
            notes.push("an estimate there, by another method or exact here".to_string());
        }
        format!("{function}({fraction}) within group (order by {expr})")
    }

    /// `at (last day per user overall)`: whatever else is asked by, the day is that of all rows.
    fn semi_additive(&self, aggregate: &Aggregate, of: &NonAdditive) -> Result<String> {
        let model = &self.models[aggregate.model];
        let source = text::part(&model.source);
        let dimension = model.dimension(&of.name).ok_or(format!("there is no dimension `{}`", of.name))?;
        let own = aggregate.time.is_some_and(|(column, _)| column == dimension.column);
        let what = match (&dimension.grain, own) {
            (Some(grain), true) => self.bell_grain(grain).to_string(),
            _ => format!("{source}.{}", text::part(&dimension.column)),
        };
        let end = if of.window_choice.as_deref() == Some("max") { "last" } else { "first" };
        let mut per = Vec::new();
        for name in &of.window_groupings {
            let entity = model.entity(name).ok_or(format!("there is no entity `{name}`"))?;
            per.push(format!("{source}.{}", text::part(&entity.column)));
        }
        Ok(match per.as_slice() {
            [] => format!(" at ({end} {what} overall)"),
            [one] => format!(" at ({end} {what} per {one} overall)"),
            several => format!(" at ({end} {what} per ({}) overall)", several.join(", ")),
        })
    }
}
