//! `FROM explain_change('gmv', base => '2026-09', …)` and the others through our own entrance: named arguments, and errors
//! at the very place in the text.
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
use super::computed::{Computed, Places};
use super::prepass::{inner, normal};
use crate::analysis::function::{Function, assign, function};
use crate::analysis::{Argument, Model};
use crate::catalog::stretch::now;
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
        let [only] = name.0.as_slice() else { return ControlFlow::Continue(()) };
        let called = only.as_ident().and_then(|it| function(&normal(it)));
        let (Some(mut function), Some(given)) = (called, args.clone()) else { return ControlFlow::Continue(()) };
        *args = None;
        let own_name = function.name();
        let place = span_of(self.file, name.span()).unwrap_or(whole(self.file));
        match self.table(function.as_mut(), &given, place) {
            Ok(table) => {
                let own = format!("{own_name} {}", self.tables.len());
                self.tables.insert(TableReference::bare(own.clone()), provider_as_source(Arc::new(table)));
                *name = ObjectName::from(vec![Ident::with_quote('"', own)]);
                alias.get_or_insert_with(|| TableAlias {
                    explicit: false,
                    name: Ident::new(own_name),
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
    fn table(&self, function: &mut dyn Function, args: &TableFunctionArgs, place: Span) -> Result<Computed> {
        let given = self.fill(function, args, place)?;
        let state = self.engine.context().state();
        let mut model = Model {
            catalog: self.engine.catalog(),
            functions: &self.engine.functions,
            options: state.config_options(),
            now: now(&self.engine.catalog().calendar),
            sources: SourceSet::clone(self.engine.sources()),
        };
        let first = model.sources.files().len();
        let prepared = function.prepare(&mut model);
        let texts = function.texts().into_iter().scan(Vec::new(), |seen: &mut Vec<Argument>, (argument, _)| {
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

    /// Gives the question its parts, and says where their texts stand.
    fn fill(&self, function: &mut dyn Function, args: &TableFunctionArgs, place: Span) -> Result<Vec<Given>> {
        let (names, example) = (function.arguments(), format!("write `{}`", function.example()));
        let called = function.name();
        let unfit = |message: &str, place: Span| {
            Diagnostic::new(codes::REQUEST, format!("`{called}`: {message}")).at(place).help(example.clone())
        };
        let mut given = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (at, argument) in args.args.iter().enumerate() {
            let (name, value) = match argument {
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => (normal(name), value),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if at < names.len() => {
                    (names[at].to_string(), value)
                }
                _ => return Err(unfit("it takes texts, each under its name: `where => '…'`", place).into()),
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
            let known = names.iter().find(|known| **known == name);
            if known.is_some_and(|known| seen.contains(known)) {
                return Err(unfit(&format!("`{name}` is given twice"), name_place).into());
            }
            let wrong = if known.is_some() { value_place } else { name_place };
            assign(function, &name, text).map_err(|diagnostic| diagnostic.at(wrong))?;
            seen.extend(known);
            given.extend(places(function, &name, text, value_place));
        }
        if let Some(needed) = function.needed().filter(|needed| !seen.contains(needed)) {
            return Err(unfit(&format!("the first argument is the {needed}"), place).into());
        }
        Ok(given)
    }
}

/// Where the texts of an argument begin: behind the quote, and behind each comma of a list.
fn places(function: &dyn Function, name: &str, text: &str, literal: Span) -> Vec<Given> {
    let Some(argument) = Argument::named(name) else { return vec![] };
    let begin = literal.start as usize + 1;
    if !function.lists().contains(&name) {
        return vec![Given { argument, place: Span::new(literal.file, begin, begin + text.len()) }];
    }
    let mut at = begin;
    let mut found = Vec::new();
    for piece in text.split(',') {
        let own = piece.trim();
        if !own.is_empty() {
            let start = at + piece.len() - piece.trim_start().len();
            found.push(Given { argument, place: Span::new(literal.file, start, start + own.len()) });
        }
        at += piece.len() + 1;
    }
    found
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

fn whole(file: &SourceFile) -> Span {
    Span::new(file.id, 0, file.text.len())
}
