//! [`NarrowDecimals`]: arithmetic with decimals in 64 bits, where nothing can be larger.
//!
//! DataFusion computes with decimals in 128 bits, whatever their values. The statistics of Parquet files tell the least and
//! the greatest value of each column; where, by these, no step of a product or sum can leave 64 bits, its digits are
//! computed as integers instead. The result has the same type and the same digits.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::digit_sum::sum_like;
use super::digits::{Bounds, bounds_told, decimal_of, digits_of, sum_as_decimal};
use super::options::BellOptions;
use crate::catalog::size::whole;

/// An optimizer rule that computes products of decimals in 64 bits where that holds them.
#[derive(Debug, Default)]
pub struct NarrowDecimals {
    _private: (),
}

impl OptimizerRule for NarrowDecimals {
    fn name(&self) -> &str {
        "narrow_decimals"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let options = config.options();
        if !options.extensions.get::<BellOptions>().is_none_or(|bell| bell.narrow_decimals) {
            return Ok(Transformed::no(plan));
        }
        match plan {
            LogicalPlan::Aggregate(aggregate) => in_aggregate(aggregate),
            LogicalPlan::Projection(projection) => in_projection(projection),
            other => Ok(Transformed::no(other)),
        }
    }
}

/// Sums are of digits, and decimals again above; in other calls products are.
fn in_aggregate(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = &aggregate;
    let rows = most_rows(input);
    let sums: Vec<Option<Expr>> = aggr_expr.iter().map(|call| sum_of_digits(call, input, rows?)).collect();
    let (others, changed) = narrowed(aggr_expr, input)?;
    if !changed && sums.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let calls: Vec<Expr> = sums.iter().zip(others).map(|(sum, other)| sum.clone().unwrap_or(other)).collect();
    let narrow = Aggregate::try_new(Arc::clone(input), group_expr.clone(), calls)?;
    let keys = schema.fields().len() - aggr_expr.len();
    let columns = narrow.schema.iter().zip(schema.iter()).enumerate().map(|(at, (column, (relation, field)))| {
        let column = Expr::Column(Column::from(column));
        match (at.checked_sub(keys).and_then(|call| sums[call].as_ref()), field.data_type()) {
            (Some(_), DataType::Decimal128(precision, scale)) => {
                sum_as_decimal(column, *precision, *scale).alias_qualified(relation.cloned(), field.name())
            }
            _ => column,
        }
    });
    let columns: Vec<Expr> = columns.collect();
    if sums.iter().all(Option::is_none) {
        return Ok(Transformed::yes(LogicalPlan::Aggregate(narrow)));
    }
    let input = Arc::new(LogicalPlan::Aggregate(narrow));
    let decimals = Projection::try_new_with_schema(columns, input, Arc::clone(schema))?;
    Ok(Transformed::yes(LogicalPlan::Projection(decimals)))
}

/// The sum of the digits under the name of a sum of decimals, if so many rows cannot make it too large.
fn sum_of_digits(call: &Expr, input: &LogicalPlan, rows: u64) -> Option<Expr> {
    let (relation, name) = call.qualified_name();
    let Expr::AggregateFunction(sum) = call.clone().unalias() else { return None };
    let params = &sum.params;
    let plain = !params.distinct && params.order_by.is_empty() && params.null_treatment.is_none();
    let [argument] = params.args.as_slice() else { return None };
    if !plain || sum.func != sum_udaf() {
        return None;
    }
    let Narrow { digits, bounds, .. } = Narrow::of(argument, input)?;
    let most = bounds.least.unsigned_abs().max(bounds.greatest.unsigned_abs());
    let fits = u128::from(most) * u128::from(rows) <= i64::MAX as u128;
    fits.then(|| sum_like(&sum, digits).alias_qualified(relation, name))
}

fn in_projection(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let (exprs, changed) = narrowed(&projection.expr, &projection.input)?;
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    let narrow = Projection::try_new_with_schema(exprs, projection.input, projection.schema)?;
    Ok(Transformed::yes(LogicalPlan::Projection(narrow)))
}

