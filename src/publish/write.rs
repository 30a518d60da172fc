//! Rows to files: one for each partition, written as the rows come.

use std::collections::HashSet;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::partition;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::object_store::buffered::BufWriter;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;

use super::faults::step;
use crate::catalog::publication::FileFormat;
use crate::error::{Error, Result};
use crate::store::destination::Destination;
use crate::store::hive;
use crate::store::manifest::{DATA, FOLDER, File};
use crate::store::rows::{RowWriter, columnar, csv, json};

/// Writes the rows of a run, which come partition by partition.
pub struct Files<'d> {
    destination: &'d Destination,
    run: String,
    format: FileFormat,
    /// The columns that stand in the names of folders.
    partitions: Vec<usize>,
    /// The columns that stand in the files.
    inside: Vec<usize>,
    schema: SchemaRef,
    open: Option<Open>,
    seen: HashSet<String>,
    written: Vec<File>,
}

/// The file that is being written.
struct Open {
    file: File,
    rows: Box<dyn RowWriter>,
    bytes: Buffer,
    upload: BufWriter,
}

/// What a writer of rows has given, until it is sent on.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'d> Files<'d> {
    /// The files of a run. `partitions` are positions among the columns.
    pub fn new(
        destination: &'d Destination,
        run: &str,
        format: FileFormat,
        schema: &SchemaRef,
        partitions: &[usize],
    ) -> Files<'d> {
        let inside: Vec<usize> = (0..schema.fields().len()).filter(|at| !partitions.contains(at)).collect();
        let fields: Vec<_> =
            inside.iter().map(|at| schema.field(*at).clone().with_metadata(Default::default())).collect();
        Files {
            destination,
            run: run.to_string(),
            format,
            partitions: partitions.to_vec(),
            inside,
            schema: Arc::new(Schema::new(fields)),
            open: None,
            seen: HashSet::new(),
            written: vec![],
        }
    }

    /// Takes some more rows.
    ///
    /// # Errors
    /// What the store or the format says.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<ArrayRef> = self.partitions.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let ranges = match columns.is_empty() {
            true => Vec::from([Range { start: 0, end: batch.num_rows() }]),
            false => partition(&columns).map_err(|error| self.unwritable(&error))?.ranges(),
        };
        let inside = batch.project(&self.inside).map_err(|error| self.unwritable(&error))?;
        let inside = RecordBatch::try_new(Arc::clone(&self.schema), inside.columns().to_vec());
        let inside = inside.map_err(|error| self.unwritable(&error))?;
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            self.write_range(batch, &inside, range).await?;
        }
        Ok(())
    }

    async fn write_range(&mut self, batch: &RecordBatch, inside: &RecordBatch, range: Range<usize>) -> Result<()> {
        let values = self.values(batch, range.start).map_err(|error| self.unwritable(&error))?;
        if self.open.as_ref().is_none_or(|open| open.file.partition != values) {
            self.close().await?;
            self.start(values)?;
        }
        let rows = inside.slice(range.start, range.len());
        let Some(open) = &mut self.open else { return Ok(()) };
        open.rows.write(&rows).map_err(|error| unwritable(&self.destination.shown, &error))?;
        open.file.rows += rows.num_rows() as u64;
        self.send().await
    }

    /// The values of the partition columns in a row.
    fn values(&self, batch: &RecordBatch, row: usize) -> Result<Map<String, Value>, ArrowError> {
        let options = FormatOptions::new();
        let schema = batch.schema();
        let value = |at: &usize| {
            let column = batch.column(*at);
            let text = match column.is_null(row) {
                true => Value::Null,
                false => Value::String(ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).try_to_string()?),
            };
            Ok((schema.field(*at).name().clone(), text))
        };
        self.partitions.iter().map(value).collect()
    }

    fn start(&mut self, values: Map<String, Value>) -> Result<()> {
        if let Some((name, _)) = values.iter().find(|(_, value)| value.as_str() == Some(hive::NULL)) {
            let (shown, null) = (&self.destination.shown, hive::NULL);
            let message = format!("{shown}: a folder `{name}={null}` means NULL, and `{name}` has that very text");
            return Err(Error::Data(format!("{message}; leave `{name}` out of `partitioned by`")));
        }
        let folders = values.iter().map(|(name, value)| hive::folder(name, value.as_str()));
        let file = format!("part-0.{}", self.format.name());
        let parts = [FOLDER, DATA, &self.run].map(str::to_string).into_iter().chain(folders).chain([file]);
        let below = parts.collect::<Vec<_>>().join("/");
        if !self.seen.insert(below.clone()) {
            return Err(Error::Data(format!("{}: the rows of {below} do not come together", self.destination.shown)));
        }
        let path = self.destination.below(&below);
        let upload = BufWriter::new(Arc::clone(&self.destination.store), path);
        let bytes = Buffer::default();
        let sink = Box::new(bytes.clone());
        let rows: Result<Box<dyn RowWriter>, ArrowError> = match self.format {
            FileFormat::Parquet => columnar::parquet(sink, Arc::clone(&self.schema)),
            FileFormat::Csv => Ok(Box::new(csv::CsvWriter::new(sink, Arc::clone(&self.schema), None))),
            FileFormat::Json => Ok(Box::new(json::lines(sink))),
        };
        let rows = rows.map_err(|error| self.unwritable(&error))?;
        let file = File { path: below, partition: values, rows: 0, bytes: 0, run: self.run.clone() };
        self.open = Some(Open { file, rows, bytes, upload });
        Ok(())
    }

    /// Hands on what the writer has given so far.
    async fn send(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let bytes = open.bytes.take();
        open.file.bytes += bytes.len() as u64;
        let sent = if bytes.is_empty() { Ok(()) } else { open.upload.write_all(&bytes).await };
        sent.map_err(|error| unsent(&self.destination.shown, &open.file.path, &error))
    }

    async fn close(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.rows.finish().map_err(|error| unwritable(&self.destination.shown, &error))?;
        self.send().await?;
        let Some(mut open) = self.open.take() else { return Ok(()) };
        step();
        let shown = &self.destination.shown;
        open.upload.shutdown().await.map_err(|error| unsent(shown, &open.file.path, &error))?;
        self.written.push(open.file);
        Ok(())
    }

    /// Ends the last file. Rows that are not divided have one file also if there are none, so that readers find the
    /// columns.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub async fn finish(mut self) -> Result<Vec<File>> {
        if self.partitions.is_empty() && self.open.is_none() {
            self.start(Map::new())?;
        }
        self.close().await?;
        Ok(self.written)
    }

    fn unwritable(&self, error: &ArrowError) -> Error {
        unwritable(&self.destination.shown, error)
    }
}

fn unwritable(shown: &str, error: &ArrowError) -> Error {
    Error::Data(format!("{shown} cannot be written: {error}"))
}

fn unsent(shown: &str, path: &str, error: &std::io::Error) -> Error {
    Error::Data(crate::store::redact(&format!("{shown}/{path} cannot be written: {error}")))
}
