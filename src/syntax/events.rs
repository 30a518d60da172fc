//! Conversions, funnels and cohorts: what rows of one source lead to in another.

use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value};
use datafusion::sql::sqlparser::tokenizer::{Location, Span as TokenSpan};

use super::ast::{Cohort, EventRows, Every, Expr, Funnel, FunnelBy, Name, Step};
use super::cursor::{Node, Rule};
use super::dialect::{call, text};
use super::exprs;
use super::items::{conditions, expr, once};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// `conversion from a to b by e within 7 days matching m` as a call.
pub(super) fn conversion(node: &Node) -> Result<Expr, Diagnostic> {
    let path = |path: &Node| Ok(exprs::expression(path.file(), path.span())?.sql);
    let mut arguments = node.all(Rule::path).map(|node| path(&node)).collect::<Result<Vec<_>, Diagnostic>>()?;
    // From, to, by, within, counting; then what must match.
    let nothing = || SqlExpr::Value(Value::Null.with_empty_span());
    let within = match (node.find(Rule::duration), node.find(Rule::less_than)) {
        (Some(length), None) => duration(&length),
        (Some(length), Some(_)) => call("bell_less_than", place(node, length.span()), vec![duration(&length)]),
        (None, _) => nothing(),
    };
    let counting = match node.find(Rule::conversion_counting) {
        Some(counting) => path(&counting.must(Rule::path))?,
        None => nothing(),
    };
    arguments.splice(3..3, [within, counting]);
    let name = if node.find(Rule::kw_conversions).is_some() { "bell_conversions" } else { "bell_conversion" };
    let span = node.span();
    Ok(Expr { sql: call(name, place(node, span), arguments), span })
}

/// Reads a `funnel`.
pub(super) fn funnel(node: &Node) -> Result<Funnel, Diagnostic> {
    let mut funnel = Funnel { name: node.name(), labels: node.labels(), by: None, steps: vec![], owner: None };
    for clause in node.children() {
        match clause.rule() {
            Rule::funnel_by => {
                let length = clause.must(Rule::duration);
                let within = Expr { sql: duration(&length), span: length.span() };
                once(&mut funnel.by, FunnelBy { entity: expr(&clause)?, within }, &clause)?;
            }
            Rule::funnel_step => funnel.steps.push(Step {
                name: clause.name(),
                label: clause.labels().default,
                rows: event_rows(&clause)?,
            }),
            Rule::owner_clause => once(&mut funnel.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(funnel)
}

/// Reads a `cohort`.
pub(super) fn cohort(node: &Node) -> Result<Cohort, Diagnostic> {
    let mut cohort = Cohort {
        name: node.name(),
        labels: node.labels(),
        entity: None,
        starts: None,
        returns: None,
        every: None,
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::cohort_entity => {
                let entity = exprs::expression(clause.file(), clause.must(Rule::path).span())?;
                once(&mut cohort.entity, entity, &clause)?;
            }
            Rule::cohort_starts => once(&mut cohort.starts, event_rows(&clause)?, &clause)?,
            Rule::cohort_returns => once(&mut cohort.returns, event_rows(&clause)?, &clause)?,
            Rule::cohort_every => {
                let ages = clause
                    .find(Rule::number)
                    .map(|number| Name { text: number.text().trim_end().replace('_', ""), span: number.span() });
                once(&mut cohort.every, Every { grain: clause.name(), ages }, &clause)?;
            }
            Rule::owner_clause => once(&mut cohort.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(cohort)
}

fn event_rows(clause: &Node) -> Result<EventRows, Diagnostic> {
    Ok(EventRows { source: clause.must(Rule::path).to_path(), conditions: conditions(clause)? })
}

/// A length of time as expressions have it.
pub(super) fn duration(node: &Node) -> SqlExpr {
    let number = node.must(Rule::number);
    let digits = number.text().trim_end().replace('_', "");
    let amount = SqlExpr::Value(Value::Number(digits, false).with_span(place(node, number.span())));
    let unit = node.name();
    let word = unit.text.to_ascii_lowercase();
    let plural = if word.ends_with('s') { word } else { word + "s" };
    let span = place(node, unit.span);
    call("bell_duration", span, vec![amount, text(plural, span)])
}

/// A place of the file as the trees of expressions write it.
pub(super) fn place(node: &Node, span: Span) -> TokenSpan {
    let at = |offset: u32| {
        let (line, column) = node.file().line_column(offset);
        Location::new(line as u64, column as u64)
    };
    TokenSpan::new(at(span.start), at(span.end))
}
