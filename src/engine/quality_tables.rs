//! `bell.expectations` and `bell.freshness`: what the last runs found of expectations, and how new sources are.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampSecondArray,
    UInt64Array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::run_tables::{Written, found_by, instants, table};
use crate::catalog::expectation::{Expectation, Fresh, Subject};
use crate::catalog::source::Rows;
use crate::catalog::stretch::{later, now};
use crate::catalog::time::wall_clock;
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::{carried_by, codes};
use crate::plan::formulas::{Formulas, newest_of};
use crate::store::inputs::input_of;
use crate::store::manifest::{Finding, Found, InputFile};

/// One of the two tables; its rows are found out when it is scanned.
#[derive(Debug)]
pub struct QualityTable {
    kind: Kind,
    catalog: Arc<Catalog>,
    written: Vec<Written>,
    schema: SchemaRef,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Expectations,
    Freshness,
}

impl QualityTable {
    /// Their names.
    pub const NAMES: &[&str] = &["expectations", "freshness"];

    /// The table of a name.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn named(name: &str, catalog: &Arc<Catalog>, written: &[Written]) -> Result<Option<Arc<dyn TableProvider>>> {
        let (kind, schema) = match name {
            "expectations" => (Kind::Expectations, expectations(catalog, &[])?.schema()),
            "freshness" => (Kind::Freshness, freshness(catalog, &[])?.schema()),
            _ => return Ok(None),
        };
        let (catalog, written) = (Arc::clone(catalog), written.to_vec());
        Ok(Some(Arc::new(QualityTable { kind, catalog, written, schema })))
    }
}

#[async_trait]
impl TableProvider for QualityTable {
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
        let rows = match self.kind {
            Kind::Expectations => expectations(&self.catalog, &found_by(&self.written).await?)?,
            Kind::Freshness => {
                // The newest time takes reading the source: it is only looked for where it is asked for.
                let wanted = |name: &str| {
                    let at = self.schema.index_of(name).ok();
                    projection.is_none_or(|columns| at.is_some_and(|at| columns.contains(&at)))
                };
                let looked = wanted("newest") || wanted("fresh");
                let mut newest = Vec::new();
                for id in (0..self.catalog.sources.len() as u32).map(SourceId) {
                    newest.push(if looked { newest_seen(&self.catalog, id, state).await? } else { None });
                }
                freshness(&self.catalog, &newest)?
            }
        };
        let rows = MemTable::try_new(self.schema(), vec![vec![rows]])?;
        rows.scan(state, projection, filters, limit).await
    }
}

/// What the last run that looked at an expectation found of it, and where.
fn last<'f>(found: &'f [(String, Found)], expectation: &Expectation) -> Option<(&'f str, &'f Found, &'f Finding)> {
    let item = &expectation.item;
    let of_this = |finding: &&Finding| finding.package == item.package && finding.expectation == item.name;
    let all = found.iter().filter_map(|(name, found)| {
        let finding = found.findings.iter().find(of_this)?;
        Some((name.as_str(), found, finding))
    });
    all.max_by(|a, b| a.1.at.cmp(&b.1.at))
}

/// The rows of `bell.expectations`.
fn expectations(catalog: &Catalog, found: &[(String, Found)]) -> Result<RecordBatch> {
    let rows: Vec<_> = catalog.expectations.iter().map(|it| (it, last(found, it))).collect();
    type Row<'r> = (&'r Expectation, Option<(&'r str, &'r Found, &'r Finding)>);
    let texts =
        |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let numbers = |of: &dyn Fn(&Finding) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter(rows.iter().map(|(_, last)| last.map(|(.., finding)| of(finding)))))
    };
    let about = |expectation: &Expectation| {
        let names: Vec<&str> = expectation.subjects(catalog).iter().map(|item| item.name.as_str()).collect();
        names.join(", ")
    };
    let joined = |texts: &[String]| (!texts.is_empty()).then(|| texts.join("; "));
    table(vec![
        ("package", texts(&|(it, _)| Some(it.item.package.clone()))),
        ("expectation", texts(&|(it, _)| Some(it.item.name.clone()))),
        ("about", texts(&|(it, _)| Some(about(it)))),
        ("severity", texts(&|(it, _)| Some(it.severity.name().to_string()))),
        ("outcome", texts(&|(_, last)| last.map(|(.., finding)| finding.outcome.name().to_string()))),
        ("broken", numbers(&|finding| finding.broken)),
        ("of", numbers(&|finding| finding.of)),
        ("examples", texts(&|(_, last)| last.and_then(|(.., finding)| joined(&finding.examples)))),
        ("message", texts(&|(_, last)| last.and_then(|(.., finding)| finding.message.clone()))),
        ("at", instants(rows.iter().map(|(_, last)| last.map_or("", |(_, found, _)| found.at.as_str())))),
        ("publication", texts(&|(_, last)| last.map(|(name, ..)| name.to_string()))),
        ("run", texts(&|(_, last)| last.map(|(_, found, _)| found.run.clone()))),
        ("owner", texts(&|(it, _)| it.item.owner.clone())),
        ("because", texts(&|(it, _)| it.because.clone())),
        ("description", texts(&|(it, _)| it.item.description.clone())),
    ])
}

