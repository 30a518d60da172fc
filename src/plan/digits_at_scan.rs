//! [`DigitsAtScan`]: the digits of a decimal are taken where it is read.
//!
//! A file that stores decimals as integers then gives these as they are, and nothing above the scan sees 128 bits: not the
//! filters, not the joins.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, Projection, SubqueryAlias};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::digits::{same_digits, takes_digits};

/// An optimizer rule that moves `bell_digits` of columns down to the tables that have them.
#[derive(Debug, Default)]
pub struct DigitsAtScan {
    _private: (),
}

impl OptimizerRule for DigitsAtScan {
    fn name(&self) -> &str {
        "digits_at_scan"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Aggregate(aggregate) => {
                let keys = aggregate.group_expr.len();
                let exprs: Vec<Expr> = aggregate.group_expr.iter().chain(&aggregate.aggr_expr).cloned().collect();
                let Some((input, mut exprs)) = moved(&aggregate.input, exprs, Place::Calls)? else {
                    return Ok(Transformed::no(plan));
                };
                let calls = exprs.split_off(keys);
                Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(input, exprs, calls)?)))
            }
            LogicalPlan::Projection(projection) => {
                let Some((input, exprs)) = moved(&projection.input, projection.expr.clone(), Place::Columns)? else {
                    return Ok(Transformed::no(plan));
                };
                let schema = Arc::clone(&projection.schema);
                Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new_with_schema(exprs, input, schema)?)))
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// Where expressions stand.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Calls,
    Columns,
}

/// The input with columns of digits, and the expressions over these; nothing, if none can be moved.
fn moved(input: &Arc<LogicalPlan>, exprs: Vec<Expr>, place: Place) -> Result<Option<(Arc<LogicalPlan>, Vec<Expr>)>> {
    let takes =
        |expr: &Expr| expr.exists(|part| Ok(matches!(part, Expr::ScalarFunction(call) if takes_digits(&call.func))));
    if !exprs.iter().any(|expr| takes(expr).unwrap_or(false)) {
        return Ok(None);
    }
    // A projection of a table is computed where that is read, calls over one are not.
    let at_scan = place == Place::Columns && matches!(input.as_ref(), LogicalPlan::TableScan(_));
    let mut input = Arc::clone(input);
    let mut changed = false;
    let names = NamePreserver::new_for_projection();
    let over = exprs.into_iter().map(|expr| {
        let name = names.save(&expr);
        let over = expr.transform_up(|part| {
            if let Some(digits) = same_digits(&part) {
                return Ok(Transformed::yes(digits.clone()));
            }
            let Some(column) = column_in(&part).filter(|_| !at_scan) else { return Ok(Transformed::no(part)) };
            Ok(match with_digits(&input, column, &part)? {
                Some((below, digits)) => {
                    input = Arc::new(below);
                    Transformed::yes(Expr::Column(digits))
                }
                None => Transformed::no(part),
            })
        })?;
        changed |= over.transformed;
        Ok(if over.transformed { name.restore(over.data) } else { over.data })
    });
    let exprs = over.collect::<Result<Vec<Expr>>>()?;
    if !changed {
        return Ok(None);
    }
    let needed = exprs.iter().flat_map(|expr| expr.column_refs().into_iter().cloned()).collect();
    Ok(Some((Arc::new(without_needless(input.as_ref().clone(), needed)?), exprs)))
}

/// The plan without columns at the table that nobody looks at. Projections are pruned later on, but filters go below them
/// before, and the digits come back above.
fn without_needless(plan: LogicalPlan, mut needed: HashSet<Column>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Filter(filter) => {
            needed.extend(filter.predicate.column_refs().into_iter().cloned());
            let input = without_needless(filter.input.as_ref().clone(), needed)?;
            Ok(LogicalPlan::Filter(Filter::try_new(filter.predicate, Arc::new(input))?))
        }
        LogicalPlan::Projection(projection) if matches!(projection.input.as_ref(), LogicalPlan::TableScan(_)) => {
            let columns = projection.schema.columns();
            let is_needed = |column: &Column| {
                let same = |other: &Column| other.relation.is_none() || other.relation == column.relation;
                needed.iter().any(|other| other.name == column.name && same(other))
            };
            let kept = projection.expr.iter().zip(columns).filter(|(_, column)| is_needed(column));
            let kept: Vec<Expr> = kept.map(|(expr, _)| expr.clone()).collect();
            Ok(LogicalPlan::Projection(Projection::try_new(kept, projection.input)?))
        }
        other => Ok(other),
    }
}

