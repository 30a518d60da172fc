//! A DataFusion file source for the text files that its own sources read otherwise than Bell means them.
//!
//! DataFusion's CSV source knows no text for NULL when it reads, and its streams end after the first member of a file of
//! several compressed members; its JSON source refuses a number in a column that is declared as text. This one reads
//! each file on one thread; plain CSV stays with DataFusion, which reads one file in parallel.

use std::io::{BufReader, Read};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::ReaderBuilder as CsvReaderBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder as JsonReaderBuilder;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::DataFusionError;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{FutureExt, StreamExt};
use regex::Regex;
use tokio::sync::mpsc;

use super::{CsvOptions, StoreError, text};

/// The text formats that are read here.
#[derive(Debug, Clone)]
pub(super) enum TextFormat {
    /// With every option.
    Csv(CsvOptions),
    /// With its declared compression.
    Json(Option<String>),
}

/// The file source.
#[derive(Clone)]
pub(super) struct TextSource {
    format: TextFormat,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    /// Reads files of `format` as `table_schema`, whose types were found by looking through the files.
    pub fn new(format: TextFormat, table_schema: TableSchema) -> Self {
        let projection = SplitProjection::unprojected(&table_schema);
        TextSource { format, table_schema, projection, batch_size: 8192, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let opener = Arc::new(TextOpener { source: self.clone(), store });
        ProjectionOpener::try_new(self.projection.clone(), opener, self.table_schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(TextSource { batch_size, ..self.clone() })
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(TextSource { projection, ..self.clone() })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            TextFormat::Csv(_) => "csv",
            TextFormat::Json(_) => "json",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), f)
    }
}

struct TextOpener {
    source: TextSource,
    store: Arc<dyn ObjectStore>,
}

impl FileOpener for TextOpener {
    /// A thread reads and sends batches; when the query ends early, sending fails and the thread ends.
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let (source, store) = (self.source.clone(), Arc::clone(&self.store));
        let path = file.object_meta.location;
        let (sender, receiver) = mpsc::channel(2);
        let task = async move {
            let failed = sender.clone();
            let compression = text::compression_of(source.compression(), &path)?;
            let name = path.to_string();
            let work = move |reader| source.send_batches(reader, &name, &sender);
            if let Err(error) = text::read(&store, &path, compression, work).await {
                // The receiver is gone only if nobody wants to know.
                let _ = failed.send(Err(StoreError::from_reading(path.as_ref(), &error).into())).await;
            }
            Ok::<(), DataFusionError>(())
        };
        let open = async move {
            tokio::spawn(task);
            let batches = futures::stream::unfold(receiver, |mut receiver| async move {
                receiver.recv().await.map(|batch| (batch, receiver))
            });
            Ok(batches.boxed())
        };
        Ok(open.boxed())
    }
}

impl TextSource {
    fn compression(&self) -> Option<&str> {
        match &self.format {
            TextFormat::Csv(options) => options.compression.as_deref(),
            TextFormat::Json(compression) => compression.as_deref(),
        }
    }

    fn send_batches(&self, reader: Box<dyn Read + Send>, file: &str, sender: &mpsc::Sender<Result<RecordBatch>>) {
        let failed = |error: ArrowError| StoreError::from_reading(file, &error.into()).into();
        match self.batches(reader) {
            Ok(batches) => {
                for batch in batches {
                    let last = batch.is_err();
                    if sender.blocking_send(batch.map_err(failed)).is_err() || last {
                        return;
                    }
                }
            }
            Err(error) => {
                let _ = sender.blocking_send(Err(failed(error)));
            }
        }
    }

    fn batches(
        &self,
        reader: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>, ArrowError> {
        let schema = self.table_schema.file_schema();
        let columns = &self.projection.file_indices;
        match &self.format {
            TextFormat::Csv(options) => {
                let reader = csv_reader(schema, options, columns).with_batch_size(self.batch_size).build(reader)?;
                Ok(Box::new(reader))
            }
            TextFormat::Json(_) => {
                let schema = Arc::new(schema.project(columns)?);
                let builder = JsonReaderBuilder::new(schema).with_batch_size(self.batch_size);
                Ok(Box::new(builder.with_coerce_primitive(true).build(BufReader::new(reader))?))
            }
        }
    }
}

fn csv_reader(schema: &SchemaRef, options: &CsvOptions, columns: &[usize]) -> CsvReaderBuilder {
    let mut builder = CsvReaderBuilder::new(Arc::clone(schema))
        .with_header(options.header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote)
        .with_projection(columns.to_vec());
    if let Some(escape) = options.escape {
        builder = builder.with_escape(escape);
    }
    if let Some(comment) = options.comment {
        builder = builder.with_comment(comment);
    }
    let null = options.null.as_deref().unwrap_or_default();
    match Regex::new(&format!("^{}$", regex::escape(null))) {
        Ok(pattern) => builder.with_null_regex(pattern),
        Err(_) => builder,
    }
}
