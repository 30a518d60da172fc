//! Metrics as indicators.

use super::super::draft::{Item, Line};
use super::super::text;
use super::Semantics;
use super::manifest::{AggParams, Conversion, MeasureInput, Metric, MetricInput, NonAdditive, Window};
use super::names::fineness;
use super::sources::{documentation, label, metadata, owner};

/// What a simple metric aggregates, resolved.
pub(super) struct Aggregate<'m> {
    pub(super) model: usize,
    agg: &'m str,
    params: &'m AggParams,
    expr: &'m str,
    /// The column of its time, and the grain.
    time: Option<(&'m str, &'m str)>,
    non_additive: Option<&'m NonAdditive>,
}

/// The definition of an indicator, and how true it is.
#[derive(Default)]
struct Definition {
    formula: String,
    conditions: Vec<String>,
    clauses: Vec<String>,
    notes: Vec<String>,
}

/// The operands of a formula.
#[derive(Default)]
struct Inputs {
    operands: Vec<String>,
    /// The condition that all of them have.
    shared: Vec<String>,
    notes: Vec<String>,
}

type Result<T> = std::result::Result<T, String>;

impl Semantics {
    /// The indicator of a metric, and how it differs.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) fn indicator(&self, metric: &Metric, entries: Vec<usize>) -> Result<(Item, Vec<String>)> {
        let mut definition = match metric.kind.as_str() {
            "simple" => self.simple(metric),
            "ratio" => self.ratio(metric),
            "derived" => self.derived(metric),
            "cumulative" => self.cumulative(metric),
            "conversion" => self.conversion(metric),
            other => Err(format!("metrics of type `{other}` are not known")),
        }?;
        let own = [metric.name.clone()];
        definition.conditions.extend(self.conditions(&own, &metric.filter)?);
        definition.conditions.dedup();
        if let Some(grain) = &metric.time_granularity
            && !definition.clauses.iter().any(|clause| clause.starts_with("grain "))
        {
            definition.clauses.push(format!("grain {}", self.bell_grain(grain)));
        }
        let start = format!("indicator {}", text::part(self.bell_metric(&metric.name)));
        let mut lines: Vec<Line> = Vec::new();
        if let [one] = definition.conditions.as_slice() {
            lines.push(Line::clause(format!("where {one}")));
        } else {
            lines.extend(definition.conditions.iter().map(|condition| Line::clause(format!("where {condition}"))));
        }
        lines.extend(definition.clauses.into_iter().map(Line::clause));
        lines.extend(owner(metric.config.as_ref()));
        let mut before = documentation(metric.description.as_deref(), &metric.name);
        before.extend(metadata(metric.config.as_ref()));
        let formula = format!("{start}{} = {}", label(metric.label.as_ref()), definition.formula);
        let item = match lines.as_slice() {
            [] => Item { head: formula, ..Item::default() },
            [only] if only.text.starts_with("where ") => {
                Item { head: format!("{formula} {}", only.text), ..Item::default() }
            }
            [only] => Item { head: format!("{formula} {{ {} }}", only.text), ..Item::default() },
            _ => Item { head: format!("{formula} {{"), lines, end: "}", ..Item::default() },
        };
        Ok((Item { before, start, entries, ..item }, definition.notes))
    }

    fn simple(&self, metric: &Metric) -> Result<Definition> {
        let aggregate = self.aggregate(metric)?;
        let mut found = self.aggregate_text(&aggregate)?;
        let params = &metric.type_params;
        let none = MeasureInput::default();
        let measure = params.measure.as_ref().unwrap_or(&none);
        let own = [metric.name.clone()];
        found.conditions.extend(self.conditions(&own, &measure.filter)?);
        if metric.filter == measure.filter {
            found.conditions.clear();
        }
        found.clauses.extend(self.time_clause(&aggregate));
        let fill = params.fill_nulls_with.as_ref().or(measure.fill_nulls_with.as_ref());
        self.fill(&mut found, fill, params.join_to_timespine || measure.join_to_timespine);
        Ok(found)
    }

    fn fill(&self, found: &mut Definition, fill: Option<&String>, spine: bool) {
        match (fill, spine) {
            (None, false) => {}
            (Some(value), false) => found.formula = format!("coalesce({}, {value})", found.formula),
            (value, true) => {
                found.clauses.push(format!("fill {}", value.map_or("null", |value| value)));
                found.notes.push(
                    "asked without a range, from the first period with rows to the last, not over the whole time spine"
                        .to_string(),
                );
            }
        }
    }

    /// The time of an indicator, where it is not its source's.
    fn time_clause(&self, aggregate: &Aggregate) -> Option<String> {
        let (column, _) = aggregate.time?;
        let model = &self.models[aggregate.model];
        let own = model.time.as_deref() == Some(column);
        (!own).then(|| format!("time {}.{}", text::part(&model.source), text::part(column)))
    }

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

    fn aggregate_text(&self, aggregate: &Aggregate) -> Result<Definition> {
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
            "count_distinct" => {
                found.notes.push("0 instead of NULL where only other metrics of a question have rows".to_string());
                format!("count(distinct {expr})")
            }
            "median" => format!("percentile_cont(0.5) within group (order by {expr})"),
            "percentile" => self.percentile(aggregate.params, percentile.unwrap_or(0.5), &expr, &mut found.notes),
            other => return Err(format!("the aggregation `{other}` is not known")),
        };
        found.formula = if names.get() == 0 { format!("{call} of {source}") } else { call };
        if let Some(non_additive) = aggregate.non_additive {
            found.formula.push_str(&self.semi_additive(aggregate, non_additive, &mut found.notes)?);
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

    /// `at (last day per user)`.
    fn semi_additive(&self, aggregate: &Aggregate, of: &NonAdditive, notes: &mut Vec<String>) -> Result<String> {
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
        notes.push(format!(
            "grouped by another dimension, each group has its own {end} {}; MetricFlow takes that of all rows",
            of.name
        ));
        Ok(match per.as_slice() {
            [] => format!(" at ({end} {what})"),
            [one] => format!(" at ({end} {what} per {one})"),
            several => format!(" at ({end} {what} per ({}))", several.join(", ")),
        })
    }

    fn ratio(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let (Some(numerator), Some(denominator)) = (&params.numerator, &params.denominator) else {
            return Err("it has no numerator or no denominator".to_string());
        };
        let inputs = self.inputs(&[numerator.clone(), denominator.clone()])?;
        let formula = inputs.operands.join(" / ");
        Ok(Definition { formula, conditions: inputs.shared, notes: inputs.notes, ..Definition::default() })
    }

    fn derived(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let expr = params.expr.as_deref().ok_or("it has no expression")?;
        let inputs = self.inputs(&params.metrics)?;
        let aliases = params.metrics.iter().map(|input| input.alias.as_deref().unwrap_or(&input.name));
        let operands: Vec<(&str, &String)> = aliases.zip(&inputs.operands).collect();
        let named = |parts: &[&str]| match parts {
            [name] => operands.iter().find(|(alias, _)| alias == name).map(|(_, operand)| operand.to_string()),
            _ => None,
        };
        let formula = text::with_names(expr, named).map_err(|problem| format!("`{expr}`: {problem}"))?;
        Ok(Definition { formula, conditions: inputs.shared, notes: inputs.notes, ..Definition::default() })
    }

    /// Metrics as operands. A filter that all of them have is the whole's: it then also decides which groups there
    /// are, which `filter` on an operand does not.
    fn inputs(&self, inputs: &[MetricInput]) -> Result<Inputs> {
        let condition = |input: &MetricInput| self.conditions(std::slice::from_ref(&input.name), &input.filter);
        let conditions = inputs.iter().map(condition).collect::<Result<Vec<_>>>()?;
        let mut found = Inputs::default();
        let same = conditions.windows(2).all(|pair| pair[0] == pair[1]);
        let shared = conditions.first().cloned().flatten().filter(|_| same);
        for (input, condition) in inputs.iter().zip(&conditions) {
            let own = condition.as_ref().filter(|_| shared.is_none());
            found.operands.push(self.operand(input, own)?);
        }
        if shared.is_none() && !conditions.is_empty() && conditions.iter().all(Option::is_some) {
            found.notes.push("groups in which only rows that are filtered out occur are shown, with NULL".to_string());
        }
        if inputs.iter().any(|input| input.offset_window.is_some() || input.offset_to_grain.is_some()) {
            found.notes.push("periods without rows of their own are not shown, MetricFlow shows them".to_string());
        }
        found.shared.extend(shared);
        Ok(found)
    }

    /// `bookings filter (where …) at (shift 14 days)`.
    fn operand(&self, input: &MetricInput, condition: Option<&String>) -> Result<String> {
        if self.manifest.metrics.iter().all(|metric| metric.name != input.name) {
            return Err(format!("there is no metric `{}`", input.name));
        }
        let mut operand = text::name(self.bell_metric(&input.name));
        if let Some(condition) = condition {
            operand.push_str(&format!(" filter (where {condition})"));
        }
        if let Some(window) = &input.offset_window {
            operand.push_str(&format!(" at (shift {})", self.length(window)));
        }
        if let Some(grain) = &input.offset_to_grain {
            operand.push_str(&format!(" at (start of {})", self.bell_grain(grain)));
        }
        Ok(operand)
    }

    /// `14 days`.
    fn length(&self, window: &Window) -> String {
        let plural = if window.count == 1 { "" } else { "s" };
        match self.custom_grains.iter().find(|(known, _)| *known == window.granularity) {
            Some((_, bell)) => format!("{} {bell}", window.count),
            None => format!("{} {}{plural}", window.count, window.granularity),
        }
    }

    fn cumulative(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let own = &params.cumulative_type_params;
        let mut found = match &own.metric {
            Some(input) => {
                let inputs = self.inputs(std::slice::from_ref(input))?;
                Definition { formula: inputs.operands.join(""), conditions: inputs.shared, ..Definition::default() }
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
        found.formula = format!("{} at ({modifier})", found.formula);
        found.notes.push("shown up to the last period with rows, not to the end of the time spine".to_string());
        let shown = own.period_agg.as_deref().unwrap_or("first");
        if shown != "last" {
            found.clauses.push(format!("within period {shown}"));
        }
        let grain = self.grains_of(&metric.name).into_iter().min_by_key(|grain| fineness(grain));
        if let Some(grain) = grain.filter(|grain| grain != "day") {
            found.clauses.push(format!("grain {grain}"));
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
            self.fill(&mut found, measure.fill_nulls_with.as_ref(), measure.join_to_timespine);
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

    fn conversion(&self, metric: &Metric) -> Result<Definition> {
        let params = metric.type_params.conversion_type_params.as_ref().ok_or("it says nothing of conversions")?;
        let base = self.converted(params.base_metric.as_ref(), params.base_measure.as_ref())?;
        let to = self.converted(params.conversion_metric.as_ref(), params.conversion_measure.as_ref())?;
        let keyword = match params.calculation.as_deref() {
            None | Some("conversion_rate") => "conversion",
            Some("conversions") => "conversions",
            Some(other) => return Err(format!("the calculation `{other}` is not known")),
        };
        let source = |model: usize| text::part(&self.models[model].source);
        let entity = text::part(&params.entity);
        let mut formula = format!("{keyword} from {} to {} by {entity}", source(base), source(to));
        if let Some(window) = &params.window {
            formula.push_str(&format!(" within {}", self.length(window)));
        }
        let matching = self.matching(params);
        if !matching.is_empty() {
            formula.push_str(&format!(" matching {}", matching.join(", ")));
        }
        let notes = match &params.window {
            Some(_) => vec!["a window's last instant counts here, there it does not".to_string()],
            None => vec![],
        };
        Ok(Definition { formula, notes, ..Definition::default() })
    }

    fn converted(&self, metric: Option<&MetricInput>, measure: Option<&MeasureInput>) -> Result<usize> {
        let named = metric.and_then(|input| self.manifest.metrics.iter().find(|metric| metric.name == input.name));
        match (named, measure) {
            (Some(metric), _) => Ok(self.aggregate(metric)?.model),
            (None, Some(measure)) => Ok(self.measure(&measure.name)?.model),
            (None, None) => Err("it names no base or no conversion".to_string()),
        }
    }

    /// The dimensions that must be the same: where both sides have the same name for it, that one.
    fn matching(&self, params: &Conversion) -> Vec<String> {
        params.constant_properties.iter().map(|property| text::part(&self.property_name(property))).collect()
    }
}
