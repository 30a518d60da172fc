//! Finds and opens the project that a command is about.

use std::path::{Path, PathBuf};

use bellwether::engine::Question;
use bellwether::source::SourceSet;
use bellwether::{Engine, Error};

use super::limits::LimitArgs;
use super::{Common, Failure};

/// The folder given, or else the nearest folder upwards that holds a `.bell` file, or else the current one (whose
/// files may all lie in folders below).
pub fn folder(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(folder) = &common.project {
        return Ok(folder.clone());
    }
    let here = Path::new(".");
    let current = std::env::current_dir().map_err(|e| Failure::new(Error::io(here, e), SourceSet::default()))?;
    let found = current.ancestors().position(has_bell_file);
    // Relative, so that messages show paths as short as the user would write them.
    Ok(match found {
        None | Some(0) => here.to_path_buf(),
        Some(levels) => std::iter::repeat_n("..", levels).collect(),
    })
}

/// Opens the project; the failure shows everything that is wrong in it.
pub async fn open(common: &Common) -> Result<Engine, Failure> {
    open_within(common, &LimitArgs::default()).await
}

/// The same, with limits on what answering may take.
pub async fn open_within(common: &Common, limits: &LimitArgs) -> Result<Engine, Failure> {
    let folder = folder(common)?;
    let opened = match common.roles.as_slice() {
        [] => Engine::open_within(&folder, &limits.limits()).await,
        roles => Engine::open_as(&folder, &limits.limits(), &roles.iter().cloned().collect()).await,
    };
    opened.map_err(|error| Failure::new(error, texts(&folder)))
}

/// The same for one question: folders that it cannot need are not listed.
pub async fn open_for(question: &Question, common: &Common, limits: &LimitArgs) -> Result<Engine, Failure> {
    let folder = folder(common)?;
    let roles = (!common.roles.is_empty()).then(|| common.roles.iter().cloned().collect());
    let opened = Engine::open_for(question, &folder, &limits.limits(), roles.as_ref()).await;
    opened.map_err(|error| Failure::new(error, texts(&folder)))
}

/// The project's files, to show errors with; without them if they cannot be read, which is then the error to be shown.
pub fn texts(folder: &Path) -> SourceSet {
    SourceSet::load(folder).unwrap_or_default()
}

fn has_bell_file(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|ending| ending == "bell"))
}
