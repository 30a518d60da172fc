//! What rollups store, found when a project is opened: which of it is current, and why the rest is not.
//!
//! A session reads the files that its sources had when the project was opened. So that is the moment at which what is stored
//! is compared with them: it answers if it was made by the same definition from the same versions of the same files.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Months, TimeDelta, Utc};
use datafusion::common::DFSchema;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableSource};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::definition::hash_of_rollup;
use crate::catalog::Catalog;
use crate::catalog::modifier::TimeSpan;
use crate::catalog::rollup::{Kept, Rollup, Stored};
use crate::catalog::source::Rows;
use crate::catalog::time::cast;
use crate::diagnostic::Diagnostic;
use crate::plan::cells::{Cells, cells_of};
use crate::store::destination::{Destination, Missing};
use crate::store::inputs::{all_inputs_of, input_of};
use crate::store::manifest::{self, Input, InputFile, Made, Manifest};
use crate::store::{Format, SourceSpec, StoreError, open};
use crate::syntax::ast::File;

/// How many rollups are looked for at once.
const AT_ONCE: usize = 16;

/// Looks for what the rollups of a catalog store.
///
/// Rollups that cannot be stored are left out, with a diagnostic each.
pub async fn find(catalog: &mut Catalog, files: &[File], root: &Path, ctx: &SessionContext) -> Vec<Diagnostic> {
    let rollups = std::mem::take(&mut catalog.rollups);
    if rollups.is_empty() {
        return vec![];
    }
    let (model, mut wrong) = (&*catalog, Vec::new());
    let mut all: Vec<(Rollup, Vec<Cells>)> = Vec::new();
    for rollup in rollups {
        match cells_of(model, &rollup) {
            Ok(cells) => all.push((rollup, cells)),
            Err(error) => wrong.push(refusal(&rollup, error)),
        }
    }
    let found = futures::stream::iter(all).map(async |(mut rollup, cells)| {
        let definition = hash_of_rollup(files, model, &rollup);
        let mut tables = Vec::new();
        for table in &cells {
            tables.push(stored(model, &rollup, table, &definition, root, ctx).await);
        }
        rollup.tables = tables;
        rollup
    });
    let found: Vec<Rollup> = found.buffered(AT_ONCE).collect().await;
    catalog.rollups = found;
    wrong
}

fn refusal(rollup: &Rollup, error: datafusion::error::DataFusionError) -> Diagnostic {
    match crate::error::Error::from(error) {
        crate::error::Error::Diagnostics(mut found) if !found.is_empty() => found.remove(0),
        other => Diagnostic::new(crate::diagnostic::codes::BAD_ROLLUP, other.to_string()).at(rollup.item.span),
    }
}

/// A table as far as it can answer.
async fn stored(
    catalog: &Catalog,
    rollup: &Rollup,
    cells: &Cells,
    definition: &str,
    root: &Path,
    ctx: &SessionContext,
) -> Stored {
    let name = &rollup.item.name;
    let never = || Stored::Unusable(format!("it was never computed: `bell run {name}` does"));
    let destination = match Destination::find(&folder(rollup, cells), root, Missing::Leave, ctx) {
        Ok(Some(destination)) => destination,
        Ok(None) => return never(),
        Err(error) => return Stored::Unusable(error.to_string()),
    };
    let manifest = match manifest::read(destination.store.as_ref(), &destination.folder, &destination.shown).await {
        Ok(Some((manifest, _))) => manifest,
        Ok(None) => return never(),
        Err(error) => return Stored::Unusable(error.to_string()),
    };
    if manifest.definition != definition {
        return Stored::Unusable(format!("it was made from another definition: `bell run {name}` computes it anew"));
    }
    let late = match changed(catalog, cells, &manifest) {
        None => false,
        Some(_) if within_tolerance(rollup, &manifest) => true,
        Some(reason) => {
            let at = &manifest.published_at;
            return Stored::Unusable(format!("{reason} since {at}: `bell run {name}` computes it anew"));
        }
    };
    match table_of(rollup, cells, &destination, &manifest, ctx).await {
        Ok(table) => Stored::Current(Kept {
            table,
            rows: manifest.rows,
            runs: manifest.runs.len(),
            at: manifest.published_at.clone(),
            late,
        }),
        Err(error) => Stored::Unusable(format!("{error}: `bell run {name}` computes it anew")),
    }
}

/// The folder of a table, below the rollup's.
pub fn folder(rollup: &Rollup, cells: &Cells) -> String {
    let (path, query) = match rollup.to.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (rollup.to.as_str(), String::new()),
    };
    format!("{}/{}/{query}", path.trim_end_matches('/'), cells.name)
}

/// The files whose rows become cells, where they are files; what joins to them is not among them.
pub fn root_of(catalog: &Catalog, cells: &Cells) -> Option<(Arc<dyn TableSource>, Input)> {
    match &catalog.source(cells.source).rows {
        Rows::Table(table) => input_of(table).map(|input| (Arc::clone(table), input)),
        Rows::Query(_) => None,
    }
}

