//! A definition in one form, so that two that compute the same are found to be the same however they are written.
//!
//! Other indicators stand for their own definitions, dimensions and segments for the columns that they are for the
//! aggregate's source, and a source for the place where its rows lie. The order of sums, products and conditions does not
//! matter, nor whether a condition is a `where` or a `filter`. What is no more than likely to be the same stays different:
//! the form is read by nobody, and equal forms are equal definitions.

use std::fmt::Debug;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Measure;
use crate::catalog::path::{ColumnRef, Step};
use crate::catalog::reach::{Standpoint, flatten, replace_inputs};
use crate::catalog::source::Rows;
use crate::catalog::walk::Around;
use crate::catalog::{Catalog, IndicatorId, SourceId};

/// The form of an indicator's definition.
pub fn definition_form(catalog: &Catalog, id: IndicatorId) -> String {
    let whole = Expression::input(Input::Indicator(id, vec![]));
    formula(catalog, &whole, &Around::default()).to_string()
}

/// A formula with its aggregates as columns whose names are their forms.
fn formula(catalog: &Catalog, written: &Expression, around: &Around) -> Expr {
    let values: Vec<Expr> = written.inputs.iter().map(|input| operand(catalog, input, around)).collect();
    canonical(replace_inputs(written.expr.clone(), &values))
}

fn operand(catalog: &Catalog, input: &Input, around: &Around) -> Expr {
    match input {
        Input::Indicator(id, filters) => indicator(catalog, *id, filters, around),
        Input::Measure(measure) => leaf(aggregate(catalog, measure, around)),
        Input::At(at) => leaf(format!("{} at {:?}", formula(catalog, &at.operand, around), at.modifiers)),
        Input::Fold(fold) => leaf(format!("{} per {:?}", formula(catalog, &fold.aggregate, around), fold.by)),
        other => debug(other),
    }
}

/// As the planner sees it: its own conditions and those around it, the innermost time.
fn indicator(catalog: &Catalog, id: IndicatorId, filters: &[Expression], around: &Around) -> Expr {
    let it = catalog.indicator(id);
    let mut inside = around.clone();
    inside.conditions.extend(filters.iter().chain(&it.conditions).cloned());
    inside.time = it.time.clone().or(inside.time);
    let value = formula(catalog, &it.formula, &inside);
    match (&it.within, &it.fill) {
        (None, None) => value,
        (within, None) => leaf(format!("{value} within {within:?}")),
        (within, Some(fill)) => leaf(format!("{value} within {within:?} fill {:?} {}", fill.adds, fill.value)),
    }
}

fn aggregate(catalog: &Catalog, measure: &Measure, around: &Around) -> String {
    let axis = around.time.as_ref().or(catalog.source(measure.source).time.as_ref());
    let from = Standpoint { source: measure.source, axis };
    let mut conditions: Vec<String> = Vec::new();
    for condition in around.conditions.iter().chain(&measure.filter) {
        let all = of_row(catalog, from, condition);
        conditions.extend(split_conjunction(&all).into_iter().map(ToString::to_string));
    }
    conditions.sort();
    conditions.dedup();
    let value = of_row(catalog, from, &measure.aggregate);
    let axis = axis.map(|axis| of_row(catalog, Standpoint { axis: None, ..from }, axis).to_string());
    format!("{value} of {} where {conditions:?} by {axis:?}", place(catalog, measure.source))
}

/// A value of a row over the columns that it comes to.
fn of_row(catalog: &Catalog, from: Standpoint<'_>, written: &Expression) -> Expr {
    match flatten(catalog, from, written) {
        Ok(flat) => over_columns(catalog, &flat),
        Err(_) => debug(written),
    }
}

fn over_columns(catalog: &Catalog, flat: &Expression) -> Expr {
    let value = |input: &Input| match input {
        Input::Column(column) => column_form(catalog, column),
        other => debug(other),
    };
    canonical(replace_inputs(flat.expr.clone(), &flat.inputs.iter().map(value).collect::<Vec<_>>()))
}

