//! An indicator's page: value, trend, slices, definition, and the SQL of what is shown.

use axum::extract::Path;
use maud::{Markup, html};

use super::address::{Picks, dimensions, only, quoted, with_picks};
use super::chart::{Point, trend};
use super::definition::definition;
use super::frame::{light, table};
use super::rows::{Rows, ask};
use super::standing::aim;
use super::time::{GRAINS, period};
use super::view::{Answered, SLICES, View};
use super::waterfall::Verdict;
use super::{Page, Visitor};
use crate::Status;
use crate::catalog::dimension::Dimension;
use crate::engine::Question;
use crate::serve::http::Refusal;

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, picks: Picks) -> Page {
    let id = visitor.indicator(&name)?;
    let view = View::picked(&visitor, id, &picks)?;
    let (standing, trend_rows, strange, slices) =
        tokio::join!(standing(&visitor, &view), view.trend(&visitor), view.strange(&visitor), slices(&visitor, &view));
    let title = visitor.language.call(&view.item);
    Ok(visitor.page(
        title,
        html! {
            h1 { (title) @if title != view.item.name { " " code { (view.item.name) } } }
            @if let Some(description) = &view.item.description { p { (description) } }
            (now(&visitor, &view, &standing, trend_rows.as_ref().ok().map(|(_, rows)| rows)))
            (pickers(&visitor, &view))
            (over_time(&visitor, &view, trend_rows, strange))
            (slices)
            (definition(&visitor, id))
        },
    ))
}

/// How the whole stands against its target, if it has one; of slices the trend tells.
async fn standing(visitor: &Visitor, view: &View) -> Option<Rows> {
    if !view.has_target || !view.only.is_empty() {
        return None;
    }
    let status = Status { indicators: vec![view.full_name()], at: Some("latest".to_string()), ..Status::default() };
    ask(&visitor.session, Question::function(status)).await.ok().filter(|rows| !rows.rows.is_empty())
}

fn now(visitor: &Visitor, view: &View, standing: &Option<Rows>, trend: Option<&Rows>) -> Markup {
    let name = quoted(&view.full_name());
    html! {
        div.now {
            @if let Some(rows) = standing {
                span.value { (rows.number(0, "value").map(|value| view.shown.with_unit(value)).unwrap_or_default()) }
                (light(visitor.language, rows.text(0, "status")))
                span.note {
                    (rows.text(0, "period")) " · " (aim(visitor, &view.shown, rows, 0))
                    @if !rows.text(0, "reason").is_empty() { " · " (visitor.language.word(rows.text(0, "reason"))) }
                }
            } @else if let Some(rows) = trend {
                (last_value(visitor, view, rows))
            }
            @if view.has_time { a href=(with_picks(&format!("/why/{name}"), &only(&view.only))) { (visitor.say("Why did it change?", "为什么变化？")) } }
            @if visitor.catalog().tree_of(view.id).is_some() { a href={ "/tree/" (name) } { (visitor.say("Tree", "指标树")) } }
        }
    }
}

/// The last value of a trend, of the slices that are looked at.
fn last_value(visitor: &Visitor, view: &View, rows: &Rows) -> Markup {
    let Some(row) = rows.indices().find(|row| rows.number(*row, "value").is_some()) else {
        return html! { span.note { (visitor.say("It has no value here.", "此处没有数值。")) } };
    };
    let slices: Vec<String> = view.only.iter().map(|slice| slice.title(visitor)).collect();
    let when = match view.has_time {
        true => period(rows.text(row, "period"), view.grain),
        false => visitor.say("over all time", "全部时间").to_string(),
    };
    html! {
        span.value { (rows.number(row, "value").map(|value| view.shown.with_unit(value)).unwrap_or_default()) }
        (light(visitor.language, rows.text(row, "status")))
        span.note {
            (when)
            @if let Some(target) = rows.number(row, "target") { " · " (visitor.say("target ", "目标 ")) (view.shown.with_unit(target)) }
            @if !slices.is_empty() { " · " (slices.join(", ")) }
        }
    }
}

fn pickers(visitor: &Visitor, view: &View) -> Markup {
    html! {
        form.pickers {
            @if view.has_time {
                label { (visitor.say("Grain ", "粒度 "))
                    select name="grain" { @for (grain, english, chinese) in GRAINS {
                        option value=(grain) selected[*grain == view.grain] { (visitor.say(english, chinese)) }
                    } }
                }
            }
            label { (visitor.say("Slices by ", "拆分维度 "))
                select name="by" {
                    option value="" { "—" }
                    @for dimension in dimensions(visitor, view.id) {
                        @let name = &dimension.item.name;
                        option value=(name) selected[view.by.as_ref().is_some_and(|by| by.item.name == *name)] {
                            (visitor.language.call(&dimension.item))
                        }
                    }
                }
            }
            @for slice in &view.only { input type="hidden" name="only" value=(slice.text()); }
            button { (visitor.say("Show", "查看")) }
            @if !view.only.is_empty() {
                span.only {
                    @for slice in &view.only { strong { (slice.title(visitor)) } " " }
                    a href=(view.address()) { (visitor.say("show all", "查看全部")) }
                }
            }
        }
    }
}

