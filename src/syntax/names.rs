//! Names as they are written.

/// A name as Bell reads it: in quotes where it is no plain identifier, or a word of SQL's or Bell's own grammar.
pub fn quoted(name: &str) -> String {
    const WORDS: [&str; 34] = [
        "case",
        "when",
        "then",
        "else",
        "end",
        "and",
        "or",
        "not",
        "in",
        "between",
        "like",
        "is",
        "null",
        "true",
        "false",
        "select",
        "where",
        "per",
        "of",
        "at",
        "from",
        "by",
        "on",
        "as",
        "distinct",
        "group",
        "order",
        "filter",
        "all",
        "set",
        "date",
        "timestamp",
        "interval",
        "cast",
    ];
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && !WORDS.contains(&name.to_lowercase().as_str());
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