/// The expressions over a plan, under their names.
fn narrowed(exprs: &[Expr], input: &LogicalPlan) -> Result<(Vec<Expr>, bool)> {
    let mut changed = false;
    let names = NamePreserver::new_for_projection();
    let mut all = Vec::new();
    for expr in exprs {
        if !multiplies(expr) {
            all.push(expr.clone());
            continue;
        }
        let name = names.save(expr);
        let narrow = expr.clone().transform_down(|part| {
            Ok(match Narrow::of(&part, input).filter(|narrow| narrow.multiplies) {
                Some(narrow) => {
                    Transformed::new(narrow.into_decimal(&part, input.schema())?, true, TreeNodeRecursion::Jump)
                }
                None => Transformed::no(part),
            })
        })?;
        changed |= narrow.transformed;
        all.push(if narrow.transformed { name.restore(narrow.data) } else { narrow.data });
    }
    Ok((all, changed))
}

fn multiplies(expr: &Expr) -> bool {
    let product = |part: &Expr| matches!(part, Expr::BinaryExpr(BinaryExpr { op: Operator::Multiply, .. }));
    expr.exists(|part| Ok(product(part))).unwrap_or(false)
}

/// The digits of a decimal expression.
struct Narrow {
    /// An integer.
    digits: Expr,
    bounds: Bounds,
    scale: i8,
    /// Sums cost little in 128 bits, too.
    multiplies: bool,
}

impl Narrow {
    fn of(expr: &Expr, input: &LogicalPlan) -> Option<Narrow> {
        let schema = input.schema();
        let narrow = match expr {
            Expr::Literal(ScalarValue::Decimal128(Some(value), _, scale), _) => {
                let digits = i64::try_from(*value).ok()?;
                let bounds = Bounds { least: digits, greatest: digits };
                Some(Narrow { digits: lit(digits), bounds, scale: *scale, multiplies: false })
            }
            Expr::Column(column) => {
                let DataType::Decimal128(_, scale) = expr.get_type(schema).ok()? else { return None };
                let bounds = bounds_of(input, column)?;
                Some(Narrow { digits: digits_of(expr.clone(), bounds), bounds, scale, multiplies: false })
            }
            Expr::Cast(cast) => {
                let DataType::Decimal128(precision, scale) = cast.field.data_type() else { return None };
                let narrow = Narrow::of(&cast.expr, input)?.scaled(*scale)?;
                let most = 10_i64.checked_pow(u32::from(*precision)).unwrap_or(i64::MAX);
                let fits = -most < narrow.bounds.least && narrow.bounds.greatest < most;
                fits.then_some(narrow)
            }
            Expr::Negative(inner) => {
                let Narrow { digits, bounds, scale, multiplies } = Narrow::of(inner, input)?;
                let bounds = Bounds { least: bounds.greatest.checked_neg()?, greatest: bounds.least.checked_neg()? };
                Some(Narrow { digits: lit(0_i64) - digits, bounds, scale, multiplies })
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                if !matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply) {
                    return None;
                }
                Narrow::of(left, input)?.with(*op, Narrow::of(right, input)?)
            }
            _ => None,
        }?;
        // DataFusion cuts digits where a decimal would have too many.
        let same = matches!(expr.get_type(schema), Ok(DataType::Decimal128(_, scale)) if scale == narrow.scale);
        same.then_some(narrow)
    }

    /// The same number with more digits after the point.
    fn scaled(self, scale: i8) -> Option<Narrow> {
        let more = u32::try_from(scale.checked_sub(self.scale)?).ok()?;
        if more == 0 {
            return Some(self);
        }
        let factor = 10_i64.checked_pow(more)?;
        let bounds = Bounds {
            least: self.bounds.least.checked_mul(factor)?,
            greatest: self.bounds.greatest.checked_mul(factor)?,
        };
        let digits = match self.digits {
            Expr::Literal(ScalarValue::Int64(Some(digits)), _) => lit(digits.checked_mul(factor)?),
            other => other * lit(factor),
        };
        Some(Narrow { digits, bounds, scale, ..self })
    }

    fn with(self, op: Operator, other: Narrow) -> Option<Narrow> {
        let product = op == Operator::Multiply;
        let scale = if product { self.scale.checked_add(other.scale)? } else { self.scale.max(other.scale) };
        let (a, b) = if product { (self, other) } else { (self.scaled(scale)?, other.scaled(scale)?) };
        let ends = |bounds: Bounds| [bounds.least, bounds.greatest];
        let compute = match op {
            Operator::Plus => i64::checked_add,
            Operator::Minus => i64::checked_sub,
            _ => i64::checked_mul,
        };
        let corners = ends(a.bounds).into_iter().flat_map(|x| ends(b.bounds).map(|y| compute(x, y)));
        let corners: Vec<i64> = corners.collect::<Option<_>>()?;
        let bounds = Bounds { least: *corners.iter().min()?, greatest: *corners.iter().max()? };
        let multiplies = product || a.multiplies || b.multiplies;
        let digits = datafusion::logical_expr::binary_expr(a.digits, op, b.digits);
        Some(Narrow { digits, bounds, scale, multiplies })
    }

    /// The decimal again, in the type that it had.
    fn into_decimal(self, expr: &Expr, schema: &DFSchema) -> Result<Expr> {
        Ok(match expr.get_type(schema)? {
            DataType::Decimal128(precision, scale) => decimal_of(self.digits, precision, scale, self.bounds),
            _ => expr.clone(),
        })
    }
}

