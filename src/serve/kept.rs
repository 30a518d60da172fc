//! Plans that are kept: a question that was asked before is not planned and optimized again.
//!
//! What a question comes to hangs on the edition, on the eyes that it is asked with, on what the session has set and on
//! its text. Kept plans belong to an edition and to eyes, and are known by the other two. Only those are kept that stay
//! what they are while the edition is served: over files of its sources, without the clock, and no analysis, which may
//! be as of now. How their files are read is planned for each question: that part holds the state of a run.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use lru::LruCache;
use regex::Regex;

use crate::analysis::function::FUNCTIONS;
use crate::engine::Question;
use crate::plan::judgement::is_judgement;
use crate::store::inputs::is_of_files;

/// How many plans are kept at most; the one that was longest not asked for goes first.
const MOST: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

/// Longer questions are made by programs, and seldom twice.
const LONGEST: usize = 16 * 1024;

/// Plans by what was set and what was asked.
pub struct KeptPlans(Mutex<LruCache<Key, Arc<KeptPlan>>>);

/// What tells one plan from another, of one edition and for the same eyes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    settings: Vec<(String, String)>,
    question: String,
}

/// A plan, and what the optimizer has made of it once it was run.
#[derive(Debug)]
pub(super) struct KeptPlan {
    pub(super) plan: LogicalPlan,
    optimized: OnceLock<LogicalPlan>,
}

impl Default for KeptPlans {
    fn default() -> Self {
        KeptPlans(Mutex::new(LruCache::new(MOST)))
    }
}

impl KeptPlans {
    /// The plan that was kept.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<KeptPlan>> {
        self.all().get(key).cloned()
    }

    /// Keeps a plan, if it stays what it is.
    pub(super) fn keep(&self, key: Key, plan: &LogicalPlan) -> Option<Arc<KeptPlan>> {
        if !stays(plan).unwrap_or(false) {
            return None;
        }
        let kept = Arc::new(KeptPlan { plan: plan.clone(), optimized: OnceLock::new() });
        self.all().put(key, Arc::clone(&kept));
        Some(kept)
    }

    fn all(&self) -> MutexGuard<'_, LruCache<Key, Arc<KeptPlan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// That of a question; none, if its plan is not worth keeping or may be another one later.
    pub(super) fn of(question: &Question, settings: &[(String, String)]) -> Option<Key> {
        let text = match question {
            Question::Sql { statement, .. } if !names_an_analysis(statement) => statement.clone(),
            Question::Request(request) => serde_json::to_string(request).ok()?,
            Question::Sql { .. } | Question::Function(_) => return None,
        };
        (text.len() <= LONGEST).then(|| Key { settings: settings.to_vec(), question: text })
    }
}

/// Whether one of the table functions may be called. `STATUS(gmv)` is a value of rows, and its plan tells itself that it
/// looks at the clock.
fn names_an_analysis(statement: &str) -> bool {
    static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let names = FUNCTIONS.join("|");
        Regex::new(&format!(r#"(?i)(?:{names})"?\s*\(\s*(?:([\w."]+)\s*\))?"#)).ok()
    });
    let Some(call) = CALL.as_ref() else { return true };
    // A comment may stand anywhere.
    let commented = statement.contains("--") || statement.contains("/*");
    let named = || FUNCTIONS.iter().any(|function| statement.to_ascii_lowercase().contains(function));
    commented && named() || call.captures_iter(statement).any(|call| call.get(1).is_none())
}

impl KeptPlan {
    /// What the optimizer makes of it; the first time it does.
    ///
    /// # Errors
    /// The optimizer's.
    pub(super) fn optimized(&self, state: &SessionState) -> Result<LogicalPlan> {
        if let Some(plan) = self.optimized.get() {
            return Ok(plan.clone());
        }
        let plan = state.optimize(&self.plan)?;
        Ok(self.optimized.get_or_init(|| plan).clone())
    }
}

