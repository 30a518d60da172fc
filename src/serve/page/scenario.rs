//! Scenarios: what is wanted, which indicators tell of it, and the processes in which it happens, step by step.

use axum::extract::Path;
use axum::http::StatusCode;
use maud::{Markup, html};

use super::frame::{light, quoted};
use super::home::{called, value_of};
use super::indicator::{bar, identifier};
use super::rows::{Rows, ask, ask_sql};
use super::{Page, Visitor};
use crate::Status;
use crate::catalog::process::DeclaredProcess;
use crate::catalog::scenario::{Scenario, Telling};
use crate::engine::Question;
use crate::serve::http::Refusal;

pub(super) async fn all(visitor: Visitor) -> Page {
    let title = visitor.say("Scenarios", "场景");
    let scenarios = &visitor.catalog().scenarios;
    Ok(visitor.page(
        title,
        html! {
            h1 { (title) }
            @if scenarios.is_empty() { p.note { (visitor.say("None is declared.", "还没有声明场景。")) } }
            ul.list { @for scenario in scenarios {
                @let item = &scenario.item;
                li {
                    a href={ "/scenario/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) }
                    p.note { (scenario.goals.join("; ")) }
                }
            } }
        },
    ))
}

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>) -> Page {
    let full = |it: &&Scenario| format!("{}.{}", it.item.package, it.item.name) == name || it.item.name == name;
    let Some(scenario) = visitor.catalog().scenarios.iter().find(full) else {
        return Err(visitor.sorry(Refusal::new(StatusCode::NOT_FOUND, format!("there is no scenario `{name}`"))));
    };
    let processes = visitor.catalog().processes.iter().filter(|process| scenario.is_met_in(&process.item));
    let mut maps = Vec::new();
    for process in processes {
        maps.push(map(&visitor, process).await);
    }
    let title = visitor.language.call(&scenario.item);
    Ok(visitor.page(
        title,
        html! {
            h1 { (visitor.say("Scenario: ", "场景：")) (title) }
            @if let Some(description) = &scenario.item.description { p { (description) } }
            dl {
                @if !scenario.goals.is_empty() { dt { (visitor.say("goal", "目标")) } dd { (scenario.goals.join("; ")) } }
                @if !scenario.pains.is_empty() { dt { (visitor.say("pain", "痛点")) } dd { (scenario.pains.join("; ")) } }
                @if !scenario.processes.is_empty() { dt { (visitor.say("process", "流程")) } dd { (scenario.processes.join("; ")) } }
                @if let Some(owner) = &scenario.item.owner { dt { (visitor.say("owner", "负责人")) } dd { (owner) } }
            }
            (telling(&visitor, scenario).await)
            @for map in maps { (map) }
        },
    ))
}

/// The scenario's indicators by what they tell, with their lights.
async fn telling(visitor: &Visitor, scenario: &Scenario) -> Markup {
    let catalog = visitor.catalog();
    let with_target = scenario.indicators.iter().filter(|(id, _)| catalog.targets_of(*id).next().is_some());
    let names = with_target.map(|(id, _)| {
        let item = &catalog.indicator(*id).item;
        format!("{}.{}", item.package, item.name)
    });
    let status = Status { indicators: names.collect(), at: Some("latest".to_string()), ..Status::default() };
    let standing = match status.indicators.is_empty() {
        true => Ok(Rows::default()),
        false => ask(&visitor.session, Question::function(status)).await,
    };
    let rows = match &standing {
        Ok(rows) => rows,
        Err(refusal) => return visitor.refused(refusal),
    };
    let groups = [
        (Telling::Result, visitor.say("Results", "结果指标")),
        (Telling::Efficiency, visitor.say("Efficiency", "效率指标")),
        (Telling::Something, visitor.say("Others", "其他指标")),
    ];
    html! {
        @for (telling, title) in groups {
            @if scenario.has(telling) {
                h2 { (title) }
                ul.standing { @for (id, _) in scenario.indicators.iter().filter(|(_, it)| *it == telling) {
                    @let item = &catalog.indicator(*id).item;
                    @let row = rows.indices().find(|row| visitor.indicator(rows.text(*row, "indicator")).is_ok_and(|it| it == *id));
                    li {
                        @if let Some(row) = row { (light(visitor.language, rows.text(row, "status"))) }
                        a href={ "/i/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) }
                        @if let Some(row) = row {
                            span.value { (value_of(visitor, rows.text(row, "indicator"), rows.number(row, "value"))) }
                            span.note { (rows.text(row, "period")) " · " (rows.text(row, "direction")) " " (value_of(visitor, rows.text(row, "indicator"), rows.number(row, "target"))) }
                        }
                    }
                } }
            }
        }
    }
}

/// The steps of a process: how much of the time each takes, and how much of that nobody works.
async fn map(visitor: &Visitor, process: &DeclaredProcess) -> Markup {
    let title = html! { h2 { (visitor.say("Process: ", "流程：")) (visitor.language.call(&process.item)) } };
    match steps(visitor, process).await {
        Err(refusal) => html! { (title) (visitor.refused(&refusal)) },
        Ok((columns, rows)) => {
            let most = rows.indices().filter_map(|row| rows.number(row, &columns[0])).fold(0.0, f64::max);
            html! {
                (title)
                ol.steps { @for row in rows.indices() {
                    @let time = rows.number(row, &columns[0]);
                    @let bottleneck = time.is_some_and(|time| time == most && time > 0.0);
                    li class=[bottleneck.then_some("bottleneck")] {
                        strong { (rows.text(row, "step")) }
                        @if bottleneck { span.light.red { "⚑ " (visitor.say("bottleneck", "瓶颈")) } }
                        (bar(time, most))
                        span.note { @for column in &columns {
                            span { (called(visitor, column)) " " (value_of(visitor, column, rows.number(row, column))) }
                        } }
                    }
                } }
            }
        }
    }
}

/// A row for each step, and the columns that tell of it; the first is what a bottleneck is told by.
async fn steps(visitor: &Visitor, process: &DeclaredProcess) -> Result<(Vec<String>, Rows), Refusal> {
    let name = &process.item.name;
    let own = process.indicators.iter().map(|id| visitor.catalog().indicator(*id).item.name.clone());
    let own: Vec<String> = own.collect();
    let wanted = ["share", "average", "waiting_share", "visits"].map(|what| format!("{name}_{what}"));
    let columns: Vec<String> = wanted.into_iter().filter(|column| own.contains(column)).collect();
    if columns.is_empty() {
        return Ok((vec![String::new()], Rows::default()));
    }
    let measures: Vec<String> =
        columns.iter().map(|column| format!("MEASURE({0}) AS {0}", identifier(column))).collect();
    let step = identifier(&visitor.catalog().dimension(process.steps).item.name);
    let statement = format!(
        "SELECT {step} AS step, {} FROM {}.indicators GROUP BY 1 ORDER BY 2 DESC NULLS LAST",
        measures.join(", "),
        identifier(&process.item.package),
    );
    ask_sql(&visitor.session, &statement).await.map(|rows| (columns, rows))
}
