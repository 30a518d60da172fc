//! `bell.runs` and `bell.restatements`: what runs have done, read from the folders that they write to when it is asked for.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampSecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::object_store::Error as ObjectError;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};

use super::Project;
use super::rollups::folder;
use crate::plan::cells::cells_of;
use crate::store::again;
use crate::store::destination::Destination;
use crate::store::manifest::{self, EXPECTED, FAILED, FOLDER, Failed, Found, Manifest, RESTATED, Ran, Restated};

/// How many folders are read at once.
const AT_ONCE: usize = 16;

/// A folder that runs write to.
#[derive(Debug, Clone)]
pub struct Written {
    /// The publication, or the rollup's table.
    name: String,
    kind: &'static str,
    destination: Destination,
}

/// The folders of a project's publications and rollups; what is no location is left out, since a run says so.
pub fn written_by(project: &Project, ctx: &SessionContext) -> Vec<Written> {
    let (catalog, root) = (&project.catalog, &project.sources.root);
    let mut all = Vec::new();
    let mut add = |name: String, kind: &'static str, to: &str| {
        if let Ok(destination) = Destination::at(to, root, ctx) {
            all.push(Written { name, kind, destination });
        }
    };
    for publication in &catalog.publications {
        add(publication.qualified(), "publication", &publication.to);
    }
    for rollup in &catalog.rollups {
        for cells in cells_of(catalog, rollup).unwrap_or_default() {
            add(format!("{}/{}", rollup.qualified(), cells.name), "rollup", &folder(rollup, &cells));
        }
    }
    all
}

/// One of the two tables; its rows are read when it is scanned.
#[derive(Debug)]
pub struct RunTable {
    kind: Kind,
    written: Vec<Written>,
    schema: SchemaRef,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Runs,
    Restatements,
}

impl RunTable {
    /// Their names.
    pub const NAMES: &[&str] = &["runs", "restatements"];

    /// The table of a name.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn named(name: &str, written: &[Written]) -> Result<Option<Arc<dyn TableProvider>>> {
        let kind = match name {
            "runs" => Kind::Runs,
            "restatements" => Kind::Restatements,
            _ => return Ok(None),
        };
        let schema = match kind {
            Kind::Runs => runs(&[], vec![])?.schema(),
            Kind::Restatements => restatements(&[])?.schema(),
        };
        Ok(Some(Arc::new(RunTable { kind, written: written.to_vec(), schema })))
    }

    async fn rows(&self) -> Result<RecordBatch> {
        let told = all_told(&self.written).await?;
        match self.kind {
            Kind::Runs => runs(&self.written, told),
            Kind::Restatements => {
                let mut rows = Vec::new();
                for (written, told) in self.written.iter().zip(told) {
                    for run in told.manifest.into_iter().flat_map(|manifest| manifest.restated) {
                        rows.extend(restated_by(written, &run).await?.into_iter().map(|line| (written, line)));
                    }
                }
                restatements(&rows)
            }
        }
    }
}

#[async_trait]
impl TableProvider for RunTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = MemTable::try_new(self.schema(), vec![vec![self.rows().await?]])?;
        rows.scan(state, projection, filters, limit).await
    }
}

/// What a folder tells of its runs.
struct Told {
    manifest: Option<Manifest>,
    failed: Option<Failed>,
}

async fn told(written: &Written) -> Result<Told> {
    let destination = &written.destination;
    let read = manifest::read(destination.store.as_ref(), &destination.folder, &destination.shown).await;
    let manifest = read.map_err(|error| DataFusionError::External(error.to_string().into()))?.map(|(it, _)| it);
    let failed = text(written, &format!("{FOLDER}/{FAILED}")).await?;
    let failed: Option<Failed> = failed.and_then(|text| serde_json::from_str(&text).ok());
    let later = |failed: &Failed| manifest.as_ref().is_none_or(|manifest| manifest.published_at <= failed.at);
    Ok(Told { failed: failed.filter(later), manifest })
}

async fn text(written: &Written, name: &str) -> Result<Option<String>> {
    let destination = &written.destination;
    match again::get(destination.store.as_ref(), &destination.below(name)).await {
        Ok(found) => Ok(Some(String::from_utf8_lossy(&found.bytes).into_owned())),
        Err(ObjectError::NotFound { .. }) => Ok(None),
        Err(error) => Err(DataFusionError::External(destination.failed(name, &error).to_string().into())),
    }
}

async fn all_told(all: &[Written]) -> Result<Vec<Told>> {
    futures::stream::iter(all.to_vec()).map(|one| async move { told(&one).await }).buffered(AT_ONCE).try_collect().await
}

