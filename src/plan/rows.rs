//! Rows with keys to groups with values: the aggregation at the end of every part.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::lean;
use crate::catalog::time::cast;

/// Each expression once, in order.
pub(crate) fn distinct(expressions: &[Expr]) -> Vec<Expr> {
    let mut unique: Vec<Expr> = Vec::new();
    for expression in expressions {
        if !unique.contains(expression) {
            unique.push(expression.clone());
        }
    }
    unique
}

/// Joined and filtered rows, not yet aggregated.
pub(crate) struct Rows {
    pub(crate) builder: LogicalPlanBuilder,
    pub(crate) keys: Vec<Expr>,
    pub(crate) aggregates: Vec<Expr>,
}

/// An aggregation and where its columns are.
pub(crate) struct Aggregated {
    pub(crate) plan: LogicalPlan,
    pub(crate) keys: Vec<Expr>,
    pub(crate) grouping_id: Option<Expr>,
    pub(crate) values: Vec<Expr>,
}

impl Rows {
    /// One aggregation over the rows as they are.
    pub(crate) fn aggregate(self, sets: Option<&[Vec<usize>]>) -> Result<Aggregated> {
        let (count, values) = (self.keys.len(), self.aggregates.len());
        let rows = self.builder.build()?;
        let aggregates = if values == 0 && count == 0 { vec![one_row()] } else { self.aggregates };
        let plan = if sets.is_none() && are_columns(&self.keys) {
            aggregate(rows, self.keys, aggregates)?
        } else {
            let rows = named_keys(rows, &self.keys, &columns_in(&aggregates))?;
            aggregate(rows, grouping(count, sets), aggregates)?
        };
        let columns = output(&plan);
        let first_value = count + usize::from(sets.is_some());
        Ok(Aggregated {
            keys: columns[..count].to_vec(),
            grouping_id: sets.map(|_| columns[count].clone()),
            values: columns[first_value..first_value + values].to_vec(),
            plan,
        })
    }

    /// The same where a fact row may appear several times: first each fact row once in each group (by its key; its
    /// other columns depend on that), then the aggregation.
    pub(crate) fn aggregate_once_per(self, fact_key: Vec<Expr>, sets: Option<&[Vec<usize>]>) -> Result<Aggregated> {
        let count = self.keys.len();
        let mut kept = fact_key;
        kept.extend(
            columns_in(&self.aggregates).into_iter().filter(|column| !kept.contains(column)).collect::<Vec<_>>(),
        );
        let kept = distinct(&kept.iter().flat_map(columns_of).collect::<Vec<_>>());
        let rows = LogicalPlanBuilder::from(named_keys(self.builder.build()?, &self.keys, &kept)?);
        let keys = (0..count).map(key_column);
        let once = match sets {
            None => rows.aggregate(kept.iter().cloned().chain(keys), Vec::<Expr>::new())?,
            Some(sets) => {
                let with_kept =
                    |set: &Vec<usize>| kept.iter().cloned().chain(set.iter().map(|at| key_column(*at))).collect();
                let sets = GroupingSet::GroupingSets(sets.iter().map(with_kept).collect());
                rows.aggregate(vec![Expr::GroupingSet(sets)], Vec::<Expr>::new())?
            }
        };
        let grouping_id = sets.map(|sets| outer_grouping_id(sets, kept.len(), count));
        let groups: Vec<Expr> = (0..count).map(key_column).chain(grouping_id).collect();
        let values = self.aggregates.len();
        let aggregates = if values == 0 && groups.is_empty() { vec![one_row()] } else { self.aggregates };
        let group_count = groups.len();
        let plan = aggregate(once.build()?, groups, aggregates)?;
        let columns = output(&plan);
        Ok(Aggregated {
            keys: columns[..count].to_vec(),
            grouping_id: sets.map(|_| columns[count].clone()),
            values: columns[group_count..group_count + values].to_vec(),
            plan,
        })
    }
}

