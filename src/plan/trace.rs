//! From the columns of a plan down to those of the view that it scans.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, SubqueryAlias};

use super::refuse;
use super::view::{IndicatorView, scanned_view};
use crate::catalog::expr::{Expression, Input, input_column, input_number};
use crate::catalog::reach::append;
use crate::catalog::{Catalog, IndicatorId};

/// What stands below an aggregate: a view, conditions on it, and names for its columns.
pub(crate) struct Traced {
    provider: Arc<dyn TableProvider>,
    /// What each column of the plan is, over the columns of the view.
    columns: HashMap<Column, Expression>,
    /// The conditions on the way, AND-ed.
    pub(crate) filters: Vec<Expression>,
}

/// Traces filters, projections, aliases and plain sorts down to a view; `None` if something else is below.
pub(crate) fn trace(plan: &LogicalPlan) -> Result<Option<Traced>> {
    match plan {
        LogicalPlan::TableScan(_) => Ok(trace_scan(plan)),
        LogicalPlan::Filter(filter) => {
            let Some(mut traced) = trace(&filter.input)? else { return Ok(None) };
            let predicate = traced.expression(&filter.predicate)?;
            traced.filters.push(predicate);
            Ok(Some(traced))
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => trace(&sort.input),
        LogicalPlan::Projection(projection) => trace_projection(projection),
        LogicalPlan::SubqueryAlias(alias) => trace_alias(alias),
        _ => Ok(None),
    }
}

fn trace_scan(plan: &LogicalPlan) -> Option<Traced> {
    let (provider, scan) = scanned_view(plan)?;
    let view = provider.downcast_ref::<IndicatorView>()?;
    let names = provider.schema();
    let columns = scan.projected_schema.iter().filter_map(|(relation, field)| {
        let at = names.index_of(field.name()).ok()?;
        let column = Column::new(relation.cloned(), field.name());
        Some((column, Expression::input(view.inputs[at].clone())))
    });
    let columns = columns.collect();
    Some(Traced { columns, filters: vec![], provider })
}

fn trace_projection(projection: &Projection) -> Result<Option<Traced>> {
    let Some(mut traced) = trace(&projection.input)? else { return Ok(None) };
    let mut columns = HashMap::new();
    for (expr, (relation, field)) in projection.expr.iter().zip(projection.schema.iter()) {
        if matches!(expr, Expr::WindowFunction(_)) {
            return Ok(None);
        }
        columns.insert(Column::new(relation.cloned(), field.name()), traced.expression(expr)?);
    }
    traced.columns = columns;
    Ok(Some(traced))
}

fn trace_alias(alias: &SubqueryAlias) -> Result<Option<Traced>> {
    let Some(mut traced) = trace(&alias.input)? else { return Ok(None) };
    let inner = alias.input.schema().iter();
    let renamed = inner.zip(alias.schema.iter()).filter_map(|((relation, field), (outer, outer_field))| {
        let expression = traced.columns.get(&Column::new(relation.cloned(), field.name()))?;
        Some((Column::new(outer.cloned(), outer_field.name()), expression.clone()))
    });
    traced.columns = renamed.collect();
    Ok(Some(traced))
}

impl Traced {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.view().catalog
    }

    pub(crate) fn view(&self) -> &IndicatorView {
        match self.provider.downcast_ref::<IndicatorView>() {
            Some(view) => view,
            // `trace_scan` takes nothing else.
            None => unreachable!("a traced plan scans a view"),
        }
    }

    /// An expression over the plan's columns as one over the view's.
    pub(crate) fn expression(&self, expr: &Expr) -> Result<Expression> {
        let mut inputs: Vec<Input> = Vec::new();
        let replaced = expr.clone().transform(|part| {
            let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
            if input_number(column).is_some() {
                return internal_err!("`$` is a reserved relation name");
            }
            match self.columns.get(column) {
                // What is put in place of a column must not be searched for columns again.
                Some(value) => Ok(Transformed::new(append(&mut inputs, value.clone()), true, TreeNodeRecursion::Jump)),
                None => internal_err!("column {column} is not one of the view {}", self.view().name),
            }
        })?;
        Ok(Expression { expr: unaliased(replaced.data), inputs })
    }

    /// The same, refusing indicators: the value of a row.
    pub(crate) fn row_expression(&self, expr: &Expr) -> Result<Expression> {
        let expression = self.expression(expr)?;
        match Self::any_indicator(&expression) {
            Some(id) => Err(refuse::indicator_as_key(self.catalog().indicator(id)).into()),
            None => Ok(expression),
        }
    }

    /// Some indicator that an expression mentions.
    pub(crate) fn any_indicator(expression: &Expression) -> Option<IndicatorId> {
        expression.inputs.iter().find_map(|input| match input {
            Input::Indicator(id, _) => Some(*id),
            _ => None,
        })
    }

    /// The columns of a traced plan in order.
    pub(crate) fn outputs(&self, plan: &LogicalPlan) -> Result<Vec<(Column, Expression)>> {
        let columns = plan.schema().iter().map(|(relation, field)| Column::new(relation.cloned(), field.name()));
        columns.map(|column| Ok((column.clone(), self.expression(&Expr::Column(column))?))).collect()
    }
}

fn unaliased(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => unaliased(*alias.expr),
        other => other,
    }
}

impl Expression {
    /// The indicator that the expression is, if it is nothing more, with the filters that it carries.
    pub(crate) fn indicator(&self) -> Option<(IndicatorId, Vec<Expression>)> {
        match (&self.expr, self.inputs.as_slice()) {
            (Expr::Column(column), [Input::Indicator(id, filters)]) if *column == input_column(0) => {
                Some((*id, filters.clone()))
            }
            _ => None,
        }
    }
}
