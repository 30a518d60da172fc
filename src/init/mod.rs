//! `bell init`: looks at files and writes a first project.
//!
//! Files become sources (`candidates`), their values tell keys, times and joins (`find`), and names tell what is
//! worth asking for (`ratios`, `write`). Everything that was guessed is written with the reason in a comment, because whoever
//! reads the project must be able to judge it.

mod candidates;
mod find;
mod ratios;
mod write;

use std::path::{Path, PathBuf};

use datafusion::prelude::SessionContext;

use crate::error::{Error, Result};

/// What [`init`] found and wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InitReport {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// One line a source: its rows, key, time and joins.
    pub sources: Vec<String>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

impl std::fmt::Display for InitReport {
    /// What `bell init` prints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for source in &self.sources {
            writeln!(f, "  {source}")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "left out: {skipped}")?;
        }
        let folder = self.files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
        writeln!(f, "{} files written; next: bell check -p {} --data", self.files.len(), folder.display())
    }
}

/// Writes a project into `dir` over the files that `from` names (files, folders, globs or URLs): a `.bell` file for each
/// source.
///
/// # Errors
/// [`Error::Data`] if `dir` already holds a project, nothing matches, or no file can be read; [`Error::Io`] if `dir`
/// cannot be written.
pub async fn init(dir: &Path, from: &[String], ctx: &SessionContext) -> Result<InitReport> {
    refuse_existing(dir)?;
    std::fs::create_dir_all(dir).map_err(|e| Error::io(dir, e))?;
    let candidates = candidates::candidates(dir, from)?;
    let mut report = InitReport::default();
    let mut tables = Vec::new();
    for candidate in candidates {
        match find::Table::open(candidate, ctx).await {
            Ok(table) => tables.push(table),
            Err(reason) => report.skipped.push(reason),
        }
    }
    if tables.is_empty() {
        return Err(Error::Data(format!("no file can be read as a source: {}", report.skipped.join("; "))));
    }
    leave_out_time_spines(&mut tables, &mut report);
    find::joins(&mut tables).await?;
    for (name, text) in write::project(&tables) {
        let path = dir.join(format!("{name}.bell"));
        std::fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
        report.files.push(path);
    }
    report.sources = tables.iter().map(write::summary).collect();
    Ok(report)
}

/// A table of moments and nothing else measures nothing, and grouping by time needs none; alone it is what was asked for.
fn leave_out_time_spines(tables: &mut Vec<find::Table>, report: &mut InitReport) {
    if tables.iter().all(find::Table::is_time_spine) {
        return;
    }
    for spine in tables.extract_if(.., |table| table.is_time_spine()) {
        report
            .skipped
            .push(format!("{}: it holds moments and nothing else, and grouping by time needs no table", spine.name()));
    }
}

/// A project is somebody's work: it is never overwritten, nor mixed with.
fn refuse_existing(dir: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    let mut names = entries.flatten().map(|entry| entry.path());
    match names.find(|path| path.extension().is_some_and(|ending| ending == "bell")) {
        Some(path) => Err(Error::Data(format!("{} is there already: choose an empty folder", path.display()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
