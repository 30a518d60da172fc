//! Alerts (预警): which rules hold on the data as of a time, why, and who is told, once.
//!
//! 1. [`evaluate`] asks the engine what each rule looks out for (a status, a value that stands out, a condition) of the last
//!    period that has ended, and makes an [`Event`] of every slice in which it holds, with the causes of the change.
//! 2. A [`journal::Journal`] keeps what has happened and who has been told, so that an event is told once.
//! 3. [`deliver`] tells what is due; what fails is tried again, at once and with every later run.
//!
//! Invariant: an event is written down before anybody is told, and that somebody was told right after it. So a crash loses
//! nothing; whoever was told in its very moment is told again under the same key.

mod causes;
pub mod deliver;
mod event;
pub mod journal;
mod rows;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::analysis::watch::{ended, name_of};
use crate::analysis::{Anomalies, Status, span::Span};
use crate::catalog::DimensionId;
use crate::catalog::alert::{Alert, Condition, Watch};
use crate::catalog::period::Period;
use crate::catalog::stretch::now;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::engine::Engine;
use crate::error::{Error, Result};
pub use event::Event;
use event::Happening;
use rows::Rows;

/// Which alerts hold? On the command line `bell alerts`.
///
/// ```
/// let asked: bellwether::Alerts = serde_json::from_str(r#"{"alerts": ["gmv_red"], "as_of": "2025-11-30"}"#)?;
/// assert_eq!(asked.causes, 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// The alerts by name: `gmv_red`, `retail.gmv_red`; all, if none is named.
    pub alerts: Vec<String>,
    /// Up to when the data count: `2025-11-30` (its end), `2025-11-30 12:00`; without it, now.
    pub as_of: Option<String>,
    /// At most so many causes of each kind with an event; 0 for none.
    pub causes: usize,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts { alerts: vec![], as_of: None, causes: 3 }
    }
}

/// What holds, and which alerts could not be evaluated.
#[derive(Debug)]
pub struct Outcome {
    /// By alert in order of declaration, then by slice.
    pub events: Vec<Event>,
    /// The alerts whose question was refused or failed, and why.
    pub failures: Vec<(String, Error)>,
}

/// Evaluates alerts. One that fails does not keep the others from being evaluated.
///
/// # Errors
/// [`Error::Diagnostics`], if there is no alert of a name, or `as_of` is no time.
pub async fn evaluate(engine: &Engine, asked: &Alerts) -> Result<Outcome> {
    let as_of = as_of(engine, asked)?;
    let mut outcome = Outcome { events: vec![], failures: vec![] };
    for alert in chosen(engine, asked)? {
        match happenings(engine, &alert, as_of).await {
            Ok(found) => {
                for happening in found {
                    let causes = causes::of(engine, &alert, &happening, as_of, asked.causes).await;
                    outcome.events.push(Event::new(engine.catalog(), &alert, happening, as_of, causes));
                }
            }
            Err(error) => outcome.failures.push((qualified(&alert), error)),
        }
    }
    Ok(outcome)
}

fn as_of(engine: &Engine, asked: &Alerts) -> Result<NaiveDateTime> {
    let Some(text) = &asked.as_of else { return Ok(now(&engine.catalog().calendar)) };
    let read = Period::parse(text).map(|period| period.end().unwrap_or(period.start()));
    let unfit = || {
        let diagnostic = Diagnostic::new(codes::PERIOD, format!("`{text}` is not a time"));
        diagnostic.help("write `2026-01-31` (its end) or `2026-01-31 12:00`").into()
    };
    read.ok_or_else(unfit)
}

fn qualified(alert: &Alert) -> String {
    format!("{}.{}", alert.item.package, alert.item.name)
}

fn chosen(engine: &Engine, asked: &Alerts) -> Result<Vec<Alert>> {
    let all = &engine.catalog().alerts;
    for name in &asked.alerts {
        if !all.iter().any(|alert| goes_by(alert, name)) {
            let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no alert `{name}`"));
            let near = nearest(name, all.iter().map(|alert| alert.item.name.as_str()));
            return Err(match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
            .into());
        }
    }
    let wanted = |alert: &&Alert| asked.alerts.is_empty() || asked.alerts.iter().any(|name| goes_by(alert, name));
    Ok(all.iter().filter(wanted).cloned().collect())
}

fn goes_by(alert: &Alert, name: &str) -> bool {
    alert.item.name == name || qualified(alert) == name
}

async fn happenings(engine: &Engine, alert: &Alert, as_of: NaiveDateTime) -> Result<Vec<Happening>> {
    match &alert.watch {
        Watch::Status(statuses) => of_status(engine, alert, statuses, as_of).await,
        Watch::Anomaly(grain) => {
            let periods = ended(engine.catalog(), *grain, as_of, alert.periods);
            anomalies(engine, alert, grain.name(), &periods).await
        }
        Watch::Condition(condition) => of_condition(engine, alert, condition, as_of).await,
    }
}

