//! An indicator's page: value, trend, slices, definition, and the SQL of what is shown.

use std::collections::HashSet;

use axum::extract::{Path, Query};
use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use maud::{Markup, html};
use serde::Deserialize;

use super::chart::{Point, trend};
use super::definition::definition;
use super::frame::{Shown, light, quoted, table};
use super::home::shown;
use super::rows::{Rows, ask, ask_sql};
use super::{Page, Visitor};
use crate::catalog::dimension::{Dimension, DimensionKind};
use crate::catalog::{IndicatorId, Item};
use crate::engine::Question;
use crate::engine::lineage::dimensions_of;
use crate::serve::http::Refusal;
use crate::{Anomalies, Status};

/// What is picked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Picked {
    /// How time is cut.
    grain: String,
    /// The dimension whose slices are listed.
    by: String,
    /// The dimension that is fixed, and its value.
    only: String,
    /// None for NULL.
    is: Option<String>,
}

const GRAINS: &[(&str, &str, &str)] = &[
    ("day", "day", "日"),
    ("week", "week", "周"),
    ("month", "month", "月"),
    ("quarter", "quarter", "季"),
    ("year", "year", "年"),
];

/// As many periods are drawn.
const PERIODS: usize = 120;

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, Query(picked): Query<Picked>) -> Page {
    let id = visitor.indicator(&name)?;
    let view = View::of(&visitor, id, picked);
    let status = Status { indicators: vec![view.full_name()], at: Some("latest".to_string()), ..Status::default() };
    let (standing, trend_rows, slices) =
        tokio::join!(ask(&visitor.session, Question::function(status)), view.trend(&visitor), view.slices(&visitor),);
    let title = visitor.language.call(&view.item);
    Ok(visitor.page(
        title,
        html! {
            h1 { (title) " " code { (view.item.name) } }
            @if let Some(description) = &view.item.description { p { (description) } }
            (now(&visitor, &view, standing.ok().as_ref()))
            (pickers(&visitor, &view))
            (drawn(&visitor, &view, trend_rows).await)
            (sliced(&visitor, &view, slices))
            (definition(&visitor, id))
        },
    ))
}

/// What is shown of an indicator.
pub(super) struct View {
    id: IndicatorId,
    item: Item,
    grain: &'static str,
    by: Option<Dimension>,
    only: Option<(Dimension, Option<String>)>,
    has_target: bool,
    shown: Shown,
}

impl View {
    /// What is picked, as far as the indicator has it.
    fn of(visitor: &Visitor, id: IndicatorId, picked: Picked) -> View {
        let catalog = visitor.catalog();
        let known = |name: &str| {
            let all = dimensions_of(catalog, id).into_iter().map(|id| catalog.dimension(id));
            all.filter(|it| it.item.name == name).find(|it| it.kind != DimensionKind::Time).cloned()
        };
        let grain = GRAINS.iter().find(|(name, ..)| *name == picked.grain).map_or("month", |(name, ..)| name);
        View {
            id,
            item: catalog.indicator(id).item.clone(),
            grain,
            by: known(&picked.by),
            only: known(&picked.only).map(|dimension| (dimension, picked.is)),
            has_target: catalog.targets_of(id).next().is_some(),
            shown: shown(visitor, id),
        }
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.item.package, self.item.name)
    }

    /// `where …`, if a slice is picked.
    fn condition(&self) -> Option<String> {
        self.only.as_ref().map(|(dimension, value)| {
            let column = identifier(&dimension.item.name);
            match value {
                None => format!("{column} IS NULL"),
                Some(value) if is_text(&dimension.data_type) => format!("{column} = {}", literal(value)),
                Some(value) => format!("CAST({column} AS VARCHAR) = {}", literal(value)),
            }
        })
    }

    fn from(&self) -> String {
        let condition = self.condition().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        format!("FROM {}.indicators{condition}", identifier(&self.item.package))
    }

    fn trend_sql(&self, with_target: bool) -> String {
        let name = identifier(&self.item.name);
        let target =
            if with_target { format!(", TARGET({name}) AS target, STATUS({name}) AS status") } else { String::new() };
        format!(
            "SELECT metric_time__{} AS period, MEASURE({name}) AS value{target} {} GROUP BY 1 ORDER BY 1 DESC LIMIT {PERIODS}",
            self.grain,
            self.from()
        )
    }

    /// Values over time; where a target cannot be told of such periods, without it.
    async fn trend(&self, visitor: &Visitor) -> Result<(String, Rows), Refusal> {
        if self.has_target {
            let statement = self.trend_sql(true);
            if let Ok(rows) = ask_sql(&visitor.session, &statement).await {
                return Ok((statement, rows));
            }
        }
        let statement = self.trend_sql(false);
        ask_sql(&visitor.session, &statement).await.map(|rows| (statement, rows))
    }

    /// The slices of the last period, if a dimension is picked.
    async fn slices(&self, visitor: &Visitor) -> Option<Result<(String, Rows), Refusal>> {
        let by = identifier(&self.by.as_ref()?.item.name);
        let name = identifier(&self.item.name);
        let latest = match latest(visitor, self.id, self.grain).await {
            Ok(latest) => latest,
            Err(refusal) => return Some(Err(refusal)),
        };
        let last = latest.map(|period| format!("metric_time__{} = {}", self.grain, literal(&period)));
        let conditions: Vec<String> = last.into_iter().chain(self.condition()).collect();
        let conditions =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let statement = format!(
            "SELECT {by} AS slice, MEASURE({name}) AS value FROM {}.indicators{conditions} GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 100",
            identifier(&self.item.package),
        );
        Some(ask_sql(&visitor.session, &statement).await.map(|rows| (statement, rows)))
    }

    /// The address of this view with another pick.
    fn address(&self, only: Option<(&str, Option<&str>)>) -> String {
        let mut address = format!("/i/{}?grain={}", quoted(&self.full_name()), self.grain);
        if let Some(by) = &self.by {
            address += &format!("&by={}", quoted(&by.item.name));
        }
        if let Some((dimension, value)) = only {
            address += &format!("&only={}", quoted(dimension));
            if let Some(value) = value {
                address += &format!("&is={}", quoted(value));
            }
        }
        address
    }
}

