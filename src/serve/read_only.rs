//! What callers may not do: everything but asking.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::failed::Failed;

/// Lets plans pass that read.
///
/// # Errors
/// [`Failed::ReadOnly`] for all others.
pub(super) fn allow(plan: &LogicalPlan) -> Result<(), Failed> {
    let mut writes = None;
    let walked = plan.apply_with_subqueries(|node| {
        writes = match node {
            LogicalPlan::Ddl(ddl) => Some(ddl.name().to_string()),
            LogicalPlan::Dml(dml) => Some(dml.op.name().to_string()),
            LogicalPlan::Copy(_) => Some("COPY".to_string()),
            LogicalPlan::Statement(statement) => Some(statement.name().to_string()),
            _ => None,
        };
        Ok(if writes.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (walked, writes) {
        (_, Some(what)) => Err(Failed::ReadOnly(format!("this server only answers questions: {what} is not for it"))),
        (Err(error), None) => Err(Failed::Internal(error.to_string())),
        (Ok(_), None) => Ok(()),
    }
}
