//! Why an indicator changed: its tree as a waterfall, its slices, and which of them are to blame.

use axum::extract::{Path, Query};
use maud::{Markup, html};
use serde::Deserialize;

use super::chart::{Step, waterfall};
use super::frame::{Shown, quoted};
use super::home::shown;
use super::indicator::{bar, latest};
use super::rows::{Rows, ask};
use super::{Page, Visitor};
use crate::catalog::IndicatorId;
use crate::catalog::dimension::DimensionKind;
use crate::catalog::indicator::Direction;
use crate::engine::Question;
use crate::engine::lineage::dimensions_of;
use crate::serve::http::Refusal;
use crate::{Change, Localise};

/// What is picked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Picked {
    /// The period that is explained.
    current: String,
    /// What it is compared with.
    base: String,
    /// The dimension whose slices are shown.
    by: String,
    /// Whether the slices that are to blame are looked for.
    find: bool,
}

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, Query(picked): Query<Picked>) -> Page {
    let id = visitor.indicator(&name)?;
    let picked = settled(&visitor, id, picked).await;
    let item = &visitor.catalog().indicator(id).item;
    let title = visitor.language.call(item);
    let given = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
    let change = Change {
        indicator: format!("{}.{}", item.package, item.name),
        current: given(&picked.current),
        base: given(&picked.base),
        by: given(&picked.by).into_iter().collect(),
        ..Change::default()
    };
    let find = async {
        match picked.find {
            true => Some(guilty(&visitor, id, &change).await),
            false => None,
        }
    };
    let (explained, guilty) = tokio::join!(ask(&visitor.session, Question::function(change.clone())), find);
    let explained = match &explained {
        Ok(rows) => explanation(&visitor, id, rows),
        Err(refusal) => visitor.refused(refusal),
    };
    Ok(visitor.page(
        title,
        html! {
            h1 { (visitor.say("Why: ", "归因：")) a href={ "/i/" (quoted(&change.indicator)) } { (title) } }
            (pickers(&visitor, id, &picked))
            (explained)
            @if let Some(guilty) = guilty { (blamed(&visitor, id, guilty)) }
        },
    ))
}

/// The last month that has a value, if no period is said.
async fn settled(visitor: &Visitor, id: IndicatorId, mut picked: Picked) -> Picked {
    if picked.current.is_empty()
        && let Ok(Some(start)) = latest(visitor, id, "month").await
    {
        picked.current = start.get(..7).unwrap_or_default().to_string();
    }
    picked
}

/// The dimensions that a change can be broken down by.
fn dimensions(visitor: &Visitor, id: IndicatorId) -> Vec<(String, String)> {
    let catalog = visitor.catalog();
    let all = dimensions_of(catalog, id).into_iter().map(|id| catalog.dimension(id));
    let sliced = all.filter(|dimension| dimension.kind == DimensionKind::Category);
    sliced.map(|it| (it.item.name.clone(), visitor.language.call(&it.item).to_string())).collect()
}

fn pickers(visitor: &Visitor, id: IndicatorId, picked: &Picked) -> Markup {
    html! {
        form.pickers {
            label { (visitor.say("Period ", "时期 ")) input name="current" value=(picked.current) placeholder="2026-10" size="10"; }
            label { (visitor.say("compared with ", "对比 "))
                input name="base" value=(picked.base) placeholder=(visitor.say("the one before", "上一期")) size="14" list="bases";
            }
            datalist #bases { option value="previous period" {} option value="previous year" {} option value="target" {} }
            label { (visitor.say("slices by ", "拆分维度 "))
                select name="by" {
                    option value="" { "—" }
                    @for (name, label) in dimensions(visitor, id) {
                        option value=(name) selected[name == picked.by] { (label) }
                    }
                }
            }
            button { (visitor.say("Explain", "归因")) }
            button name="find" value="true" { (visitor.say("Find the guilty slices", "定位异常切片")) }
        }
    }
}

/// The breakdowns of an explanation, each with its chart.
fn explanation(visitor: &Visitor, id: IndicatorId, rows: &Rows) -> Markup {
    let mut breakdowns: Vec<&str> = rows.indices().map(|row| rows.text(row, "breakdown")).collect();
    breakdowns.dedup();
    let shown = shown(visitor, id);
    let Some((base, current)) = rows.number(0, "base").zip(rows.number(0, "current")) else { return html! {} };
    html! {
        p.now {
            span.value { (shown.with_unit(base)) " → " (shown.with_unit(current)) }
            span.note { (shown.change(current - base))
                @if let Some(points) = rows.number(0, "points") { " (" (format!("{points:+.1}")) " %)" }
            }
        }
        @for breakdown in breakdowns { (broken_down(visitor, id, rows, breakdown, &shown)) }
    }
}

