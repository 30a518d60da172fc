//! [`LargeJoins`]: joins whose rows would not fit into the memory that there is are made by sorting.
//!
//! A hash join keeps all rows of one side in memory, and DataFusion 55.2 cannot put them into temporary files: within a
//! limit, the question fails. A sort-merge join is slower, and spills. So where the statistics say that the tables of a
//! plan's hash joins are too large for the limit together, the largest become sort-merge joins.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

/// The share of the memory that tables of joins may take by their statistics; groups and sorted rows need some, too.
const SHARE: usize = 2;

/// What a row takes in a hash table beside its columns.
const ENTRY: usize = 24;

/// What a text takes, about.
const TEXT: usize = 24;

/// Sort-merge joins for hash joins that do not fit into so many bytes.
#[derive(Debug)]
pub struct LargeJoins {
    /// The memory of all that is asked.
    pub bytes: usize,
}

impl PhysicalOptimizerRule for LargeJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut sizes = Vec::new();
        plan.apply(|node| {
            sizes.extend(node.downcast_ref::<HashJoinExec>().and_then(table_size));
            Ok(TreeNodeRecursion::Continue)
        })?;
        sizes.sort_unstable();
        let mut left = self.bytes / SHARE;
        let fits = |size: &&usize| {
            let fits = **size <= left;
            left = left.saturating_sub(**size);
            fits
        };
        let kept = sizes.iter().take_while(fits).count();
        let Some(too_large) = sizes.get(kept).copied() else { return Ok(plan) };
        let by_sorting = |node: Arc<dyn ExecutionPlan>| match node.downcast_ref::<HashJoinExec>() {
            Some(join) if table_size(join).is_some_and(|size| size >= too_large) => Ok(Transformed::yes(sorted(join)?)),
            _ => Ok(Transformed::no(node)),
        };
        Ok(plan.transform_down(by_sorting)?.data)
    }

    fn name(&self) -> &str {
        "large_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// About how many bytes the table of a join takes, if that is known and the join can be made by sorting.
fn table_size(join: &HashJoinExec) -> Option<usize> {
    let rows = StatisticsContext::new().compute(join.left().as_ref(), &StatisticsArgs::new()).ok()?.num_rows;
    let width: usize = join.left().schema().fields().iter().map(|field| width(field.data_type())).sum();
    // `NOT IN` is NULL beside a NULL, which a sort-merge join does not know.
    let sortable = !join.null_aware && !join.on().is_empty();
    rows.get_value().filter(|_| sortable).map(|rows| rows.saturating_mul(width + ENTRY))
}

fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::Dictionary(key, _) => width(key),
        other => other.primitive_width().unwrap_or(TEXT),
    }
}

/// The same join by sorting; the plan's later rules sort its sides.
fn sorted(join: &HashJoinExec) -> Result<Arc<dyn ExecutionPlan>> {
    let merged = SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        join.on().to_vec(),
        join.filter().cloned(),
        *join.join_type(),
        vec![SortOptions::default(); join.on().len()],
        join.null_equality(),
    )?;
    let Some(projection) = &join.projection else { return Ok(Arc::new(merged)) };
    let schema = merged.schema();
    let column = |at: &usize| {
        let name = schema.field(*at).name();
        (Arc::new(Column::new(name, *at)) as Arc<dyn PhysicalExpr>, name.clone())
    };
    let columns: Vec<_> = projection.iter().map(column).collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, Arc::new(merged))?))
}
