//! A project that is opened for one question: of a source in folders of partitions, only those are listed which it can need.
//!
//! The question is planned twice. First over one file of each such source, which tells the columns; its plan says by which
//! conditions each source is scanned. Whatever rows are elsewhere are of no use to that plan, and so to none of this
//! question. Then the project is opened with the folders for which the conditions can hold.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr_rewriter::unnormalize_cols;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;

use super::{Engine, Limits, Project, Question};
use crate::catalog::Catalog;
use crate::catalog::source::Rows;
use crate::error::Result;
use crate::plan::cells::{cells_of, changes_by_itself};
use crate::source::SourceSet;
use crate::store;
use crate::store::gather::{Reaches, in_folders};
use crate::store::inputs::{all_inputs_of, partition_filters};
use crate::store::reach::Reach;
use crate::syntax;

impl Engine {
    /// Opens the project in a folder for one question alone, as somebody with these roles sees it (`None`: all of it).
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_for(
        question: &Question,
        folder: &Path,
        limits: &Limits,
        roles: Option<&BTreeSet<String>>,
    ) -> Result<Engine> {
        let sources = SourceSet::load(folder)?;
        let ctx = Engine::session(limits)?;
        // Where the first look fails, the second one tells why.
        let reaches = reaches(question, &sources, &ctx, roles).await.unwrap_or_default();
        let within = opened(beside(&ctx, limits)?, sources.clone(), &reaches, roles).await?;
        // Over more files a question could be planned in another way, which must not need more than was listed.
        match reaches.is_empty() || told_by(question, &within, &reaches).await.as_ref() == Some(&reaches) {
            true => Ok(within),
            false => opened(beside(&ctx, limits)?, sources, &Reaches::new(), roles).await,
        }
    }
}

/// A session that knows what another one knows of files.
fn beside(known: &SessionContext, limits: &Limits) -> Result<SessionContext> {
    let ctx = Engine::session(limits)?;
    store::share(known, &ctx);
    Ok(ctx)
}

async fn opened(
    ctx: SessionContext,
    sources: SourceSet,
    reaches: &Reaches,
    roles: Option<&BTreeSet<String>>,
) -> Result<Engine> {
    let project = Project::within(sources, &ctx, reaches).await.sound()?;
    let project = match roles {
        Some(roles) => project.seen_by(roles)?,
        None => project,
    };
    Engine::with_project(ctx, project)
}

/// How far a question reaches in each source in folders; `None`, if nothing is to be gained, or it cannot be told.
async fn reaches(
    question: &Question,
    sources: &SourceSet,
    ctx: &SessionContext,
    roles: Option<&BTreeSet<String>>,
) -> Option<Reaches> {
    let files: Vec<_> = syntax::parse_all(sources.files()).into_iter().map(|parsed| parsed.file).collect();
    let one: Reaches = in_folders(&files).map(|source| (source, Reach::One)).collect();
    if one.is_empty() {
        return None;
    }
    let engine = opened(ctx.clone(), sources.clone(), &one, roles).await.ok()?;
    told_by(question, &engine, &one).await
}

/// The same for these sources, as the plan of a question tells it that an engine makes.
async fn told_by(question: &Question, engine: &Engine, sources: &Reaches) -> Option<Reaches> {
    let (state, plan) = question.plan(engine).await.ok()?;
    // What is not made from files may look anywhere; and at another moment, other folders may be meant.
    if changes_by_itself(&plan).ok()? || all_inputs_of(&plan).ok()?.is_err() {
        return None;
    }
    let plan = state.optimize(&plan).ok()?;
    let kept = read_by_rollups(engine.catalog())?;
    let mut found = Reaches::new();
    let mut tables = Vec::new();
    for source in &engine.catalog().sources {
        let name = (source.item.package.clone(), source.item.name.clone());
        let Rows::Table(table) = &source.rows else { continue };
        if sources.contains_key(&name) {
            tables.push((name, source_as_provider(table).ok()?));
        }
    }
    let scans = scans(&plan)?;
    for (name, table) in &tables {
        let of_table = |(provider, _): &&Scan| Arc::ptr_eq(provider, table);
        let ways: Vec<Vec<Expr>> =
            scans.iter().filter(of_table).map(|(_, filters)| partition_filters(table, filters)).collect();
        let reach = match () {
            // Whether a rollup is current, all files tell.
            () if kept.iter().any(|known| Arc::ptr_eq(known, table)) => Reach::All,
            () if ways.is_empty() => Reach::One,
            () if ways.iter().any(Vec::is_empty) => Reach::All,
            () => Reach::Where(ways),
        };
        found.insert(name.clone(), reach);
    }
    let is_known = |provider: &Arc<dyn TableProvider>| {
        engine.catalog().sources.iter().any(|source| match &source.rows {
            Rows::Table(table) => source_as_provider(table).is_ok_and(|known| Arc::ptr_eq(&known, provider)),
            Rows::Query(_) => false,
        })
    };
    scans.iter().all(|(provider, _)| is_known(provider)).then_some(found)
}

/// A table with the conditions of a scan.
type Scan = (Arc<dyn TableProvider>, Vec<Expr>);

/// The tables that a plan scans, with the conditions of each scan; `None`, if there is one that hides others.
fn scans(plan: &LogicalPlan) -> Option<Vec<Scan>> {
    let (mut found, mut hidden) = (Vec::new(), false);
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let any: &dyn Any = provider.as_ref();
            hidden |= any.is::<datafusion::datasource::ViewTable>();
            found.push((provider, unnormalize_cols(scan.filters.clone())));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    (walked.is_ok() && !hidden).then_some(found)
}

/// The tables that rollups are made from.
fn read_by_rollups(catalog: &Catalog) -> Option<Vec<Arc<dyn TableProvider>>> {
    let mut found = Vec::new();
    for rollup in &catalog.rollups {
        for cells in cells_of(catalog, rollup).ok()? {
            found.extend(scans(&cells.plan)?.into_iter().map(|(provider, _)| provider));
        }
    }
    Some(found)
}
