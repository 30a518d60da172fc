//! The tables that a manifest speaks of, as files.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::SessionContext;

use super::super::text;
use crate::engine::Project;
use crate::plan::whole_source;
use crate::source::SourceSet;

/// A table that was found.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// `parquet 'data/orders.parquet'`, seen from the project.
    pub(crate) from: String,
    /// Its columns.
    pub(crate) columns: Vec<(String, DataType)>,
    rows: LogicalPlan,
}

impl Table {
    /// Whether some row has the same values in these columns as another: a key that is none.
    pub(crate) async fn repeats(&self, key: &[String], ctx: &SessionContext) -> Result<bool> {
        let columns = || key.iter().map(|column| Expr::Column(Column::new_unqualified(column))).collect::<Vec<_>>();
        let more = count(lit(1_i64)).alias("$rows");
        let known = columns().into_iter().map(Expr::is_not_null).reduce(Expr::and).unwrap_or(lit(true));
        let rows = LogicalPlanBuilder::from(self.rows.clone()).filter(known)?.aggregate(columns(), [more])?;
        let several = rows.filter(Expr::Column(Column::new_unqualified("$rows")).gt(lit(1_i64)))?.limit(0, Some(1))?;
        Ok(ctx.execute_logical_plan(several.build()?).await?.count().await? > 0)
    }
}

/// Tables by their names.
pub(crate) type Tables = HashMap<String, Table>;

/// The formats that a table may have, by their endings.
const ENDINGS: [&str; 4] = ["parquet", "csv", "json", "arrow"];

/// Looks the tables up in a folder (`<name>.parquet`, or a folder `<name>`) and reads their columns.
pub(crate) async fn read(data: &Path, project: &Path, names: &[String], ctx: &SessionContext) -> Tables {
    let found: Vec<(&String, &str, PathBuf)> = names.iter().filter_map(|name| located(data, name)).collect();
    let mut model = String::new();
    for (at, (_, format, path)) in found.iter().enumerate() {
        let location = text::literal(&absolute(path).display().to_string());
        let _ = writeln!(model, "source t{at} {{ from {format} {location} }}");
    }
    let mut sources = SourceSet::default();
    sources.add("<tables>", &model);
    let read = Project::of(sources, ctx).await;
    let mut tables = Tables::new();
    for (at, (name, format, path)) in found.into_iter().enumerate() {
        let Some(id) = read.catalog.source_named("public", &format!("t{at}")) else { continue };
        let Ok(rows) = whole_source(&read.catalog, id) else { continue };
        let columns = read.catalog.source(id).columns.iter();
        let columns = columns.map(|column| (column.name.clone(), column.data_type.clone())).collect();
        let from = format!("{format} {}", text::literal(&seen_from(project, &path)));
        tables.insert(name.clone(), Table { from, columns, rows });
    }
    tables
}

fn located<'n>(data: &Path, name: &'n String) -> Option<(&'n String, &'static str, PathBuf)> {
    for ending in ENDINGS {
        let file = data.join(format!("{name}.{ending}"));
        if file.is_file() {
            return Some((name, ending, file));
        }
    }
    let folder = data.join(name);
    folder.is_dir().then(|| (name, "parquet", folder.join("")))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The way from the project's folder to a file, if it is short; else the whole path.
fn seen_from(project: &Path, path: &Path) -> String {
    let (from, to) = (absolute(project), absolute(path));
    let (from, to): (Vec<Component>, Vec<Component>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.len() - shared;
    if up > 2 || shared < 2 {
        return absolute(path).display().to_string();
    }
    let steps = std::iter::repeat_n("..".to_string(), up);
    let rest = to[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    steps.chain(rest).collect::<Vec<_>>().join("/")
}
