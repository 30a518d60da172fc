//! `bell.scenarios`, `bell.owners` and others: who answers for what, what it is for, and what an audit says.
//!
//! The mappings have both sides in full: what has no other side stands there beside NULL.

use std::collections::BTreeSet;

use super::catalog_tables::{Cell, Table, named, text};
use crate::audit::audit;
use crate::catalog::alert::Receiver;
use crate::catalog::rollup::Stored;
use crate::catalog::scenario::Scenario;
use crate::catalog::{Catalog, DimensionId, IndicatorId, Item};

pub(super) fn scenarios(catalog: &Catalog) -> Table {
    let listed = |texts: &[String]| Cell::Text((!texts.is_empty()).then(|| texts.join("; ")));
    let rows = catalog.scenarios.iter().map(|scenario| {
        let mut row = named(&scenario.item);
        row.extend([listed(&scenario.goals), listed(&scenario.pains), listed(&scenario.processes)]);
        row.push(Cell::Text(scenario.item.owner.clone()));
        row
    });
    Table {
        names: vec!["package", "name", "label", "description", "goals", "pains", "processes", "owner"],
        rows: rows.collect(),
    }
}

/// Scenarios and indicators, those without the other included.
pub(super) fn scenario_indicators(catalog: &Catalog) -> Table {
    let none = || Cell::Text(None);
    let mut rows = Vec::new();
    for scenario in &catalog.scenarios {
        let own = || [text(&scenario.item.package), text(&scenario.item.name)];
        for (id, telling) in &scenario.indicators {
            let item = &catalog.indicator(*id).item;
            let telling = Cell::Text(telling.name().map(ToString::to_string));
            rows.push(own().into_iter().chain([text(&item.package), text(&item.name), telling]).collect());
        }
        if scenario.indicators.is_empty() {
            rows.push(own().into_iter().chain([none(), none(), none()]).collect());
        }
    }
    for (id, indicator) in catalog.declared_indicators() {
        if catalog.scenarios_of(id).next().is_none() {
            let item = &indicator.item;
            rows.push(vec![none(), none(), text(&item.package), text(&item.name), none()]);
        }
    }
    Table { names: vec!["package", "scenario", "indicator_package", "indicator", "tells"], rows }
}

/// Scenarios and processes, those without the other included; not every process that people speak of is declared.
pub(super) fn scenario_processes(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for scenario in &catalog.scenarios {
        for called in &scenario.processes {
            let only = |item: &Item| Scenario { processes: vec![called.clone()], ..scenario.clone() }.is_met_in(item);
            let declared = catalog.processes.iter().find(|process| only(&process.item));
            rows.push(vec![
                text(&scenario.item.package),
                text(&scenario.item.name),
                text(called),
                Cell::Text(declared.map(|it| it.item.package.clone())),
                Cell::Text(declared.map(|it| it.item.name.clone())),
            ]);
        }
    }
    for process in &catalog.processes {
        if !catalog.scenarios.iter().any(|scenario| scenario.is_met_in(&process.item)) {
            let none = || Cell::Text(None);
            rows.push(vec![none(), none(), none(), text(&process.item.package), text(&process.item.name)]);
        }
    }
    Table { names: vec!["package", "scenario", "called", "process_package", "process"], rows }
}

/// Processes, and what they are read from.
pub(super) fn processes(catalog: &Catalog) -> Table {
    let rows = catalog.processes.iter().map(|process| {
        let mut row = named(&process.item);
        row.push(text(&catalog.source(process.process.source).item.name));
        row.push(text(&process.definition_text));
        row.push(text(&catalog.dimension(process.steps).item.name));
        row.push(Cell::Text(process.item.owner.clone()));
        row
    });
    let names = vec!["package", "name", "label", "description", "source", "definition", "steps", "owner"];
    Table { names, rows: rows.collect() }
}

/// Alerts, and who is told.
pub(super) fn alerts(catalog: &Catalog) -> Table {
    let names = |ids: &[DimensionId]| {
        let names: Vec<&str> = ids.iter().map(|id| catalog.dimension(*id).item.name.as_str()).collect();
        Cell::Text((!names.is_empty()).then(|| names.join(", ")))
    };
    let told = |receiver: &Receiver| match receiver {
        Receiver::Owner => "owner".to_string(),
        Receiver::Person(person) => person.clone(),
        Receiver::Webhook(address) => format!("webhook {address}"),
    };
    let rows = catalog.alerts.iter().map(|alert| {
        let mut row = named(&alert.item);
        row.push(text(alert.watch.name()));
        row.push(text(&alert.definition_text));
        row.push(text(&catalog.indicator(alert.of).item.name));
        row.push(names(&alert.by));
        row.push(Cell::Text(alert.watch.every().map(|every| every.name().to_string())));
        row.push(text(alert.severity.name()));
        row.push(text(alert.receivers.iter().map(told).collect::<Vec<_>>().join(", ")));
        row.push(names(&alert.causes));
        row.push(Cell::Text(alert.item.owner.clone()));
        row
    });
    let names = vec![
        "package",
        "name",
        "label",
        "description",
        "rule",
        "definition",
        "indicator",
        "by",
        "every",
        "severity",
        "notify",
        "explain_by",
        "owner",
    ];
    Table { names, rows: rows.collect() }
}

