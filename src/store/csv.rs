//! CSV files, looked through row by row before they are used: their columns, the types of their values, and every way
//! in which a row can be broken.

use std::io::Read;
use std::pin::pin;
use std::sync::Arc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::object_store::ObjectStore;

use futures::{StreamExt, TryStreamExt};

use super::guess::{Guess, fits};
use super::listing::DataFile;
use super::looked::Looked;
use super::table::CONCURRENT_FILES;
use super::{CsvOptions, SourceSpec, StoreError, text};
use crate::diagnostic::codes;

/// What all files of a source have in common.
#[derive(Debug)]
pub(super) struct CsvShape {
    /// The columns.
    pub schema: Schema,
    /// Fields hold line breaks, so a file cannot be cut at any line break to be read in parallel.
    pub line_breaks: bool,
}

/// Looks through every file.
pub(super) async fn look_through(
    store: &Arc<dyn ObjectStore>,
    files: &[DataFile],
    spec: &SourceSpec,
    options: &CsvOptions,
    looked: (&Looked, &str),
) -> Result<CsvShape, StoreError> {
    let (looked, place) = looked;
    let how = format!("{options:?} {:?}", spec.types);
    let look = async |file: DataFile| {
        let compression = text::compression_of(options.compression.as_deref(), &file.meta.location)?;
        let scan = looked.find((place, &how), &file.meta, async {
            let (options, declared) = (options.clone(), spec.types.clone());
            let work = move |reader| Scan::of(reader, &options, &declared);
            text::read(store, &file.meta.location, compression, work)
                .await
                .map_err(|error| StoreError::from_reading(&file.shown, &error))?
                .map_err(|error| error.in_file(&file.shown))
        });
        Ok((scan.await?, file.shown))
    };
    let mut looked = pin!(futures::stream::iter(files.to_vec()).map(look).buffered(CONCURRENT_FILES));
    let mut whole: Option<(Scan, String)> = None;
    while let Some((scan, shown)) = looked.try_next().await? {
        whole = Some(match whole {
            Some((before, first)) => (before.merge(&scan, &first, &shown)?, first),
            None => (Scan::clone(&scan), shown),
        });
    }
    let (scan, _) = whole.ok_or_else(|| StoreError::new(codes::FILE_MISSING, "no file"))?;
    Ok(scan.into_shape(&spec.types))
}

/// What was found in one file, or in several.
#[derive(Clone)]
struct Scan {
    columns: Vec<(String, Guess)>,
    line_breaks: bool,
}

impl Scan {
    fn of(reader: impl Read, options: &CsvOptions, declared: &[(String, DataType)]) -> Result<Scan, StoreError> {
        let mut reader = reader_of(reader, options);
        let mut record = ByteRecord::new();
        let mut scan = match next(&mut reader, &mut record)? {
            true => Scan::begin(&record, options)?,
            false => return Err(StoreError::new(codes::FILE_UNREADABLE, "the file is empty: it has no columns")),
        };
        let types: Vec<Option<&DataType>> =
            scan.columns.iter().map(|(name, _)| declared_type(declared, name)).collect();
        let mut more = if options.header { next(&mut reader, &mut record)? } else { true };
        while more {
            scan.add(&record, &types, options)?;
            more = next(&mut reader, &mut record)?;
        }
        Ok(scan)
    }

    fn begin(record: &ByteRecord, options: &CsvOptions) -> Result<Scan, StoreError> {
        let mut columns: Vec<(String, Guess)> = Vec::new();
        for (at, field) in record.iter().enumerate() {
            let name = if options.header { utf8(field, record)? } else { "" };
            let name = if name.is_empty() { format!("column_{}", at + 1) } else { name.to_string() };
            if columns.iter().any(|(known, _)| *known == name) {
                return Err(
                    StoreError::new(codes::BAD_ROW, format!("the header has the column `{name}` twice")).at_row(1)
                );
            }
            columns.push((name, Guess::default()));
        }
        Ok(Scan { columns, line_breaks: false })
    }

