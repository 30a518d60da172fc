//! The arguments of a marker after the indicator: modifiers, over the columns of the view.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;

use super::marker::modifier_name;
use super::range::narrowed;
use super::refuse;
use super::trace::Traced;
use crate::catalog::calendar::{Grain, PeriodId, TimePart};
use crate::catalog::expr::{Expression, Input, input_column, input_number};
use crate::catalog::modifier::{Among, Edge, End, Modifier, TimeSpan};
use crate::diagnostic::{Diagnostic, codes, nearest};

/// The modifiers that these arguments are.
///
/// # Errors
/// A diagnostic, for an argument that is none.
pub(crate) fn modifiers_of(args: &[Expr], traced: &Traced) -> Result<Vec<Modifier>> {
    args.iter().map(|arg| modifier_of(arg, traced)).collect()
}

fn modifier_of(arg: &Expr, traced: &Traced) -> Result<Modifier> {
    let Some((name, args)) = as_modifier(arg) else { return Err(no_modifier(arg).into()) };
    Ok(match (name, args) {
        ("bell_all", []) => Modifier::Everything,
        ("bell_all", dropped) => {
            let whole = |arg| Ok::<_, datafusion::error::DataFusionError>(whole(target(arg, traced)?));
            Modifier::All(dropped.iter().map(whole).collect::<Result<_>>()?)
        }
        ("bell_set", [dimension, value]) => Modifier::Set(target(dimension, traced)?, value_of(value, traced)?),
        ("bell_where", [condition]) => Modifier::Where(row_expression(traced, condition)?),
        ("bell_visible", []) => Modifier::Visible,
        ("bell_each", [grain]) => Modifier::Each(step_of(grain, traced)?),
        ("bell_start_of", [grain]) => Modifier::StartOf(grain_of(grain, traced)?),
        ("bell_shift", [one]) if let Some((count, id)) = periods_of(one, traced) => Modifier::ShiftPeriods(count, id),
        ("bell_shift", spans) => Modifier::Shift(span_of(spans)?),
        ("bell_previous", [grain]) => match text(grain) {
            Some(word) if word.eq_ignore_ascii_case("period") => Modifier::PreviousPeriod,
            _ => Modifier::Shift(grain_of(grain, traced)?.span()),
        },
        ("bell_trailing", spans) => match span_of(spans)? {
            span if span.is_positive() => Modifier::Trailing(span),
            _ => return Err(not_positive().into()),
        },
        ("bell_to_date", [grain]) => {
            match text(grain).and_then(|word| TimePart::named(word, &traced.catalog().calendar)) {
                Some(TimePart::Period(id)) => Modifier::ToDateOf(id),
                _ => Modifier::ToDate(grain_of(grain, traced)?),
            }
        }
        ("bell_cumulative", []) => Modifier::Cumulative,
        ("bell_first", [by, per @ ..]) => edge(End::First, by, per, traced)?,
        ("bell_last", [by, per @ ..]) => edge(End::Last, by, per, traced)?,
        _ => return Err(no_modifier(arg).into()),
    })
}

fn as_modifier(arg: &Expr) -> Option<(&'static str, &[Expr])> {
    match arg {
        Expr::ScalarFunction(ScalarFunction { func, args }) => modifier_name(func).map(|name| (name, args.as_slice())),
        Expr::Alias(alias) => as_modifier(&alias.expr),
        _ => None,
    }
}

fn no_modifier(arg: &Expr) -> Diagnostic {
    Diagnostic::new(
        codes::NOT_AN_INDICATOR,
        format!("`{arg}` is no modifier: MEASURE takes one indicator, then modifiers"),
    )
    .help("write `MEASURE(gmv) AT (ALL region)`, or in plain DataFusion `MEASURE(gmv, bell_all(region))`")
}

fn not_positive() -> Diagnostic {
    Diagnostic::new(codes::BAD_VALUE, "a `trailing` window has a positive length")
        .help("write `TRAILING 28 DAYS`; `SHIFT` looks back, or ahead with a negative length")
}

fn edge(end: End, by: &Expr, per: &[Expr], traced: &Traced) -> Result<Modifier> {
    let (per, among) = match per.split_last() {
        Some((last, rest)) if matches!(as_modifier(last), Some(("bell_overall", _))) => (rest, Among::Period),
        _ => (per, Among::Group),
    };
    let per = per.iter().map(|key| grain_or_row(key, traced)).collect::<Result<_>>()?;
    Ok(Modifier::Edge(Edge { end, by: grain_or_row(by, traced)?, per, among }))
}

/// The grain of `each day`, if a calendar from a table has such steps.
fn step_of(arg: &Expr, traced: &Traced) -> Result<Grain> {
    let grain = grain_of(arg, traced)?;
    match traced.catalog().calendar.tables.iter().any(|table| table.grain <= grain) {
        true => Ok(grain),
        false => {
            let problem = format!("no calendar tells which {}s there are", grain.name());
            Err(Diagnostic::new(codes::BAD_VALUE, problem).help("declare a calendar from a table").into())
        }
    }
}

