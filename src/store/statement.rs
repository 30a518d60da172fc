//! A SQL statement to a plan, with some of its tables given by the caller.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::file_format::format_as_file_type;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::var_provider::{VarType, is_system_variables};
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};

/// Tables by the name under which a statement uses them.
pub type KnownTables = HashMap<TableReference, Arc<dyn TableSource>>;

/// Plans a statement over the tables given, and over the session's for every other name.
///
/// # Errors
/// DataFusion's own, for a statement that it refuses.
pub async fn plan_statement(state: &SessionState, statement: Statement, known: KnownTables) -> Result<LogicalPlan> {
    let references = state.resolve_table_references(&statement)?;
    plan_referring(state, statement, references, known).await
}

/// The same for a statement whose references were found already.
///
/// # Errors
/// As [`plan_statement`].
pub async fn plan_referring(
    state: &SessionState,
    statement: Statement,
    references: Vec<TableReference>,
    known: KnownTables,
) -> Result<LogicalPlan> {
    let mut tables = KnownTables::new();
    for reference in references {
        let source = match known.get(&reference) {
            Some(source) => Arc::clone(source),
            None => {
                let resolved = resolve(state, reference.clone());
                let Ok(schema) = state.schema_for_ref(resolved) else { continue };
                match schema.table(reference.table()).await? {
                    Some(provider) => provider_as_source(provider),
                    None => continue,
                }
            }
        };
        tables.insert(reference, source);
    }
    let options = parser_options(state);
    SqlToRel::new_with_options(&Tables { state, tables }, options).statement_to_plan(statement)
}

fn resolve(state: &SessionState, reference: TableReference) -> TableReference {
    let catalog = &state.config_options().catalog;
    let resolved = reference.resolve(&catalog.default_catalog, &catalog.default_schema);
    TableReference::full(resolved.catalog, resolved.schema, resolved.table)
}

fn parser_options(state: &SessionState) -> ParserOptions {
    let sql = &state.config().options().sql_parser;
    ParserOptions {
        parse_float_as_decimal: sql.parse_float_as_decimal,
        enable_ident_normalization: sql.enable_ident_normalization,
        enable_options_value_normalization: sql.enable_options_value_normalization,
        support_varchar_with_length: sql.support_varchar_with_length,
        map_string_types_to_utf8view: sql.map_string_types_to_utf8view,
        collect_spans: sql.collect_spans,
        default_null_ordering: sql.default_null_ordering.as_str().into(),
    }
}

/// A session with tables found beforehand: DataFusion's planner asks for them synchronously.
struct Tables<'s> {
    state: &'s SessionState,
    tables: KnownTables,
}

impl ContextProvider for Tables<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        self.tables.get(&name).cloned().ok_or_else(|| plan_datafusion_err!("table '{name}' not found"))
    }

    fn get_file_type(&self, ext: &str) -> Result<Arc<dyn datafusion::common::file_options::file_type::FileType>> {
        match self.state.get_file_format_factory(ext) {
            Some(factory) => Ok(format_as_file_type(factory)),
            None => plan_err!("there is no file format '{ext}'"),
        }
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let function = self
            .state
            .table_functions()
            .get(name)
            .ok_or_else(|| plan_datafusion_err!("table function '{name}' not found"))?;
        let arguments = datafusion::catalog::TableFunctionArgs::new(&args, self.state);
        Ok(provider_as_source(function.create_table_provider_with_args(arguments)?))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, names: &[String]) -> Option<DataType> {
        let kind = if is_system_variables(names) { VarType::System } else { VarType::UserDefined };
        self.state.execution_props().var_providers.as_ref()?.get(&kind)?.get_type(names)
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
