//! Values of closed periods that moved: what was published of a period that was over, and is published otherwise now.
//!
//! The old files and the new ones are both there until the next run; they are joined on the publication's keys, and every
//! value that differs is a line. A period was closed if it had ended when it was published last. Values of two types are
//! compared in one that loses nothing of either ([`common`]), and doubles to twelve digits: the order in which threads add
//! them up, which is another one in each run, decides about the last.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast as cast_array;
use datafusion::arrow::datatypes::{DataType, Float64Type, Schema, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use serde_json::{Map, Value};

use super::common::{common, common_of_keys, type_of, typed};
use super::late;
use super::told::{self, Form};
use crate::catalog::calendar::{Calendar, Grain};
use crate::catalog::publication::Publication;
use crate::catalog::time::{cast, later, local};
use crate::diagnostic::codes;
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::store::destination::Destination;
use crate::store::manifest::{File, Input, InputFile, Manifest, Restated};

/// More values than these are counted, but not listed.
const LISTED: usize = 10_000;

/// Doubles that are as near as this to each other, relative to the larger one, are the same sum in another order: the errors
/// of additions go both ways, so that those of a hundred million make up about 10,000 times the one of 1e-16.
const SAME_SUM: f64 = 1e-12;

/// So many files are named as the cause.
const NAMED: usize = 5;

/// A column and the type in which it is compared.
type Compared<'c> = (&'c String, DataType);

/// What moved.
#[derive(Default)]
pub(super) struct Moved {
    /// The values, up to so many as are listed.
    pub(super) lines: Vec<Restated>,
    /// How many there are of periods that are not final.
    pub(super) restated: u64,
    /// How many there are of periods that are.
    pub(super) held: u64,
    /// Why nobody can tell what moved.
    pub(super) uncompared: Option<String>,
}

impl Moved {
    /// Nobody can tell.
    pub(super) fn unknown(why: String) -> Moved {
        Moved { uncompared: Some(why), ..Moved::default() }
    }
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

/// Why a comparison ends without an answer.
enum End {
    /// Nobody can tell what moved.
    Unknown(String),
    Failed(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Failed(error)
    }
}

impl From<DataFusionError> for End {
    fn from(error: DataFusionError) -> End {
        End::Failed(error.into())
    }
}

impl Comparison<'_> {
    /// The values that moved.
    pub(super) async fn moved(&self) -> Result<Moved> {
        match self.compared().await {
            Ok(moved) => Ok(moved),
            Err(End::Unknown(why)) => Ok(Moved::unknown(why)),
            Err(End::Failed(error)) => Err(error),
        }
    }

    async fn compared(&self) -> Result<Moved, End> {
        let mut moved = Moved::default();
        let Some((period, grain)) = self.publication.periods() else { return Ok(moved) };
        let known = |name: &String| self.before.columns.iter().any(|column| column.name == *name);
        let values = self.publication.indicators.iter().map(|(name, _)| name);
        let values: Vec<&String> = values.filter(|name| known(name)).collect();
        if self.old.is_empty() || values.is_empty() {
            return Ok(moved);
        }
        let keys: Vec<&String> = self.publication.by.iter().map(|(name, _)| name).collect();
        if let Some(new) = keys.iter().find(|key| !known(key)) {
            return Err(End::Unknown(format!("it was not by `{new}`")));
        }
        let was = self.was(&keys, &values).await?;
        let is = self.is(&keys, &values).await?;
        self.require_distinct(&was, &keys).await?;
        let (mut typed_keys, mut typed_values) = (Vec::new(), Vec::new());
        for key in keys {
            let kind = common_of_keys(key, &type_of(&was, key)?, &type_of(&is, key)?).map_err(End::Unknown)?;
            typed_keys.push((key, kind));
        }
        for value in values {
            typed_values.push((value, common(&type_of(&was, value)?, &type_of(&is, value)?)));
        }
        let (keys, values): (Vec<Compared<'_>>, Vec<Compared<'_>>) = (typed_keys, typed_values);
        let plan = self.differences(was, is, &keys, &values, (period, grain))?;
        for batch in &DataFrame::new(self.ctx.state(), plan).collect().await? {
            self.take(batch, &keys, &values, &mut moved)?;
        }
        Ok(moved)
    }

