//! A published folder between two runs: what is current, what is left over, and how the new takes the old one's place.

use std::collections::{HashMap, HashSet};
use std::path::Path as FilePath;
use std::time::Duration;

use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as ObjectError, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use futures::{StreamExt, TryStreamExt};

use super::faults::step;
use super::report::Report;
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::store::again::{again, get, list};
use crate::store::destination::Destination;
use crate::store::manifest::{
    self, DATA, EXPECTED, FAILED, FOLDER, Failed, File, Finding, Found, MANIFEST, Manifest, REMEMBERED, RESTATED, Ran,
    Restated,
};

/// How many left-over objects are deleted at once.
const DELETIONS: usize = 16;

/// What is published in a folder, in the version that was read.
pub type Current = Option<(Manifest, UpdateVersion)>;

/// What is published there now.
///
/// # Errors
/// [`Error::Data`] with the reason.
pub async fn current(destination: &Destination) -> Result<Current> {
    manifest::read(destination.store.as_ref(), &destination.folder, &destination.shown).await.map_err(told)
}

/// What is published there as far as it is still whole, and the files that are gone or have another length than when they
/// were written: a run makes these anew, whatever else it does.
///
/// # Errors
/// [`Error::Data`], if nobody can tell.
pub async fn sound(destination: &Destination, current: &Current) -> Result<(Option<Manifest>, Vec<File>)> {
    let Some((manifest, _)) = current else { return Ok((None, vec![])) };
    let there = lengths(destination).await?;
    let is_whole = |file: &File| there.get(&destination.below(&file.path)) == Some(&file.bytes);
    let mut manifest = manifest.clone();
    let (whole, lost) = std::mem::take(&mut manifest.files).into_iter().partition(is_whole);
    manifest.files = whole;
    manifest.rows = manifest.files.iter().map(|file| file.rows).sum();
    manifest.bytes = manifest.files.iter().map(|file| file.bytes).sum();
    Ok((Some(manifest), lost))
}

/// The lengths of the data files that there are.
async fn lengths(destination: &Destination) -> Result<HashMap<Path, u64>> {
    let data = format!("{FOLDER}/{DATA}");
    let listed = list(destination.store.as_ref(), &destination.below(&data)).await;
    let listed = listed.map_err(|error| told(destination.failed(&data, &error)))?;
    Ok(listed.into_iter().map(|meta| (meta.location, meta.size)).collect())
}

fn told(error: StoreError) -> Error {
    match error.help.clone() {
        Some(help) => Error::Data(format!("{error}; {help}")),
        None => Error::Data(error.to_string()),
    }
}

/// Refuses a folder that holds something else: what lists it would no longer find that.
///
/// # Errors
/// [`Error::Data`] that names it.
pub async fn require_own(destination: &Destination) -> Result<()> {
    let listed = again(async || destination.store.list_with_delimiter(Some(&destination.folder)).await).await;
    let listed = listed.map_err(|error| told(destination.failed("", &error)))?;
    let own = destination.below(FOLDER);
    let others = listed.common_prefixes.into_iter().filter(|path| *path != own);
    let mut others = listed.objects.into_iter().map(|meta| meta.location).filter(|path| *path != own).chain(others);
    match others.next() {
        Some(other) => {
            let name = other.filename().unwrap_or_default();
            let shown = &destination.shown;
            Err(Error::Data(format!("{shown}: there is `{name}`; a publication needs a folder of its own")))
        }
        None => Ok(()),
    }
}

/// Removes what no manifest names: the files that the last run replaced, and what a killed one left. How many they were.
///
/// # Errors
/// [`Error::Io`], [`Error::Data`], if they cannot be removed.
pub async fn clean(destination: &Destination, current: Option<&Manifest>) -> Result<usize> {
    let files = current.iter().flat_map(|it| &it.files).map(|file| file.path.clone());
    let restated = current.iter().flat_map(|it| &it.restated).map(|run| format!("{FOLDER}/{RESTATED}/{run}.jsonl"));
    let kept: HashSet<String> = files.chain(restated).collect();
    match &destination.local {
        Some(folder) => {
            let mut removed = 0;
            clean_folder(folder, FOLDER, &kept, &mut removed)?;
            Ok(removed)
        }
        None => clean_store(destination, &kept).await,
    }
}