/// Whether a plan asks the same of the same files whenever it is run.
fn stays(plan: &LogicalPlan) -> Result<bool> {
    let mut stays = true;
    plan.apply_with_subqueries(|node| {
        stays &= match node {
            LogicalPlan::TableScan(scan) => is_of_files(&scan.source),
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::Extension(_) => false,
            LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_) => false,
            _ => true,
        };
        node.apply_expressions(|expr| {
            stays &= !expr.exists(|expr| Ok(changes(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if stays { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(stays)
}

/// Whether an expression may have another value later, where the same rows are read.
fn changes(expr: &Expr) -> bool {
    let immutable = |volatility: Volatility| volatility == Volatility::Immutable;
    match expr {
        // It looks at the clock when it is run.
        Expr::ScalarFunction(function) if is_judgement(&function.func) => false,
        Expr::ScalarFunction(function) => !immutable(function.func.signature().volatility),
        Expr::AggregateFunction(function) => !immutable(function.func.signature().volatility),
        Expr::WindowFunction(function) => !immutable(function.fun.signature().volatility),
        Expr::ScalarVariable(..) | Expr::Placeholder(_) => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::{KeptPlans, Key, Question};
    use crate::engine::Engine;
    use crate::plan::Request;

    const MODEL: &str = "
package shop
source o { from csv 'o.csv'  key id  time day  columns { x decimal(10, 2) } }
dimension region = o.region
indicator sales  = sum(o.x)
target sales { at least 10  every month from 2026-01 }
";

    async fn engine(folder: &std::path::Path) -> Engine {
        std::fs::write(folder.join("model.bell"), MODEL).unwrap();
        std::fs::write(folder.join("o.csv"), "id,region,x,day\n1,N,1.5,2026-01-01\n2,S,2,2026-01-31\n").unwrap();
        Engine::open(folder).await.unwrap()
    }

    async fn is_kept(engine: &Engine, question: &Question) -> bool {
        let Some(key) = Key::of(question, &[]) else { return false };
        let (state, plan) = question.plan(engine).await.unwrap();
        let plans = KeptPlans::default();
        let kept = plans.keep(key.clone(), &plan).is_some();
        assert_eq!(kept, plans.get(&key).is_some());
        if let Some(known) = plans.get(&key) {
            assert_eq!(known.optimized(&state).unwrap(), state.optimize(&plan).unwrap());
        }
        kept
    }

    #[tokio::test]
    async fn what_stays_the_same_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path()).await;
        for statement in [
            "SELECT region, MEASURE(sales) FROM shop.indicators GROUP BY 1",
            "SELECT metric_time__month, MEASURE(sales), TARGET(sales) FROM shop.indicators GROUP BY 1",
            "SELECT region, MEASURE(sales) AT (shift 1 month) FROM shop.indicators GROUP BY 1 HAVING MEASURE(sales) > 1 LIMIT 3",
            "SELECT 1 AS status",
        ] {
            assert!(is_kept(&engine, &Question::sql(statement)).await, "{statement}");
        }
        let request = Request { indicators: vec!["sales".into()], by: vec!["region".into()], ..Request::default() };
        assert!(is_kept(&engine, &Question::Request(request)).await);
    }

    #[tokio::test]
    async fn what_may_change_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path()).await;
        for statement in [
            "SELECT now(), MEASURE(sales) FROM shop.indicators GROUP BY 1",
            "SELECT metric_time__month, MEASURE(sales), STATUS(sales) FROM shop.indicators GROUP BY 1",
            "SELECT metric_time__month, MEASURE(sales), ATTAINMENT(sales) FROM shop.indicators GROUP BY 1",
            "SELECT region, MEASURE(sales) FROM shop.indicators WHERE metric_time <= current_date GROUP BY 1",
            "SELECT random() * MEASURE(sales) FROM shop.indicators",
            "SELECT * FROM status('shop.sales')",
            "SELECT * FROM \"status\" (indicator => 'shop.sales')",
            "SELECT * FROM Status /* of */ ('shop.sales')",
            "SELECT * FROM status -- of
             ('shop.sales')",
            "EXPLAIN SELECT MEASURE(sales) FROM shop.indicators",
            "SELECT * FROM bell.freshness",
            "SELECT * FROM bell.indicators",
            "SELECT region, MEASURE(sales) FROM shop.indicators WHERE region IN (SELECT name FROM bell.sources) GROUP BY 1",
            "SELECT MEASURE(sales) FROM shop.indicators WHERE region = $1",
        ] {
            assert!(!is_kept(&engine, &Question::sql(statement)).await, "{statement}");
        }
        let (a, b) = (Question::sql("SELECT 1"), [("bell.x".to_string(), "1".to_string())]);
        assert_ne!(Key::of(&a, &[]), Key::of(&a, &b));
        let long = format!("SELECT '{}'", "x".repeat(super::LONGEST));
        assert!(Key::of(&Question::sql(&long), &[]).is_none());
    }

    #[tokio::test]
    async fn the_longest_unasked_goes_first() {
        let plans = KeptPlans::default();
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path()).await;
        let (_, plan) = Question::sql("SELECT MEASURE(sales) FROM shop.indicators").plan(&engine).await.unwrap();
        let key = |at: usize| Key::of(&Question::sql(&format!("SELECT {at}")), &[]).unwrap();
        let first = plans.keep(key(0), &plan).unwrap();
        for at in 1..=super::MOST.get() {
            assert!(Arc::ptr_eq(&first, &plans.get(&key(0)).unwrap()));
            plans.keep(key(at), &plan).unwrap();
        }
        assert!(plans.get(&key(0)).is_some() && plans.get(&key(1)).is_none());
    }
}
