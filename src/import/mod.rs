//! Projects from foreign models: read one, write readable Bell, and say what became of everything in it.

mod draft;
pub mod metricflow;
mod report;
mod text;

use std::path::Path;

pub use report::{Entry, Fidelity, Kind, Report};

use crate::error::{Error, Result};

/// A project is somebody's work: it is never overwritten, nor mixed with.
fn refuse_existing(folder: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut names = entries.flatten().map(|entry| entry.path());
    match names.find(|path| path.extension().is_some_and(|ending| ending == "bell")) {
        Some(path) => Err(Error::Data(format!("{} is there already: choose an empty folder", path.display()))),
        None => Ok(()),
    }
}
