//! What stands before the publications of a run.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDateTime;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, Volatility};
use tokio::sync::{Mutex, OnceCell};

use super::groups::{Group, finding, grouped};
use super::reads::expected_before;
use crate::catalog::expectation::{Expectation, Severity, Subject};
use crate::catalog::expr::Expression;
use crate::catalog::publication::Publication;
use crate::catalog::stretch::now;
use crate::engine::Engine;
use crate::error::Result;
use crate::store::manifest::{Finding, Kept};

/// The expectations that the publications of a run depend on. Each question is asked when the first publication needs it,
/// and only then; all others share its answer.
pub struct Gate<'e> {
    engine: &'e Engine,
    as_of: NaiveDateTime,
    /// By publication, the positions of what it depends on; one whose question cannot be planned has none.
    needed: HashMap<String, Vec<usize>>,
    groups: Vec<(Group, OnceCell<Answered>)>,
    /// What was found of single ones, where nothing but these had to be looked at.
    alone: Mutex<HashMap<usize, Finding>>,
}

/// Findings, with the positions of their expectations.
type Answered = Vec<(usize, Finding)>;

impl<'e> Gate<'e> {
    /// What stands before these publications.
    pub fn before(engine: &'e Engine, publications: &[&Publication]) -> Gate<'e> {
        let one = |it: &&Publication| Some((it.qualified(), expected_before(engine, it).ok()?));
        let needed: HashMap<String, Vec<usize>> = publications.iter().filter_map(one).collect();
        let all: BTreeSet<usize> = needed.values().flatten().copied().collect();
        let all: Vec<usize> = all.into_iter().collect();
        let groups = grouped(engine.catalog(), &all).into_iter().map(|group| (group, OnceCell::new())).collect();
        Gate { engine, as_of: now(&engine.catalog().calendar), needed, groups, alone: Mutex::default() }
    }

    fn needed(&self, publication: &Publication) -> Result<Vec<usize>> {
        match self.needed.get(&publication.qualified()) {
            Some(needed) => Ok(needed.clone()),
            None => expected_before(self.engine, publication),
        }
    }

    /// What is found of the expectations that a publication depends on.
    ///
    /// # Errors
    /// What planning its question finds.
    pub async fn findings(&self, publication: &Publication) -> Result<Vec<Finding>> {
        let needed = self.needed(publication)?;
        let mut found = Vec::new();
        for (group, cell) in &self.groups {
            if group.members.iter().any(|member| needed.contains(member)) {
                let findings = cell.get_or_init(|| group.findings(self.engine, self.as_of)).await;
                found.extend(findings.iter().filter(|(member, _)| needed.contains(member)).cloned());
            }
        }
        found.sort_by_key(|(member, _)| *member);
        Ok(found.into_iter().map(|(_, finding)| finding).collect())
    }

    /// What is found, where nothing has changed since `known` was, of what may be otherwise all the same: what depends on the
    /// time of the run, and what nobody has looked at yet.
    ///
    /// # Errors
    /// What planning its question finds.
    pub async fn due(&self, publication: &Publication, known: &[Finding]) -> Result<Vec<Finding>> {
        let all = &self.engine.catalog().expectations;
        let is_known = |member: &usize| {
            let asked = finding(&all[*member], Kept::Kept);
            let settled = |found: &Finding| stopping(std::slice::from_ref(found)).is_empty();
            known.iter().any(|found| found.is_about_what(&asked) && found.severity == asked.severity && settled(found))
        };
        let mut due = self.needed(publication)?;
        due.retain(|member| ages(&all[*member]) || !is_known(member));
        // Whoever comes meanwhile waits, and finds what was found.
        let mut found = self.alone.lock().await;
        let new: Vec<usize> = due.iter().copied().filter(|member| !found.contains_key(member)).collect();
        for group in grouped(self.engine.catalog(), &new) {
            found.extend(group.findings(self.engine, self.as_of).await);
        }
        Ok(due.iter().filter_map(|member| found.get(member).cloned()).collect())
    }

    /// The same before anybody has looked.
    ///
    /// # Errors
    /// What planning its question finds.
    pub fn planned(&self, publication: &Publication) -> Result<Vec<Finding>> {
        let all = &self.engine.catalog().expectations;
        let needed = self.needed(publication)?;
        Ok(needed.into_iter().map(|member| finding(&all[member], Kept::Planned)).collect())
    }
}

/// Whether the same rows may break it later.
fn ages(expectation: &Expectation) -> bool {
    let of_now = |part: &Expr| match part {
        Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Immutable,
        _ => false,
    };
    let asks_for_now = |it: &Expression| it.expr.exists(|part| Ok(of_now(part))).unwrap_or(true);
    match &expectation.subject {
        Subject::Fresh(_) => true,
        Subject::Rows(rows) => [&rows.holds].into_iter().chain(&rows.conditions).any(asks_for_now),
        Subject::Values(values) => [&values.holds].into_iter().chain(&values.conditions).any(asks_for_now),
    }
}

/// The findings for which a publication is stopped.
pub fn stopping(findings: &[Finding]) -> Vec<Finding> {
    let stops = |finding: &&Finding| {
        finding.severity == Severity::Stop.name() && matches!(finding.outcome, Kept::Broken | Kept::Failed)
    };
    findings.iter().filter(stops).cloned().collect()
}
