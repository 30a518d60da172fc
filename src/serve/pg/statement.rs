//! What a statement is for the wire: most are questions; some are talk between a client and its server.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use pgwire::error::PgWireResult;

use super::cursors::{self, Declared, Fetch};
use super::errors::user;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    /// A question, in the words of its text.
    Ask,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `ROLLBACK`, after which `AND CHAIN` begins another transaction.
    End { commits: bool, chains: bool },
    /// `SAVEPOINT name`.
    Savepoint(String),
    /// `ROLLBACK TO name`.
    RollbackTo(String),
    /// `RELEASE name`.
    Release(String),
    /// What changes nothing here (`DEALLOCATE`, `SET ROLE` …): the words that are answered.
    Nothing(&'static str),
    /// `DISCARD ALL`.
    Discard,
    /// `SET name = value`; `SET LOCAL` holds until the transaction ends.
    Set { name: String, value: String, local: bool },
    /// `RESET name`; `all` for all.
    Reset { name: String },
    /// `SHOW name`; `all` for all.
    Show { name: String },
    /// `DECLARE c CURSOR FOR question`; the question is the text from this byte on.
    Declare { cursor: Declared, from: usize },
    /// `FETCH n FROM c`.
    Fetch(Fetch),
    /// `CLOSE c`; all, if none is named.
    Close(Option<String>),
    /// `COPY (question) TO STDOUT`; the question is this part of the text.
    Copy { from: usize, to: usize, form: CopyForm },
}

/// How `COPY` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CopyForm {
    /// CSV, not PostgreSQL's text.
    pub(super) csv: bool,
    /// A first line with names.
    pub(super) header: bool,
}

/// The engine's own `SHOW` statements.
const SHOWN_BY_ENGINE: &[&str] = &["indicators", "dimensions", "tables", "columns", "functions"];

/// Reads a statement as far as the wire needs it.
///
/// # Errors
/// Of PostgreSQL's own, what cannot be read.
pub(super) fn read(text: &str) -> PgWireResult<Statement> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location() else {
        return Ok(Statement::Ask);
    };
    let tokens: Vec<_> =
        tokens.into_iter().filter(|it| !matches!(it.token, Token::Whitespace(_) | Token::SemiColon)).collect();
    let bare: Vec<&Token> = tokens.iter().map(|it| &it.token).collect();
    let words: Vec<String> = bare.iter().map(|token| token.to_string().to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["begin", ..] | ["start", "transaction", ..] => Statement::Begin,
        ["commit" | "end" | "rollback" | "abort", ..] => end(&bare, &words)?,
        ["savepoint", _] => Statement::Savepoint(cursors::name_of(bare[1])),
        ["release", "savepoint", _] | ["release", _] => Statement::Release(cursors::name_of(bare[bare.len() - 1])),
        ["declare", ..] => match cursors::declared(&bare, &words)? {
            Some((cursor, at)) => Statement::Declare { cursor, from: place(text, &tokens[at]) },
            None => Statement::Ask,
        },
        ["fetch" | "move", ..] => Statement::Fetch(cursors::fetch(&bare, &words)?),
        ["close", _] => Statement::Close(cursors::closed(&bare)),
        ["discard", "all"] => Statement::Discard,
        ["discard", ..] => Statement::Nothing("DISCARD"),
        ["deallocate", ..] => Statement::Nothing("DEALLOCATE"),
        ["unlisten", ..] => Statement::Nothing("UNLISTEN"),
        ["set", "role", ..] | ["set", "session", "authorization", ..] => Statement::Nothing("SET"),
        ["set", "transaction", ..] | ["set", "session", "characteristics", ..] => Statement::Nothing("SET"),
        ["set", "session", ..] => assignment(&bare[2..], false)?,
        ["set", "local", ..] => assignment(&bare[2..], true)?,
        ["set", ..] => assignment(&bare[1..], false)?,
        ["reset", ..] => Statement::Reset { name: name_of(&bare[1..]).0 },
        ["show", first, ..] if SHOWN_BY_ENGINE.contains(first) => Statement::Ask,
        ["show", "transaction", "isolation", "level"] => Statement::Show { name: "transaction_isolation".to_string() },
        ["show", "time", "zone"] => Statement::Show { name: "timezone".to_string() },
        ["show", ..] => Statement::Show { name: name_of(&bare[1..]).0 },
        ["copy", "(", ..] => copy(text, &tokens, &words)?,
        _ => Statement::Ask,
    })
}

