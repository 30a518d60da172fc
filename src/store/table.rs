//! [`FileTable`]: the files of a source as a DataFusion table.
//!
//! DataFusion's own listing table lists again for every query, skips files whose names end otherwise, and merges
//! schemas. This one holds the list of files that [`FileTable::open`] looked through.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{PartitionedFile, helpers};
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast};
use datafusion::object_store::{ObjectMeta, ObjectStore};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, TryStreamExt};

use super::distinct::distinct_counts;
use super::listing::{DataFile, list};
use super::looked::Looked;
use super::manifest::{Input, InputFile};
use super::native::{StoredDecimals, stored_schema};
use super::pinned::Pins;
use super::reach::{Reach, holds};
use super::text_source::{TextFormat, TextSource};
use super::{CsvOptions, Format, SourceSpec, StoreError, csv, footers, json, of_session, schema, text, versions};
use crate::diagnostic::codes;

/// How many files are looked into at once.
pub(super) const CONCURRENT_FILES: usize = 32;

/// The files of a source.
#[derive(Debug)]
pub(super) struct FileTable {
    /// The source's name.
    source: String,
    store_url: ObjectStoreUrl,
    listed: DateTime<Utc>,
    files: Vec<PartitionedFile>,
    names: Vec<String>,
    table_schema: TableSchema,
    reader: Reader,
    statistics: Statistics,
}

#[derive(Debug, Clone)]
enum Reader {
    Parquet(Arc<ParquetFormat>, Arc<FileMetadataCache>),
    DataFusion(Arc<dyn FileFormat>),
    Text(TextFormat),
}

impl FileTable {
    /// Lists the files within reach and looks into each.
    pub async fn open(spec: &SourceSpec, reach: &Reach, ctx: &SessionContext) -> Result<FileTable, StoreError> {
        let listed = Utc::now();
        let (location, files) = list(spec, reach, ctx).await?;
        of_session::<Pins>(ctx).pin(&location.store_url, files.iter().map(|file| &file.meta));
        let footers = footers::of_store(ctx, &location.store_url);
        let state = footers::state_with(ctx, &footers).map_err(|error| StoreError::from_reading(&spec.name, &error))?;
        let (file_schema, reader) = look_into(
            spec,
            &state,
            footers,
            (&location.store, location.store_url.as_str()),
            &files,
            &of_session::<Looked>(ctx),
        )
        .await?;
        let file_schema = Arc::new(file_schema);
        check_columns(&file_schema, spec)?;
        let partition =
            |(name, data_type): &(String, DataType)| FieldRef::new(Field::new(name, data_type.clone(), true));
        let partitions: Vec<FieldRef> = spec.partitions.iter().map(partition).collect();
        let table_schema = TableSchema::builder(file_schema).with_table_partition_cols(partitions).build();
        let mut table = FileTable {
            source: spec.name.clone(),
            store_url: location.store_url,
            listed,
            names: files.iter().map(|file| file.shown.clone()).collect(),
            files: Vec::new(),
            statistics: Statistics::new_unknown(table_schema.table_schema()),
            table_schema,
            reader,
        };
        table.files = table.with_statistics(&files, &location.store, spec, &state).await?;
        table.statistics = table.overall();
        Ok(table)
    }

