//! What a plan reads: the files of its sources, in the versions that are read.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{ViewTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};

use super::manifest::{Input, InputFile};
use super::table::FileTable;
use super::unpublished::Unpublished;

/// The sources of files that a plan reads, each once, in order of name.
///
/// # Errors
/// DataFusion's, if the plan cannot be walked.
pub fn inputs_of(plan: &LogicalPlan) -> Result<Vec<Input>> {
    let mut found = Vec::new();
    collect(plan, &mut found)?;
    found.sort_by(|a: &Input, b: &Input| (&a.source, first(a)).cmp(&(&b.source, first(b))));
    found.dedup();
    Ok(found)
}

/// The same where all that a plan reads are files, so that these tell whether it would give something else now; else the
/// name of a table that is none.
///
/// # Errors
/// DataFusion's, if the plan cannot be walked.
pub fn all_inputs_of(plan: &LogicalPlan) -> Result<Result<Vec<Input>, String>> {
    let mut other = None;
    look_for_others(plan, &mut other)?;
    match other {
        Some(other) => Ok(Err(other)),
        None => inputs_of(plan).map(Ok),
    }
}

/// The files of a table, if it is one of files; none, if these are still to be published.
pub fn input_of(table: &Arc<dyn TableSource>) -> Option<Input> {
    input(source_as_provider(table).ok()?.as_ref())
}

fn input(table: &dyn TableProvider) -> Option<Input> {
    let any: &dyn Any = table;
    let awaiting = || any.downcast_ref::<Unpublished>().map(|it| Input { source: it.source.clone(), files: vec![] });
    any.downcast_ref::<FileTable>().map(FileTable::input).or_else(awaiting)
}

/// Whether a table's rows are those of files.
pub fn is_of_files(table: &Arc<dyn TableSource>) -> bool {
    source_as_provider(table).is_ok_and(|provider| (provider.as_ref() as &dyn Any).is::<FileTable>())
}

/// Of the conditions of a scan those that are about its partitions only.
pub fn partition_filters(table: &Arc<dyn TableProvider>, filters: &[Expr]) -> Vec<Expr> {
    let any: &dyn Any = table.as_ref();
    let Some(table) = any.downcast_ref::<FileTable>() else { return vec![] };
    filters.iter().filter(|filter| table.is_about_partitions(filter)).cloned().collect()
}

/// A plan that reads only those files of a table; `None`, if it does not read that table exactly once.
///
/// # Errors
/// DataFusion's.
pub fn only_files(
    plan: &LogicalPlan,
    table: &Arc<dyn TableSource>,
    wanted: impl Fn(&InputFile) -> bool,
) -> Result<Option<LogicalPlan>> {
    let provider = source_as_provider(table)?;
    let any: &dyn Any = provider.as_ref();
    let Some(whole) = any.downcast_ref::<FileTable>() else { return Ok(None) };
    let some: Arc<dyn TableProvider> = Arc::new(whole.only(wanted));
    let some = provider_as_source(some);
    let mut found = 0;
    let plan = plan.clone().transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) if Arc::ptr_eq(&scan.source, table) => {
            found += 1;
            scan.source = Arc::clone(&some);
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok((found == 1).then_some(plan.data))
}

/// A plan that reads of some sources only those files; `None`, if it reads one of these otherwise than as files.
///
/// # Errors
/// DataFusion's.
pub fn only_files_of(
    plan: &LogicalPlan,
    sources: &BTreeSet<String>,
    wanted: impl Fn(&str, &InputFile) -> bool,
) -> Result<Option<LogicalPlan>> {
    let mut found = BTreeSet::new();
    let plan = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let any: &dyn Any = provider.as_ref();
        match any.downcast_ref::<FileTable>() {
            Some(table) if sources.contains(table.source()) => {
                let some: Arc<dyn TableProvider> = Arc::new(table.only(|file| wanted(table.source(), file)));
                scan.source = provider_as_source(some);
                found.insert(table.source().to_string());
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            _ => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        }
    })?;
    Ok((found == *sources).then_some(plan.data))
}

fn look_for_others(plan: &LogicalPlan, other: &mut Option<String>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let any: &dyn Any = provider.as_ref();
            if let Some(view) = any.downcast_ref::<ViewTable>() {
                look_for_others(view.logical_plan(), other)?;
            } else if input(provider.as_ref()).is_none() {
                *other = Some(scan.table_name.to_string());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(drop)
}

fn first(input: &Input) -> Option<&str> {
    input.files.first().map(|file| file.path.as_str())
}

fn collect(plan: &LogicalPlan, found: &mut Vec<Input>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            read_by(provider.as_ref(), found)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(drop)
}

fn read_by(provider: &dyn TableProvider, found: &mut Vec<Input>) -> Result<()> {
    let any: &dyn Any = provider;
    if let Some(input) = input(provider) {
        found.push(input);
    } else if let Some(view) = any.downcast_ref::<ViewTable>() {
        collect(view.logical_plan(), found)?;
    }
    Ok(())
}
