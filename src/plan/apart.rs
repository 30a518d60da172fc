//! Funnels and cohorts have each row once for every step, or age: only one of them at a time can be counted.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::frame::Frame;
use crate::catalog::event::{Event, EventColumn, EventValue};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Measure;
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};

/// Refuses an aggregate over a funnel or a cohort in a context that mixes its steps, or ages.
pub(crate) fn kept_apart(
    catalog: &Catalog,
    frame: &Frame,
    measure: &Measure,
    asked: Option<IndicatorId>,
) -> Result<(), Diagnostic> {
    let Some(event) = event_of(measure) else { return Ok(()) };
    let apart = event.apart();
    if apart.is_empty() {
        return Ok(());
    }
    let is_apart = |expression: &Expression| {
        column_of(catalog, expression).is_some_and(|it| it.event == *event && apart.contains(&it.column))
    };
    let mut keys = frame.kept().into_iter().map(|at| &frame.keys[at].expr);
    let mut fixed = frame.conditions.iter().filter_map(|condition| fixed(&condition.expr));
    if keys.any(is_apart) || fixed.any(|expression| is_apart(&expression)) {
        return Ok(());
    }
    Err(mixed(catalog, apart, asked))
}

/// Whether an aggregate's groups must be made one set of keys at a time, so that each is looked at.
pub(crate) fn needs_apart(measure: &Measure) -> bool {
    event_of(measure).is_some_and(|event| !event.apart().is_empty())
}

fn event_of(measure: &Measure) -> Option<&Event> {
    measure.aggregate.inputs.iter().find_map(|input| match input {
        Input::Event(value) => Some(&value.event),
        _ => None,
    })
}

/// The column of an event that an expression is, if it is nothing more.
fn column_of<'e>(catalog: &'e Catalog, expression: &'e Expression) -> Option<&'e EventValue> {
    match expression.as_input()? {
        Input::Event(value) => Some(value),
        Input::Dimension(id, _) => match catalog.dimension(*id).definitions.as_slice() {
            [only] => column_of(catalog, only),
            _ => None,
        },
        _ => None,
    }
}

/// What a condition sets equal to a constant.
fn fixed(condition: &Expression) -> Option<Expression> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = &condition.expr else { return None };
    let value = match (bare(left), bare(right)) {
        (Expr::Literal(..), value @ Expr::Column(_)) | (value @ Expr::Column(_), Expr::Literal(..)) => value,
        _ => return None,
    };
    Some(Expression { expr: value.clone(), inputs: condition.inputs.clone() })
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => bare(&cast.expr),
        other => other,
    }
}

fn mixed(catalog: &Catalog, apart: &[EventColumn], asked: Option<IndicatorId>) -> Diagnostic {
    let names: Vec<String> = apart.iter().map(|column| format!("`{}`", column.name())).collect();
    let names = names.join(" or ");
    let view = catalog.events.iter().find(|event| asked.is_some_and(|asked| event.indicators.contains(&asked)));
    let asked = asked.map_or("a funnel", |id| catalog.indicator(id).item.name.as_str());
    let view = view.map_or(String::new(), |view| format!(" of `{}`", view.item.name));
    Diagnostic::new(codes::UNGROUPED, format!("`{asked}`{view} is asked without {names}"))
        .note(format!("it is a number of one `{}`: over several there is nothing to count", apart[0].name()))
        .help(format!("group by {names}, or set one: `{} = …`", apart[0].name()))
}
