//! Sources: do the declared columns, keys and partitions exist?

use datafusion::arrow::datatypes::SchemaRef;

use super::declare::{Declared, item_of};
use super::{Checker, Failure, Table, Tables};
use crate::catalog::SourceId;
use crate::catalog::calendar::Calendar;
use crate::catalog::source::{Source, SourceColumn};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::syntax::ast::{self, ItemKind, Name};

const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl<'a> Checker<'a> {
    /// The calendar settings: the first nameless `calendar` of the project.
    pub(crate) fn check_calendar(&mut self, files: &'a [ast::File]) {
        let mut settings = None;
        for item in files.iter().flat_map(|file| &file.items) {
            let ItemKind::Calendar(calendar) = &item.kind else { continue };
            if let Some(name) = &calendar.name {
                self.report(
                    Diagnostic::new(codes::NOT_YET_ITEM, "a calendar from a table is not yet supported")
                        .labelled(name.span, "this item is left out; everything else works"),
                );
            } else if let Some(first) = settings {
                self.report(
                    Diagnostic::new(codes::DUPLICATE_NAME, "the project's calendar is declared twice")
                        .labelled(item.span, "declared again here")
                        .also(first, "first declared here"),
                );
            } else {
                settings = Some(item.span);
                self.catalog.calendar = self.calendar_of(calendar);
            }
        }
    }

    fn calendar_of(&mut self, calendar: &ast::Calendar) -> Calendar {
        let week_start = calendar.week_starts.as_ref().map(|name| self.position_in(name, WEEKDAYS, "day of the week"));
        let fiscal = calendar.fiscal_year_starts.as_ref().map(|name| self.position_in(name, MONTHS, "month"));
        let timezone = calendar.timezone.as_ref().and_then(|zone| match zone.text.parse::<chrono_tz::Tz>() {
            Ok(_) => Some(zone.text.clone()),
            Err(_) => {
                self.report(
                    Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a time zone", zone.text))
                        .at(zone.span)
                        .help("use a name of the IANA database, such as 'Asia/Shanghai' or 'Europe/Berlin'"),
                );
                None
            }
        });
        Calendar { timezone, week_start: week_start.unwrap_or(0), fiscal_start: fiscal.unwrap_or(0) + 1 }
    }

    fn position_in(&mut self, name: &Name, known: &[&str], what: &str) -> u8 {
        match known.iter().position(|word| word.eq_ignore_ascii_case(&name.text)) {
            Some(at) => at as u8,
            None => {
                let mut diagnostic =
                    Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a {what}", name.text)).at(name.span);
                if let Some(near) = nearest(&name.text, known.iter().copied()) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                self.report(diagnostic);
                0
            }
        }
    }

    /// Columns, keys and partitions of every source whose table is there.
    pub(crate) fn check_sources(&mut self, tables: &Tables) {
        for declared in self.declared.sources.clone() {
            let key = (declared.package.to_string(), declared.tree.name.text.clone());
            if let Some(table) = tables.get(&key) {
                let result = self.source_of(declared, table);
                if let Some(source) = self.keep(result) {
                    let id = SourceId(self.catalog.sources.len() as u32);
                    self.catalog.source_names.insert(key, id);
                    self.catalog.sources.push(source);
                    self.package(declared.package).sources.push(id);
                }
            }
        }
    }

    fn source_of(&mut self, declared: Declared<'a, &'a ast::Source>, table: &Table) -> Result<Source, Failure> {
        let tree = declared.tree;
        let columns = self.columns_of(tree, &table.schema);
        let mut item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let mut source = Source {
            item,
            rows: table.rows.clone(),
            location: location_of(tree),
            columns,
            filter: None,
            keys: vec![],
            time: None,
            joins: vec![],
        };
        for key in &tree.keys {
            let columns = key.iter().map(|name| self.column_of(&source, name)).collect::<Result<Vec<_>, _>>();
            if let Some(columns) = self.keep(columns) {
                source.keys.push(columns);
            }
        }
        Ok(source)
    }

    fn columns_of(&mut self, tree: &ast::Source, schema: &SchemaRef) -> Vec<SourceColumn> {
        let mut columns: Vec<SourceColumn> = schema
            .fields()
            .iter()
            .map(|field| SourceColumn {
                name: field.name().clone(),
                label: None,
                data_type: field.data_type().clone(),
                nullable: field.is_nullable(),
                hidden: false,
                computed: None,
            })
            .collect();
        for spec in tree.columns.iter().filter(|spec| spec.computed.is_none()) {
            match columns.iter_mut().find(|column| column.name == spec.name.text) {
                Some(column) => {
                    column.hidden = spec.hidden;
                    column.label = spec.labels.default.as_ref().map(|label| label.text.clone());
                }
                None => self.report(unknown_column(&tree.name.text, &spec.name, &columns)),
            }
        }
        columns
    }

    /// The position of a column that a clause of the source names.
    pub(crate) fn column_of(&self, source: &Source, name: &Name) -> Result<usize, Failure> {
        match source.column(&name.text) {
            Some(at) => Ok(at),
            None => Err(unknown_column(&source.item.name, name, &source.columns).into()),
        }
    }
}

/// "source `orders` has no column `amout`", with the nearest name or all names.
pub(crate) fn unknown_column(source: &str, name: &Name, columns: &[SourceColumn]) -> Diagnostic {
    let known = columns.iter().map(|column| column.name.as_str());
    let diagnostic = Diagnostic::new(codes::UNKNOWN_COLUMN, format!("source `{source}` has no column `{}`", name.text))
        .at(name.span);
    match nearest(&name.text, known.clone()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("its columns are {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn location_of(tree: &ast::Source) -> String {
    match &tree.from {
        Some(ast::From::Files { format, locations, .. }) => {
            let paths: Vec<&str> = locations.iter().map(|location| location.text.as_str()).collect();
            format!("{} {}", format.text, paths.join(", "))
        }
        Some(ast::From::Query { .. }) => "query".to_string(),
        Some(ast::From::Table(path)) => {
            let parts: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
            format!("table {}", parts.join("."))
        }
        None => String::new(),
    }
}