/// Remembers a run that is about to be published.
pub fn remember(manifest: &mut Manifest, before: Option<&Manifest>, report: &Report, computed: Duration) {
    let mut history = before.map(|before| before.history.clone()).unwrap_or_default();
    history.push(Ran {
        run: manifest.run.clone(),
        at: manifest.published_at.clone(),
        seconds: (computed.as_secs_f64() * 1000.0).round() / 1000.0,
        rows: report.rows,
        bytes: report.bytes,
        files: report.files as u64,
        kept: report.kept as u64,
        files_read: report.input_files() as u64,
        bytes_read: report.input_bytes(),
        definition: manifest.definition.clone(),
        restated: report.restated,
        held: report.held,
        late: report.late.len() as u64,
    });
    let excess = |length: usize| length.saturating_sub(REMEMBERED);
    history.drain(..excess(history.len()));
    manifest.history = history;
    manifest.restated.drain(..excess(manifest.restated.len()));
}

/// Writes the values that a run moves.
///
/// # Errors
/// [`Error::Data`], if that cannot be done.
pub async fn keep_restated(destination: &Destination, run: &str, lines: &[Restated]) -> Result<()> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line).map_err(|error| Error::Data(error.to_string()))?;
        text.push('\n');
    }
    step();
    put(destination, &format!("{FOLDER}/{RESTATED}/{run}.jsonl"), text).await
}

/// Writes down what a run has found of expectations.
///
/// # Errors
/// [`Error::Data`], if that cannot be done.
pub async fn keep_findings(destination: &Destination, run: &str, findings: &[Finding]) -> Result<()> {
    let found = Found { run: run.to_string(), at: super::now(), findings: findings.to_vec() };
    let text = serde_json::to_string_pretty(&found).map_err(|error| Error::Data(error.to_string()))?;
    put(destination, &format!("{FOLDER}/{EXPECTED}"), text).await
}

/// What the last run that looked has found of expectations.
///
/// # Errors
/// [`Error::Data`], if that cannot be read.
pub async fn findings(destination: &Destination) -> Result<Vec<Finding>> {
    let name = format!("{FOLDER}/{EXPECTED}");
    match get(destination.store.as_ref(), &destination.below(&name)).await {
        // What another version has written says nothing here.
        Ok(found) => Ok(serde_json::from_slice::<Found>(&found.bytes).map_or_else(|_| vec![], |found| found.findings)),
        Err(ObjectError::NotFound { .. }) => Ok(vec![]),
        Err(error) => Err(told(destination.failed(&name, &error))),
    }
}

/// Writes down a run that failed; after any other, a failure of before is over. If that fails too, there is nothing more to
/// be done.
pub async fn remember_end(destination: &Destination, report: &Report, done: &Result<()>) {
    match done {
        Err(error) => remember_failure(destination, report, error).await,
        Ok(()) => {
            let path = destination.below(&format!("{FOLDER}/{FAILED}"));
            _ = again(async || destination.store.delete(&path).await).await;
        }
    }
}

async fn remember_failure(destination: &Destination, report: &Report, error: &Error) {
    let failed = Failed {
        run: report.run.clone(),
        at: super::now(),
        definition: report.definition.clone(),
        error: error.to_string(),
    };
    if let Ok(text) = serde_json::to_string(&failed) {
        _ = put(destination, &format!("{FOLDER}/{FAILED}"), text).await;
    }
}

async fn put(destination: &Destination, name: &str, text: String) -> Result<()> {
    let path = destination.below(name);
    let put = again(async || destination.store.put(&path, text.clone().into()).await).await;
    put.map(drop).map_err(|error| told(destination.failed(name, &error)))
}

