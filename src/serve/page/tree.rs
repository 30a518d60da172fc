//! The tree of an indicator, with lights.

use axum::extract::{Path, Query};
use maud::html;
use serde::Deserialize;

use super::frame::{Shown, light, quoted};
use super::home::{called, shown};
use super::indicator::latest;
use super::rows::ask;
use super::{Page, Visitor};
use crate::Outline;
use crate::engine::Question;

/// What is picked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Picked {
    /// The period.
    at: String,
}

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, Query(mut picked): Query<Picked>) -> Page {
    let id = visitor.indicator(&name)?;
    if picked.at.is_empty()
        && let Ok(Some(start)) = latest(&visitor, id, "month").await
    {
        picked.at = start.get(..7).unwrap_or_default().to_string();
    }
    let item = &visitor.catalog().indicator(id).item;
    let outline = Outline {
        indicator: format!("{}.{}", item.package, item.name),
        at: Some(picked.at.clone()).filter(|at| !at.is_empty()),
        ..Outline::default()
    };
    let rows = ask(&visitor.session, Question::function(outline)).await;
    let title = visitor.language.call(item);
    Ok(visitor.page(
        title,
        html! {
            h1 { (visitor.say("Tree: ", "指标树：")) (title) }
            form.pickers {
                label { (visitor.say("Period ", "时期 ")) input name="at" value=(picked.at) placeholder="2026-10" size="10"; }
                button { (visitor.say("Show", "查看")) }
            }
            @match &rows {
                Err(refusal) => (visitor.refused(refusal)),
                Ok(rows) => div.wide tabindex="0" role="region" aria-label=(title) { table.tree {
                    thead { tr {
                        th scope="col" { (visitor.say("indicator", "指标")) }
                        th scope="col" { (visitor.say("value", "值")) }
                        th scope="col" { (visitor.say("before", "上期")) }
                        th scope="col" { (visitor.say("growth", "增长")) }
                        th scope="col" { (visitor.say("status", "状态")) }
                    } }
                    tbody { @for row in rows.indices() {
                        // Two blanks a level.
                        @let written = rows.text(row, "tree");
                        @let name = written.trim_start();
                        @let deep = (written.len() - name.len()) / 2;
                        @let known = visitor.indicator(name).ok();
                        @let shown = known.map_or_else(Shown::default, |id| shown(&visitor, id));
                        tr {
                            th scope="row" class={ "deep" (deep) } {
                                @if known.is_some() { a href={ "/i/" (quoted(name)) } { (called(&visitor, name)) } } @else { (name) }
                            }
                            td.number title=(rows.text(row, "value")) { (rows.number(row, "value").map(|value| shown.with_unit(value)).unwrap_or_default()) }
                            td.number { (rows.number(row, "base").map(|value| shown.with_unit(value)).unwrap_or_default()) }
                            td.number { (rows.number(row, "growth").map(|growth| format!("{:+.1} %", growth * 100.0)).unwrap_or_default()) }
                            td { (light(visitor.language, rows.text(row, "status"))) }
                        }
                    } }
                } },
            }
        },
    ))
}
