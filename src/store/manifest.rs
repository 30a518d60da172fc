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
/// The folder of values that moved.
pub const RESTATED: &str = "restated";
/// The last run that failed, if none has published since.
pub const FAILED: &str = "failed.json";
/// What the last run found of expectations.
pub const EXPECTED: &str = "expectations.json";
/// So many runs are remembered.
pub const REMEMBERED: usize = 100;

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
    /// The latest runs, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Ran>,
    /// The runs that moved values of closed periods: `_bell/restated/RUN.jsonl` has these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restated: Vec<String>,
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
    /// Whether only these periods were asked for: what else is new in the files that it read was left for another run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// What it read.
    pub inputs: Vec<Input>,
    /// The columns of its files, if they are others than the manifest's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
}

/// A run that has published, in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Its id.
    pub run: String,
    /// When, in UTC.
    pub at: String,
    /// How long it computed.
    pub seconds: f64,
    /// How many rows it wrote.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
    /// How many files of earlier runs stayed.
    pub kept: u64,
    /// How many files it read.
    pub files_read: u64,
    /// How many bytes these have.
    pub bytes_read: u64,
    /// The hash of the definition.
    pub definition: String,
    /// How many values of closed periods moved.
    #[serde(default)]
    pub restated: u64,
    /// How many would have moved, but are final.
    #[serde(default)]
    pub held: u64,
    /// In how many periods rows came later than `lookback` says, and were left out.
    #[serde(default)]
    pub late: u64,
}

/// A run that failed: `_bell/failed.json`, until one has published after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Its id.
    pub run: String,
    /// When, in UTC.
    pub at: String,
    /// The hash of the definition.
    pub definition: String,
    /// Why.
    pub error: String,
}

/// A value of a closed period that moved: a line of `_bell/restated/RUN.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restated {
    /// The run that moved it.
    pub run: String,
    /// When, in UTC.
    pub at: String,
    /// The keys of the value, as text.
    pub keys: Map<String, Value>,
    /// The column.
    pub indicator: String,
    /// The value before; `None`: there was no row, or NULL.
    pub was: Option<String>,
    /// The value now.
    pub is: Option<String>,
    /// Why: what has changed since the run before.
    pub because: String,
    /// Whether the period is final, so that the value stays what it was.
    pub held: bool,
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
    /// Where it lies: on this machine from the root, elsewhere as the source names it, without secrets.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its version, where the store has one; else when it was listed, if length and time do not tell it from another.
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

/// What a run found of the expectations that its publication depends on: `_bell/expectations.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The run.
    pub run: String,
    /// When, in UTC.
    pub at: String,
    /// What it found.
    pub findings: Vec<Finding>,
}

/// What was found of an expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The package.
    pub package: String,
    /// What is expected, as written.
    pub expectation: String,
    /// `stop` or `warn`.
    pub severity: String,
    /// How it is.
    pub outcome: Kept,
    /// How many rows, or groups, break it.
    pub broken: u64,
    /// Of how many.
    pub of: u64,
    /// The keys of up to five of them.
    #[serde(default)]
    pub examples: Vec<String>,
    /// What is wrong, in a sentence.
    #[serde(default)]
    pub message: Option<String>,
}

impl Finding {
    /// Whether it is about the same expectation as another one.
    pub fn is_about_what(&self, other: &Finding) -> bool {
        self.package == other.package && self.expectation == other.expectation
    }
}

/// Whether an expectation is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// It is.
    Kept,
    /// It is not.
    Broken,
    /// It could not be found out.
    Failed,
    /// It would be looked at.
    Planned,
}

impl Kept {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Kept::Kept => "kept",
            Kept::Broken => "broken",
            Kept::Failed => "failed",
            Kept::Planned => "planned",
        }
    }
}
