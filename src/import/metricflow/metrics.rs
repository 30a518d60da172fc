//! Metrics as indicators.

use super::super::draft::{Item, Line};
use super::super::text;
use super::Semantics;
use super::aggregates::Aggregate;
use super::links::Element;
use super::manifest::{MeasureInput, Metric, MetricInput};
use super::sources::{documentation, label, metadata, owner};

/// The definition of an indicator, and how true it is.
#[derive(Default)]
pub(super) struct Definition {
    pub(super) formula: String,
    pub(super) conditions: Vec<String>,
    pub(super) clauses: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Indicators of its own that it is made of: their names and definitions.
    pub(super) helpers: Vec<(String, String)>,
}

/// The operands of a formula.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) operands: Vec<String>,
    /// The condition that all of them have.
    pub(super) shared: Vec<String>,
    helpers: Vec<(String, String)>,
}

impl Inputs {
    /// A formula over them.
    pub(super) fn made(self, formula: String) -> Definition {
        Definition { formula, conditions: self.shared, helpers: self.helpers, ..Definition::default() }
    }
}

pub(super) type Result<T> = std::result::Result<T, String>;

impl Semantics {
    /// The indicator of a metric, after those that it is made of, and how it differs.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) fn indicator(&self, metric: &Metric, entries: Vec<usize>) -> Result<(Vec<Item>, Vec<String>)> {
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
        let helper = |(name, formula): (String, String)| {
            let start = format!("indicator {}", text::part(&name));
            let head = format!("{start} = {formula}");
            Item { start, head, entries: entries.clone(), ..Item::default() }
        };
        let mut items: Vec<Item> = definition.helpers.into_iter().map(helper).collect();
        items.push(Item { before, start, entries: entries.clone(), ..item });
        Ok((items, definition.notes))
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
        let spine = params.join_to_timespine || measure.join_to_timespine;
        self.fill(&mut found, &aggregate, fill, spine);
        Ok(found)
    }

    /// What stands where there are no rows: NULL unless the metric says otherwise, also for counts.
    pub(super) fn fill(&self, found: &mut Definition, aggregate: &Aggregate, fill: Option<&String>, spine: bool) {
        let each = self.steps(&self.time_grain(aggregate));
        // Rows may also come to NULL, which the metric fills, too.
        let nullable = !(aggregate.is_count() || aggregate.is_sum_of_constant());
        match (fill, spine) {
            (Some(value), true) => {
                if nullable {
                    found.formula = format!("coalesce({}, {value})", found.formula);
                }
                found.clauses.push(format!("fill {value} each {each}"));
            }
            (Some(value), false) => found.formula = format!("coalesce({}, {value})", found.formula),
            (None, true) => found.clauses.push(format!("fill null each {each}")),
            (None, false) if aggregate.is_count() => found.clauses.push("empty null".to_string()),
            (None, false) => {}
        }
    }

    /// The time of an indicator, where it is not its source's.
    pub(super) fn time_clause(&self, aggregate: &Aggregate) -> Option<String> {
        let (column, _) = aggregate.time?;
        let model = &self.models[aggregate.model];
        let own = model.time.as_deref() == Some(column);
        (!own).then(|| format!("time {}.{}", text::part(&model.source), text::part(column)))
    }

    fn ratio(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let (Some(numerator), Some(denominator)) = (&params.numerator, &params.denominator) else {
            return Err("it has no numerator or no denominator".to_string());
        };
        let inputs = self.inputs(metric, &[numerator.clone(), denominator.clone()])?;
        let formula = inputs.operands.join(" / ");
        Ok(inputs.made(formula))
    }

    fn derived(&self, metric: &Metric) -> Result<Definition> {
        let params = &metric.type_params;
        let expr = params.expr.as_deref().ok_or("it has no expression")?;
        let inputs = self.inputs(metric, &params.metrics)?;
        let aliases = params.metrics.iter().map(|input| input.alias.as_deref().unwrap_or(&input.name));
        let operands: Vec<(&str, &String)> = aliases.zip(&inputs.operands).collect();
        let named = |parts: &[&str]| match parts {
            [name] => operands.iter().find(|(alias, _)| alias == name).map(|(_, operand)| operand.to_string()),
            _ => None,
        };
        let formula = text::with_names(expr, named).map_err(|problem| format!("`{expr}`: {problem}"))?;
        Ok(inputs.made(formula))
    }

    /// Metrics as operands. A filter that all of them have is the whole's: it then also decides which groups there
    /// are, which `filter` on an operand does not. Where that matters, an operand becomes an indicator of its own.
    pub(super) fn inputs(&self, metric: &Metric, inputs: &[MetricInput]) -> Result<Inputs> {
        let condition = |input: &MetricInput| self.conditions(std::slice::from_ref(&input.name), &input.filter);
        let conditions = inputs.iter().map(condition).collect::<Result<Vec<_>>>()?;
        let mut found = Inputs::default();
        let same = conditions.windows(2).all(|pair| pair[0] == pair[1]);
        let shared = conditions.first().cloned().flatten().filter(|_| same);
        // What rows without any filter there are in any case.
        let plain: Vec<(usize, String)> = inputs
            .iter()
            .zip(&conditions)
            .filter(|(input, condition)| condition.is_none() && !is_offset(input))
            .flat_map(|(input, _)| self.leaves(&input.name, 0))
            .collect();
        for (input, condition) in inputs.iter().zip(&conditions) {
            let own = condition.as_ref().filter(|_| shared.is_none());
            let mut operand = self.known(&input.name)?;
            if let Some(own) = own {
                let covered = !is_offset(input) && self.leaves(&input.name, 0).iter().all(|leaf| plain.contains(leaf));
                if covered {
                    operand = format!("{operand} filter (where {own})");
                } else {
                    let name = self.helper_name(metric, input.alias.as_deref().unwrap_or(&input.name));
                    found.helpers.push((name.clone(), format!("{operand} where {own}")));
                    operand = text::name(&name);
                }
            }
            found.operands.push(self.offset(operand, input)?);
        }
        found.helpers.dedup();
        found.shared.extend(shared);
        Ok(found)
    }

    fn known(&self, name: &str) -> Result<String> {
        match self.metric(name) {
            Some(metric) => Ok(text::name(self.bell_metric(&metric.name))),
            None => Err(format!("there is no metric `{name}`")),
        }
    }

    /// A name for an indicator that a metric is made of.
    pub(super) fn helper_name(&self, metric: &Metric, wanted: &str) -> String {
        let taken = |name: &str| {
            self.metric(name).is_some()
                || self.models.iter().any(|model| model.source == name)
                || self.links.iter().any(|link| link.name == name && !matches!(link.element, Element::Entity { .. }))
        };
        let named =
            |other: &Metric| other.type_params.metrics.iter().any(|input| input.alias.as_deref() == Some(wanted));
        let shared = self.manifest.metrics.iter().filter(|other| named(other)).count() > 1;
        match taken(wanted) || shared || self.links.iter().any(|link| link.name == wanted) {
            true => format!("{}__{wanted}", metric.name),
            false => wanted.to_string(),
        }
    }
}

fn is_offset(input: &MetricInput) -> bool {
    input.offset_window.is_some() || input.offset_to_grain.is_some()
}
