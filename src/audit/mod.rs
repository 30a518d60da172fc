//! Is the model fit to be worked with? Who answers for what, what it should reach, what it is for, what is there twice.
//!
//! An audit looks at the checked model only, never at data, so it is fast and always the same. `bell audit`, the table
//! `bell.audit` and [`audit`] are one function.
//!
//! Invariant: what is claimed to be the same is the same: definitions are compared as they are resolved.

mod form;

use std::collections::{HashMap, HashSet};

use crate::catalog::process::DeclaredProcess;
use crate::catalog::scenario::{Scenario, Telling};
use crate::catalog::target::Amounts;
use crate::catalog::{Catalog, IndicatorId, Item};
use crate::diagnostic::{Code, Diagnostic, codes};
pub use form::definition_form;

/// What an audit asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Criterion {
    /// Who answers for an indicator?
    Owner,
    /// What should it reach?
    Target,
    /// What is it for?
    Scenario,
    /// Which indicator tells whether a scenario's goal is reached?
    Result,
    /// Which one tells at what expense?
    Efficiency,
    /// In which scenario is a process met?
    Process,
    /// Is it there under another name?
    SameDefinition,
    /// Is something else there under its name?
    SameName,
}

impl Criterion {
    /// All, in the order in which findings are listed.
    pub const ALL: [Criterion; 8] = [
        Criterion::Owner,
        Criterion::Target,
        Criterion::Scenario,
        Criterion::Result,
        Criterion::Efficiency,
        Criterion::Process,
        Criterion::SameDefinition,
        Criterion::SameName,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Criterion::Owner => "owner",
            Criterion::Target => "target",
            Criterion::Scenario => "scenario",
            Criterion::Result => "result",
            Criterion::Efficiency => "efficiency",
            Criterion::Process => "process",
            Criterion::SameDefinition => "same-definition",
            Criterion::SameName => "same-name",
        }
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Criterion> {
        Criterion::ALL.into_iter().find(|rule| rule.name().eq_ignore_ascii_case(name))
    }

    fn code(self) -> Code {
        match self {
            Criterion::Owner => codes::AUDIT_OWNER,
            Criterion::Target => codes::AUDIT_TARGET,
            Criterion::Scenario => codes::AUDIT_SCENARIO,
            Criterion::Result => codes::AUDIT_RESULT,
            Criterion::Efficiency => codes::AUDIT_EFFICIENCY,
            Criterion::Process => codes::AUDIT_PROCESS,
            Criterion::SameDefinition => codes::AUDIT_SAME_DEFINITION,
            Criterion::SameName => codes::AUDIT_SAME_NAME,
        }
    }
}

/// What is found of an item.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The question to which it has no good answer.
    pub criterion: Criterion,
    /// Which kind of item.
    pub kind: Kind,
    /// Its package.
    pub package: String,
    /// Its name.
    pub name: String,
    /// The same for people.
    pub diagnostic: Diagnostic,
}

/// What is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Indicator,
    Scenario,
    Process,
}

impl Kind {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Indicator => "indicator",
            Kind::Scenario => "scenario",
            Kind::Process => "process",
        }
    }
}

/// Everything that is found, by rule and in order of declaration.
///
/// ```
/// use bellwether::{Engine, audit::{Criterion, audit}};
/// use std::path::Path;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::open(Path::new("examples/retail")).await?;
/// let found = audit(engine.catalog());
/// assert!(found.iter().any(|finding| finding.criterion == Criterion::Target && finding.name == "p95_wait"));
/// # Ok(())
/// # }
/// ```
pub fn audit(catalog: &Catalog) -> Vec<Finding> {
    let indicators = audited(catalog);
    let mut found = Vec::new();
    for (id, item) in &indicators {
        found.extend(of_indicator(catalog, *id, item));
    }
    for scenario in &catalog.scenarios {
        found.extend(of_scenario(scenario));
    }
    for process in &catalog.processes {
        found.extend(of_process(catalog, process));
    }
    found.extend(compared(catalog, &indicators));
    found.sort_by_key(|finding| finding.criterion);
    found
}

/// The indicators that people have declared; the amounts of a target are none, and those of a process stand for it.
fn audited(catalog: &Catalog) -> Vec<(IndicatorId, &Item)> {
    let mut others: HashSet<IndicatorId> = catalog.processes.iter().flat_map(|it| it.indicators.clone()).collect();
    for target in &catalog.targets {
        if let Amounts::Rows(rows) = &target.amounts {
            others.insert(rows.indicator);
            others.extend(rows.original);
        }
    }
    let all = catalog.declared_indicators().filter(|(id, _)| !others.contains(id));
    all.map(|(id, indicator)| (id, &indicator.item)).collect()
}

