//! The trees of expressions, types and queries: SQL's own parser reads the slices that the grammar found.
//!
//! Tokens carry the lines and columns of the whole file, so that every place in a tree, and every error, is one of the
//! file.

use std::borrow::Cow;

use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{self, Location, Token, TokenWithSpan, Tokenizer};

use super::ast::Expr;
use super::dialect::{BellDialect, Text};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{SourceFile, Span};

/// How deep SQL's parser may nest; it guards its stack itself, and this guards those who walk the tree later.
const DEPTH: usize = 200;

/// The expression in a range of a file.
pub(super) fn expression(file: &SourceFile, span: Span) -> Result<Expr, Diagnostic> {
    let sql = parse(file, span, Text::Expression, |parser| parser.parse_expr())?;
    Ok(Expr { sql, span })
}

/// The expression that a text stands for which the file does not hold; all of it is at one place of the file.
pub(super) fn generated(file: &SourceFile, at: Span, text: &str) -> Result<Expr, Diagnostic> {
    let refused = |message: String| Diagnostic::new(codes::EXPRESSION, message).at(at);
    let place = |offset: u32| {
        let (line, column) = file.line_column(offset);
        Location::new(line as u64, column as u64)
    };
    let everywhere = tokenizer::Span::new(place(at.start), place(at.end));
    let dialect = BellDialect::new(Text::Expression);
    let mut tokens = Vec::new();
    Tokenizer::new(&dialect, text)
        .tokenize_with_location_into_buf_with_mapper(&mut tokens, |token| TokenWithSpan { span: everywhere, ..token })
        .map_err(|error| refused(error.message))?;
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let sql = parser.parse_expr().map_err(|error| refused(error.to_string()))?;
    Ok(Expr { sql, span: at })
}

/// The query in a range of a file.
pub(super) fn query(file: &SourceFile, span: Span) -> Result<Box<sql::Query>, Diagnostic> {
    parse(file, span, Text::Statement, |parser| parser.parse_query())
}

/// The data type in a range of a file.
pub(super) fn data_type(file: &SourceFile, span: Span) -> Result<sql::DataType, Diagnostic> {
    match parse(file, span, Text::Statement, |parser| parser.parse_data_type())? {
        sql::DataType::Custom(..) => Err(unknown_type(file, span)),
        known => Ok(known),
    }
}

/// The place in a file that a place in one of its trees stands for; none for what the source did not write.
pub fn span_of(file: &SourceFile, span: tokenizer::Span) -> Option<Span> {
    if span.start.line == 0 || span.end.line == 0 {
        return None;
    }
    Some(Span { file: file.id, start: offset(file, span.start), end: offset(file, span.end) })
}

fn offset(file: &SourceFile, at: Location) -> u32 {
    file.offset(at.line as usize, at.column as usize)
}

fn parse<T>(
    file: &SourceFile,
    span: Span,
    kind: Text,
    what: impl FnOnce(&mut Parser) -> Result<T, ParserError>,
) -> Result<T, Diagnostic> {
    let dialect = BellDialect::new(kind);
    let tokens = tokens(file, span, &dialect)?;
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let refused = |error| refusal(file, span, error);
    let tree = what(&mut parser).map_err(refused)?;
    match parser.peek_token() {
        TokenWithSpan { token: Token::EOF, .. } => Ok(tree),
        extra => parser.expected("an operator, or the end", extra).map_err(refused),
    }
}

fn tokens(file: &SourceFile, span: Span, dialect: &BellDialect) -> Result<Vec<TokenWithSpan>, Diagnostic> {
    let text = without_slash_comments(&file.text[span.range()]);
    let (line, column) = file.line_column(span.start);
    let moved = |at: Location| match at.line {
        1 => Location::new(line as u64, at.column + column as u64 - 1),
        later => Location::new(later + line as u64 - 1, at.column),
    };
    let place = |mut token: TokenWithSpan| {
        token.span = tokenizer::Span::new(moved(token.span.start), moved(token.span.end));
        without_underscores(token)
    };
    let mut tokens = Vec::with_capacity(text.len() / 3 + 2);
    Tokenizer::new(dialect, &text).tokenize_with_location_into_buf_with_mapper(&mut tokens, place).map_err(
        |error| {
            let at = offset(file, moved(error.location)) as usize;
            Diagnostic::new(codes::EXPRESSION, error.message).at(one_character(file, at))
        },
    )?;
    Ok(tokens)
}

