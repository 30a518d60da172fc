//! The modifiers inside `at (…)`: each becomes a `bell_<modifier>` call.

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator};
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Span, Token};

use super::dialect::{BellDialect, call, duration, is_time_unit, parse_keys, parse_path, text};

const MODIFIERS: &str =
    "a modifier: all, set, where, visible, shift, previous, trailing, to date, cumulative, first, last, each, start of";

/// The rest of `x at (modifier …)`, after the word `at`.
pub(super) fn parse_at(dialect: &BellDialect, parser: &mut Parser, left: &Expr, at: Span) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let mut arguments = vec![left.clone()];
    while arguments.len() == 1 || !parser.consume_token(&Token::RParen) {
        arguments.push(parse_modifier(dialect, parser)?);
        // A comma separates modifiers; it does not end them.
        if parser.consume_token(&Token::Comma) && parser.peek_token_ref().token == Token::RParen {
            return parser.expected(MODIFIERS, parser.peek_token());
        }
    }
    Ok(call("bell_at", at, arguments))
}

/// `current d` inside the value of a `set`; anything else is not ours.
pub(super) fn parse_current(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let is_current = is_word(&parser.peek_token_ref().token, "current");
    if !is_current || !begins_name(&parser.peek_nth_token_ref(1).token) {
        return None;
    }
    let at = parser.next_token().span;
    Some(parse_path(parser).map(|dimension| call("bell_current", at, vec![dimension])))
}

fn parse_modifier(dialect: &BellDialect, parser: &mut Parser) -> Result<Expr, ParserError> {
    let token = parser.next_token();
    let at = token.span;
    let Some(word) = bare_word(&token.token) else { return parser.expected(MODIFIERS, token) };
    match word.as_str() {
        "all" => Ok(call("bell_all", at, parse_dimensions(parser)?)),
        "set" => parse_set(dialect, parser, at),
        "where" => Ok(call("bell_where", at, vec![parser.parse_expr()?])),
        "visible" => Ok(call("bell_visible", at, vec![])),
        "shift" => Ok(call("bell_shift", at, parse_durations(parser)?)),
        "previous" => Ok(call("bell_previous", at, vec![parse_grain(parser)?])),
        "trailing" => Ok(call("bell_trailing", at, parse_durations(parser)?)),
        "to" => {
            parser.expect_keyword(Keyword::DATE)?;
            Ok(call("bell_to_date", at, vec![parse_grain(parser)?]))
        }
        "each" => Ok(call("bell_each", at, vec![parse_grain(parser)?])),
        "start" => {
            parser.expect_keyword(Keyword::OF)?;
            Ok(call("bell_start_of", at, vec![parse_grain(parser)?]))
        }
        "cumulative" => Ok(call("bell_cumulative", at, vec![])),
        "first" => Ok(call("bell_first", at, parse_edge(parser)?)),
        "last" => Ok(call("bell_last", at, parse_edge(parser)?)),
        _ => parser.expected(MODIFIERS, token),
    }
}

/// The dimensions of `all d, e`, perhaps none; a comma may also end them, when a modifier follows it.
fn parse_dimensions(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut dimensions = Vec::new();
    if !begins_name(&parser.peek_token_ref().token) || begins_modifier(parser, 0) {
        return Ok(dimensions);
    }
    dimensions.push(parse_path(parser)?);
    while parser.peek_token_ref().token == Token::Comma && !begins_modifier(parser, 1) {
        parser.next_token();
        dimensions.push(parse_path(parser)?);
    }
    Ok(dimensions)
}

/// Whether a modifier begins at the n-th token from here: a dimension may bear the name of one (`all first, last`), so
/// what must follow such a name decides.
fn begins_modifier(parser: &Parser, n: usize) -> bool {
    let Some(word) = bare_word(&parser.peek_nth_token_ref(n).token) else { return false };
    let next = &parser.peek_nth_token_ref(n + 1).token;
    match word.as_str() {
        "all" | "where" | "visible" | "cumulative" => true,
        "to" => is_word(next, "date"),
        "start" => is_word(next, "of"),
        "set" | "first" | "last" | "previous" | "each" => begins_name(next),
        "shift" | "trailing" => matches!(next, Token::Number(..) | Token::Minus),
        _ => false,
    }
}

/// The rest of `set d = v`.
fn parse_set(dialect: &BellDialect, parser: &mut Parser, at: Span) -> Result<Expr, ParserError> {
    let dimension = parse_path(parser)?;
    parser.expect_token(&Token::Eq)?;
    let outer = dialect.in_set.replace(true);
    let value = parser.parse_subexpr(dialect.prec_value(Precedence::Eq));
    dialect.in_set.set(outer);
    Ok(call("bell_set", at, vec![dimension, value?]))
}

/// `3 months`, `-1 year 2 months`: one duration for each unit, a sign counting for all.
fn parse_durations(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let negative = parser.consume_token(&Token::Minus);
    let mut parts = vec![parse_duration(parser, negative)?];
    while matches!(parser.peek_token_ref().token, Token::Number(..)) {
        parts.push(parse_duration(parser, negative)?);
    }
    Ok(parts)
}

fn parse_duration(parser: &mut Parser, negative: bool) -> Result<Expr, ParserError> {
    if !matches!(parser.peek_token_ref().token, Token::Number(..)) {
        return parser.expected("a length of time such as `3 months`", parser.peek_token());
    }
    let number = Expr::Value(parser.parse_value()?);
    let unit = parser.next_token();
    // A calendar from a table names its periods itself; `check` knows them.
    let known = |word: String| is_time_unit(&word) || word.contains('_');
    if !bare_word(&unit.token).is_some_and(known) {
        return parser.expected("a unit of time such as `months`", unit);
    }
    let amount = if negative { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) } } else { number };
    Ok(duration(amount, &unit))
}

/// `year`, `period`, `fiscal year`, a custom grain: its name as a text, words joined by `_`.
fn parse_grain(parser: &mut Parser) -> Result<Expr, ParserError> {
    let token = parser.next_token();
    let Token::Word(word) = &token.token else { return parser.expected("a grain such as `month`", token) };
    if !is_word(&token.token, "fiscal") || !begins_name(&parser.peek_token_ref().token) || begins_modifier(parser, 0) {
        return Ok(text(word.value.clone(), token.span));
    }
    let period = parser.next_token();
    Ok(text(format!("fiscal_{}", period.token), token.span.union(&period.span)))
}

/// The rest of `first d`, `last d per k`.
fn parse_edge(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let mut arguments = vec![parse_path(parser)?];
    if is_word(&parser.peek_token_ref().token, "per") {
        parser.next_token();
        arguments.append(&mut parse_keys(parser)?);
    }
    if is_word(&parser.peek_token_ref().token, "overall") {
        let at = parser.next_token().span;
        arguments.push(call("bell_overall", at, vec![]));
    }
    Ok(arguments)
}

fn bare_word(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_lowercase()),
        _ => None,
    }
}

fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

/// A word that can be a name: not one of the operators that may follow a complete operand.
fn begins_name(token: &Token) -> bool {
    const OPERATORS: [&str; 10] = ["and", "or", "is", "in", "between", "like", "not", "at", "per", "of"];
    matches!(token, Token::Word(_)) && !OPERATORS.iter().any(|word| is_word(token, word))
}
