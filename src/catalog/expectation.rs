//! Expectations: what must hold of rows and values before runs publish what is made of them.

use super::expr::{Expression, Input};
use super::modifier::TimeSpan;
use super::{Catalog, IndicatorId, Item, SourceId};

/// `expect orders.amount >= 0`.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Its name is what is expected, as written, on one line.
    pub item: Item,
    /// What is expected of what.
    pub subject: Subject,
    /// What happens where it is broken.
    pub severity: Severity,
    /// Why it is expected.
    pub because: Option<String>,
}

/// What is expected of what.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A condition on every row of a source.
    Rows(EveryRow),
    /// A condition on the values of indicators, in every group.
    Values(EveryValue),
    /// The newest row of a source is not old.
    Fresh(Fresh),
}

/// No row breaks a condition: it is true or unknown, as in a CHECK of SQL.
#[derive(Debug, Clone)]
pub struct EveryRow {
    /// The source.
    pub source: SourceId,
    /// What must be so.
    pub holds: Expression,
    /// Of which rows, AND-ed.
    pub conditions: Vec<Expression>,
}

/// A condition on values holds in every group that is shown, or is unknown there.
#[derive(Debug, Clone)]
pub struct EveryValue {
    /// What must be so: a formula that is true or false.
    pub holds: Expression,
    /// The indicators that it names.
    pub of: Vec<IndicatorId>,
    /// The sources whose rows it aggregates itself.
    pub sources: Vec<SourceId>,
    /// For each of these, by name; a period comes first.
    pub by: Vec<(String, Input)>,
    /// Of which rows, AND-ed.
    pub conditions: Vec<Expression>,
}

/// The newest time of a source lies at most so long before now; a source without a time axis is as new as its newest file.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The source.
    pub source: SourceId,
    /// How long before.
    pub within: TimeSpan,
}

/// What happens where an expectation is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What depends on it is not published.
    Stop,
    /// It is, and the report says so.
    Warn,
}

impl Severity {
    /// Both.
    pub const ALL: [Severity; 2] = [Severity::Stop, Severity::Warn];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Stop => "stop",
            Severity::Warn => "warn",
        }
    }
}

impl Expectation {
    /// The sources that it is about: whose rows it counts itself.
    pub fn sources(&self) -> &[SourceId] {
        match &self.subject {
            Subject::Rows(rows) => std::slice::from_ref(&rows.source),
            Subject::Fresh(fresh) => std::slice::from_ref(&fresh.source),
            Subject::Values(values) => &values.sources,
        }
    }

    /// The indicators that it is about.
    pub fn indicators(&self) -> &[IndicatorId] {
        match &self.subject {
            Subject::Values(values) => &values.of,
            Subject::Rows(_) | Subject::Fresh(_) => &[],
        }
    }

    /// What it is about, by name: a source, or indicators.
    pub fn subjects<'c>(&self, catalog: &'c Catalog) -> Vec<&'c Item> {
        let sources = self.sources().iter().map(|id| &catalog.source(*id).item);
        sources.chain(self.indicators().iter().map(|id| &catalog.indicator(*id).item)).collect()
    }
}
