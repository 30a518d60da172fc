//! Locations to files: which files a source has, and the values that their folders give.

use std::collections::{BTreeSet, HashMap};

use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as ObjectError, ObjectMeta, ObjectStoreExt};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use glob::MatchOptions;

use super::location::{Location, locate};
use super::reach::{self, Reach};
use super::{SourceSpec, StoreError, again, hive, manifest};
use crate::diagnostic::codes;

/// A file of a source.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    /// As the object store knows it.
    pub meta: ObjectMeta,
    /// As the user would write it, without secrets.
    pub shown: String,
    /// The values of the source's partition columns.
    pub partition: Vec<ScalarValue>,
}

/// The files of a source within reach, in order of their paths, with the store that all of them lie in.
pub(super) async fn list(
    spec: &SourceSpec,
    reach: &Reach,
    ctx: &SessionContext,
) -> Result<(Location, Vec<DataFile>), StoreError> {
    let mut first: Option<Location> = None;
    let mut files: Vec<DataFile> = Vec::new();
    for text in &spec.locations {
        let location = locate(text, ctx)?;
        files.extend(files_of(&location, spec, reach, ctx).await?);
        match &first {
            Some(known) if known.store_url != location.store_url => {
                let reason = "the locations of one source must lie in one store";
                return Err(StoreError::new(codes::BAD_LOCATION, reason).in_file(text));
            }
            Some(_) => {}
            None => first = Some(location),
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.meta.location.clone()));
    files.sort_by(|a, b| a.meta.location.cmp(&b.meta.location));
    match first {
        Some(location) if !files.is_empty() => Ok((location, files)),
        _ => Err(StoreError::new(codes::FILE_MISSING, "no location is given")),
    }
}

async fn files_of(
    location: &Location,
    spec: &SourceSpec,
    reach: &Reach,
    ctx: &SessionContext,
) -> Result<Vec<DataFile>, StoreError> {
    if location.glob.is_none() && !location.folder {
        match location.store.head(&location.path).await {
            Ok(meta) => return Ok(vec![data_file(location, meta, &[], spec)?]),
            Err(ObjectError::NotFound { .. }) => {}
            Err(error) => return Err(StoreError::from_store(&location.shown, &error)),
        }
    }
    let listed = match reach::listed(location, spec, reach, ctx).await {
        Some(listed) => listed,
        None => list_folder(location).await?,
    };
    if location.glob.is_none() && is_published(location, &listed) {
        return published_files(location, listed, spec).await;
    }
    let mut files = Vec::new();
    for meta in listed {
        let rest: Vec<String> = match meta.location.prefix_match(&location.path) {
            Some(parts) => parts.map(|part| part.as_ref().to_string()).collect(),
            None => continue,
        };
        refuse_table_formats(location, &rest)?;
        if is_wanted(location, &rest) {
            check_depth(location, &rest, spec)?;
            files.push(data_file(location, meta, &rest, spec)?);
        }
    }
    if files.is_empty() { Err(nothing_found(location)) } else { Ok(files) }
}

fn is_published(location: &Location, listed: &[ObjectMeta]) -> bool {
    let manifest = manifest::manifest_path(&location.path);
    listed.iter().any(|meta| meta.location == manifest)
}

/// How often a manifest is read again of which a file has gone: a run has replaced it meanwhile.
const ATTEMPTS: usize = 3;

/// The files that the manifest of a published folder names: the current whole, whatever else lies there.
async fn published_files(
    location: &Location,
    mut listed: Vec<ObjectMeta>,
    spec: &SourceSpec,
) -> Result<Vec<DataFile>, StoreError> {
    for _ in 0..ATTEMPTS {
        let read = manifest::read(location.store.as_ref(), &location.path, &location.shown).await?;
        let Some((manifest, _)) = read else { return Err(nothing_found(location)) };
        if manifest.format != spec.format.name() {
            let reason = format!("publication `{}` is written as {}", manifest.publication, manifest.format);
            let help = format!("write `from {} '{}'`", manifest.format, location.shown);
            return Err(StoreError::new(codes::BAD_LAYOUT, reason).in_file(&location.shown).help(help));
        }
        let known: HashMap<&Path, &ObjectMeta> = listed.iter().map(|meta| (&meta.location, meta)).collect();
        let file = |file: &manifest::File| {
            let meta = known.get(&below(location, &file.path)).filter(|meta| meta.size == file.bytes)?;
            // Before the folders of partitions there are those of the run.
            let rest: Vec<String> = file.path.split('/').skip(3).map(str::to_string).collect();
            Some(data_file(location, ObjectMeta::clone(meta), &rest, spec))
        };
        match manifest.files.iter().map(file).collect::<Option<Vec<_>>>() {
            Some(files) if files.is_empty() => {
                let reason = format!("publication `{}` has no rows, and so no files", manifest.publication);
                return Err(StoreError::new(codes::FILE_MISSING, reason).in_file(&location.shown));
            }
            Some(files) => return files.into_iter().collect(),
            None => listed = list_folder(location).await?,
        }
    }
    let reason = "files that its manifest names are missing";
    Err(StoreError::new(codes::FILE_MISSING, reason).in_file(&location.shown).help("run the publication again"))
}

