//! What `bell run --dry-run` says below its table: from which files, and which periods, each publication would be made.

use std::path::Path;

use bellwether::publish::{Outcome, Periods, Report};
use serde_json::{Map, Value};

/// So many files, or partitions, are named; `-F json` has all.
const NAMED: usize = 5;

/// A paragraph for each publication that would be run.
pub fn told(reports: &[Report], root: &Path) -> String {
    let planned = reports.iter().filter(|report| report.outcome == Outcome::Planned);
    planned.map(|report| format!("\n{}\n{}{}", report.publication, reads(report, root), writes(report))).collect()
}

/// A line for each source.
fn reads(report: &Report, root: &Path) -> String {
    // Files of this machine are known by their whole paths.
    let root = root.canonicalize().unwrap_or_default();
    let shown = |path: &str| match Path::new(path).strip_prefix(&root) {
        Ok(below) => below.display().to_string(),
        Err(_) => path.to_string(),
    };
    let line = |input: &bellwether::store::manifest::Input| {
        let files = input.files.iter().map(|file| shown(&file.path)).collect();
        let files = match input.files.is_empty() {
            true => "what is published before".to_string(),
            false => some(files),
        };
        format!("  reads {}: {files}\n", input.source)
    };
    report.inputs.iter().map(line).collect()
}

fn writes(report: &Report) -> String {
    let what = match (&report.periods, report.kept) {
        (Some(periods), _) => span(periods),
        (None, 0) => "all".to_string(),
        (None, 1) => "what is not in the file that stays".to_string(),
        (None, kept) => format!("what is not in the {kept} files that stay"),
    };
    let mut line = format!("  writes {what} to {}\n", report.to);
    if !report.replaces.is_empty() {
        line += &format!("  replaces {}\n", some(report.replaces.iter().map(partition).collect()));
    }
    line
}

fn span(Periods { column, from, to }: &Periods) -> String {
    match (from, to) {
        (Some(from), Some(to)) if from == to => format!("{column} {from}"),
        (Some(from), Some(to)) => format!("{column} {from} to {to}"),
        (Some(from), None) => format!("{column} {from} and later"),
        (None, Some(to)) => format!("{column} up to {to}"),
        (None, None) => format!("every {column}"),
    }
}

/// `month = 2026-01-01, region = east`.
fn partition(values: &Map<String, Value>) -> String {
    let one = |(name, value): (&String, &Value)| format!("{name} = {}", value.as_str().unwrap_or("NULL"));
    values.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The first ones of several, and how many there are besides.
pub(super) fn some(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    let named = all.join("; ");
    if more == 0 { named } else { format!("{named}; and {more} more") }
}
