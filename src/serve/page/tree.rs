//! The tree of an indicator, with lights.

use axum::extract::Path;
use maud::html;

use super::address::{Picks, quoted};
use super::frame::{growth, light};
use super::home::{called, shown_by_name};
use super::rows::ask;
use super::view::last_month;
use super::{Page, Visitor};
use crate::Outline;
use crate::engine::Question;

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, picks: Picks) -> Page {
    let id = visitor.indicator(&name)?;
    let at = match picks.one("at") {
        "" => last_month(&visitor, id, &[]).await,
        at => Some(at.to_string()),
    };
    let item = &visitor.catalog().indicator(id).item;
    let outline =
        Outline { indicator: format!("{}.{}", item.package, item.name), at: at.clone(), ..Outline::default() };
    let rows = ask(&visitor.session, Question::function(outline.clone())).await;
    let label = visitor.language.call(item);
    let title = format!("{}{label}", visitor.say("Tree: ", "指标树："));
    Ok(visitor.page(
        &title,
        html! {
            h1 { (visitor.say("Tree: ", "指标树：")) a href={ "/i/" (quoted(&outline.indicator)) } { (label) } }
            form.pickers {
                label { (visitor.say("Period ", "时期 ")) input name="at" value=(at.unwrap_or_default()) placeholder="2026-10" size="10"; }
                button { (visitor.say("Show", "查看")) }
            }
            @match &rows {
                Err(refusal) => (visitor.refused(refusal)),
                Ok(rows) => div.wide tabindex="0" role="region" aria-label=(title) { table.tree {
                    thead { tr {
                        th scope="col" { (visitor.say("indicator", "指标")) }
                        th scope="col" { (visitor.say("status", "状态")) }
                        th.number scope="col" { (visitor.say("value", "值")) }
                        th.number scope="col" { (visitor.say("before", "上期")) }
                        th.number scope="col" { (visitor.say("growth", "增长")) }
                    } }
                    tbody { @for row in rows.indices() {
                        // Two blanks a level.
                        @let written = rows.text(row, "tree");
                        @let name = written.trim_start();
                        @let deep = (written.len() - name.len()) / 2;
                        @let shown = shown_by_name(&visitor, name);
                        tr {
                            th scope="row" class={ "deep" (deep) } {
                                @if visitor.indicator(name).is_ok() { a href={ "/i/" (quoted(name)) } { (called(&visitor, name)) } } @else { (name) }
                            }
                            td { (light(visitor.language, rows.text(row, "status"))) }
                            td.number title=(rows.text(row, "value")) { (rows.number(row, "value").map(|value| shown.with_unit(value)).unwrap_or_default()) }
                            td.number { (rows.number(row, "base").map(|value| shown.with_unit(value)).unwrap_or_default()) }
                            td.number { (rows.number(row, "growth").map(|share| growth(share * 100.0)).unwrap_or_default()) }
                        }
                    } }
                } },
            }
        },
    ))
}
