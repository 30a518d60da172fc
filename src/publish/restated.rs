//! Values of closed periods that moved: what was published of a period that was over, and is published otherwise now.
//!
//! The old files and the new ones are both there until the next run; they are joined on the publication's keys, and every
//! value that differs is a line. A period was closed if it had ended when it was published last. Values are compared as
//! they are written, so that a changed format is no change, and doubles to twelve digits: the order in which threads add
//! them up, which is another one in each run, decides about the last.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float64Type, Schema, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use serde_json::{Map, Value};

use super::late::latest;
use crate::catalog::calendar::{Calendar, Grain};
use crate::catalog::publication::{FileFormat, Publication};
use crate::catalog::time::{cast, later, local};
use crate::error::{Error, Result};
use crate::store::destination::Destination;
use crate::store::manifest::{File, Input, InputFile, Manifest, Restated};
use crate::store::{CsvOptions, Format, SourceSpec, StoreError, open};

/// More values than these are counted, but not listed.
const LISTED: usize = 10_000;

/// Doubles that are as near as this to each other, relative to the larger one, are the same sum in another order: the errors
/// of additions go both ways, so that those of a hundred million make up about 10,000 times the one of 1e-16.
const SAME_SUM: f64 = 1e-12;

/// So many files are named as the cause.
const NAMED: usize = 5;

/// What moved.
pub(super) struct Moved {
    /// The values, up to so many as are listed.
    pub(super) lines: Vec<Restated>,
    /// How many there are of periods that are not final.
    pub(super) restated: u64,
    /// How many there are of periods that are.
    pub(super) held: u64,
}

/// What is compared.
pub(super) struct Comparison<'c> {
    pub(super) ctx: &'c SessionContext,
    pub(super) calendar: &'c Calendar,
    pub(super) publication: &'c Publication,
    pub(super) destination: &'c Destination,
    /// The columns of the new rows.
    pub(super) schema: &'c Schema,
    pub(super) before: &'c Manifest,
    /// The files that the new ones are about to replace, or to be held by.
    pub(super) old: Vec<File>,
    pub(super) new: Vec<File>,
    pub(super) run: &'c str,
    pub(super) at: &'c str,
    pub(super) because: &'c str,
    /// Whether the partition of a period is final.
    pub(super) held: &'c (dyn Fn(&Map<String, Value>) -> bool + Sync),
}

