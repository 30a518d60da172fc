//! Runs: the answers of publications, written to files that readers see change in one step.
//!
//! 1. [`run`] takes the publications that are asked for, and for each the [`lock`] of its folder.
//! 2. What no manifest names is removed: the files that the run before has replaced, and what a killed one left.
//! 3. What is expected of what it reads is looked at ([`crate::quality::gate`]); if it is not so, that is where it ends.
//! 4. The question of the publication (`question.rs`), which is planned like any other, is answered into new files; those
//!    that ask alike are answered together (`shared.rs`).
//! 5. The manifest is replaced by one that names them ([`crate::store::manifest`]).
//!
//! Invariant: a file that a manifest names is never written again, and is removed only by the run after the one that replaced
//! it. So whoever reads the manifest reads a whole, old or new, wherever a run is killed.

mod came_late;
mod common;
mod faults;
mod folder;
mod late;
mod layout;
pub mod lock;
mod question;
mod report;
mod restated;
mod rollup;
mod shared;
mod stages;
mod told;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::publication::Publication;
use crate::catalog::rollup::Rollup;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::engine::{Engine, definition};
use crate::error::{Error, Result};
use crate::quality::diagnostics;
use crate::quality::gate::{Gate, stopping};
use crate::store::destination::{Destination, Missing};
use crate::store::inputs::inputs_of;
use crate::store::manifest::{Column, FORM, File, Finding, Input, Made, Manifest};
use folder::Current;
use late::{Changed, Held};
use lock::{Holder, Lock};
use question::Range;
pub use report::{Outcome, Periods, Report};
use restated::{Comparison, Moved};
use shared::{Asks, Shared};
pub use stages::stages;

/// What is to be run. On the command line `bell run`.
///
/// ```
/// let asked: bellwether::Run = serde_json::from_str(r#"{"publications": ["monthly_pack"], "from": "2026-01"}"#)?;
/// assert_eq!(asked.jobs, 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// The publications by name: `monthly_pack`, `retail.monthly_pack`; all, if none is named.
    pub publications: Vec<String>,
    /// Of these, only those whose name fits one of these patterns: `monthly_*`, `retail.*`.
    pub only: Vec<String>,
    /// The first period that is computed anew; the partitions before it stay.
    pub from: Option<String>,
    /// The last period that is computed anew.
    pub to: Option<String>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// How many publications are computed at once.
    pub jobs: usize,
    /// How many seconds to wait for another run that writes to the same folder.
    pub wait: u64,
}

impl Default for Run {
    fn default() -> Self {
        Run { publications: vec![], only: vec![], from: None, to: None, dry_run: false, jobs: 1, wait: 0 }
    }
}

/// What happens while a run goes on.
#[derive(Debug)]
pub enum Event<'e> {
    /// Another run writes to the folder.
    Waiting(&'e str, &'e Holder),
    /// What nothing refers to any more was removed: so many files.
    Cleaned(&'e str, usize),
    /// It is being computed, by this plan.
    Computing(&'e str, &'e Arc<dyn ExecutionPlan>),
    /// It is done, or has failed.
    Ended(&'e str, &'e Report),
}

/// Somebody who follows a run.
pub type Watch<'w> = dyn Fn(&Event<'_>) + Sync + 'w;

/// Runs publications, all of them from the files that the engine has found. One that fails does not keep the others from being run; the reports are in order of declaration.
///
/// # Errors
/// [`Error::Diagnostics`], if there is no publication of a name, or none at all.
pub async fn run(engine: &Engine, asked: &Run, watch: &Watch<'_>) -> Result<Vec<Report>> {
    let (chosen, rollups) = chosen(engine, asked)?;
    let mut reports = Vec::new();
    for rollup in rollups {
        reports.extend(rollup::refresh(engine, asked, rollup, &run_id(reports.len()), watch).await);
    }
    let gate = Gate::before(engine, &chosen);
    let asks = shared::asks(engine, asked, &chosen);
    let started = chosen.iter().zip(asks).enumerate().map(async |(at, (publication, asks))| {
        let report = Job { engine, asked, publication, gate: &gate, asks, id: run_id(at), watch }.run().await;
        watch(&Event::Ended(&publication.qualified(), &report));
        (at, report)
    });
    let mut published: Vec<(usize, Report)> =
        futures::stream::iter(started).buffer_unordered(asked.jobs.max(1)).collect().await;
    published.sort_by_key(|(at, _)| *at);
    reports.extend(published.into_iter().map(|(_, report)| report));
    Ok(reports)
}

