//! What clients ask about the server itself: `pg_catalog`, `information_schema`, `version()`.
//!
//! Such statements are PostgreSQL's own, in its own dialect. Only they are read so, and rewritten where DataFusion has no
//! way of its own; a question to indicators never is.

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;

use crate::diagnostic::{Diagnostic, codes};
use crate::engine::Engine;
use crate::error::Result;

/// The plan of a statement about the server; `None` for every other.
pub(super) async fn plan(engine: &Engine, text: &str) -> Option<Result<(SessionState, LogicalPlan)>> {
    if !is_about_the_server(text) {
        return None;
    }
    let text = REPLACED.iter().fold(text.to_string(), |text, (asked, instead)| text.replace(asked, instead));
    let parsed = PARSER.with(|parser| parser.parse(&text));
    let statement = match parsed.map(|mut all| all.pop()) {
        Ok(Some(statement)) => statement,
        Ok(None) => return None,
        Err(error) => {
            return Some(Err(Diagnostic::new(codes::SQL_SYNTAX, error.to_string()).into()));
        }
    };
    let state = engine.context().state();
    let planned = state.statement_to_plan(Statement::Statement(Box::new(statement))).await;
    Some(match planned {
        Ok(plan) => Ok((state, plan)),
        Err(error) => Err(error.into()),
    })
}

/// Pieces of what clients ask that DataFusion has no way for, and what does as well here.
const REPLACED: &[(&str, &str)] = &[
    // psql, `\d+`.
    (
        "pg_catalog.array_to_string(c.reloptions || array(select 'toast.' || x from pg_catalog.unnest(tc.reloptions) x), ', ')",
        "''",
    ),
    // SQLAlchemy, for the schemas that are not the server's own; `pg_catalog` is then among them.
    ("ESCAPE '/'", ""),
];

thread_local! {
    /// Its rules are many.
    static PARSER: PostgresCompatibilityParser = PostgresCompatibilityParser::new();
}

/// Functions that tell about the server.
const FUNCTIONS: &[&str] = &["version", "current_database", "current_schema", "current_schemas", "session_user"];

/// Whether a name of PostgreSQL's catalog, or a function about the server, is among the words.
fn is_about_the_server(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let may =
        lower.contains("pg_") || lower.contains("information_schema") || FUNCTIONS.iter().any(|it| lower.contains(it));
    if !may {
        return false;
    }
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() else { return false };
    let words: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    words.iter().enumerate().any(|(at, token)| {
        let Token::Word(word) = token else { return false };
        let name = word.value.to_ascii_lowercase();
        let called = matches!(words.get(at + 1), Some(Token::LParen));
        name.starts_with("pg_") || name == "information_schema" || called && FUNCTIONS.contains(&name.as_str())
    })
}
