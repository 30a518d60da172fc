//! Files and object stores: the outside as data.
//!
//! A source declaration becomes a [`SourceSpec`]; [`open`] turns it into a DataFusion table, or says exactly which file
//! (and row) is not as declared. Nothing is half-read: a table either opens with one schema for all its files, or fails.
//! To keep that promise `open` lists the files once and looks into each: the footers of Parquet and Arrow files, every
//! row of CSV and JSON files (their types are found in the values, and a late value must not break or change a query).
//!
//! Invariant: no secret (user-info or query of a URL, values of secret environment variables) reaches a [`StoreError`].

pub(crate) mod again;
mod csv;
pub mod destination;
mod distinct;
mod error;
mod explain;
mod footers;
pub mod gather;
mod guess;
pub mod hive;
pub mod inputs;
mod json;
mod listing;
mod location;
mod looked;
pub mod manifest;
mod native;
mod pinned;
pub mod profile;
pub mod reach;
pub mod rows;
mod schema;
pub mod statement;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod text_source;
pub mod unpublished;
pub mod verify;
mod versions;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;

use crate::diagnostic::codes;

pub use error::{StoreError, redact};
pub use explain::explain_read_error;
pub use location::replace_variables;
use reach::Reach;

/// Which files hold the rows of a source, and how to read them.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// The source's name, for messages.
    pub name: String,
    /// `parquet`, `csv`, `json`, `arrow`.
    pub format: Format,
    /// Files, folders, globs; paths (relative ones to the project's root, already joined) or URLs; `${VAR}` is already replaced.
    pub locations: Vec<String>,
    /// Hive-style folders, outermost first.
    pub partitions: Vec<(String, DataType)>,
    /// Types that the declaration fixes; other columns have the file's own.
    pub types: Vec<(String, DataType)>,
}

/// A file format with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Delimited text.
    Csv(CsvOptions),
    /// One JSON object a line.
    Json {
        /// How the files are compressed; `None`: by their ending.
        compression: Option<String>,
    },
    /// Arrow IPC files.
    Arrow,
}

impl Format {
    /// Its word.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv(_) => "csv",
            Format::Json { .. } => "json",
            Format::Arrow => "arrow",
        }
    }
}

/// How delimited text is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The first line names the columns (default true).
    pub header: bool,
    /// Between fields (default `,`).
    pub delimiter: u8,
    /// Around fields that hold delimiters (default `"`).
    pub quote: u8,
    /// Before a quote inside a field; default: quotes are doubled.
    pub escape: Option<u8>,
    /// Lines that begin with it are skipped.
    pub comment: Option<u8>,
    /// The text that stands for NULL (default: the empty field).
    pub null: Option<String>,
    /// `gzip`, `bzip2`, `xz`, `zstd`, `none`; `None`: by the files' ending.
    pub compression: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            header: true,
            delimiter: b',',
            quote: b'"',
            escape: None,
            comment: None,
            null: None,
            compression: None,
        }
    }
}

/// What is kept for a session; it begins empty.
fn of_session<T: Default + Send + Sync + 'static>(ctx: &SessionContext) -> Arc<T> {
    let state = ctx.state_ref();
    let mut state = state.write();
    if let Some(kept) = state.config().get_extension::<T>() {
        return kept;
    }
    let new = Arc::new(T::default());
    state.config_mut().set_extension(Arc::clone(&new));
    new
}

/// A session shall know what another one knows of files, so that it looks only into those that are new or have changed.
pub fn share(from: &SessionContext, to: &SessionContext) {
    footers::share(from, to);
    looked::Looked::share(from, to);
}

/// Opens a source as a table; needs the network for remote locations. The files are listed once, here: files that
/// arrive later belong to the table when it is opened again.
///
/// # Errors
/// A [`StoreError`] that names the file, and the row where there is one. Its code is one of `B0350`–`B0358`.
pub async fn open(spec: &SourceSpec, ctx: &SessionContext) -> Result<Arc<dyn TableProvider>, StoreError> {
    open_within(spec, &Reach::All, ctx).await
}

/// The same with only the files within reach.
///
/// # Errors
/// As there.
pub async fn open_within(
    spec: &SourceSpec,
    reach: &Reach,
    ctx: &SessionContext,
) -> Result<Arc<dyn TableProvider>, StoreError> {
    let table = table::FileTable::open(spec, reach, ctx).await?;
    table.into_provider(spec).map_err(|error| StoreError::new(codes::BAD_COLUMN_TYPE, error.strip_backtrace()))
}