fn chosen<'e>(engine: &'e Engine, asked: &Run) -> Result<(Vec<&'e Publication>, Vec<&'e Rollup>)> {
    let (all, rollups) = (&engine.catalog().publications, &engine.catalog().rollups);
    if all.is_empty() && rollups.is_empty() {
        let diagnostic = Diagnostic::new(codes::REQUEST, "the project publishes nothing");
        return Err(diagnostic.help("declare `publish name { indicators …  by …  to 'out/name/' }`").into());
    }
    let backfill = asked.from.is_some() || asked.to.is_some();
    for name in &asked.publications {
        let rollup = rollups.iter().any(|rollup| rollup.goes_by(name));
        if rollup && backfill {
            let diagnostic = Diagnostic::new(codes::BAD_BACKFILL, format!("`{name}` is a rollup"));
            return Err(diagnostic.help("leave out --from and --to: a rollup reads what has changed").into());
        }
        if !rollup && !all.iter().any(|publication| publication.goes_by(name)) {
            let diagnostic =
                Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no publication or rollup `{name}`"));
            let names =
                all.iter().map(|it| it.item.name.as_str()).chain(rollups.iter().map(|it| it.item.name.as_str()));
            return Err(match nearest(name, names) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("`bell list publications` and `bell list rollups` show what there is"),
            }
            .into());
        }
    }
    let pattern = |text: &String| {
        let broken = |error| Diagnostic::new(codes::REQUEST, format!("`{text}` is not a pattern: {error}"));
        glob::Pattern::new(text).map_err(broken)
    };
    let patterns = asked.only.iter().map(pattern).collect::<Result<Vec<_>, _>>()?;
    let wanted = |name: &str, qualified: &str| {
        let named = asked.publications.is_empty() || asked.publications.iter().any(|it| it == name || it == qualified);
        named && (patterns.is_empty() || patterns.iter().any(|p| p.matches(name) || p.matches(qualified)))
    };
    let chosen: Vec<&Publication> = all.iter().filter(|it| wanted(&it.item.name, &it.qualified())).collect();
    let rollups = rollups.iter().filter(|it| !backfill && wanted(&it.item.name, &it.qualified()));
    let rollups: Vec<&Rollup> = rollups.collect();
    match chosen.is_empty() && rollups.is_empty() {
        true => Err(Diagnostic::new(codes::REQUEST, "no publication fits these patterns")
            .help("`bell list publications` shows what there is")
            .into()),
        false => Ok((chosen, rollups)),
    }
}

/// The time, in UTC.
pub fn now() -> String {
    DateTime::<Utc>::from(SystemTime::now()).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A name for a run that no other one has, in order of time.
fn run_id(at: usize) -> String {
    use std::hash::{BuildHasher, Hasher};
    // The keys of a new hasher are random.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_usize(at);
    let time = DateTime::<Utc>::from(SystemTime::now()).format("%Y%m%dT%H%M%SZ");
    format!("{time}-{:08x}", hasher.finish() as u32)
}

/// One publication of a run.
struct Job<'j> {
    engine: &'j Engine,
    asked: &'j Run,
    publication: &'j Publication,
    gate: &'j Gate<'j>,
    asks: Asks,
    id: String,
    watch: &'j Watch<'j>,
}

/// What a publication is about to do.
struct Planned {
    definition: String,
    range: Option<Range>,
    /// Whether these periods were asked for, or else found to be all that could have changed.
    backfill: bool,
    /// The partitions whose values no longer change.
    held: Held,
    /// Files of the run before that are gone or cut off.
    lost: Vec<File>,
    /// A column that is another one than in the files of the run before.
    other_columns: Option<String>,
    frame: DataFrame,
    inputs: Vec<Input>,
}

