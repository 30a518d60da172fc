//! What an indicator means: in words, in Bell, what it is made of, what it can be asked by.

use maud::{Markup, html};

use super::Visitor;
use crate::catalog::IndicatorId;
use crate::serve::described::described;

pub(super) fn definition(visitor: &Visitor, id: IndicatorId) -> Markup {
    let say = |english, chinese| visitor.say(english, chinese);
    let known = described(visitor.catalog(), id);
    let dimensions = known.dimensions.iter().map(|dimension| {
        let label = dimension.label.as_ref().filter(|label| **label != dimension.name);
        match label {
            Some(label) => format!("{label} ({})", dimension.name),
            None => dimension.name.clone(),
        }
    });
    let lineage = known.lineage.iter().map(|read| match &read.column {
        Some(column) => format!("{}.{column}", read.source),
        None => read.source.clone(),
    });
    let (dimensions, lineage): (Vec<String>, Vec<String>) = (dimensions.collect(), lineage.collect());
    html! {
        h2 { (say("Definition", "定义")) }
        dl {
            dt { (say("in words", "口径")) } dd { (known.in_words) }
            dt { "Bell" } dd { code { (known.definition) } }
            @if let Some(unit) = &known.brief.unit { dt { (say("unit", "单位")) } dd { (unit) } }
            @if let Some(owner) = &known.brief.owner { dt { (say("owner", "负责人")) } dd { (owner) } }
            @if !known.targets.is_empty() { dt { (say("targets", "目标")) } dd { (known.targets.join("; ")) } }
            @if !known.scenarios.is_empty() { dt { (say("scenarios", "场景")) } dd { (known.scenarios.join(", ")) } }
            dt { (say("sums", "可加性")) } dd { (known.additivity) }
            dt { (say("reads", "数据来源")) } dd { (lineage.join(", ")) }
            dt { (say("by", "可用维度")) } dd { (dimensions.join(", ")) }
        }
    }
}
