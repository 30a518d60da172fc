//! Rollups: cells of a source that are stored, and that answer every question which can be put together from them.

use std::sync::Arc;

use datafusion::logical_expr::TableSource;

use super::expr::Input;
use super::modifier::TimeSpan;
use super::{IndicatorId, Item, SourceId};

/// `rollup sales_daily { indicators gmv, buyers  by day, region  to 's3://lake/rollups/sales_daily/' }`.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// Name, labels, owner.
    pub item: Item,
    /// What it can answer.
    pub indicators: Vec<IndicatorId>,
    /// By what, by column name.
    pub by: Vec<(String, Input)>,
    /// Of the indicators, those that may be answered approximately.
    pub approximate: Vec<IndicatorId>,
    /// For how long it answers after its sources have changed.
    pub tolerance: Option<TimeSpan>,
    /// The folder as written: a path or a URL, with `${VAR}`.
    pub to: String,
    /// The sources that its indicators measure, each once.
    pub sources: Vec<SourceId>,
    /// Its tables, in the order in which planning makes them; empty until somebody has looked.
    pub tables: Vec<Stored>,
}

/// A stored table of cells.
#[derive(Clone)]
pub enum Stored {
    /// It can answer.
    Current(Kept),
    /// It cannot, and why: `it was never computed`.
    Unusable(String),
}

/// A table of cells that can answer.
#[derive(Clone)]
pub struct Kept {
    /// Keys and states, under the names that planning gave them.
    pub table: Arc<dyn TableSource>,
    /// How many cells there are.
    pub rows: u64,
    /// How many runs they are from.
    pub runs: usize,
    /// When they were put there, in UTC.
    pub at: String,
    /// Whether sources have changed since, within the tolerance.
    pub late: bool,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stored::Current(kept) => write!(f, "Current({} rows)", kept.rows),
            Stored::Unusable(reason) => write!(f, "Unusable({reason})"),
        }
    }
}

impl Rollup {
    /// The name with its package.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.item.package, self.item.name)
    }

    /// Whether a name means it: its own, or that with its package.
    pub fn goes_by(&self, name: &str) -> bool {
        self.item.name == name || self.qualified() == name
    }
}
