//! [`Reach`]: which folders of a source can matter, so that the others are not even listed.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::listing::helpers;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::object_store::path::Path;
use datafusion::object_store::{ListResult, ObjectMeta};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use futures::future::try_join_all;

use super::location::Location;
use super::{SourceSpec, again, hive};

/// How many folders are listed at once.
const FOLDERS_AT_ONCE: usize = 16;

/// Which files of a source are looked for. More than these may be found: what is read is decided again by each question.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Reach {
    /// All.
    #[default]
    All,
    /// One, which tells the columns.
    One,
    /// Those in folders for whose values all of some of these conditions can hold.
    Where(Vec<Vec<Expr>>),
}

/// The objects in the folders within reach, or in one other folder, where there are none; `None`, if all must be listed, also
/// to tell what is wrong with the folders.
pub(super) async fn listed(
    location: &Location,
    spec: &SourceSpec,
    reach: &Reach,
    ctx: &SessionContext,
) -> Option<Vec<ObjectMeta>> {
    if *reach == Reach::All || spec.partitions.is_empty() || location.glob.is_some() {
        return None;
    }
    let mut folders = folders_within(location, spec, reach, ctx).await?;
    if folders.is_empty() {
        folders = folders_within(location, spec, &Reach::One, ctx).await?;
    }
    let mut found: Vec<ObjectMeta> = Vec::new();
    for some in folders.chunks(FOLDERS_AT_ONCE) {
        let listed = some.iter().map(|folder| again::list(location.store.as_ref(), folder));
        found.extend(try_join_all(listed).await.ok()?.into_iter().flatten());
    }
    if *reach == Reach::One {
        found.retain(|meta| !is_hidden(meta));
        found.truncate(1);
    }
    (!found.is_empty()).then_some(found)
}

/// The innermost folders within reach, level by level.
async fn folders_within(
    location: &Location,
    spec: &SourceSpec,
    reach: &Reach,
    ctx: &SessionContext,
) -> Option<Vec<Path>> {
    let mut folders: Vec<(Path, Vec<ScalarValue>)> = vec![(location.path.clone(), vec![])];
    for depth in 0..spec.partitions.len() {
        let mut inner = Vec::new();
        for some in folders.chunks(FOLDERS_AT_ONCE) {
            let listed = some.iter().map(|(folder, _)| again::list_level(location.store.as_ref(), folder));
            for (listed, (_, values)) in try_join_all(listed).await.ok()?.into_iter().zip(some) {
                inner.extend(below(listed, values, spec, depth)?);
            }
        }
        folders = inner;
        match reach {
            Reach::All => {}
            // The last one is mostly the latest.
            Reach::One => folders = folders.split_off(folders.len().saturating_sub(1)),
            Reach::Where(ways) => folders = within(folders, spec, ways, ctx).ok()?,
        }
    }
    Some(folders.into_iter().map(|(folder, _)| folder).collect())
}

/// The folders in a folder with the values that they and those around them give; `None`, if something else lies there.
fn below(
    listed: ListResult,
    values: &[ScalarValue],
    spec: &SourceSpec,
    depth: usize,
) -> Option<Vec<(Path, Vec<ScalarValue>)>> {
    let (name, data_type) = &spec.partitions[depth];
    if !listed.objects.iter().all(is_hidden) {
        return None;
    }
    let folder = |folder: Path| {
        let last = folder.filename()?.to_string();
        let value = hive::value(&last, name, data_type).ok()?;
        Some((folder, values.iter().cloned().chain([value]).collect()))
    };
    listed.common_prefixes.into_iter().map(folder).collect()
}

/// What writers leave behind: see [`super::listing`].
fn is_hidden(meta: &ObjectMeta) -> bool {
    meta.location.filename().is_some_and(|name| name.starts_with(['_', '.']))
}

/// The folders for which all that is known of some of the conditions holds.
fn within(
    folders: Vec<(Path, Vec<ScalarValue>)>,
    spec: &SourceSpec,
    ways: &[Vec<Expr>],
    ctx: &SessionContext,
) -> Result<Vec<(Path, Vec<ScalarValue>)>> {
    let Some((_, first)) = folders.first() else { return Ok(folders) };
    let fields: Vec<FieldRef> = spec.partitions[..first.len()]
        .iter()
        .map(|(name, data_type)| FieldRef::new(Field::new(name, data_type.clone(), true)))
        .collect();
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    let rows: Vec<&[ScalarValue]> = folders.iter().map(|(_, values)| values.as_slice()).collect();
    let mut kept = vec![false; rows.len()];
    for way in ways {
        let known = way.iter().filter(|part| helpers::expr_applicable_for_cols(&names, part)).cloned();
        let holds = match conjunction(known) {
            Some(condition) => holds(&ctx.state(), &fields, &rows, condition)?,
            None => vec![true; rows.len()],
        };
        kept.iter_mut().zip(holds).for_each(|(kept, holds)| *kept |= holds);
    }
    Ok(folders.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(folder, _)| folder).collect())
}

/// For which values of partition columns a condition on them holds.
pub(super) fn holds(
    state: &dyn Session,
    fields: &[FieldRef],
    rows: &[&[ScalarValue]],
    condition: Expr,
) -> Result<Vec<bool>> {
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let column = |at: usize| ScalarValue::iter_to_array(rows.iter().map(|row| row[at].clone()));
    let columns: Vec<ArrayRef> = (0..fields.len()).map(column).collect::<Result<_>>()?;
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let expr = state.create_physical_expr(condition, &DFSchema::try_from(schema)?)?;
    let held = expr.evaluate(&batch)?.into_array(rows.len())?;
    Ok(held.as_boolean().iter().map(|held| held == Some(true)).collect())
}
