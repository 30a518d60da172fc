//! `AT (…)` in SQL: `x AT (A)` over markers becomes markers with modifiers, `measure(gmv, bell_all(region))`.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned, Value, VisitMut,
    VisitorMut,
};

use super::prepass::{inner, is_marker};
use crate::catalog::calendar::Grain;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::SourceFile;
use crate::syntax::span_of;

/// Moves every `AT (…)` and the `FILTER`s after it into the markers that they are about.
///
/// # Errors
/// A located diagnostic, where `AT` stands on something without an indicator.
pub fn distribute(file: &SourceFile, statement: &mut DfStatement) -> Result<(), Diagnostic> {
    let Some(statement) = inner(statement) else { return Ok(()) };
    match statement.visit(&mut Distribution { file }) {
        ControlFlow::Break(diagnostic) => Err(*diagnostic),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Distribution<'f> {
    file: &'f SourceFile,
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
        let others: Vec<Expr> = args.map(with_grains).collect();
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

/// Bare grains in a modifier are grains of the time axis: they become texts, since no column is called so.
fn with_grains(modifier: Expr) -> Expr {
    let Expr::Function(mut call) = modifier else { return modifier };
    if ["bell_first", "bell_last", "bell_all"].iter().any(|name| is_call(&call, name))
        && let FunctionArguments::List(list) = &mut call.args
    {
        for arg in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
                && let Expr::Identifier(Ident { value, quote_style: None, span }) = expr
                && Grain::named(&value.to_lowercase()).is_some()
            {
                let text = Value::SingleQuotedString(value.to_lowercase()).with_span(*span);
                *expr = Expr::Value(text);
            }
        }
    }
    Expr::Function(call)
}

/// How `x AT (…)` is written, for the name of its column; `None` for other expressions.
pub fn spoken(expr: &Expr) -> Option<String> {
    let Expr::Function(call) = expr else { return None };
    let args = shown_arguments(call);
    let (operand, modifiers) = args.split_first()?;
    let operand = match operand {
        Expr::Function(inner) if is_marker(inner) && inner.filter.is_none() => {
            match shown_arguments(inner).as_slice() {
                [Expr::CompoundIdentifier(parts)] => parts.last()?.to_string(),
                [only] => only.to_string(),
                _ => return None,
            }
        }
        other => spoken(other).unwrap_or_else(|| other.to_string()),
    };
    if is_call(call, "bell_at") {
        let modifiers: Vec<String> = modifiers.iter().map(|modifier| modifier_text(modifier)).collect();
        return Some(format!("{operand} AT ({})", modifiers.join(", ")));
    }
    is_call(call, "bell_filter").then(|| format!("{operand} FILTER (WHERE {})", modifiers[0]))
}

fn modifier_text(modifier: &Expr) -> String {
    let Expr::Function(call) = modifier else { return modifier.to_string() };
    let name = call.name.to_string();
    let word = name.trim_start_matches("bell_").replace("to_date", "to date").to_uppercase();
    let args: Vec<String> = shown_arguments(call)
        .into_iter()
        .map(|arg| match arg {
            Expr::Function(inner) if is_call(inner, "bell_duration") => {
                shown_arguments(inner).iter().map(|part| as_word(part)).collect::<Vec<_>>().join(" ")
            }
            other if matches!(name.as_str(), "bell_to_date" | "bell_previous" | "bell_each" | "bell_start_of") => {
                as_word(other)
            }
            other => unquoted(other),
        })
        .collect();
    let joined = match name.as_str() {
        "bell_set" => args.join(" = "),
        "bell_first" | "bell_last" if args.len() > 1 => format!("{} PER {}", args[0], args[1..].join(", ")),
        _ => args.join(", "),
    };
    if joined.is_empty() { word } else { format!("{word} {joined}") }
}

/// Grains and units are texts in the tree, and words where they are written.
fn as_word(expr: &Expr) -> String {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// The same where a text may also be a value.
fn unquoted(expr: &Expr) -> String {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) if Grain::named(text).is_some() || text == "period" => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
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
