//! Cohorts: in which periods an entity came back after its first row.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit};

use super::timed::{Carried, Clock, PERIOD, Side, TIME, entity, known, plain, timed_by};
use crate::catalog::Catalog;
use crate::catalog::event::{Cohort, EventColumn};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::time::{cast, interval_of};
use crate::plan::scan::Scan;

const FIRST: &str = "$first";
const ROWS: &str = "$rows";
const LAST: &str = "$last";
const AGES: &str = "$ages";
const BACK: &str = "$back";

/// The first row of each entity, once for every age that its cohort has come to, with whether the entity came back then.
///
/// No age lies after the last period with rows: what has not happened yet is not a loss.
pub(super) fn with_cohort(
    catalog: &Catalog,
    rows: LogicalPlan,
    cohort: &Cohort,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    let clock = Clock::of(catalog, &[cohort.starts.source, cohort.returns.source]);
    let columns = Carried::of(&rows);
    let starts = Side::of(&cohort.starts, &cohort.entity_type);
    let returns = Side::of(&cohort.returns, &cohort.entity_type);
    let all = known(timed_by(Scan::new(catalog, starts.source).over(rows), &clock, &starts, cohort.every)?, &starts)?;
    let all = all.project(columns.named().chain([entity(), plain(PERIOD), plain(TIME)]))?;
    let order = [plain(TIME)].into_iter().chain(columns.key(catalog, starts.source));
    let number = row_number().partition_by(vec![entity()]).order_by(order.map(|key| key.sort(true, true)).collect());
    let number = number.build()?;
    let name = number.schema_name().to_string();
    let first = all.window(vec![number])?.filter(plain(&name).eq(lit(1_u64)))?;
    let first = first.project(columns.kept().chain([entity(), plain(PERIOD), plain(TIME)]))?.alias(FIRST)?;
    let back = timed_by(Scan::new(catalog, returns.source), &clock, &returns, cohort.every)?;
    let back = known(back, &returns)?.project([entity(), plain(PERIOD), plain(TIME)])?.build()?;
    let last = last_period(catalog, &clock, cohort)?;
    let due = cast(of(FIRST, PERIOD) + of(AGES, "span"), DataType::Date32);
    let aged =
        first.clone().cross_join(ages(cohort)?)?.cross_join(last)?.filter(due.clone().lt_eq(of(LAST, PERIOD)))?;
    let back = returned(&first, back)?;
    let met = [of(FIRST, &entity_name()).eq(of(BACK, &entity_name())), due.eq(of(BACK, PERIOD))];
    let joined = aged.join_on(back, JoinType::Left, met)?;
    let own = |value: Expr, column: EventColumn| value.alias_qualified(Some(relation.clone()), column.name());
    let own = [
        own(of(FIRST, &entity_name()), EventColumn::Entity),
        own(of(FIRST, PERIOD), EventColumn::Start),
        own(of(AGES, "age"), EventColumn::Age),
        own(of(BACK, PERIOD).is_not_null(), EventColumn::Active),
    ];
    joined.project(columns.restored_from(FIRST).chain(own))?.build()
}

/// The periods in which each entity has rows from its first one on, each once.
fn returned(first: &LogicalPlanBuilder, back: LogicalPlan) -> Result<LogicalPlan> {
    let rows = LogicalPlanBuilder::from(back).alias(ROWS)?.build()?;
    let since = [of(FIRST, &entity_name()).eq(of(ROWS, &entity_name())), of(FIRST, TIME).lt_eq(of(ROWS, TIME))];
    let met = first.clone().join_on(rows, JoinType::Inner, since)?;
    met.project([of(ROWS, &entity_name()), of(ROWS, PERIOD)])?.distinct()?.alias(BACK)?.build()
}

/// The last period with rows of either source, whosever they are: up to it what did not happen is known.
fn last_period(catalog: &Catalog, clock: &Clock<'_>, cohort: &Cohort) -> Result<LogicalPlan> {
    let periods = |source| {
        let all = Side { source, time: None, keys: vec![], conditions: &[] };
        timed_by(Scan::new(catalog, source), clock, &all, cohort.every)?.project([plain(PERIOD)])
    };
    let mut both = periods(cohort.starts.source)?;
    if cohort.returns.source != cohort.starts.source {
        both = both.union(periods(cohort.returns.source)?.build()?)?;
    }
    let last = datafusion::functions_aggregate::expr_fn::max(plain(PERIOD));
    let name = last.schema_name().to_string();
    both.aggregate(Vec::<Expr>::new(), vec![last])?.project([plain(&name).alias(PERIOD)])?.alias(LAST)?.build()
}

/// The ages with the length of time that each is.
fn ages(cohort: &Cohort) -> Result<LogicalPlan> {
    let unit = cohort.every.span();
    let rows = (0..=cohort.ages).map(|age| {
        let times = i32::from(age);
        let span = TimeSpan { months: unit.months * times, days: unit.days * times, nanoseconds: 0 };
        vec![lit(i64::from(age)), interval_of(span)]
    });
    let values = LogicalPlanBuilder::values(rows.collect())?;
    values.project([plain("column1").alias("age"), plain("column2").alias("span")])?.alias(AGES)?.build()
}

fn of(relation: &str, column: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(relation)), column))
}

fn entity_name() -> String {
    match entity() {
        Expr::Column(column) => column.name,
        other => other.schema_name().to_string(),
    }
}
