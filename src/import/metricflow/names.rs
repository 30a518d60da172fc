//! What a name in a request or a filter means: linked names with grains and date parts.

use super::super::text;
use super::Semantics;
use super::template::{Call, Piece, pieces};
use crate::catalog::calendar::{DatePart, Grain};

/// A name to group or filter by, as Bell knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The expression in Bell: a name, in quotes where it needs them.
    pub bell: String,
    /// The name without quotes.
    pub plain: String,
    /// The name of its column in MetricFlow's results.
    pub column: String,
    /// Whether it is `metric_time`.
    pub metric_time: bool,
    /// Its grain, if it is a time.
    pub grain: Option<String>,
}

/// A name of a time dimension, and what of it is meant.
pub(super) struct Split<'n> {
    pub(super) base: &'n str,
    grain: Option<String>,
}

impl Semantics {
    /// What `name` (perhaps with `__month` at its end) means in a question to these metrics.
    ///
    /// # Errors
    /// Why it means nothing, in words.
    pub fn name(&self, metrics: &[String], name: &str) -> Result<Name, String> {
        let split = self.split(name);
        self.name_of(metrics, split.base, split.grain.as_deref(), None)
    }

    /// The same with the grain or date part apart.
    ///
    /// # Errors
    /// Why it means nothing, in words.
    pub fn name_of(
        &self,
        metrics: &[String],
        base: &str,
        grain: Option<&str>,
        date_part: Option<&str>,
    ) -> Result<Name, String> {
        let split = self.split(base);
        let grain = grain.map(str::to_string).or(split.grain);
        if split.base == "metric_time" {
            return Ok(self.part("metric_time", "metric_time", Some(self.default_grain(metrics)), grain, date_part));
        }
        let link = self.link(&self.models_of(metrics), split.base)?;
        let default = self.grain_of(link);
        let column = if link.name.ends_with(split.base) { link.name.as_str() } else { split.base };
        Ok(self.part(self.bell_name(link), column, default, grain, date_part))
    }

    fn part(
        &self,
        bell: &str,
        column: &str,
        default: Option<String>,
        grain: Option<String>,
        date_part: Option<&str>,
    ) -> Name {
        let metric_time = bell == "metric_time";
        let whole = |bell: &str, grain| Name {
            bell: text::name(bell),
            plain: bell.to_string(),
            column: column.to_string(),
            metric_time,
            grain,
        };
        if default.is_none() {
            return whole(bell, None);
        }
        if let Some(part) = date_part {
            let name = format!("{bell}__extract_{part}");
            // MetricFlow counts the days of a week from Monday = 1; SQL from Sunday = 0.
            let expr = match part {
                "dow" => format!("case when {name} = 0 then 7 else {name} end"),
                _ => text::name(&name),
            };
            return Name { bell: expr, column: format!("{column}__extract_{part}"), ..whole(&name, None) };
        }
        let grain = grain.or(default).unwrap_or_default();
        let name = format!("{bell}__{}", self.bell_grain(&grain));
        Name { bell: text::name(&name), column: format!("{column}__{grain}"), ..whole(&name, Some(grain.clone())) }
    }

    /// A filter as a condition in Bell.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn condition(&self, metrics: &[String], filter: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = pieces(filter)?.into_iter().peekable();
        while let Some(piece) = rest.next() {
            match piece {
                Piece::Text(text) => out.push_str(&text),
                Piece::Call(call) => {
                    let compared = matches!(rest.peek(), Some(Piece::Text(text)) if text.trim_start().starts_with(['<', '>', '=', '!']));
                    let value = self.value(metrics, &call)?;
                    let plain = compared || !value.contains(' ');
                    out.push_str(&if plain { value } else { format!("({value})") });
                }
            }
        }
        // Names may also stand without a template.
        text::with_names(&out, |parts| match parts {
            [one] if one.contains("__") || *one == "metric_time" => self.name(metrics, one).ok().map(|name| name.bell),
            _ => None,
        })
        .or(Ok(text::one_line_of_code(&out)))
    }

    /// Several filters that must all hold.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn conditions(&self, metrics: &[String], filters: &[String]) -> Result<Option<String>, String> {
        let mut found = Vec::new();
        for filter in filters {
            let condition = self.condition(metrics, filter)?;
            if !found.contains(&condition) {
                found.push(condition);
            }
        }
        if found.len() < 2 {
            return Ok(found.pop());
        }
        let wrapped = found.into_iter().map(|condition| match condition.to_lowercase().contains(" or ") {
            true => format!("({condition})"),
            false => condition,
        });
        Ok(Some(wrapped.collect::<Vec<_>>().join(" and ")))
    }

    fn value(&self, metrics: &[String], call: &Call) -> Result<String, String> {
        if call.function != "Metric" {
            let name = self.name_of(metrics, &call.linked_name(), call.grain.as_deref(), call.date_part.as_deref())?;
            return Ok(name.bell);
        }
        if self.manifest.metrics.iter().all(|metric| metric.name != call.name) {
            return Err(format!("there is no metric `{}`", call.name));
        }
        let inner = [call.name.clone()];
        let by = call.names.iter().map(|name| self.name(&inner, name).map(|name| name.bell));
        let by = by.collect::<Result<Vec<_>, _>>()?;
        let metric = text::name(self.bell_metric(&call.name));
        Ok(match by.as_slice() {
            [one] => format!("{metric} per {one}"),
            several => format!("{metric} per ({})", several.join(", ")),
        })
    }

    pub(super) fn split<'n>(&self, name: &'n str) -> Split<'n> {
        if let Some((base, grain)) = name.rsplit_once("__")
            && (is_grain(grain) || self.custom_grains.iter().any(|(known, _)| known == grain))
        {
            return Split { base, grain: Some(grain.to_string()) };
        }
        Split { base: name, grain: None }
    }

    /// A name without the grain at its end.
    pub(super) fn split_base(&self, name: &str) -> String {
        self.split(name).base.to_string()
    }

    /// The grain's name in Bell: those of a calendar begin with its name.
    pub(super) fn bell_grain<'g>(&'g self, grain: &'g str) -> &'g str {
        self.custom_grains.iter().find(|(known, _)| known == grain).map_or(grain, |(_, bell)| bell)
    }
}

/// Whether a grain is one of the standard ones.
pub(super) fn is_grain(name: &str) -> bool {
    name == "nanosecond" || Grain::named(name).is_some_and(|grain| !grain.name().starts_with("fiscal"))
}

/// From fine to coarse; custom grains are coarser than all.
pub fn fineness(grain: &str) -> usize {
    Grain::ALL
        .iter()
        .position(|known| known.name() == grain)
        .map_or_else(|| if grain == "nanosecond" { 0 } else { Grain::ALL.len() + 1 }, |at| at + 1)
}

/// Whether a date part is known.
pub fn is_date_part(part: &str) -> bool {
    DatePart::ALL.iter().any(|known| known.name() == part)
}
