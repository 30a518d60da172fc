//! Where in a SQL text a refusal belongs.
//!
//! DataFusion's errors and our rule's refusals name things, and mostly carry no place. The text's own words do: the
//! first word that the message names is the place.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::SchemaProvider;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::register::as_package;
use crate::check::refused::unfit_argument;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Error;
use crate::source::{SourceFile, Span};
use crate::syntax::dialect::{BellDialect, Text};
use crate::syntax::span_of;

/// The words of a SQL text, folded as SQL folds them, with their places.
pub struct Words {
    words: Vec<(String, Span)>,
}

impl Words {
    /// The words of a text; none, if it cannot be split into tokens.
    pub fn of(file: &SourceFile) -> Self {
        let dialect = BellDialect::new(Text::Statement);
        let tokens = Tokenizer::new(&dialect, &file.text).tokenize_with_location().unwrap_or_default();
        let words = tokens.into_iter().filter_map(|token| {
            let Token::Word(word) = token.token else { return None };
            let text = if word.quote_style.is_some() { word.value } else { word.value.to_lowercase() };
            Some((text, span_of(file, token.span)?))
        });
        Words { words: words.collect() }
    }

    /// All words, each once.
    pub fn all(&self) -> HashSet<String> {
        self.words.iter().map(|(word, _)| word.clone()).collect()
    }

    /// Whether one of these is among them, in any case.
    pub fn any_of(&self, wanted: &[&str]) -> bool {
        self.words.iter().any(|(word, _)| wanted.iter().any(|it| word.eq_ignore_ascii_case(it)))
    }

    /// The first place of a word.
    fn place(&self, word: &str) -> Option<Span> {
        let folded = word.to_lowercase();
        let exact = self.words.iter().find(|(text, _)| text == word);
        exact.or_else(|| self.words.iter().find(|(text, _)| *text == folded)).map(|(_, span)| *span)
    }

    /// For messages that name nothing: the first `MEASURE`, or else the statement's first word.
    fn some_marker(&self) -> Option<Span> {
        let marker = self.words.iter().find(|(text, _)| is_function_word(text) && text != "indicators");
        marker.or_else(|| self.words.first()).map(|(_, span)| *span)
    }

    /// The place of the first word that a message names in backticks, whole or by its parts.
    fn named_in(&self, message: &str) -> Option<Span> {
        message.split('`').skip(1).step_by(2).find_map(|name| {
            let parts = name.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
            self.place(name).or_else(|| parts.filter(|p| !is_function_word(p)).find_map(|part| self.place(part)))
        })
    }
}

fn is_function_word(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "measure" | "agg" | "aggregate" | "indicators")
}

/// The error with its place in the text, as far as it can be told.
pub fn located(error: Error, words: &Words, ctx: &SessionContext) -> Error {
    match error {
        Error::Diagnostics(list) => Error::Diagnostics(list.into_iter().map(|d| placed(d, words)).collect()),
        Error::Engine(error) => match explained(&error, ctx) {
            Some(diagnostic) => placed(diagnostic, words).into(),
            None => Error::Engine(error),
        },
        other => other,
    }
}

fn placed(diagnostic: Diagnostic, words: &Words) -> Diagnostic {
    if diagnostic.primary.is_some() {
        return diagnostic;
    }
    let span = words.named_in(&diagnostic.message);
    let noted = || diagnostic.notes.iter().find_map(|note| words.named_in(note));
    match span.or_else(noted).or_else(|| words.some_marker()) {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// A planning error of DataFusion's as one of ours; `None` for what is not the question's fault.
fn explained(error: &DataFusionError, ctx: &SessionContext) -> Option<Diagnostic> {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => Some(schema_error(error, ctx)),
        DataFusionError::Plan(message) | DataFusionError::NotImplemented(message) => Some(plan_error(message, ctx)),
        DataFusionError::Internal(message) => unfit(message),
        DataFusionError::Diagnostic(_, inner) => explained(inner, ctx),
        DataFusionError::Collection(errors) => errors.first().and_then(|error| explained(error, ctx)),
        _ => None,
    }
}

fn schema_error(error: &SchemaError, ctx: &SessionContext) -> Diagnostic {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return Diagnostic::new(codes::SQL, error.to_string());
    };
    let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no column `{}` here", field.name));
    if let Some(view) = event_view(valid_fields, ctx) {
        return match nearest(&field.name, valid_fields.iter().map(Column::name)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic
                .note(format!("`{view}` has columns of its own, and the dimensions that its first rows reach"))
                .help(format!("`SHOW DIMENSIONS FOR {view}` lists these")),
        };
    }
    // An indicator view is planned with the columns that the text names: the others are in its package.
    let members = members(ctx);
    let known = valid_fields.iter().map(Column::name).chain(members.iter().map(String::as_str));
    match nearest(&field.name, known.filter(|name| *name != field.name)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`SHOW INDICATORS` and `SHOW DIMENSIONS` list what the views have"),
    }
}