    /// The rows of before, read as what they were written as.
    async fn was(&self, keys: &[&String], values: &[&String]) -> Result<LogicalPlan, End> {
        let mut plans = Vec::new();
        for (form, files) in told::by_form(self.before, &self.old, self.schema).map_err(End::Unknown)? {
            let rows = told::rows(self.ctx, self.destination, &self.publication.item.name, &form, &files).await;
            plans.push(rows.map_err(|error| match error.code {
                // Files that are what they were, and other ones than is known of them.
                codes::VALUE_MISFIT | codes::BAD_COLUMN_TYPE | codes::SCHEMAS_DIFFER => {
                    End::Unknown(format!("what was published cannot be read as what it was: {error}"))
                }
                _ => End::Failed(unreadable(&error)),
            })?);
        }
        if plans.is_empty() {
            plans.push(told::no_rows("was", &Form::of_now(self.publication, self.schema))?);
        }
        told::together(&plans, "was", keys, values)?.map_err(End::Unknown)
    }

    /// The rows of now.
    async fn is(&self, keys: &[&String], values: &[&String]) -> Result<LogicalPlan, End> {
        let form = Form::of_now(self.publication, self.schema);
        let files: Vec<&File> = self.new.iter().filter(|file| file.rows > 0).collect();
        let plan = match files.is_empty() {
            true => told::no_rows("is", &form)?,
            false => {
                let rows = told::rows(self.ctx, self.destination, &self.publication.item.name, &form, &files).await;
                rows.map_err(|error| unreadable(&error))?
            }
        };
        told::together(&[plan], "is", keys, values)?.map_err(End::Unknown)
    }

    /// Refuses rows of before that were by more than these keys: each of several would be said to have become their sum. The
    /// manifest does not say which columns were keys.
    async fn require_distinct(&self, was: &LogicalPlan, keys: &[&String]) -> Result<(), End> {
        let gone = self.before.columns.iter().find(|column| self.schema.field_with_name(&column.name).is_err());
        let Some(gone) = gone else { return Ok(()) };
        let keys = keys.iter().map(|key| Expr::Column(Column::new(Some("was"), key.as_str())));
        let rows = count(lit(1)).alias("$rows");
        let several = LogicalPlanBuilder::from(was.clone()).aggregate(keys, [rows])?;
        let several = several.filter(Expr::Column(Column::new_unqualified("$rows")).gt(lit(1)))?.limit(0, Some(1))?;
        let found = DataFrame::new(self.ctx.state(), several.build()?).count().await?;
        match found {
            0 => Ok(()),
            _ => Err(End::Unknown(format!("it was by more than it is now: `{}` is gone", gone.name))),
        }
    }