fn of_indicator(catalog: &Catalog, id: IndicatorId, item: &Item) -> Vec<Finding> {
    let name = &item.name;
    let mut found = Vec::new();
    let mut find = |rule: Criterion, what: &str, fix: String| {
        found.push(finding(rule, Kind::Indicator, item, format!("`{name}` {what}"), |it| it.help(fix)));
    };
    if item.owner.is_none() {
        find(Criterion::Owner, "has no owner", "write `owner \"…\"` in it".to_string());
    }
    if catalog.targets_of(id).next().is_none() {
        find(Criterion::Target, "has no target", format!("declare `target {name} {{ … }}`"));
    }
    if catalog.scenarios_of(id).next().is_none() {
        find(
            Criterion::Scenario,
            "is in no scenario",
            "name it in the scenario that it is for, or drop it".to_string(),
        );
    }
    found
}

fn of_scenario(scenario: &Scenario) -> Vec<Finding> {
    let item = &scenario.item;
    let name = &item.name;
    let asked = [
        (Criterion::Result, Telling::Result, "whether its goal is reached", "result"),
        (Criterion::Efficiency, Telling::Efficiency, "at what expense its goal is reached", "efficiency"),
    ];
    let lacking = asked.into_iter().filter(|(_, telling, ..)| !scenario.has(*telling));
    lacking
        .map(|(rule, _, what, word)| {
            finding(rule, Kind::Scenario, item, format!("no indicator of `{name}` tells {what}"), |it| {
                it.help(format!("name one: `{word} …`"))
            })
        })
        .collect()
}

fn of_process(catalog: &Catalog, process: &DeclaredProcess) -> Vec<Finding> {
    let item = &process.item;
    let name = &item.name;
    let mut found = Vec::new();
    if item.owner.is_none() {
        let message = format!("process `{name}` has no owner");
        let fix = "write `owner \"…\"` in it";
        found.push(finding(Criterion::Owner, Kind::Process, item, message, |it| it.help(fix)));
    }
    if !catalog.scenarios.iter().any(|scenario| scenario.is_met_in(item)) {
        let message = format!("no scenario is met in process `{name}`");
        let fix = format!("write `process \"{}\"` in the scenario", item.label.as_ref().unwrap_or(name));
        found.push(finding(Criterion::Process, Kind::Process, item, message, |it| it.help(fix)));
    }
    found
}

/// Indicators that are there twice, and names that are.
fn compared(catalog: &Catalog, indicators: &[(IndicatorId, &Item)]) -> Vec<Finding> {
    let forms: Vec<String> = indicators.iter().map(|(id, _)| definition_form(catalog, *id)).collect();
    let (mut by_form, mut by_name) = (HashMap::new(), HashMap::new());
    let mut found = Vec::new();
    for (at, (_, item)) in indicators.iter().enumerate() {
        let same = *by_form.entry(forms[at].as_str()).or_insert(at);
        let named = *by_name.entry(item.name.as_str()).or_insert(at);
        if same != at {
            let first = indicators[same].1;
            let message = format!("`{}` is the same as `{}`", called(item, first), called(first, item));
            found.push(finding(Criterion::SameDefinition, Kind::Indicator, item, message, |it| {
                it.also(first.span, "declared first here").help("keep one of the two names")
            }));
        }
        if named != at && forms[named] != forms[at] {
            let first = indicators[named].1;
            let message = format!("`{}` is computed otherwise than `{}`", called(item, first), called(first, item));
            found.push(finding(Criterion::SameName, Kind::Indicator, item, message, |it| {
                it.also(first.span, "the other one").help("rename one of them for what it is, or `use` the other")
            }));
        }
    }
    found
}

/// The name, with its package beside an item of another package.
fn called(item: &Item, beside: &Item) -> String {
    if item.package == beside.package { item.name.clone() } else { format!("{}.{}", item.package, item.name) }
}

fn finding(
    criterion: Criterion,
    kind: Kind,
    item: &Item,
    message: String,
    more: impl FnOnce(Diagnostic) -> Diagnostic,
) -> Finding {
    let diagnostic = more(Diagnostic::new(criterion.code(), message).at(item.span));
    Finding { criterion, kind, package: item.package.clone(), name: item.name.clone(), diagnostic }
}