    fn add(
        &mut self,
        record: &ByteRecord,
        types: &[Option<&DataType>],
        options: &CsvOptions,
    ) -> Result<(), StoreError> {
        for ((field, (name, guess)), declared) in record.iter().zip(&mut self.columns).zip(types) {
            let text = utf8(field, record)?;
            self.line_breaks |= text.contains(['\n', '\r']);
            if is_null(text, options) {
                continue;
            }
            match declared {
                Some(data_type) => check_field(text, name, data_type).map_err(|error| at_line(error, record))?,
                None => guess.add(text),
            }
        }
        Ok(())
    }

    /// Columns are read by position, so files must agree in names and order; types are guessed over all of them.
    fn merge(mut self, other: &Scan, first: &str, second: &str) -> Result<Scan, StoreError> {
        let names = |scan: &Scan| scan.columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (mine, theirs) = (names(&self), names(other));
        if mine != theirs {
            let reason = format!("{} ({first} has {})", difference(&mine, &theirs), mine.join(", "));
            return Err(StoreError::new(codes::SCHEMAS_DIFFER, reason).in_file(second));
        }
        for ((_, guess), (_, more)) in self.columns.iter_mut().zip(&other.columns) {
            guess.merge(more);
        }
        self.line_breaks |= other.line_breaks;
        Ok(self)
    }

    fn into_shape(self, declared: &[(String, DataType)]) -> CsvShape {
        let field = |(name, guess): &(String, Guess)| {
            let data_type = declared_type(declared, name).cloned().unwrap_or_else(|| guess.data_type());
            Field::new(name, data_type, true)
        };
        CsvShape {
            schema: Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()),
            line_breaks: self.line_breaks,
        }
    }
}

fn difference(mine: &[String], theirs: &[String]) -> String {
    let absent = mine.iter().find(|name| !theirs.contains(name));
    let added = theirs.iter().find(|name| !mine.contains(name));
    match (absent, added) {
        (Some(name), _) => format!("the column `{name}` is missing"),
        (None, Some(name)) => format!("there is a further column `{name}`"),
        (None, None) => "the columns stand in another order".to_string(),
    }
}

/// The text that stands for NULL is NULL in every column; nothing else is.
pub(super) fn is_null(field: &str, options: &CsvOptions) -> bool {
    options.null.as_deref().unwrap_or_default() == field
}

/// The declared type of a column.
pub(super) fn declared_type<'a>(declared: &'a [(String, DataType)], column: &str) -> Option<&'a DataType> {
    declared.iter().find(|(name, _)| name == column).map(|(_, data_type)| data_type)
}

/// Refuses a field that its declared type cannot hold as it is.
pub(super) fn check_field(field: &str, column: &str, data_type: &DataType) -> Result<(), StoreError> {
    match fits(field, data_type) {
        Some(true) => Ok(()),
        Some(false) => {
            let reason = format!("the value '{field}' of `{column}` does not fit {data_type}");
            let help = "mend the value, or declare a type that holds it: columns { … }";
            Err(StoreError::new(codes::VALUE_MISFIT, reason).help(help))
        }
        None => {
            let reason = format!("`{column}` cannot be read from text as {data_type}");
            Err(StoreError::new(codes::BAD_COLUMN_TYPE, reason))
        }
    }
}

fn reader_of<R: Read>(reader: R, options: &CsvOptions) -> Reader<R> {
    // The header is read as a record like any other, so that its length binds all records.
    ReaderBuilder::new()
        .has_headers(false)
        .delimiter(options.delimiter)
        .quote(options.quote)
        .escape(options.escape)
        .comment(options.comment)
        .from_reader(reader)
}

fn next<R: Read>(reader: &mut Reader<R>, record: &mut ByteRecord) -> Result<bool, StoreError> {
    reader.read_byte_record(record).map_err(|error| match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let reason = format!("the row has {len} fields where the first line has {expected_len}");
            let error = StoreError::new(codes::BAD_ROW, reason);
            pos.as_ref().map_or(error.clone(), |pos| error.at_row(pos.line()))
        }
        _ => StoreError::new(codes::FILE_UNREADABLE, error.to_string()),
    })
}

fn utf8<'a>(field: &'a [u8], record: &ByteRecord) -> Result<&'a str, StoreError> {
    std::str::from_utf8(field)
        .map_err(|_| at_line(StoreError::new(codes::BAD_ROW, "the row is not UTF-8 text"), record))
}

fn at_line(error: StoreError, record: &ByteRecord) -> StoreError {
    match record.position() {
        Some(position) => error.at_row(position.line()),
        None => error,
    }
}
