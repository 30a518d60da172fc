//! [`SharedPercentiles`]: percentiles of the same values keep these once.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, Projection, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::percentile_values::{field_name, percentiles};

/// An optimizer rule that computes all `percentile_cont` of the same doubles, of the same rows, by one
/// [`percentiles`]: 0.5, 0.9 and 0.99 of a price need one list of prices, not three.
#[derive(Debug, Default)]
pub struct SharedPercentiles {
    _private: (),
}

impl OptimizerRule for SharedPercentiles {
    fn name(&self) -> &str {
        "shared_percentiles"
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

/// Values of which percentiles are asked, by what is asked of them.
struct Asked {
    value: Expr,
    filter: Option<Box<Expr>>,
    fractions: Vec<f64>,
}

/// What an aggregate of the plan becomes.
enum Place {
    Kept(Expr),
    Percentile { of: usize, at: usize },
}

/// The aggregate with its percentiles shared, under a projection with its schema; none, if it has none.
fn shared(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let mut asked: Vec<Asked> = Vec::new();
    let places: Vec<Place> = aggregate.aggr_expr.iter().map(|expr| place(expr, aggregate, &mut asked)).collect();
    if asked.is_empty() {
        return Ok(None);
    }
    let kept = places.iter().filter_map(|place| match place {
        Place::Kept(expr) => Some(expr.clone()),
        Place::Percentile { .. } => None,
    });
    let aggr_expr: Vec<Expr> = kept.chain(asked.iter().map(Asked::call)).collect();
    let several = aggr_expr.len() - asked.len();
    let grouped = Aggregate::try_new(aggregate.input.clone(), aggregate.group_expr.clone(), aggr_expr)?;
    let columns = grouped.schema.columns();
    let keys = columns.len() - several - asked.len();
    let mut next = keys;
    let values = places.iter().map(|place| match place {
        Place::Kept(_) => {
            next += 1;
            Expr::Column(columns[next - 1].clone())
        }
        Place::Percentile { of, at } => get_field(Expr::Column(columns[keys + several + of].clone()), field_name(*at)),
    });
    let values: Vec<Expr> = columns[..keys].iter().cloned().map(Expr::Column).chain(values).collect();
    let named =
        values.into_iter().zip(aggregate.schema.columns()).map(|(value, column)| named(value, column)).collect();
    let projection = Projection::try_new(named, LogicalPlan::Aggregate(grouped).into())?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

/// An expression under the name that the plan above knows.
pub(super) fn named(value: Expr, column: Column) -> Expr {
    match &value {
        Expr::Column(own) if *own == column => value,
        _ => value.alias_qualified(column.relation, column.name),
    }
}

/// Where the value of an aggregate comes from.
fn place(expr: &Expr, aggregate: &Aggregate, asked: &mut Vec<Asked>) -> Place {
    let bare = expr.clone().unalias();
    let Some((value, filter, fraction)) = percentile(&bare, aggregate) else { return Place::Kept(expr.clone()) };
    let known = asked.iter().position(|asked| asked.value == value && asked.filter == filter);
    let of = known.unwrap_or_else(|| {
        asked.push(Asked { value, filter, fractions: vec![] });
        asked.len() - 1
    });
    let fractions = &mut asked[of].fractions;
    let at = fractions.iter().position(|other| *other == fraction).unwrap_or_else(|| {
        fractions.push(fraction);
        fractions.len() - 1
    });
    Place::Percentile { of, at }
}

/// The values, the filter and the fraction of a percentile of doubles.
fn percentile(expr: &Expr, aggregate: &Aggregate) -> Option<(Expr, Option<Box<Expr>>, f64)> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else { return None };
    let [value, Expr::Literal(ScalarValue::Float64(Some(fraction)), _)] = params.args.as_slice() else { return None };
    // Two draws of random values are not the same values.
    let is_plain = func.name() == "percentile_cont"
        && !params.distinct
        && params.null_treatment.is_none()
        && !value.is_volatile()
        && !params.filter.as_ref().is_some_and(|filter| filter.is_volatile());
    let of_doubles = value.get_type(aggregate.input.schema()).is_ok_and(|data_type| data_type == DataType::Float64);
    if !is_plain || !of_doubles || !(0.0..=1.0).contains(fraction) {
        return None;
    }
    let descending = params.order_by.first().is_some_and(|by| !by.asc);
    let fraction = if descending { 1.0 - fraction } else { *fraction };
    Some((value.clone(), params.filter.clone(), fraction))
}

impl Asked {
    fn call(&self) -> Expr {
        let arguments = std::iter::once(self.value.clone()).chain(self.fractions.iter().map(|fraction| lit(*fraction)));
        let filter = self.filter.clone();
        Expr::AggregateFunction(AggregateFunction::new_udf(
            percentiles(),
            arguments.collect(),
            false,
            filter,
            vec![],
            None,
        ))
    }
}
