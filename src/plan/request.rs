//! A [`Request`] as a plan with markers: the same plan that SQL would give.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use std::sync::Arc;

use super::marker::measure;
use super::query::Request;
use super::view::IndicatorView;
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::period::Period;
use crate::catalog::publication::Publication;
use crate::catalog::reach::replace_inputs;
use crate::catalog::time::cast;
use crate::catalog::{Catalog, Member};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;

/// A request whose names and conditions are resolved.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Output name and what it is, for each dimension.
    pub by: Vec<(String, Input)>,
    /// The conditions, AND-ed.
    pub conditions: Vec<Expression>,
}

/// The package that a request is about: the one that has its first indicator (or, with `distinct`, dimension).
///
/// # Errors
/// A diagnostic, if no package has it, or several do.
pub fn package_of(catalog: &Catalog, request: &Request) -> Result<String, Diagnostic> {
    let first = request.indicators.first().or(request.by.first());
    let Some(first) = first else { return Err(Diagnostic::new(codes::REQUEST, "the request asks for nothing")) };
    if let Some((package, _)) = first.split_once('.')
        && catalog.package(package).is_some()
    {
        return Ok(package.to_string());
    }
    let dimension = first.split('.').next().unwrap_or(first);
    let base = TimePart::split(dimension, &catalog.calendar).map_or(dimension, |(base, _)| base);
    let has = |name: &str| {
        catalog.member(name, first).is_some()
            || catalog.member(name, base).is_some()
            || catalog.source_named(name, base).is_some()
    };
    let found: Vec<&str> = catalog.packages.iter().map(|p| p.name.as_str()).filter(|name| has(name)).collect();
    match found.as_slice() {
        [package] => Ok(package.to_string()),
        [] => Err(unknown(catalog, first)),
        several => Err(Diagnostic::new(codes::AMBIGUOUS_NAME, format!("several packages have `{first}`")).help(
            format!("write one of {}", several.iter().map(|p| format!("{p}.{first}")).collect::<Vec<_>>().join(", ")),
        )),
    }
}

impl Request {
    /// The question of a publication, with what its names mean.
    pub fn of_publication(catalog: &Catalog, publication: &Publication) -> (Request, Resolved) {
        let qualified = publication.indicators.iter().map(|(_, id)| {
            let item = &catalog.indicator(*id).item;
            format!("{}.{}", item.package, item.name)
        });
        let by = publication.by.iter().map(|(name, _)| name.clone()).collect();
        let resolved = Resolved { by: publication.by.clone(), conditions: publication.conditions.clone() };
        (Request { indicators: qualified.collect(), by, ..Request::default() }, resolved)
    }
}

/// Plans a request over the view of exactly what it names.
///
/// # Errors
/// A diagnostic, for unknown names and for parts that do not fit together; planning errors of the expansion.
pub fn plan_request(catalog: &Arc<Catalog>, request: &Request, resolved: Resolved) -> Result<LogicalPlan> {
    refuse_unfit(request)?;
    let package = package_of(catalog, request)?;
    let mut columns = resolved.by.clone();
    for name in &request.indicators {
        columns.push((name.clone(), indicator(catalog, &package, name)?));
    }
    let outputs: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut filters = Vec::new();
    for condition in resolved.conditions.into_iter().chain(range(catalog, request)?) {
        filters.push(over_columns(condition, &mut columns));
    }
    let view = IndicatorView::new(Arc::clone(catalog), format!("{package}.indicators"), columns).into_source();
    let mut plan = LogicalPlanBuilder::scan(RELATION, view, None)?;
    for filter in filters {
        plan = plan.filter(filter)?;
    }
    let keys: Vec<Expr> = resolved.by.iter().map(|(name, _)| column(name)).collect();
    if request.distinct {
        plan = plan.project(keys)?;
    } else {
        let calls: Vec<Expr> = request.indicators.iter().map(|name| measure(column(name))).collect();
        plan = plan.aggregate(keys.clone(), calls.clone())?;
        let named = request
            .indicators
            .iter()
            .zip(calls)
            .map(|(name, call)| Expr::Column(Column::new_unqualified(call.schema_name().to_string())).alias(name));
        let outputs: Vec<Expr> = keys.into_iter().chain(named).collect();
        plan = plan.project(outputs)?;
    }
    ordered(plan, request, &outputs)
}

pub(crate) const RELATION: &str = "request";

fn column(name: &str) -> Expr {
    Expr::Column(Column::new(Some(RELATION), name))
}

fn refuse_unfit(request: &Request) -> Result<(), Diagnostic> {
    let unfit = if request.distinct && !request.indicators.is_empty() {
        "`distinct` asks for dimensions only"
    } else if request.distinct && request.by.is_empty() {
        "`distinct` needs a dimension"
    } else if !request.distinct && request.indicators.is_empty() {
        "a request needs an indicator, or `distinct` and a dimension"
    } else {
        return repeated(request);
    };
    Err(Diagnostic::new(codes::REQUEST, unfit))
}

