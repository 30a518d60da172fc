//! What is chosen, as Bell that the project checks.

use std::collections::HashSet;

use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::candidate::{Candidate, supposed};
use super::size::Size;
use crate::catalog::Catalog;
use crate::catalog::rollup::Rollup;
use crate::engine::{Engine, Limits, Project};
use crate::error::Result;
use crate::plan::cells::cells_of;
use crate::source::SourceSet;

/// A rollup that is proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Proposal {
    /// The package that it belongs to.
    pub package: String,
    /// Its name.
    pub name: String,
    /// Its declaration.
    pub text: String,
    /// About how many cells it has.
    pub cells: u64,
    /// About how many bytes they take.
    pub bytes: u64,
    /// How many of the lines it answers, at least in part.
    pub questions: usize,
    /// How many different questions these are.
    pub different: usize,
}

/// What is proposed, as the project checked it.
pub(super) struct Written {
    pub(super) proposals: Vec<Proposal>,
    /// The same as if they were stored.
    pub(super) rollups: Vec<Rollup>,
}

impl Written {
    /// Writes the declarations, and has them checked with the project: what does not pass is not proposed.
    pub(super) async fn of(engine: &Engine, chosen: Vec<(Candidate, Size)>) -> Result<Written> {
        let catalog = engine.catalog();
        let mut taken = names_in(catalog);
        let mut proposals: Vec<Proposal> = Vec::new();
        for (candidate, Size { cells, bytes }) in chosen {
            let name = name_for(catalog, &candidate, &mut taken);
            let text = candidate.text(catalog, &name);
            let package = candidate.package;
            proposals.push(Proposal { package, name, text, cells, bytes, questions: 0, different: 0 });
        }
        if proposals.is_empty() {
            return Ok(Written { proposals, rollups: vec![] });
        }
        let checked = checked(engine, &proposals).await?;
        let mut rollups = Vec::new();
        for proposal in &proposals {
            let is_it = |rollup: &&Rollup| rollup.item.package == proposal.package && rollup.item.name == proposal.name;
            if let Some(rollup) = checked.rollups.iter().find(is_it) {
                let cells = cells_of(&checked, rollup)?;
                rollups.push(supposed(rollup.clone(), &cells, |_| proposal.cells));
            }
        }
        Ok(Written { proposals, rollups })
    }
}

/// The model with the proposals in it.
async fn checked(engine: &Engine, proposals: &[Proposal]) -> Result<std::sync::Arc<Catalog>> {
    let mut sources = SourceSet::clone(engine.sources());
    for proposal in proposals {
        let text = format!("{}{}", package_line(&proposal.package), proposal.text);
        sources.add(&format!("<{}>", proposal.name), &text);
    }
    let ctx: SessionContext = Engine::session(&Limits::default())?;
    Ok(Project::of(sources, &ctx).await.sound()?.catalog)
}

/// The line that puts what follows into a package.
pub(super) fn package_line(package: &str) -> String {
    match package {
        "public" => String::new(),
        name => format!("package {name}\n\n"),
    }
}

/// What names stand for something.
fn names_in(catalog: &Catalog) -> HashSet<String> {
    let rollups = catalog.rollups.iter().map(|it| &it.item);
    let publications = catalog.publications.iter().map(|it| &it.item);
    rollups.chain(publications).map(|item| item.name.clone()).collect()
}

/// A name that tells the keys.
fn name_for(catalog: &Catalog, candidate: &Candidate, taken: &mut HashSet<String>) -> String {
    let last = |path: Vec<String>| path.last().cloned().unwrap_or_default();
    let keys: Vec<String> = candidate.by(catalog).into_iter().map(|(path, _)| last(path)).collect();
    let base = if keys.is_empty() { "totals".to_string() } else { format!("by_{}", keys.join("_")) };
    let plain: String = base.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let numbered = (2..).map(|number| format!("{plain}_{number}"));
    let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken.contains(name));
    let name = name.unwrap_or(plain);
    taken.insert(name.clone());
    name
}