/// What the last run of each publication found of expectations, with its name.
pub(super) async fn found_by(all: &[Written]) -> Result<Vec<(String, Found)>> {
    let read = |one: Written| async move {
        let found = text(&one, &format!("{FOLDER}/{EXPECTED}")).await?;
        Ok(found.and_then(|text| serde_json::from_str(&text).ok()).map(|found| (one.name, found)))
    };
    let publications: Vec<Written> = all.iter().filter(|one| one.kind == "publication").cloned().collect();
    let found: Result<Vec<Option<_>>> =
        futures::stream::iter(publications).map(read).buffered(AT_ONCE).try_collect().await;
    Ok(found?.into_iter().flatten().collect())
}

/// A run, and why it failed.
type RunRow<'w> = (&'w Written, Ran, Option<String>);

/// The rows of `bell.runs`.
fn runs(all: &[Written], told: Vec<Told>) -> Result<RecordBatch> {
    let mut rows: Vec<RunRow<'_>> = Vec::new();
    for (written, told) in all.iter().zip(told) {
        rows.extend(told.manifest.into_iter().flat_map(|manifest| manifest.history).map(|ran| (written, ran, None)));
        if let Some(Failed { run, at, definition, error }) = told.failed {
            let ran = Ran { run, at, definition, ..Ran::default() };
            rows.push((written, ran, Some(error)));
        }
    }
    let texts = |of: &dyn Fn(&RunRow<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(of)))
    };
    let numbers = |of: &dyn Fn(&Ran) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, ran, _)| of(ran))))
    };
    let seconds = Float64Array::from_iter_values(rows.iter().map(|(_, ran, _)| ran.seconds));
    table(vec![
        ("name", texts(&|(written, ..)| Some(written.name.clone()))),
        ("kind", texts(&|(written, ..)| Some(written.kind.to_string()))),
        ("run", texts(&|(_, ran, _)| Some(ran.run.clone()))),
        ("at", instants(rows.iter().map(|(_, ran, _)| ran.at.as_str()))),
        ("outcome", texts(&|(.., error)| Some(if error.is_some() { "failed" } else { "published" }.to_string()))),
        ("seconds", Arc::new(seconds)),
        ("rows", numbers(&|ran| ran.rows)),
        ("bytes", numbers(&|ran| ran.bytes)),
        ("files", numbers(&|ran| ran.files)),
        ("kept", numbers(&|ran| ran.kept)),
        ("files_read", numbers(&|ran| ran.files_read)),
        ("bytes_read", numbers(&|ran| ran.bytes_read)),
        ("restated", numbers(&|ran| ran.restated)),
        ("held", numbers(&|ran| ran.held)),
        ("late", numbers(&|ran| ran.late)),
        ("definition", texts(&|(_, ran, _)| Some(ran.definition.clone()))),
        ("error", texts(&|(.., error)| error.clone())),
    ])
}

async fn restated_by(written: &Written, run: &str) -> Result<Vec<Restated>> {
    let lines = text(written, &format!("{FOLDER}/{RESTATED}/{run}.jsonl")).await?.unwrap_or_default();
    let read = |line| serde_json::from_str(line).map_err(|error| DataFusionError::External(error.to_string().into()));
    lines.lines().map(read).collect()
}

/// The rows of `bell.restatements`.
fn restatements(rows: &[(&Written, Restated)]) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Restated) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(|(_, restated)| of(restated))))
    };
    let keys = |restated: &Restated| {
        let pair = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
            Some(text) => format!("{name} = {text}"),
            None => format!("{name} is null"),
        };
        Some(restated.keys.iter().map(pair).collect::<Vec<_>>().join(", "))
    };
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    let change = rows.iter().map(|(_, it)| number(&it.was).zip(number(&it.is)).map(|(was, is)| is - was));
    table(vec![
        ("name", Arc::new(StringArray::from_iter_values(rows.iter().map(|(written, _)| &written.name)))),
        ("run", texts(&|it| Some(it.run.clone()))),
        ("at", instants(rows.iter().map(|(_, it)| it.at.as_str()))),
        ("keys", texts(&keys)),
        ("indicator", texts(&|it| Some(it.indicator.clone()))),
        ("was", texts(&|it| it.was.clone())),
        ("is", texts(&|it| it.is.clone())),
        ("change", Arc::new(Float64Array::from_iter(change))),
        ("held", Arc::new(BooleanArray::from_iter(rows.iter().map(|(_, it)| Some(it.held))))),
        ("because", texts(&|it| Some(it.because.clone()))),
    ])
}

/// Instants in UTC.
pub(super) fn instants<'t>(texts: impl Iterator<Item = &'t str>) -> ArrayRef {
    let second = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp());
    Arc::new(TimestampSecondArray::from_iter(texts.map(second)))
}

/// Columns as rows.
pub(super) fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