/// `COMMIT`, `ROLLBACK`, `ROLLBACK TO SAVEPOINT name`.
fn end(tokens: &[&Token], words: &[&str]) -> PgWireResult<Statement> {
    let commits = matches!(words[0], "commit" | "end");
    let rest = &words[1..];
    let rest = rest.strip_prefix(&["work"]).or(rest.strip_prefix(&["transaction"])).unwrap_or(rest);
    match rest {
        [] | ["and", "no", "chain"] => Ok(Statement::End { commits, chains: false }),
        ["and", "chain"] => Ok(Statement::End { commits, chains: true }),
        ["to", "savepoint", _] | ["to", _] if words[0] == "rollback" => {
            Ok(Statement::RollbackTo(cursors::name_of(tokens[tokens.len() - 1])))
        }
        ["prepared", ..] => Err(user("0A000", "there are no prepared transactions here: nothing is written")),
        [odd, ..] => Err(user("42601", format!("syntax error at or near \"{odd}\""))),
    }
}

/// `name = value`, `name TO value`, `TIME ZONE value`, `NAMES value`.
fn assignment(tokens: &[&Token], local: bool) -> PgWireResult<Statement> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|it| it.to_string().eq_ignore_ascii_case(word));
    if is(0, "time") && is(1, "zone") {
        return set("timezone", &tokens[2..], local);
    }
    if is(0, "names") {
        return set("client_encoding", &tokens[1..], local);
    }
    let (name, used) = name_of(tokens);
    match !name.is_empty() && (is(used, "=") || is(used, "to")) {
        true => set(&name, &tokens[used + 1..], local),
        false => Err(user("42601", "write SET name = value")),
    }
}

fn set(name: &str, tokens: &[&Token], local: bool) -> PgWireResult<Statement> {
    let value: String = tokens.iter().map(|token| plain(token)).collect();
    match value.is_empty() && tokens.is_empty() {
        true => Err(user("42601", format!("{name} has no value"))),
        false => Ok(Statement::Set { name: name.to_string(), value, local }),
    }
}

/// A name with its dots, and how many tokens it took.
fn name_of(tokens: &[&Token]) -> (String, usize) {
    let of_name = |token: &&&Token| matches!(token, Token::Word(_) | Token::Period);
    let used = tokens.iter().take_while(of_name).count();
    // A keyword after the name (`TO`) is no part of it: names have dots between their words.
    let mut end = used.min(1);
    while end + 1 < used && *tokens[end] == Token::Period {
        end += 2;
    }
    let name = tokens[..end].iter().map(|token| plain(token)).collect::<String>();
    (name.to_ascii_lowercase(), end)
}

/// A token without its quotes.
pub(super) fn plain(token: &Token) -> String {
    match token {
        Token::SingleQuotedString(text) => text.clone(),
        Token::Word(word) => word.value.clone(),
        other => other.to_string(),
    }
}

/// `COPY (question) TO STDOUT [WITH] [(FORMAT csv, HEADER)]`, `… CSV HEADER`.
fn copy(text: &str, tokens: &[TokenWithSpan], words: &[&str]) -> PgWireResult<Statement> {
    let mut depth = 0;
    let close = words.iter().enumerate().skip(1).find_map(|(at, word)| {
        depth += match *word {
            "(" => 1,
            ")" => -1,
            _ => 0,
        };
        (depth == 0).then_some(at)
    });
    let Some(close) = close.filter(|close| words.get(close + 1..close + 3) == Some(&["to", "stdout"])) else {
        return Ok(Statement::Ask);
    };
    let options = &words[close + 3..];
    if let Some(unknown) = options.iter().find(|word| !OPTIONS.contains(word)) {
        return Err(user(
            "0A000",
            format!("COPY has no option {unknown} here: FORMAT text or csv, and HEADER, are known"),
        ));
    }
    let form = CopyForm {
        csv: options.contains(&"csv"),
        header: options.contains(&"header")
            && !options.windows(2).any(|two| matches!(two, ["header", "false" | "off"])),
    };
    Ok(Statement::Copy { from: place(text, &tokens[1]) + 1, to: place(text, &tokens[close]), form })
}

const OPTIONS: &[&str] = &["with", "(", ")", ",", "format", "csv", "text", "header", "true", "false", "on", "off"];

/// The byte at which a token begins.
fn place(text: &str, token: &TokenWithSpan) -> usize {
    offset(text, token.span.start.line, token.span.start.column)
}

