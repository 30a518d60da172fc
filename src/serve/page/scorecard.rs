//! A scorecard: its scores, and what changed them.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use maud::html;
use serde::Deserialize;

use super::frame::{light, quoted};
use super::home::called;
use super::indicator::bar;
use super::rows::ask;
use super::{Page, Visitor};
use crate::catalog::target::Scorecard;
use crate::engine::Question;
use crate::serve::http::Refusal;
use crate::{Score, Status};

/// What is picked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Picked {
    /// The period.
    at: String,
}

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, Query(mut picked): Query<Picked>) -> Page {
    let known = visitor.catalog().scorecards.iter();
    let full =
        |card: &&Scorecard| format!("{}.{}", card.item.package, card.item.name) == name || card.item.name == name;
    let Some(card) = known.into_iter().find(full) else {
        return Err(visitor.sorry(Refusal::new(StatusCode::NOT_FOUND, format!("there is no scorecard `{name}`"))));
    };
    if picked.at.is_empty() {
        picked.at = latest(&visitor).await.unwrap_or_default();
    }
    let score = Score {
        scorecard: format!("{}.{}", card.item.package, card.item.name),
        at: Some(picked.at.clone()).filter(|at| !at.is_empty()),
        ..Score::default()
    };
    let rows = ask(&visitor.session, Question::function(score)).await;
    let title = visitor.language.call(&card.item);
    Ok(visitor.page(
        title,
        html! {
            h1 { (visitor.say("Scorecard: ", "记分卡：")) (title) }
            form.pickers {
                label { (visitor.say("Period ", "时期 ")) input name="at" value=(picked.at) placeholder="2026-10" size="10"; }
                button { (visitor.say("Show", "查看")) }
            }
            @match &rows {
                Err(refusal) => (visitor.refused(refusal)),
                Ok(rows) => div.wide tabindex="0" role="region" aria-label=(title) { table.tree {
                    thead { tr {
                        th scope="col" { (visitor.say("item", "项目")) }
                        th scope="col" { (visitor.say("weight", "权重")) }
                        th scope="col" { (visitor.say("score", "得分")) }
                        th {}
                        th scope="col" { (visitor.say("change", "变化")) }
                        th scope="col" { (visitor.say("status", "状态")) }
                        th scope="col" { (visitor.say("note", "备注")) }
                    } }
                    tbody { @for row in rows.indices() {
                        @let name = rows.text(row, "item").trim();
                        @let level = rows.number(row, "level").unwrap_or(0.0);
                        @let score = rows.number(row, "score");
                        tr {
                            th scope="row" class={ "deep" (level) } {
                                @if visitor.indicator(name).is_ok() && level > 1.0 { a href={ "/i/" (quoted(name)) } { (called(&visitor, name)) } }
                                @else { (name) }
                            }
                            td.number { (percent(rows.number(row, "weight"))) }
                            td.number { (percent(score)) }
                            td { (bar(score, 1.2)) }
                            td.number { (rows.number(row, "change").map(|change| format!("{:+.1} %", change * 100.0)).unwrap_or_default()) }
                            td { (light(visitor.language, rows.text(row, "status"))) }
                            td.note { (rows.text(row, "reason")) }
                        }
                    } }
                } },
            }
        },
    ))
}

/// The last period of which a target has data.
async fn latest(visitor: &Visitor) -> Option<String> {
    let status = Status { at: Some("latest".to_string()), ..Status::default() };
    let rows = ask(&visitor.session, Question::function(status)).await.ok()?;
    rows.indices().map(|row| rows.text(row, "period").to_string()).max()
}

fn percent(share: Option<f64>) -> String {
    share.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default()
}
