//! Publications: answers that runs write to files.

use super::expr::{Expression, Input};
use super::{IndicatorId, Item};

/// `publish monthly_pack { indicators gmv  by month, region  to 'out/monthly/' }`.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Name, labels, owner.
    pub item: Item,
    /// What is published, by column name.
    pub indicators: Vec<(String, IndicatorId)>,
    /// By what, by column name.
    pub by: Vec<(String, Input)>,
    /// Of which rows, AND-ed.
    pub conditions: Vec<Expression>,
    /// What the files are divided by: positions in `by`, outermost first.
    pub partitions: Vec<usize>,
    /// The folder as written: a path or a URL, with `${VAR}`.
    pub to: String,
    /// How rows are written.
    pub format: FileFormat,
}

/// How published rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FileFormat {
    Parquet,
    Csv,
    /// An object a line.
    Json,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [FileFormat; 3] = [FileFormat::Parquet, FileFormat::Csv, FileFormat::Json];

    /// Its word, which is also the ending of the files.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Parquet => "parquet",
            FileFormat::Csv => "csv",
            FileFormat::Json => "json",
        }
    }
}

impl Publication {
    /// The name with its package.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.item.package, self.item.name)
    }

    /// Whether a name means it: its own, or that with its package.
    pub fn goes_by(&self, name: &str) -> bool {
        self.item.name == name || self.qualified() == name
    }
}