/// The rows of `bell.freshness`, given the newest time of each source.
fn freshness(catalog: &Catalog, newest: &[Option<NaiveDateTime>]) -> Result<RecordBatch> {
    let sources: Vec<_> = (0..).map(SourceId).zip(&catalog.sources).collect();
    let files: Vec<Option<Vec<InputFile>>> = sources
        .iter()
        .map(|(_, source)| match &source.rows {
            Rows::Table(table) => input_of(table).map(|input| input.files),
            Rows::Query(_) => None,
        })
        .collect();
    let numbers = |of: &dyn Fn(&[InputFile]) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter(files.iter().map(|files| files.as_deref().map(of))))
    };
    let changed = |files: &Option<Vec<InputFile>>| {
        let all = files.iter().flatten().filter_map(|file| DateTime::parse_from_rfc3339(&file.modified).ok());
        all.max().map(|at| at.timestamp())
    };
    let expected = |id: SourceId| {
        let all = catalog.expectations.iter().filter_map(move |expectation| match &expectation.subject {
            Subject::Fresh(fresh) if fresh.source == id => Some((expectation, fresh)),
            _ => None,
        });
        all.collect::<Vec<(&Expectation, &Fresh)>>()
    };
    let now = now(&catalog.calendar);
    let time = |id: SourceId| newest.get(id.0 as usize).copied().flatten();
    let fresh = |(id, _): &(SourceId, _)| {
        let expected = expected(*id);
        let newest = time(*id);
        let newest = if catalog.source(*id).time.is_some() { newest } else { newest_file(catalog, *id) };
        let in_time = |fresh: &Fresh| newest.and_then(|it| later(it, fresh.within)).is_some_and(|until| now <= until);
        (!expected.is_empty()).then(|| expected.iter().all(|(_, fresh)| in_time(fresh)))
    };
    let words = |(id, _): &(SourceId, _)| {
        let words: Vec<&str> = expected(*id).iter().map(|(it, _)| it.item.name.as_str()).collect();
        (!words.is_empty()).then(|| words.join("; "))
    };
    let micros = sources.iter().map(|(id, _)| time(*id).map(|at| at.and_utc().timestamp_micros()));
    table(vec![
        ("package", Arc::new(StringArray::from_iter_values(sources.iter().map(|(_, it)| &it.item.package)))),
        ("source", Arc::new(StringArray::from_iter_values(sources.iter().map(|(_, it)| &it.item.name)))),
        ("newest", Arc::new(TimestampMicrosecondArray::from_iter(micros))),
        ("files", numbers(&|files| files.len() as u64)),
        ("bytes", numbers(&|files| files.iter().map(|file| file.size).sum())),
        ("newest_file", Arc::new(TimestampSecondArray::from_iter(files.iter().map(changed)))),
        ("expected", Arc::new(StringArray::from_iter(sources.iter().map(words)))),
        ("fresh", Arc::new(BooleanArray::from_iter(sources.iter().map(fresh)))),
    ])
}

/// The newest time of a source; none, if whoever asks may see nothing of it, or nothing is published yet.
async fn newest_seen(catalog: &Catalog, source: SourceId, state: &dyn Session) -> Result<Option<NaiveDateTime>> {
    match newest_time(catalog, source, state).await {
        Err(error) if carried_by(&error).is_some_and(|it| [codes::NOT_SEEN, codes::UNPUBLISHED].contains(&it.code)) => {
            Ok(None)
        }
        found => found,
    }
}

/// The newest value of a source's time axis in the calendar's zone.
async fn newest_time(catalog: &Catalog, source: SourceId, state: &dyn Session) -> Result<Option<NaiveDateTime>> {
    let Some((formula, data_type)) = newest_of(catalog, source) else { return Ok(None) };
    let item = &catalog.source(source).item;
    let formulas = vec![(formula, data_type.clone())];
    let asked = Formulas { package: item.package.clone(), place: item.span, by: vec![], formulas, conditions: vec![] };
    let plan = asked.plan(catalog, state.config_options())?;
    let value = wall_clock(Expr::Column(Column::new_unqualified("v0")), &data_type, &catalog.calendar);
    let plan = LogicalPlanBuilder::from(plan).project(vec![value.alias("newest")])?.build()?;
    let plan = state.create_physical_plan(&plan).await?;
    let batches = collect(plan, state.task_ctx()).await?;
    match batches.iter().find(|batch| batch.num_rows() > 0) {
        Some(batch) => moment(batch.column(0)),
        None => Ok(None),
    }
}

/// The first value of a column of times.
///
/// # Errors
/// DataFusion's, for a column of anything else.
pub fn moment(column: &ArrayRef) -> Result<Option<NaiveDateTime>> {
    let column = cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let values = column.as_primitive::<TimestampMicrosecondType>();
    if values.is_empty() || values.is_null(0) {
        return Ok(None);
    }
    Ok(DateTime::from_timestamp_micros(values.value(0)).map(|at| at.naive_utc()))
}

/// When the newest file of a source was changed, in the calendar's zone.
pub fn newest_file(catalog: &Catalog, source: SourceId) -> Option<NaiveDateTime> {
    let Rows::Table(table) = &catalog.source(source).rows else { return None };
    let files = input_of(table)?.files;
    let newest = files.iter().filter_map(|file| DateTime::parse_from_rfc3339(&file.modified).ok()).max()?;
    let zone = catalog.calendar.timezone.as_deref().and_then(|zone| zone.parse::<chrono_tz::Tz>().ok());
    Some(zone.map_or(newest.naive_utc(), |zone| newest.with_timezone(&zone).naive_local()))
}
