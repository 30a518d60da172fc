//! Scenarios (场景): what indicators are for.

use super::{Catalog, IndicatorId, Item};

/// A situation of the business, and the indicators that tell of it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name, labels, owner.
    pub item: Item,
    /// What is wanted.
    pub goals: Vec<String>,
    /// What hurts.
    pub pains: Vec<String>,
    /// In which processes (流程), as people call them.
    pub processes: Vec<String>,
    /// The indicators, each once, and what each tells.
    pub indicators: Vec<(IndicatorId, Telling)>,
}

/// What an indicator tells of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Something; the model does not say what.
    Something,
    /// Whether the goal is reached.
    Result,
    /// At what expense of time, money or people.
    Efficiency,
}

impl Telling {
    /// The word for it; none where the model does not say.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Telling::Something => None,
            Telling::Result => Some("result"),
            Telling::Efficiency => Some("efficiency"),
        }
    }
}

impl Scenario {
    /// Whether that process is one of its own, by name or by a label.
    pub fn is_met_in(&self, process: &Item) -> bool {
        let labels = process.labels.iter().map(|(_, label)| label);
        let names: Vec<&String> = [&process.name].into_iter().chain(&process.label).chain(labels).collect();
        self.processes.iter().any(|own| names.contains(&own))
    }

    /// Whether one of its indicators tells that.
    pub fn has(&self, telling: Telling) -> bool {
        self.indicators.iter().any(|(_, it)| *it == telling)
    }
}

impl Catalog {
    /// The scenarios that an indicator tells of.
    pub fn scenarios_of(&self, id: IndicatorId) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(move |scenario| scenario.indicators.iter().any(|(it, _)| *it == id))
    }
}
