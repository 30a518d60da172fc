//! Refusals of questions: each says what is wrong with the SQL and what to write instead.

use datafusion::catalog::TableProvider;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};

use super::marker::is_measure;
use super::view::{Extent, IndicatorView};
use crate::catalog::Catalog;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Indicator;
use crate::catalog::path::ColumnRef;
use crate::diagnostic::{Diagnostic, codes};

/// The call that an aggregate expression is.
pub(crate) fn as_call(expr: &Expr) -> Result<&AggregateFunction> {
    match expr {
        Expr::AggregateFunction(call) => Ok(call),
        Expr::Alias(alias) => as_call(&alias.expr),
        other => internal_err!("{other} is not an aggregate call"),
    }
}

/// Refuses markers in an aggregate that stands on no view.
pub(crate) fn measures_elsewhere(aggregate: &Aggregate) -> Result<()> {
    for expr in &aggregate.aggr_expr {
        if as_call(expr).is_ok_and(|call| is_measure(&call.func)) {
            return Err(Diagnostic::new(
                codes::MEASURE_PLACE,
                format!("`{}` does not stand directly on an indicator view", written(as_call(expr)?)),
            )
            .note("between the view and the GROUP BY there may be WHERE, column aliases and subqueries of these; a join, LIMIT, UNION or window there would change which rows count")
            .help("aggregate in a subquery first, then join: `SELECT … FROM (SELECT region, MEASURE(gmv) AS gmv FROM retail.indicators GROUP BY region) JOIN …`")
            .into());
        }
    }
    Ok(())
}

/// More is asked of a masked column than to be shown.
pub(crate) fn masked(catalog: &Catalog, column: &ColumnRef, policy: &str) -> Diagnostic {
    let source = catalog.source(column.path.target(catalog));
    let name = format!("{}.{}", source.item.name, source.columns[column.column].name);
    Diagnostic::new(codes::NOT_SEEN, format!("`{name}` is masked for you by policy `{policy}`"))
        .note("over masks a condition, a count or a computed value would be another number than it says")
        .help("group by it, which shows the mask, or leave it out")
}

/// A masked column that a value is made of, through dimensions too, as a refusal.
pub(crate) fn made_of_masked(catalog: &Catalog, value: &Expression) -> Result<(), Diagnostic> {
    let Some(seen) = &catalog.seen else { return Ok(()) };
    for column in value.columns() {
        if let Some(policy) = seen.masked.get(&(column.path.target(catalog), column.column)) {
            return Err(masked(catalog, column, policy));
        }
    }
    let dimensions = value.inputs.iter().filter_map(|input| match input {
        Input::Dimension(id, _) => Some(&catalog.dimension(*id).definitions),
        _ => None,
    });
    dimensions.flatten().try_for_each(|definition| made_of_masked(catalog, definition))
}

fn written(call: &AggregateFunction) -> String {
    Expr::AggregateFunction(call.clone()).to_string()
}

/// `SUM(gmv)`.
pub(crate) fn aggregate_of_indicator(call: &AggregateFunction, indicator: &Indicator) -> Diagnostic {
    let (function, name) = (call.func.name(), &indicator.item.name);
    Diagnostic::new(
        codes::AGGREGATE_OF_INDICATOR,
        format!("`{name}` is an indicator: it already says how to aggregate, so {function}({name}) has no meaning"),
    )
    .help(format!(
        "write MEASURE({name}); for BI tools that can only wrap columns in aggregates: SET bell.bi_compat = true"
    ))
}

/// `MEASURE(gmv / 2)`.
pub(crate) fn not_one_indicator(call: &AggregateFunction) -> Diagnostic {
    Diagnostic::new(codes::NOT_AN_INDICATOR, format!("`{}` takes one indicator, not an expression", written(call)))
        .help("calculate outside: `MEASURE(gmv) / 2`")
}

/// `MEASURE(DISTINCT gmv)`.
pub(crate) fn decorated(call: &AggregateFunction) -> Diagnostic {
    Diagnostic::new(
        codes::NOT_AN_INDICATOR,
        format!("`{}`: MEASURE takes neither DISTINCT nor ORDER BY", written(call)),
    )
    .help("write `MEASURE(indicator)`; its definition says what is counted")
}

/// `SELECT max(region), MEASURE(gmv)`.
pub(crate) fn mixed(call: &AggregateFunction) -> Diagnostic {
    Diagnostic::new(
        codes::MIXED,
        format!(
            "`{}` aggregates a dimension beside MEASURE, but a view has no rows of its own to run over",
            written(call)
        ),
    )
    .help("declare an indicator for it (`count(distinct …)`), or ask for it in a query of its own")
}

