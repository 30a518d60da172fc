//! The tables of a rollup, brought up to date: only what is new in the source is read, where the rest is as it was.
//!
//! Every run that wrote cells says in the manifest which files of the source it read, in which versions. Cells are put
//! together when they are read, so those of new files may simply stand beside the others. Where a file is no longer what a
//! run read, the cells of that run go, and what else it read is read again. Where anything else has changed (the
//! definition, a source that rows join to), all of it is computed anew.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::lock::{Holder, Lock};
use super::report::{Outcome, Report};
use super::{Event, Run, Watch, folder, now, write};
use crate::catalog::publication::FileFormat;
use crate::catalog::rollup::Rollup;
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::{Engine, definition, hash_once, rollups};
use crate::error::{Error, Result};
use crate::plan::cells::{Cells, cells_of};
use crate::store::destination::{Destination, Missing};
use crate::store::inputs::{all_inputs_of, only_files};
use crate::store::manifest::{Column, FORM, File, Input, InputFile, Made, Manifest};

/// Of more runs than this a table is not made: then all of it is computed anew.
const MOST_RUNS: usize = 32;

/// Brings the tables of a rollup up to date: a report each.
pub(super) async fn refresh(engine: &Engine, asked: &Run, rollup: &Rollup, id: &str, watch: &Watch<'_>) -> Vec<Report> {
    let cells = match cells_of(engine.catalog(), rollup) {
        Ok(cells) => cells,
        Err(error) => {
            let mut report = Report::new(rollup.qualified(), rollup.to.clone(), id);
            report.fail(error.into());
            return vec![report];
        }
    };
    let mut reports = Vec::new();
    for table in &cells {
        let name = format!("{}/{}", rollup.qualified(), table.name);
        let job = Job { engine, asked, rollup, table, name, id: format!("{id}-{}", reports.len()), watch };
        let report = job.run().await;
        watch(&Event::Ended(&job.name, &report));
        reports.push(report);
    }
    reports
}

/// A table of a rollup in a run.
struct Job<'j> {
    engine: &'j Engine,
    asked: &'j Run,
    rollup: &'j Rollup,
    table: &'j Cells,
    name: String,
    id: String,
    watch: &'j Watch<'j>,
}

/// What is to be done to a table.
enum Work {
    /// Nothing: it is what it would become.
    Nothing,
    /// These cells are put beside those of these runs.
    Beside(Box<LogicalPlan>, HashSet<String>),
    /// All of it is computed.
    All,
}

impl Work {
    /// Whether a file of an earlier run stays.
    fn keeps(&self, file: &File) -> bool {
        match self {
            Work::Nothing => true,
            Work::Beside(_, runs) => runs.contains(&file.run),
            Work::All => false,
        }
    }
}

