//! Metrics over time: offsets, cumulative metrics, conversions.

use super::super::text;
use super::Semantics;
use super::aggregates::Aggregate;
use super::manifest::{Conversion, MeasureInput, Metric, MetricInput, Window};
use super::metrics::{Definition, Result};
use super::names::fineness;

impl Semantics {
    /// `bookings at (each day shift 14 days)`.
    pub(super) fn offset(&self, operand: String, input: &MetricInput) -> Result<String> {
        let each = self.steps_of(&input.name);
        Ok(match (&input.offset_window, &input.offset_to_grain) {
            (Some(window), _) => format!("{operand} at (each {each} shift {})", self.length(window)),
            (None, Some(grain)) => format!("{operand} at (each {each} start of {})", self.bell_grain(grain)),
            (None, None) => operand,
        })
    }

    /// The steps of a metric's time in which the time spine is asked.
    fn steps_of(&self, metric: &str) -> String {
        let grains = self.grains_of(metric).into_iter();
        self.steps(&grains.min_by_key(|grain| fineness(grain)).unwrap_or("day".to_string()))
    }

    /// The same of a grain: the finest that Bell knows are microseconds.
    pub(super) fn steps(&self, grain: &str) -> String {
        if grain == "nanosecond" { "microsecond".to_string() } else { grain.to_string() }
    }

    /// `14 days`.
    fn length(&self, window: &Window) -> String {
        let plural = if window.count == 1 { "" } else { "s" };
        match self.custom_grains.iter().find(|(known, _)| *known == window.granularity) {
            Some((_, bell)) => format!("{} {bell}", window.count),
            None => format!("{} {}{plural}", window.count, window.granularity),
        }
    }

    pub(super) fn cumulative(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let own = &params.cumulative_type_params;
        let mut found = match &own.metric {
            Some(input) => {
                let inputs = self.inputs(metric, std::slice::from_ref(input))?;
                let formula = inputs.operands.join("");
                inputs.made(formula)
            }
            None => self.accumulated(metric)?,
        };
        let window = own.window.as_ref().or(params.window.as_ref());
        let to_date = own.grain_to_date.as_ref().or(params.grain_to_date.as_ref());
        let modifier = match (window, to_date) {
            (Some(window), _) => format!("trailing {}", self.length(window)),
            (None, Some(grain)) => format!("to date {}", self.bell_grain(grain)),
            (None, None) => "cumulative".to_string(),
        };
        let each = self.steps_of(&metric.name);
        found.formula = format!("{} at (each {each} {modifier})", found.formula);
        let shown = own.period_agg.as_deref().unwrap_or("first");
        if shown != "last" {
            found.clauses.push(format!("within period {shown}"));
        }
        let grain = self.default_grain(std::slice::from_ref(&metric.name));
        if shown == "average" && grain != "day" && metric.time_granularity.is_none() {
            found.clauses.push(format!("grain {}", self.bell_grain(&grain)));
        }
        Ok(found)
    }

    /// The measure of a cumulative metric: a metric of its own, if there is a plain one.
    fn accumulated(&self, metric: &Metric) -> Result<Definition> {
        let measure = metric.type_params.measure.as_ref().ok_or("it names no measure")?;
        let plain = self.metric_of(measure).filter(|_| measure.filter.is_empty());
        let mut found = match plain {
            Some(plain) => Definition { formula: text::name(self.bell_metric(plain)), ..Definition::default() },
            None => self.aggregate_text(&self.measure(&measure.name)?)?,
        };
        let own = [metric.name.clone()];
        if let Some(condition) = self.conditions(&own, &measure.filter)? {
            found.formula.push_str(&format!(" filter (where {condition})"));
        }
        if plain.is_none() {
            let aggregate = self.measure(&measure.name)?;
            self.fill(&mut found, &aggregate, measure.fill_nulls_with.as_ref(), measure.join_to_timespine);
        }
        Ok(found)
    }

    /// The simple metric that is a measure and nothing else.
    fn metric_of(&self, measure: &MeasureInput) -> Option<&str> {
        let same = |metric: &&Metric| {
            let params = &metric.type_params;
            metric.kind == "simple"
                && metric.filter.is_empty()
                && params.measure.as_ref().is_some_and(|own| {
                    own.name == measure.name
                        && own.filter.is_empty()
                        && (own.fill_nulls_with.as_ref().or(params.fill_nulls_with.as_ref())
                            == measure.fill_nulls_with.as_ref())
                        && (own.join_to_timespine || params.join_to_timespine) == measure.join_to_timespine
                })
        };
        self.manifest.metrics.iter().find(same).map(|metric| metric.name.as_str())
    }