    /// The table as a provider; the columns of Arrow files are cast to their declared types above the scan.
    pub fn into_provider(self, spec: &SourceSpec) -> Result<Arc<dyn TableProvider>> {
        let table: Arc<dyn TableProvider> = Arc::new(self);
        if spec.format != Format::Arrow || spec.types.is_empty() {
            return Ok(table);
        }
        let column = |field: &FieldRef| {
            let column = Expr::Column(Column::new_unqualified(field.name()));
            match csv::declared_type(&spec.types, field.name()) {
                Some(data_type) => cast(column, data_type.clone()).alias(field.name()),
                None => column,
            }
        };
        let columns: Vec<Expr> = table.schema().fields().iter().map(column).collect();
        let plan = LogicalPlanBuilder::scan(&spec.name, provider_as_source(table), None)?.project(columns)?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The files in the versions that are read.
    pub fn input(&self) -> Input {
        let file = |(file, name): (&PartitionedFile, &String)| InputFile {
            // Wherever the project is opened from, a file of this machine is the same one.
            path: match self.store_url.as_str().starts_with("file:") {
                true => format!("/{}", file.object_meta.location),
                false => name.clone(),
            },
            size: file.object_meta.size,
            etag: versions::tag_of(&file.object_meta, self.listed),
            modified: file.object_meta.last_modified.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        Input { source: self.source.clone(), files: self.files.iter().zip(&self.names).map(file).collect() }
    }

    /// The table of some of its files.
    pub fn only(&self, wanted: impl Fn(&InputFile) -> bool) -> FileTable {
        let input = self.input();
        let chosen = input.files.iter().zip(self.files.iter().zip(&self.names)).filter(|(file, _)| wanted(file));
        let (files, names) = chosen.map(|(_, (file, name))| (file.clone(), name.clone())).unzip();
        let mut table = self.of_files(files, names);
        table.statistics = table.overall();
        table
    }

    /// The table of each file alone, with the file's name, to find the one that cannot be read.
    pub fn one_by_one(&self) -> impl Iterator<Item = (&str, FileTable)> {
        let alone = |(file, name): (&PartitionedFile, &String)| self.of_files(vec![file.clone()], vec![name.clone()]);
        self.files.iter().zip(&self.names).map(move |(file, name)| (name.as_str(), alone((file, name))))
    }

    fn of_files(&self, files: Vec<PartitionedFile>, names: Vec<String>) -> FileTable {
        FileTable {
            source: self.source.clone(),
            store_url: self.store_url.clone(),
            listed: self.listed,
            files,
            names,
            table_schema: self.table_schema.clone(),
            statistics: Statistics::new_unknown(&self.schema()),
            reader: self.reader.clone(),
        }
    }

    /// Row counts and bounds where the format knows them (Parquet): DataFusion plans with them and answers from them.
    async fn with_statistics(
        &self,
        files: &[DataFile],
        store: &Arc<dyn ObjectStore>,
        spec: &SourceSpec,
        state: &SessionState,
    ) -> Result<Vec<PartitionedFile>, StoreError> {
        let format: Option<&dyn FileFormat> = match &self.reader {
            Reader::Parquet(format, _) => Some(format.as_ref()),
            Reader::DataFusion(format) => Some(format.as_ref()),
            Reader::Text(_) => None,
        };
        let known = async |file: &DataFile| match format {
            Some(format) => {
                let schema = Arc::clone(self.table_schema.file_schema());
                let found = format.infer_stats(state, store, schema, &file.meta).await;
                found.map_err(|error| StoreError::from_reading(&file.shown, &error))
            }
            None => Ok(Statistics::new_unknown(self.table_schema.file_schema())),
        };
        let with_statistics = async |file: DataFile| {
            let mut statistics = known(&file).await?;
            let footer = match spec.format {
                Format::Parquet => footer_of(&file.meta, store.as_ref(), state).await,
                _ => None,
            };
            let mut partitioned = PartitionedFile::new_from_meta(file.meta).with_partition_values(file.partition);
            if let Some(footer) = footer {
                self.count_values(&mut statistics, &footer);
                partitioned.arrow_schema = stored_schema(&footer, self.table_schema.file_schema());
            }
            partitioned.statistics = Some(Arc::new(self.trustworthy(statistics, spec)));
            Ok(partitioned)
        };
        futures::stream::iter(files.to_vec()).map(with_statistics).buffered(CONCURRENT_FILES).try_collect().await
    }

    /// Adds about how many values the columns of a Parquet file have.
    fn count_values(&self, statistics: &mut Statistics, footer: &ParquetMetaData) {
        for (name, count) in distinct_counts(footer) {
            let Ok(at) = self.table_schema.file_schema().index_of(&name) else { continue };
            if let (Some(count), Some(column)) = (count, statistics.column_statistics.get_mut(at)) {
                column.distinct_count = Precision::Inexact(count);
            }
        }
    }

    /// The statistics of all files together.
    fn overall(&self) -> Statistics {
        let schema = self.schema();
        let each: Vec<&Statistics> = self.files.iter().filter_map(|file| file.statistics.as_deref()).collect();
        let mut all = Statistics::try_merge_iter(each.iter().copied(), &schema)
            .unwrap_or_else(|_| Statistics::new_unknown(&schema));
        for (at, column) in all.column_statistics.iter_mut().enumerate() {
            let counts = each.iter().map(|file| file.column_statistics.get(at)?.distinct_count.get_value().copied());
            let most = counts.collect::<Option<Vec<usize>>>().and_then(|counts| counts.into_iter().max());
            column.distinct_count = most.map_or(Precision::Absent, Precision::Inexact);
        }
        all
    }

    /// Bounds of a column that is cast while it is read are in the order of the file's type ('9' > '10'), and
    /// partition columns may be NULL: nothing is claimed of either.
    fn trustworthy(&self, mut statistics: Statistics, spec: &SourceSpec) -> Statistics {
        for (field, column) in self.table_schema.file_schema().fields().iter().zip(&mut statistics.column_statistics) {
            if csv::declared_type(&spec.types, field.name()).is_some() {
                *column = ColumnStatistics::new_unknown();
            }
        }
        let partitions = spec.partitions.iter().map(|_| ColumnStatistics::new_unknown());
        statistics.column_statistics.extend(partitions);
        statistics.total_byte_size = Precision::Absent;
        statistics
    }

    /// The files whose folders can satisfy the filters, all of which are about partition columns only.
    fn pruned(&self, state: &dyn Session, filters: Vec<Expr>) -> Result<Vec<PartitionedFile>> {
        let Some(filter) = conjunction(filters) else { return Ok(self.files.clone()) };
        let rows: Vec<&[ScalarValue]> = self.files.iter().map(|file| file.partition_values.as_slice()).collect();
        let kept = holds(state, self.table_schema.table_partition_cols(), &rows, filter)?;
        Ok(self.files.iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file.clone()).collect())
    }

    /// DataFusion's reader of Parquet files with our footers: its own plan would take those of the session.
    fn parquet_source(
        &self,
        state: &dyn Session,
        format: &ParquetFormat,
        footers: &Arc<FileMetadataCache>,
    ) -> Result<Arc<dyn FileSource>> {
        let store = state.runtime_env().object_store(&self.store_url)?;
        let files = CachedParquetFileReaderFactory::new(store, Arc::clone(footers));
        let mut source = ParquetSource::new(self.table_schema.clone())
            .with_table_parquet_options(format.options().clone())
            .with_parquet_file_reader_factory(Arc::new(files));
        if let Some(hint) = format.metadata_size_hint() {
            source = source.with_metadata_size_hint(hint);
        }
        Ok(Arc::new(source))
    }

    pub(super) fn is_about_partitions(&self, filter: &Expr) -> bool {
        let names: Vec<&str> =
            self.table_schema.table_partition_cols().iter().map(|field| field.name().as_str()).collect();
        !names.is_empty() && helpers::expr_applicable_for_cols(&names, filter)
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table_schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.is_about_partitions(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics.clone())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (by_folder, by_row): (Vec<Expr>, Vec<Expr>) =
            filters.iter().cloned().partition(|filter| self.is_about_partitions(filter));
        let files = self.pruned(state, by_folder)?;
        if files.is_empty() {
            let schema = datafusion::common::project_schema(&self.schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = files.iter().filter_map(|file| file.statistics.as_deref());
        let statistics = Statistics::try_merge_iter(statistics, &self.schema())?;
        let source = match &self.reader {
            Reader::Parquet(format, footers) => self.parquet_source(state, format, footers)?,
            Reader::DataFusion(format) => format.file_source(self.table_schema.clone()),
            Reader::Text(format) => Arc::new(TextSource::new(format.clone(), self.table_schema.clone())),
        };
        let config = FileScanConfigBuilder::new(self.store_url.clone(), source)
            .with_file_groups(FileGroup::new(files).split_files(state.config().target_partitions()))
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit.filter(|_| by_row.is_empty()))
            .with_expr_adapter(Some(Arc::new(StoredDecimals)))
            .build();
        match &self.reader {
            Reader::DataFusion(format) => format.create_physical_plan(state, config).await,
            Reader::Parquet(..) | Reader::Text(_) => Ok(DataSourceExec::from_data_source(config)),
        }
    }
}

/// The footer of a Parquet file, which mostly is in the cache; a file that cannot be read says so elsewhere.
async fn footer_of(file: &ObjectMeta, store: &dyn ObjectStore, state: &SessionState) -> Option<Arc<ParquetMetaData>> {
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    DFParquetMetadata::new(store, file).with_file_metadata_cache(Some(cache)).fetch_metadata().await.ok()
}

/// The schema of the files, and what reads them.
async fn look_into(
    spec: &SourceSpec,
    state: &SessionState,
    footers: Arc<FileMetadataCache>,
    (store, place): (&Arc<dyn ObjectStore>, &str),
    files: &[DataFile],
    looked: &Looked,
) -> Result<(Schema, Reader), StoreError> {
    let looked = (looked, place);
    match &spec.format {
        Format::Parquet => {
            let format = Arc::new(ParquetFormat::new().with_options(state.default_table_options().parquet));
            let found = schemas(format.as_ref(), state, store, files).await?;
            let schema = schema::with_declared(&schema::unify(&found, &spec.types)?, &spec.types)?;
            Ok((schema, Reader::Parquet(format, footers)))
        }
        Format::Arrow => {
            let found = schemas(&ArrowFormat, state, store, files).await?;
            let schema = schema::unify(&found, &spec.types)?;
            schema::with_declared(&schema, &spec.types)?;
            // DataFusion's Arrow source gives what the file holds, by position: `open` casts above it.
            match found.iter().find(|(_, other)| !schema::same_columns(&schema, other)) {
                Some((file, _)) => {
                    Err(StoreError::new(codes::SCHEMAS_DIFFER, "the columns differ in type or order from other files")
                        .in_file(file))
                }
                None => Ok((schema, Reader::DataFusion(Arc::new(ArrowFormat)))),
            }
        }
        Format::Csv(options) => {
            let shape = csv::look_through(store, files, spec, options, looked).await?;
            schema::check_names(&shape.schema, &spec.types)?;
            let reader = csv_reader(options, files, shape.line_breaks)?;
            Ok((shape.schema, reader))
        }
        Format::Json { compression } => {
            let schema = json::look_through(store, files, spec, compression.as_deref(), looked).await?;
            Ok((schema, Reader::Text(TextFormat::Json(compression.clone()))))
        }
    }
}

async fn schemas(
    format: &dyn FileFormat,
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    files: &[DataFile],
) -> Result<Vec<(String, Schema)>, StoreError> {
    let schema_of = async |file: DataFile| {
        if file.meta.size == 0 {
            return Err(StoreError::new(codes::FILE_UNREADABLE, "the file is empty").in_file(&file.shown));
        }
        let found = format.infer_schema(state, store, std::slice::from_ref(&file.meta)).await;
        let schema = found.map_err(|error| StoreError::from_reading(&file.shown, &error))?;
        Ok((file.shown, schema.as_ref().clone()))
    };
    futures::stream::iter(files.to_vec()).map(schema_of).buffered(CONCURRENT_FILES).try_collect().await
}

fn csv_reader(options: &CsvOptions, files: &[DataFile], line_breaks: bool) -> Result<Reader, StoreError> {
    for file in files {
        let compression = text::compression_of(options.compression.as_deref(), &file.meta.location)?;
        if compression.is_compressed() || options.null.as_deref().is_some_and(|null| !null.is_empty()) {
            return Ok(Reader::Text(TextFormat::Csv(options.clone())));
        }
    }
    let format = CsvFormat::default()
        .with_has_header(options.header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote)
        .with_escape(options.escape)
        .with_comment(options.comment)
        .with_newlines_in_values(line_breaks)
        .with_file_compression_type(FileCompressionType::UNCOMPRESSED);
    Ok(Reader::DataFusion(Arc::new(format)))
}

/// Each name must be one column, the folders' included.
fn check_columns(file_schema: &Schema, spec: &SourceSpec) -> Result<(), StoreError> {
    let names =
        file_schema.fields().iter().map(|field| field.name()).chain(spec.partitions.iter().map(|(name, _)| name));
    let mut seen = std::collections::HashSet::new();
    match names.into_iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) if spec.partitions.iter().any(|(partition, _)| partition == name) => {
            let reason = format!("the partition `{name}` is also a column in the files");
            Err(StoreError::new(codes::BAD_LAYOUT, reason).help("leave it out of `partition by`, or out of the files"))
        }
        Some(name) => Err(StoreError::new(codes::BAD_LAYOUT, format!("the files have the column `{name}` twice"))),
        None => Ok(()),
    }
}
