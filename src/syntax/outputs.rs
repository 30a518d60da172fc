//! What runs write: the trees of `publish`, and pieces of the grammar to them.

use super::ast::{Expr, Labels, Name, Path, Text};
use super::cursor::{Node, Rule};
use super::items::{conditions, once};
use crate::diagnostic::Diagnostic;

/// `publish monthly_pack { indicators gmv, aov  by month, region  to 'out/monthly/'  format parquet }`.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// What is published.
    pub indicators: Vec<Path>,
    /// By what.
    pub by: Vec<Path>,
    /// Of which rows.
    pub conditions: Vec<Expr>,
    /// `partitioned by month`: of `by`, what the files are divided by.
    pub partitions: Vec<Path>,
    /// Where.
    pub to: Option<Text>,
    /// `format parquet`.
    pub format: Option<Name>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// Reads a `publish`.
pub(super) fn publication(node: &Node) -> Result<Publication, Diagnostic> {
    let all = |rule| node.all(rule).flat_map(|clause| clause.paths()).collect();
    let mut publication = Publication {
        name: node.name(),
        labels: node.labels(),
        indicators: all(Rule::view_indicators),
        by: all(Rule::output_by),
        conditions: conditions(node)?,
        partitions: all(Rule::output_partitions),
        to: None,
        format: None,
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::output_to => once(&mut publication.to, clause.literal(), &clause)?,
            Rule::output_format => once(&mut publication.format, clause.name(), &clause)?,
            Rule::owner_clause => once(&mut publication.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(publication)
}
