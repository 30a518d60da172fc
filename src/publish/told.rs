//! What published files say, read as what they were written as: in the format, the partitions and the types of their run.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::SessionContext;

use super::common::{common, common_of_keys, type_of, typed};
use crate::catalog::publication::{FileFormat, Publication};
use crate::diagnostic::codes;
use crate::error::{Error, Result};
use crate::store::destination::Destination;
use crate::store::manifest::{File, Manifest};
use crate::store::{CsvOptions, Format, SourceSpec, StoreError, open};

/// How files were written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    format: FileFormat,
    /// The columns, those in the names of folders included.
    columns: Vec<(String, DataType)>,
    /// The columns in the names of folders, outermost first.
    partitions: Vec<String>,
}

impl Form {
    /// How this run writes.
    pub(super) fn of_now(publication: &Publication, schema: &Schema) -> Form {
        let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
        let partitions = publication.partitions.iter().map(|at| publication.by[*at].0.clone());
        Form { format: publication.format, columns: columns.collect(), partitions: partitions.collect() }
    }

    /// How an earlier run wrote.
    fn of_run(before: &Manifest, run: &str, schema: &Schema) -> Result<Form, String> {
        let own = before.runs.iter().find(|made| made.run == run).map(|made| &made.columns);
        let columns = own.filter(|columns| !columns.is_empty()).unwrap_or(&before.columns);
        let known = |text: &str, name: &str| {
            let same = schema.field_with_name(name).ok().filter(|field| field.data_type().to_string() == text);
            same.map(|field| field.data_type().clone()).or_else(|| text.parse().ok())
        };
        let column = |name: &String, text: &String| match known(text, name) {
            Some(data_type) => Ok((name.clone(), data_type)),
            None => Err(format!("`{name}` was {text}, which is no type that can be read")),
        };
        let columns = columns.iter().map(|it| column(&it.name, &it.data_type)).collect::<Result<_, _>>()?;
        let format = FileFormat::ALL.into_iter().find(|format| format.name() == before.format);
        let format = format.ok_or_else(|| format!("{} is no format that can be read", before.format))?;
        Ok(Form { format, columns, partitions: before.partitions.clone() })
    }
}

/// Files of earlier runs, by how they were written. Those without rows are left out: some formats do not tell their columns.
///
/// # Errors
/// What is not known of them.
pub(super) fn by_form<'f>(
    before: &Manifest,
    files: &'f [File],
    schema: &Schema,
) -> Result<Vec<(Form, Vec<&'f File>)>, String> {
    let mut groups: Vec<(Form, Vec<&File>)> = Vec::new();
    for file in files.iter().filter(|file| file.rows > 0) {
        let form = Form::of_run(before, &file.run, schema)?;
        match groups.iter_mut().find(|(known, _)| *known == form) {
            Some((_, files)) => files.push(file),
            None => groups.push((form, vec![file])),
        }
    }
    Ok(groups)
}

/// The rows of files that were written alike.
///
/// # Errors
/// A [`StoreError`], if they cannot be read so.
pub(super) async fn rows(
    ctx: &SessionContext,
    destination: &Destination,
    name: &str,
    form: &Form,
    files: &[&File],
) -> Result<LogicalPlan, StoreError> {
    let of = |name: &String| form.columns.iter().find(|(known, _)| known == name).cloned();
    let inside = form.columns.iter().filter(|(name, _)| !form.partitions.contains(name)).cloned();
    let spec = SourceSpec {
        name: name.to_string(),
        format: match form.format {
            FileFormat::Parquet => Format::Parquet,
            FileFormat::Csv => Format::Csv(CsvOptions::default()),
            FileFormat::Json => Format::Json { compression: None },
        },
        locations: files.iter().map(|file| destination.location(&file.path)).collect(),
        partitions: form.partitions.iter().filter_map(of).collect(),
        types: if form.format == FileFormat::Parquet { vec![] } else { inside.collect() },
    };
    let table = open(&spec, ctx).await?;
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None).and_then(LogicalPlanBuilder::build);
    plan.map_err(|error| StoreError::new(codes::BAD_COLUMN_TYPE, error.strip_backtrace()))
}

/// No rows, of these columns.
pub(super) fn no_rows(name: &str, form: &Form) -> Result<LogicalPlan> {
    let fields = form.columns.iter().map(|(name, kind)| Field::new(name, kind.clone(), true));
    let empty = RecordBatch::new_empty(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
    let table = MemTable::try_new(empty.schema(), vec![vec![empty]])?;
    Ok(LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?.build()?)
}

/// The rows of several plans as one, in types that lose nothing of any.
///
/// # Errors
/// Inside, why keys have none.
pub(super) fn together(
    plans: &[LogicalPlan],
    name: &str,
    keys: &[&String],
    values: &[&String],
) -> Result<Result<LogicalPlan, String>> {
    let mut columns: Vec<(&String, DataType)> = Vec::new();
    for (column, is_key) in keys.iter().map(|key| (*key, true)).chain(values.iter().map(|value| (*value, false))) {
        let mut found = DataType::Null;
        for plan in plans.iter().filter(|plan| plan.schema().has_column_with_unqualified_name(column)) {
            let one = type_of(plan, column)?;
            found = match is_key && found != DataType::Null {
                true => match common_of_keys(column, &found, &one) {
                    Ok(kind) => kind,
                    Err(why) => return Ok(Err(why)),
                },
                false => common(&found, &one),
            };
        }
        columns.push((column, found));
    }
    let mut all: Option<LogicalPlanBuilder> = None;
    for plan in plans {
        let expressions = columns.iter().map(|(column, kind)| {
            let missing = || Ok(lit(ScalarValue::try_from(kind)?));
            let has = plan.schema().has_column_with_unqualified_name(column);
            let value: datafusion::error::Result<Expr> = if has { typed(plan, column, kind) } else { missing() };
            Ok(value?.alias(column.as_str()))
        });
        let expressions: Vec<Expr> = expressions.collect::<Result<_>>()?;
        let part = LogicalPlanBuilder::from(plan.clone()).project(expressions)?;
        all = Some(match all {
            Some(all) => all.union(part.build()?)?,
            None => part,
        });
    }
    match all {
        Some(all) => Ok(Ok(all.alias(name)?.build()?)),
        None => Err(Error::Data("no files were published".to_string())),
    }
}