/// SQL has no `//` comments (the generic dialect reads an operator). They end their lines, so that nothing moves.
fn without_slash_comments(text: &str) -> Cow<'_, str> {
    if !text.contains("//") {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for piece in super::scan::pieces(text) {
        if !piece.text.starts_with("//") {
            kept.push_str(piece.text);
        }
    }
    Cow::Owned(kept)
}

/// `1_200_000` as SQL knows it.
fn without_underscores(mut token: TokenWithSpan) -> TokenWithSpan {
    if let Token::Number(digits, _) = &mut token.token
        && digits.contains('_')
    {
        digits.retain(|c| c != '_');
    }
    token
}

/// What SQL's parser refused, at the place that its message ends in.
fn refusal(file: &SourceFile, span: Span, error: ParserError) -> Diagnostic {
    let message = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return Diagnostic::new(codes::TOO_DEEP, "the expression is nested too deeply").at(span);
        }
    };
    let (message, place) = split_place(&message);
    let found = place.map(|(line, column)| file.offset(line, column) as usize);
    let at = found.filter(|at| span.range().contains(at)).map_or_else(|| end_of(file, span), |at| word_at(file, at));
    let refused = Diagnostic::new(codes::EXPRESSION, in_our_words(message, file, at, span)).at(at);
    let expected = message.split_once(", found: ").map_or("", |(expected, _)| expected);
    let words = expected.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 2);
    match crate::diagnostic::nearest(&file.text[at.range()], words) {
        Some(near) if at.range().len() > 1 => refused.help(format!("did you mean `{}`?", near.to_ascii_lowercase())),
        _ => refused,
    }
}

/// Splits `… at Line: 3, Column: 7`.
fn split_place(message: &str) -> (&str, Option<(usize, usize)>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let numbers = place.split_once(", Column: ").map(|(line, column)| (line.parse(), column.parse()));
    match numbers {
        Some((Ok(line), Ok(column))) => (text, Some((line, column))),
        _ => (message, None),
    }
}

/// `Expected: an expression, found: EOF` as a sentence.
fn in_our_words(message: &str, file: &SourceFile, at: Span, whole: Span) -> String {
    let Some((expected, _)) = message.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) else {
        return message.to_string();
    };
    if at.start >= whole.end || at.start == at.end {
        return format!("the expression ends where {expected} is due");
    }
    format!("`{}` stands where {expected} is due", &file.text[at.range()])
}

/// The word, or the one character, at a byte.
pub(super) fn word_at(file: &SourceFile, at: usize) -> Span {
    let length = super::scan::word_length(&file.text[at..]);
    if length == 0 { one_character(file, at) } else { Span::new(file.id, at, at + length) }
}

fn one_character(file: &SourceFile, at: usize) -> Span {
    let length = file.text[at..].chars().next().map_or(0, char::len_utf8);
    Span::new(file.id, at, at + length)
}

/// The empty place after the last character of a range.
fn end_of(file: &SourceFile, span: Span) -> Span {
    let end = span.start as usize + file.text[span.range()].trim_end().len();
    Span::new(file.id, end, end)
}

fn unknown_type(file: &SourceFile, span: Span) -> Diagnostic {
    const TYPES: [&str; 17] = [
        "bigint",
        "boolean",
        "char",
        "date",
        "decimal",
        "double",
        "float",
        "int",
        "integer",
        "interval",
        "real",
        "smallint",
        "string",
        "text",
        "timestamp",
        "tinyint",
        "varchar",
    ];
    let written = &file.text[span.range()];
    let refused = Diagnostic::new(codes::UNKNOWN_TYPE, format!("there is no type `{written}`")).at(span);
    match crate::diagnostic::nearest(written.split('(').next().unwrap_or(written), TYPES) {
        Some(near) => refused.help(format!("did you mean `{near}`?")),
        None => refused.help("types are SQL's, such as `varchar`, `bigint`, `decimal(18,2)`, `timestamp`"),
    }
}