/// The byte of a line and column, both from 1, columns in characters.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let characters = text[before..].chars().take(column.saturating_sub(1) as usize);
    before + characters.map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_to(name: &str, value: &str) -> Statement {
        Statement::Set { name: name.to_string(), value: value.to_string(), local: false }
    }

    fn local(name: &str, value: &str) -> Statement {
        Statement::Set { name: name.to_string(), value: value.to_string(), local: true }
    }

    #[test]
    fn talk_is_told_from_questions() {
        let table = [
            ("SELECT 1", Statement::Ask),
            ("begin isolation level serializable;", Statement::Begin),
            ("START TRANSACTION READ ONLY", Statement::Begin),
            ("COMMIT", Statement::End { commits: true, chains: false }),
            ("abort work and no chain", Statement::End { commits: false, chains: false }),
            ("END TRANSACTION AND CHAIN", Statement::End { commits: true, chains: true }),
            ("SAVEPOINT A", Statement::Savepoint("a".to_string())),
            ("ROLLBACK TO SAVEPOINT a", Statement::RollbackTo("a".to_string())),
            ("rollback work to \"A\"", Statement::RollbackTo("A".to_string())),
            ("RELEASE a", Statement::Release("a".to_string())),
            ("SET extra_float_digits = 3", set_to("extra_float_digits", "3")),
            ("set session DateStyle to 'ISO, MDY'", set_to("datestyle", "ISO, MDY")),
            ("SET bell.bi_compat = true", set_to("bell.bi_compat", "true")),
            ("SET search_path TO retail, public", set_to("search_path", "retail,public")),
            ("SET TIME ZONE 'UTC'", set_to("timezone", "UTC")),
            ("SET SESSION TIME ZONE 'UTC'", set_to("timezone", "UTC")),
            ("SET LOCAL work_mem = '1MB'", local("work_mem", "1MB")),
            ("set local time zone 'UTC'", local("timezone", "UTC")),
            ("RESET ALL", Statement::Reset { name: "all".to_string() }),
            ("SHOW server_version", Statement::Show { name: "server_version".to_string() }),
            ("SHOW INDICATORS", Statement::Ask),
            ("show transaction isolation level", Statement::Show { name: "transaction_isolation".to_string() }),
        ];
        for (text, statement) in table {
            assert_eq!(read(text).unwrap(), statement, "{text}");
        }
    }

    #[test]
    fn cursors_go_forward() {
        let text = "DECLARE \"C 1\" BINARY CURSOR WITH HOLD FOR SELECT '区域'";
        let Statement::Declare { cursor, from } = read(text).unwrap() else { panic!("no cursor") };
        assert_eq!(cursor, Declared { name: "C 1".to_string(), binary: true, holds: true });
        assert_eq!(&text[from..], "SELECT '区域'");
        let fetched = |text: &str| match read(text) {
            Ok(Statement::Fetch(fetch)) => (fetch.name, fetch.count, fetch.passes),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(fetched("FETCH 10 IN \"C 1\""), ("C 1".to_string(), Some(10), false));
        assert_eq!(fetched("fetch c"), ("c".to_string(), Some(1), false));
        assert_eq!(fetched("FETCH FORWARD ALL FROM C"), ("c".to_string(), None, false));
        assert_eq!(fetched("MOVE FORWARD 3 FROM c"), ("c".to_string(), Some(3), true));
        for refused in
            ["FETCH PRIOR FROM c", "FETCH -1 FROM c", "FETCH ABSOLUTE 1 FROM c", "DECLARE c SCROLL CURSOR FOR SELECT 1"]
        {
            assert!(read(refused).is_err(), "{refused}");
        }
        assert_eq!(read("CLOSE ALL").unwrap(), Statement::Close(None));
    }

    #[test]
    fn what_is_copied_is_a_part_of_the_text() {
        let text = "COPY (SELECT '区域)', (1)) TO STDOUT WITH (FORMAT csv, HEADER)";
        let Statement::Copy { from, to, form } = read(text).unwrap() else { panic!("no copy") };
        assert_eq!((&text[from..to], form), ("SELECT '区域)', (1)", CopyForm { csv: true, header: true }));
        assert_eq!(read("COPY orders TO '/tmp/x'").unwrap(), Statement::Ask);
        assert!(read("COPY (SELECT 1) TO STDOUT (FORMAT binary)").is_err());
    }
}
