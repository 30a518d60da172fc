//! A project as somebody with some roles sees it.
//!
//! Policies are put in at the scan: in the catalog that a person asks, each source that a policy holds for has a table of
//! the rows and values that this person may see. Whatever is planned from that catalog, through whichever entrance, has
//! no other table to read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext};

use super::Project;
use super::definition::sources_behind;
use super::policed::{ClosedTable, PolicedTable};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::policy::{Policy, Seen};
use crate::catalog::rollup::Rollup;
use crate::catalog::size::Size;
use crate::catalog::source::{Rows, Source};
use crate::catalog::{Catalog, SourceId};
use crate::check::{looked_at, read_by, with_rows};
use crate::diagnostic::Severity;
use crate::plan::policed::{Shown, mask_of, policed_rows};
use crate::source::SourceSet;

impl Project {
    /// The project as somebody with these roles sees it: of sources that policies are about, the rows and values that
    /// they let through. Who has no role that a source is opened to is refused when asking for it.
    ///
    /// What was made of everybody's rows (rollups, published files and what is told about them) is left out where a
    /// source with policies is among those that it is made of.
    ///
    /// # Errors
    /// What is wrong with the project, a policy perhaps; what DataFusion says of the plans of the rows.
    pub fn seen_by(&self, roles: &BTreeSet<String>) -> crate::error::Result<Project> {
        if self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
            return Err(crate::error::Error::Diagnostics(self.diagnostics.clone()));
        }
        let Sight { shown: mut catalog, seen, .. } = Eyes { all: &self.catalog, roles }.look()?;
        leave_out(&mut catalog, &self.catalog, &seen.narrowed);
        let all_seen = seen.narrowed.is_empty();
        catalog.policies.retain(|policy| policy.touches(roles));
        catalog.seen = Some(seen);
        Ok(Project {
            sources: SourceSet::clone(&self.sources),
            files: self.files.clone(),
            catalog: Arc::new(catalog),
            diagnostics: vec![],
            // An error is not looked for in rows that are not seen.
            specs: if all_seen { self.specs.clone() } else { vec![] },
        })
    }

    /// Whether what a rollup stores of everybody's rows may answer those who see the project so. `all` is the model as it is
    /// without policies.
    pub(crate) fn may_answer_from(&self, all: &Catalog, rollup: &Rollup) -> bool {
        self.catalog.seen.as_ref().is_none_or(|seen| is_of_seen(all, rollup, &seen.narrowed))
    }
}

/// Who looks, at what.
struct Eyes<'c> {
    all: &'c Catalog,
    roles: &'c BTreeSet<String>,
}

/// What has been looked at.
struct Sight {
    /// What is seen.
    shown: Catalog,
    /// The same without masks: what conditions of policies look at.
    bare: Catalog,
    seen: Seen,
    done: BTreeSet<SourceId>,
}

impl Eyes<'_> {
    /// Puts what is seen in the place of what is there.
    fn look(&self) -> Result<Sight> {
        let (shown, bare) = (Catalog::clone(self.all), Catalog::clone(self.all));
        let seen = Seen { roles: self.roles.clone(), ..Seen::default() };
        let mut sight = Sight { shown, bare, seen, done: BTreeSet::new() };
        for id in (0..self.all.sources.len() as u32).map(SourceId) {
            self.look_at(id, &mut sight)?;
        }
        Ok(sight)
    }

    /// One source, after those that its query and its policies look at; `check` has seen to it that none looks back.
    fn look_at(&self, id: SourceId, sight: &mut Sight) -> Result<()> {
        if !sight.done.insert(id) {
            return Ok(());
        }
        for other in looked_at(self.all, id)? {
            self.look_at(other, sight)?;
        }
        if let Some(query) = &self.all.source(id).query
            && !read_by(self.all, query)?.is_disjoint(&sight.seen.narrowed)
        {
            sight.shown.sources[id.0 as usize].size = Size::default();
            sight.bare.sources[id.0 as usize].size = Size::default();
            sight.shown.sources[id.0 as usize].rows = through(&sight.shown, id, query)?;
            sight.bare.sources[id.0 as usize].rows = through(&sight.bare, id, query)?;
            sight.seen.narrowed.insert(id);
        }
        let policies: Vec<&Policy> = self.all.policies.iter().filter(|policy| policy.source == id).collect();
        self.narrow(id, &policies, sight)
    }

    /// Puts the table of what is seen in the place of a source's rows, if that is not everything.
    fn narrow(&self, id: SourceId, policies: &[&Policy], sight: &mut Sight) -> Result<()> {
        let passed = |policy: &&Policy| !policy.except.is_disjoint(self.roles);
        let opening: Vec<&Policy> = policies.iter().copied().filter(|it| it.opens() && !passed(it)).collect();
        let held: Vec<&Policy> = policies.iter().copied().filter(|policy| policy.touches(self.roles)).collect();
        if held.is_empty() && opening.is_empty() {
            return Ok(());
        }
        sight.seen.narrowed.insert(id);
        let opened = held.iter().filter(|policy| policy.opens());
        let any: Vec<Vec<&Expression>> = opened.map(|policy| policy.conditions.iter().collect()).collect();
        if any.is_empty() && !opening.is_empty() {
            for catalog in [&mut sight.shown, &mut sight.bare] {
                let source = catalog.source(id);
                let why = ClosedTable::no_role(&source.item, &opening);
                let closed = ClosedTable::new(source.table_schema(), why);
                put(catalog, id, Arc::new(closed));
            }
            return Ok(());
        }
        let narrowing = held.iter().filter(|policy| !policy.opens());
        let mut shown = Shown { any, all: narrowing.flat_map(|policy| &policy.conditions).collect(), masked: vec![] };
        let bare = policed(&sight.bare, &sight.bare, id, &shown)?;
        shown.masked = held.iter().flat_map(|policy| policy.masks.iter().copied()).collect();
        let masked = policed(&sight.shown, &sight.bare, id, &shown)?;
        put(&mut sight.bare, id, Arc::new(bare));
        put(&mut sight.shown, id, Arc::new(masked));
        mask(id, &held, &mut sight.shown, &mut sight.seen)
    }
}

