//! [`BellDialect`]: SQL with Bell's operators, for sqlparser.
//!
//! It accepts what DataFusion's default dialect accepts, and `x at (…)`, `x per d`, `x of source`, `x filter (where p)`
//! after what is not a call, `7 days` and `3.5%`. Each becomes a call of a `bell_*` function (see
//! [`ast::Expr`](super::ast::Expr)), so that everything that walks SQL trees walks Bell's too.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{self as sql, Expr, Value};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};
use pest::unicode::{XID_CONTINUE, XID_START};

use super::modifier;

/// What is parsed: it decides which additions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// An expression of a `.bell` file: all additions.
    Expression,
    /// A SQL statement: `AT (…)`, and `FILTER` after it. The others would change plain SQL (`select 7 days` is a name).
    Statement,
}

/// SQL as DataFusion reads it by default, with Bell's operators.
///
/// ```
/// use bellwether::syntax::dialect::{BellDialect, Text};
/// use datafusion::sql::parser::DFParserBuilder;
///
/// let dialect = BellDialect::new(Text::Statement);
/// let sql = "SELECT region, MEASURE(gmv) / MEASURE(gmv) AT (ALL region) FROM retail.indicators GROUP BY region";
/// let statements = DFParserBuilder::new(sql).with_dialect(&dialect).build()?.parse_statements()?;
/// assert_eq!(
///     statements[0].to_string(),
///     "SELECT region, MEASURE(gmv) / bell_at(MEASURE(gmv), bell_all(region)) FROM retail.indicators GROUP BY region"
/// );
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
#[derive(Debug)]
pub struct BellDialect {
    text: Text,
    /// Inside the value of a `set`, where `current d` is the row's own value.
    pub(super) in_set: Cell<bool>,
}

impl BellDialect {
    /// The dialect for that kind of text.
    pub fn new(text: Text) -> Self {
        BellDialect { text, in_set: Cell::new(false) }
    }

    /// Which of Bell's operators comes next, if one does.
    fn operator(&self, parser: &Parser) -> Option<Operator> {
        let next = parser.peek_token_ref();
        match &next.token {
            Token::Word(word) if word.quote_style.is_none() => self.word_operator(parser, word, next),
            Token::Mod if self.text == Text::Expression && is_percent(parser, next) => Some(Operator::Percent),
            _ => None,
        }
    }

    fn word_operator(&self, parser: &Parser, word: &Word, at: &TokenWithSpan) -> Option<Operator> {
        let bracket = || parser.peek_nth_token_ref(1).token == Token::LParen;
        match word.keyword {
            Keyword::AT if bracket() => Some(Operator::At),
            Keyword::FILTER if bracket() => Some(Operator::Filter),
            _ if self.text == Text::Statement => None,
            Keyword::OF => Some(Operator::Of),
            _ if word.value.eq_ignore_ascii_case("per") => Some(Operator::Per),
            _ if is_time_unit(&word.value) && follows_number(parser, at) => Some(Operator::Duration),
            _ => None,
        }
    }
}

/// Bell's infix and postfix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    At,
    Filter,
    Of,
    Per,
    Percent,
    Duration,
}

impl Operator {
    /// How tightly it binds: `of`, `at` and `filter` tighter than arithmetic and a sign, `per` between arithmetic and
    /// comparisons, the parts of a literal tighter than anything.
    fn precedence(self, dialect: &BellDialect) -> u8 {
        match self {
            Operator::Percent | Operator::Duration => dialect.prec_value(Precedence::Period),
            Operator::At | Operator::Filter | Operator::Of => dialect.prec_value(Precedence::AtTz),
            Operator::Per => dialect.prec_value(Precedence::Pipe),
        }
    }
}

/// The functions of GenericDialect that are not at the trait's default; all of them are switches.
macro_rules! like_the_generic_dialect {
    ($($switch:ident)*) => { $(fn $switch(&self) -> bool { GenericDialect.$switch() })* };
}

impl Dialect for BellDialect {
    /// sqlparser and DataFusion ask for the generic dialect by its type here and there.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch) || XID_START(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch) || XID_CONTINUE(ch)
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    /// A comment is a comment.
    fn supports_multiline_comment_hints(&self) -> bool {
        false
    }

