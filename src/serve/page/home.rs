//! The first page: what is off track, whether the data are there, and every indicator.

use maud::{Markup, html};

use super::address::{Picks, quoted};
use super::frame::Shown;
use super::list::{found_list, grouped};
use super::rows::{Rows, ask, ask_sql};
use super::standing::line;
use super::time::minute;
use super::{Page, Visitor, frame};
use crate::Status;
use crate::catalog::{IndicatorId, Item};
use crate::engine::Question;
use crate::serve::described::search;
use crate::serve::http::Refusal;

pub(super) async fn page(visitor: Visitor, picks: Picks) -> Page {
    let sought = picks.one("q");
    if !sought.is_empty() {
        let found = search(visitor.catalog(), sought);
        let title = format!("{} · {sought}", visitor.say("Search", "搜索"));
        let content = html! { h1 { (title) } (found_list(&visitor, &found)) };
        return Ok(frame::page(visitor.language, &title, sought, content));
    }
    let status = Question::function(Status { at: Some("latest".to_string()), ..Status::default() });
    let (standing, fresh) = tokio::join!(
        ask(&visitor.session, status),
        ask_sql(&visitor.session, "SELECT * FROM bell.freshness ORDER BY 1, 2"),
    );
    let title = visitor.say("How it stands", "现状");
    Ok(visitor.page(
        title,
        html! {
            h1 { (title) }
            (standing_now(&visitor, standing))
            (cards(&visitor))
            h2 { (visitor.say("Indicators", "指标")) }
            (grouped(&visitor))
            h2 { (visitor.say("Data", "数据")) }
            (freshness(&visitor, fresh))
        },
    ))
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
    html! { ul.standing { @for row in order { (line(visitor, &rows, row)) } } }
}

/// What an indicator of that name is called.
pub(super) fn called(visitor: &Visitor, name: &str) -> String {
    match visitor.indicator(name) {
        Ok(id) => visitor.language.call(&visitor.catalog().indicator(id).item).to_string(),
        Err(_) => name.to_string(),
    }
}

/// How values of an indicator of that name are written.
pub(super) fn shown_by_name(visitor: &Visitor, name: &str) -> Shown {
    visitor.indicator(name).map(|id| shown(visitor, id)).unwrap_or_default()
}

/// How values of an indicator are written.
pub(super) fn shown(visitor: &Visitor, id: IndicatorId) -> Shown {
    let unit = visitor.catalog().indicator(id).unit.as_ref().map(ToString::to_string);
    Shown { unit: unit.filter(|unit| !unit.is_empty()) }
}

/// Scorecards and scenarios.
fn cards(visitor: &Visitor) -> Markup {
    let catalog = visitor.catalog();
    let scorecards =
        catalog.scorecards.iter().map(|card| ("scorecard", visitor.say("Scorecard", "记分卡"), &card.item));
    let scenarios = catalog.scenarios.iter().map(|it| ("scenario", visitor.say("Scenario", "场景"), &it.item));
    let all: Vec<(&str, &str, &Item)> = scorecards.chain(scenarios).collect();
    html! {
        @if !all.is_empty() {
            ul.cards { @for (place, kind, item) in all {
                li { a href=(format!("/{place}/{}", quoted(&format!("{}.{}", item.package, item.name)))) {
                    (kind) " " (visitor.language.call(item))
                } }
            } }
        }
    }
}

fn freshness(visitor: &Visitor, fresh: Result<Rows, Refusal>) -> Markup {
    let rows = match fresh {
        Ok(rows) => rows,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let expected = rows.indices().any(|row| !rows.text(row, "fresh").is_empty());
    html! {
        div.wide tabindex="0" role="region" aria-label=(visitor.say("Data", "数据")) { table {
            thead { tr {
                th scope="col" { (visitor.say("source", "来源")) }
                th scope="col" { (visitor.say("newest row", "最新数据")) }
                th scope="col" { (visitor.say("newest file", "最新文件")) }
                @if expected { th scope="col" { (visitor.say("as expected", "是否及时")) } }
            } }
            tbody { @for row in rows.indices() { tr {
                th scope="row" { (rows.text(row, "source")) }
                td { (minute(rows.text(row, "newest"))) }
                td { (minute(rows.text(row, "newest_file"))) }
                @if expected { td {
                    @match rows.text(row, "fresh") {
                        "true" => (visitor.say("yes", "是")),
                        "false" => strong { (visitor.say("no: older than ", "否：早于 ")) (minute(rows.text(row, "expected"))) },
                        _ => "",
                    }
                } }
            } } }
        } }
    }
}
