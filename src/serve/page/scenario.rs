//! Scenarios: what is wanted, which indicators tell of it, and the processes in which it happens, step by step.

use axum::extract::Path;
use axum::http::StatusCode;
use maud::{Markup, html};

use super::address::{identifier, quoted};
use super::frame::light;
use super::home::shown_by_name;
use super::indicator::bar;
use super::rows::{Rows, ask, ask_sql};
use super::standing::{aim, line};
use super::waterfall::Verdict;
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
        let message = format!("there is no scenario `{name}`: all are at /scenarios");
        return Err(visitor.sorry(Refusal::new(StatusCode::NOT_FOUND, message)));
    };
    let processes = visitor.catalog().processes.iter().filter(|process| scenario.is_met_in(&process.item));
    let mut maps = Vec::new();
    for process in processes {
        maps.push(map(&visitor, process).await);
    }
    let title = visitor.language.call(&scenario.item);
    let title = format!("{}{title}", visitor.say("Scenario: ", "场景："));
    Ok(visitor.page(
        &title,
        html! {
            h1 { (title) }
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
                    @match row {
                        Some(row) => (line(visitor, rows, row)),
                        None => li {
                            span.note { (visitor.say("no target", "没有目标")) }
                            a.name href={ "/i/" (quoted(&format!("{}.{}", item.package, item.name))) } { (visitor.language.call(item)) }
                        },
                    }
                } }
            }
        }
    }
}

/// The steps of a process: how much of the time each takes, how much of that nobody works, and whether it is on track.
async fn map(visitor: &Visitor, process: &DeclaredProcess) -> Markup {
    let title = html! { h2 { (visitor.say("Process: ", "流程：")) (visitor.language.call(&process.item)) } };
    let (steps, standing) = tokio::join!(steps(visitor, process), standing_of_steps(visitor, process));
    match steps {
        Err(refusal) => html! { (title) (visitor.refused(&refusal)) },
        Ok((columns, rows)) => html! {
            (title)
            ol.steps { @for row in rows.indices() { (step(visitor, process, &columns, &rows, row, &standing)) } }
        },
    }
}

fn step(
    visitor: &Visitor,
    process: &DeclaredProcess,
    columns: &[String],
    rows: &Rows,
    row: usize,
    standing: &Rows,
) -> Markup {
    let most = rows.indices().filter_map(|row| rows.number(row, &columns[0])).fold(0.0, f64::max);
    let time = rows.number(row, &columns[0]);
    let bottleneck = time.is_some_and(|time| time == most && time > 0.0);
    let dimension = &visitor.catalog().dimension(process.steps).item.name;
    let own = |lit: &usize| standing.text(*lit, dimension) == rows.text(row, "step");
    html! {
        li class=[bottleneck.then_some("bottleneck")] {
            strong { (rows.text(row, "step")) } " "
            @if bottleneck { span.light.red { span aria-hidden="true" { "⚑ " } (visitor.say("bottleneck", "瓶颈")) } " " }
            @for lit in standing.indices().filter(own).filter(|lit| standing.number(*lit, "target").is_some()) {
                (light(visitor.language, standing.text(lit, "status"))) " "
                span.note { (aim(visitor, &shown_by_name(visitor, standing.text(lit, "indicator")), standing, lit)) }
            }
            (bar(time, most, bottleneck.then_some(Verdict::Bad)))
            span.note { @for column in columns {
                span { (measured(visitor, process, column)) " "
                    (rows.number(row, column).map(|value| shown_by_name(visitor, column).with_unit(value)).unwrap_or_default())
                }
            } }
        }
    }
}

/// What tells of a step, in English and Chinese; the first is what a bottleneck is told by.
const MEASURED: &[(&str, &str, &str)] = &[
    ("share", "share of the time", "时间占比"),
    ("average", "on average", "平均时长"),
    ("waiting_share", "waiting", "等待占比"),
    ("visits", "times", "次数"),
];

/// What a column tells.
fn measured(visitor: &Visitor, process: &DeclaredProcess, column: &str) -> &'static str {
    let known = MEASURED.iter().find(|(what, ..)| column == format!("{}_{what}", process.item.name));
    known.map_or("", |(_, english, chinese)| visitor.say(english, chinese))
}

/// A row for each step, and the columns that tell of it.
async fn steps(visitor: &Visitor, process: &DeclaredProcess) -> Result<(Vec<String>, Rows), Refusal> {
    let name = &process.item.name;
    let own = process.indicators.iter().map(|id| visitor.catalog().indicator(*id).item.name.clone());
    let own: Vec<String> = own.collect();
    let wanted = MEASURED.iter().map(|(what, ..)| format!("{name}_{what}"));
    let columns: Vec<String> = wanted.filter(|column| own.contains(column)).collect();
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

/// How the steps stand against targets of their own; nothing, where there are none.
async fn standing_of_steps(visitor: &Visitor, process: &DeclaredProcess) -> Rows {
    let catalog = visitor.catalog();
    let with_target = process.indicators.iter().filter(|id| catalog.targets_of(**id).next().is_some());
    let names = with_target.map(|id| {
        let item = &catalog.indicator(*id).item;
        format!("{}.{}", item.package, item.name)
    });
    let status = Status {
        indicators: names.collect(),
        by: vec![catalog.dimension(process.steps).item.name.clone()],
        at: Some("latest".to_string()),
        ..Status::default()
    };
    match status.indicators.is_empty() {
        true => Rows::default(),
        false => ask(&visitor.session, Question::function(status)).await.unwrap_or_default(),
    }
}