    like_the_generic_dialect! {
        supports_unicode_string_literal supports_partition_by_after_order_by supports_array_join_syntax
        supports_group_by_expr supports_group_by_with_modifier supports_left_associative_joins_without_parens
        supports_connect_by supports_match_recognize supports_pipe_operator supports_start_transaction_modifier
        supports_window_function_null_treatment_arg supports_dictionary_syntax
        supports_window_clause_named_window_reference supports_parenthesized_set_variables
        supports_select_wildcard_except support_map_literal_syntax allow_extract_custom allow_extract_single_quotes
        supports_extract_comma_syntax supports_create_view_comment_syntax supports_parens_around_table_factor
        supports_values_as_table_factor supports_create_index_with_clause supports_explain_with_utility_options
        supports_limit_comma supports_update_order_by supports_from_first_select supports_projection_trailing_commas
        supports_asc_desc_in_column_definition supports_try_convert supports_bitwise_shift_operators
        supports_comment_on supports_load_extension supports_named_fn_args_with_assignment_operator
        supports_struct_literal supports_empty_projections supports_nested_comments supports_user_host_grantee
        supports_string_escape_constant supports_array_typedef_with_brackets supports_match_against
        supports_set_names supports_comma_separated_set_assignments supports_filter_during_aggregation
        supports_select_wildcard_exclude supports_data_type_signed_suffix supports_interval_options
        supports_quote_delimited_string supports_select_wildcard_replace supports_select_wildcard_ilike
        supports_select_wildcard_rename supports_optimize_table supports_install supports_detach supports_prewhere
        supports_with_fill supports_limit_by supports_interpolate supports_settings supports_select_format
        supports_comment_optimizer_hint supports_constraint_keyword_without_name supports_key_column_option
        supports_comma_separated_trim supports_cte_without_as supports_select_item_multi_column_alias
        supports_xml_expressions
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let current = if self.in_set.get() { modifier::parse_current(parser) } else { None };
        current.or_else(|| parse_simple(parser))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        self.operator(parser).map(|operator| Ok(operator.precedence(self)))
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        let operator = self.operator(parser)?;
        let at = parser.next_token();
        Some(match operator {
            Operator::At => modifier::parse_at(self, parser, left, at.span),
            Operator::Filter => parse_filter(parser, left, at.span),
            Operator::Of => parse_path(parser).map(|source| call("bell_of", at.span, vec![left.clone(), source])),
            Operator::Per => parse_per(parser, left, at.span),
            Operator::Percent => percent(parser, left, at),
            Operator::Duration => Ok(duration(left.clone(), &at)),
        })
    }
}

/// A name, number or text that what follows cannot make anything else of. The parser would come to the same, but only
/// after trying to read a type, which fails at the cost of an error message for each operand.
fn parse_simple(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let next = &parser.peek_nth_token_ref(1).token;
    match &parser.peek_token_ref().token {
        Token::Number(..) => Some(parser.parse_value().map(Expr::Value)),
        Token::SingleQuotedString(_) => Some(parser.parse_value().map(Expr::Value)),
        Token::Word(word) if word.keyword == Keyword::NoKeyword && ends_operand(next) => {
            Some(parser.parse_identifier().map(Expr::Identifier))
        }
        // After a dot no word is a keyword: in `orders.user.name` the parser would take `user` for a function.
        Token::Word(_) if parser.get_current_token().token == Token::Period && *next != Token::LParen => {
            Some(parser.parse_identifier().map(Expr::Identifier))
        }
        _ => None,
    }
}

fn ends_operand(token: &Token) -> bool {
    use Token::*;
    matches!(token, EOF | Comma | Period | RParen | Eq | Neq | Lt | LtEq | Gt | GtEq | Plus | Minus | Mul | Div)
}

/// A call of one of our functions, at the place of the word that asked for it.
pub(super) fn call(name: &str, span: Span, arguments: Vec<Expr>) -> Expr {
    let unnamed = |e| sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e));
    let args = sql::FunctionArgumentList {
        duplicate_treatment: None,
        args: arguments.into_iter().map(unnamed).collect(),
        clauses: vec![],
    };
    Expr::Function(sql::Function {
        name: sql::ObjectName::from(vec![sql::Ident::with_span(span, name)]),
        uses_odbc_syntax: false,
        parameters: sql::FunctionArguments::None,
        args: sql::FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// `'text'` as an expression, at a place.
pub(super) fn text(value: impl Into<String>, span: Span) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).with_span(span))
}

