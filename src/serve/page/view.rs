//! What is looked at of an indicator, and the questions behind it.

use axum::http::StatusCode;

use super::address::{Picks, Slice, dimension, identifier, literal, only, only_these, quoted};
use super::chart::Point;
use super::frame::Shown;
use super::home::shown;
use super::rows::{Rows, ask, ask_sql};
use super::time::{GRAINS, ordinal, period};
use super::{Sorry, Visitor};
use crate::catalog::dimension::Dimension;
use crate::catalog::target::{Aim, Amounts, Level, Slices};
use crate::catalog::{IndicatorId, Item};
use crate::engine::Question;
use crate::engine::lineage::axis_types;
use crate::serve::http::Refusal;
use crate::{Anomalies, Status};

/// As many periods are drawn.
const PERIODS: usize = 120;
/// As many slices are listed.
pub(super) const SLICES: usize = 100;

/// What is looked at of an indicator.
pub(super) struct View {
    pub(super) id: IndicatorId,
    pub(super) item: Item,
    /// How time is cut.
    pub(super) grain: &'static str,
    /// The dimension whose slices are listed.
    pub(super) by: Option<Dimension>,
    /// The slices that are looked at alone.
    pub(super) only: Vec<Slice>,
    pub(super) has_target: bool,
    /// Whether it is told over time.
    pub(super) has_time: bool,
    pub(super) shown: Shown,
}

/// A question that was asked, with its answer.
pub(super) type Answered = Result<(String, Rows), Refusal>;

