//! What an indicator means: in words, in Bell, what it is made of, what it can be asked by.

use maud::{Markup, html};

use super::Visitor;
use super::address::quoted;
use crate::catalog::IndicatorId;
use crate::catalog::dimension::DimensionKind;
use crate::engine::lineage::dimensions_of;
use crate::serve::described::described;

pub(super) fn definition(visitor: &Visitor, id: IndicatorId) -> Markup {
    let say = |english, chinese| visitor.say(english, chinese);
    let known = described(visitor.catalog(), id);
    let lineage = known.lineage.iter().map(|read| match &read.column {
        Some(column) => format!("{}.{column}", read.source),
        None => read.source.clone(),
    });
    let lineage: Vec<String> = lineage.collect();
    html! {
        h2 { (say("Definition", "定义")) }
        dl {
            dt { (say("in words", "口径")) } dd { (known.in_words) }
            dt { "Bell" } dd { code { (known.definition) } }
            @if let Some(unit) = &known.brief.unit { dt { (say("unit", "单位")) } dd { (unit) } }
            @if let Some(owner) = &known.brief.owner { dt { (say("owner", "负责人")) } dd { (owner) } }
            @if !known.targets.is_empty() { dt { (say("targets", "目标")) } dd { ul.plain { @for target in &known.targets { li { (target) } } } } }
            @if !known.scenarios.is_empty() { dt { (say("scenarios", "场景")) } dd { (scenarios(visitor, id)) } }
            dt { (say("sums", "可加性")) } dd { (visitor.language.word(&known.additivity)) }
            dt { (say("reads", "数据来源")) } dd { (lineage.join(", ")) }
            dt { (say("by", "可用维度")) } dd { (by(visitor, id)) }
        }
    }
}

fn scenarios(visitor: &Visitor, id: IndicatorId) -> Markup {
    html! { @for (at, scenario) in visitor.catalog().scenarios_of(id).enumerate() {
        @let item = &scenario.item;
        @if at > 0 { ", " }
        a href={ "/scenario/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) }
    } }
}

/// Its dimensions, with the way to its slices by them.
fn by(visitor: &Visitor, id: IndicatorId) -> Markup {
    let catalog = visitor.catalog();
    let item = &catalog.indicator(id).item;
    html! { @for (at, dimension) in dimensions_of(catalog, id).into_iter().enumerate() {
        @let dimension = catalog.dimension(dimension);
        @let (name, label) = (&dimension.item.name, visitor.language.call(&dimension.item));
        @if at > 0 { ", " }
        @if dimension.kind == DimensionKind::Time { (label) }
        @else { a href={ "/i/" (quoted(&format!("{}.{}", item.package, item.name))) "?by=" (quoted(name)) } { (label) } }
        @if label != name { " (" (name) ")" }
    } }
}
