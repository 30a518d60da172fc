//! Looks at what the sources of a project name, once, before anything is checked.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast as sql;

use super::destination::{Destination, Missing as MissingFolder};
use super::manifest;
use super::reach::Reach;
use super::unpublished::{Awaited, Unpublished};
use super::{CsvOptions, Format, SourceSpec, replace_variables};
use crate::catalog::source::Rows;
use crate::check::functions::Functions;
use crate::check::{Table, Tables};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast::{self, From, ItemKind, Name, OptionValue};

/// The tables behind the sources of some files, what could not be opened, and how files are read.
#[derive(Default)]
pub struct Gathered {
    /// The tables that could be opened.
    pub tables: Tables,
    /// How the files of each source are read, for finding the culprit of a failed read.
    pub specs: Vec<SourceSpec>,
    /// One for each source that could not be opened, or awaits a publication.
    pub diagnostics: Vec<Diagnostic>,
    /// Those for which there is no file.
    pub missing: Vec<Missing>,
}

/// A source for which there is no file.
pub struct Missing {
    /// Its package and its name.
    pub name: (String, String),
    /// Where it was looked for, as written.
    pub location: String,
}

/// What is known of the sources before they are looked into.
pub struct Known<'k> {
    /// How far some are looked into.
    pub reaches: &'k Reaches,
    /// What some will be, by package and name, if they have no files.
    pub awaited: HashMap<(String, String), Awaited>,
}

/// How far some sources, by package and name, are looked into; the others are wholly.
pub type Reaches = HashMap<(String, String), Reach>;

/// The sources whose files lie in folders of partitions, and tell their columns each by itself.
pub fn in_folders(files: &[ast::File]) -> impl Iterator<Item = (String, String)> {
    let is_parquet = |source: &ast::Source| match &source.from {
        Some(From::Files { format, .. }) => format.text.eq_ignore_ascii_case("parquet"),
        _ => false,
    };
    sources_of(files)
        .filter(move |(_, source)| !source.partitions.is_empty() && is_parquet(source))
        .map(|(package, source)| (package.to_string(), source.name.text.clone()))
}

/// Opens every source of the files; relative locations begin at `root`.
pub async fn gather(
    root: &Path,
    files: &[ast::File],
    known: &Known<'_>,
    ctx: &SessionContext,
    functions: &Functions,
) -> Gathered {
    let mut gathered = Gathered::default();
    let mut queries = Vec::new();
    for (package, source) in sources_of(files) {
        let opened = match &source.from {
            Some(From::Query { query, span }) => {
                queries.push((package, source, query.as_ref(), *span));
                continue;
            }
            Some(From::Table(path)) => registered(path, ctx).await,
            Some(From::Files { .. }) => {
                let name = (package.to_string(), source.name.text.clone());
                open_files(root, source, name, known, ctx, functions, &mut gathered).await
            }
            None => Err(no_from(source)),
        };
        match opened {
            Ok(provider) => gathered.add(package, source, provider),
            Err(diagnostic) => gathered.diagnostics.push(diagnostic),
        }
    }
    plan_queries(queries, ctx, &mut gathered).await;
    gathered
}

impl Gathered {
    fn add(&mut self, package: &str, source: &ast::Source, provider: Arc<dyn TableProvider>) {
        let schema = provider.schema();
        let table = Table { rows: Rows::Table(provider_as_source(provider)), schema };
        self.tables.insert((package.to_string(), source.name.text.clone()), table);
    }
}

fn sources_of(files: &[ast::File]) -> impl Iterator<Item = (&str, &ast::Source)> {
    files.iter().flat_map(|file| {
        let package = file.package.as_ref().map_or(crate::check::DEFAULT_PACKAGE, |package| package.name.text.as_str());
        file.items.iter().filter_map(move |item| match &item.kind {
            ItemKind::Source(source) => Some((package, source)),
            _ => None,
        })
    })
}

fn no_from(source: &ast::Source) -> Diagnostic {
    Diagnostic::new(codes::NO_FROM, format!("source `{}` does not say where its rows lie", source.name.text))
        .at(source.name.span)
        .help("add `from parquet 'path'`, `from csv 'path'`, `from query ( … )` or `from table name`")
}

async fn registered(path: &ast::Path, ctx: &SessionContext) -> Result<Arc<dyn TableProvider>, Diagnostic> {
    let parts: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
    let reference = match parts.as_slice() {
        [table] => TableReference::bare(*table),
        [schema, table] => TableReference::partial(*schema, *table),
        [catalog, schema, table] => TableReference::full(*catalog, *schema, *table),
        _ => return Err(no_table(path)),
    };
    ctx.table_provider(reference).await.map_err(|_| no_table(path))
}

fn no_table(path: &ast::Path) -> Diagnostic {
    let parts: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
    Diagnostic::new(codes::UNKNOWN_SOURCE, format!("the session has no table `{}`", parts.join(".")))
        .at(path.span)
        .help("`from table` names a table that the embedding program registered before opening the project")
}

