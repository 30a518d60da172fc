//! One question for many publications.
//!
//! Publications by the same things, of the same rows, in the same range, whose indicators show the same groups
//! ([`Shown`]), are one question with all their indicators. It is asked when the first of them comes to it; its rows go to
//! a temporary file, and each publication takes its columns from there, in its own order, into its own files. Whatever
//! goes wrong with the one question, each of them then asks its own: so one that fails does so alone.

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{Column, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::logical_expr::{Expr, SortExpr};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{EmptyRecordBatchStream, ExecutionPlan, SpillManager, execute_stream};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::sync::OnceCell;

use super::Run;
use super::question::{self, Range};
use crate::catalog::expr::Expression;
use crate::catalog::publication::Publication;
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::{BellOptions, Shown};

/// A question that several publications ask.
pub(super) struct Shared {
    /// The name of the first of them.
    pub(super) name: String,
    /// All of them in one.
    together: Publication,
    range: Option<Range>,
    answer: OnceCell<Option<Arc<Answer>>>,
}

/// A publication that may share its question.
struct Candidate<'p> {
    publication: &'p Publication,
    range: Option<Range>,
    shown: Shown,
}

/// For each publication the question that it shares with others, if it does.
pub(super) fn shared(engine: &Engine, asked: &Run, chosen: &[&Publication]) -> Vec<Option<Arc<Shared>>> {
    // What is wrong with one is said when its turn comes.
    let candidates: Vec<Option<Candidate<'_>>> =
        chosen.iter().map(|publication| Candidate::of(engine, asked, publication).ok().flatten()).collect();
    let mut found: Vec<Option<Arc<Shared>>> = vec![None; chosen.len()];
    for (at, first) in candidates.iter().enumerate() {
        let Some(first) = first.as_ref().filter(|_| found[at].is_none()) else { continue };
        let alike = |other: &Option<Candidate<'_>>| other.as_ref().is_some_and(|other| first.asks_like(other));
        let members: Vec<usize> = (at..chosen.len()).filter(|other| alike(&candidates[*other])).collect();
        if members.len() > 1 {
            let publications = members.iter().map(|member| chosen[*member]);
            let shared = Arc::new(Shared {
                name: first.publication.qualified(),
                together: together(first.publication, publications),
                range: first.range.clone(),
                answer: OnceCell::new(),
            });
            members.into_iter().for_each(|member| found[member] = Some(Arc::clone(&shared)));
        }
    }
    found
}

/// The first one, with the indicators of all, each once.
fn together<'p>(first: &Publication, all: impl Iterator<Item = &'p Publication>) -> Publication {
    let mut whole = Publication { indicators: vec![], ..first.clone() };
    for (_, id) in all.flat_map(|publication| &publication.indicators) {
        if !whole.indicators.iter().any(|(_, known)| known == id) {
            whole.indicators.push((format!("${}", whole.indicators.len()), *id));
        }
    }
    whole
}

impl<'p> Candidate<'p> {
    fn of(engine: &Engine, asked: &Run, publication: &'p Publication) -> Result<Option<Candidate<'p>>> {
        let catalog = engine.catalog();
        let range = Range::of(catalog, publication, asked.from.as_deref(), asked.to.as_deref())?;
        // How far back it looks is not known before its folder is locked.
        if publication.lookback.is_some() && range.is_none() {
            return Ok(None);
        }
        let by: Vec<Expression> = publication.by.iter().map(|(_, input)| Expression::input(input.clone())).collect();
        let ids: Vec<_> = publication.indicators.iter().map(|(_, id)| *id).collect();
        let state = engine.context().state();
        let options = state.config_options().extensions.get::<BellOptions>().cloned().unwrap_or_default();
        let shown = Shown::of(catalog, options.rewrites(), &by, &publication.conditions, &ids)?;
        Ok(shown.map(|shown| Candidate { publication, range, shown }))
    }

    fn asks_like(&self, other: &Candidate<'_>) -> bool {
        let inputs = |candidate: &Candidate<'_>| -> Vec<_> {
            candidate.publication.by.iter().map(|(_, input)| input.clone()).collect()
        };
        inputs(self) == inputs(other)
            && self.publication.conditions == other.publication.conditions
            && self.kept() == other.kept()
            && self.shown.is_that_of(&other.shown)
    }

