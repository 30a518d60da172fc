//! The manifest of a published folder: which files are the current whole.
//!
//! A published folder holds one folder, `_bell`, with immutable data files below `_bell/data/RUN/` and the manifest
//! `_bell/manifest.json`, which is replaced in one step. Readers of the folder, ours included, take what the manifest names
//! and nothing else. Names that begin with `_` are skipped by readers that list folders (Hive, Spark, Trino, Arrow, Bell's
//! own), so one that knows nothing of manifests finds nothing, instead of half a run or two runs at once.

use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as ObjectError, ObjectStore, UpdateVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{StoreError, again};
use crate::diagnostic::codes;

/// The folder of everything that runs write.
pub const FOLDER: &str = "_bell";
/// The manifest's name in it.
pub const MANIFEST: &str = "manifest.json";
/// The folder of data files in it.
pub const DATA: &str = "data";

/// The form of manifests that this version writes, and the latest that it reads.
pub const FORM: u32 = 1;

/// What a published folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub bell: u32,
    /// The publication, with its package.
    pub publication: String,
    /// The run that made it.
    pub run: String,
    /// When it was put in place, in UTC.
    pub published_at: String,
    /// The hash of the definition that its values have.
    pub definition: String,
    /// How the files are written: `parquet`, `csv`, `json`.
    pub format: String,
    /// Names and types of the columns, those in the names of folders included.
    pub columns: Vec<Column>,
    /// The columns that stand in the names of folders, outermost first.
    pub partitions: Vec<String>,
    /// How many rows there are.
    pub rows: u64,
    /// How many bytes the files have.
    pub bytes: u64,
    /// The files.
    pub files: Vec<File>,
    /// The runs that the files are from.
    pub runs: Vec<Made>,
    /// The run that took over from one that had died: it makes this file another version, so that the dead one, should it
    /// come back to life, cannot put its own manifest in place any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as Arrow writes it.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its path below the published folder.
    pub path: String,
    /// The values of the partition columns as text, `null` for NULL.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub partition: Map<String, Value>,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The run that wrote it.
    pub run: String,
}

/// A run that files are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Its id.
    pub run: String,
    /// When it was published, in UTC.
    pub at: String,
    /// The first period of `--from`, if only a part was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last period of `--to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it read.
    pub inputs: Vec<Input>,
}

/// A source that a run read, in the version that it read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The source.
    pub source: String,
    /// Its files.
    pub files: Vec<InputFile>,
}

/// A file that a run read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputFile {
    /// As the source names it, without secrets.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its version, where the store has one.
    pub etag: Option<String>,
    /// When it was last changed, in UTC.
    pub modified: String,
}

/// The manifest's path in a folder.
pub fn manifest_path(folder: &Path) -> Path {
    folder.clone().join(FOLDER).join(MANIFEST)
}

/// The manifest of a folder and its version; `None` if nothing is published there.
///
/// # Errors
/// A [`StoreError`], if it cannot be read, or is of a later form than this version knows.
pub async fn read(
    store: &dyn ObjectStore,
    folder: &Path,
    shown: &str,
) -> Result<Option<(Manifest, UpdateVersion)>, StoreError> {
    let name = format!("{}/{FOLDER}/{MANIFEST}", shown.trim_end_matches('/'));
    let found = match again::get(store, &manifest_path(folder)).await {
        Ok(found) => found,
        Err(ObjectError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(StoreError::from_store(&name, &error)),
    };
    let broken = |reason: String| StoreError::new(codes::FILE_UNREADABLE, reason).in_file(&name);
    let form = serde_json::from_slice::<Form>(&found.bytes).map_err(|error| broken(error.to_string()))?;
    if form.bell > FORM {
        let reason = format!("it has form {}, and this version of Bellwether reads up to {FORM}", form.bell);
        return Err(broken(reason).help("update Bellwether"));
    }
    let manifest = serde_json::from_slice(&found.bytes).map_err(|error| broken(error.to_string()))?;
    Ok(Some((manifest, found.version)))
}

#[derive(Deserialize)]
struct Form {
    bell: u32,
}