async fn open_files(
    root: &Path,
    source: &ast::Source,
    name: (String, String),
    known: &Known<'_>,
    ctx: &SessionContext,
    functions: &Functions,
    gathered: &mut Gathered,
) -> Result<Arc<dyn TableProvider>, Diagnostic> {
    let (spec, location) = spec_of(root, source, functions)?;
    let reach = known.reaches.get(&name).unwrap_or(&Reach::All);
    let opened = super::open_within(&spec, reach, ctx).await;
    // Of several locations nobody can tell here which one is meant.
    let alone = spec.locations.len() == 1;
    let missing = alone && opened.as_ref().is_err_and(|error| error.code == codes::FILE_MISSING);
    if let (true, Some(awaited)) = (missing, known.awaited.get(&name)) {
        let is_empty = has_written_none(&location.text, &awaited.publication, root, ctx).await;
        let table = Unpublished::new(&spec, awaited, location.span, is_empty);
        gathered.diagnostics.extend(table.warning());
        return Ok(Arc::new(table));
    }
    if missing {
        gathered.missing.push(Missing { name, location: location.text.clone() });
    }
    gathered.specs.push(spec);
    opened.map_err(|error| error.into_diagnostic(&source.name.text).at(location.span))
}

/// Whether a publication has run there, and there was nothing to write.
async fn has_written_none(location: &str, publication: &str, root: &Path, ctx: &SessionContext) -> bool {
    let Ok(Some(found)) = Destination::find(location, root, MissingFolder::Leave, ctx) else { return false };
    match manifest::read(found.store.as_ref(), &found.folder, &found.shown).await {
        Ok(Some((manifest, _))) => manifest.publication == publication && manifest.files.is_empty(),
        _ => false,
    }
}

/// How its files are read, and the first place where they are said to lie.
fn spec_of<'s>(
    root: &Path,
    source: &'s ast::Source,
    functions: &Functions,
) -> Result<(SourceSpec, &'s ast::Text), Diagnostic> {
    let Some(From::Files { format, locations, options }) = &source.from else { return Err(no_from(source)) };
    let Some(first) = locations.first() else { return Err(no_from(source)) };
    let located = |location: &ast::Text| {
        replace_variables(&location.text, |name| std::env::var(name).ok())
            .map(|text| resolve_location(root, &text))
            .map_err(|error| error.into_diagnostic(&source.name.text).at(location.span))
    };
    let spec = SourceSpec {
        name: source.name.text.clone(),
        format: format_of(format, options)?,
        locations: locations.iter().map(located).collect::<Result<_, _>>()?,
        partitions: types_of(&source.partitions, functions)?
            .into_iter()
            .map(|(name, data_type)| (name, data_type.unwrap_or(datafusion::arrow::datatypes::DataType::Utf8)))
            .collect(),
        types: column_types(source, functions)?,
    };
    Ok((spec, first))
}

/// A URL as it is; a path, from the project's folder.
fn resolve_location(root: &Path, location: &str) -> String {
    let is_url = location
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.chars().all(char::is_alphanumeric));
    if is_url { location.to_string() } else { root.join(location).display().to_string() }
}

type TypedColumn = (String, Option<datafusion::arrow::datatypes::DataType>);

fn types_of(columns: &[ast::ColumnType], functions: &Functions) -> Result<Vec<TypedColumn>, Diagnostic> {
    columns.iter().map(|column| Ok((column.name.text.clone(), arrow_type(&column.data_type, functions)?))).collect()
}

fn column_types(
    source: &ast::Source,
    functions: &Functions,
) -> Result<Vec<(String, datafusion::arrow::datatypes::DataType)>, Diagnostic> {
    let mut types = Vec::new();
    for column in &source.columns {
        if let Some(data_type) = arrow_type(&column.data_type, functions)? {
            types.push((column.name.text.clone(), data_type));
        }
    }
    Ok(types)
}

fn arrow_type(
    data_type: &Option<(sql::DataType, Span)>,
    functions: &Functions,
) -> Result<Option<datafusion::arrow::datatypes::DataType>, Diagnostic> {
    let Some((data_type, span)) = data_type else { return Ok(None) };
    match functions.data_type(data_type) {
        Ok(found) => Ok(Some(found)),
        Err(error) => Err(crate::check::expression_error(&error, *span)),
    }
}

const FORMATS: &[&str] = &["parquet", "csv", "json", "arrow"];

fn format_of(format: &Name, options: &[(Name, OptionValue)]) -> Result<Format, Diagnostic> {
    match format.text.to_lowercase().as_str() {
        "parquet" => no_options(options, &[]).map(|()| Format::Parquet),
        "arrow" => no_options(options, &[]).map(|()| Format::Arrow),
        "json" => {
            no_options(options, &["compression"])?;
            Ok(Format::Json { compression: text_option(options, "compression") })
        }
        "csv" => csv_options(options).map(Format::Csv),
        other => {
            let diagnostic = Diagnostic::new(codes::BAD_VALUE, format!("`{other}` is not a format that can be read"))
                .at(format.span);
            Err(match nearest(other, FORMATS.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("formats are {}", FORMATS.join(", "))),
            })
        }
    }
}