    /// What of the answer is kept: from when to when, by which column.
    fn kept(&self) -> Option<(Option<usize>, Option<NaiveDateTime>, Option<NaiveDateTime>)> {
        let range = self.range.as_ref()?;
        Some((self.publication.by.iter().position(|(name, _)| *name == range.column), range.start, range.end))
    }
}

impl Shared {
    /// Whether it asks about that range.
    pub(super) fn is_about(&self, range: Option<&Range>) -> bool {
        let instants = |range: &Range| (range.start, range.end);
        range.map(instants) == self.range.as_ref().map(instants)
    }

    /// The rows of a publication, from the answer to the shared question; `None`, if there is no such answer.
    pub(super) async fn frame_of(
        &self,
        engine: &Engine,
        publication: &Publication,
        computing: &(dyn Fn(&Arc<dyn ExecutionPlan>) + Sync),
    ) -> Result<Option<DataFrame>> {
        // Why it failed is found again by the one that is to blame.
        let ask = || async { self.ask(engine, computing).await.ok().map(Arc::new) };
        let Some(answer) = self.answer.get_or_init(ask).await else { return Ok(None) };
        let order = |publication: &Publication| -> Vec<SortExpr> {
            let positions = question::order_of(publication);
            positions.into_iter().map(|at| answer.column(at).sort(true, false)).collect()
        };
        let partition = Arc::clone(answer) as Arc<dyn PartitionStream>;
        let table = StreamingTable::try_new(Arc::clone(&answer.schema), vec![partition])?;
        let table = table.with_sort_order(order(&self.together));
        let frame = engine.context().read_table(Arc::new(table))?;
        // Where the order is that of the answer already, nothing is sorted.
        let keys = order(publication);
        let frame = if keys.is_empty() { frame } else { frame.sort(keys)? };
        let by = publication.by.iter().enumerate().map(|(at, (name, _))| (at, name));
        let values = publication.indicators.iter().filter_map(|(name, id)| {
            let at = self.together.indicators.iter().position(|(_, known)| known == id)?;
            Some((publication.by.len() + at, name))
        });
        let columns: Vec<Expr> = by.chain(values).map(|(at, name)| answer.column(at).alias(name)).collect();
        Ok(Some(frame.select(columns)?))
    }

    async fn ask(&self, engine: &Engine, computing: &(dyn Fn(&Arc<dyn ExecutionPlan>) + Sync)) -> Result<Answer> {
        let frame = question::frame_of(engine, &self.together, self.range.as_ref())?;
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await?;
        computing(&plan);
        let schema = plan.schema();
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let files = SpillManager::new(context.runtime_env(), metrics, Arc::clone(&schema));
        let mut written = files.create_in_progress_file("rows of several publications")?;
        let mut rows = spawn_buffered(execute_stream(plan, context)?, 2);
        while let Some(batch) = rows.next().await {
            written.append_batch(&batch?)?;
        }
        Ok(Answer { schema, file: written.finish()?, files })
    }
}

/// The rows of a shared question, in its order, in a file that goes with it.
struct Answer {
    schema: SchemaRef,
    /// None where there are no rows.
    file: Option<Arc<dyn SpillFile>>,
    files: SpillManager,
}

impl Answer {
    fn column(&self, at: usize) -> Expr {
        Expr::Column(Column::new_unqualified(self.schema.field(at).name()))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for Answer {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let Some(file) = &self.file else { return Box::pin(EmptyRecordBatchStream::new(Arc::clone(&self.schema))) };
        self.files.read_spill_as_stream(Arc::clone(file), None).unwrap_or_else(|error| {
            let failed = futures::stream::once(async move { Err(exec_datafusion_err!("{error}")) });
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), failed))
        })
    }
}
