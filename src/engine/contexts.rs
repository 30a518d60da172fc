//! `AT (…)` in SQL: `x AT (A)` over markers becomes markers with modifiers, `measure(gmv, bell_all(region))`.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, Tokenizer};

use super::prepass::{inner, is_marker};
use crate::catalog::calendar::{Calendar, Grain, TimePart};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::SourceFile;
use crate::syntax::dialect::{BellDialect, Text};
use crate::syntax::span_of;

/// Moves every `AT (…)` and the `FILTER`s after it into the markers that they are about.
///
/// # Errors
/// A located diagnostic, where `AT` stands on something without an indicator.
pub fn distribute(file: &SourceFile, calendar: &Calendar, statement: &mut DfStatement) -> Result<(), Diagnostic> {
    let Some(statement) = inner(statement) else { return Ok(()) };
    match statement.visit(&mut Distribution { file, calendar }) {
        ControlFlow::Break(diagnostic) => Err(*diagnostic),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Distribution<'f> {
    file: &'f SourceFile,
    calendar: &'f Calendar,
}

impl VisitorMut for Distribution<'_> {
    type Break = Box<Diagnostic>;

    /// Inner ones are in place before outer ones, whose modifiers act first and so stand before theirs.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        let at = is_call(call, "bell_at");
        if !at && !is_call(call, "bell_filter") {
            return ControlFlow::Continue(());
        }
        let mut args = arguments(call).into_iter();
        let Some(mut operand) = args.next() else { return ControlFlow::Continue(()) };
        let others: Vec<Expr> = args.map(|modifier| with_grains(modifier, self.calendar)).collect();
        let mut markers = Markers { found: 0, others: &others, at };
        let _ = operand.visit(&mut markers);
        if markers.found == 0 {
            return ControlFlow::Break(Box::new(self.no_indicator(call, &operand)));
        }
        *expr = match operand {
            operand @ (Expr::Function(_) | Expr::Nested(_)) => operand,
            operand => Expr::Nested(Box::new(operand)),
        };
        ControlFlow::Continue(())
    }
}

impl Distribution<'_> {
    fn no_indicator(&self, call: &Function, operand: &Expr) -> Diagnostic {
        let word = if is_call(call, "bell_at") { "AT" } else { "FILTER" };
        let diagnostic = Diagnostic::new(
            codes::NOT_AN_INDICATOR,
            format!("`{word}` changes how an indicator is evaluated, and there is none in `{operand}`"),
        )
        .help(format!("put it after an indicator: `MEASURE(gmv) {word} (…)`"));
        let span = span_of(self.file, operand.span()).or_else(|| span_of(self.file, call.span()));
        match span {
            Some(span) => diagnostic.at(span),
            None => diagnostic,
        }
    }
}

/// Puts modifiers, or a filter, into every marker of an expression.
struct Markers<'o> {
    found: usize,
    others: &'o [Expr],
    at: bool,
}

impl VisitorMut for Markers<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        if !is_marker(call) {
            return ControlFlow::Continue(());
        }
        self.found += 1;
        if self.at {
            insert_arguments(call, self.others);
        } else if let [condition] = self.others {
            let condition = Expr::Nested(Box::new(condition.clone()));
            let both = match call.filter.take() {
                Some(filter) => Expr::BinaryOp {
                    left: Box::new(Expr::Nested(filter)),
                    op: datafusion::sql::sqlparser::ast::BinaryOperator::And,
                    right: Box::new(condition),
                },
                None => condition,
            };
            call.filter = Some(Box::new(both));
        }
        ControlFlow::Continue(())
    }
}

/// Puts arguments behind the first one.
fn insert_arguments(call: &mut Function, arguments: &[Expr]) {
    if let FunctionArguments::List(list) = &mut call.args {
        let after = 1.min(list.args.len());
        let unnamed = |expr: &Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
        list.args.splice(after..after, arguments.iter().map(unnamed));
    }
}

/// Bare grains in a modifier are grains of the time axis, also those of a calendar from a table: they become texts, since
/// no column is called so.
fn with_grains(modifier: Expr, calendar: &Calendar) -> Expr {
    let Expr::Function(mut call) = modifier else { return modifier };
    let all = ["bell_first", "bell_last", "bell_all"].iter().any(|name| is_call(&call, name));
    // The value of a `set` is an expression like any other.
    let named = if all { usize::MAX } else { usize::from(is_call(&call, "bell_set")) };
    if let FunctionArguments::List(list) = &mut call.args {
        for arg in list.args.iter_mut().take(named) {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
                && let Expr::Identifier(name) = expr
                && let Some(grain) = grain_named(name, calendar)
            {
                *expr = Expr::Value(Value::SingleQuotedString(grain).with_span(name.span));
            }
        }
    }
    Expr::Function(call)
}

/// The grain that a bare name means, as its own name.
fn grain_named(name: &Ident, calendar: &Calendar) -> Option<String> {
    let lower = name.value.to_lowercase();
    let is_period = |name: &String| matches!(TimePart::named(name, calendar), Some(TimePart::Period(_)));
    match name.quote_style {
        None if Grain::named(&lower).is_some() => Some(lower),
        // SQL folds a name that is not quoted; a period may need the quotes.
        None => Some(lower).filter(is_period),
        Some(_) => Some(name.value.clone()).filter(is_period),
    }
}

/// `x AT (…)` as it is written, for the name of its column, without the marker around an indicator; `None` for other
/// expressions.
pub fn spoken(file: &SourceFile, expr: &Expr) -> Option<String> {
    let Expr::Function(call) = expr else { return None };
    if !is_call(call, "bell_at") && !is_call(call, "bell_filter") {
        return None;
    }
    let operand = match shown_arguments(call).first()? {
        Expr::Function(inner) if is_marker(inner) && inner.filter.is_none() => {
            match shown_arguments(inner).as_slice() {
                [Expr::CompoundIdentifier(parts)] => parts.last()?.to_string(),
                [only] => only.to_string(),
                _ => return None,
            }
        }
        other => spoken(file, other).unwrap_or_else(|| other.to_string()),
    };
    Some(format!("{operand} {}", in_brackets(file, call.name.span())?))
}

/// The text from a word to the end of the brackets behind it, in one line and without comments.
fn in_brackets(file: &SourceFile, word: Span) -> Option<String> {
    let rest = file.text.get(span_of(file, word)?.start as usize..)?;
    let dialect = BellDialect::new(Text::Statement);
    let (mut text, mut depth) = (String::new(), 0);
    for token in Tokenizer::new(&dialect, rest).tokenize().ok()? {
        match token {
            Token::Whitespace(_) if text.ends_with([' ', '(']) => {}
            Token::Whitespace(_) => text.push(' '),
            Token::RParen => {
                text.truncate(text.trim_end().len());
                text.push(')');
                depth -= 1;
                if depth == 0 {
                    return Some(text);
                }
            }
            token => {
                depth += i32::from(token == Token::LParen);
                text.push_str(&token.to_string());
            }
        }
    }
    None
}

fn shown_arguments(call: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &call.args else { return vec![] };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

fn arguments(call: &mut Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &mut call.args else { return vec![] };
    std::mem::take(&mut list.args)
        .into_iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

fn is_call(call: &Function, name: &str) -> bool {
    let ObjectName(parts) = &call.name;
    matches!(parts.as_slice(), [part] if part.as_ident().is_some_and(|ident| ident.value == name))
}
