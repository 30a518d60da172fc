//! [`SharedAverages`]: the average of integers whose sum is asked for, too, is that sum by their number.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, ExprSchema, Result, internal_err};
use datafusion::functions::core::expr_fn::{named_struct, nullif};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::narrow::{bounds_of, most_rows};
use super::shared_percentiles::named;
use super::states::is_state_of;
use crate::catalog::time::cast;

/// Doubles hold all integers up to this one: while a sum stays below it no step of it is rounded, in whatever order.
const EXACT: u128 = 1 << 53;

/// An optimizer rule that makes averages of integers, and states of averages that are stored, of the sum of the same
/// integers of the same rows, if that is asked for, too. DataFusion's average adds doubles up; where the statistics of files
/// keep the sum below 2^53, that is the same number, to the last digit.
#[derive(Debug, Default)]
pub struct SharedAverages {
    _private: (),
}

impl OptimizerRule for SharedAverages {
    fn name(&self) -> &str {
        "shared_averages"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Aggregate(aggregate) => Ok(match shared(aggregate)? {
                Some(plan) => Transformed::yes(plan),
                None => Transformed::no(plan),
            }),
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// What an aggregate of the plan becomes, over the aggregates that are left.
enum Place {
    Kept(usize),
    Average { sum: usize, count: usize },
    State { sum: usize, count: usize },
}

/// The aggregate without averages whose sum it has, under a projection with its schema; none, if it has no such.
fn shared(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let averages: Vec<Option<Average<'_>>> =
        aggregate.aggr_expr.iter().map(|call| Average::of(call, aggregate)).collect();
    if averages.iter().all(Option::is_none) {
        return Ok(None);
    }
    let others = aggregate.aggr_expr.iter().zip(&averages).filter(|(_, average)| average.is_none());
    let mut calls: Vec<Expr> = others.map(|(call, _)| call.clone()).collect();
    let mut kept = 0..;
    let mut places = Vec::new();
    for average in averages {
        places.push(match average {
            Some(average) => average.place(&mut calls)?,
            None => Place::Kept(kept.next().unwrap_or_default()),
        });
    }
    let all = calls.len();
    let grouped = Aggregate::try_new(aggregate.input.clone(), aggregate.group_expr.clone(), calls)?;
    let columns = grouped.schema.columns();
    let keys = columns.len() - all;
    let call = |at: usize| Expr::Column(columns[keys + at].clone());
    let double = |at: usize| cast(call(at), DataType::Float64);
    let values = places.into_iter().map(|place| match place {
        Place::Kept(at) => call(at),
        // Without values there is no sum.
        Place::Average { sum, count } => double(sum) / double(count),
        // As averages write it: where there are no values, neither number is there.
        Place::State { sum, count } => {
            let number = cast(nullif(call(count), lit(0_i64)), DataType::UInt64);
            named_struct(vec![lit("s0"), number, lit("s1"), double(sum)])
        }
    });
    let values = columns[..keys].iter().cloned().map(Expr::Column).chain(values);
    let named = values.zip(aggregate.schema.columns()).map(|(value, column)| named(value, column)).collect();
    let projection = Projection::try_new(named, LogicalPlan::Aggregate(grouped).into())?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

/// An average, or the state of one, whose sum is asked for beside it.
struct Average<'a> {
    input: &'a LogicalPlan,
    integers: Integers<'a>,
    /// The integers as they are averaged, cast to doubles.
    value: Expr,
    filter: Option<Box<Expr>>,
    sum: &'a Expr,
    is_state: bool,
}

impl<'a> Average<'a> {
    fn of(call: &Expr, aggregate: &'a Aggregate) -> Option<Average<'a>> {
        let call = plain_call(call)?;
        let is_state = is_state_of(&call.func, &avg_udaf());
        let [double] = call.params.args.as_slice() else { return None };
        let filter = &call.params.filter;
        let integers = Integers::of(double, &aggregate.input)?;
        if !(is_state || call.func == avg_udaf()) || !integers.stay_exact() {
            return None;
        }
        let adds = |other: &&Expr| {
            let sum = plain_call(other).filter(|sum| sum.func == sum_udaf() && sum.params.filter == *filter);
            let added = sum.and_then(|sum| Integers::of(sum.params.args.first()?, &aggregate.input));
            added.is_some_and(|added| added.is(&integers))
        };
        let sum = aggregate.aggr_expr.iter().find(adds)?;
        Some(Average {
            input: &aggregate.input,
            integers,
            value: double.clone(),
            filter: filter.clone(),
            sum,
            is_state,
        })
    }

    /// Where it comes from: the sum, and the number of values, which may be asked for, too.
    fn place(self, calls: &mut Vec<Expr>) -> Result<Place> {
        let Average { input, integers, value, filter, sum, is_state } = self;
        let Some(sum) = calls.iter().position(|known| known == sum) else { return internal_err!("a sum is gone") };
        let counts = |other: &Expr| {
            let count = plain_call(other).filter(|count| count.func == count_udaf() && count.params.filter == filter);
            let counted = count.and_then(|count| Integers::of(count.params.args.first()?, input));
            counted.is_some_and(|counted| counted.is(&integers))
        };
        let count = calls.iter().position(counts).unwrap_or_else(|| {
            let call = AggregateFunction::new_udf(
                count_udaf(),
                vec![uncast(&value).clone()],
                false,
                filter.clone(),
                vec![],
                None,
            );
            calls.push(Expr::AggregateFunction(call));
            calls.len() - 1
        });
        Ok(if is_state { Place::State { sum, count } } else { Place::Average { sum, count } })
    }
}

/// A call, by whatever name, with nothing but an argument and a filter that gives the same each time.
fn plain_call(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => plain_call(&alias.expr),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            let plain = !params.distinct && params.order_by.is_empty() && params.null_treatment.is_none();
            let volatile = params.filter.as_ref().is_some_and(|filter| filter.is_volatile());
            Some(call).filter(|_| plain && !volatile)
        }
        _ => None,
    }
}

/// A column of integers, below casts.
struct Integers<'a> {
    column: Column,
    /// The plan that has it.
    plan: &'a LogicalPlan,
}

