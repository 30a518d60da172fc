//! Sources and dimensions as items.

use super::super::draft::{Item, Line};
use super::super::text;
use super::links::{Element, Link, Way, definitions};
use super::manifest::Manifest;
use super::model::{Join, Model};
use serde_json::Value;

/// `source orders { … }`.
pub(super) fn source(models: &[Model], at: usize, manifest: &Manifest, entries: Vec<usize>) -> Item {
    let model = &models[at];
    let declared = &manifest.semantic_models[model.at];
    let mut lines = vec![Line::clause(format!("from {}", model.from))];
    for key in model.keys() {
        let columns: Vec<String> = key.iter().map(|column| text::part(column)).collect();
        lines.push(match columns.as_slice() {
            [one] => Line::optional(format!("key {one}")),
            several => Line::optional(format!("key ({})", several.join(", "))),
        });
    }
    if let Some(time) = &model.time {
        lines.push(Line::optional(format!("time {}", text::name(time))));
    }
    lines.extend(model.joins.iter().map(|join| Line::optional(join_text(models, at, join))));
    if !model.computed.is_empty() {
        let columns = model.computed.iter().map(|(name, expr)| format!("{} = {expr}", text::part(name)));
        lines.push(Line::optional(format!("columns {{ {} }}", columns.collect::<Vec<_>>().join(", "))));
    }
    lines.extend(owner(declared.config.as_ref()));
    let start = format!("source {}", text::part(&model.source));
    let head = format!("{start}{} {{", label(declared.label.as_ref()));
    let mut before = documentation(declared.description.as_deref(), &model.name);
    before.extend(metadata(declared.config.as_ref()));
    Item { before, start, head, lines, end: "}", entries, ..Item::default() }
}

fn join_text(models: &[Model], from: usize, join: &Join) -> String {
    let far = &models[join.to];
    let role = if join.name == far.source {
        text::part(&far.source)
    } else {
        format!("{} = {}", text::part(&join.name), text::part(&far.source))
    };
    let mut line = format!("join {role} on {}", on_text(models, from, join));
    if let (true, Some((start, end))) = (join.valid, &far.validity) {
        let name = text::part(&join.name);
        line.push_str(&format!(" valid between {name}.{} and {name}.{}", text::part(start), text::part(end)));
    }
    line
}

/// `on customer_id` where the key is meant, `on (a, b)` where both have the columns, else the equations.
fn on_text(models: &[Model], from: usize, join: &Join) -> String {
    let far = &models[join.to];
    let key = far.keys().into_iter().find(|key| key.len() == 1).map(|key| key[0].clone());
    let columns = |pairs: &[(String, String)]| pairs.iter().map(|(near, _)| text::part(near)).collect::<Vec<_>>();
    if join.through.is_none() {
        let short = match join.on.as_slice() {
            [(near, far)] => key.as_ref().map_or(near == far, |key| key == far),
            pairs => pairs.iter().all(|(near, far)| near == far),
        };
        match (short, columns(&join.on).as_slice()) {
            (true, [one]) => return one.clone(),
            (true, several) => return format!("({})", several.join(", ")),
            _ => {}
        }
    }
    let via = join.through.map(|first| text::part(&models[from].joins[first].name));
    let equations = join.on.iter().enumerate().map(|(at, (near, other))| {
        let near = match &via {
            Some(via) if at == 0 => format!("{via}.{}", text::part(near)),
            _ => text::name(near),
        };
        format!("{near} = {}.{}", text::part(&join.name), text::part(other))
    });
    equations.collect::<Vec<_>>().join(" and ")
}

/// `dimension listing__country = …`.
pub(super) fn dimension(models: &[Model], link: &Link, bell: &str, manifest: &Manifest, entries: Vec<usize>) -> Item {
    let paths = definitions(models, link).iter().map(|way| path_text(models, way)).map(Line::optional).collect();
    let (description, title, config) = match link.element {
        Element::Dimension { model, at } => {
            let declared = &manifest.semantic_models[models[model].at].dimensions[at];
            (&declared.description, &declared.label, &declared.config)
        }
        Element::Entity { model } => {
            let declared = &manifest.semantic_models[models[model].at].entities;
            let found = declared.iter().find(|entity| link.name.ends_with(&entity.name));
            found.map_or((&None, &None, &None), |found| (&found.description, &found.label, &found.config))
        }
    };
    let start = format!("dimension {}", text::part(bell));
    let mut before = documentation(description.as_deref(), &link.name);
    before.extend(metadata(config.as_ref()));
    Item {
        before,
        head: format!("{start}{} =", label(title.as_ref())),
        start,
        lines: paths,
        entries,
        ..Item::default()
    }
}

/// `orders.customer.region`.
fn path_text(models: &[Model], way: &Way) -> String {
    let mut at = way.from;
    let mut parts = vec![text::part(&models[at].source)];
    for join in &way.path {
        let join = &models[at].joins[*join];
        parts.push(text::part(&join.name));
        at = join.to;
    }
    parts.push(text::part(&way.column));
    parts.join(".")
}

/// A description that says more than the name.
pub(super) fn documentation(description: Option<&str>, name: &str) -> Vec<String> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "");
    let said = description.filter(|description| plain(description) != plain(name)).unwrap_or_default();
    said.trim().lines().map(|line| format!("/// {}", line.trim()).trim_end().to_string()).collect()
}

/// What is configured besides the owner, as comments: it means something to other tools.
pub(super) fn metadata(config: Option<&Value>) -> Vec<String> {
    let Some(Value::Object(meta)) = config.and_then(|config| config.get("meta")) else { return vec![] };
    let kept = meta.iter().filter(|(key, value)| !(*key == "owner" && value.is_string()));
    kept.map(|(key, value)| text::one_line(&format!("-- meta {key}: {value}"))).collect()
}

/// The owner that is configured, as a clause.
pub(super) fn owner(config: Option<&Value>) -> Option<Line> {
    let owner = config?.get("meta")?.get("owner")?.as_str()?;
    Some(Line::optional(format!("owner {}", text::label(owner))))
}

/// A label after a name.
pub(super) fn label(label: Option<&String>) -> String {
    label.map(|label| format!(" {}", text::label(label))).unwrap_or_default()
}