fn repeated(request: &Request) -> Result<(), Diagnostic> {
    let names: Vec<&String> = request.by.iter().chain(&request.indicators).collect();
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, name)) => Err(Diagnostic::new(codes::REQUEST, format!("`{name}` is asked for twice"))),
        None => Ok(()),
    }
}

fn indicator(catalog: &Catalog, package: &str, name: &str) -> Result<Input, Diagnostic> {
    let member = match name.split_once('.') {
        Some((package, name)) => catalog.member(package, name),
        None => catalog.member(package, name),
    };
    match member {
        Some(Member::Indicator(id)) => Ok(Input::Indicator(id, vec![])),
        Some(Member::Dimension(_)) => {
            Err(Diagnostic::new(codes::REQUEST, format!("`{name}` is a dimension")).help("ask for it in `by`"))
        }
        None => Err(unknown(catalog, name)),
    }
}

pub(crate) fn unknown(catalog: &Catalog, name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no indicator or dimension `{name}`"));
    let indicators = catalog.declared_indicators().map(|(_, indicator)| indicator.item.name.as_str());
    let dimensions = catalog.declared_dimensions().map(|(_, dimension)| dimension.item.name.as_str());
    match nearest(name, indicators.chain(dimensions)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`bell list` shows what there is"),
    }
}

/// The condition over columns of the view; what it mentions becomes columns that are not shown.
pub(crate) fn over_columns(condition: Expression, columns: &mut Vec<(String, Input)>) -> Expr {
    let values: Vec<Expr> = condition
        .inputs
        .into_iter()
        .map(|input| {
            let at = columns.iter().position(|(_, known)| *known == input).unwrap_or_else(|| {
                columns.push((format!("${}", columns.len()), input));
                columns.len() - 1
            });
            column(&columns[at].0)
        })
        .collect();
    replace_inputs(condition.expr, &values)
}

/// `from` and `to` as conditions on `metric_time`.
fn range(catalog: &Catalog, request: &Request) -> Result<Vec<Expression>, Diagnostic> {
    let axis = Expression::input(Input::MetricTime(TimePart::Whole));
    let instant = |at: chrono::NaiveDateTime| instant(at, &catalog.metric_time);
    if let (Some(from), Some(to)) = (&request.from, &request.to)
        && period(to)?.ends_before(period(from)?.start())
    {
        return Err(Diagnostic::new(codes::REQUEST, format!("`from` ({from}) lies after `to` ({to})"))
            .help("`from` is the first period that is read, `to` the last"));
    }
    let mut conditions = Vec::new();
    if let Some(from) = &request.from {
        conditions.push(axis.expr.clone().gt_eq(instant(period(from)?.start())));
    }
    if let Some(to) = &request.to {
        let to = period(to)?;
        conditions.push(match to.end() {
            Some(end) => axis.expr.clone().lt(instant(end)),
            None => axis.expr.clone().lt_eq(instant(to.start())),
        });
    }
    Ok(conditions.into_iter().map(|expr| Expression { expr, inputs: axis.inputs.clone() }).collect())
}

/// An instant as a constant of a time's type.
pub(crate) fn instant(at: chrono::NaiveDateTime, data_type: &DataType) -> Expr {
    let text = at.format("%Y-%m-%d %H:%M:%S%.f").to_string();
    let literal = lit(ScalarValue::Utf8(Some(text)));
    cast(cast(literal, DataType::Timestamp(TimeUnit::Nanosecond, None)), data_type.clone())
}

fn period(text: &str) -> Result<Period, Diagnostic> {
    Period::parse(text).ok_or_else(|| not_a_period(text))
}

/// A text that should be a period.
pub(crate) fn not_a_period(text: &str) -> Diagnostic {
    Diagnostic::new(codes::PERIOD, format!("`{text}` is not a period"))
        .help("write `2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-31` or `2026-01-31 12:00:00`")
}

fn ordered(plan: LogicalPlanBuilder, request: &Request, outputs: &[String]) -> Result<LogicalPlan> {
    let mut order = Vec::new();
    for written in &request.order {
        let (name, ascending) = match written.strip_prefix('-') {
            Some(name) => (name, false),
            None => (written.as_str(), true),
        };
        if !outputs.iter().any(|output| output == name) {
            return Err(Diagnostic::new(
                codes::REQUEST,
                format!("`{name}` is not asked for, so it cannot be ordered by"),
            )
            .help(format!("order by one of {}", outputs.join(", ")))
            .into());
        }
        let by_dimension = request.distinct || request.by.iter().any(|by| by == name);
        let column = if by_dimension { column(name) } else { Expr::Column(Column::new_unqualified(name)) };
        order.push(column.sort(ascending, false));
    }
    let plan = if order.is_empty() { plan } else { plan.sort(order)? };
    Ok(plan.limit(0, request.limit)?.build()?)
}