/// The table of what is shown of a source's rows, which conditions of policies look at with bare eyes.
fn policed(catalog: &Catalog, bare: &Catalog, id: SourceId, shown: &Shown<'_>) -> Result<PolicedTable> {
    let source = catalog.source(id);
    let mut around = Catalog::clone(bare);
    around.sources[id.0 as usize].rows = source.rows.clone();
    let rows = policed_rows(&around, id, shown)?;
    let masked = shown.masked.iter().map(|at| source.columns[*at].name.clone()).collect();
    Ok(PolicedTable::new(&source.item, rows, masked))
}

fn put(catalog: &mut Catalog, id: SourceId, table: Arc<dyn TableProvider>) {
    let source = &mut catalog.sources[id.0 as usize];
    source.rows = Rows::Table(provider_as_source(table));
    // It is held already where the rows come from.
    source.filter = None;
    // How many rows and which values there are tells of those that are not seen.
    source.size = Size::default();
}

/// Marks the masked columns of a source, and those that are computed from them.
fn mask(id: SourceId, held: &[&Policy], catalog: &mut Catalog, seen: &mut Seen) -> Result<()> {
    let columns = held.iter().flat_map(|it| it.masks.iter().map(|column| (*column, it.item.name.as_str())));
    let mut masked: BTreeMap<usize, &str> = columns.collect();
    let source = &mut catalog.sources[id.0 as usize];
    while let Some((at, policy)) = next_computed(source, &masked) {
        masked.insert(at, policy);
    }
    for (at, policy) in masked {
        let column = &mut source.columns[at];
        column.nullable = true;
        if column.computed.is_some() {
            column.computed = Some(Expression { expr: mask_of(&column.data_type)?, inputs: vec![] });
        }
        seen.masked.insert((id, at), policy.to_string());
    }
    Ok(())
}

/// A column that is computed from a masked one and is not known to be masked.
fn next_computed<'p>(source: &Source, masked: &BTreeMap<usize, &'p str>) -> Option<(usize, &'p str)> {
    let columns = source.columns.iter().enumerate().filter(|(at, _)| !masked.contains_key(at));
    columns.into_iter().find_map(|(at, column)| {
        let mut inputs = column.computed.iter().flat_map(|computed| &computed.inputs);
        let policy = inputs.find_map(|input| match input {
            Input::Column(read) if read.path.steps.is_empty() => masked.get(&read.column).copied(),
            _ => None,
        })?;
        Some((at, policy))
    })
}

/// A query over what is seen of the sources that it reads; closed, if it reads what is masked in them.
fn through(catalog: &Catalog, id: SourceId, query: &LogicalPlan) -> Result<Rows> {
    let source = catalog.source(id);
    let plan = with_rows(catalog, query.clone())?;
    let plan = plan.transform_up_with_subqueries(|node| Ok(Transformed::yes(node.recompute_schema()?)))?.data;
    match masked_read(&plan)? {
        None => Ok(Rows::Query(Arc::new(plan))),
        Some(column) => {
            let closed = ClosedTable::new(source.table_schema(), ClosedTable::masked(&source.item, &column));
            Ok(Rows::Table(provider_as_source(Arc::new(closed))))
        }
    }
}

/// A masked column that a plan needs.
fn masked_read(plan: &LogicalPlan) -> Result<Option<String>> {
    let optimizer = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
    let needed = optimizer.optimize(plan.clone(), &OptimizerContext::new(), |_, _| {})?;
    let mut found = None;
    needed.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(policed) = provider.downcast_ref::<PolicedTable>()
        {
            let mut names = scan.projected_schema.fields().iter().map(|field| field.name());
            found = found.take().or_else(|| names.find(|name| policed.masks(name)).map(|name| policed.column(name)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// What was made of everybody's rows: all that a source of which not everything is seen is behind.
fn leave_out(shown: &mut Catalog, all: &Catalog, narrowed: &BTreeSet<SourceId>) {
    shown.publications.retain(|it| is_of_seen(all, it, narrowed));
    shown.rollups.retain(|it| is_of_seen(all, it, narrowed));
    shown.expectations.retain(|it| is_of_seen(all, it, narrowed));
    // Shares of the year before would be shares of what is seen.
    let hidden: Vec<bool> = shown.targets.iter().map(|it| !is_of_seen(all, &it.of, narrowed)).collect();
    let targets = shown.targets.iter_mut().zip(hidden).filter(|(_, hidden)| *hidden);
    targets.for_each(|(target, _)| target.without_last_year());
}

fn is_of_seen(all: &Catalog, made: &impl std::fmt::Debug, narrowed: &BTreeSet<SourceId>) -> bool {
    narrowed.is_empty() || sources_behind(all, made).is_disjoint(narrowed)
}

/// A column by its name alone.
pub(super) fn unqualified(expr: Expr) -> Result<Expr> {
    let bare = expr.transform(|expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(bare.data)
}