/// The most rows that a plan can have, by the statistics of its tables.
pub(super) fn most_rows(plan: &LogicalPlan) -> Option<u64> {
    match plan {
        LogicalPlan::TableScan(scan) => match source_as_provider(&scan.source).ok()?.statistics()?.num_rows {
            Precision::Exact(rows) => u64::try_from(rows).ok(),
            _ => None,
        },
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => most_rows(&join.left),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => most_rows(&join.right),
            // A row without a partner stands alone.
            _ => most_rows(&join.left)?.checked_add(1)?.checked_mul(most_rows(&join.right)?.checked_add(1)?),
        },
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_) => most_rows(plan.inputs().first()?),
        _ => None,
    }
}

/// The least and the greatest value of an integer, or the digits of a decimal, by the statistics of the table that a column
/// comes from.
pub(super) fn bounds_of(plan: &LogicalPlan, column: &Column) -> Option<Bounds> {
    let at = plan.schema().maybe_index_of_column(column)?;
    let below = |plan: &LogicalPlan, at: usize| bounds_of(plan, &Column::from(plan.schema().qualified_field(at)));
    match plan {
        LogicalPlan::TableScan(scan) => {
            let data_type = plan.schema().field(at).data_type();
            let at = scan.projection.as_ref().map_or(Some(at), |columns| columns.get(at).copied())?;
            let statistics = source_as_provider(&scan.source).ok()?.statistics()?;
            let known = statistics.column_statistics.get(at)?;
            let digits = |bound: &Precision<ScalarValue>| match (bound, data_type) {
                (Precision::Exact(ScalarValue::Decimal128(Some(value), _, known)), DataType::Decimal128(_, scale)) => {
                    i64::try_from(*value).ok().filter(|_| known == scale)
                }
                (Precision::Exact(value), _) if value.data_type() == *data_type => whole(value),
                _ => None,
            };
            Some(Bounds { least: digits(&known.min_value)?, greatest: digits(&known.max_value)? })
        }
        LogicalPlan::Projection(projection) => match projection.expr[at].clone().unalias() {
            Expr::Column(inner) => bounds_of(&projection.input, &inner),
            other => bounds_told(&other),
        },
        LogicalPlan::SubqueryAlias(alias) => below(&alias.input, at),
        LogicalPlan::Filter(filter) => below(&filter.input, at),
        LogicalPlan::Sort(sort) => below(&sort.input, at),
        LogicalPlan::Limit(limit) => below(&limit.input, at),
        LogicalPlan::Repartition(repartition) => below(&repartition.input, at),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti => below(&join.right, at),
            _ => {
                let left = join.left.schema().fields().len();
                if at < left { below(&join.left, at) } else { below(&join.right, at - left) }
            }
        },
        _ => None,
    }
}