/// `WHERE gmv > 10`.
pub(crate) fn indicator_in_where(indicator: &Indicator) -> Diagnostic {
    let name = &indicator.item.name;
    Diagnostic::new(codes::INDICATOR_IN_WHERE, format!("`{name}` is an indicator: a single row has no value of it"))
        .help(format!("filter groups after aggregation: HAVING MEASURE({name}) …"))
}

/// `AT (WHERE gmv > 10)`.
pub(crate) fn indicator_in_modifier(indicator: &Indicator) -> Diagnostic {
    let name = &indicator.item.name;
    Diagnostic::new(
        codes::INDICATOR_IN_WHERE,
        format!("`{name}` is an indicator: a modifier is about rows, and a single row has no value of it"),
    )
    .help(format!("declare a dimension of it (`{name} per orders.customer_id`), or compare in HAVING"))
}

/// `GROUP BY gmv`.
pub(crate) fn indicator_as_key(indicator: &Indicator) -> Diagnostic {
    let name = &indicator.item.name;
    Diagnostic::new(codes::INDICATOR_AS_KEY, format!("`{name}` is an indicator and cannot be grouped by"))
        .help("group by dimensions; to band groups by an indicator, aggregate in a subquery first")
}

/// `SELECT gmv FROM retail.indicators`.
pub(crate) fn ungrouped(names: &[&String]) -> Diagnostic {
    let mut listed: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    if names.len() > listed.len() {
        listed.push(format!("{} more", names.len() - listed.len()));
    }
    let first = names.first().map(|name| name.as_str()).unwrap_or("indicator");
    Diagnostic::new(
        codes::UNGROUPED,
        format!("indicators have a value for a group of rows, not for each: {}", listed.join(", ")),
    )
    .help(format!(
        "write MEASURE({first}), with GROUP BY for one value a group: SELECT region, MEASURE({first}) … GROUP BY region"
    ))
}

/// A correlated subquery in a condition on a view.
pub(crate) fn correlated() -> Diagnostic {
    Diagnostic::new(codes::CORRELATED, "a correlated subquery cannot stand in a condition on an indicator view")
        .note("the view's rows exist only once the question groups them, so there is no row to correlate with")
        .help("use an uncorrelated IN (SELECT …), or aggregate first and correlate outside")
}

/// Refuses aggregates over dimension values that would change with repeats.
pub(crate) fn repeats_matter(call: &AggregateFunction) -> Result<()> {
    let harmless = call.params.distinct || matches!(call.func.name(), "min" | "max");
    if harmless && !call.params.args.is_empty() {
        return Ok(());
    }
    Err(Diagnostic::new(
        codes::MIXED,
        format!(
            "`{}` counts rows, but a view has no rows of its own: its values depend on the question",
            written(call)
        ),
    )
    .help("write count(DISTINCT dimension), or MEASURE of an indicator that counts what is meant")
    .into())
}

/// The expressions that a call reads.
pub(crate) fn inputs_of(expr: &Expr) -> Vec<Expr> {
    match as_call(expr) {
        Ok(call) => {
            call.params.args.iter().chain(call.params.filter.as_deref()).filter(|e| !is_literal(e)).cloned().collect()
        }
        Err(_) => vec![],
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

/// The call with each of its inputs replaced by a column.
pub(crate) fn with_inputs(expr: &Expr, column: &impl Fn(&Expr) -> Result<Expr>) -> Result<Expr> {
    let mut call = as_call(expr)?.clone();
    for argument in call.params.args.iter_mut().filter(|argument| !is_literal(argument)) {
        *argument = column(argument)?;
    }
    if let Some(filter) = call.params.filter.as_mut().filter(|filter| !is_literal(filter)) {
        **filter = column(filter)?;
    }
    Ok(Expr::AggregateFunction(call))
}

/// Refuses a funnel or a cohort of which no columns are selected: the dimensions that are selected are its groups.
pub(crate) fn not_selected(plan: &LogicalPlan, view: &IndicatorView) -> Result<(), Diagnostic> {
    let Some(event) = &view.event else { return Ok(()) };
    let all = event.extent == Extent::Whole && plan.schema().fields().len() == view.inputs.len();
    if selects(plan) && !all {
        return Ok(());
    }
    let schema = view.schema();
    let own: Vec<&str> = schema.fields().iter().take(event.own).map(|field| field.name().as_str()).collect();
    let name = &view.name;
    Err(Diagnostic::new(
        codes::UNGROUPED,
        format!("`{name}` has a row for each group of the dimensions that are selected, and here all are"),
    )
    .help(format!("name the columns: `FROM (SELECT {} FROM {name})`", own.join(", "))))
}

fn selects(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(_) => true,
        LogicalPlan::SubqueryAlias(alias) => selects(&alias.input),
        LogicalPlan::Filter(filter) => selects(&filter.input),
        LogicalPlan::Sort(sort) => selects(&sort.input),
        _ => false,
    }
}
