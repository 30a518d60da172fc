//! Why an indicator changed: its tree as a waterfall, its slices, and which of them are to blame.

use axum::extract::Path;
use maud::{Markup, html};

use super::address::{Picks, Slice, dimensions, only, only_these, parts_of, quoted, with_picks};
use super::frame::{Shown, growth, percent};
use super::home::{called, shown};
use super::indicator::bar;
use super::rows::{Rows, ask};
use super::time::before;
use super::view::last_month;
use super::waterfall::{End, Step, Verdict, Waterfall};
use super::{Page, Sorry, Visitor};
use crate::catalog::IndicatorId;
use crate::catalog::dimension::DimensionKind;
use crate::catalog::indicator::Direction;
use crate::engine::Question;
use crate::serve::http::Refusal;
use crate::{Change, Localise};

/// A change that is looked at.
struct Asked<'v> {
    visitor: &'v Visitor,
    id: IndicatorId,
    change: Change,
    /// The dimension that the reader chose.
    picked_by: Option<String>,
    only: Vec<Slice>,
    shown: Shown,
    rise_is_good: Option<bool>,
}

pub(super) async fn page(visitor: Visitor, Path(name): Path<String>, picks: Picks) -> Page {
    let id = visitor.indicator(&name)?;
    let asked = Asked::picked(&visitor, id, &picks).await?;
    let find = async {
        match picks.one("find") {
            "" => html! {},
            _ => asked.blamed(asked.guilty().await),
        }
    };
    let (explained, blamed) = tokio::join!(asked.explained(), find);
    let title = visitor.language.call(&visitor.catalog().indicator(id).item);
    Ok(visitor.page(
        &format!("{}{title}", visitor.say("Why: ", "归因：")),
        html! {
            h1 { (visitor.say("Why: ", "归因：")) a href=(with_picks(&format!("/i/{}", quoted(&asked.change.indicator)), &only(&asked.only))) { (title) } }
            (asked.pickers())
            (explained)
            (blamed)
        },
    ))
}