/// `1 retail_445_week` of a calendar from a table.
fn periods_of(arg: &Expr, traced: &Traced) -> Option<(i32, PeriodId)> {
    let Some(("bell_duration", [count, unit])) = as_modifier(arg) else { return None };
    match TimePart::named(text(unit)?, &traced.catalog().calendar)? {
        TimePart::Period(id) => Some((integer(count)?, id)),
        _ => None,
    }
}

/// A value of a row.
fn row_expression(traced: &Traced, arg: &Expr) -> Result<Expression> {
    let expression = traced.expression(arg)?;
    match Traced::any_indicator(&expression) {
        Some(id) => Err(refuse::indicator_in_modifier(traced.catalog().indicator(id)).into()),
        None => Ok(expression),
    }
}

/// A text is a grain of the time axis.
fn grain_or_row(arg: &Expr, traced: &Traced) -> Result<Expression> {
    if let Some(word) = text(arg)
        && let Some(part @ TimePart::Period(_)) = TimePart::named(word, &traced.catalog().calendar)
    {
        return Ok(Expression::input(Input::MetricTime(part)));
    }
    match text(arg) {
        Some(_) => Ok(Expression::input(Input::MetricTime(TimePart::Grain(grain_of(arg, traced)?)))),
        None => row_expression(traced, arg),
    }
}

fn target(arg: &Expr, traced: &Traced) -> Result<Input> {
    let expression = grain_or_row(arg, traced)?;
    match expression.as_input() {
        Some(input) => Ok(input.clone()),
        None => Err(Diagnostic::new(codes::BAD_VALUE, format!("`{arg}` is no dimension of the view")).into()),
    }
}

fn whole(input: Input) -> Input {
    match input {
        Input::Dimension(id, _) => Input::Dimension(id, TimePart::Whole),
        Input::MetricTime(_) => Input::MetricTime(TimePart::Whole),
        other => other,
    }
}

/// The value of a `set`: `bell_current(d)` in it is the row's own value.
fn value_of(arg: &Expr, traced: &Traced) -> Result<Expression> {
    let Expression { expr, mut inputs } = row_expression(traced, arg)?;
    let replaced = expr.transform_down(|part| {
        let current = match as_modifier(&part) {
            Some(("bell_current", [Expr::Column(column)])) => input_number(column),
            _ => None,
        };
        let Some(at) = current else { return Ok(Transformed::no(part)) };
        inputs.push(Input::Current(Box::new(inputs[at].clone())));
        Ok(Transformed::yes(Expr::Column(input_column(inputs.len() - 1))))
    })?;
    Ok(narrowed(&replaced.data, &inputs))
}

fn grain_of(arg: &Expr, traced: &Traced) -> Result<Grain> {
    let word = text(arg).unwrap_or_default();
    if let Some(grain) = Grain::named(&word.to_lowercase()) {
        return Ok(grain);
    }
    if let Some(TimePart::Period(_)) = TimePart::named(word, &traced.catalog().calendar) {
        let problem = format!("`previous` is not yet supported with `{word}`, which is of a calendar from a table");
        let help = format!("group by it: `metric_time__{word}`");
        return Err(Diagnostic::new(codes::NOT_YET_EXPRESSION, problem).help(help).into());
    }
    let diagnostic = Diagnostic::new(codes::BAD_VALUE, format!("`{word}` is not a grain of time"));
    Err(match nearest(word, Grain::ALL.iter().map(|grain| grain.name()).chain(["period"])) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("grains are day, week, month, quarter, year, …"),
    }
    .into())
}

/// Lengths of time: `bell_duration(3, 'months')`, or as a text `'3 months'`.
fn span_of(args: &[Expr]) -> Result<TimeSpan> {
    let mut total = Some(TimeSpan::default());
    for arg in args {
        let span = match (as_modifier(arg), text(arg)) {
            (Some(("bell_duration", [count, unit])), _) => {
                integer(count).and_then(|count| TimeSpan::of(count, text(unit)?))
            }
            (_, Some(words)) => spans_in(words),
            _ => None,
        };
        total = total.and_then(|total| total.plus(span?));
    }
    total.ok_or_else(|| {
        Diagnostic::new(codes::BAD_VALUE, "this is not a length of time")
            .help("write a whole number and a unit: `SHIFT 3 MONTHS`, `TRAILING 28 DAYS`")
            .into()
    })
}

/// `3 months 2 days`.
fn spans_in(words: &str) -> Option<TimeSpan> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut total = TimeSpan::default();
    for pair in words.chunks(2) {
        let [count, unit] = pair else { return None };
        total = total.plus(TimeSpan::of(count.parse().ok()?, unit)?)?;
    }
    (!words.is_empty()).then_some(total)
}

fn integer(expr: &Expr) -> Option<i32> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => i32::try_from(*value).ok(),
        Expr::Negative(inner) => integer(inner).map(|value| -value),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}
