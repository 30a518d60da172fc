//! Publications: answers that runs write to files.

use super::calendar::{Grain, TimePart};
use super::expr::{Expression, Input};
use super::modifier::TimeSpan;
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
    /// How late rows may come: a run computes anew only the periods that lie at most so long before the newest one.
    pub lookback: Option<TimeSpan>,
    /// How long after its end a period's values no longer change.
    pub final_after: Option<TimeSpan>,
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
    /// The key that holds its periods, by position in `by`, and their grain: the finest, if there are several.
    pub fn periods(&self) -> Option<(usize, Grain)> {
        let grain = |input: &Input| match input {
            Input::MetricTime(TimePart::Grain(grain)) => Some(*grain),
            _ => None,
        };
        let all = self.by.iter().enumerate().filter_map(|(at, (_, input))| Some((at, grain(input)?)));
        all.min_by_key(|(_, grain)| *grain)
    }

    /// The periods that its files are divided by.
    pub fn partition_periods(&self) -> Option<(usize, Grain)> {
        let of = |at: &usize| match self.by[*at].1 {
            Input::MetricTime(TimePart::Grain(grain)) => Some((*at, grain)),
            _ => None,
        };
        self.partitions.iter().find_map(of)
    }

    /// The names of its columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.by.iter().map(|(name, _)| name).chain(self.indicators.iter().map(|(name, _)| name))
    }

    /// The name with its package.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.item.package, self.item.name)
    }

    /// Whether a name means it: its own, or that with its package.
    pub fn goes_by(&self, name: &str) -> bool {
        self.item.name == name || self.qualified() == name
    }
}
