//! Items and clauses that are read whole, but not answered yet.

use super::ast::{Later, LaterClause, Name};
use super::cursor::{Node, Rule};
use super::exprs;
use crate::diagnostic::Diagnostic;

/// An item of which only the shape is kept.
pub(super) fn item(node: &Node) -> Result<Later, Diagnostic> {
    check_expressions(node)?;
    let name = node.find(Rule::name).map(|name| name.to_name());
    let declares = match node.rule() {
        Rule::template => name.iter().cloned().collect(),
        _ => vec![],
    };
    Ok(Later { keyword: keyword(node), name, declares, clauses: clauses(node) })
}

/// A clause of an indicator of which only the keyword is kept.
pub(super) fn clause_of_indicator(node: &Node) -> Result<Name, Diagnostic> {
    check_expressions(node)?;
    Ok(keyword(node))
}

/// Only expressions that can be read are accepted; a question may stand in the brackets of `status(gmv by region)`.
fn check_expressions(node: &Node) -> Result<(), Diagnostic> {
    node.children().filter(|child| child.rule() != Rule::question).try_for_each(|child| match child.rule() {
        Rule::expr => exprs::expression(child.file(), child.span()).map(drop),
        _ => check_expressions(&child),
    })
}

/// The word that an item or a clause begins with.
fn keyword(node: &Node) -> Name {
    let span = exprs::word_at(node.file(), node.span().start as usize);
    Name { text: node.file().text[span.range()].to_ascii_lowercase(), span }
}

fn clauses(node: &Node) -> Vec<LaterClause> {
    node.children()
        .map(|child| (format!("{:?}", child.rule()), child))
        .filter(|(kind, _)| is_content(kind))
        .map(clause)
        .collect()
}

fn clause((kind, node): (String, Node)) -> LaterClause {
    LaterClause { kind, span: node.span(), clauses: clauses(&node) }
}

/// Keywords and signs say nothing that the clause's kind does not say.
fn is_content(kind: &str) -> bool {
    !["kw_", "open", "close", "equals"].iter().any(|sign| kind.starts_with(sign))
}
