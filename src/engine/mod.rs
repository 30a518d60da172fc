//! The only owner of a DataFusion session: opens a project, answers questions.

mod asked_once;
pub mod catalog_tables;
mod changes;
mod computed;
mod contexts;
pub mod definition;
mod division;
mod explain;
mod large_joins;
mod limits;
pub mod lineage;
mod locate;
mod mapping_tables;
mod policed;
mod prepass;
mod project;
mod pushdown;
pub mod quality_tables;
mod question;
mod register;
pub mod rollups;
mod run_tables;
mod seen;
pub mod show;
mod sql;
mod table_functions;
pub mod target_tables;
mod unpublished;
pub mod verify;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use crate::catalog::Catalog;
use crate::check::functions::Functions;
use crate::diagnostic::Diagnostic;
use crate::error::{Error, Result};
use crate::plan::request::{Resolved, package_of, plan_request};
use crate::plan::{BellOptions, Request, rules::ExpandMeasures};
use crate::source::SourceSet;
use crate::store::explain_read_error;
pub use explain::Stage;
pub use limits::Limits;
pub use project::Project;
pub use question::Question;
pub use register::register;

/// The name under which a SQL question is shown in diagnostics.
pub(crate) const QUESTION: &str = "<sql>";
/// The names under which the parts of a request are shown in diagnostics.
const BY: &str = "<by>";
const WHERE: &str = "<where>";

/// Groups by rows above which rows are grouped once, not twice.
const TWICE: f64 = 0.5;

/// How many sorts at once are planned for, within a limit of memory.
const MERGES: usize = 16;

/// The smaller side of a join is hashed once, up to these sizes, and not apart for each partition. Then the rows of the other side
/// stay where they are, instead of being sent to where their key is: those are several times more. Beyond these sizes one
/// thread would take long, and what a processor looks up is no longer near to it.
///
/// DataFusion also skips what lies outside of the least and greatest keys of a side that is hashed once; what it knows of each
/// partition it puts in a form that skips nothing.
pub(crate) fn hash_once(options: &mut ConfigOptions) {
    options.optimizer.hash_join_single_partition_threshold = 64 << 20;
    options.optimizer.hash_join_single_partition_threshold_rows = 2_000_000;
}

/// A project that was read and checked, with a session that answers questions about it.
pub struct Engine {
    ctx: SessionContext,
    project: Arc<Project>,
    functions: Arc<Functions>,
}

impl Engine {
    /// Opens the project in a folder, in a session of its own.
    ///
    /// # Errors
    /// [`Error::Diagnostics`] with everything that is wrong in it, all in one pass.
    pub async fn open(folder: &Path) -> Result<Engine> {
        Engine::open_within(folder, &Limits::default()).await
    }

