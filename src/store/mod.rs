//! Files and object stores: the outside as data.
//!
//! A source declaration becomes a [`SourceSpec`]; [`open`] turns it into a DataFusion table, or says exactly which file
//! (and row) is not as declared. Nothing is half-read: a table either opens with one schema for all its files, or fails.

use datafusion::arrow::datatypes::{DataType, SchemaRef};

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

/// What is known of an opened source before any row is read.
#[derive(Debug, Clone)]
pub struct OpenedSchema {
    /// All columns, partitions last.
    pub schema: SchemaRef,
}
