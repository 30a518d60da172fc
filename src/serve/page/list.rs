//! Lists of indicators.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Visitor;
use super::address::quoted;
use super::home::shown;
use crate::catalog::{IndicatorId, Item};
use crate::engine::lineage::lineage_of;

/// So many are shown openly, group by group; more are folded.
const FEW: usize = 24;

/// What was found, with what it means.
pub(super) fn found_list(visitor: &Visitor, found: &[IndicatorId]) -> Markup {
    html! {
        @if found.is_empty() {
            p.note { (visitor.say("Nothing is called so, in any language. ", "没有匹配的指标。")) a href="/" { (visitor.say("All indicators", "全部指标")) } }
        }
        ul.list {
            @for id in found {
                @let item = &visitor.catalog().indicator(*id).item;
                li {
                    (named(visitor, item))
                    code { (item.name) }
                    @if let Some(unit) = &shown(visitor, *id).unit { span.note { (unit) } }
                    @if let Some(owner) = &item.owner { span.note { (owner) } }
                    @if let Some(description) = &item.description { p.note { (description) } }
                }
            }
        }
    }
}

/// Every indicator, by what it is computed of.
pub(super) fn grouped(visitor: &Visitor) -> Markup {
    let mut groups: Vec<(String, Vec<IndicatorId>)> = Vec::new();
    for (id, _) in visitor.catalog().declared_indicators() {
        let title = group(visitor, id);
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, group)) => group.push(id),
            None => groups.push((title, vec![id])),
        }
    }
    let few = groups.iter().map(|(_, group)| group.len()).sum::<usize>() <= FEW;
    html! {
        @for (title, group) in groups {
            details.group open[few] {
                summary { (title) " (" (group.len()) ")" }
                ul.compact { @for id in group {
                    @let item = &visitor.catalog().indicator(id).item;
                    li { (named(visitor, item)) @if visitor.language.call(item) != item.name { " " code { (item.name) } } }
                } }
            }
        }
    }
}

/// The process that declares an indicator, or the sources that it reads.
fn group(visitor: &Visitor, id: IndicatorId) -> String {
    let catalog = visitor.catalog();
    if let Some(process) = catalog.processes.iter().find(|process| process.indicators.contains(&id)) {
        return format!("{}{}", visitor.say("Process ", "流程 "), visitor.language.call(&process.item));
    }
    let sources: BTreeSet<_> = lineage_of(catalog, id).into_iter().map(|(source, _)| source).collect();
    let packages: BTreeSet<&String> = catalog.declared_indicators().map(|(_, it)| &it.item.package).collect();
    let package = &catalog.indicator(id).item.package;
    let package = if packages.len() > 1 { format!("{package} · ") } else { String::new() };
    let mut called = sources.iter().map(|source| visitor.language.call(&catalog.source(*source).item));
    match (called.next(), called.next()) {
        (Some(only), None) => format!("{package}{only}"),
        _ => format!("{package}{}", visitor.say("of several sources", "跨来源")),
    }
}

fn named(visitor: &Visitor, item: &Item) -> Markup {
    html! { a href={ "/i/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) } }
}