impl Planned {
    /// Why what stays of the run before cannot stand beside what is new, and what can be done.
    fn unfit(&self, before: &Manifest, name: &str) -> Option<(String, &'static str)> {
        const ALL: &str = "run all of it, without --from and --to";
        if self.range.is_some() && before.definition != self.definition {
            return Some((format!("the definition of `{name}` has changed since the last run"), ALL));
        }
        let stays = |range: &Range| self.lost.iter().find(|file| !range.holds_file(file));
        if let Some(lost) = self.range.as_ref().and_then(stays) {
            return Some((format!("a file of `{name}` that would stay is gone or cut off: {}", lost.path), ALL));
        }
        let help = match self.range {
            Some(_) => ALL,
            None if self.held.is_empty() => return None,
            None => "let it be what it was, or take `final after` out for one run, which opens those periods again",
        };
        let why = self.other_columns.as_ref()?;
        Some((format!("files of `{name}` that stay could not be read beside the new ones: {why}"), help))
    }
}

impl Job<'_> {
    async fn run(&self) -> Report {
        let started = Instant::now();
        let mut report = Report::new(self.publication.qualified(), self.publication.to.clone(), &self.id);
        if let Err(error) = self.attempt(&mut report).await {
            report.fail(error);
        }
        report.seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        report
    }

    async fn attempt(&self, report: &mut Report) -> Result<()> {
        let missing = if self.asked.dry_run { Missing::Leave } else { Missing::Make };
        let (root, ctx) = (&self.engine.sources().root, self.engine.context());
        // Wrong periods are found before anything is made.
        let (from, to) = (self.asked.from.as_deref(), self.asked.to.as_deref());
        let asked = Range::of(self.engine.catalog(), self.publication, from, to)?;
        let found = Destination::find(&self.publication.to, root, missing, ctx);
        let found = found.map_err(|error| error.into_diagnostic_of("publication", &self.publication.item.name))?;
        match found {
            Some(destination) if self.asked.dry_run => {
                let current = folder::current(&destination).await?;
                let (before, lost) = folder::sound(&destination, &current).await?;
                let before = before.as_ref();
                let Some(planned) = self.plan(asked, before, lost, report)? else { return Ok(()) };
                self.require_fit(&destination, &current, &planned).await?;
                report.expectations = self.gate.planned(self.publication)?;
                report.outcome = Outcome::Planned;
                report.kept = kept(before, &planned).len();
                report.replaces = replaced(before, &planned);
                Ok(())
            }
            Some(destination) => self.locked(&destination, asked, report).await,
            None => {
                self.plan(asked, None, vec![], report)?;
                report.expectations = self.gate.planned(self.publication)?;
                report.outcome = Outcome::Planned;
                Ok(())
            }
        }
    }

    /// What is to be computed, given what is there; `None`, if nothing is.
    fn plan(
        &self,
        asked: Option<Range>,
        before: Option<&Manifest>,
        lost: Vec<File>,
        report: &mut Report,
    ) -> Result<Option<Planned>> {
        report.lost = lost.len();
        let (catalog, project) = (self.engine.catalog(), self.engine.project());
        let definition = definition::hash_of(&project.files, catalog, self.publication);
        report.definition.clone_from(&definition);
        let as_before = |before: &&Manifest| {
            before.definition == definition && layout::changed_layout(self.publication, before).is_none()
        };
        let same = before.filter(as_before).filter(|_| lost.is_empty());
        let backfill = asked.is_some();
        let mut range = match (asked, same) {
            (None, Some(before)) => match late::changed(self.engine, self.publication, before)? {
                Changed::Nothing => {
                    report.outcome = Outcome::Current;
                    report.kept = before.files.len();
                    return Ok(None);
                }
                Changed::Since(range) => Some(range),
                Changed::All => None,
            },
            (asked, _) => asked,
        };
        let mut frame = question::frame_of(self.engine, self.publication, range.as_ref())?;
        let other_columns = before.and_then(|before| layout::changed_columns(self.publication, before, frame.schema()));
        if let (false, true, Some(_)) = (backfill, range.is_some(), &other_columns) {
            range = None;
            frame = question::frame_of(self.engine, self.publication, None)?;
        }
        let inputs = inputs_of(frame.logical_plan())?;
        report.inputs.clone_from(&inputs);
        report.periods = range.as_ref().map(Range::periods);
        report.shared = self.shared_about(range.as_ref()).map(|shared| shared.name.clone());
        if let Asks::Alone(reason) = &self.asks {
            report.alone.clone_from(reason);
        }
        let held = late::final_partitions(catalog, self.publication, before, &lost);
        report.reopened = held.reopened();
        Ok(Some(Planned { definition, inputs, range, backfill, held, lost, other_columns, frame }))
    }

    /// The same of all periods: no range has the rows of none.
    fn plan_all(&self, planned: Planned, report: &mut Report) -> Result<Planned> {
        let frame = question::frame_of(self.engine, self.publication, None)?;
        let inputs = inputs_of(frame.logical_plan())?;
        report.inputs.clone_from(&inputs);
        report.periods = None;
        Ok(Planned { range: None, frame, inputs, ..planned })
    }

    /// The question that it shares, if that is about this range.
    fn shared_about(&self, range: Option<&Range>) -> Option<&Arc<Shared>> {
        match &self.asks {
            Asks::Shared(shared) => Some(shared).filter(|shared| shared.is_about(range)),
            Asks::Alone(_) => None,
        }
    }

    async fn locked(&self, destination: &Destination, asked: Option<Range>, report: &mut Report) -> Result<()> {
        let waiting = |holder: &Holder| (self.watch)(&Event::Waiting(&self.publication.qualified(), holder));
        let wait = Duration::from_secs(self.asked.wait);
        let lock = Lock::take(destination, &Holder::this(&self.id), wait, &waiting).await?;
        let done = self.replace(destination, &lock, asked, report).await;
        folder::remember_end(destination, report, &done).await;
        lock.release().await;
        done
    }

    async fn replace(
        &self,
        destination: &Destination,
        lock: &Lock,
        asked: Option<Range>,
        report: &mut Report,
    ) -> Result<()> {
        let started = Instant::now();
        let mut current = folder::current(destination).await?;
        let (before, lost) = folder::sound(destination, &current).await?;
        let before = before.as_ref();
        let planned = self.plan(asked, before, lost, report)?;
        let Some(mut planned) = planned else { return self.expect_still(destination, report).await };
        if let (Some(before), Some(range), false) = (before, &planned.range, planned.backfill) {
            let late = came_late::came_late(self.engine, self.publication, before, range).await?;
            match late.of_none {
                true => planned = self.plan_all(planned, report)?,
                false => report.late = late.periods,
            }
        }
        self.require_fit(destination, &current, &planned).await?;
        if let (true, Some((manifest, version))) = (lock.taken_over(), &mut current) {
            manifest.fence = Some(self.id.clone());
            *version = folder::replace(destination, manifest, Some(version)).await?;
        }
        // Before anything was published there is nothing by which a dead run could be held off: its files wait.
        if current.is_some() || !lock.taken_over() {
            let cleaned = folder::clean(destination, current.as_ref().map(|(manifest, _)| manifest)).await?;
            report.cleaned = cleaned;
            (self.watch)(&Event::Cleaned(&self.publication.qualified(), cleaned));
        }
        self.expect(destination, report).await?;
        let (schema, files) = self.compute(destination, &planned, report).await?;
        let mut manifest = self.manifest(&schema, files.clone(), before, &planned);
        if let Some(before) = before {
            let moved = self.moved(destination, &planned, &schema, (before, files), &manifest.published_at).await?;
            (report.restated, report.held, report.uncompared) = (moved.restated, moved.held, moved.uncompared);
            if !moved.lines.is_empty() {
                folder::keep_restated(destination, &self.id, &moved.lines).await?;
                manifest.restated.push(self.id.clone());
            }
        }
        report.take(&manifest);
        folder::remember(&mut manifest, before, report, started.elapsed());
        lock.confirm().await?;
        folder::replace(destination, &manifest, current.as_ref().map(|(_, version)| version)).await?;
        report.outcome = Outcome::Published;
        Ok(())
    }

    /// Stops where the data is not as it is expected before this is published.
    async fn expect(&self, destination: &Destination, report: &mut Report) -> Result<()> {
        report.expectations = self.gate.findings(self.publication).await?;
        self.stop_at(destination, &report.expectations, &report.expectations).await
    }

    /// The same where nothing has changed since it was published: rows that do not come make it old all the same.
    async fn expect_still(&self, destination: &Destination, report: &mut Report) -> Result<()> {
        let known = folder::findings(destination).await?;
        report.expectations = self.gate.due(self.publication, &known).await?;
        let new = |finding: &&Finding| !report.expectations.iter().any(|due| due.is_about_what(finding));
        let all: Vec<Finding> = known.iter().filter(new).chain(&report.expectations).cloned().collect();
        self.stop_at(destination, &report.expectations, &all).await
    }

    /// Remembers all that was found, and stops at what has been found now.
    async fn stop_at(&self, destination: &Destination, now: &[Finding], all: &[Finding]) -> Result<()> {
        if now.is_empty() {
            return Ok(());
        }
        folder::keep_findings(destination, &self.id, all).await?;
        let stopping = stopping(now);
        match stopping.is_empty() {
            true => Ok(()),
            false => Err(Error::Diagnostics(diagnostics(self.engine.catalog(), &stopping))),
        }
    }

    /// What this run is about to say otherwise of periods that were over.
    async fn moved(
        &self,
        destination: &Destination,
        planned: &Planned,
        schema: &SchemaRef,
        (before, new): (&Manifest, Vec<File>),
        at: &str,
    ) -> Result<Moved> {
        let otherwise = layout::changed_partitions(self.publication, before, planned.frame.schema());
        if let (false, Some(otherwise)) = (planned.lost.is_empty(), otherwise) {
            return Ok(Moved::unknown(format!(
                "files were lost, and nobody can tell which rows were in them: {otherwise}"
            )));
        }
        let replaced = |file: &&File| planned.range.as_ref().is_none_or(|range| range.holds_file(file));
        // What was said in a file that is lost, nobody knows.
        let comparable = |file: &File| !planned.lost.iter().any(|lost| lost.partition == file.partition);
        let comparison = Comparison {
            ctx: self.engine.context(),
            calendar: &self.engine.catalog().calendar,
            publication: self.publication,
            destination,
            schema,
            before,
            old: before.files.iter().filter(replaced).cloned().collect(),
            new: new.into_iter().filter(|file| comparable(file)).collect(),
            run: &self.id,
            at,
            because: &restated::cause(before, &planned.definition, &planned.inputs),
            held: &|keys| planned.held.holds(keys),
        };
        comparison.moved().await
    }

    /// Refuses to put new beside old numbers that were not made alike, or into a folder that is used otherwise.
    async fn require_fit(&self, destination: &Destination, current: &Current, planned: &Planned) -> Result<()> {
        let Some((manifest, _)) = current else { return folder::require_own(destination).await };
        let name = self.publication.qualified();
        if manifest.publication != name {
            let (shown, other) = (&destination.shown, &manifest.publication);
            let message =
                format!("{shown}: this is the folder of publication `{other}`; remove it, or choose another one");
            return Err(Error::Data(message));
        }
        let Some((message, help)) = planned.unfit(manifest, &name) else { return Ok(()) };
        Err(Diagnostic::new(codes::BAD_BACKFILL, message).at(self.publication.item.span).help(help).into())
    }

    /// The rows from the question that it shares, or else from its own.
    async fn compute(
        &self,
        destination: &Destination,
        planned: &Planned,
        report: &mut Report,
    ) -> Result<(SchemaRef, Vec<File>)> {
        let publication = self.publication;
        let told = AtomicBool::new(false);
        let computing = |plan: &Arc<dyn ExecutionPlan>| {
            if !told.swap(true, Ordering::Relaxed) {
                (self.watch)(&Event::Computing(&publication.qualified(), plan));
            }
        };
        let shared = match self.shared_about(planned.range.as_ref()) {
            Some(shared) => shared.frame_of(self.engine, publication, &computing).await?,
            None => None,
        };
        if let (None, Some(of)) = (&shared, report.shared.take_if(|_| shared.is_none())) {
            report.alone = Some(format!("the one question of `{of}` and others failed"));
        }
        let frame = shared.unwrap_or_else(|| planned.frame.clone());
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await?;
        computing(&plan);
        let schema = plan.schema();
        let mut files = write::Files::new(destination, &self.id, publication.format, &schema, &publication.partitions);
        // A task of its own computes, so that several publications do so side by side.
        let mut rows = spawn_buffered(execute_stream(plan, context)?, 2);
        while let Some(batch) = rows.next().await {
            match batch {
                Ok(batch) => files.write(&batch).await?,
                Err(error) => return Err(self.engine.explained(error).await),
            }
        }
        Ok((schema, files.finish().await?))
    }

    fn manifest(&self, schema: &SchemaRef, files: Vec<File>, before: Option<&Manifest>, planned: &Planned) -> Manifest {
        let at = now();
        let (from, to) = planned.range.as_ref().map(Range::written).unwrap_or_default();
        let inputs = planned.inputs.clone();
        let backfill = planned.backfill;
        let made = Made { run: self.id.clone(), at: at.clone(), from, to, backfill, inputs, columns: vec![] };
        let new = files.into_iter().filter(|file| !planned.held.holds(&file.partition));
        let mut all: Vec<File> = kept(before, planned).into_iter().cloned().chain(new).collect();
        all.sort_by_cached_key(folders);
        // A run that was left to find what is new is known until the next one, whatever becomes of its files.
        let found = before.and_then(late::last_whole).filter(|_| backfill);
        let stays = |made: &&Made| {
            all.iter().any(|file| file.run == made.run) || found.is_some_and(|found| found.run == made.run)
        };
        let earlier = before.iter().flat_map(|it| &it.runs).filter(stays);
        let column = |field: &Arc<datafusion::arrow::datatypes::Field>| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
        };
        let columns: Vec<Column> = schema.fields().iter().map(column).collect();
        let earlier = earlier.map(|made| match before {
            Some(before) if made.columns.is_empty() && before.columns != columns => {
                Made { columns: before.columns.clone(), ..made.clone() }
            }
            _ => made.clone(),
        });
        let runs = earlier.chain([made]).collect();
        Manifest {
            bell: FORM,
            publication: self.publication.qualified(),
            run: self.id.clone(),
            published_at: at,
            definition: planned.definition.clone(),
            format: self.publication.format.name().to_string(),
            columns,
            partitions: self.publication.partitions.iter().map(|at| self.publication.by[*at].0.clone()).collect(),
            rows: all.iter().map(|file| file.rows).sum(),
            bytes: all.iter().map(|file| file.bytes).sum(),
            files: all,
            runs,
            history: vec![],
            restated: before.map(|before| before.restated.clone()).unwrap_or_default(),
            fence: None,
        }
    }
}

/// The files that stay: those of partitions outside the range, or that are final.
fn kept<'m>(before: Option<&'m Manifest>, planned: &Planned) -> Vec<&'m File> {
    let outside = |file: &&File| planned.range.as_ref().is_some_and(|range| !range.holds_file(file));
    let stays = |file: &&File| outside(file) || planned.held.holds(&file.partition);
    before.iter().flat_map(|it| &it.files).filter(stays).collect()
}

/// The partitions of the run before that do not stay.
fn replaced(before: Option<&Manifest>, planned: &Planned) -> Vec<Map<String, Value>> {
    let stay = kept(before, planned);
    let files = before.iter().flat_map(|it| &it.files).filter(|file| !stay.contains(file));
    let mut found: Vec<Map<String, Value>> = Vec::new();
    for file in files.filter(|file| !file.partition.is_empty()) {
        if found.last() != Some(&file.partition) {
            found.push(file.partition.clone());
        }
    }
    found
}

/// The folders of a file's partition.
fn folders(file: &File) -> Vec<String> {
    file.path.split('/').skip(3).map(str::to_string).collect()
}