/// A column by the way to it; a computed one is what it is computed from.
fn column_form(catalog: &Catalog, column: &ColumnRef) -> Expr {
    let mut way = place(catalog, column.path.root);
    let mut at = column.path.root;
    for step in &column.path.steps {
        let (join, next) = match step {
            Step::Join(join) => (&catalog.source(at).joins[*join], catalog.source(at).joins[*join].to),
            Step::Child { source, join } => (&catalog.source(*source).joins[*join], *source),
        };
        let on: Vec<String> = join
            .on
            .iter()
            .map(|(near, far)| format!("{} = {}", over_names(catalog, near), over_names(catalog, far)))
            .collect();
        way = format!("{way} > {} on {on:?} valid {:?}", place(catalog, next), join.valid);
        at = next;
    }
    let declared = &catalog.source(at).columns[column.column];
    leaf(match &declared.computed {
        Some(computed) => format!("{way}: {}", over_names(catalog, computed)),
        // The same file may be read as other types.
        None => format!("{way}.{}: {}", declared.name, declared.data_type),
    })
}

/// An expression over columns that are just named.
fn over_names(catalog: &Catalog, written: &Expression) -> Expr {
    let name = |input: &Input| match input {
        Input::Column(column) => {
            let source = catalog.source(column.path.target(catalog));
            leaf(source.columns[column.column].name.clone())
        }
        other => debug(other),
    };
    canonical(replace_inputs(written.expr.clone(), &written.inputs.iter().map(name).collect::<Vec<_>>()))
}

/// Where a source's rows lie, and which of them exist. A query has no place that could be compared.
fn place(catalog: &Catalog, id: SourceId) -> String {
    let source = catalog.source(id);
    let rows = match &source.rows {
        Rows::Table(_) => source.location.clone(),
        Rows::Query(_) => format!("{}.{}", source.item.package, source.item.name),
    };
    match &source.filter {
        Some(filter) => format!("[{rows} where {}]", over_names(catalog, filter)),
        None => format!("[{rows}]"),
    }
}

fn leaf(form: String) -> Expr {
    Expr::Column(Column::new_unqualified(form))
}

fn debug(value: &impl Debug) -> Expr {
    leaf(format!("{value:?}"))
}

/// The same with operands in one order.
fn canonical(expr: Expr) -> Expr {
    let ordered = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::BinaryExpr(binary) => Transformed::yes(ordered(binary)),
            Expr::Alias(alias) => Transformed::yes(*alias.expr),
            other => Transformed::no(other),
        })
    });
    // The closure never fails.
    ordered.map(|it| it.data).unwrap_or_else(|error| unreachable!("ordering operands cannot fail: {error}"))
}

fn ordered(binary: BinaryExpr) -> Expr {
    let BinaryExpr { left, op, right } = binary;
    match op {
        Operator::Plus | Operator::Multiply | Operator::And | Operator::Or => {
            let mut operands = Vec::new();
            operands_of(*left, op, &mut operands);
            operands_of(*right, op, &mut operands);
            operands.sort_by_cached_key(ToString::to_string);
            if matches!(op, Operator::And | Operator::Or) {
                operands.dedup();
            }
            let both = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
            operands.into_iter().reduce(both).unwrap_or_else(|| unreachable!("there are at least two operands"))
        }
        Operator::Gt => Expr::BinaryExpr(BinaryExpr::new(right, Operator::Lt, left)),
        Operator::GtEq => Expr::BinaryExpr(BinaryExpr::new(right, Operator::LtEq, left)),
        Operator::Eq | Operator::NotEq if left.to_string() > right.to_string() => {
            Expr::BinaryExpr(BinaryExpr::new(right, op, left))
        }
        op => Expr::BinaryExpr(BinaryExpr::new(left, op, right)),
    }
}

/// The operands of a chain of one operator.
fn operands_of(expr: Expr, of: Operator, found: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == of => {
            operands_of(*left, of, found);
            operands_of(*right, of, found);
        }
        other => found.push(other),
    }
}