impl<'v> Asked<'v> {
    /// What is picked; the last month that has a value, if no period is.
    async fn picked(visitor: &'v Visitor, id: IndicatorId, picks: &Picks) -> Result<Asked<'v>, Sorry> {
        let given = |name: &str| Some(picks.one(name).to_string()).filter(|text| !text.is_empty());
        let only = Slice::picked(visitor, id, picks)?;
        let conditions: Vec<String> = only.iter().map(Slice::condition).collect();
        let current = match given("current") {
            Some(current) => Some(current),
            None => last_month(visitor, id, &conditions).await,
        };
        let picked_by = given("by");
        // Without a tree there is nothing to tell but by a dimension: the first one, until another is picked.
        let first = || categories(visitor, id).into_iter().next().map(|(name, _)| name);
        let by = picked_by.clone().or_else(|| visitor.catalog().tree_of(id).is_none().then(first).flatten());
        let indicator = visitor.catalog().indicator(id);
        let change = Change {
            indicator: format!("{}.{}", indicator.item.package, indicator.item.name),
            current,
            base: given("base"),
            by: by.into_iter().collect(),
            conditions,
            ..Change::default()
        };
        let rise_is_good = indicator.good.map(|good| good == Direction::Up);
        Ok(Asked { visitor, id, change, picked_by, only, shown: shown(visitor, id), rise_is_good })
    }

    /// What is told of the change; if there are no slices of it, at least its tree.
    async fn explained(&self) -> Markup {
        let refusal = match ask(&self.visitor.session, Question::function(self.change.clone())).await {
            Ok(rows) => return self.explanation(&rows),
            Err(refusal) => refusal,
        };
        let whole = Change { by: vec![], ..self.change.clone() };
        let tree = match self.change.by.is_empty() {
            true => None,
            false => ask(&self.visitor.session, Question::function(whole)).await.ok(),
        };
        html! {
            (self.visitor.refused(&refusal))
            @if let Some(rows) = &tree { (self.explanation(rows)) }
        }
    }

    fn categories(&self) -> Vec<(String, String)> {
        categories(self.visitor, self.id)
    }

    fn pickers(&self) -> Markup {
        let visitor = self.visitor;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        html! {
            form.pickers {
                label { (visitor.say("Period ", "时期 ")) input name="current" value=(text(&self.change.current)) placeholder="2026-10" size="10"; }
                label { (visitor.say("compared with ", "对比 "))
                    input name="base" value=(text(&self.change.base)) placeholder=(visitor.say("the one before", "上一期")) size="14" list="bases";
                }
                datalist #bases { @for base in ["previous period", "previous year", "target"] { option value=(base) label=(visitor.language.word(base)) {} } }
                label { (visitor.say("slices by ", "拆分维度 "))
                    select name="by" {
                        option value="" { "—" }
                        @for (name, label) in self.categories() {
                            option value=(name) selected[self.change.by.contains(&name)] { (label) }
                        }
                    }
                }
                @for slice in &self.only { input type="hidden" name="only" value=(slice.text()); }
                button { (visitor.say("Explain", "归因")) }
                button name="find" value="true" { (visitor.say("Find the guilty slices", "定位异常切片")) }
                @if !self.only.is_empty() {
                    span.only { @for slice in &self.only { strong { (slice.title(visitor)) } " " } a href=(address(&self.change, "")) { (visitor.say("explain all", "查看全部")) } }
                }
            }
        }
    }

    /// What the two sides are called.
    fn sides(&self) -> [String; 2] {
        let current = self.change.current.clone().unwrap_or_default();
        let base = match &self.change.base {
            Some(base) => self.visitor.language.word(base).to_string(),
            None => before(&current).unwrap_or_else(|| self.visitor.say("the one before", "上一期").to_string()),
        };
        let side = |english, chinese, period: String| format!("{}{period}", self.visitor.say(english, chinese));
        [side("before: ", "前：", base), side("after: ", "后：", current)]
    }

    /// The breakdowns of an explanation, each with its chart.
    fn explanation(&self, rows: &Rows) -> Markup {
        let mut breakdowns: Vec<&str> = rows.indices().map(|row| rows.text(row, "breakdown")).collect();
        breakdowns.dedup();
        let Some((base, current)) = rows.number(0, "base").zip(rows.number(0, "current")) else {
            return html! { p.note { (self.visitor.say("One of the two periods has no value.", "其中一期没有数值。")) } };
        };
        html! {
            p.now {
                span.value { (self.shown.with_unit(base)) " → " (self.shown.with_unit(current)) }
                span.note { (self.shown.change(self.visitor.language, current - base))
                    @if let Some(points) = rows.number(0, "points") { " (" (growth(points)) ")" }
                }
            }
            @for breakdown in breakdowns { (self.broken_down(rows, breakdown)) }
        }
    }

    fn broken_down(&self, rows: &Rows, breakdown: &str) -> Markup {
        let visitor = self.visitor;
        let own: Vec<usize> = rows.indices().filter(|row| rows.text(*row, "breakdown") == breakdown).collect();
        let Some((base, current)) = rows.number(own[0], "base").zip(rows.number(own[0], "current")) else {
            return html! {};
        };
        let level = |row: &usize| rows.number(*row, "level").unwrap_or(0.0);
        let first = own.iter().filter(|row| level(row) == 1.0);
        let step = |row: &usize| Some(Step { name: self.part(rows, *row), effect: rows.number(*row, "effect")? });
        let steps: Vec<Step> = first.filter_map(step).collect();
        let most = steps.iter().fold(0.0, |most: f64, step| most.max(step.effect.abs()));
        let title = match breakdown {
            "tree" => visitor.say("By its tree", "按指标树").to_string(),
            other => format!("{}{}", visitor.say("By ", "按"), self.category(other)),
        };
        let [from, to] = self.sides();
        let ends = [End { name: from, value: base }, End { name: to, value: current }];
        let (rise_is_good, shown) = (self.rise_is_good, &self.shown);
        let waterfall = Waterfall { ends, steps: &steps, rise_is_good, shown, language: visitor.language };
        html! {
            h2 { (title) }
            @if !rows.text(own[0], "flags").is_empty() { p.note { (visitor.language.words(rows.text(own[0], "flags"))) } }
            (waterfall.chart(&title))
            div.wide tabindex="0" role="region" aria-label=(title) { table {
                thead { tr {
                    th scope="col" { (visitor.say("part", "部分")) }
                    th.number scope="col" { (visitor.say("effect", "影响")) }
                    th.number scope="col" { (visitor.say("share", "占比")) }
                    th scope="col" { span.unseen { (visitor.say("as a bar", "条形")) } }
                    th.number scope="col" { (visitor.say("before", "前")) }
                    th.number scope="col" { (visitor.say("after", "后")) }
                    th scope="col" { (visitor.say("note", "备注")) }
                } }
                tbody { @for row in own.iter().filter(|row| level(row) > 0.0) { (self.row(rows, *row, most)) } }
            } }
        }
    }

    fn row(&self, rows: &Rows, row: usize, most: f64) -> Markup {
        let (effect, shown) = (rows.number(row, "effect"), self.own_shown(rows, row));
        let verdict = effect.map_or(Verdict::Open, |effect| Verdict::of(effect, self.rise_is_good));
        let number = |column: &str| rows.number(row, column).map(|value| shown.number(value)).unwrap_or_default();
        let deep = rows.number(row, "level").unwrap_or(0.0);
        html! { tr {
            th scope="row" class={ "deep" (deep) } {
                @match self.link(rows, row) { Some(link) => a href=(link) { (self.part(rows, row)) }, None => (self.part(rows, row)) }
            }
            td class={ "number " (verdict.class()) } {
                span aria-hidden="true" { (verdict.shape()) }
                (effect.map(|effect| self.shown.change(self.visitor.language, effect)).unwrap_or_default())
            }
            td.number { (rows.number(row, "share").map(percent).unwrap_or_default()) }
            td { (bar(effect, most, Some(verdict))) }
            td.number { (number("base")) }
            td.number { (number("current")) }
            td.note { (self.visitor.language.words(rows.text(row, "flags"))) }
        } }
    }

    /// What a row is of: an indicator by its label, a slice by its value.
    fn part(&self, rows: &Rows, row: usize) -> String {
        let path = rows.text(row, "path");
        match rows.text(row, "breakdown") {
            "tree" => called(self.visitor, last(path)),
            breakdown => match path.strip_prefix(&format!("{breakdown} = ")) {
                Some(value) => value.to_string(),
                None => self.visitor.language.word(path).to_string(),
            },
        }
    }

    /// Where more is told of a row: why a part of a tree changed, the indicator in a slice.
    fn link(&self, rows: &Rows, row: usize) -> Option<String> {
        let path = rows.text(row, "path");
        if rows.text(row, "breakdown") != "tree" {
            return self.slice_address(path, 1);
        }
        let id = self.visitor.indicator(last(path)).ok()?;
        let item = &self.visitor.catalog().indicator(id).item;
        let change = Change { indicator: format!("{}.{}", item.package, item.name), ..self.change.clone() };
        Some(address(&change, &only(&self.only)))
    }

    /// The page of the indicator in a slice as an analysis writes it.
    fn slice_address(&self, text: &str, count: usize) -> Option<String> {
        let known: Vec<String> = self.categories().into_iter().map(|(name, _)| name).collect();
        let parts = parts_of(text, &known, count)?;
        let slices = only(&self.only) + &only_these(&parts);
        Some(with_picks(&format!("/i/{}", quoted(&self.change.indicator)), &slices))
    }

    /// A part of a tree has values in its own unit.
    fn own_shown(&self, rows: &Rows, row: usize) -> Shown {
        let own = self.visitor.indicator(last(rows.text(row, "path"))).ok();
        let own = own.filter(|_| rows.text(row, "breakdown") == "tree");
        own.map_or_else(|| self.shown.clone(), |id| shown(self.visitor, id))
    }

    /// What a dimension is called.
    fn category(&self, name: &str) -> String {
        let known = self.categories().into_iter().find(|(known, _)| known == name);
        known.map_or_else(|| name.to_string(), |(_, label)| label)
    }

    /// The dimensions among whose slices those to blame are looked for: the one that is picked, or the first few.
    fn searched(&self) -> Vec<String> {
        if let Some(by) = &self.picked_by {
            return vec![by.clone()];
        }
        let fixed = |name: &String| self.only.iter().any(|slice| slice.dimension.item.name == *name);
        let all = self.categories().into_iter().map(|(name, _)| name);
        all.filter(|name| !fixed(name)).take(SEARCHED).collect()
    }

    async fn guilty(&self) -> Result<Rows, Refusal> {
        let localise = Localise {
            indicator: self.change.indicator.clone(),
            base: self.change.base.clone(),
            current: self.change.current.clone(),
            by: self.searched(),
            conditions: self.change.conditions.clone(),
            ..Localise::default()
        };
        ask(&self.visitor.session, Question::function(localise)).await
    }

    fn blamed(&self, guilty: Result<Rows, Refusal>) -> Markup {
        let visitor = self.visitor;
        let searched: Vec<String> = self.searched().iter().map(|name| self.category(name)).collect();
        html! {
            h2 #guilty { (visitor.say("Guilty slices", "异常切片")) }
            @match &guilty {
                Err(refusal) => (visitor.refused(refusal)),
                Ok(rows) => {
                    @if rows.rows.is_empty() { p.note { (visitor.say("No slice stands out: the change is everywhere alike.", "没有突出的切片：变化普遍存在。")) } }
                    ol.guilty { @for row in rows.indices() { (self.cause(rows, row)) } }
                    p.note { (visitor.say("Looked for by: ", "搜索维度：")) (searched.join(visitor.say(", ", "、"))) }
                }
            }
        }
    }

    fn cause(&self, rows: &Rows, row: usize) -> Markup {
        let visitor = self.visitor;
        let cause = rows.text(row, "cause");
        let count = rows.number(row, "dimensions").unwrap_or(0.0) as usize;
        let known: Vec<String> = self.categories().into_iter().map(|(name, _)| name).collect();
        let title = parts_of(cause, &known, count).map_or_else(
            || cause.to_string(),
            |parts| {
                let part = |(name, value): &(&str, Option<&str>)| {
                    format!("{} = {}", self.category(name), value.unwrap_or("NULL"))
                };
                parts.iter().map(part).collect::<Vec<_>>().join(", ")
            },
        );
        let number =
            |column: &str| rows.number(row, column).map(|value| self.shown.with_unit(value)).unwrap_or_default();
        html! { li {
            strong { @match self.slice_address(cause, count) { Some(link) => a href=(link) { (title) }, None => (title) } }
            span.note {
                @if rows.text(row, "reading") == "alternative" { " " (visitor.say("(or)", "（或）")) }
                " " (number("base")) " → " (number("current"))
                @if let Some(share) = rows.number(row, "share") { " · " (percent(share)) (visitor.say(" of the change", "（占总变化）")) }
                @if !rows.text(row, "flags").is_empty() { " · " (visitor.language.words(rows.text(row, "flags"))) }
            }
        } }
    }
}

/// The dimensions that a change can be broken down by, with what they are called.
fn categories(visitor: &Visitor, id: IndicatorId) -> Vec<(String, String)> {
    let sliced = dimensions(visitor, id).into_iter().filter(|it| it.kind == DimensionKind::Category);
    sliced.map(|it| (it.item.name.clone(), visitor.language.call(&it.item).to_string())).collect()
}

/// As many dimensions are searched: every one more multiplies the slices.
const SEARCHED: usize = 4;

/// The address of a change, with slices.
fn address(change: &Change, slices: &str) -> String {
    let part = |name: &str, text: &Option<String>| {
        text.as_ref().map(|text| format!("&{name}={}", quoted(text))).unwrap_or_default()
    };
    let parts = part("current", &change.current) + &part("base", &change.base) + slices;
    with_picks(&format!("/why/{}", quoted(&change.indicator)), &parts)
}

/// The last part of a path in a tree.
fn last(path: &str) -> &str {
    path.rsplit(" / ").next().unwrap_or(path)
}