/// What has changed since a table was made; `None`: nothing.
fn changed(catalog: &Catalog, cells: &Cells, manifest: &Manifest) -> Option<String> {
    let current = match all_inputs_of(&cells.plan) {
        Ok(Ok(current)) => current,
        Ok(Err(other)) => return Some(format!("`{other}` is no table of files, and may have changed")),
        Err(error) => return Some(error.to_string()),
    };
    let root = root_of(catalog, cells).map(|(_, input)| input);
    let root = root.as_ref().map(|input| input.source.as_str());
    if let Some(source) = others_changed(&current, &manifest.runs, root) {
        return Some(format!("`{source}` has changed"));
    }
    let root = root?;
    let read = files_of(manifest.runs.iter().flat_map(|run| &run.inputs), root);
    (read != files_of(&current, root)).then(|| format!("`{root}` has changed"))
}

/// A source other than the root that a run read in other versions than there are now.
pub fn others_changed(current: &[Input], runs: &[Made], root: Option<&str>) -> Option<String> {
    let others = |inputs: &[Input]| -> Vec<Input> {
        inputs.iter().filter(|input| Some(input.source.as_str()) != root).cloned().collect()
    };
    let now = others(current);
    for run in runs {
        let then = others(&run.inputs);
        if then != now {
            let differs = |input: &&Input| !then.contains(input);
            let first = now.iter().find(differs).or_else(|| then.iter().find(|input| !now.contains(input)));
            return Some(first.map_or_else(|| "a source".to_string(), |input| input.source.clone()));
        }
    }
    None
}

/// The versions of files of a source.
pub fn files_of<'i>(inputs: impl IntoIterator<Item = &'i Input>, source: &str) -> BTreeSet<InputFile> {
    inputs.into_iter().filter(|input| input.source == source).flat_map(|input| input.files.iter().cloned()).collect()
}

fn within_tolerance(rollup: &Rollup, manifest: &Manifest) -> bool {
    let Some(tolerance) = rollup.tolerance else { return false };
    let made = DateTime::parse_from_rfc3339(&manifest.published_at).ok();
    made.and_then(|made| later(made.with_timezone(&Utc), tolerance)).is_some_and(|until| Utc::now() <= until)
}

fn later(at: DateTime<Utc>, span: TimeSpan) -> Option<DateTime<Utc>> {
    let months = Months::new(u32::try_from(span.months).ok()?);
    let rest = TimeDelta::days(i64::from(span.days)) + TimeDelta::nanoseconds(span.nanoseconds);
    at.checked_add_months(months)?.checked_add_signed(rest)
}

/// The table of exactly the files that a manifest names, with the columns that planning gave it.
///
/// # Errors
/// A [`StoreError`] that names a file which is gone, or is no longer what was written.
pub async fn table_of(
    rollup: &Rollup,
    cells: &Cells,
    destination: &Destination,
    manifest: &Manifest,
    ctx: &SessionContext,
) -> Result<Arc<dyn TableSource>, StoreError> {
    let locations = manifest.files.iter().map(|file| destination.location(&file.path)).collect();
    let spec = SourceSpec {
        name: rollup.item.name.clone(),
        format: Format::Parquet,
        locations,
        partitions: vec![],
        types: vec![],
    };
    let table = open(&spec, ctx).await?;
    let unfit = |error: datafusion::error::DataFusionError| {
        StoreError::new(crate::diagnostic::codes::SCHEMAS_DIFFER, error.strip_backtrace()).in_file(&destination.shown)
    };
    let source = provider_as_source(table);
    let there = input_of(&source).map_or(0, |input| input.files.iter().map(|file| file.size).sum());
    if there != manifest.bytes {
        let reason = format!("its files have {there} bytes, and {} were written", manifest.bytes);
        return Err(StoreError::new(crate::diagnostic::codes::FILE_UNREADABLE, reason).in_file(&destination.shown));
    }
    let plan = LogicalPlanBuilder::scan(rollup.item.name.as_str(), Arc::clone(&source), None).map_err(unfit)?;
    let columns = typed(cells.plan.schema(), plan.schema());
    if columns.is_none() {
        return Ok(source);
    }
    let plan = plan.project(columns.unwrap_or_default()).and_then(LogicalPlanBuilder::build).map_err(unfit)?;
    Ok(provider_as_source(Arc::new(ViewTable::new(plan, None))))
}

/// The stored columns in the types that planning gave them; `None`, if they have these.
fn typed(wanted: &DFSchema, stored: &DFSchema) -> Option<Vec<Expr>> {
    let same = wanted.fields().iter().zip(stored.fields()).all(|(a, b)| a.data_type() == b.data_type());
    if same && wanted.fields().len() == stored.fields().len() {
        return None;
    }
    let column = |field: &Arc<datafusion::arrow::datatypes::Field>| {
        let column = Expr::Column(datafusion::common::Column::new_unqualified(field.name()));
        cast(column, field.data_type().clone()).alias(field.name())
    };
    Some(wanted.fields().iter().map(column).collect())
}
