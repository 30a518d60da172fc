//! Tables that show somebody's rows only.
//!
//! A policy is held before anything else looks at a row: conditions of a question that could fail, or tell by a function
//! what they see, must not be evaluated on rows that are not seen, and the optimizer must not move them there. The rows
//! therefore come from a plan of their own behind [`PolicedExec`], which no rule looks through. Only comparisons, which
//! cannot fail, go with it to the files.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::Partitioning;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, reset_plan_states};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::ident;
use futures::StreamExt;

use super::seen::unqualified;
use crate::catalog::Item;
use crate::catalog::policy::Policy;
use crate::diagnostic::{Diagnostic, codes};

/// The rows of a source that somebody may see.
#[derive(Debug)]
pub struct PolicedTable {
    source: String,
    rows: LogicalPlan,
    masked: BTreeSet<String>,
    schema: SchemaRef,
}

impl PolicedTable {
    /// Rows in which these columns are masks.
    pub(super) fn new(source: &Item, rows: LogicalPlan, masked: BTreeSet<String>) -> PolicedTable {
        let schema = Arc::clone(rows.schema().inner());
        PolicedTable { source: source.name.clone(), rows, masked, schema }
    }

    /// Whether a column is masked.
    pub(super) fn masks(&self, column: &str) -> bool {
        self.masked.contains(column)
    }

    /// A column, for people.
    pub(super) fn column(&self, column: &str) -> String {
        format!("{}.{column}", self.source)
    }
}

#[async_trait]
impl TableProvider for PolicedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match cannot_fail(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut rows = LogicalPlanBuilder::from(self.rows.clone());
        let filters = filters.iter().cloned().map(unqualified).collect::<Result<Vec<_>>>()?;
        if let Some(filter) = conjunction(filters) {
            rows = rows.filter(filter)?;
        }
        if let Some(projection) = projection {
            rows = rows.project(projection.iter().map(|at| ident(self.schema.field(*at).name())))?;
        }
        let rows = rows.limit(0, limit)?.build()?;
        let plan = state.create_physical_plan(&rows).await.map_err(|error| withheld(&self.source, error))?;
        // How many pieces there are would tell of the files.
        let pieces = Partitioning::RoundRobinBatch(state.config().target_partitions());
        let plan = Arc::new(RepartitionExec::try_new(plan, pieces)?);
        Ok(Arc::new(PolicedExec { source: self.source.clone(), rows: plan }))
    }
}

/// Whether a condition compares columns and values, and nothing that could fail or tell what it sees.
fn cannot_fail(condition: &Expr) -> bool {
    let mut harmless = true;
    let walked = condition.apply(|expr| {
        harmless &= match expr {
            Expr::Column(_) | Expr::Literal(..) | Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => true,
            Expr::Between(_) | Expr::InList(_) | Expr::Alias(_) => true,
            Expr::BinaryExpr(BinaryExpr { op, .. }) => compares(*op),
            _ => false,
        };
        Ok(if harmless { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && harmless
}

fn compares(op: Operator) -> bool {
    use Operator::*;
    let compares = matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom);
    compares || matches!(op, And | Or)
}

/// What went wrong with rows that are not all seen, without what it says of them.
fn withheld(source: &str, error: DataFusionError) -> DataFusionError {
    let tells_nothing = match error.find_root() {
        // The kind, without what it says of a plan that is not shown.
        DataFusionError::ResourcesExhausted(_) => {
            return DataFusionError::ResourcesExhausted(format!("reading `{source}` takes more memory than there is"));
        }
        DataFusionError::External(inner) => {
            inner.downcast_ref::<Diagnostic>().is_some_and(|known| known.code == codes::NOT_SEEN)
        }
        _ => false,
    };
    if tells_nothing {
        return error;
    }
    Diagnostic::new(codes::NOT_SEEN, format!("`{source}` could not be read"))
        .note("the reason may tell of rows that policies keep from you")
        .help("ask somebody who sees all of its rows to look")
        .into()
}

/// The rows of a [`PolicedTable`]: for every rule a leaf.
#[derive(Debug)]
struct PolicedExec {
    source: String,
    rows: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for PolicedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => writeln!(f, "source={}", self.source),
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "PolicedExec: source={}", self.source)
            }
        }
    }
}

impl ExecutionPlan for PolicedExec {
    fn name(&self) -> &'static str {
        "PolicedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.rows.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = reset_plan_states(Arc::clone(&self.rows))?;
        Ok(Arc::new(PolicedExec { source: self.source.clone(), rows }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let source = self.source.clone();
        let rows = self.rows.execute(partition, context).map_err(|error| withheld(&source, error))?;
        let schema = rows.schema();
        let rows = rows.map(move |batch| batch.map_err(|error| withheld(&source, error)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// A source of which somebody may see nothing.
#[derive(Debug)]
pub struct ClosedTable {
    schema: SchemaRef,
    why: Diagnostic,
}

impl ClosedTable {
    pub(super) fn new(schema: SchemaRef, why: Diagnostic) -> ClosedTable {
        ClosedTable { schema, why }
    }

    /// Its rows are for others.
    pub(super) fn no_role(source: &Item, policies: &[&Policy]) -> Diagnostic {
        let mut roles: Vec<&str> = policies.iter().flat_map(|it| &it.to).map(String::as_str).collect();
        roles.sort_unstable();
        roles.dedup();
        Diagnostic::new(codes::NOT_SEEN, format!("you may see no rows of `{}`", source.name))
            .note(format!("policies open them to role {}", roles.join(", ")))
            .help("ask for a role, or for what is not made of these rows")
    }

    /// It is made of what is masked.
    pub(super) fn masked(source: &Item, column: &str) -> Diagnostic {
        Diagnostic::new(codes::NOT_SEEN, format!("`{}` is made of `{column}`, which is masked for you", source.name))
            .help("ask for what is not made of it")
    }
}

#[async_trait]
impl TableProvider for ClosedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.why.clone().into())
    }
}