    /// The same, with limits on what answering may take.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_within(folder: &Path, limits: &Limits) -> Result<Engine> {
        Engine::with_context(Engine::session(limits)?, folder).await
    }

    /// The same as somebody with these roles sees it: see [`Project::seen_by`].
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_as(folder: &Path, limits: &Limits, roles: &BTreeSet<String>) -> Result<Engine> {
        let ctx = Engine::session(limits)?;
        let project = Project::open(folder, &ctx).await?.sound()?;
        Engine::with_project(ctx, project.seen_by(roles)?)
    }

    /// A session as a project needs it, without one in it.
    ///
    /// # Errors
    /// If there can be no place for temporary files.
    pub fn session(limits: &Limits) -> Result<SessionContext> {
        Engine::session_within(&limits.pool())
    }

    /// The same with memory that other sessions use, too.
    ///
    /// # Errors
    /// As there.
    pub fn session_within(pool: &Arc<dyn MemoryPool>) -> Result<SessionContext> {
        let mut config = SessionConfig::new().with_information_schema(true);
        // With it, an answer of several facts that is ordered by a key which a condition fixes is refused by DataFusion
        // ("SanityCheckPlan … does not satisfy order requirements"): it merges partitions that it takes for sorted.
        config.options_mut().optimizer.repartition_sorts = false;
        // By default rows go through a hash table twice, before and after they are sent to where their group is, even if the first
        // time four of five are a group of their own. It pays where it leaves half of them.
        config.options_mut().execution.skip_partial_aggregation_probe_ratio_threshold = TWICE;
        hash_once(config.options_mut());
        let memory = pool.memory_limit();
        if let MemoryLimit::Finite(bytes) = memory {
            // Each sort of each partition sets some aside to merge what it spilled: together, not all that there is.
            let share = bytes / (MERGES * config.target_partitions());
            let aside = &mut config.options_mut().execution.sort_spill_reservation_bytes;
            *aside = share.min(*aside);
        }
        let rules = pushdown::physical_rules(memory);
        let state = SessionStateBuilder::new_with_default_features().with_config(config);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(pool)).build_arc()?;
        let state = state.with_runtime_env(runtime);
        let state = state.with_physical_optimizer_rules(rules).build();
        Ok(SessionContext::new_with_state(state))
    }

    /// A session that reads the files of one in which a project was opened, in the same versions; nothing else of that
    /// one is in it.
    pub fn session_like(opened: &SessionContext) -> SessionContext {
        let state = opened.state();
        let config = state.config().clone().with_create_default_catalog_and_schema(true);
        let state = SessionStateBuilder::new_from_existing(state).with_config(config);
        SessionContext::new_with_state(state.with_catalog_list(Arc::new(MemoryCatalogProviderList::new())).build())
    }

    /// Opens the project in a folder, in a session that the caller made; `from table` reaches the tables in it.
    ///
    /// # Errors
    /// [`Error::Diagnostics`] with everything that is wrong in it.
    pub async fn with_context(ctx: SessionContext, folder: &Path) -> Result<Engine> {
        let project = Project::open(folder, &ctx).await?.sound()?;
        Engine::with_project(ctx, project)
    }

    /// Puts a project into a session.
    ///
    /// # Errors
    /// What DataFusion says, if the session has no catalog to put schemas into.
    pub fn with_project(ctx: SessionContext, project: Project) -> Result<Engine> {
        Engine::with_shared(ctx, Arc::new(project))
    }

    /// The same for a project that other sessions have, too.
    ///
    /// # Errors
    /// As there.
    pub fn with_shared(ctx: SessionContext, project: Arc<Project>) -> Result<Engine> {
        register(&ctx, &project.catalog)?;
        register::register_runs(&ctx, &project)?;
        let functions = Arc::new(Functions::of(&ctx.state()));
        Ok(Engine { ctx, project, functions })
    }

    /// The same project and tables in a session of its own: what is set there is set there alone.
    pub fn beside(&self) -> Engine {
        let state = SessionStateBuilder::new_from_existing(self.ctx.state()).build();
        let ctx = SessionContext::new_with_state(state);
        Engine { ctx, project: Arc::clone(&self.project), functions: Arc::clone(&self.functions) }
    }

    /// What was only worth a warning.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.project.diagnostics
    }

    /// The project's files, to show diagnostics with.
    pub fn sources(&self) -> &SourceSet {
        &self.project.sources
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The checked model.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.project.catalog
    }

    /// The session, for plain DataFusion.
    pub fn context(&self) -> &SessionContext {
        &self.ctx
    }

    /// Plans one SQL statement. Nothing runs before the frame is collected or streamed (except `SET` and DDL).
    ///
    /// # Errors
    /// [`Error::Diagnostics`] whose places are in the file `<sql>`: use [`Engine::sources_with`] to show them.
    pub async fn sql(&self, text: &str) -> Result<DataFrame> {
        match self.sql_plan(text).await? {
            (_, plan @ (LogicalPlan::Ddl(_) | LogicalPlan::Statement(_))) => {
                Ok(self.ctx.execute_logical_plan(plan).await?)
            }
            (state, plan) => Ok(DataFrame::new(state, plan)),
        }
    }

    /// The plan of one SQL statement, in the session's state; nothing is changed by it, `SET` and DDL neither.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn sql_plan(&self, text: &str) -> Result<(SessionState, LogicalPlan)> {
        // A copy of the session's state is dear: one serves the whole question.
        let state = self.ctx.state();
        let plan = self.sql_plan_in(&state, text).await?;
        Ok((state, plan))
    }

    /// The same in a state of the session.
    async fn sql_plan_in(&self, state: &SessionState, text: &str) -> Result<LogicalPlan> {
        let file = self.project.sources.beside(QUESTION, text);
        if let Some(shown) = show::show(&self.project.catalog, &file) {
            return Ok(self.ctx.read_batch(shown?)?.into_parts().1);
        }
        let statement = sql::parse(&file)?;
        sql::plan(self, state, &file, statement).await
    }

    /// Plans a [`Request`].
    ///
    /// # Errors
    /// [`Error::Diagnostics`] whose places are in its texts: use [`Engine::sources_with_request`] to show them.
    pub async fn query(&self, request: &Request) -> Result<DataFrame> {
        self.expanded(self.request_plan(request)?)
    }

    /// Plans a [`Request`] whose dimensions and conditions are resolved already, as those of publications are. Rollups are left
    /// out of it: they may be approximate, or a little late, and what is published says which files it was made from.
    ///
    /// # Errors
    /// As [`Engine::query`].
    pub fn query_from_rows(&self, request: &Request, resolved: Resolved) -> Result<DataFrame> {
        let state = self.ctx.state();
        let plan = plan_request(&self.project.catalog, request, resolved)?;
        let expanded =
            ExpandMeasures::default().analyze(plan, &BellOptions::without_rollups(state.config_options()))?;
        Ok(DataFrame::new(state, expanded))
    }

    fn expanded(&self, plan: LogicalPlan) -> Result<DataFrame> {
        let state = self.ctx.state();
        let expanded = ExpandMeasures::default().analyze(plan, state.config_options())?;
        Ok(DataFrame::new(state, expanded))
    }

    /// The plan of a request with its markers in place.
    ///
    /// # Errors
    /// As [`Engine::query`].
    pub fn request_plan(&self, request: &Request) -> Result<LogicalPlan> {
        let catalog = &self.project.catalog;
        let package = package_of(catalog, request)?;
        // Each text is the last one when it is read, and the same file as in `sources_with_request`.
        let mut sources = SourceSet::clone(&self.project.sources);
        let mut by = Vec::new();
        for name in &request.by {
            sources.add(BY, name);
            by.push((name.clone(), crate::check::dimension_of(catalog, &self.functions, &sources, &package)?));
        }
        let mut conditions = Vec::new();
        for condition in &request.conditions {
            sources.add(WHERE, condition);
            conditions.push(crate::check::condition_of(catalog, &self.functions, &sources, &package)?);
        }
        plan_request(catalog, request, Resolved { by, conditions })
    }

    /// The project's files with a question added, for showing the diagnostics that the question gave.
    pub fn sources_with(&self, question: &str) -> SourceSet {
        self.question(question)
    }

    /// The project's files with the texts of a request added, for showing the diagnostics that the request gave.
    pub fn sources_with_request(&self, request: &Request) -> SourceSet {
        let mut sources = SourceSet::clone(&self.project.sources);
        request.by.iter().for_each(|name| _ = sources.add(BY, name));
        request.conditions.iter().for_each(|condition| _ = sources.add(WHERE, condition));
        sources
    }

    /// One SQL statement at a stage of its way to rows, as text.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn explain(&self, text: &str, stage: Stage) -> Result<String> {
        explain::explain(self, &self.project.sources.beside(QUESTION, text), stage).await
    }

    /// An error that came up while a plan ran, with the file (and row) that caused it, if one did: the files of all
    /// sources are read again for it.
    pub async fn explained(&self, error: DataFusionError) -> Error {
        for spec in &self.project.specs {
            if let Some(found) = explain_read_error(spec, &self.ctx, &error).await {
                return found.into_diagnostic(&spec.name).into();
            }
        }
        error.into()
    }

    fn question(&self, text: &str) -> SourceSet {
        let mut sources = SourceSet::clone(&self.project.sources);
        sources.add(QUESTION, text);
        sources
    }
}
