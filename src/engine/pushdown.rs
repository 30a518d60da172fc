//! [`SafePushdown`]: DataFusion's filters for file scans, without those that may reach the wrong column.
//!
//! While a query runs, DataFusion 55.2 makes filters from what it has seen (the keys of a join's one side, the best rows
//! so far) and pushes them down to the files of the other side. On the way below a join it finds a column by its name
//! alone. Where one side has two columns of that name, the filter may reach the other one, and rows are lost. And for
//! extremes without groups it skips rows that cannot change an extreme of a column, though others may need them that are of
//! something else, or have no value yet.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::large_joins::LargeJoins;

/// A rule of DataFusion's physical optimizer.
type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's physical optimizer rules, all of them safe, and what keeps joins within the memory that there is.
pub fn physical_rules(memory: MemoryLimit) -> Vec<Rule> {
    let ours = |rule: Rule| -> Vec<Rule> {
        match (rule.name(), &memory) {
            (name, _) if name.starts_with("FilterPushdown") => vec![Arc::new(SafePushdown { rule })],
            // Once it is known which side is kept, and before anything relies on it.
            ("join_selection", MemoryLimit::Finite(bytes)) => vec![rule, Arc::new(LargeJoins { bytes: *bytes })],
            _ => vec![rule],
        }
    };
    PhysicalOptimizer::new().rules.into_iter().flat_map(ours).collect()
}

/// The rule, without filters that are made while the query runs where columns may be taken for one another.
#[derive(Debug)]
struct SafePushdown {
    rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
}

impl PhysicalOptimizerRule for SafePushdown {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if !has_twins(&plan) && !has_forgotten_extremes(&plan) {
            return self.rule.optimize(plan, config);
        }
        let mut config = config.clone();
        let optimizer = &mut config.optimizer;
        optimizer.enable_dynamic_filter_pushdown = false;
        optimizer.enable_join_dynamic_filter_pushdown = false;
        optimizer.enable_topk_dynamic_filter_pushdown = false;
        optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        self.rule.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        self.rule.name()
    }

    fn schema_check(&self) -> bool {
        self.rule.schema_check()
    }
}

/// Whether a side of some join has two columns of the same name.
fn has_twins(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    let doubled = |side: &&Arc<dyn ExecutionPlan>| {
        let schema = side.schema();
        let mut names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    children.len() > 1 && children.iter().any(doubled) || children.into_iter().any(has_twins)
}

/// Whether some aggregation without groups has extremes of different things.
fn has_forgotten_extremes(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let forgotten = plan.downcast_ref::<AggregateExec>().is_some_and(|aggregate| {
        let of: Vec<_> =
            aggregate.aggr_expr().iter().map(|call| call.expressions()).zip(aggregate.filter_expr()).collect();
        aggregate.group_expr().is_empty() && of.windows(2).any(|pair| pair[0] != pair[1])
    });
    forgotten || plan.children().into_iter().any(has_forgotten_extremes)
}