/// The start of the last period that has a value.
pub(super) async fn latest(visitor: &Visitor, id: IndicatorId, grain: &str) -> Result<Option<String>, Refusal> {
    let item = &visitor.catalog().indicator(id).item;
    let name = identifier(&item.name);
    let statement = format!(
        "SELECT metric_time__{grain} AS period, MEASURE({name}) AS value FROM {}.indicators GROUP BY 1 HAVING MEASURE({name}) IS NOT NULL ORDER BY 1 DESC LIMIT 1",
        identifier(&item.package)
    );
    let rows = ask_sql(&visitor.session, &statement).await?;
    Ok(rows.rows.first().and_then(|row| row.first()?.text.clone()))
}

fn now(visitor: &Visitor, view: &View, standing: Option<&Rows>) -> Markup {
    let name = quoted(&view.full_name());
    let links = html! {
        a href={ "/why/" (name) } { (visitor.say("Why did it change?", "为什么变化？")) }
        @if visitor.catalog().tree_of(view.id).is_some() { a href={ "/tree/" (name) } { (visitor.say("Tree", "指标树")) } }
    };
    html! {
        div.now {
            @if let Some(rows) = standing.filter(|rows| !rows.rows.is_empty() && view.has_target) {
                span.value { (rows.number(0, "value").map(|value| view.shown.with_unit(value)).unwrap_or_default()) }
                (light(visitor.language, rows.text(0, "status")))
                span.note {
                    (rows.text(0, "period")) " · " (rows.text(0, "direction")) " "
                    (rows.number(0, "target").map(|value| view.shown.with_unit(value)).unwrap_or_default())
                    @if !rows.text(0, "reason").is_empty() { " · " (rows.text(0, "reason")) }
                }
            }
            (links)
        }
    }
}

fn pickers(visitor: &Visitor, view: &View) -> Markup {
    let catalog = visitor.catalog();
    let dimensions = dimensions_of(catalog, view.id).into_iter().map(|id| catalog.dimension(id));
    let dimensions: Vec<&Dimension> = dimensions.filter(|it| it.kind != DimensionKind::Time).collect();
    html! {
        form.pickers {
            label { (visitor.say("Grain ", "粒度 "))
                select name="grain" { @for (grain, english, chinese) in GRAINS {
                    option value=(grain) selected[*grain == view.grain] { (visitor.say(english, chinese)) }
                } }
            }
            label { (visitor.say("Slices by ", "拆分维度 "))
                select name="by" {
                    option value="" { "—" }
                    @for dimension in dimensions {
                        @let name = &dimension.item.name;
                        option value=(name) selected[view.by.as_ref().is_some_and(|by| by.item.name == *name)] {
                            (visitor.language.call(&dimension.item))
                        }
                    }
                }
            }
            @if let Some((dimension, value)) = &view.only {
                input type="hidden" name="only" value=(dimension.item.name);
                @if let Some(value) = value { input type="hidden" name="is" value=(value); }
            }
            button { (visitor.say("Show", "查看")) }
            @if let Some((dimension, value)) = &view.only {
                span.only { (visitor.language.call(&dimension.item)) " = " (value.as_deref().unwrap_or("NULL")) " "
                    a href=(view.address(None)) { (visitor.say("remove", "取消")) }
                }
            }
        }
    }
}