    /// The rows of closed periods in which some value differs.
    fn differences(
        &self,
        was: LogicalPlan,
        is: LogicalPlan,
        keys: &[Compared<'_>],
        values: &[Compared<'_>],
        (period, grain): (usize, Grain),
    ) -> Result<LogicalPlan> {
        let both = |(name, kind): &Compared<'_>| Ok((typed(&was, name, kind)?, typed(&is, name, kind)?));
        let compare = |op: Operator, (left, right): (Expr, Expr)| {
            Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
        };
        let pairs = keys.iter().map(both).collect::<Result<Vec<_>>>()?;
        let either: Vec<Expr> = pairs.iter().map(|(was, is)| coalesce(vec![was.clone(), is.clone()])).collect();
        let equal = pairs.into_iter().map(|pair| compare(Operator::IsNotDistinctFrom, pair));
        let equal: Vec<Expr> = equal.collect();
        let native = local(&keys[period].1);
        let end = later(either[period].clone(), &native, grain.span());
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        let published = Some(self.published().and_utc().timestamp());
        let closed = cast(end, seconds).lt_eq(lit(ScalarValue::TimestampSecond(published, None)));
        let pairs = values.iter().map(both).collect::<Result<Vec<_>>>()?;
        let differs = pairs.into_iter().map(|pair| compare(Operator::IsDistinctFrom, pair));
        let differs = disjunction(differs).unwrap_or(lit(false));
        let shown = keys.iter().zip(either).map(|((name, _), key)| key.alias(name.as_str()));
        let of = |relation: &str, name: &String| Expr::Column(Column::new(Some(relation), name.as_str()));
        let pairs = values.iter().enumerate().flat_map(|(at, (name, _))| {
            [of("was", name).alias(format!("$was{at}")), of("is", name).alias(format!("$is{at}"))]
        });
        let columns: Vec<Expr> = shown.chain(pairs).collect();
        let joined = LogicalPlanBuilder::from(was).join_on(is, JoinType::Full, equal)?;
        Ok(joined.filter(closed.and(differs))?.project(columns)?.build()?)
    }

    /// When the values before were published, on the calendar's clock.
    fn published(&self) -> NaiveDateTime {
        let at = DateTime::parse_from_rfc3339(&self.before.published_at).unwrap_or_default();
        let zone = self.calendar.timezone.as_deref().and_then(|zone| zone.parse::<chrono_tz::Tz>().ok());
        zone.map_or(at.naive_utc(), |zone| at.with_timezone(&zone).naive_local())
    }

    fn take(
        &self,
        batch: &RecordBatch,
        keys: &[Compared<'_>],
        values: &[Compared<'_>],
        moved: &mut Moved,
    ) -> Result<()> {
        let column = |at: usize| keys.len() + 2 * at;
        let pair = |(at, (_, kind)): (usize, &Compared<'_>)| {
            Pair::of(batch.column(column(at)), batch.column(column(at) + 1), kind)
        };
        let pairs: Vec<Pair> = values.iter().enumerate().map(pair).collect::<Result<_, DataFusionError>>()?;
        for row in 0..batch.num_rows() {
            let mut named = Map::new();
            for (at, (key, _)) in keys.iter().enumerate() {
                named.insert((*key).clone(), text(batch.column(at), row)?.map_or(Value::Null, Value::String));
            }
            let held = (self.held)(&named);
            for ((indicator, _), pair) in values.iter().zip(&pairs) {
                let Some((was, is)) = pair.moved(row)? else { continue };
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

/// What a value was and what it is, as texts; NULL is none.
type WasAndIs = (Option<String>, Option<String>);

/// The values of an indicator before and now, as they are and in the type in which they are compared.
struct Pair {
    was: ArrayRef,
    is: ArrayRef,
    compared: (ArrayRef, ArrayRef),
}

impl Pair {
    fn of(was: &ArrayRef, is: &ArrayRef, kind: &DataType) -> Result<Pair, DataFusionError> {
        let compared = (cast_array(was, kind)?, cast_array(is, kind)?);
        Ok(Pair { was: was.clone(), is: is.clone(), compared })
    }

    /// The texts of the two in a row, if they are not the same.
    fn moved(&self, row: usize) -> Result<Option<WasAndIs>, DataFusionError> {
        let told = (text(&self.was, row)?, text(&self.is, row)?);
        let (was, is) = &self.compared;
        let alike =
            || Ok::<_, DataFusionError>(was.is_valid(row) && is.is_valid(row) && text(was, row)? == text(is, row)?);
        let same = told.0 == told.1 || is_same_sum(was, is, row) || alike()?;
        Ok((!same).then_some(told))
    }
}

/// A value as text; `None` for NULL.
fn text(array: &ArrayRef, row: usize) -> Result<Option<String>, DataFusionError> {
    if array.is_null(row) {
        return Ok(None);
    }
    Ok(Some(ArrayFormatter::try_new(array.as_ref(), &FormatOptions::new())?.value(row).try_to_string()?))
}

fn unreadable(error: &StoreError) -> Error {
    Error::Data(format!("{error}; what is published there cannot be read: remove that file, and run again"))
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
    let then = files(&mut late::known(before).iter());
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