    /// The conversions that are credited, an indicator of their own, by the base.
    pub(super) fn conversion(&self, metric: &Metric) -> Result<Definition> {
        let params = metric.type_params.conversion_type_params.as_ref().ok_or("it says nothing of conversions")?;
        let base = self.side(metric, params.base_metric.as_ref(), params.base_measure.as_ref())?;
        let to = self.side(metric, params.conversion_metric.as_ref(), params.conversion_measure.as_ref())?;
        let entity = text::name(&params.entity);
        let mut conversions = format!("conversions from {} to {} by {entity}", base.source, to.source);
        if let Some(window) = &params.window {
            conversions.push_str(&format!(" within less than {}", self.length(window)));
        }
        let matching = self.matching(params);
        if !matching.is_empty() {
            conversions.push_str(&format!(" matching {}", matching.join(", ")));
        }
        conversions.push_str(&format!(" counting {}", to.source.split('.').next().unwrap_or(&to.source)));
        let name = self.helper_name(metric, &format!("{}__conversions", metric.name));
        // Where there are none, there is no value, unless it is filled.
        let counted = if to.filled { text::name(&name) } else { format!("nullif({}, 0)", text::name(&name)) };
        let mut found = Definition { helpers: vec![(name, conversions.clone())], ..Definition::default() };
        if !to.counts_rows {
            found.notes.push("conversions are counted as rows".to_string());
        }
        if !metric.filter.is_empty() {
            found.notes.push("the filter acts after conversions are credited, there before".to_string());
        }
        found.formula = match params.calculation.as_deref() {
            None | Some("conversion_rate") => {
                found.helpers.extend(base.helper);
                format!("{counted} / {}", base.rows)
            }
            Some("conversions") if to.filled => {
                found.helpers.clear();
                conversions
            }
            Some("conversions") => counted,
            Some(other) => return Err(format!("the calculation `{other}` is not known")),
        };
        Ok(found)
    }

    /// The base of a conversion, or what it converts to.
    fn side(&self, metric: &Metric, input: Option<&MetricInput>, measure: Option<&MeasureInput>) -> Result<Side> {
        let named = input.and_then(|input| self.metric(&input.name));
        let mut helper = None;
        let (aggregate, rows, filled) = match (named, measure) {
            (Some(named), _) => {
                let params = &named.type_params;
                let own = params.measure.as_ref().is_some_and(|measure| measure.fill_nulls_with.is_some());
                let filled = params.fill_nulls_with.is_some() || own;
                (self.aggregate(named)?, text::name(self.bell_metric(&named.name)), filled)
            }
            (None, Some(input)) => {
                let aggregate = self.measure(&input.name)?;
                let plain = self.metric_of(input).filter(|_| input.filter.is_empty());
                let rows = match plain {
                    Some(plain) => text::name(self.bell_metric(plain)),
                    None => {
                        let name = self.helper_name(metric, &format!("{}__{}", metric.name, input.name));
                        helper = Some((name.clone(), self.measured(metric, input, &aggregate)?));
                        text::name(&name)
                    }
                };
                (aggregate, rows, input.fill_nulls_with.is_some())
            }
            (None, None) => return Err("it names no base or no conversion".to_string()),
        };
        let model = &self.models[aggregate.model];
        let mut source = text::part(&model.source);
        if let Some((column, _)) = aggregate.time.filter(|(column, _)| model.time.as_deref() != Some(*column)) {
            source = format!("{source}.{}", text::part(column));
        }
        let counts_rows = aggregate.is_sum_of_constant() || aggregate.is_row_count();
        Ok(Side { source, rows, filled, counts_rows, helper })
    }

    /// A measure as an indicator of its own.
    fn measured(&self, metric: &Metric, input: &MeasureInput, aggregate: &Aggregate) -> Result<String> {
        let mut found = self.aggregate_text(aggregate)?;
        self.fill(&mut found, aggregate, input.fill_nulls_with.as_ref(), input.join_to_timespine);
        let own = [metric.name.clone()];
        let condition = self.conditions(&own, &input.filter)?.map(|condition| format!("where {condition}"));
        let clauses: Vec<String> =
            condition.into_iter().chain(self.time_clause(aggregate)).chain(found.clauses).collect();
        Ok(match clauses.as_slice() {
            [] => found.formula,
            clauses => format!("{} {{ {} }}", found.formula, clauses.join("  ")),
        })
    }

    /// The dimensions that must be the same: where both sides have the same name for it, that one.
    fn matching(&self, params: &Conversion) -> Vec<String> {
        params.constant_properties.iter().map(|property| text::part(&self.property_name(property))).collect()
    }
}

/// A side of a conversion.
struct Side {
    /// Its source, with the time if it is not the source's own.
    source: String,
    /// The indicator of its rows.
    rows: String,
    /// Whether it has a value where there are none.
    filled: bool,
    counts_rows: bool,
    /// That indicator, where no metric is it.
    helper: Option<(String, String)>,
}