impl<'a> Integers<'a> {
    /// What an expression over a plan is made of, where it is NULL for the same rows.
    fn of(expr: &Expr, plan: &'a LogicalPlan) -> Option<Integers<'a>> {
        let Expr::Column(column) = uncast(expr) else { return None };
        let below = match plan {
            // What several aggregates cast was cast there, once.
            LogicalPlan::Projection(projection) => {
                let at = projection.schema.maybe_index_of_column(column)?;
                Integers::of(&projection.expr[at], &projection.input)
            }
            _ => None,
        };
        let is_integer = || plan.schema().data_type(column).is_ok_and(|data_type| data_type.is_integer());
        below.or_else(|| is_integer().then(|| Integers { column: column.clone(), plan }))
    }

    /// Whether both are the same column of the same plan: further down or up another one may have its name.
    fn is(&self, other: &Integers<'_>) -> bool {
        self.column == other.column && std::ptr::eq(self.plan, other.plan)
    }

    /// Whether a double holds their sum, whatever they are.
    fn stay_exact(&self) -> bool {
        let known = bounds_of(self.plan, &self.column).zip(most_rows(self.plan));
        known.is_some_and(|(bounds, rows)| {
            let most = bounds.least.unsigned_abs().max(bounds.greatest.unsigned_abs());
            u128::from(most) * u128::from(rows) < EXACT
        })
    }
}

/// What is cast, as averages do it to doubles and sums to 64 bits: it is NULL where the cast is.
fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => uncast(&alias.expr),
        Expr::Cast(cast) => match cast.field.data_type() {
            DataType::Float64 | DataType::Int64 => uncast(&cast.expr),
            _ => expr,
        },
        _ => expr,
    }
}