fn over_time(visitor: &Visitor, view: &View, asked: Answered, strange: Result<Vec<String>, Refusal>) -> Markup {
    let (statement, rows) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let nothing = rows.indices().all(|row| rows.cell(row, "value").text.is_none());
    html! {
        @if nothing { p.note { (visitor.say("There is no value of it here: no rows, or none that are counted.", "此处没有数值：没有数据，或没有计入的数据。")) } }
        @else if !view.has_time { p.note { (visitor.say("It has no time axis, so it has no trend.", "该指标没有时间轴，因此没有趋势。")) } }
        @else { (drawn(visitor, view, &rows, &strange)) }
        details { summary { (visitor.say("Values", "数据")) } (table(visitor.language, &rows)) }
        (the_sql(visitor, &statement))
    }
}

fn drawn(visitor: &Visitor, view: &View, rows: &Rows, strange: &Result<Vec<String>, Refusal>) -> Markup {
    let mut points = view.points(rows, strange.as_deref().unwrap_or_default());
    let band = view.band(visitor);
    points.iter_mut().for_each(|point| point.band = band);
    let title = visitor.language.call(&view.item);
    let any = |holds: &dyn Fn(&Point) -> bool| points.iter().any(holds);
    let zero = visitor.say("The axis leaves out zero.", "坐标轴不含零点。");
    html! {
        (trend(&points, title, zero, &view.shown))
        p.legend {
            span.line { "━ " (title) }
            @if any(&|point| point.target.is_some()) { span.aim { "┅ " (visitor.say("target", "目标")) } }
            @if let Some((low, high)) = band {
                span.aim { "▒ " (visitor.say("target ", "目标 ")) (view.shown.number(low)) "–" (view.shown.number(high)) }
            }
            @if any(&|point| point.strange) { span.mark { "◯ " (visitor.say("stands out", "异常")) } }
            @if let Err(refusal) = strange { span.note { (visitor.say("Nothing can stand out: ", "无法判断异常：")) (refusal.message()) } }
        }
    }
}

/// The slices of the last period, if a dimension is picked.
async fn slices(visitor: &Visitor, view: &View) -> Markup {
    let Some(by) = &view.by else { return html! {} };
    let start = match view.latest(visitor).await {
        Ok(start) => start,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let (slices, standing) = tokio::join!(
        view.slices(visitor, by, start.as_deref()),
        view.standing_of_slices(visitor, by, start.as_deref())
    );
    let (statement, rows) = match slices {
        Ok(slices) => slices,
        Err(refusal) => return visitor.refused(&refusal),
    };
    let when = start.map(|start| period(&start, view.grain));
    html! {
        h2 { (visitor.say("By ", "按")) (visitor.language.call(&by.item)) @if let Some(when) = when { ", " (when) } }
        (listed(visitor, view, by, &rows, &standing))
        @if rows.rows.len() == SLICES { p.note { (visitor.say("Only the first slices are shown: ", "仅显示前若干个切片：")) (SLICES) } }
        (the_sql(visitor, &statement))
    }
}

fn listed(visitor: &Visitor, view: &View, by: &Dimension, rows: &Rows, standing: &Rows) -> Markup {
    let most =
        rows.indices().filter_map(|row| rows.number(row, "value")).fold(0.0, |most: f64, value| most.max(value.abs()));
    let target = |value: Option<&str>| {
        let own = |row: &usize| standing.cell(*row, &by.item.name).text.as_deref() == value;
        standing.indices().find(own).filter(|row| standing.number(*row, "target").is_some())
    };
    let lit = standing.indices().any(|row| standing.number(row, "target").is_some());
    html! {
        div.wide tabindex="0" role="region" aria-label=(visitor.language.call(&by.item)) { table.slices {
            thead { tr {
                th scope="col" { (visitor.language.call(&by.item)) }
                th.number scope="col" { (visitor.language.call(&view.item)) }
                th scope="col" { span.unseen { (visitor.say("as a bar", "条形")) } }
                @if lit { th scope="col" { (visitor.say("status", "状态")) } }
            } }
            tbody { @for row in rows.indices() {
                @let value = rows.cell(row, "slice").text.as_deref();
                tr {
                    th scope="row" { a href=(view.with(&by.item.name, value)) { (value.unwrap_or("NULL")) } }
                    td.number title=(rows.text(row, "value")) {
                        (rows.number(row, "value").map(|value| view.shown.with_unit(value)).unwrap_or_default())
                    }
                    td.stretch { (bar(rows.number(row, "value"), most, None)) }
                    @if lit { td { @if let Some(row) = target(value) {
                        (light(visitor.language, standing.text(row, "status")))
                        span.note { " " (aim(visitor, &view.shown, standing, row)) " " (standing.text(row, "owner")) }
                    } } }
                }
            } }
        } }
    }
}

/// A value as a bar, in the colour of a verdict.
pub(super) fn bar(value: Option<f64>, most: f64, verdict: Option<Verdict>) -> Markup {
    let share = value.filter(|_| most > 0.0).map_or(0.0, |value| (value.abs() / most * 100.0).clamp(0.0, 100.0));
    html! {
        svg class={ "bar " (verdict.map(Verdict::class).unwrap_or_default()) } viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(format!("{share:.1}")) height="10" {}
        }
    }
}

/// The question behind what is shown, to be asked again.
pub(super) fn the_sql(visitor: &Visitor, statement: &str) -> Markup {
    html! {
        details { summary { "SQL" }
            pre tabindex="0" { code { (statement) } }
            p { a href={ "/sql?q=" (quoted(statement)) } { (visitor.say("Open in the SQL box", "在 SQL 中打开")) } }
        }
    }
}