/// The column whose digits an expression takes.
fn column_in(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::ScalarFunction(call) if takes_digits(&call.func) => match call.args.first() {
            Some(Expr::Column(column)) => Some(column),
            _ => None,
        },
        _ => None,
    }
}

/// The plan with the digits of one of its columns as a column more, if that comes from a table.
fn with_digits(plan: &LogicalPlan, column: &Column, call: &Expr) -> Result<Option<(LogicalPlan, Column)>> {
    let Some(at) = plan.schema().maybe_index_of_column(column) else { return Ok(None) };
    let below = |plan: &LogicalPlan, at: usize| {
        let column = Column::from(plan.schema().qualified_field(at));
        with_digits(plan, &column, call)
    };
    match plan {
        LogicalPlan::TableScan(_) => {
            let columns = plan.schema().columns().into_iter().map(Expr::Column);
            let (digits, name) = named(call, column);
            let exprs = columns.chain([digits]).collect();
            Ok(Some((LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan.clone()))?), name)))
        }
        LogicalPlan::Projection(projection) => in_projection(projection, at, call),
        LogicalPlan::SubqueryAlias(alias) => {
            let Some((input, digits)) = below(&alias.input, at)? else { return Ok(None) };
            let name = Column::new(Some(alias.alias.clone()), digits.name);
            let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Ok(Some((LogicalPlan::SubqueryAlias(alias), name)))
        }
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Repartition(_) => {
            let Some(input) = plan.inputs().first().copied() else { return Ok(None) };
            let Some((input, digits)) = below(input, at)? else { return Ok(None) };
            Ok(Some((plan.with_new_exprs(plan.expressions(), vec![input])?, digits)))
        }
        LogicalPlan::Join(join) => {
            let left = match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti => true,
                JoinType::RightSemi | JoinType::RightAnti => false,
                JoinType::LeftMark | JoinType::RightMark => return Ok(None),
                _ => at < join.left.schema().fields().len(),
            };
            let other = join.left.schema().fields().len();
            let both = !matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti);
            let found = match left {
                true => below(&join.left, at)?.map(|(plan, name)| (vec![plan, join.right.as_ref().clone()], name)),
                false => below(&join.right, if both { at - other } else { at })?
                    .map(|(plan, name)| (vec![join.left.as_ref().clone(), plan], name)),
            };
            let Some((inputs, digits)) = found else { return Ok(None) };
            Ok(Some((plan.with_new_exprs(plan.expressions(), inputs)?, digits)))
        }
        _ => Ok(None),
    }
}

fn in_projection(projection: &Projection, at: usize, call: &Expr) -> Result<Option<(LogicalPlan, Column)>> {
    let Expr::Column(inner) = projection.expr[at].clone().unalias() else { return Ok(None) };
    let (input, digits, name) = match projection.input.as_ref() {
        LogicalPlan::TableScan(_) => {
            let (digits, name) = named(call, &inner);
            (Arc::clone(&projection.input), digits, name)
        }
        input => {
            let Some((input, name)) = with_digits(input, &inner, call)? else { return Ok(None) };
            (Arc::new(input), Expr::Column(name.clone()), name)
        }
    };
    let known = |(relation, field): (Option<&TableReference>, &Arc<Field>)| {
        relation == name.relation.as_ref() && *field.name() == name.name
    };
    if projection.schema.iter().any(known) {
        return Ok(Some((LogicalPlan::Projection(projection.clone()), name)));
    }
    let exprs = projection.expr.iter().cloned().chain([digits]).collect();
    Ok(Some((LogicalPlan::Projection(Projection::try_new(exprs, input)?), name)))
}

/// The call over a table's column, under a name that tells all of it.
fn named(call: &Expr, column: &Column) -> (Expr, Column) {
    let digits = match call.clone() {
        Expr::ScalarFunction(mut call) => {
            call.args[0] = Expr::Column(column.clone());
            Expr::ScalarFunction(call)
        }
        other => other,
    };
    let name = digits.schema_name().to_string();
    (digits.alias(&name), Column::new_unqualified(name))
}
