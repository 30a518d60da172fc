//! `FROM explain_change('gmv', base => '2026-09', …)` through our own entrance: named arguments, and errors at the very
//! place in the text.
//!
//! DataFusion's planner drops named arguments without a word, so the call is replaced by a table of its own before the
//! statement is planned.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Spanned, TableAlias, TableFactor, TableFunctionArgs, Value,
    VisitMut, VisitorMut,
};

use super::Engine;
use super::changes::{EXPLAIN_CHANGE, NAMES, set};
use super::computed::{Computed, Places};
use super::prepass::{inner, normal};
use crate::analysis::{Argument, Change, Model};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::{Error, Result};
use crate::source::{SourceFile, SourceSet, Span};
use crate::store::statement::KnownTables;
use crate::syntax::span_of;

/// Replaces the calls of a statement by tables, and gives these.
///
/// # Errors
/// [`Error::Diagnostics`] that point into `file`.
pub(super) fn replace(engine: &Engine, file: &SourceFile, statement: &mut DfStatement) -> Result<KnownTables> {
    let mut tables = KnownTables::new();
    let Some(statement) = inner(statement) else { return Ok(tables) };
    let mut pass = Pass { engine, file, tables: &mut tables };
    match statement.visit(&mut pass) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(tables),
    }
}

struct Pass<'p> {
    engine: &'p Engine,
    file: &'p SourceFile,
    tables: &'p mut KnownTables,
}

impl VisitorMut for Pass<'_> {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table { name, alias, args: args @ Some(_), .. } = factor else {
            return ControlFlow::Continue(());
        };
        let called =
            matches!(name.0.as_slice(), [only] if only.as_ident().is_some_and(|it| normal(it) == EXPLAIN_CHANGE));
        let Some(given) = args.take_if(|_| called) else { return ControlFlow::Continue(()) };
        let place = span_of(self.file, name.span()).unwrap_or(whole(self.file));
        match self.table(&given, place) {
            Ok(table) => {
                let own = format!("{EXPLAIN_CHANGE} {}", self.tables.len());
                self.tables.insert(TableReference::bare(own.clone()), provider_as_source(Arc::new(table)));
                *name = ObjectName::from(vec![Ident::with_quote('"', own)]);
                alias.get_or_insert_with(|| TableAlias {
                    explicit: false,
                    name: Ident::new(EXPLAIN_CHANGE),
                    columns: vec![],
                    at: None,
                });
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// A text among the arguments, with the place of its first character.
struct Given {
    argument: Argument,
    place: Span,
}

impl Pass<'_> {
    fn table(&self, args: &TableFunctionArgs, place: Span) -> Result<Computed> {
        let (change, given) = self.change(args, place)?;
        let state = self.engine.context().state();
        let mut model = Model {
            catalog: self.engine.catalog(),
            functions: &self.engine.functions,
            options: state.config_options(),
            sources: SourceSet::clone(self.engine.sources()),
        };
        let first = model.sources.files().len();
        let prepared = change.prepare(&mut model);
        let texts = change.texts().into_iter().scan(Vec::new(), |seen: &mut Vec<Argument>, (argument, _)| {
            let number = seen.iter().filter(|known| **known == argument).count();
            seen.push(argument);
            Some(given.iter().filter(|given| given.argument == argument).nth(number).map(|given| given.place))
        });
        let places = Places::Statement { first, texts: texts.collect(), call: place };
        match prepared {
            Ok(analysis) => Ok(Computed::new(analysis, places)),
            Err(Error::Diagnostics(list)) => {
                Err(Error::Diagnostics(list.into_iter().map(|diagnostic| places.shown(diagnostic)).collect()))
            }
            Err(other) => Err(other),
        }
    }

    /// The question, and where its texts stand.
    fn change(&self, args: &TableFunctionArgs, place: Span) -> Result<(Change, Vec<Given>)> {
        let mut change = Change::default();
        let mut given = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (at, argument) in args.args.iter().enumerate() {
            let (name, value) = match argument {
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => (normal(name), value),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if at < NAMES.len() => {
                    (NAMES[at].to_string(), value)
                }
                _ => return Err(unfit("it takes texts, each under its name: `base => '2026-09'`", place).into()),
            };
            let value_place = span_of(self.file, value.span()).unwrap_or(place);
            let Some(text) = literal(value) else {
                return Err(unfit(&format!("`{name}` takes a text, and `{value}` is none"), value_place).into());
            };
            let Some(text) = text else { continue };
            let name_place = match argument {
                FunctionArg::Named { name, .. } => span_of(self.file, name.span).unwrap_or(value_place),
                _ => value_place,
            };
            let known = NAMES.iter().find(|known| **known == name);
            if known.is_some_and(|known| seen.contains(known)) {
                return Err(unfit(&format!("`{name}` is given twice"), name_place).into());
            }
            let wrong = if known.is_some() { value_place } else { name_place };
            set(&mut change, &name, text).map_err(|diagnostic| diagnostic.at(wrong))?;
            seen.extend(known);
            given.extend(places(&name, text, value_place));
        }
        if change.indicator.is_empty() {
            return Err(unfit("the first argument is the indicator that is explained", place).into());
        }
        Ok((change, given))
    }
}

/// Where the texts of an argument begin: behind the quote, and behind each comma of a list.
fn places(name: &str, text: &str, literal: Span) -> Vec<Given> {
    let begin = literal.start as usize + 1;
    let one = |argument| vec![Given { argument, place: Span::new(literal.file, begin, begin + text.len()) }];
    match name {
        "indicator" => one(Argument::Indicator),
        "base" => one(Argument::Base),
        "current" => one(Argument::Current),
        "where" => one(Argument::Where),
        "base_where" => one(Argument::BaseWhere),
        "current_where" => one(Argument::CurrentWhere),
        "by" => {
            let mut at = begin;
            let mut found = Vec::new();
            for piece in text.split(',') {
                let own = piece.trim();
                if !own.is_empty() {
                    let start = at + piece.len() - piece.trim_start().len();
                    let place = Span::new(literal.file, start, start + own.len());
                    found.push(Given { argument: Argument::By, place });
                }
                at += piece.len() + 1;
            }
            found
        }
        _ => vec![],
    }
}

/// The text that an argument is; `Some(None)` for NULL, which is as if it were left out.
fn literal(expr: &Expr) -> Option<Option<&str>> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::SingleQuotedString(text) => Some(Some(text)),
        Value::Null => Some(None),
        _ => None,
    }
}

fn unfit(message: &str, place: Span) -> Diagnostic {
    Diagnostic::new(codes::REQUEST, format!("`{EXPLAIN_CHANGE}`: {message}")).at(place).help(format!(
        "write `{EXPLAIN_CHANGE}('gmv', base => '2026-09', current => '2026-10', by => 'region, channel')`"
    ))
}

fn whole(file: &SourceFile) -> Span {
    Span::new(file.id, 0, file.text.len())
}
