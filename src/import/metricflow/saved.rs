//! Saved queries and time spines as items.

use super::super::draft::{Item, Line};
use super::super::report::{Entry, Kind};
use super::super::text;
use super::manifest::SavedQuery;
use super::sources::{documentation, label};
use super::template::{Call, call};
use super::{Draft, Name, Semantics, Spine};
use crate::catalog::calendar::Grain;

impl Semantics {
    /// A view for each saved query: its metrics and dimensions. What a view cannot say stands beside it.
    pub(super) fn draft_saved(&self, draft: &mut Draft) -> Vec<Item> {
        let mut items = Vec::new();
        for query in &self.manifest.saved_queries {
            let at = draft.report.entries.len();
            match self.view(query, at) {
                Ok((item, notes)) => {
                    let bell = self.view_name(query);
                    draft.entry(Entry::imported(Kind::SavedQuery, &query.name, bell, notes));
                    items.push(item);
                }
                Err(why) => {
                    draft.entry(Entry::missing(Kind::SavedQuery, &query.name, why));
                }
            }
        }
        items
    }

    /// Views, sources and indicators are tables of one schema.
    fn view_name(&self, query: &SavedQuery) -> String {
        let taken = self.metric(&query.name).is_some() || self.models.iter().any(|model| model.source == query.name);
        if taken { format!("{}_query", query.name) } else { query.name.clone() }
    }

    fn view(&self, query: &SavedQuery, entry: usize) -> Result<(Item, Vec<String>), String> {
        let params = &query.query_params;
        let mut lines = Vec::new();
        let names: Vec<String> = params.metrics.iter().map(|name| text::part(name)).collect();
        if !names.is_empty() {
            lines.push(Line::clause(format!("indicators {}", names.join(", "))));
        }
        let (mut dimensions, mut by) = (Vec::new(), Vec::new());
        for group in &params.group_by {
            let name = self.grouped(&params.metrics, group)?;
            by.push(name.bell.clone());
            let base = self.base_of(&params.metrics, group)?;
            // A view always has `metric_time`.
            if !name.metric_time && !dimensions.contains(&base) {
                dimensions.push(base);
            }
        }
        if !dimensions.is_empty() {
            lines.push(Line::clause(format!("dimensions {}", dimensions.join(", "))));
        }
        if lines.is_empty() {
            return Err("it asks for nothing but `metric_time`".to_string());
        }
        let (mut before, mut notes) = (documentation(query.description.as_deref(), &query.name), Vec::new());
        let mut said = vec![format!("by {}", by.join(", "))];
        said.extend(
            self.conditions(&params.metrics, &params.conditions)?.map(|condition| format!("where {condition}")),
        );
        if !params.order_by.is_empty() {
            said.push(format!("order by {}", self.order(params.order_by.as_slice(), &params.metrics)?.join(", ")));
        }
        said.extend(params.limit.map(|limit| format!("limit {limit}")));
        before.extend(said.iter().map(|line| format!("-- {line}")));
        notes.push(format!("a view has its metrics and dimensions; `{}` is for the question to say", said.join(" ")));
        let start = format!("view {}", text::part(&self.view_name(query)));
        let head = format!("{start}{} {{", label(query.label.as_ref()));
        Ok((Item { before, start, head, lines, end: "}", entries: vec![entry], ..Item::default() }, notes))
    }

    fn order(&self, order: &[String], metrics: &[String]) -> Result<Vec<String>, String> {
        order
            .iter()
            .map(|written| {
                let (name, descending) = self.ordered(metrics, written)?;
                Ok(if descending { format!("{name} desc") } else { name })
            })
            .collect()
    }

    /// What a saved query orders by, and whether the greatest come first.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn ordered(&self, metrics: &[String], written: &str) -> Result<(String, bool), String> {
        match parsed(written)? {
            Some(call) if call.function == "Metric" => Ok((call.name.clone(), call.descending)),
            Some(call) => Ok((self.grouped(metrics, written)?.column, call.descending)),
            None => {
                let name = written.trim_start_matches('-');
                let column = match self.metric(name) {
                    Some(_) => name.to_string(),
                    None => self.name(metrics, name)?.column,
                };
                Ok((column, written.starts_with('-')))
            }
        }
    }

    /// What a saved query groups by: a template, or a plain name.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn grouped(&self, metrics: &[String], written: &str) -> Result<Name, String> {
        match parsed(written)? {
            Some(call) => self.name_of(metrics, &call.linked_name(), call.grain.as_deref(), call.date_part.as_deref()),
            None => self.name(metrics, written),
        }
    }

    fn base_of(&self, metrics: &[String], written: &str) -> Result<String, String> {
        let name = match parsed(written)? {
            Some(call) => call.linked_name(),
            None => written.to_string(),
        };
        if name.starts_with("metric_time") {
            return Ok(name);
        }
        let base = self.split_base(&name);
        Ok(text::part(self.bell_name(self.link(&self.models_of(metrics), &base)?)))
    }
}

fn parsed(written: &str) -> Result<Option<Call>, String> {
    if written.contains('(') { call(written).map(Some) } else { Ok(None) }
}

/// The source of a time spine, and the calendar of its custom grains.
pub(super) fn spine(spine: &Spine, entry: usize, customs: Vec<usize>) -> Vec<Item> {
    let (source, column) = (text::part(&spine.source), text::part(&spine.column));
    let start = format!("source {source}");
    let lines = vec![
        Line::clause(format!("from {}", spine.from)),
        Line::optional(format!("key {column}")),
        Line::optional(format!("time {}", text::name(&spine.column))),
    ];
    let head = format!("{start} {{");
    let entries = vec![entry];
    let mut items = vec![Item { start, head, lines, end: "}", entries: entries.clone(), ..Item::default() }];
    let start = format!("dimension {}", text::part(&format!("{}__{}", spine.source, spine.column)));
    let path = Line::clause(format!("{source}.{column}"));
    items.push(Item {
        head: format!("{start} ="),
        start,
        lines: vec![path],
        entries: entries.clone(),
        ..Item::default()
    });
    if Grain::named(&spine.grain).is_some_and(|grain| grain <= Grain::Day) {
        let start = format!("calendar {}", spine.calendar);
        let mut lines = vec![Line::clause(format!("{} {column}", spine.grain))];
        lines.extend(
            spine
                .customs
                .iter()
                .map(|(name, column)| Line::optional(format!("{} {}", text::part(name), text::part(column)))),
        );
        let head = format!("{start} from {source} {{");
        items.push(Item {
            start,
            head,
            lines,
            end: "}",
            entries: if customs.is_empty() { entries } else { customs },
            ..Item::default()
        });
    }
    items
}
