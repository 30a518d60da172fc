//! What runs write, and what must hold before they do: the trees of `publish`, `rollup` and `expect`, and pieces of the
//! grammar to them.

use super::ast::{Expr, Labels, Name, Path, Text};
use super::cursor::{Node, Rule};
use super::events::duration;
use super::items::{conditions, expr, once};
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
    /// `lookback 3 days`, as `bell_duration(3, 'days')`.
    pub lookback: Option<Expr>,
    /// `final after 10 days`.
    pub final_after: Option<Expr>,
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
        lookback: None,
        final_after: None,
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::output_to => once(&mut publication.to, clause.literal(), &clause)?,
            Rule::output_format => once(&mut publication.format, clause.name(), &clause)?,
            Rule::output_lookback => once(&mut publication.lookback, length(&clause), &clause)?,
            Rule::output_final => once(&mut publication.final_after, length(&clause), &clause)?,
            Rule::owner_clause => once(&mut publication.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(publication)
}

/// `rollup sales_daily { indicators gmv, buyers  by day, region  to 's3://lake/rollups/sales_daily/' }`.
#[derive(Debug, Clone)]
pub struct Rollup {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// What it can answer.
    pub indicators: Vec<Path>,
    /// By what.
    pub by: Vec<Path>,
    /// `approximate buyers`: of the indicators, those that may be answered from it approximately.
    pub approximate: Vec<Path>,
    /// `tolerance 2 hours`, as `bell_duration(2, 'hours')`.
    pub tolerance: Option<Expr>,
    /// Where it is stored.
    pub to: Option<Text>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// Reads a `rollup`.
pub(super) fn rollup(node: &Node) -> Result<Rollup, Diagnostic> {
    let all = |rule| node.all(rule).flat_map(|clause| clause.paths()).collect();
    let mut rollup = Rollup {
        name: node.name(),
        labels: node.labels(),
        indicators: all(Rule::view_indicators),
        by: all(Rule::output_by),
        approximate: all(Rule::rollup_approximate),
        tolerance: None,
        to: None,
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::output_to => once(&mut rollup.to, clause.literal(), &clause)?,
            Rule::rollup_tolerance => once(&mut rollup.tolerance, length(&clause), &clause)?,
            Rule::owner_clause => once(&mut rollup.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(rollup)
}

/// `expect orders.amount >= 0`, `expect gmv >= 0 every day by region { severity warn }`, `expect orders fresh within 2 days`.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// What is expected, as written, on one line; it is also its name.
    pub said: Name,
    /// The same, read.
    pub expected: Expected,
    /// `severity warn`.
    pub severity: Option<Name>,
    /// `owner "…"`.
    pub owner: Option<Text>,
    /// `because "…"`.
    pub because: Option<Text>,
}

/// What is expected.
#[derive(Debug, Clone)]
pub enum Expected {
    /// A condition on rows or values.
    Holds(Holds),
    /// `orders fresh within 2 days`.
    Fresh {
        /// The source.
        source: Path,
        /// `bell_duration(2, 'days')`.
        within: Expr,
    },
}

/// `gmv >= 0 every day by region where channel = 'online'`.
#[derive(Debug, Clone)]
pub struct Holds {
    /// What must be so.
    pub condition: Expr,
    /// In each period of which grain.
    pub every: Option<Name>,
    /// For each of what.
    pub by: Vec<Path>,
    /// Of which rows.
    pub conditions: Vec<Expr>,
}

/// Reads an `expect`.
pub(super) fn expectation(node: &Node) -> Result<Expectation, Diagnostic> {
    let (what, expected) = match node.find(Rule::expect_fresh) {
        Some(fresh) => {
            let source = fresh.must(Rule::path).to_path();
            let within = length(&fresh);
            (fresh, Expected::Fresh { source, within })
        }
        None => {
            let kept = node.must(Rule::expect_kept);
            let every = kept.find(Rule::name).map(|name| name.to_name());
            let holds = Holds { condition: expr(&kept)?, every, by: kept.paths(), conditions: conditions(&kept)? };
            (kept, Expected::Holds(holds))
        }
    };
    let text = what.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let said = Name { text, span: what.span() };
    let mut expectation = Expectation { said, expected, severity: None, owner: None, because: None };
    for clause in node.children() {
        match clause.rule() {
            Rule::severity => once(&mut expectation.severity, clause.name(), &clause)?,
            Rule::owner_clause => once(&mut expectation.owner, clause.literal(), &clause)?,
            Rule::because => once(&mut expectation.because, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(expectation)
}

fn length(clause: &Node) -> Expr {
    let length = clause.must(Rule::duration);
    Expr { sql: duration(&length), span: length.span() }
}
