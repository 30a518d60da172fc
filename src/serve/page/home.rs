//! The first page: what is off track, whether the data are there, and every indicator.

use axum::extract::Query;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Shown, light, quoted};
use super::rows::{Rows, ask, ask_sql};
use super::{Page, Visitor, frame};
use crate::Status;
use crate::catalog::IndicatorId;
use crate::engine::Question;
use crate::serve::described::search;
use crate::serve::http::Refusal;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sought {
    q: String,
}

pub(super) async fn page(visitor: Visitor, Query(sought): Query<Sought>) -> Page {
    let found = search(visitor.catalog(), &sought.q);
    let title = visitor.say("Indicators", "指标");
    let content = match sought.q.trim() {
        "" => {
            let status = Question::function(Status { at: Some("latest".to_string()), ..Status::default() });
            let (standing, fresh) = tokio::join!(
                ask(&visitor.session, status),
                ask_sql(&visitor.session, "SELECT * FROM bell.freshness ORDER BY 1, 2"),
            );
            html! {
                h1 { (visitor.say("How it stands", "现状")) }
                (standing_now(&visitor, standing))
                (cards(&visitor))
                h2 { (title) }
                (list(&visitor, &found))
                h2 { (visitor.say("Data", "数据")) }
                (freshness(&visitor, fresh))
            }
        }
        text => html! {
            h1 { (title) " · " (text) }
            @if found.is_empty() { p.note { (visitor.say("Nothing is called so.", "没有匹配的指标。")) } }
            (list(&visitor, &found))
        },
    };
    Ok(frame::page(visitor.language, title, &sought.q, content))
}

/// How bad a status is.
fn badness(status: &str) -> u8 {
    match status {
        "red" => 0,
        "amber" => 1,
        "green" => 2,
        _ => 3,
    }
}

/// All that have a target, the worst first.
fn standing_now(visitor: &Visitor, standing: Result<Rows, Refusal>) -> Markup {
    let rows = match standing {
        Ok(rows) => rows,
        Err(refusal) => return visitor.refused(&refusal),
    };
    if rows.rows.is_empty() {
        return html! { p.note { (visitor.say("Nothing has a target yet.", "还没有目标。")) } };
    }
    let mut order: Vec<usize> = rows.indices().collect();
    let score = |row: usize| rows.number(row, "score").unwrap_or(f64::INFINITY);
    order.sort_by(|a, b| {
        let bad = |row: &usize| badness(rows.text(*row, "status"));
        bad(a).cmp(&bad(b)).then(score(*a).total_cmp(&score(*b)))
    });
    html! {
        ul.standing {
            @for row in order {
                @let name = rows.text(row, "indicator");
                li {
                    (light(visitor.language, rows.text(row, "status")))
                    a href={ "/i/" (quoted(name)) } { (called(visitor, name)) }
                    span.value { (value_of(visitor, name, rows.number(row, "value"))) }
                    span.note {
                        (rows.text(row, "period")) " · "
                        (rows.text(row, "direction")) " " (value_of(visitor, name, rows.number(row, "target")))
                        @if let Some(to) = rows.number(row, "target_to") { "–" (value_of(visitor, name, Some(to))) }
                        @if !rows.text(row, "reason").is_empty() { " · " (rows.text(row, "reason")) }
                        @if !rows.text(row, "owner").is_empty() { " · " (rows.text(row, "owner")) }
                    }
                    a.why href={ "/why/" (quoted(name)) "?current=" (quoted(rows.text(row, "period"))) } { (visitor.say("why?", "为什么？")) }
                }
            }
        }
    }
}

/// What an indicator of that name is called.
pub(super) fn called(visitor: &Visitor, name: &str) -> String {
    match visitor.indicator(name) {
        Ok(id) => visitor.language.call(&visitor.catalog().indicator(id).item).to_string(),
        Err(_) => name.to_string(),
    }
}

/// A value of an indicator of that name.
pub(super) fn value_of(visitor: &Visitor, name: &str, value: Option<f64>) -> String {
    let shown = visitor.indicator(name).map(|id| shown(visitor, id)).unwrap_or_default();
    value.map(|value| shown.with_unit(value)).unwrap_or_default()
}

/// How values of an indicator are written.
pub(super) fn shown(visitor: &Visitor, id: IndicatorId) -> Shown {
    let unit = visitor.catalog().indicator(id).unit.as_ref().map(ToString::to_string);
    Shown { unit: unit.filter(|unit| !unit.is_empty()) }
}

/// Scorecards and scenarios.
fn cards(visitor: &Visitor) -> Markup {
    let catalog = visitor.catalog();
    html! {
        @if !catalog.scorecards.is_empty() || !catalog.scenarios.is_empty() {
            ul.cards {
                @for scorecard in &catalog.scorecards {
                    @let item = &scorecard.item;
                    li { a href={ "/scorecard/" (quoted(&format!("{}.{}", item.package, item.name))) } {
                        (visitor.say("Scorecard ", "记分卡 ")) (visitor.language.call(item))
                    } }
                }
                @for scenario in &catalog.scenarios {
                    @let item = &scenario.item;
                    li { a href={ "/scenario/" (quoted(&format!("{}.{}", item.package, item.name))) } {
                        (visitor.say("Scenario ", "场景 ")) (visitor.language.call(item))
                    } }
                }
            }
        }
    }
}

fn list(visitor: &Visitor, found: &[IndicatorId]) -> Markup {
    html! {
        ul.list {
            @for id in found {
                @let item = &visitor.catalog().indicator(*id).item;
                li {
                    a href={ "/i/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) }
                    code { (item.name) }
                    @if let Some(unit) = &shown(visitor, *id).unit { span.note { (unit) } }
                    @if let Some(description) = &item.description { p.note { (description) } }
                }
            }
        }
    }
}

fn freshness(visitor: &Visitor, fresh: Result<Rows, Refusal>) -> Markup {
    let rows = match fresh {
        Ok(rows) => rows,
        Err(refusal) => return visitor.refused(&refusal),
    };
    html! {
        div.wide tabindex="0" role="region" aria-label=(visitor.say("Data", "数据")) { table {
            thead { tr {
                th scope="col" { (visitor.say("source", "来源")) }
                th scope="col" { (visitor.say("newest row", "最新数据")) }
                th scope="col" { (visitor.say("newest file", "最新文件")) }
                th scope="col" { (visitor.say("as expected", "是否及时")) }
            } }
            tbody { @for row in rows.indices() { tr {
                td { (rows.text(row, "source")) }
                td { (rows.text(row, "newest")) }
                td { (rows.text(row, "newest_file")) }
                td {
                    @match rows.text(row, "fresh") {
                        "true" => (visitor.say("yes", "是")),
                        "false" => strong { (visitor.say("no: older than ", "否：早于 ")) (rows.text(row, "expected")) },
                        _ => "",
                    }
                }
            } } }
        } }
    }
}
