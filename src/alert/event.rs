//! [`Event`]: what happened, for whom, and why, as it is written and sent.

use chrono::NaiveDateTime;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::causes::Causes;
use crate::analysis::span::Span;
use crate::catalog::Catalog;
use crate::catalog::alert::{Alert, Receiver};

/// An alert that holds, for one slice and period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The same for the same alert, period and slice, whenever it is evaluated; ASCII without spaces.
    pub key: String,
    /// The alert: `retail.gmv_red`.
    pub alert: String,
    /// Its label.
    pub label: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// What was looked out for: `status`, `anomaly`, `condition`.
    pub rule: String,
    /// The indicator that it is about: `retail.gmv`.
    pub indicator: String,
    /// The values of the dimensions.
    pub slice: Map<String, Value>,
    /// The period.
    pub period: String,
    /// In how many periods it was so, this one included.
    pub periods: u32,
    /// Up to when the data counted.
    pub as_of: String,
    /// The indicator's value; for a condition, that of its left side.
    pub value: Option<f64>,
    /// What should have been reached.
    pub target: Option<f64>,
    /// How far it was.
    pub attainment: Option<f64>,
    /// The status.
    pub status: Option<String>,
    /// The right side of a condition.
    pub limit: Option<f64>,
    /// What was to be expected of a value that stands out.
    pub expected: Option<f64>,
    /// By how many robust deviations it does.
    pub deviations: Option<f64>,
    /// Who answers for it: the owner of the slice's target, else of the alert, else of the indicator.
    pub owner: Option<String>,
    /// Why it is looked out for.
    pub because: Option<String>,
    /// Why it changed, as far as it can be told.
    #[serde(flatten)]
    pub causes: Causes,
    /// Who is told, by name or address.
    pub notify: Vec<String>,
    /// The addresses to which it is posted.
    pub webhooks: Vec<String>,
}

/// What was found of a slice.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) period: Span,
    /// The values of the alert's dimensions.
    pub(super) slice: Vec<Option<String>>,
    pub(super) value: Option<f64>,
    pub(super) target: Option<f64>,
    pub(super) attainment: Option<f64>,
    pub(super) status: Option<String>,
    pub(super) limit: Option<f64>,
    pub(super) expected: Option<f64>,
    pub(super) deviations: Option<f64>,
    pub(super) owner: Option<String>,
}

impl Happening {
    /// Of which nothing is known but the period.
    pub(super) fn in_period(period: Span) -> Happening {
        Happening {
            period,
            slice: vec![],
            value: None,
            target: None,
            attainment: None,
            status: None,
            limit: None,
            expected: None,
            deviations: None,
            owner: None,
        }
    }
}

/// What stands between the parts of a key is written otherwise inside them.
const APART: &AsciiSet = &CONTROLS.add(b' ').add(b'|').add(b'=').add(b'%');

fn part(text: &str) -> String {
    utf8_percent_encode(text, APART).to_string()
}

/// The alert and the period of a key.
pub(super) fn parts_of_key(key: &str) -> Option<(String, String)> {
    let mut parts = key.split('|');
    let mut next = || Some(percent_decode_str(parts.next()?).decode_utf8().ok()?.into_owned());
    Some((next()?, next()?))
}

impl Event {
    pub(super) fn new(
        catalog: &Catalog,
        alert: &Alert,
        happening: Happening,
        as_of: NaiveDateTime,
        causes: Causes,
    ) -> Event {
        let indicator = &catalog.indicator(alert.of).item;
        let names: Vec<&str> = alert.by.iter().map(|id| catalog.dimension(*id).item.name.as_str()).collect();
        let name = format!("{}.{}", alert.item.package, alert.item.name);
        let period = happening.period.to_string();
        let mut key = format!("{}|{}", part(&name), part(&period));
        for (dimension, value) in names.iter().zip(&happening.slice) {
            // NULL is no text.
            key +=
                &format!("|{}{}", part(dimension), value.as_ref().map_or(String::new(), |it| format!("={}", part(it))));
        }
        let slice = names.iter().zip(&happening.slice);
        let slice = slice.map(|(name, value)| (name.to_string(), value.clone().map_or(Value::Null, Value::String)));
        let owner = happening.owner.or_else(|| alert.item.owner.clone()).or_else(|| indicator.owner.clone());
        let mut webhooks = Vec::new();
        let mut notify = Vec::new();
        for receiver in &alert.receivers {
            match receiver {
                Receiver::Owner => notify.extend(owner.clone()),
                Receiver::Person(person) => notify.push(person.clone()),
                Receiver::Webhook(address) => webhooks.push(address.clone()),
            }
        }
        Event {
            key,
            alert: name,
            label: alert.item.label.clone(),
            severity: alert.severity.name().to_string(),
            rule: alert.watch.name().to_string(),
            indicator: format!("{}.{}", indicator.package, indicator.name),
            slice: slice.collect(),
            period,
            periods: alert.periods,
            as_of: as_of.to_string(),
            value: happening.value,
            target: happening.target,
            attainment: happening.attainment,
            status: happening.status,
            limit: happening.limit,
            expected: happening.expected,
            deviations: happening.deviations,
            owner,
            because: alert.because.clone(),
            causes,
            notify,
            webhooks,
        }
    }
}