/// The system's own view also shows what was cut off in the middle of a write.
fn clean_folder(root: &FilePath, below: &str, kept: &HashSet<String>, removed: &mut usize) -> Result<bool> {
    let folder = root.join(below);
    let failed = |error| Error::io(&folder, error);
    let mut empty = true;
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = format!("{below}/{}", entry.file_name().to_string_lossy());
        let own = [MANIFEST, "lock", FAILED, EXPECTED].iter().any(|name| path == format!("{FOLDER}/{name}"));
        if entry.file_type().map_err(failed)?.is_dir() {
            empty &= clean_folder(root, &path, kept, removed)?;
        } else if own || kept.contains(&path) {
            empty = false;
        } else {
            std::fs::remove_file(entry.path()).map_err(failed)?;
            *removed += 1;
        }
    }
    if empty {
        std::fs::remove_dir(&folder).map_err(failed)?;
    }
    Ok(empty)
}

async fn clean_store(destination: &Destination, kept: &HashSet<String>) -> Result<usize> {
    let store = &destination.store;
    let kept: HashSet<Path> = kept.iter().map(|path| destination.below(path)).collect();
    let mut removed = 0;
    for folder in [DATA, RESTATED] {
        let folder = format!("{FOLDER}/{folder}");
        let failed = |error: ObjectError| told(destination.failed(&folder, &error));
        let listed = list(store.as_ref(), &destination.below(&folder)).await.map_err(failed)?;
        let left = listed.into_iter().map(|meta| meta.location).filter(|path| !kept.contains(path));
        let delete = async |path: Path| match again(async || store.delete(&path).await).await {
            Err(ObjectError::NotFound { .. }) | Ok(()) => Ok(1),
            Err(error) => Err(error),
        };
        let deleted = futures::stream::iter(left).map(delete).buffer_unordered(DELETIONS);
        removed += deleted.try_fold(0, async |sum, one| Ok(sum + one)).await.map_err(failed)?;
    }
    Ok(removed)
}

/// Puts a manifest in place of the version that the run began with: the one step in which readers come to see the new whole.
///
/// # Errors
/// [`Error::Data`], if another run has published meanwhile; [`Error::Io`].
pub async fn replace(
    destination: &Destination,
    manifest: &Manifest,
    before: Option<&UpdateVersion>,
) -> Result<UpdateVersion> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::Data(error.to_string()))?;
    step();
    if let Some(folder) = &destination.local {
        replace_file(folder, &text, &manifest.run, &manifest.files)?;
        return Ok(UpdateVersion { e_tag: None, version: None });
    }
    let mode = before.map_or(PutMode::Create, |before| PutMode::Update(before.clone()));
    let path = manifest::manifest_path(&destination.folder);
    match destination.store.put_opts(&path, text.into(), PutOptions::from(mode)).await {
        Ok(done) => Ok(UpdateVersion { e_tag: done.e_tag, version: done.version }),
        Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
            // Where the answer to a first try was lost, the second one finds what the first has done.
            match current(destination).await? {
                Some((found, version)) if found == *manifest => Ok(version),
                _ => Err(Error::Data(format!("{}: another run has published meanwhile", destination.shown))),
            }
        }
        Err(error) => Err(told(destination.failed(&format!("{FOLDER}/{MANIFEST}"), &error))),
    }
}

/// What is on the disk before its name is cannot be lost by a power failure either.
fn replace_file(folder: &FilePath, text: &[u8], run: &str, files: &[manifest::File]) -> Result<()> {
    for file in files.iter().filter(|file| file.run == run) {
        let path = folder.join(&file.path);
        std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|error| Error::io(&path, error))?;
    }
    let path = folder.join(FOLDER).join(MANIFEST);
    let failed = |error| Error::io(&path, error);
    let beside = folder.join(FOLDER).join(format!("{MANIFEST}#{run}"));
    let mut file = std::fs::File::create(&beside).map_err(failed)?;
    std::io::Write::write_all(&mut file, text).and_then(|()| file.sync_all()).map_err(failed)?;
    step();
    std::fs::rename(&beside, &path).map_err(failed)?;
    step();
    Ok(())
}