fn below(location: &Location, path: &str) -> Path {
    let parsed = Path::parse(path).unwrap_or_else(|_| Path::from(path));
    Path::from_iter(location.path.parts().chain(parsed.parts()))
}

async fn list_folder(location: &Location) -> Result<Vec<ObjectMeta>, StoreError> {
    let listed = again::list(location.store.as_ref(), &location.path).await;
    listed.map_err(|error| {
        let error = StoreError::from_store(&location.shown, &error);
        match location.store_url.as_str().starts_with("http") {
            true => error.help("plain web servers cannot list folders: name the files"),
            false => error,
        }
    })
}

fn nothing_found(location: &Location) -> StoreError {
    let local = location.store_url.as_str().starts_with("file:");
    let reason = match &location.glob {
        Some(glob) => format!("no file matches `{glob}`"),
        None if local && !std::path::Path::new("/").join(location.path.as_ref()).is_dir() => {
            "there is no such file or folder".to_string()
        }
        None => "the folder holds no file".to_string(),
    };
    StoreError::new(codes::FILE_MISSING, reason).in_file(&location.shown)
}

/// Files and folders whose names begin with `_` or `.` are what writers leave behind (`_SUCCESS`, `.part.crc`);
/// names with `=` are partitions.
fn is_wanted(location: &Location, rest: &[String]) -> bool {
    let hidden = |part: &String| part.starts_with(['_', '.']) && !part.contains('=');
    if rest.is_empty() || rest.iter().any(hidden) {
        return false;
    }
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    location.glob.as_ref().is_none_or(|glob| glob.matches_with(&rest.join("/"), options))
}

/// Reading the files of such a table as plain files would count rows that the table has deleted.
fn refuse_table_formats(location: &Location, rest: &[String]) -> Result<(), StoreError> {
    let iceberg =
        rest.iter().any(|part| part == "metadata") && rest.iter().any(|part| part.ends_with(".metadata.json"));
    let kind = match () {
        () if rest.iter().any(|part| part == "_delta_log") => "Delta Lake",
        () if rest.iter().any(|part| part == ".hoodie") => "Hudi",
        () if iceberg => "Iceberg",
        () => return Ok(()),
    };
    let reason = format!("this is a {kind} table; its files alone also hold rows that the table has deleted");
    Err(StoreError::new(codes::BAD_LAYOUT, reason)
        .in_file(&location.shown)
        .help("register it as a table in the embedding program and use `from table`, or export it to plain files"))
}

/// A plain folder means the files in it. Files deeper down are neither dropped nor mixed in without a word.
fn check_depth(location: &Location, rest: &[String], spec: &SourceSpec) -> Result<(), StoreError> {
    if location.glob.is_some() || rest.len() == 1 || !spec.partitions.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = rest.iter().filter_map(|part| hive::parts(part)).map(|(key, _)| key).collect();
    let help = match keys.is_empty() {
        true => format!("to read the sub-folders too, write '{}/**/*'", location.shown),
        false => format!("declare the folders: partition by {}", keys.join(", ")),
    };
    let reason = format!("the folder has sub-folders with files (`{}`)", rest.join("/"));
    Err(StoreError::new(codes::BAD_LAYOUT, reason).in_file(&location.shown).help(help))
}

fn data_file(
    location: &Location,
    meta: ObjectMeta,
    rest: &[String],
    spec: &SourceSpec,
) -> Result<DataFile, StoreError> {
    let shown = match rest.is_empty() {
        true => location.shown.clone(),
        false if location.shown.is_empty() => rest.join("/"),
        false => format!("{}/{}", location.shown, rest.join("/")),
    };
    let partition = partition_values(meta.location.as_ref(), rest, spec).map_err(|error| error.in_file(&shown))?;
    Ok(DataFile { meta, shown, partition })
}

/// The values of the declared partition columns in a file's path. A partition folder that is not declared would lose a
/// column, so it is refused.
fn partition_values(path: &str, rest: &[String], spec: &SourceSpec) -> Result<Vec<ScalarValue>, StoreError> {
    let declared = |key: &str| spec.partitions.iter().any(|(name, _)| name == key);
    let folders = &rest[..rest.len().saturating_sub(1)];
    let undeclared = folders.iter().filter_map(|part| hive::parts(part)).find(|(key, _)| !declared(key));
    if let Some((key, _)) = undeclared {
        let reason = format!("the folder `{key}=…` is not declared as a partition");
        return Err(StoreError::new(codes::BAD_LAYOUT, reason).help(format!("add `{key}` to `partition by`")));
    }
    spec.partitions.iter().map(|(name, data_type)| hive::value(path, name, data_type)).collect()
}