/// The names by which the alert's slices are asked.
fn asked_by(engine: &Engine, alert: &Alert) -> Vec<String> {
    names_of(engine, alert, &alert.by)
}

/// The names of dimensions where the alert's indicator is asked.
fn names_of(engine: &Engine, alert: &Alert, dimensions: &[DimensionId]) -> Vec<String> {
    let catalog = engine.catalog();
    let package = &catalog.indicator(alert.of).item.package;
    dimensions.iter().map(|id| name_of(catalog, *id, package)).collect()
}

/// The indicator as it is named from any package.
fn asked_of(engine: &Engine, alert: &Alert) -> String {
    let item = &engine.catalog().indicator(alert.of).item;
    format!("{}.{}", item.package, item.name)
}

/// The slices whose status is one of those, in this period and those before it.
async fn of_status(
    engine: &Engine,
    alert: &Alert,
    statuses: &[String],
    as_of: NaiveDateTime,
) -> Result<Vec<Happening>> {
    let by = asked_by(engine, alert);
    let mut question = Status {
        indicators: vec![asked_of(engine, alert)],
        by: by.clone(),
        as_of: Some(as_of.to_string()),
        ..Status::default()
    };
    let mut found = statuses_at(engine, &question, &by, statuses).await?;
    let mut period = found.first().map(|first| first.period);
    for _ in 1..alert.periods {
        let Some(before) = period.and_then(Span::before).filter(|_| !found.is_empty()) else { break };
        question.at = Some(before.to_string());
        let earlier = statuses_at(engine, &question, &by, statuses).await?;
        found.retain(|now| earlier.iter().any(|then| then.slice == now.slice));
        period = Some(before);
    }
    Ok(found)
}

async fn statuses_at(engine: &Engine, question: &Status, by: &[String], statuses: &[String]) -> Result<Vec<Happening>> {
    let rows = Rows::of(engine.status(question)?).await?;
    let mut found = Vec::new();
    for row in rows.iter() {
        let Some(status) = row.text("status").filter(|status| statuses.contains(status)) else { continue };
        let Some(period) = row.text("period").and_then(|text| Span::parse(&text).ok()) else { continue };
        found.push(Happening {
            slice: by.iter().map(|name| row.text(name)).collect(),
            value: row.number("value"),
            target: row.number("target").or(row.number("target_to")),
            attainment: row.number("attainment"),
            status: Some(status),
            owner: row.text("owner"),
            ..Happening::in_period(period)
        });
    }
    Ok(found)
}

/// The slices of which the values of all these periods, the latest first, stand out from what was known up to then.
async fn anomalies(engine: &Engine, alert: &Alert, grain: &str, periods: &[Span]) -> Result<Vec<Happening>> {
    let by = asked_by(engine, alert);
    let Some(last) = periods.first() else { return Ok(vec![]) };
    let question = Anomalies {
        indicator: asked_of(engine, alert),
        grain: grain.to_string(),
        by: by.clone(),
        during: Some(Span::between(beginning(), last.end).to_string()),
        ..Anomalies::default()
    };
    let rows = Rows::of(engine.anomalies(&question)?).await?;
    let mut found: Vec<Vec<Happening>> = vec![vec![]; periods.len()];
    for row in rows.iter() {
        let Some(start) = row.instant("period") else { continue };
        let Some(at) = periods.iter().position(|period| period.start == start) else { continue };
        found[at].push(Happening {
            slice: by.iter().map(|name| row.text(name)).collect(),
            value: row.number("value"),
            expected: row.number("expected"),
            deviations: row.number("z"),
            ..Happening::in_period(periods[at])
        });
    }
    let (latest, earlier) =
        found.split_first().map_or((vec![], vec![]), |(first, rest)| (first.clone(), rest.to_vec()));
    let always = |now: &Happening| earlier.iter().all(|period| period.iter().any(|then| then.slice == now.slice));
    Ok(latest.into_iter().filter(always).collect())
}

/// Long before any data, and late enough for nanoseconds.
fn beginning() -> NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(1900, 1, 1).map(|day| day.and_time(chrono::NaiveTime::MIN)).unwrap_or_default()
}

async fn of_condition(
    engine: &Engine,
    alert: &Alert,
    condition: &Condition,
    as_of: NaiveDateTime,
) -> Result<Vec<Happening>> {
    let by = asked_by(engine, alert);
    let Some(period) = ended(engine.catalog(), condition.every, as_of, 1).first().copied() else { return Ok(vec![]) };
    let rows = Rows::of(engine.holds(alert, condition, as_of)?).await?;
    let happening = |row: rows::Row<'_>| Happening {
        slice: by.iter().map(|name| row.text(name)).collect(),
        value: row.number("value"),
        limit: row.number("limit"),
        ..Happening::in_period(period)
    };
    Ok(rows.iter().map(happening).collect())
}
