//! Alerts (预警): what is looked out for, and who is told.

use super::calendar::Grain;
use super::expr::Expression;
use super::modifier::TimeSpan;
use super::{DimensionId, IndicatorId, Item};

/// `alert gmv_red { … }`.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Name, labels, owner.
    pub item: Item,
    /// What is looked out for.
    pub watch: Watch,
    /// The same as written, on one line.
    pub definition_text: String,
    /// The indicator that it is about.
    pub of: IndicatorId,
    /// A slice each.
    pub by: Vec<DimensionId>,
    /// In how many periods, one after the other, it must be so.
    pub periods: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// Among whose values the cause is looked for.
    pub causes: Vec<DimensionId>,
    /// With what the value is compared to find it.
    pub base: CauseBase,
    /// Why it is looked out for.
    pub because: Option<String>,
}

/// With what a value is compared to find the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseBase {
    /// The period before.
    Before,
    /// The same period earlier by that, such as last year's.
    Earlier(TimeSpan),
    /// What it should have reached.
    Target,
}

/// What is looked out for, of the last period that has ended.
#[derive(Debug, Clone)]
pub enum Watch {
    /// A status, in the periods of the indicator's targets.
    Status(Vec<String>),
    /// A value that stands out, in periods of that grain.
    Anomaly(Grain),
    /// A condition.
    Condition(Box<Condition>),
}

/// A condition on indicators.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Whether it holds, as an indicator of its own.
    pub test: IndicatorId,
    /// What is compared.
    pub value: IndicatorId,
    /// With what, if it is a comparison of numbers.
    pub limit: Option<IndicatorId>,
    /// Of which rows.
    pub conditions: Vec<Expression>,
    /// In periods of that grain.
    pub every: Grain,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// All, from the least.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// The owner of what it is about: of the slice's target, else of the indicator.
    Owner,
    /// Somebody by name or address.
    Person(String),
    /// An address to which the event is posted; `${NAME}` in it is from the environment.
    Webhook(String),
}

impl Watch {
    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            Watch::Status(_) => "status",
            Watch::Anomaly(_) => "anomaly",
            Watch::Condition(_) => "condition",
        }
    }

    /// In periods of which grain, if it says so itself.
    pub fn every(&self) -> Option<Grain> {
        match self {
            Watch::Status(_) => None,
            Watch::Anomaly(every) => Some(*every),
            Watch::Condition(condition) => Some(condition.every),
        }
    }
}
