//! What clients ask about the server itself: `pg_catalog`, `information_schema`, `version()`.
//!
//! Such statements are PostgreSQL's own, in its own dialect. Only they are read so, and rewritten where DataFusion has no
//! way of its own; a question to indicators never is.

mod callables;
mod information_schema;
mod look_up;
mod relations;
mod rewrite;
mod tables;

use std::any::Any;
use std::sync::Arc;

use datafusion::catalog::CatalogProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::setup_pg_catalog;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use tokio::sync::OnceCell;

use self::tables::PgCatalog;
use super::functions;
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::Engine;
use crate::error::Result;

/// Lets an engine be asked about as a server.
///
/// # Errors
/// What DataFusion says of the tables.
pub(super) fn set_up(engine: &Engine) -> Result<()> {
    let ctx = engine.context();
    let database = ctx.state().config_options().catalog.default_catalog.clone();
    setup_pg_catalog(ctx, &database, EmptyContextProvider).map_err(|error| *error)?;
    functions::functions().for_each(|function| ctx.register_udf(function));
    let state = ctx.state();
    functions::with_patterns(|name| state.scalar_functions().get(name).cloned()).for_each(|it| ctx.register_udf(it));
    let Some(tables) = ctx.catalog(&database) else { return Ok(()) };
    let relations = Arc::new(OnceCell::new());
    look_up::functions(&relations).for_each(|function| ctx.register_udf(function));
    let ours = PgCatalog::of(&database, &tables, engine.catalog(), &relations)?;
    tables.register_schema(PG_CATALOG, Arc::new(ours))?;
    Ok(())
}

const PG_CATALOG: &str = "pg_catalog";

/// The plan of a statement about the server; `None` for every other.
pub(super) async fn plan(engine: &Engine, text: &str) -> Option<Result<(SessionState, LogicalPlan)>> {
    if !is_about_the_server(text) {
        return None;
    }
    let state = engine.context().state();
    if let Err(error) = look_around(&state).await {
        return Some(Err(error.into()));
    }
    let exactly = Parser::parse_sql(&PostgreSqlDialect {}, text).ok().and_then(|mut all| all.pop());
    if let Some(statement) = exactly.map(rewrite::rewritten)
        && let Some(plan) = runnable(&state, statement).await
    {
        return Some(Ok((state, plan)));
    }
    let statement = match nearly(text) {
        Ok(Some(statement)) => statement,
        Ok(None) => return None,
        Err(error) => return Some(Err(Diagnostic::new(codes::SQL_SYNTAX, error.to_string()).into())),
    };
    let planned = state.statement_to_plan(Statement::Statement(Box::new(statement))).await;
    Some(match planned {
        Ok(plan) => Ok((state, plan)),
        Err(error) => Err(error.into()),
    })
}

/// Functions look things up that must be known by then.
async fn look_around(state: &SessionState) -> datafusion::common::Result<()> {
    let catalog: Option<Arc<dyn CatalogProvider>> =
        state.catalog_list().catalog(&state.config_options().catalog.default_catalog);
    let Some(schema) = catalog.and_then(|catalog| catalog.schema(PG_CATALOG)) else { return Ok(()) };
    let any: &dyn Any = schema.as_ref();
    match any.downcast_ref::<PgCatalog>() {
        Some(ours) => ours.relations().await.map(|_| ()),
        None => Ok(()),
    }
}

/// The plan of a statement, if DataFusion can run it: which subqueries it can is found out late.
async fn runnable(state: &SessionState, statement: ast::Statement) -> Option<LogicalPlan> {
    let plan = state.statement_to_plan(Statement::Statement(Box::new(statement))).await.ok()?;
    let optimized = state.optimize(&plan).ok()?;
    let mut depends = false;
    let walked = optimized.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                depends |= matches!(expr, Expr::OuterReferenceColumn(..) | Expr::InSubquery(_) | Expr::Exists(_));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.ok().filter(|_| !depends).map(|_| plan)
}

thread_local! {
    /// Its rules are many.
    static PARSER: PostgresCompatibilityParser = PostgresCompatibilityParser::new();
}

/// The statement without what DataFusion cannot run: subqueries for a value are NULL, and some statements of well-known
/// clients have no rows.
fn nearly(text: &str) -> Result<Option<ast::Statement>, impl ToString> {
    let parsed = PARSER.with(|parser| parser.parse(text));
    parsed.map(|mut all| {
        let mut statement = all.pop()?;
        rewrite::before(&mut statement);
        rewrite::after(&mut statement);
        Some(statement)
    })
}

/// Functions that tell about the server.
const FUNCTIONS: &[&str] = &[
    "col_description",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "format_type",
    "getdatabaseencoding",
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_schema_privilege",
    "has_table_privilege",
    "inet_server_addr",
    "inet_server_port",
    "obj_description",
    "session_user",
    "shobj_description",
    "to_regclass",
    "txid_current",
    "version",
];

/// The same without brackets.
const WORDS: &[&str] = &["current_catalog", "current_role", "current_schema", "current_user", "session_user"];

/// Whether a name of PostgreSQL's catalog, or a function about the server, is among the words.
fn is_about_the_server(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let asks = |names: &[&str]| names.iter().any(|name| lower.contains(name));
    if !asks(&["pg_", "information_schema"]) && !asks(FUNCTIONS) && !asks(WORDS) {
        return false;
    }
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() else { return false };
    let words: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    words.iter().enumerate().any(|(at, token)| {
        let Token::Word(word) = token else { return false };
        let name = word.value.to_ascii_lowercase();
        let called = matches!(words.get(at + 1), Some(Token::LParen));
        let alone = word.quote_style.is_none() && WORDS.contains(&name.as_str());
        name.starts_with("pg_") || name == "information_schema" || alone || called && FUNCTIONS.contains(&name.as_str())
    })
}
