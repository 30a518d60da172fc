//! A question about formulas that no indicator is declared for, such as how many rows break an expectation.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::AnalyzerRule;

use super::marker::measure;
use super::options::BellOptions;
use super::request::{RELATION, over_columns};
use super::rules::ExpandMeasures;
use super::view::IndicatorView;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{Additivity, AggregateKind, Indicator, Measure};
use crate::catalog::{Catalog, IndicatorId, Item, SourceId};
use crate::source::Span;

/// Formulas, by keys, of the rows that fulfil conditions: it is planned as if each formula were an indicator.
#[derive(Debug, Clone)]
pub struct Formulas {
    /// The package, for messages.
    pub package: String,
    /// What asks, for messages.
    pub place: Span,
    /// By what, by name.
    pub by: Vec<(String, Input)>,
    /// What is asked, with the types.
    pub formulas: Vec<(Expression, DataType)>,
    /// Of which rows, AND-ed.
    pub conditions: Vec<Expression>,
}

impl Formulas {
    /// The plan: its columns are the keys under their names, then `v0`, `v1`, …
    ///
    /// Rollups are left out of it: they may be a little late, and this is asked to find out how the rows are now.
    ///
    /// # Errors
    /// A diagnostic, if it cannot be asked so.
    pub fn plan(self, catalog: &Catalog, options: &ConfigOptions) -> Result<LogicalPlan> {
        let mut catalog = catalog.clone();
        let mut columns = self.by.clone();
        let names: Vec<String> = (0..self.formulas.len()).map(|at| format!("$v{at}")).collect();
        for ((formula, data_type), name) in self.formulas.into_iter().zip(&names) {
            let id = IndicatorId(catalog.indicators.len() as u32);
            catalog.indicators.push(unnamed(&self.package, self.place, formula, data_type));
            columns.push((name.clone(), Input::Indicator(id, vec![])));
        }
        let conditions: Vec<Expr> = self.conditions.into_iter().map(|it| over_columns(it, &mut columns)).collect();
        let view = IndicatorView::new(Arc::new(catalog), format!("{}.indicators", self.package), columns);
        let mut plan = LogicalPlanBuilder::scan(RELATION, view.into_source(), None)?;
        for condition in conditions {
            plan = plan.filter(condition)?;
        }
        let keys: Vec<Expr> = self.by.iter().map(|(name, _)| column(name)).collect();
        let calls: Vec<Expr> = names.iter().map(|name| measure(column(name))).collect();
        let plan = plan.aggregate(keys.clone(), calls.clone())?;
        let keys = keys.into_iter().zip(&self.by).map(|(key, (name, _))| key.alias(name));
        let values = calls.into_iter().enumerate().map(|(at, call)| {
            Expr::Column(Column::new_unqualified(call.schema_name().to_string())).alias(format!("v{at}"))
        });
        let plan = plan.project(keys.chain(values))?.build()?;
        ExpandMeasures::default().analyze(plan, &BellOptions::without_rollups(options))
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new(Some(RELATION), name))
}

fn unnamed(package: &str, span: Span, formula: Expression, data_type: DataType) -> Indicator {
    Indicator {
        item: Item {
            package: package.to_string(),
            name: "(expected)".to_string(),
            label: None,
            labels: vec![],
            description: None,
            owner: None,
            span,
        },
        formula,
        conditions: vec![],
        time: None,
        data_type: data_type.clone(),
        formula_type: data_type,
        fill: None,
        within: None,
        unit: None,
        good: None,
        grain: None,
        additivity: Additivity::NonAdditive,
        format: None,
        definition_text: String::new(),
    }
}

/// How many rows of a source fulfil a condition.
pub fn rows_where(source: SourceId, filter: Option<Expression>) -> (Expression, DataType) {
    let measure = Measure {
        source,
        aggregate: Expression { expr: count(lit(1_i64)), inputs: vec![] },
        filter,
        kind: AggregateKind::Count,
        data_type: DataType::Int64,
        empty: ScalarValue::Int64(Some(0)),
    };
    (Expression::input(Input::Measure(Box::new(measure))), DataType::Int64)
}

/// The newest value of a source's time axis; `None`, if it has none.
pub fn newest_of(catalog: &Catalog, source: SourceId) -> Option<(Expression, DataType)> {
    let axis = catalog.source(source).time.as_ref()?;
    let data_type = catalog.axis_type(axis);
    let measure = Measure {
        source,
        aggregate: Expression { expr: max(axis.expr.clone()), inputs: axis.inputs.clone() },
        filter: None,
        kind: AggregateKind::Max,
        data_type: data_type.clone(),
        empty: ScalarValue::try_new_null(&data_type).unwrap_or(ScalarValue::Null),
    };
    Some((Expression::input(Input::Measure(Box::new(measure))), data_type))
}
