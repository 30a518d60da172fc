//! DataFusion's functions and rules, as `check` sees them: enough to plan an expression without any table.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, TableReference, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionState;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    AggregateUDF, Expr, ExprSchemable, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF, lit,
};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{self as sql, TimezoneInfo};

use super::percentile::percentile_disc;
use crate::catalog::time::cast;
use crate::diagnostic::nearest;

/// The functions, operators and options of a session, taken once.
pub struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: Arc<ConfigOptions>,
}

impl Functions {
    /// Those of a session: DataFusion's, and whatever the embedding program registered.
    pub fn of(state: &SessionState) -> Self {
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(BellDivision)];
        planners.extend(state.expr_planners().iter().cloned());
        let mut aggregate = state.aggregate_functions().clone();
        // `register` adds it to a session, which a project may be checked before.
        aggregate.entry("percentile_disc".to_string()).or_insert_with(percentile_disc);
        Functions {
            scalar: state.scalar_functions().clone(),
            aggregate,
            window: state.window_functions().clone(),
            higher_order: state.higher_order_functions().clone(),
            planners,
            options: Arc::clone(state.config_options()),
        }
    }

    /// The aggregate function of that name, in any case.
    pub fn aggregate(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        self.aggregate.get(&name.to_lowercase())
    }

    /// "Invalid function 'summ'", if there is none of that name of any kind.
    ///
    /// # Errors
    /// The sentence, with the nearest name.
    pub fn require(&self, name: &str) -> std::result::Result<(), String> {
        let wanted = name.to_lowercase();
        let kinds = [self.scalar.contains_key(&wanted), self.aggregate.contains_key(&wanted)];
        let others = [self.window.contains_key(&wanted), self.higher_order.contains_key(&wanted)];
        if kinds.into_iter().chain(others).any(|known| known) {
            return Ok(());
        }
        let mut known: Vec<&str> = self.scalar.keys().chain(self.aggregate.keys()).map(String::as_str).collect();
        known.sort_unstable();
        Err(match nearest(name, known) {
            Some(near) => format!("Invalid function '{name}'. Did you mean '{near}'?"),
            None => format!("Invalid function '{name}'"),
        })
    }

    /// Plans an expression over the columns of `schema` and coerces its types.
    ///
    /// # Errors
    /// DataFusion's own message: an unknown function, operands that do not fit.
    pub fn plan(&self, expr: sql::Expr, schema: &DFSchema) -> Result<(Expr, DataType)> {
        let options = ParserOptions { enable_ident_normalization: false, ..ParserOptions::default() };
        let planned =
            SqlToRel::new_with_options(self, options).sql_to_expr(expr, schema, &mut PlannerContext::new())?;
        let coerced = coerce(planned, schema)?;
        let data_type = coerced.get_type(schema)?;
        Ok((coerced, data_type))
    }

    /// The Arrow type that a SQL type names. `with time zone` is in the session's zone, in UTC if it has none (where
    /// DataFusion would leave the zone away).
    ///
    /// # Errors
    /// DataFusion's own message for a type that it does not know.
    pub fn data_type(&self, data_type: &sql::DataType) -> Result<DataType> {
        let null = sql::Expr::Cast {
            kind: sql::CastKind::Cast,
            expr: Box::new(sql::Expr::Value(sql::Value::Null.into())),
            data_type: data_type.clone(),
            array: false,
            format: None,
        };
        Ok(match (self.plan(null, &DFSchema::empty())?.1, data_type) {
            (
                DataType::Timestamp(unit, None),
                sql::DataType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz),
            ) => DataType::Timestamp(unit, Some("+00:00".into())),
            (planned, _) => planned,
        })
    }
}

/// The expression with the casts that its operands need.
///
/// # Errors
/// DataFusion's own message, if no cast makes them fit.
pub fn coerce(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(expr.rewrite(&mut TypeCoercionRewriter::new(schema))?.data)
}

/// Bell's division: in double precision, NULL when the divisor is zero.
pub fn divide(left: Expr, right: Expr) -> Expr {
    let zero = lit(0.0_f64);
    // Adding zero turns a negative zero into zero, which `nullif` alone would not find equal to zero.
    let divisor = cast(right, DataType::Float64) + zero.clone();
    cast(left, DataType::Float64) / nullif(divisor, zero)
}

/// Plans `/` between numbers as [`divide`].
#[derive(Debug)]
struct BellDivision;

impl ExprPlanner for BellDivision {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let numeric = |side: &Expr| side.get_type(schema).is_ok_and(|t| t.is_numeric() || t == DataType::Null);
        if expr.op == sql::BinaryOperator::Divide && numeric(&expr.left) && numeric(&expr.right) {
            return Ok(PlannerResult::Planned(divide(expr.left, expr.right)));
        }
        Ok(PlannerResult::Original(expr))
    }
}

impl ContextProvider for Functions {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("a subquery on '{name}' cannot stand in a Bell expression; declare a source and join it")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.higher_order.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.window.get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.window.keys().cloned().collect()
    }
}
