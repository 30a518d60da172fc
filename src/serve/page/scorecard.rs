//! A scorecard: its scores, and what changed them.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::http::StatusCode;
use maud::html;

use super::address::{Picks, quoted};
use super::frame::{Shown, light, percent};
use super::home::called;
use super::indicator::bar;
use super::rows::ask;
use super::{Page, Visitor};
use crate::catalog::target::Scorecard;
use crate::engine::Question;
use crate::serve::http::Refusal;
use crate::{Score, Status};

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, picks: Picks) -> Page {
    let known = visitor.catalog().scorecards.iter();
    let full =
        |card: &&Scorecard| format!("{}.{}", card.item.package, card.item.name) == name || card.item.name == name;
    let Some(card) = known.into_iter().find(full) else {
        return Err(visitor.sorry(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("there is no scorecard `{name}`: the first page names all"),
        )));
    };
    let at = match picks.one("at") {
        "" => latest(&visitor, card).await.unwrap_or_default(),
        at => at.to_string(),
    };
    let score = Score {
        scorecard: format!("{}.{}", card.item.package, card.item.name),
        at: Some(at.clone()).filter(|at| !at.is_empty()),
        ..Score::default()
    };
    let rows = ask(&visitor.session, Question::function(score)).await;
    let points = Shown { unit: Some("percent".to_string()) };
    let title = format!("{}{}", visitor.say("Scorecard: ", "记分卡："), visitor.language.call(&card.item));
    Ok(visitor.page(
        &title,
        html! {
            h1 { (title) }
            form.pickers {
                label { (visitor.say("Period ", "时期 ")) input name="at" value=(at) placeholder="2026-10" size="10"; }
                button { (visitor.say("Show", "查看")) }
            }
            @match &rows {
                Err(refusal) => (visitor.refused(refusal)),
                Ok(rows) => div.wide tabindex="0" role="region" aria-label=(title) { table.tree {
                    thead { tr {
                        th scope="col" { (visitor.say("item", "项目")) }
                        th scope="col" { (visitor.say("status", "状态")) }
                        th.number scope="col" { (visitor.say("score", "得分")) }
                        th scope="col" { span.unseen { (visitor.say("as a bar", "条形")) } }
                        th.number scope="col" { (visitor.say("change", "变化")) }
                        th.number scope="col" { (visitor.say("weight", "权重")) }
                        th scope="col" { (visitor.say("note", "备注")) }
                    } }
                    tbody { @for row in rows.indices() {
                        @let name = rows.text(row, "item").trim();
                        @let level = rows.number(row, "level").unwrap_or(0.0);
                        @let score = rows.number(row, "score");
                        tr {
                            th scope="row" class={ "deep" (level) } {
                                @if visitor.indicator(name).is_ok() && level > 1.0 { a href={ "/i/" (quoted(name)) } { (called(&visitor, name)) } }
                                @else { (perspective(&visitor, card, name)) }
                            }
                            td { (light(visitor.language, rows.text(row, "status"))) }
                            td.number { (score.map(percent).unwrap_or_default()) }
                            td { (bar(score, 1.2, None)) }
                            td.number { (rows.number(row, "change").map(|change| points.change(visitor.language, change)).unwrap_or_default()) }
                            td.number { (rows.number(row, "weight").map(percent).unwrap_or_default()) }
                            td.note { (visitor.language.word(rows.text(row, "reason"))) }
                        }
                    } }
                } },
            }
        },
    ))
}

/// What the whole and its perspectives are called.
fn perspective(visitor: &Visitor, card: &Scorecard, name: &str) -> String {
    if name == card.item.name {
        return visitor.language.call(&card.item).to_string();
    }
    let all = card.versions.iter().rev().flat_map(|(_, perspectives)| perspectives);
    let known = all.into_iter().find(|it| it.name == name).and_then(|it| it.label.clone());
    known.unwrap_or_else(|| name.to_string())
}

/// The last period of which one of its targets has data.
async fn latest(visitor: &Visitor, card: &Scorecard) -> Option<String> {
    let children = card.versions.iter().flat_map(|(_, all)| all).flat_map(|perspective| &perspective.children);
    let names: BTreeSet<String> = children
        .map(|(id, _)| {
            let item = &visitor.catalog().indicator(*id).item;
            format!("{}.{}", item.package, item.name)
        })
        .collect();
    let indicators = names.into_iter().collect();
    let status = Status { indicators, at: Some("latest".to_string()), ..Status::default() };
    let rows = ask(&visitor.session, Question::function(status)).await.ok()?;
    rows.indices().map(|row| rows.text(row, "period").to_string()).max()
}
