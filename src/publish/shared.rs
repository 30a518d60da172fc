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
use crate::catalog::expr::{Expression, Input};
use crate::catalog::publication::Publication;
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, SourceId};
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

/// How a publication is answered.
#[derive(Clone)]
pub(super) enum Asks {
    /// By a question that others share.
    Shared(Arc<Shared>),
    /// By its own; and why, where others read the same sources.
    Alone(Option<String>),
}

/// A publication that may share its question.
struct Candidate<'p> {
    publication: &'p Publication,
    range: Option<Range>,
    shown: Shown,
}

/// Why a publication shares its question with no other.
#[derive(Clone, Copy)]
enum Unfit {
    /// What is wrong with it is said when its turn comes.
    Wrong,
    Lookback,
    LooksAround,
}

impl Unfit {
    fn reason(self) -> Option<String> {
        Some(match self {
            Unfit::Wrong => return None,
            Unfit::Lookback => "how far back it looks (`lookback`) is known only once its folder is locked".to_string(),
            Unfit::LooksAround => {
                "an indicator looks at what else is shown (windows in time, `fill`, values of values)".to_string()
            }
        })
    }
}

/// For each publication how it is answered.
pub(super) fn asks(engine: &Engine, asked: &Run, chosen: &[&Publication]) -> Vec<Asks> {
    let candidates: Vec<Result<Candidate<'_>, Unfit>> =
        chosen.iter().map(|publication| Candidate::of(engine, asked, publication)).collect();
    let mut found: Vec<Option<Asks>> = vec![None; chosen.len()];
    for (at, first) in candidates.iter().enumerate() {
        let Ok(first) = first.as_ref() else { continue };
        let alike = |other: &usize| candidates[*other].as_ref().is_ok_and(|other| first.asks_like(other));
        let members: Vec<usize> = (at..chosen.len()).filter(alike).collect();
        if found[at].is_none() && members.len() > 1 {
            let publications = members.iter().map(|member| chosen[*member]);
            let shared = Arc::new(Shared {
                name: first.publication.qualified(),
                together: together(first.publication, publications),
                range: first.range.clone(),
                answer: OnceCell::new(),
            });
            members.into_iter().for_each(|member| found[member] = Some(Asks::Shared(Arc::clone(&shared))));
        }
    }
    let sources: Vec<Vec<SourceId>> = chosen.iter().map(|it| sources_of(engine.catalog(), it)).collect();
    let told = |at: usize| {
        let beside = |other: &usize| *other != at && sources[*other].iter().any(|source| sources[at].contains(source));
        let others: Vec<usize> = (0..chosen.len()).filter(beside).collect();
        Asks::Alone(why_alone(&candidates, at, &others))
    };
    found.into_iter().enumerate().map(|(at, asks)| asks.unwrap_or_else(|| told(at))).collect()
}

/// Why a publication is answered by itself though others read its sources: what tells it from the most similar one.
fn why_alone(candidates: &[Result<Candidate<'_>, Unfit>], at: usize, others: &[usize]) -> Option<String> {
    let own = match candidates[at].as_ref() {
        Err(unfit) => return unfit.reason().filter(|_| !others.is_empty()),
        Ok(own) => own,
    };
    let others = others.iter().filter_map(|other| candidates[*other].as_ref().ok());
    let nearest = others.map(|other| (own.differences(other), other)).min_by_key(|(differences, _)| differences.len());
    nearest.map(|(differences, other)| {
        format!("unlike `{}`, it {}", other.publication.qualified(), differences.join(" and "))
    })
}

/// The sources whose rows a publication reads.
fn sources_of(catalog: &Catalog, publication: &Publication) -> Vec<SourceId> {
    let mut sources = Vec::new();
    for (_, id) in &publication.indicators {
        let asked = Expression::input(Input::Indicator(*id, vec![]));
        for_each_measure(catalog, &asked, &Around::default(), &mut |measure, _| {
            if !sources.contains(&measure.source) {
                sources.push(measure.source);
            }
        });
    }
    sources
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
    fn of(engine: &Engine, asked: &Run, publication: &'p Publication) -> Result<Candidate<'p>, Unfit> {
        let catalog = engine.catalog();
        let range = Range::of(catalog, publication, asked.from.as_deref(), asked.to.as_deref());
        let range = range.map_err(|_| Unfit::Wrong)?;
        if publication.lookback.is_some() && range.is_none() {
            return Err(Unfit::Lookback);
        }
        let by: Vec<Expression> = publication.by.iter().map(|(_, input)| Expression::input(input.clone())).collect();
        let ids: Vec<_> = publication.indicators.iter().map(|(_, id)| *id).collect();
        let state = engine.context().state();
        let options = state.config_options().extensions.get::<BellOptions>().cloned().unwrap_or_default();
        let shown = Shown::of(catalog, options.rewrites(), &by, &publication.conditions, &ids);
        let shown = shown.map_err(|_| Unfit::Wrong)?.ok_or(Unfit::LooksAround)?;
        Ok(Candidate { publication, range, shown })
    }

    fn asks_like(&self, other: &Candidate<'_>) -> bool {
        self.differences(other).is_empty()
    }

    /// What keeps two from being one question.
    fn differences(&self, other: &Candidate<'_>) -> Vec<&'static str> {
        let inputs = |candidate: &Candidate<'_>| -> Vec<_> {
            candidate.publication.by.iter().map(|(_, input)| input.clone()).collect()
        };
        let (own, others) = (inputs(self), inputs(other));
        let mut differences = Vec::new();
        if own != others {
            let same = own.len() == others.len() && own.iter().all(|input| others.contains(input));
            differences.push(if same { "has its keys in another order" } else { "is by other keys" });
        }
        if self.publication.conditions != other.publication.conditions {
            differences.push("has other conditions");
        }
        if self.kept() != other.kept() {
            differences.push("is of another range");
        }
        // By other keys or of other rows there are other groups anyway.
        if differences.is_empty() && !self.shown.is_that_of(&other.shown) {
            differences.push("shows the groups of other rows");
        }
        differences
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
