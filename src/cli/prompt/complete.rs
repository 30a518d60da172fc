//! What the prompt's editor knows of SQL: when a statement is complete, and which names fit.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use rustyline::completion::Completer;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter, Hinter};

use bellwether::syntax::statements;

use super::backslash;

/// Helps the editor.
#[derive(Helper, Highlighter, Hinter)]
pub struct SqlHelper {
    /// Sorted, each once.
    names: Vec<String>,
}

/// The words that questions are made of; the parser knows a thousand more that would only be in the way.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CREATE",
    "CROSS",
    "CUBE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "QUALIFY",
    "RIGHT",
    "ROLLUP",
    "SELECT",
    "SET",
    "SHOW",
    "THEN",
    "UNION",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
    "MEASURE",
];

impl SqlHelper {
    /// A helper that knows these names and SQL's words.
    pub fn new(mut names: Vec<String>) -> Self {
        names.extend(KEYWORDS.iter().map(ToString::to_string));
        names.sort();
        names.dedup();
        SqlHelper { names }
    }

    /// The names that begin with the word before the cursor, whatever the case, and where that word begins.
    fn fitting(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let word_start = |(at, c): (usize, char)| (!is_word(c)).then_some(at + c.len_utf8());
        let start = line[..cursor].char_indices().rev().find_map(word_start).unwrap_or(0);
        let word = line[start..cursor].to_lowercase();
        if word.is_empty() {
            return (start, Vec::new());
        }
        let fits =
            |name: &&String| name.trim_start_matches('"').to_lowercase().starts_with(word.trim_start_matches('"'));
        (start, self.names.iter().filter(fits).cloned().collect())
    }
}

impl Completer for SqlHelper {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.fitting(line, pos))
    }
}

impl Validator for SqlHelper {
    /// Enter ends the input once every statement in it is complete.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let complete = is_complete(context.input());
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// The views, and the dimensions and indicators that are their columns; none if the session cannot tell.
pub async fn names(ctx: &SessionContext) -> Vec<String> {
    let tables = "SELECT table_schema, table_name FROM information_schema.tables";
    let columns = "SELECT DISTINCT column_name FROM information_schema.columns \
                   WHERE table_schema <> 'information_schema'";
    let qualified = |row: Vec<String>| row.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(".");
    let mut names: Vec<String> = Vec::new();
    for statement in [tables, columns] {
        // Completion is a convenience: a session without an information schema completes SQL's words only.
        names.extend(rows(ctx, statement).await.unwrap_or_default().into_iter().map(qualified));
    }
    names
}

async fn rows(ctx: &SessionContext, statement: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for batch in ctx.sql(statement).await?.collect().await? {
        let columns: Result<Vec<_>, _> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8)).collect();
        let columns = columns?;
        let row = |at: usize| columns.iter().map(|column| column.as_string::<i32>().value(at).to_string()).collect();
        rows.extend((0..batch.num_rows()).map(row));
    }
    Ok(rows)
}

/// A name as SQL finds it.
fn quoted(name: &str) -> String {
    let first = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let plain = first && name.chars().all(|c| (c.is_alphanumeric() || c == '_') && !c.is_uppercase());
    let keyword = KEYWORDS.contains(&name.to_uppercase().as_str());
    if plain && !keyword { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '"')
}

fn is_complete(text: &str) -> bool {
    backslash::line(text).is_some() || statements::split(text).rest.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper() -> SqlHelper {
        SqlHelper::new(["gmv", "gmv_yoy", "retail.gmv", "\"Region\"", "成交额"].map(String::from).to_vec())
    }

    #[test]
    fn names_fit_by_their_beginning() {
        assert_eq!(helper().fitting("select gm", 9), (7, vec!["gmv".to_string(), "gmv_yoy".to_string()]));
        assert_eq!(
            helper().fitting("select sum(re", 13),
            (11, vec!["\"Region\"".to_string(), "retail.gmv".to_string()])
        );
        assert_eq!(helper().fitting("select 成", 10), (7, vec!["成交额".to_string()]));
        assert_eq!(helper().fitting("hav", 3), (0, vec!["HAVING".to_string()]));
        assert_eq!(helper().fitting("select ", 7), (7, vec![]));
    }

    #[test]
    fn names_that_sql_would_not_find_are_quoted() {
        assert_eq!(quoted("gmv_1"), "gmv_1");
        assert_eq!(quoted("成交额"), "成交额");
        assert_eq!(quoted("Region"), "\"Region\"");
        assert_eq!(quoted("order"), "\"order\"");
        assert_eq!(quoted("1st \"x\""), "\"1st \"\"x\"\"\"");
    }

    #[test]
    fn a_semicolon_or_a_backslash_completes() {
        assert!(is_complete("select 1;"));
        assert!(is_complete("\\d"));
        assert!(is_complete("-- only a comment"));
        assert!(!is_complete("select 1"));
        assert!(!is_complete("select ';"));
    }

    #[tokio::test]
    async fn names_come_from_the_session() {
        let config = datafusion::prelude::SessionConfig::new().with_information_schema(true);
        let ctx = SessionContext::new_with_config(config);
        ctx.sql("CREATE TABLE t (a INT, \"B\" INT)").await.unwrap();
        let names = names(&ctx).await;
        assert!(["public.t", "a", "\"B\""].iter().all(|name| names.contains(&name.to_string())), "{names:?}");
        assert!(super::names(&SessionContext::new()).await.is_empty());
    }
}