fn broken_down(visitor: &Visitor, id: IndicatorId, rows: &Rows, breakdown: &str, shown: &Shown) -> Markup {
    let own: Vec<usize> = rows.indices().filter(|row| rows.text(*row, "breakdown") == breakdown).collect();
    let Some((base, current)) = rows.number(own[0], "base").zip(rows.number(own[0], "current")) else {
        return html! {};
    };
    let level = |row: &usize| rows.number(*row, "level").unwrap_or(0.0);
    let steps: Vec<Step> = own
        .iter()
        .filter(|row| level(row) == 1.0)
        .filter_map(|row| Some(Step { name: last(rows.text(*row, "path")), effect: rows.number(*row, "effect")? }))
        .collect();
    let rise_is_good = visitor.catalog().indicator(id).good != Some(Direction::Down);
    let most = steps.iter().fold(0.0, |most: f64, step| most.max(step.effect.abs()));
    let title = match breakdown {
        "tree" => visitor.say("By its tree", "按指标树").to_string(),
        other => format!("{} {other}", visitor.say("By", "按")),
    };
    html! {
        h2 { (title) }
        (waterfall((base, current), &steps, rise_is_good, &title, &|value| shown.number(value)))
        div.wide tabindex="0" role="region" aria-label=(title) { table {
            thead { tr {
                th scope="col" { (visitor.say("part", "部分")) }
                th scope="col" { (visitor.say("before", "前")) }
                th scope="col" { (visitor.say("after", "后")) }
                th scope="col" { (visitor.say("did", "影响")) }
                th scope="col" { (visitor.say("share", "占比")) }
                th {}
                th scope="col" { (visitor.say("note", "备注")) }
            } }
            tbody { @for row in own.iter().filter(|row| level(row) > 0.0) {
                @let effect = rows.number(*row, "effect");
                tr {
                    th scope="row" class={ "deep" (level(row)) } { (last(rows.text(*row, "path"))) }
                    td.number { (part(visitor, rows, *row, "base", shown)) }
                    td.number { (part(visitor, rows, *row, "current", shown)) }
                    td.number { (effect.map(|effect| shown.change(effect)).unwrap_or_default()) }
                    td.number { (rows.number(*row, "share").map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default()) }
                    td { (bar(effect, most)) }
                    td.note { (rows.text(*row, "flags")) }
                }
            } }
        } }
    }
}

/// A part's own value: of another indicator, in its unit.
fn part(visitor: &Visitor, rows: &Rows, row: usize, column: &str, shown: &Shown) -> String {
    let Some(value) = rows.number(row, column) else { return String::new() };
    let name = last(rows.text(row, "path"));
    let own = visitor.indicator(&name).ok().filter(|_| rows.text(row, "breakdown") == "tree");
    own.map_or_else(|| shown.number(value), |id| self::shown(visitor, id).number(value))
}

/// The last part of a path.
fn last(path: &str) -> String {
    path.rsplit(" / ").next().unwrap_or(path).to_string()
}

/// As many dimensions are searched: every one more multiplies the slices.
const SEARCHED: usize = 4;

/// The slices that are to blame: of the dimension that is picked, or of the first few.
async fn guilty(visitor: &Visitor, id: IndicatorId, change: &Change) -> Result<Rows, Refusal> {
    let by = match change.by.is_empty() {
        false => change.by.clone(),
        true => dimensions(visitor, id).into_iter().map(|(name, _)| name).take(SEARCHED).collect(),
    };
    let localise = Localise {
        indicator: change.indicator.clone(),
        base: change.base.clone(),
        current: change.current.clone(),
        by,
        ..Localise::default()
    };
    ask(&visitor.session, Question::function(localise)).await
}

fn blamed(visitor: &Visitor, id: IndicatorId, guilty: Result<Rows, Refusal>) -> Markup {
    let shown = shown(visitor, id);
    html! {
        h2 { (visitor.say("Guilty slices", "异常切片")) }
        @match &guilty {
            Err(refusal) => (visitor.refused(refusal)),
            Ok(rows) if rows.rows.is_empty() => p.note { (visitor.say("No slice stands out: the change is everywhere alike.", "没有突出的切片：变化普遍存在。")) },
            Ok(rows) => ol.guilty { @for row in rows.indices() {
                li {
                    strong { (rows.text(row, "cause")) }
                    span.note {
                        @if rows.text(row, "reading") == "alternative" { " " (visitor.say("(or)", "（或）")) }
                        " " (rows.number(row, "base").map(|value| shown.number(value)).unwrap_or_default())
                        " → " (rows.number(row, "current").map(|value| shown.number(value)).unwrap_or_default())
                        @if let Some(share) = rows.number(row, "share") { " · " (format!("{:.0} %", share * 100.0)) (visitor.say(" of the change", "（占总变化）")) }
                        @if !rows.text(row, "flags").is_empty() { " · " (rows.text(row, "flags")) }
                    }
                }
            } },
        }
    }
}
