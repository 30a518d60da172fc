//! Questions asked again: planned as whoever asked them, as if some rollups were stored.

use std::collections::{BTreeSet, HashMap};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::log::{Case, is_call};
use crate::catalog::rollup::Rollup;
use crate::engine::{Engine, Limits, Question};
use crate::error::{Error, Result};
use crate::plan::{Notes, Sought};

/// A question as it is planned.
pub(super) struct Planned {
    /// Its parts.
    pub(super) sought: Vec<Sought>,
    /// The tables that it reads besides rollups.
    pub(super) tables: BTreeSet<String>,
    /// The rollups that it reads.
    pub(super) rollups: BTreeSet<String>,
}

impl Planned {
    /// Whether all of it comes from rollups.
    pub(super) fn is_served(&self) -> bool {
        self.tables.is_empty() && !self.rollups.is_empty()
    }
}

/// The project as each of those sees it who asked.
pub(super) struct Viewers<'e> {
    all: &'e Engine,
    seen: HashMap<BTreeSet<String>, Engine>,
}

impl<'e> Viewers<'e> {
    /// For those who asked these questions.
    pub(super) fn of(all: &'e Engine, cases: &[Case]) -> Result<Self> {
        let mut seen = HashMap::new();
        for roles in cases.iter().filter_map(|case| case.roles.as_ref()) {
            if !seen.contains_key(roles) {
                let ctx = Engine::session(&Limits::default())?;
                seen.insert(roles.clone(), Engine::with_project(ctx, all.project().seen_by(roles)?)?);
            }
        }
        Ok(Viewers { all, seen })
    }

    pub(super) fn engine(&self, case: &Case) -> &Engine {
        case.roles.as_ref().and_then(|roles| self.seen.get(roles)).unwrap_or(self.all)
    }

    /// Whether a rollup may answer whoever asked.
    pub(super) fn may_answer(&self, case: &Case, rollup: &Rollup) -> bool {
        self.engine(case).project().may_answer_from(self.all.catalog(), rollup)
    }

    /// The question as if these rollups were stored.
    pub(super) async fn plan(&self, case: &Case, supposed: &[Rollup]) -> Result<Planned> {
        let answering = supposed.iter().filter(|rollup| self.may_answer(case, rollup)).cloned();
        let notes = Notes::supposing(answering.collect());
        let plan = case.question.plan_noting(self.engine(case), &notes).await?;
        let (mut tables, mut rollups) = (BTreeSet::new(), BTreeSet::new());
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                // Names of sources have no space.
                match scan.table_name.table().strip_prefix("rollup ") {
                    Some(rollup) => _ = rollups.insert(rollup.to_string()),
                    None => _ = tables.insert(scan.table_name.table().to_string()),
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Planned { sought: notes.sought(), tables, rollups })
    }
}

/// The analysis that a text calls which is no statement: it is written down so where it was not asked in SQL.
pub(super) fn analysis(case: &Case) -> Option<&str> {
    match &case.question {
        Question::Sql { statement, .. } if is_call(statement) => statement.split('(').next().map(str::trim),
        _ => None,
    }
}

/// An error in one line.
pub(super) fn in_a_line(error: &Error) -> String {
    let text = match error {
        Error::Diagnostics(found) => {
            found.first().map(|it| format!("{}: {}", it.code.id(), it.message)).unwrap_or_default()
        }
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_string()
}