impl Job<'_> {
    async fn run(&self) -> Report {
        let started = Instant::now();
        let mut report = Report::new(self.name.clone(), rollups::folder(self.rollup, self.table), &self.id);
        if let Err(error) = self.attempt(&mut report).await {
            report.fail(error);
        }
        report.seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        report
    }

    async fn attempt(&self, report: &mut Report) -> Result<()> {
        let project = self.engine.project();
        report.definition = definition::hash_of_rollup(&project.files, self.engine.catalog(), self.rollup);
        let missing = if self.asked.dry_run { Missing::Leave } else { Missing::Make };
        let (root, ctx) = (&self.engine.sources().root, self.engine.context());
        let found = Destination::find(&report.to, root, missing, ctx);
        let found = found.map_err(|error| error.into_diagnostic_of("rollup", &self.rollup.item.name))?;
        let Some(destination) = found else {
            report.inputs = self.inputs(&self.table.plan)?;
            return Ok(());
        };
        if self.asked.dry_run {
            let current = folder::current(&destination).await?;
            self.require_own(&destination, &current).await?;
            let (before, lost) = folder::sound(&destination, &current).await?;
            let before = self.readable(&destination, before).await;
            report.lost = lost.len();
            let work = self.work(before.as_ref(), &lost, &report.definition)?;
            report.outcome = if matches!(work, Work::Nothing) { Outcome::Current } else { Outcome::Planned };
            report.inputs = self.read_by(&work)?;
            report.kept = before.iter().flat_map(|it| &it.files).filter(|file| work.keeps(file)).count();
            return Ok(());
        }
        let waiting = |holder: &Holder| (self.watch)(&Event::Waiting(&self.name, holder));
        let wait = Duration::from_secs(self.asked.wait);
        let lock = Lock::take(&destination, &Holder::this(&self.id), wait, &waiting).await?;
        let done = self.replace(&destination, &lock, report).await;
        folder::remember_end(&destination, report, &done).await;
        lock.release().await;
        done
    }

    async fn require_own(&self, destination: &Destination, current: &folder::Current) -> Result<()> {
        match current {
            None => folder::require_own(destination).await,
            Some((manifest, _)) if manifest.publication == self.name => Ok(()),
            Some((manifest, _)) => {
                let (shown, other) = (&destination.shown, &manifest.publication);
                Err(Error::Data(format!("{shown}: this is the folder of `{other}`; remove it, or choose another one")))
            }
        }
    }

    async fn replace(&self, destination: &Destination, lock: &Lock, report: &mut Report) -> Result<()> {
        let mut current = folder::current(destination).await?;
        self.require_own(destination, &current).await?;
        if let (true, Some((manifest, version))) = (lock.taken_over(), &mut current) {
            manifest.fence = Some(self.id.clone());
            *version = folder::replace(destination, manifest, Some(version)).await?;
        }
        if current.is_some() || !lock.taken_over() {
            report.cleaned = folder::clean(destination, current.as_ref().map(|(manifest, _)| manifest)).await?;
            (self.watch)(&Event::Cleaned(&self.name, report.cleaned));
        }
        let started = Instant::now();
        let (before, lost) = folder::sound(destination, &current).await?;
        let before = self.readable(destination, before).await;
        let before = before.as_ref();
        report.lost = lost.len();
        let work = self.work(before, &lost, &report.definition)?;
        let (plan, kept) = match &work {
            Work::Nothing => {
                report.outcome = Outcome::Current;
                report.kept = before.map_or(0, |manifest| manifest.files.len());
                return Ok(());
            }
            Work::Beside(plan, kept) => (plan.as_ref(), kept.clone()),
            Work::All => (&self.table.plan, HashSet::new()),
        };
        report.inputs = self.read_by(&work)?;
        let files = self.compute(destination, plan, &work).await?;
        lock.confirm().await?;
        let mut manifest = self.manifest(report, before, files, &kept);
        report.take(&manifest);
        folder::remember(&mut manifest, before, report, started.elapsed());
        folder::replace(destination, &manifest, current.as_ref().map(|(_, version)| version)).await?;
        report.outcome = Outcome::Published;
        Ok(())
    }

    fn inputs(&self, plan: &LogicalPlan) -> Result<Vec<Input>> {
        all_inputs_of(plan)?.map_err(|other| {
            let name = &self.rollup.item.name;
            Diagnostic::new(codes::BAD_ROLLUP, format!("rollup `{name}` reads `{other}`, which is no table of files"))
                .at(self.rollup.item.span)
                .help("nobody could tell when it changes; store its rows in files, and let the source read these")
                .into()
        })
    }

    fn read_by(&self, work: &Work) -> Result<Vec<Input>> {
        match work {
            Work::Nothing => Ok(vec![]),
            Work::Beside(plan, _) => self.inputs(plan),
            Work::All => self.inputs(&self.table.plan),
        }
    }

    /// What is there, if it can be read: what cannot is computed anew, as if there were nothing.
    async fn readable(&self, destination: &Destination, before: Option<Manifest>) -> Option<Manifest> {
        let before = before?;
        let table = rollups::table_of(self.rollup, self.table, destination, &before, self.engine.context()).await;
        (before.files.is_empty() || table.is_ok()).then_some(before)
    }

    /// What is to be done, given what is there and what is lost of it.
    fn work(&self, before: Option<&Manifest>, lost: &[File], definition: &str) -> Result<Work> {
        let current = self.inputs(&self.table.plan)?;
        let Some(before) = before.filter(|before| before.definition == definition) else { return Ok(Work::All) };
        let root = rollups::root_of(self.engine.catalog(), self.table);
        let name = root.as_ref().map(|(_, input)| input.source.as_str());
        if rollups::others_changed(&current, &before.runs, name).is_some() {
            return Ok(Work::All);
        }
        let Some((table, Input { source, .. })) = &root else {
            return Ok(if lost.is_empty() { Work::Nothing } else { Work::All });
        };
        let there = rollups::files_of(&current, source);
        let is_whole = |run: &Made| !lost.iter().any(|file| file.run == run.run);
        let still = |run: &&Made| is_whole(run) && rollups::files_of(&run.inputs, source).is_subset(&there);
        let kept: Vec<&Made> = before.runs.iter().filter(still).collect();
        let read: BTreeSet<InputFile> = kept.iter().flat_map(|run| rollups::files_of(&run.inputs, source)).collect();
        if read == there && kept.len() == before.runs.len() {
            return Ok(Work::Nothing);
        }
        if kept.is_empty() || kept.len() >= MOST_RUNS || read == there {
            return Ok(Work::All);
        }
        let new = only_files(&self.table.plan, table, |file| there.contains(file) && !read.contains(file))?;
        Ok(match new {
            Some(plan) => Work::Beside(Box::new(plan), kept.iter().map(|run| run.run.clone()).collect()),
            // Rows that are compared with others of their table depend on all of them.
            None => Work::All,
        })
    }

    async fn compute(&self, destination: &Destination, plan: &LogicalPlan, work: &Work) -> Result<Vec<File>> {
        let mut state = self.engine.context().state();
        if let Work::Beside(..) = work {
            // Also in a session that an embedding program made: the rows of new files are few.
            hash_once(state.config_mut().options_mut());
        }
        // In order of their keys, questions about some of them skip the rest.
        let keys = plan.schema().columns().into_iter().take(self.rollup.by.len());
        let order: Vec<_> = keys.map(|key| Expr::Column(key).sort(true, true)).collect();
        let plan = match order.is_empty() {
            true => plan.clone(),
            false => LogicalPlanBuilder::from(plan.clone()).sort(order)?.build()?,
        };
        let frame = DataFrame::new(state, plan);
        let context: Arc<TaskContext> = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await?;
        (self.watch)(&Event::Computing(&self.name, &plan));
        let mut files = write::Files::new(destination, &self.id, FileFormat::Parquet, &plan.schema(), &[]);
        let mut rows = spawn_buffered(execute_stream(plan, context)?, 2);
        while let Some(batch) = rows.next().await {
            match batch {
                Ok(batch) => files.write(&batch).await?,
                Err(error) => return Err(self.engine.explained(error).await),
            }
        }
        files.finish().await
    }

    fn manifest(
        &self,
        report: &Report,
        before: Option<&Manifest>,
        files: Vec<File>,
        kept: &HashSet<String>,
    ) -> Manifest {
        let at = now();
        let (run, inputs) = (self.id.clone(), report.inputs.clone());
        let made = Made { run, at: at.clone(), from: None, to: None, backfill: false, inputs, columns: vec![] };
        let old = before.iter().flat_map(|it| &it.files).filter(|file| kept.contains(&file.run)).cloned();
        let all: Vec<File> = old.chain(files).collect();
        let earlier = before.iter().flat_map(|it| &it.runs).filter(|run| kept.contains(&run.run)).cloned();
        let column = |field: &Arc<datafusion::arrow::datatypes::Field>| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
        };
        Manifest {
            bell: FORM,
            publication: self.name.clone(),
            run: self.id.clone(),
            published_at: at,
            definition: report.definition.clone(),
            format: FileFormat::Parquet.name().to_string(),
            columns: self.table.plan.schema().fields().iter().map(column).collect(),
            partitions: vec![],
            rows: all.iter().map(|file| file.rows).sum(),
            bytes: all.iter().map(|file| file.bytes).sum(),
            files: all,
            runs: earlier.chain([made]).collect(),
            history: vec![],
            restated: vec![],
            fence: None,
        }
    }
}