const CSV: &[&str] = &["header", "delimiter", "quote", "escape", "comment", "null", "compression"];

fn csv_options(options: &[(Name, OptionValue)]) -> Result<CsvOptions, Diagnostic> {
    no_options(options, CSV)?;
    let mut csv = CsvOptions::default();
    for (name, value) in options {
        match name.text.to_lowercase().as_str() {
            "header" => csv.header = flag(value)?,
            "delimiter" => csv.delimiter = byte(value)?,
            "quote" => csv.quote = byte(value)?,
            "escape" => csv.escape = Some(byte(value)?),
            "comment" => csv.comment = Some(byte(value)?),
            "null" => csv.null = Some(text(value)),
            "compression" => csv.compression = Some(text(value)),
            _ => {}
        }
    }
    Ok(csv)
}

/// Refuses options that the format does not have.
fn no_options(options: &[(Name, OptionValue)], known: &[&str]) -> Result<(), Diagnostic> {
    for (name, _) in options {
        if !known.contains(&name.text.to_lowercase().as_str()) {
            let diagnostic =
                Diagnostic::new(codes::BAD_VALUE, format!("this format has no option `{}`", name.text)).at(name.span);
            return Err(match nearest(&name.text, known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if known.is_empty() => diagnostic.help("it has no options"),
                None => diagnostic.help(format!("its options are {}", known.join(", "))),
            });
        }
    }
    Ok(())
}

fn text_option(options: &[(Name, OptionValue)], name: &str) -> Option<String> {
    options.iter().find(|(option, _)| option.text.eq_ignore_ascii_case(name)).map(|(_, value)| text(value))
}

fn text(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text.text.clone(),
        OptionValue::Word(name) => name.text.clone(),
        OptionValue::Bool(flag, _) => flag.to_string(),
        OptionValue::Number(number, _) => number.clone(),
    }
}

fn span_of(value: &OptionValue) -> Span {
    match value {
        OptionValue::Text(text) => text.span,
        OptionValue::Word(name) => name.span,
        OptionValue::Bool(_, span) | OptionValue::Number(_, span) => *span,
    }
}

fn flag(value: &OptionValue) -> Result<bool, Diagnostic> {
    match value {
        OptionValue::Bool(flag, _) => Ok(*flag),
        other => Err(Diagnostic::new(codes::BAD_VALUE, "this option is true or false").at(span_of(other))),
    }
}

fn byte(value: &OptionValue) -> Result<u8, Diagnostic> {
    let written = text(value);
    match (written.as_bytes(), written.as_str()) {
        (_, "\\t") => Ok(b'\t'),
        ([byte], _) if byte.is_ascii() => Ok(*byte),
        _ => Err(Diagnostic::new(codes::BAD_VALUE, format!("`{written}` is not one ASCII character"))
            .at(span_of(value))
            .help("write one character, such as ';' or '\\t'")),
    }
}

type Query<'a> = (&'a str, &'a ast::Source, &'a sql::Query, Span);

/// Plans `from query` sources over the other sources and the session's tables; a query may use another query's source.
async fn plan_queries(mut queries: Vec<Query<'_>>, ctx: &SessionContext, gathered: &mut Gathered) {
    loop {
        let (mut waiting, mut failures) = (Vec::new(), Vec::new());
        let before = queries.len();
        for query in queries {
            match plan_query(&query, ctx, &gathered.tables).await {
                Ok(table) => {
                    gathered.tables.insert((query.0.to_string(), query.1.name.text.clone()), table);
                }
                Err(error) => {
                    waiting.push(query);
                    failures.push(error);
                }
            }
        }
        if waiting.is_empty() || waiting.len() == before {
            gathered.diagnostics.extend(failures);
            return;
        }
        queries = waiting;
    }
}

async fn plan_query(query: &Query<'_>, ctx: &SessionContext, tables: &Tables) -> Result<Table, Diagnostic> {
    let (package, source, tree, span) = query;
    let statement = Statement::Statement(Box::new(sql::Statement::Query(Box::new((*tree).clone()))));
    let named = |error: datafusion::error::DataFusionError| {
        let diagnostic = crate::check::expression_error(&error, *span);
        Diagnostic { message: format!("source `{}`: {}", source.name.text, diagnostic.message), ..diagnostic }
    };
    let mut known: HashMap<TableReference, Arc<dyn datafusion::logical_expr::TableSource>> = HashMap::new();
    for ((owner, name), table) in tables {
        let rows = crate::check::source_rows::named(owner, name, table);
        known.insert(TableReference::partial(owner.as_str(), name.as_str()), Arc::clone(&rows));
        if owner == package {
            known.insert(TableReference::bare(name.as_str()), rows);
        }
    }
    let plan = super::statement::plan_statement(&ctx.state(), statement, known).await.map_err(named)?;
    let schema = Arc::clone(plan.schema().inner());
    Ok(Table { rows: Rows::Query(Arc::new(plan)), schema })
}