/// The funnel or cohort that columns are from.
fn event_view(columns: &[Column], ctx: &SessionContext) -> Option<String> {
    let schemas = schemas(ctx);
    columns.iter().filter_map(|column| column.relation.as_ref()).find_map(|relation| {
        let of = |name: &str| relation.schema().is_none_or(|schema| schema == name);
        let mut packages = schemas.iter().filter(|(name, _)| of(name)).filter_map(|(_, schema)| as_package(schema));
        packages.any(|package| package.own_columns(relation.table()).is_some()).then(|| relation.table().to_string())
    })
}

/// The column that a statement neither groups by nor aggregates, by its last name.
fn ungrouped(message: &str) -> Option<&str> {
    let (before, _) = message.split_once("\" must appear in the GROUP BY clause")?;
    let column = before.rsplit('"').next()?;
    column.rsplit('.').next()
}

fn unfit(message: &str) -> Option<Diagnostic> {
    let (message, help) = unfit_argument(message)?;
    Some(help.into_iter().fold(Diagnostic::new(codes::SQL, message), Diagnostic::help))
}

fn plan_error(message: &str, ctx: &SessionContext) -> Diagnostic {
    if let Some(diagnostic) = unfit(message) {
        return diagnostic;
    }
    if let Some(column) = ungrouped(message) {
        return Diagnostic::new(codes::SQL, format!("`{column}` is neither grouped by nor in an aggregate"))
            .help(format!("add `{column}` to GROUP BY, or put it into an aggregate"));
    }
    let table = message.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
    let Some(table) = table else { return Diagnostic::new(codes::SQL, message.lines().next().unwrap_or(message)) };
    let last = table.rsplit('.').next().unwrap_or(table);
    // Without the catalog, which nobody writes.
    let written = table.split_once('.').map_or(table, |(_, rest)| rest);
    let diagnostic = Diagnostic::new(codes::UNKNOWN_TABLE, format!("there is no table or view `{written}`"));
    let known = relations(ctx);
    match nearest(last, known.iter().map(|(_, name)| name.as_str())) {
        Some(near) => {
            let schema = known.iter().find(|(_, name)| name == near).map(|(schema, _)| schema.as_str());
            diagnostic.help(format!("did you mean `{}.{near}`?", schema.unwrap_or_default()))
        }
        None => {
            diagnostic.help("views are written with their package: `retail.indicators`; `bell list views` lists them")
        }
    }
}

/// The tables and views of all schemas.
fn relations(ctx: &SessionContext) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = schemas(ctx)
        .into_iter()
        .flat_map(|(name, schema)| schema.table_names().into_iter().map(move |table| (name.clone(), table)))
        .collect();
    // In one order, so that suggestions do not change; the catalog's own tables are what is meant least often.
    found.sort_by_key(|(schema, table)| {
        (schema == "bell" || schema == "information_schema", schema.clone(), table.clone())
    });
    found
}

/// The indicators and dimensions of all packages.
fn members(ctx: &SessionContext) -> Vec<String> {
    let schemas = schemas(ctx);
    schemas.iter().filter_map(|(_, schema)| as_package(schema)).flat_map(|package| package.members()).collect()
}

fn schemas(ctx: &SessionContext) -> Vec<(String, Arc<dyn SchemaProvider>)> {
    let default = ctx.state().config_options().catalog.default_catalog.clone();
    let Some(catalog) = ctx.catalog(&default) else { return vec![] };
    catalog.schema_names().into_iter().filter_map(|name| catalog.schema(&name).map(|schema| (name, schema))).collect()
}

/// sqlparser's refusal of a text.
pub fn syntax_error(file: &SourceFile, error: &DataFusionError) -> Diagnostic {
    if let DataFusionError::SQL(parsed, _) = error.find_root()
        && matches!(parsed.as_ref(), ParserError::RecursionLimitExceeded)
    {
        return Diagnostic::new(codes::SQL_SYNTAX, "the statement is nested too deeply")
            .at(Span::new(file.id, 0, file.text.len()))
            .help("name its parts: `WITH part AS (SELECT …)`");
    }
    let text = error.find_root().strip_backtrace();
    let text = text.trim_start_matches("SQL error: ").trim_start_matches("ParserError(\"").trim_end_matches("\")");
    let text = text.trim_start_matches("TokenizerError(\"");
    let (message, place) = match text.rsplit_once(" at Line: ") {
        Some((message, place)) => (message, line_and_column(place)),
        None => (text, None),
    };
    let diagnostic = Diagnostic::new(codes::SQL_SYNTAX, message.to_string());
    match place {
        Some((line, column)) => {
            let at = file.offset(line, column) as usize;
            let end = file.text[at..].char_indices().nth(1).map_or(file.text.len(), |(next, _)| at + next);
            diagnostic.at(Span::new(file.id, at, end))
        }
        None => diagnostic.at(Span::new(file.id, 0, file.text.len())),
    }
}

fn line_and_column(place: &str) -> Option<(usize, usize)> {
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some((line.parse().ok()?, digits.parse().ok()?))
}
