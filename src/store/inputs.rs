//! What a plan reads: the files of its sources, in the versions that are read.

use std::any::Any;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{ViewTable, source_as_provider};
use datafusion::logical_expr::LogicalPlan;

use super::manifest::Input;
use super::table::FileTable;

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
    if let Some(table) = any.downcast_ref::<FileTable>() {
        found.push(table.input());
    } else if let Some(view) = any.downcast_ref::<ViewTable>() {
        collect(view.logical_plan(), found)?;
    }
    Ok(())
}
