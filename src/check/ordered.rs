//! `first_value` and `last_value`, which need an order that leaves nothing open.
//!
//! Of rows that an order leaves equal, DataFusion takes whichever it meets first: another one in the next run, and another
//! one again where stored states are put together. So an order is required, and ends with what decides.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};

use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::reach::append;
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::{Diagnostic, codes};

/// Whether a call gives the value of one of its rows, by their order.
pub(crate) fn takes_one(call: &AggregateFunction) -> bool {
    matches!(call.func.name(), "first_value" | "last_value")
}

/// What tells the rows of a source apart: its key.
pub(super) fn key_of(catalog: &Catalog, source: SourceId) -> Vec<Expression> {
    let column = |at: &usize| {
        let path = JoinPath::root(source);
        Expression::input(Input::Column(ColumnRef { path, column: *at }))
    };
    catalog.source(source).keys.first().iter().flat_map(|key| key.iter()).map(column).collect()
}

/// The aggregate with an order that ends with what decides: what tells its rows apart, or else the value itself. The last
/// direction that is asked for goes on, so that `first_value(x order by t desc)` is `last_value(x order by t)`.
pub(super) fn decided(aggregate: Expression, apart: &[Expression]) -> Result<Expression, Diagnostic> {
    let Expression { expr, mut inputs } = aggregate;
    let Expr::AggregateFunction(mut call) = expr else { return Ok(Expression { expr, inputs }) };
    if !takes_one(&call) {
        return Ok(Expression { expr: Expr::AggregateFunction(call), inputs });
    }
    let Some(last) = call.params.order_by.last().cloned() else { return Err(without_order(&call)) };
    let apart: Vec<Expr> = apart.iter().map(|expression| append(&mut inputs, expression.clone())).collect();
    let ties = if apart.is_empty() { call.params.args.clone() } else { apart };
    let mut order: Vec<Sort> = Vec::new();
    let more = ties.into_iter().map(|expr| Sort { expr, ..last.clone() });
    for sort in std::mem::take(&mut call.params.order_by).into_iter().chain(more) {
        if !order.iter().any(|known| known.expr == sort.expr) {
            order.push(sort);
        }
    }
    call.params.order_by = order;
    Ok(Expression { expr: Expr::AggregateFunction(call), inputs })
}

fn without_order(call: &AggregateFunction) -> Diagnostic {
    let name = call.func.name();
    let end = if name == "first_value" { "first" } else { "last" };
    Diagnostic::new(codes::REFUSED_EXPRESSION, format!("`{name}` needs an order: which row is the {end} one?"))
        .help(format!("say by what: `{name}(orders.amount order by orders.ordered_at)`"))
}
