//! Pieces of the grammar to alerts.

use super::ast::Text;
use super::cursor::{Node, Rule};
use super::goals::{Alert, AlertFor, Receiver, Watched, When};
use super::items::{once, question};
use crate::diagnostic::Diagnostic;

/// Reads an `alert`.
pub(super) fn alert(node: &Node) -> Result<Alert, Diagnostic> {
    let mut alert = Alert {
        name: node.name(),
        labels: node.labels(),
        when: None,
        said: None,
        holds: None,
        every: None,
        explain: vec![],
        base: None,
        notify: vec![],
        severity: None,
        owner: None,
        because: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::alert_when => {
                once(&mut alert.when, when(&clause)?, &clause)?;
                let said = clause.text().split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
                alert.said = Some(Text { text: said, span: clause.span() });
                alert.holds = clause.find(Rule::alert_for).map(|node| periods(&node));
            }
            Rule::alert_every => once(&mut alert.every, clause.name(), &clause)?,
            Rule::alert_explain => alert.explain.extend(clause.paths()),
            Rule::alert_base => {
                let said = clause.text().split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
                once(&mut alert.base, Text { text: said.to_lowercase(), span: clause.span() }, &clause)?;
            }
            Rule::notify => alert.notify.extend(clause.all(Rule::receiver).map(|node| receiver(&node))),
            Rule::severity => once(&mut alert.severity, clause.name(), &clause)?,
            Rule::owner_clause => once(&mut alert.owner, clause.literal(), &clause)?,
            Rule::because => once(&mut alert.because, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(alert)
}

fn when(node: &Node) -> Result<When, Diagnostic> {
    if let Some(status) = node.find(Rule::when_status) {
        let statuses = status.all(Rule::text).map(|text| text.to_text()).collect();
        return Ok(When::Status(watched(&status), statuses));
    }
    if let Some(anomaly) = node.find(Rule::when_anomaly) {
        return Ok(When::Anomaly(watched(&anomaly)));
    }
    Ok(When::Question(question(&node.must(Rule::question))?))
}

fn watched(node: &Node) -> Watched {
    let watched = node.must(Rule::watched);
    let mut paths = watched.paths().into_iter();
    let Some(indicator) = paths.next() else { unreachable!("the grammar requires an indicator") };
    Watched { indicator, by: paths.collect() }
}

fn periods(node: &Node) -> AlertFor {
    let number = node.must(Rule::number);
    AlertFor { text: number.text().trim().replace('_', ""), span: number.span() }
}

fn receiver(node: &Node) -> Receiver {
    match (node.find(Rule::text), node.find(Rule::kw_webhook)) {
        (Some(address), Some(_)) => Receiver::Webhook(address.to_text()),
        (Some(person), None) => Receiver::Person(person.to_text()),
        (None, _) => Receiver::Owner(node.span()),
    }
}