async fn drawn(visitor: &Visitor, view: &View, asked: Result<(String, Rows), Refusal>) -> Markup {
    let (statement, mut rows) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return visitor.refused(&refusal),
    };
    rows.rows.reverse();
    let strange = strange(visitor, view).await;
    let points: Vec<Point> = rows
        .indices()
        .map(|row| Point {
            period: period(rows.text(row, "period"), view.grain),
            value: rows.number(row, "value"),
            target: rows.number(row, "target"),
            strange: strange.as_ref().is_ok_and(|strange| strange.contains(rows.text(row, "period"))),
        })
        .collect();
    let title = visitor.language.call(&view.item);
    html! {
        (trend(&points, None, title, &|value| view.shown.number(value)))
        p.legend {
            span.line { "━ " (title) }
            @if points.iter().any(|point| point.target.is_some()) { span.aim { "┅ " (visitor.say("target", "目标")) } }
            @if points.iter().any(|point| point.strange) { span.mark { "◯ " (visitor.say("stands out", "异常")) } }
            @if let Err(refusal) = &strange { span.note { (visitor.say("Nothing can stand out: ", "无法判断异常：")) (refusal.message()) } }
        }
        details { summary { (visitor.say("Values", "数据")) } (table(visitor.language, &rows)) }
        (the_sql(visitor, &statement))
    }
}

/// The periods that stand out.
async fn strange(visitor: &Visitor, view: &View) -> Result<HashSet<String>, Refusal> {
    let anomalies = Anomalies {
        indicator: view.full_name(),
        grain: view.grain.to_string(),
        conditions: view.condition().into_iter().collect(),
        ..Anomalies::default()
    };
    let rows = ask(&visitor.session, Question::function(anomalies)).await?;
    Ok(rows.indices().map(|row| rows.text(row, "period").to_string()).collect())
}

fn sliced(visitor: &Visitor, view: &View, slices: Option<Result<(String, Rows), Refusal>>) -> Markup {
    let (Some(by), Some(slices)) = (&view.by, slices) else { return html! {} };
    let (statement, rows) = match slices {
        Ok(slices) => slices,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let most =
        rows.indices().filter_map(|row| rows.number(row, "value")).fold(0.0, |most: f64, value| most.max(value.abs()));
    html! {
        h2 { (visitor.language.call(&by.item)) }
        table.slices { tbody { @for row in rows.indices() {
            @let value = rows.cell(row, "slice").text.as_deref();
            tr {
                th scope="row" { a href=(view.address(Some((&by.item.name, value)))) { (value.unwrap_or("NULL")) } }
                td.number title=(rows.text(row, "value")) {
                    (rows.number(row, "value").map(|value| view.shown.with_unit(value)).unwrap_or_default())
                }
                td { (bar(rows.number(row, "value"), most)) }
            }
        } } }
        (the_sql(visitor, &statement))
    }
}

/// A value as a bar.
pub(super) fn bar(value: Option<f64>, most: f64) -> Markup {
    let share = value.filter(|_| most > 0.0).map_or(0.0, |value| (value.abs() / most * 100.0).clamp(0.0, 100.0));
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(format!("{share:.1}")) height="10" {}
        }
    }
}

/// The question behind what is shown, to be asked again.
pub(super) fn the_sql(visitor: &Visitor, statement: &str) -> Markup {
    html! {
        details { summary { "SQL" }
            pre { code { (statement) } }
            p { a href={ "/sql?q=" (quoted(statement)) } { (visitor.say("Open in the SQL box", "在 SQL 中打开")) } }
        }
    }
}

/// The start of a period as people write it.
fn period(start: &str, grain: &str) -> String {
    let length = match grain {
        "year" => 4,
        "month" | "quarter" => 7,
        _ => 10,
    };
    start.get(..length).unwrap_or(start).to_string()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A name in SQL.
pub(super) fn identifier(name: &str) -> String {
    let keyword = ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).is_ok();
    let plain = !keyword
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