/// Every item that can have an owner, with its owner.
pub(super) fn owners(catalog: &Catalog) -> Table {
    let indicators = catalog.declared_indicators().map(|(_, it)| ("indicator", &it.item));
    let dimensions = catalog.declared_dimensions().map(|(_, it)| ("dimension", &it.item));
    let events = catalog.events.iter().map(|it| (it.kind.name(), &it.item));
    let items = indicators
        .chain(catalog.targets.iter().map(|it| ("target", &it.item)))
        .chain(catalog.scorecards.iter().map(|it| ("scorecard", &it.item)))
        .chain(catalog.scenarios.iter().map(|it| ("scenario", &it.item)))
        .chain(catalog.processes.iter().map(|it| ("process", &it.item)))
        .chain(catalog.alerts.iter().map(|it| ("alert", &it.item)))
        .chain(catalog.publications.iter().map(|it| ("publication", &it.item)))
        .chain(catalog.rollups.iter().map(|it| ("rollup", &it.item)))
        .chain(catalog.expectations.iter().map(|it| ("expectation", &it.item)))
        .chain(events)
        .chain(catalog.sources.iter().map(|it| ("source", &it.item)))
        .chain(dimensions);
    let row = |(kind, item): (&str, &Item)| {
        vec![Cell::Text(item.owner.clone()), text(kind), text(&item.package), text(&item.name)]
    };
    Table { names: vec!["owner", "kind", "package", "name"], rows: items.map(row).collect() }
}

/// What runs write.
pub(super) fn publications(catalog: &Catalog) -> Table {
    let rows = catalog.publications.iter().map(|publication| {
        let listed = |names: Vec<&String>| {
            let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
            Cell::Text((!names.is_empty()).then(|| names.join(", ")))
        };
        let mut row = named(&publication.item);
        row.push(listed(publication.indicators.iter().map(|(name, _)| name).collect()));
        row.push(listed(publication.by.iter().map(|(name, _)| name).collect()));
        row.push(listed(publication.partitions.iter().map(|at| &publication.by[*at].0).collect()));
        row.push(text(&publication.to));
        row.push(text(publication.format.name()));
        row.push(Cell::Text(publication.item.owner.clone()));
        row
    });
    let names =
        vec!["package", "name", "label", "description", "indicators", "by", "partitioned_by", "to", "format", "owner"];
    Table { names, rows: rows.collect() }
}

/// Who may see which rows, and what of them.
pub(super) fn policies(catalog: &Catalog) -> Table {
    let listed = |names: Vec<&str>, sign: &str| Cell::Text((!names.is_empty()).then(|| names.join(sign)));
    let rows = catalog.policies.iter().map(|policy| {
        let source = catalog.source(policy.source);
        let masked = policy.masks.iter().map(|at| source.columns[*at].name.as_str()).collect();
        let roles = |roles: &BTreeSet<String>| listed(roles.iter().map(String::as_str).collect(), ", ");
        let mut row = named(&policy.item);
        row.extend([
            text(format!("{}.{}", source.item.package, source.item.name)),
            roles(&policy.to),
            roles(&policy.except),
            listed(policy.said.iter().map(String::as_str).collect(), " AND "),
            listed(masked, ", "),
        ]);
        row
    });
    let names = ["package", "name", "label", "description", "source", "roles", "except_roles", "rows", "masked"];
    Table { names: names.to_vec(), rows: rows.collect() }
}

/// What is stored to answer from: a row for each of its tables.
pub(super) fn rollups(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for rollup in &catalog.rollups {
        let names = |ids: &[IndicatorId]| {
            let names: Vec<&str> = ids.iter().map(|id| catalog.indicator(*id).item.name.as_str()).collect();
            Cell::Text((!names.is_empty()).then(|| names.join(", ")))
        };
        let by: Vec<&str> = rollup.by.iter().map(|(name, _)| name.as_str()).collect();
        for stored in &rollup.tables {
            let mut row = named(&rollup.item);
            row.extend([names(&rollup.indicators), text(by.join(", ")), names(&rollup.approximate), text(&rollup.to)]);
            row.extend(match stored {
                Stored::Current(kept) => {
                    let state = if kept.late { "late, within its tolerance" } else { "current" };
                    let (rows, runs) = (Cell::Number(Some(kept.rows as f64)), Cell::Number(Some(kept.runs as f64)));
                    [text(state), Cell::Text(Some(kept.at.clone())), rows, runs]
                }
                Stored::Unusable(reason) => [text(reason), Cell::Text(None), Cell::Number(None), Cell::Number(None)],
            });
            row.push(Cell::Text(rollup.item.owner.clone()));
            rows.push(row);
        }
    }
    let names = vec![
        "package",
        "name",
        "label",
        "description",
        "indicators",
        "by",
        "approximate",
        "to",
        "state",
        "computed_at",
        "cells",
        "runs",
        "owner",
    ];
    Table { names, rows }
}

/// What an audit finds.
pub(super) fn findings(catalog: &Catalog) -> Table {
    let rows = audit(catalog).into_iter().map(|finding| {
        vec![
            text(finding.diagnostic.code.id()),
            text(finding.criterion.name()),
            text(finding.kind.name()),
            text(finding.package),
            text(finding.name),
            text(finding.diagnostic.message),
            Cell::Text(finding.diagnostic.help),
        ]
    });
    Table { names: vec!["code", "rule", "kind", "package", "name", "message", "fix"], rows: rows.collect() }
}