/// An aggregation. Several extremes without groups have a number of rows beside them.
///
/// For extremes alone DataFusion 55.2 skips rows that cannot change one of a column, and forgets all others beside it that
/// are of something else, or have no value yet (`min(a), min(b + c)`, `min(a), max(b)`): rows are lost that those need.
pub(crate) fn aggregate(rows: LogicalPlan, groups: Vec<Expr>, mut aggregates: Vec<Expr>) -> Result<LogicalPlan> {
    const ROWS: &str = "$rows";
    if !groups.is_empty() || aggregates.len() < 2 || !aggregates.iter().all(is_extreme) {
        return lean::aggregate(rows, groups, aggregates);
    }
    aggregates.push(one_row().alias(ROWS));
    let plan = lean::aggregate(rows, groups, aggregates)?;
    // Always true, and for the optimizer a use of it.
    let counted = Expr::Column(Column::new_unqualified(ROWS)).gt_eq(lit(0_i64));
    let extremes = plan.schema().iter().filter(|(_, field)| field.name() != ROWS);
    let value = |(relation, field): (Option<&TableReference>, &FieldRef)| -> Result<Expr> {
        let extreme = Expr::Column(Column::new(relation.cloned(), field.name()));
        Ok(when(counted.clone(), extreme).end()?.alias_qualified(relation.cloned(), field.name()))
    };
    let values = extremes.map(value).collect::<Result<Vec<_>>>()?;
    lean::project(plan, values)
}

fn is_extreme(call: &Expr) -> bool {
    match call {
        Expr::Alias(alias) => is_extreme(&alias.expr),
        Expr::AggregateFunction(call) => matches!(call.func.name(), "min" | "max"),
        _ => false,
    }
}

/// DataFusion rewrites distinct counts beside sums to two aggregations, in which the type of a decimal sum grows and no
/// longer is the plan's. Named calls are left alone by that rule.
pub(crate) fn with_exact_types(aggregates: Vec<Expr>) -> Vec<Expr> {
    let decimal_sum = |expr: &Expr| match expr {
        Expr::AggregateFunction(call) => !call.params.distinct && call.func.name() == "sum",
        _ => false,
    };
    if !aggregates.iter().any(decimal_sum) {
        return aggregates;
    }
    let named = |expr: Expr| match &expr {
        Expr::AggregateFunction(call) if call.params.distinct => {
            let name = expr.schema_name().to_string();
            expr.alias(name)
        }
        _ => expr,
    };
    aggregates.into_iter().map(named).collect()
}

/// A total needs some aggregate to have its one row, even where no leaf is asked of the part.
fn one_row() -> Expr {
    datafusion::functions_aggregate::expr_fn::count(lit(1_i64))
}

fn key_column(at: usize) -> Expr {
    Expr::Column(Column::new_unqualified(format!("g{at}")))
}

/// Whether keys are columns as they are, each another one.
fn are_columns(keys: &[Expr]) -> bool {
    let once = |at: usize| matches!(keys[at], Expr::Column(_)) && !keys[..at].contains(&keys[at]);
    (0..keys.len()).all(once)
}

/// The rows with their keys as columns `g0 …`, so that two keys of the same expression stay two columns.
fn named_keys(rows: LogicalPlan, keys: &[Expr], kept: &[Expr]) -> Result<LogicalPlan> {
    if keys.is_empty() {
        return Ok(rows);
    }
    let keys = keys.iter().enumerate().map(|(at, key)| key.clone().alias(format!("g{at}")));
    lean::project(rows, keys.chain(kept.iter().cloned()).collect())
}

fn grouping(count: usize, sets: Option<&[Vec<usize>]>) -> Vec<Expr> {
    match sets {
        None => (0..count).map(key_column).collect(),
        Some(sets) => {
            let sets = sets.iter().map(|set| set.iter().map(|at| key_column(*at)).collect()).collect();
            vec![Expr::GroupingSet(GroupingSet::GroupingSets(sets))]
        }
    }
}

/// The grouping id as it would be without the kept columns, which come first in every set and so leave the bits of the
/// keys where they are; above all of them DataFusion counts repeated sets.
fn outer_grouping_id(sets: &[Vec<usize>], kept: usize, keys: usize) -> Expr {
    let id = cast(Expr::Column(Column::new_unqualified(Aggregate::INTERNAL_GROUPING_ID)), DataType::UInt64);
    let repeated = (1..sets.len()).any(|at| sets[..at].contains(&sets[at]));
    let id = if repeated {
        let number = |value: u64| lit(ScalarValue::UInt64(Some(value)));
        (id.clone() % number(1 << keys)) + (id / number(1 << (keys + kept))) * number(1 << keys)
    } else {
        id
    };
    id.alias("grouping_id")
}

fn output(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().iter().map(|(relation, field)| Expr::Column(Column::new(relation.cloned(), field.name()))).collect()
}

/// The columns that aggregate calls read, each once.
pub(crate) fn columns_in(aggregates: &[Expr]) -> Vec<Expr> {
    distinct(&aggregates.iter().flat_map(columns_of).collect::<Vec<_>>())
}

pub(crate) fn columns_of(expr: &Expr) -> Vec<Expr> {
    let mut columns = Vec::new();
    let _ = expr.apply(|part| {
        if let Expr::Column(_) = part {
            columns.push(part.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    columns
}
