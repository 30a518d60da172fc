//! Pieces of Bell text: names, texts, expressions with other names.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast as sql;

use crate::source::SourceSet;
use crate::syntax::parse_expression;

/// Words that SQL reads as something else where a name stands alone.
const WORDS: [&str; 43] = [
    "all",
    "and",
    "any",
    "array",
    "at",
    "between",
    "case",
    "cast",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "distinct",
    "else",
    "end",
    "exists",
    "extract",
    "false",
    "from",
    "group",
    "in",
    "interval",
    "is",
    "like",
    "not",
    "null",
    "of",
    "or",
    "order",
    "per",
    "position",
    "select",
    "session_user",
    "table",
    "then",
    "time",
    "timestamp",
    "true",
    "user",
    "values",
    "when",
    "where",
];

/// A name as it stands in an expression: in double quotes where it must be.
pub(super) fn name(text: &str) -> String {
    match is_identifier(text) && !WORDS.contains(&text.to_lowercase().as_str()) {
        true => text.to_string(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

/// A name after a dot, or where only a name can stand: quoted only if it is no identifier.
pub(super) fn part(text: &str) -> String {
    if is_identifier(text) { text.to_string() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// A text for people.
pub(super) fn label(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('"', "\"\""))
}

/// A text in an expression, or a location.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The text without line breaks and repeated spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a name needs no quotes.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// An expression with its names replaced: `rename` gets the parts of a name, and keeps it by saying nothing. The rest
/// of the text stays as its author wrote it.
///
/// # Errors
/// What SQL's parser says.
pub(super) fn with_names(text: &str, rename: impl Fn(&[&str]) -> Option<String>) -> Result<String, String> {
    let text = text.trim();
    let file = SourceSet::default().beside("<expression>", text);
    let parsed = parse_expression(&file).map_err(|diagnostic| diagnostic.message)?;
    let mut changes: Vec<(usize, usize, String)> = Vec::new();
    let _ = sql::visit_expressions(&parsed.sql, |expr| {
        let parts = match expr {
            sql::Expr::Identifier(part) => std::slice::from_ref(part),
            sql::Expr::CompoundIdentifier(parts) => parts.as_slice(),
            _ => return ControlFlow::<()>::Continue(()),
        };
        let words: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        if let (Some(new), Some(first), Some(last)) = (rename(&words), parts.first(), parts.last()) {
            let at = |place: datafusion::sql::sqlparser::tokenizer::Location| {
                file.offset(place.line as usize, place.column as usize) as usize
            };
            changes.push((at(first.span.start), at(last.span.end), new));
        }
        ControlFlow::Continue(())
    });
    changes.sort();
    changes.dedup();
    let mut out = text.to_string();
    for (start, end, new) in changes.into_iter().rev() {
        out.replace_range(start..end, &new);
    }
    Ok(one_line_of_code(&out))
}

/// The column that an expression is, if it is no more than that.
pub(super) fn plain_column(text: &str) -> Option<&str> {
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    (is_identifier(text) || (bare != text && !bare.contains('"'))).then_some(bare)
}

/// Code on one line, its keywords in lower case like Bell's own; what stands in quotes stays.
pub(super) fn one_line_of_code(text: &str) -> String {
    const KEYWORDS: [&str; 23] = [
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "AND",
        "OR",
        "NOT",
        "IN",
        "IS",
        "NULL",
        "LIKE",
        "ILIKE",
        "BETWEEN",
        "CAST",
        "AS",
        "TRUE",
        "FALSE",
        "NULLIF",
        "COALESCE",
        "INTERVAL",
        "TIMESTAMP",
        "DATE",
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(end);
        match piece {
            space if space.starts_with(char::is_whitespace) => out.push(' '),
            word if KEYWORDS.contains(&word) => out.push_str(&word.to_lowercase()),
            other => out.push_str(other),
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_the_rest_stays() {
        let rename = |parts: &[&str]| Some(format!("orders.{}", parts[parts.len() - 1]));
        let found = with_names("CASE WHEN status  = 'a  b'\n THEN t.amount ELSE 0 END", rename);
        assert_eq!(found.unwrap(), "case when orders.status = 'a  b' then orders.amount else 0 end");
    }

    #[test]
    fn only_names_that_need_quotes_have_them() {
        assert_eq!(name("user"), "\"user\"");
        assert_eq!(name("listing__user"), "listing__user");
        assert_eq!(name("two words"), "\"two words\"");
    }
}
