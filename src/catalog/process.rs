//! Processes (流程): rows that are steps of a case, and how long the case stays in each.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use super::expr::Expression;
use super::{Catalog, DimensionId, IndicatorId, Item, SourceId};

/// `process approval from events(case_id, step, begun)`: what its rows tell. All expressions begin at the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its name, before which its columns stand: `approval.stay`.
    pub name: String,
    /// The source with a row for each step of a case.
    pub source: SourceId,
    /// What goes through the steps.
    pub case: Typed,
    /// Which step a row is.
    pub step: Typed,
    /// When it begins.
    pub time: Typed,
    /// When work on it ends, if the rows say so; of the same type.
    pub until: Option<Expression>,
    /// Steps in which nobody works on a case.
    pub waits: Vec<String>,
    /// The length of the unit in which times are told.
    pub nanoseconds: u64,
}

/// A value and its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Typed {
    /// The value.
    pub value: Expression,
    /// Its type.
    pub data_type: DataType,
}

impl Process {
    /// Whether waiting can be told from working.
    pub fn tells_waiting(&self) -> bool {
        self.until.is_some() || !self.waits.is_empty()
    }

    /// Everything that is read.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        [&self.case.value, &self.step.value, &self.time.value].into_iter().chain(&self.until)
    }
}

/// A process as declared.
#[derive(Debug, Clone)]
pub struct DeclaredProcess {
    /// Name, labels, owner.
    pub item: Item,
    /// What its rows tell.
    pub process: Arc<Process>,
    /// `events(case, step, time)` as written.
    pub definition_text: String,
    /// Its steps as a dimension.
    pub steps: DimensionId,
    /// The indicators that it declares.
    pub indicators: Vec<IndicatorId>,
}

impl Catalog {
    /// The process of that name in a package.
    pub fn process_named(&self, package: &str, name: &str) -> Option<&DeclaredProcess> {
        self.processes.iter().find(|it| it.item.package == package && it.item.name == name)
    }
}