/// `bell_duration(amount, 'days')`; the unit in lower case and in the plural.
pub(super) fn duration(amount: Expr, unit: &TokenWithSpan) -> Expr {
    let written = unit.token.to_string();
    let word = written.to_ascii_lowercase();
    let plural = match is_time_unit(&word) {
        true if word.ends_with('s') => word,
        true => word + "s",
        false => written,
    };
    call("bell_duration", unit.span, vec![amount, text(plural, unit.span)])
}

/// `region`, `orders.store.region`, `"Region"`.
pub(super) fn parse_path(parser: &mut Parser) -> Result<Expr, ParserError> {
    let mut parts = vec![parse_name(parser)?];
    while parser.consume_token(&Token::Period) {
        parts.push(parse_name(parser)?);
    }
    Ok(if parts.len() == 1 { Expr::Identifier(parts.remove(0)) } else { Expr::CompoundIdentifier(parts) })
}

fn parse_name(parser: &mut Parser) -> Result<sql::Ident, ParserError> {
    match &parser.peek_token_ref().token {
        Token::Word(_) => parser.parse_identifier(),
        _ => parser.expected("a name", parser.peek_token()),
    }
}

/// Whether a word is a unit of time, in the singular or the plural.
pub(super) fn is_time_unit(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let units = ["millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"];
    units.contains(&word.strip_suffix('s').unwrap_or(&word))
}

/// A unit makes a duration of the number before it only on the same line: the next line may begin a clause.
fn follows_number(parser: &Parser, unit: &TokenWithSpan) -> bool {
    let last = parser.get_current_token();
    matches!(last.token, Token::Number(..)) && last.span.end.line == unit.span.start.line
}

/// `%` makes a percentage of the number right before it, unless the other side of a remainder follows.
fn is_percent(parser: &Parser, sign: &TokenWithSpan) -> bool {
    let last = parser.get_current_token();
    if !matches!(last.token, Token::Number(..)) || last.span.end != sign.span.start {
        return false;
    }
    let next = parser.peek_nth_token_ref(1);
    match &next.token {
        Token::Number(..) | Token::SingleQuotedString(_) | Token::LParen => false,
        Token::Word(word) => word.quote_style.is_none() && next.span.start != sign.span.end,
        _ => true,
    }
}

fn percent(parser: &Parser, left: &Expr, sign: TokenWithSpan) -> Result<Expr, ParserError> {
    match left {
        Expr::Value(sql::ValueWithSpan { value: Value::Number(digits, long), span }) if is_plain(digits) => {
            Ok(Expr::Value(Value::Number(hundredth(digits), *long).with_span(span.union(&sign.span))))
        }
        _ => parser.expected("a plain number before `%`", sign),
    }
}

fn is_plain(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The decimal text of a hundredth, exactly: `3.5` gives `0.035`.
fn hundredth(digits: &str) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{whole:0>3}");
    let (whole, moved) = padded.split_at(padded.len() - 2);
    format!("{whole}.{moved}{fraction}")
}

/// The rest of `x filter (where p)`.
fn parse_filter(parser: &mut Parser, left: &Expr, at: Span) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    parser.expect_keyword(Keyword::WHERE)?;
    let condition = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(call("bell_filter", at, vec![left.clone(), condition]))
}

/// The rest of `x per d`, `x per (d, e)`.
fn parse_per(parser: &mut Parser, left: &Expr, at: Span) -> Result<Expr, ParserError> {
    let mut arguments = vec![left.clone()];
    arguments.append(&mut parse_keys(parser)?);
    Ok(call("bell_per", at, arguments))
}

/// `d` or `(d, e)` after `per`.
pub(super) fn parse_keys(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(vec![parse_path(parser)?]);
    }
    let keys = parser.parse_comma_separated(parse_path)?;
    parser.expect_token(&Token::RParen)?;
    Ok(keys)
}
