//! What became of everything in a foreign model: nothing is dropped without a word.

use std::fmt::{Display, Formatter, Result};
use std::path::PathBuf;

use serde::Serialize;

/// What an import wrote, and how true it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// One entry for everything that the foreign model declares, in its order.
    pub entries: Vec<Entry>,
}

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it is there.
    pub kind: Kind,
    /// Its name there; of an element of a model `model.name`.
    pub name: String,
    /// Its name in Bell, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bell: Option<String>,
    /// How true it is.
    pub fidelity: Fidelity,
    /// How it is approximated, or why it is missing; for what is exact, remarks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The kinds of things in foreign models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    SemanticModel,
    Entity,
    Dimension,
    Metric,
    SavedQuery,
    TimeSpine,
    CustomGranularity,
}

/// How true an imported thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// The same numbers.
    Exact,
    /// Other numbers in the cases that the notes name.
    Approximated,
    /// It is not there.
    NotImported,
}

impl Kind {
    /// All kinds, in the order of the report.
    pub const ALL: [Kind; 7] = [
        Kind::SemanticModel,
        Kind::Entity,
        Kind::Dimension,
        Kind::Metric,
        Kind::SavedQuery,
        Kind::TimeSpine,
        Kind::CustomGranularity,
    ];

    /// The word for several.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::SemanticModel => "semantic models",
            Kind::Entity => "entities",
            Kind::Dimension => "dimensions",
            Kind::Metric => "metrics",
            Kind::SavedQuery => "saved queries",
            Kind::TimeSpine => "time spines",
            Kind::CustomGranularity => "custom grains",
        }
    }
}

impl Entry {
    /// Something that was imported; with notes it is approximated.
    pub(super) fn imported(kind: Kind, name: impl Into<String>, bell: impl Into<String>, notes: Vec<String>) -> Entry {
        let fidelity = if notes.is_empty() { Fidelity::Exact } else { Fidelity::Approximated };
        Entry { kind, name: name.into(), bell: Some(bell.into()), fidelity, notes }
    }

    /// Something that is the same, with a remark.
    pub(super) fn exact(kind: Kind, name: impl Into<String>, bell: impl Into<String>, notes: Vec<String>) -> Entry {
        Entry { kind, name: name.into(), bell: Some(bell.into()), fidelity: Fidelity::Exact, notes }
    }

    /// Something that was not imported.
    pub(super) fn missing(kind: Kind, name: impl Into<String>, reason: impl Into<String>) -> Entry {
        Entry { kind, name: name.into(), bell: None, fidelity: Fidelity::NotImported, notes: vec![reason.into()] }
    }

    /// What was imported is not there after all.
    pub(super) fn drop(&mut self, reason: &str) {
        *self = Entry::missing(self.kind, std::mem::take(&mut self.name), reason);
    }
}

impl Report {
    /// How many entries of a kind are that true.
    pub fn count(&self, kind: Kind, fidelity: Fidelity) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind && entry.fidelity == fidelity).count()
    }
}

impl Display for Report {
    /// The counts of each kind, then everything that is not exact.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{:<16} {:>6} {:>13} {:>13}", "", "exact", "approximated", "not imported")?;
        for kind in Kind::ALL {
            let counts = [Fidelity::Exact, Fidelity::Approximated, Fidelity::NotImported].map(|f| self.count(kind, f));
            if counts.iter().sum::<usize>() > 0 {
                let [exact, approximated, missing] = counts;
                writeln!(f, "{:<16} {exact:>6} {approximated:>13} {missing:>13}", kind.plural())?;
            }
        }
        for (fidelity, title) in [(Fidelity::Approximated, "approximated"), (Fidelity::NotImported, "not imported")] {
            for entry in self.entries.iter().filter(|entry| entry.fidelity == fidelity) {
                writeln!(f, "{title}: {} `{}`: {}", singular(entry.kind), entry.name, entry.notes.join("; "))?;
            }
        }
        Ok(())
    }
}

fn singular(kind: Kind) -> &'static str {
    match kind {
        Kind::SemanticModel => "semantic model",
        Kind::Entity => "entity",
        Kind::Dimension => "dimension",
        Kind::Metric => "metric",
        Kind::SavedQuery => "saved query",
        Kind::TimeSpine => "time spine",
        Kind::CustomGranularity => "custom grain",
    }
}
