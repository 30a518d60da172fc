//! A table whose rows are computed from the answers to questions: its scan runs their plans, then the arithmetic.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    ReplaceChildrenOptions, SendableRecordBatchStream, collect,
};

use crate::analysis::{Analysis, Cells};
use crate::diagnostic::{Diagnostic, Label, carried_by};
use crate::source::Span;

/// The table.
#[derive(Debug)]
pub struct Computed {
    analysis: Analysis,
    places: Arc<Places>,
}

impl Computed {
    /// The table of an analysis; nothing runs before it is scanned.
    pub fn new(analysis: Analysis, places: Places) -> Self {
        Computed { analysis, places: Arc::new(places) }
    }
}

/// Where the texts of a question stand, for what is only found wrong when it runs.
#[derive(Debug)]
pub enum Places {
    /// In files of their own, after those of the project.
    Own,
    /// Nowhere that could be shown.
    Nowhere,
    /// In a statement.
    Statement {
        /// The number of the first file that is a text of the question.
        first: usize,
        /// Where each of these texts stands.
        texts: Vec<Option<Span>>,
        /// Where the question itself stands.
        call: Span,
    },
}

impl Places {
    /// The diagnostic with its places where they can be shown.
    pub fn shown(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let place = |span: Span| match self {
            Places::Own => Some(span),
            Places::Nowhere => None,
            Places::Statement { first, texts, .. } => match (span.file.0 as usize).checked_sub(*first) {
                None => Some(span),
                Some(at) => texts.get(at).copied().flatten().map(|text| inside(text, span)),
            },
        };
        diagnostic.primary = diagnostic.primary.and_then(|label| Some(Label { span: place(label.span)?, ..label }));
        if let (None, Places::Statement { call, .. }) = (&diagnostic.primary, self) {
            diagnostic.primary = Some(Label { span: *call, text: String::new() });
        }
        let secondary = std::mem::take(&mut diagnostic.secondary).into_iter();
        diagnostic.secondary =
            secondary.filter_map(|label| Some(Label { span: place(label.span)?, ..label })).collect();
        diagnostic
    }
}

/// A part of a text, where the text stands. A quote that is written twice makes it longer there than what it says.
fn inside(text: Span, part: Span) -> Span {
    let at = |offset: u32| (text.start + offset).min(text.end);
    Span { start: at(part.start), end: at(part.end), ..text }
}

#[async_trait]
impl TableProvider for Computed {
    fn schema(&self) -> SchemaRef {
        self.analysis.answer.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (mut computation, mut inputs) = self.planned(self.analysis.clone(), state).await?;
        // What is asked may depend on values: these are read while the rest is planned.
        while let Some(later) = computation.analysis.answer.later() {
            let cells = computation.cells(inputs, state.task_ctx()).await?;
            let then = later.then(&cells, state.config_options()).map_err(|error| shown(error, &self.places))?;
            (computation, inputs) = self.planned(then, state).await?;
        }
        Ok(Arc::new(ComputedExec::new(Arc::new(computation), inputs, projection.cloned())?))
    }
}

impl Computed {
    async fn planned(
        &self,
        analysis: Analysis,
        state: &dyn Session,
    ) -> Result<(Computation, Vec<Arc<dyn ExecutionPlan>>)> {
        let mut inputs = Vec::new();
        for question in &analysis.questions {
            inputs.push(state.create_physical_plan(&question.plan).await?);
        }
        let mut spares = Vec::new();
        for spare in &analysis.spares {
            spares.push(state.create_physical_plan(&spare.question.plan).await?);
        }
        Ok((Computation { analysis, places: Arc::clone(&self.places), spares }, inputs))
    }
}

/// An error with its places where they can be shown.
fn shown(error: DataFusionError, places: &Places) -> DataFusionError {
    match carried_by(&error) {
        Some(diagnostic) => places.shown(diagnostic).into(),
        None => error,
    }
}

/// What is done with the rows of the inputs.
#[derive(Debug)]
struct Computation {
    analysis: Analysis,
    places: Arc<Places>,
    /// Plans that run only where the inputs leave a side without rows.
    spares: Vec<Arc<dyn ExecutionPlan>>,
}

/// Runs the questions, then computes the one batch of the answer.
#[derive(Debug)]
struct ComputedExec {
    computation: Arc<Computation>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl ComputedExec {
    fn new(
        computation: Arc<Computation>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        let schema = computation.analysis.answer.schema();
        let schema = match &projection {
            Some(columns) => Arc::new(schema.project(columns)?),
            None => schema,
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(ComputedExec { computation, inputs, projection, properties: Arc::new(properties) })
    }
}

impl DisplayAs for ComputedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ComputedExec: questions={}", self.inputs.len())
    }
}

impl ExecutionPlan for ComputedExec {
    fn name(&self) -> &'static str {
        "ComputedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(ComputedExec::new(Arc::clone(&self.computation), children, self.projection.clone())?))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (computation, inputs) = (Arc::clone(&self.computation), self.inputs.clone());
        let projection = self.projection.clone();
        let answer = async move {
            let batch = computation.answer(inputs, context).await?;
            match projection {
                Some(columns) => Ok(batch.project(&columns)?),
                None => Ok(batch),
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(answer))))
    }
}

impl Computation {
    async fn answer(&self, inputs: Vec<Arc<dyn ExecutionPlan>>, context: Arc<TaskContext>) -> Result<RecordBatch> {
        let cells = self.cells(inputs, context).await?;
        self.analysis.answer.answer(&cells).map_err(|error| shown(error, &self.places))
    }

    async fn cells(&self, inputs: Vec<Arc<dyn ExecutionPlan>>, context: Arc<TaskContext>) -> Result<Cells> {
        let mut cells = Cells::default();
        for (question, input) in self.analysis.questions.iter().zip(inputs) {
            for batch in collect(input, Arc::clone(&context)).await? {
                cells.add(question, &batch);
            }
        }
        for (spare, plan) in self.analysis.spares.iter().zip(&self.spares) {
            if !cells.has_rows(spare.side) {
                for batch in collect(Arc::clone(plan), Arc::clone(&context)).await? {
                    cells.add(&spare.question, &batch);
                }
            }
        }
        Ok(cells)
    }
}