impl View {
    /// What is picked. What the indicator does not have is refused, since without it other numbers would be shown.
    pub(super) fn picked(visitor: &Visitor, id: IndicatorId, picks: &Picks) -> Result<View, Sorry> {
        let catalog = visitor.catalog();
        let grain = match picks.one("grain") {
            "" => "month",
            picked => match GRAINS.iter().find(|(name, ..)| *name == picked) {
                Some((name, ..)) => name,
                None => {
                    let message = format!("there is no grain `{picked}`; there are day, week, month, quarter, year");
                    return Err(visitor.sorry(Refusal::new(StatusCode::BAD_REQUEST, message)));
                }
            },
        };
        let by = Some(picks.one("by")).filter(|by| !by.is_empty());
        Ok(View {
            id,
            item: catalog.indicator(id).item.clone(),
            grain,
            by: by.map(|by| dimension(visitor, id, by)).transpose()?,
            only: Slice::picked(visitor, id, picks)?,
            has_target: catalog.targets_of(id).next().is_some(),
            has_time: !axis_types(catalog, id).is_empty(),
            shown: shown(visitor, id),
        })
    }

    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.item.package, self.item.name)
    }

    /// The conditions of the slices that are looked at alone.
    pub(super) fn conditions(&self) -> Vec<String> {
        self.only.iter().map(Slice::condition).collect()
    }

    /// `FROM …`, with these conditions and its own.
    fn from(&self, condition: Option<String>) -> String {
        let all: Vec<String> = condition.into_iter().chain(self.conditions()).collect();
        let conditions = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
        format!("FROM {}.indicators{conditions}", identifier(&self.item.package))
    }

    fn trend_sql(&self, with_target: bool) -> String {
        let name = identifier(&self.item.name);
        let target =
            if with_target { format!(", TARGET({name}) AS target, STATUS({name}) AS status") } else { String::new() };
        format!(
            "SELECT metric_time__{} AS period, MEASURE({name}) AS value{target} {} GROUP BY 1 ORDER BY 1 DESC NULLS LAST LIMIT {PERIODS}",
            self.grain,
            self.from(None)
        )
    }

    /// Values over time, the last first; where a target cannot be told of such periods, without it.
    pub(super) async fn trend(&self, visitor: &Visitor) -> Answered {
        if !self.has_time {
            let statement = format!("SELECT MEASURE({}) AS value {}", identifier(&self.item.name), self.from(None));
            return ask_sql(&visitor.session, &statement).await.map(|rows| (statement, rows));
        }
        if self.has_target {
            let statement = self.trend_sql(true);
            if let Ok(rows) = ask_sql(&visitor.session, &statement).await {
                return Ok((statement, rows));
            }
        }
        let statement = self.trend_sql(false);
        ask_sql(&visitor.session, &statement).await.map(|rows| (statement, rows))
    }

    /// The periods of a trend in order, with those between them that have no rows.
    pub(super) fn points(&self, rows: &Rows, strange: &[String]) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        let mut last: Option<i64> = None;
        for row in rows.indices().rev() {
            let start = rows.text(row, "period");
            let Some(at) = ordinal(start, self.grain) else { continue };
            let missing = last.map_or(0, |last| (at - last - 1).clamp(0, PERIODS as i64));
            points.extend((0..missing).map(|_| Point::default()));
            last = Some(at);
            points.push(Point {
                period: period(start, self.grain),
                value: rows.number(row, "value"),
                target: rows.number(row, "target"),
                band: None,
                strange: strange.iter().any(|it| it == start),
            });
        }
        points
    }

    /// The range that the whole is to be in, if there is one for such periods that was never changed.
    pub(super) fn band(&self, visitor: &Visitor) -> Option<(f64, f64)> {
        let mut targets = visitor.catalog().targets_of(self.id).filter(|it| !matches!(it.slices, Slices::These(_)));
        let (target, None) = (targets.next()?, targets.next()) else { return None };
        let lasting = target.from.is_none() && target.to.is_none();
        let fits = target.every.is_some_and(|every| every.name() == self.grain);
        let Amounts::Stated(statements) = &target.amounts else { return None };
        let [statement] = statements.as_slice() else { return None };
        let committed = statement.aims.iter().find(|(level, _)| *level == Level::Commit)?;
        match committed.1 {
            Aim::Between(low, high) if lasting && fits && self.only.is_empty() => Some((low, high)),
            _ => None,
        }
    }

    /// The start of the last period that has a value, if there is time.
    pub(super) async fn latest(&self, visitor: &Visitor) -> Result<Option<String>, Refusal> {
        match self.has_time {
            true => latest(visitor, self.id, self.grain, &self.conditions()).await,
            false => Ok(None),
        }
    }

    /// The slices of a period by the dimension that is picked.
    pub(super) async fn slices(&self, visitor: &Visitor, by: &Dimension, start: Option<&str>) -> Answered {
        let at = start.map(|start| format!("metric_time__{} = {}", self.grain, literal(start)));
        let statement = format!(
            "SELECT {} AS slice, MEASURE({}) AS value {} GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT {SLICES}",
            identifier(&by.item.name),
            identifier(&self.item.name),
            self.from(at),
        );
        ask_sql(&visitor.session, &statement).await.map(|rows| (statement, rows))
    }

    /// Which slices are on track; nothing, where that cannot be told.
    pub(super) async fn standing_of_slices(&self, visitor: &Visitor, by: &Dimension, start: Option<&str>) -> Rows {
        let Some(start) = start.filter(|_| self.has_target && self.only.is_empty()) else { return Rows::default() };
        let status = Status {
            indicators: vec![self.full_name()],
            by: vec![by.item.name.clone()],
            at: Some(period(start, self.grain)),
            ..Status::default()
        };
        ask(&visitor.session, Question::function(status)).await.unwrap_or_default()
    }

    /// The periods that stand out.
    pub(super) async fn strange(&self, visitor: &Visitor) -> Result<Vec<String>, Refusal> {
        if !self.has_time {
            return Ok(Vec::new());
        }
        let anomalies = Anomalies {
            indicator: self.full_name(),
            grain: self.grain.to_string(),
            conditions: self.conditions(),
            ..Anomalies::default()
        };
        let rows = ask(&visitor.session, Question::function(anomalies)).await?;
        Ok(rows.indices().map(|row| rows.text(row, "period").to_string()).collect())
    }

    /// The address of this view with one slice more.
    pub(super) fn with(&self, dimension: &str, value: Option<&str>) -> String {
        self.address() + &only(&self.only) + &only_these(&[(dimension, value)])
    }

    /// The address of this view without slices.
    pub(super) fn address(&self) -> String {
        let by = self.by.as_ref().map(|by| format!("&by={}", quoted(&by.item.name))).unwrap_or_default();
        format!("/i/{}?grain={}{by}", quoted(&self.full_name()), self.grain)
    }
}

/// The last month in which an indicator has a value under these conditions.
pub(super) async fn last_month(visitor: &Visitor, id: IndicatorId, conditions: &[String]) -> Option<String> {
    let start = latest(visitor, id, "month", conditions).await.ok().flatten()?;
    Some(period(&start, "month"))
}

/// The start of the last period in which an indicator has a value under these conditions.
async fn latest(
    visitor: &Visitor,
    id: IndicatorId,
    grain: &str,
    conditions: &[String],
) -> Result<Option<String>, Refusal> {
    let item = &visitor.catalog().indicator(id).item;
    let name = identifier(&item.name);
    let conditions = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let statement = format!(
        "SELECT metric_time__{grain} AS period, MEASURE({name}) AS value FROM {}.indicators{conditions} GROUP BY 1 HAVING MEASURE({name}) IS NOT NULL ORDER BY 1 DESC NULLS LAST LIMIT 1",
        identifier(&item.package)
    );
    let rows = ask_sql(&visitor.session, &statement).await?;
    Ok(rows.rows.first().and_then(|row| row.first()?.text.clone()))
}