impl Comparison<'_> {
    /// The values that moved.
    pub(super) async fn moved(&self) -> Result<Moved> {
        let mut moved = Moved { lines: vec![], restated: 0, held: 0 };
        let Some((period, grain)) = self.publication.periods() else { return Ok(moved) };
        if self.old.is_empty() {
            return Ok(moved);
        }
        let compared: Vec<&String> = self.publication.indicators.iter().map(|(name, _)| name).collect();
        let known = |name: &&&String| self.before.columns.iter().any(|column| column.name == ***name);
        let compared: Vec<&String> = compared.iter().filter(known).copied().collect();
        let keys: Vec<&String> = self.publication.by.iter().map(|(name, _)| name).collect();
        if compared.is_empty() || !keys.iter().all(|key| self.before.columns.iter().any(|it| it.name == **key)) {
            return Ok(moved);
        }
        let was = self.rows("was", &self.old, &keys, &compared).await?;
        let is = self.rows("is", &self.new, &keys, &compared).await?;
        let plan = self.differences(was, is, &keys, &compared, (keys[period], grain))?;
        let batches = DataFrame::new(self.ctx.state(), plan).collect().await?;
        for batch in &batches {
            self.take(batch, &keys, &compared, &mut moved)?;
        }
        Ok(moved)
    }

    /// The rows of some files, in the types of the new ones.
    async fn rows(&self, name: &str, files: &[File], keys: &[&String], values: &[&String]) -> Result<LogicalPlan> {
        let columns = keys.iter().chain(values);
        let typed = |name: &String| -> datafusion::error::Result<DataType> {
            Ok(self.schema.field_with_name(name)?.data_type().clone())
        };
        let types: Vec<(String, DataType)> =
            columns.map(|name| Ok(((*name).clone(), typed(name)?))).collect::<Result<_>>()?;
        // Of files without rows some formats do not tell the columns.
        let files: Vec<&File> = files.iter().filter(|file| file.rows > 0).collect();
        if files.is_empty() {
            let fields =
                types.iter().map(|(name, kind)| datafusion::arrow::datatypes::Field::new(name, kind.clone(), true));
            let empty = RecordBatch::new_empty(std::sync::Arc::new(Schema::new(fields.collect::<Vec<_>>())));
            let table = datafusion::datasource::MemTable::try_new(empty.schema(), vec![vec![empty]])?;
            return Ok(LogicalPlanBuilder::scan(name, provider_as_source(std::sync::Arc::new(table)), None)?.build()?);
        }
        let is_partition =
            |name: &String| self.publication.partitions.iter().any(|at| self.publication.by[*at].0 == *name);
        let (partitions, inside): (Vec<_>, Vec<_>) = types.iter().cloned().partition(|(name, _)| is_partition(name));
        let spec = SourceSpec {
            name: self.publication.item.name.clone(),
            format: match self.publication.format {
                FileFormat::Parquet => Format::Parquet,
                FileFormat::Csv => Format::Csv(CsvOptions::default()),
                FileFormat::Json => Format::Json { compression: None },
            },
            locations: files.iter().map(|file| self.destination.location(&file.path)).collect(),
            partitions: self
                .publication
                .partitions
                .iter()
                .filter_map(|at| {
                    let name = &self.publication.by[*at].0;
                    partitions.iter().find(|(known, _)| known == name).cloned()
                })
                .collect(),
            types: if self.publication.format == FileFormat::Parquet { vec![] } else { inside },
        };
        let unreadable = |error: StoreError| {
            format!("{error}; what is published there cannot be read: remove that file, and run again")
        };
        let table = open(&spec, self.ctx).await.map_err(|error| Error::Data(unreadable(error)))?;
        let column = |(name, kind): &(String, DataType)| {
            cast(Expr::Column(Column::new_unqualified(name)), kind.clone()).alias(name)
        };
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
        Ok(plan.project(types.iter().map(column))?.alias(name)?.build()?)
    }

    /// The rows of closed periods in which some value differs.
    fn differences(
        &self,
        was: LogicalPlan,
        is: LogicalPlan,
        keys: &[&String],
        values: &[&String],
        (period, grain): (&String, Grain),
    ) -> Result<LogicalPlan> {
        let of = |relation: &str, name: &String| Expr::Column(Column::new(Some(relation), name.as_str()));
        let compare = |op: Operator, name: &String| {
            let (left, right) = (Box::new(of("was", name)), Box::new(of("is", name)));
            Expr::BinaryExpr(BinaryExpr { left, op, right })
        };
        let equal = keys.iter().map(|key| compare(Operator::IsNotDistinctFrom, key));
        let joined = LogicalPlanBuilder::from(was).join_on(is, JoinType::Full, equal)?;
        let either = |name: &String| coalesce(vec![of("was", name), of("is", name)]);
        let native = self.schema.field_with_name(period).map_err(DataFusionError::from)?;
        let native = local(native.data_type());
        let end = later(either(period), &native, grain.span());
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        let published = Some(self.published().and_utc().timestamp());
        let closed = cast(end, seconds).lt_eq(lit(ScalarValue::TimestampSecond(published, None)));
        let differs =
            disjunction(values.iter().map(|name| compare(Operator::IsDistinctFrom, name))).unwrap_or(lit(false));
        let shown = keys.iter().map(|key| either(key).alias(key.as_str()));
        let pairs = values.iter().enumerate().flat_map(|(at, name)| {
            [of("was", name).alias(format!("$was{at}")), of("is", name).alias(format!("$is{at}"))]
        });
        let columns: Vec<Expr> = shown.chain(pairs).collect();
        Ok(joined.filter(closed.and(differs))?.project(columns)?.build()?)
    }

    /// When the values before were published, on the calendar's clock.
    fn published(&self) -> NaiveDateTime {
        let at = DateTime::parse_from_rfc3339(&self.before.published_at).unwrap_or_default();
        let zone = self.calendar.timezone.as_deref().and_then(|zone| zone.parse::<chrono_tz::Tz>().ok());
        zone.map_or(at.naive_utc(), |zone| at.with_timezone(&zone).naive_local())
    }

    fn take(&self, batch: &RecordBatch, keys: &[&String], values: &[&String], moved: &mut Moved) -> Result<()> {
        let options = FormatOptions::new();
        let text = |column: usize, row: usize| -> datafusion::error::Result<Option<String>> {
            let array = batch.column(column);
            if array.is_null(row) {
                return Ok(None);
            }
            Ok(Some(ArrayFormatter::try_new(array.as_ref(), &options)?.value(row).try_to_string()?))
        };
        for row in 0..batch.num_rows() {
            let mut named = Map::new();
            for (at, key) in keys.iter().enumerate() {
                named.insert((*key).clone(), text(at, row)?.map_or(Value::Null, Value::String));
            }
            let held = (self.held)(&named);
            for (at, indicator) in values.iter().enumerate() {
                let (before, after) = (keys.len() + 2 * at, keys.len() + 2 * at + 1);
                let (was, is) = (text(before, row)?, text(after, row)?);
                if was == is || is_same_sum(batch.column(before), batch.column(after), row) {
                    continue;
                }
                *(if held { &mut moved.held } else { &mut moved.restated }) += 1;
                if moved.lines.len() < LISTED {
                    moved.lines.push(Restated {
                        run: self.run.to_string(),
                        at: self.at.to_string(),
                        keys: named.clone(),
                        indicator: (*indicator).clone(),
                        was,
                        is,
                        because: self.because.to_string(),
                        held,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whether two doubles differ by no more than the order of additions explains.
fn is_same_sum(was: &dyn Array, is: &dyn Array, row: usize) -> bool {
    let (Some(left), Some(right)) = (was.as_primitive_opt::<Float64Type>(), is.as_primitive_opt::<Float64Type>())
    else {
        return false;
    };
    if left.is_null(row) || right.is_null(row) {
        return false;
    }
    let (left, right) = (left.value(row), right.value(row));
    // Infinity is near to nothing.
    left.is_finite() && right.is_finite() && (left - right).abs() <= SAME_SUM * left.abs().max(right.abs())
}

/// What has changed since the run before: the definition, or files.
pub(super) fn cause(before: &Manifest, definition: &str, inputs: &[Input]) -> String {
    if before.definition != definition {
        return format!("the definition has changed from {} to {definition}", before.definition);
    }
    let files = |inputs: &mut dyn Iterator<Item = &Input>| -> BTreeSet<(String, InputFile)> {
        inputs.flat_map(|input| input.files.iter().map(|file| (input.source.clone(), file.clone()))).collect()
    };
    let then = files(&mut latest(before).iter());
    let now = files(&mut inputs.iter());
    let path = |set: &BTreeSet<(String, InputFile)>, file: &InputFile| set.iter().any(|(_, it)| it.path == file.path);
    let mut all = Vec::new();
    for (source, file) in now.difference(&then) {
        let how = if path(&then, file) { "changed" } else { "new" };
        all.push(format!("{source}: {} is {how}", name_of(&file.path)));
    }
    for (source, file) in then.difference(&now).filter(|(_, file)| !path(&now, file)) {
        all.push(format!("{source}: {} is gone", name_of(&file.path)));
    }
    if all.is_empty() {
        return "nothing that is known".to_string();
    }
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} files more"));
    }
    all.join("; ")
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
