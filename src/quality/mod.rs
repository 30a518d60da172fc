//! Expectations (数据质量), evaluated: does the data keep what the model expects of it?
//!
//! Every expectation is a question to the engine: how many rows of a source break a condition, in how many groups an
//! indicator does, how new the newest row is. All that is expected of one source's rows is one question, which reads
//! them once; so is all that is expected of values by the same keys. Only where something is broken it is asked which.
//!
//! [`evaluate`] asks them alone, as `bell expect` does; [`gate::Gate`] what stands before the publications of a run.

pub mod gate;
mod groups;
mod reads;
mod rows;
mod values;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::catalog::expectation::{Expectation, Severity};
use crate::catalog::period::Period;
use crate::catalog::stretch::now;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::engine::Engine;
use crate::error::Result;
use crate::store::manifest::{Finding, Kept};

/// How many of those that break an expectation are named.
const EXAMPLES: usize = 5;

/// Is the data as expected? On the command line `bell expect`.
///
/// ```
/// let asked: bellwether::Expect = serde_json::from_str(r#"{"names": ["orders"], "as_of": "2026-01-31"}"#)?;
/// assert_eq!(asked.names, ["orders"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// What is expected of these: sources, indicators, publications; all, if none is named.
    pub names: Vec<String>,
    /// As of when what is expected to be fresh is looked at: `2026-01-31` (its end); without it, now.
    pub as_of: Option<String>,
}

/// Evaluates expectations: a finding for each, in order of declaration.
///
/// # Errors
/// [`Error::Diagnostics`](crate::Error::Diagnostics), if a name is unknown or `as_of` is no time.
pub async fn evaluate(engine: &Engine, asked: &Expect) -> Result<Vec<Finding>> {
    let as_of = as_of(engine, asked)?;
    let chosen = chosen(engine, asked)?;
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for group in groups::grouped(engine.catalog(), &chosen) {
        found.extend(group.findings(engine, as_of).await);
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, finding)| finding).collect())
}

fn as_of(engine: &Engine, asked: &Expect) -> Result<NaiveDateTime> {
    let Some(text) = &asked.as_of else { return Ok(now(&engine.catalog().calendar)) };
    match Period::parse(text) {
        Some(period) => Ok(period.end().unwrap_or(period.start())),
        None => Err(Diagnostic::new(codes::PERIOD, format!("`{text}` is not a time"))
            .help("write `2026-01-31` (its end) or `2026-01-31 12:00`")
            .into()),
    }
}

/// The expectations that are asked for, by position.
fn chosen(engine: &Engine, asked: &Expect) -> Result<Vec<usize>> {
    let catalog = engine.catalog();
    let all: Vec<usize> = (0..catalog.expectations.len()).collect();
    if asked.names.is_empty() {
        return Ok(all);
    }
    let mut chosen = Vec::new();
    for name in &asked.names {
        match catalog.publications.iter().find(|publication| publication.goes_by(name)) {
            Some(publication) => chosen.extend(reads::expected_before(engine, publication)?),
            None => {
                let about = |at: &usize| is_about(catalog, &catalog.expectations[*at], name);
                let found: Vec<usize> = all.iter().copied().filter(about).collect();
                if found.is_empty() {
                    return Err(nothing_expected(catalog, name).into());
                }
                chosen.extend(found);
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn is_about(catalog: &Catalog, expectation: &Expectation, name: &str) -> bool {
    let items = expectation.subjects(catalog);
    items.iter().any(|item| item.name == name || format!("{}.{}", item.package, item.name) == name)
}

fn nothing_expected(catalog: &Catalog, name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("nothing is expected of `{name}`"));
    let subjects = catalog.expectations.iter().flat_map(|it| it.subjects(catalog)).map(|item| item.name.as_str());
    let publications = catalog.publications.iter().map(|it| it.item.name.as_str());
    match nearest(name, subjects.chain(publications)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("name a source, an indicator or a publication; `bell list expectations` shows all"),
    }
}

/// The expectations that are not kept, as diagnostics at their places.
pub fn diagnostics(catalog: &Catalog, findings: &[Finding]) -> Vec<Diagnostic> {
    let broken = findings.iter().filter(|finding| matches!(finding.outcome, Kept::Broken | Kept::Failed));
    broken.map(|finding| diagnostic(catalog, finding)).collect()
}

fn diagnostic(catalog: &Catalog, finding: &Finding) -> Diagnostic {
    let mut all = catalog.expectations.iter();
    let known = all.find(|it| it.item.package == finding.package && it.item.name == finding.expectation);
    let stops = finding.severity == Severity::Stop.name();
    let code = if stops { codes::EXPECTATION_BROKEN } else { codes::EXPECTATION_WARNS };
    let message = finding.message.clone().unwrap_or_else(|| "it is broken".to_string());
    let mut diagnostic = Diagnostic::new(code, format!("`{}`: {message}", finding.expectation));
    if !finding.examples.is_empty() {
        let more = if finding.broken > finding.examples.len() as u64 { "; …" } else { "" };
        diagnostic = diagnostic.note(format!("{}{more}", finding.examples.join("; ")));
    }
    let Some(expectation) = known else { return diagnostic };
    diagnostic = diagnostic.at(expectation.item.span);
    match &expectation.because {
        Some(because) => diagnostic.note(format!("expected because: {because}")),
        None => diagnostic,
    }
}
