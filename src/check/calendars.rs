//! The project's calendar, and calendars from tables.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use datafusion::arrow::datatypes::DataType;

use super::declare::{DEFAULT_PACKAGE, item_of};
use super::goals::period;
use super::sources::unknown_column;
use super::{Checker, Failure};
use crate::catalog::calendar::{Calendar, CalendarTable, Grain, Period, TimePart};
use crate::catalog::{Item, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
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
            if calendar.name.is_some() {
                continue;
            }
            if let Some((grain, _)) = calendar.grains.first() {
                self.report(without_a_table(grain));
            }
            if let Some(first) = settings {
                self.report(
                    Diagnostic::new(codes::DUPLICATE_NAME, "the project's calendar is declared twice")
                        .labelled(item.span, "declared again here")
                        .also(first, "first declared here"),
                );
            } else {
                settings = Some(item.span);
                self.catalog.to_mut().calendar = self.calendar_of(calendar);
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
        let weekend = self.weekend_of(&calendar.weekend);
        let holidays = self.days_of(&calendar.holidays);
        let workdays = self.days_of(&calendar.workdays);
        for days in &calendar.workdays {
            if let Some(day) = self.days_of(std::slice::from_ref(days)).intersection(&holidays).next() {
                self.report(
                    Diagnostic::new(codes::BAD_VALUE, format!("{day} is a holiday and a working day"))
                        .at(days.span)
                        .help("keep one of them"),
                );
            }
        }
        Calendar {
            timezone,
            week_start: week_start.unwrap_or(0),
            fiscal_start: fiscal.unwrap_or(0) + 1,
            weekend,
            holidays,
            workdays,
            ..Calendar::default()
        }
    }

    /// The days of the week that are not worked.
    fn weekend_of(&mut self, names: &[Name]) -> BTreeSet<u8> {
        let Some(first) = names.first() else { return Calendar::default().weekend };
        if names.len() == 1 && first.text.eq_ignore_ascii_case("none") {
            return BTreeSet::new();
        }
        let days: BTreeSet<u8> = names.iter().map(|name| self.position_in(name, WEEKDAYS, "day of the week")).collect();
        if days.len() == WEEKDAYS.len() {
            self.report(
                Diagnostic::new(codes::BAD_VALUE, "no day of the week would be worked")
                    .at(first.span)
                    .help("list the days that are not worked; `weekend none`, if all are"),
            );
        }
        days
    }

    /// The days of a list; what is none is reported.
    fn days_of(&mut self, all: &[ast::Days]) -> BTreeSet<NaiveDate> {
        let mut found = BTreeSet::new();
        for days in all {
            match read_days(days) {
                Ok((first, end)) => found.extend(first.iter_days().take_while(|day| *day < end)),
                Err(failure) => _ = self.keep::<()>(Err(failure)),
            }
        }
        found
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

    /// The calendars from tables, whose columns must be known.
    pub(crate) fn check_calendar_tables(&mut self, files: &'a [ast::File]) {
        for file in files {
            let package = file.package.as_ref().map_or(DEFAULT_PACKAGE, |package| package.name.text.as_str());
            for item in &file.items {
                let ItemKind::Calendar(tree) = &item.kind else { continue };
                let (Some(name), Some(from)) = (&tree.name, &tree.from) else { continue };
                let table = TableTree { package, name, from, item: item_of(package, item, name, &tree.labels), tree };
                let result = self.check_calendar_table(&table);
                self.keep(result);
            }
        }
    }

    fn check_calendar_table(&mut self, table: &TableTree<'_>) -> Result<(), Failure> {
        let tree = table.tree;
        if let Some(setting) = setting_of(tree) {
            return Err(Diagnostic::new(codes::BAD_VALUE, "a calendar from a table has no settings of its own")
                .at(setting)
                .help("write them in the project's one `calendar { … }` without a name")
                .into());
        }
        let source = self.joined_source(table.package, table.from)?;
        let Some((step, grain, column)) = step_of(tree) else {
            return Err(Diagnostic::new(codes::BAD_VALUE, "a calendar from a table names the column with the day")
                .at(table.name.span)
                .help("write `day column`, then a name and a column for each kind of period")
                .into());
        };
        let day = self.day_of(source, column)?;
        let item = table.item.clone();
        self.catalog.to_mut().calendar.tables.push(CalendarTable { item, source, column: day, grain: step });
        for (name, column) in tree.grains.iter().filter(|(name, _)| name.span != grain.span) {
            if step != Grain::Day {
                self.report(only_days(name, grain));
                continue;
            }
            let result = self.period_of(table, (source, day), name, column);
            if let Some(period) = self.keep(result) {
                self.catalog.to_mut().calendar.periods.push(period);
            }
        }
        Ok(())
    }

    /// The column with the day: a date, and unique.
    fn day_of(&self, id: SourceId, day: &Name) -> Result<usize, Failure> {
        let source = self.catalog.source(id);
        let at = self.column_of(source, day)?;
        let data_type = &source.columns[at].data_type;
        if !matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None)) {
            return Err(Diagnostic::new(
                codes::TIME_TYPE,
                format!("the day of a calendar is a date, this is {data_type}"),
            )
            .at(day.span)
            .help(format!("give the column a type in `columns {{ … }}` of `{}`", source.item.name))
            .into());
        }
        if source.keys.iter().any(|key| *key == [at]) {
            return Ok(at);
        }
        let name = &source.item.name;
        Err(Diagnostic::new(codes::JOIN_NOT_UNIQUE, format!("`{name}` is not known to have one row for each day"))
            .labelled(day.span, "a day that is there twice would multiply facts")
            .also(source.item.span, "declared here without this `key`")
            .help(format!("declare `key {}` in `{name}`; `bell check --data` proves it", day.text))
            .into())
    }

    fn period_of(
        &self,
        table: &TableTree<'_>,
        (id, day): (SourceId, usize),
        grain: &Name,
        column: &Name,
    ) -> Result<Period, Failure> {
        let source = self.catalog.source(id);
        let Some(at) = source.column(&column.text) else {
            return Err(unknown_column(&source.item.name, column, &source.columns).into());
        };
        let name = format!("{}_{}", table.name.text, grain.text);
        let calendar = &self.catalog.calendar;
        match TimePart::named(&name, calendar) {
            None => {}
            Some(TimePart::Period(known)) => {
                return Err(Diagnostic::new(codes::DUPLICATE_NAME, format!("the grain `{name}` is declared twice"))
                    .labelled(grain.span, "declared again here")
                    .also(calendar.period(known).item.span, "first declared by this calendar")
                    .help("rename the calendar or the period")
                    .into());
            }
            Some(_) => {
                return Err(Diagnostic::new(
                    codes::RESERVED_NAME,
                    format!("`{name}` is a grain or part of every date"),
                )
                .at(grain.span)
                .help("rename the calendar or the period")
                .into());
            }
        }
        let data_type = source.columns[at].data_type.clone();
        Ok(Period { item: table.item.clone(), name, source: id, day, column: at, data_type })
    }
}

/// Longer holidays are a mistake.
const LONGEST: i64 = 366;

/// The first day, and the first one that is none of them.
fn read_days(days: &ast::Days) -> Result<(NaiveDate, NaiveDate), Failure> {
    let (first, end) = period(&days.from)?;
    let end = days.to.as_ref().map_or(Ok(end), |to| period(to).map(|period| period.1))?;
    let wrong = |message: &str| Diagnostic::new(codes::PERIOD, message).at(days.span);
    if end <= first {
        return Err(wrong("the last day lies before the first").into());
    }
    if (end - first).num_days() > LONGEST {
        return Err(wrong("this is longer than a year").help("list the days of each year").into());
    }
    Ok((first.date(), end.date()))
}

/// What a row of the table is: a day, or where no day is named, the first standard grain.
fn step_of(tree: &ast::Calendar) -> Option<(Grain, &Name, &Name)> {
    let steps = || {
        tree.grains.iter().filter_map(|(name, column)| Some((Grain::named(&name.text.to_lowercase())?, name, column)))
    };
    steps()
        .find(|(grain, ..)| *grain == Grain::Day)
        .or_else(|| steps().next().filter(|(grain, ..)| *grain < Grain::Day))
}

fn only_days(period: &Name, step: &Name) -> Diagnostic {
    Diagnostic::new(
        codes::NOT_YET_EXPRESSION,
        format!("`{}` stands in a table with a row for each {}: periods are made of days", period.text, step.text),
    )
    .at(period.span)
    .help("take them from a table with a row for each day")
}

/// A calendar from a table as it is written.
struct TableTree<'a> {
    package: &'a str,
    name: &'a Name,
    from: &'a ast::Path,
    item: Item,
    tree: &'a ast::Calendar,
}

fn setting_of(tree: &ast::Calendar) -> Option<Span> {
    let names = [tree.week_starts.as_ref(), tree.fiscal_year_starts.as_ref(), tree.weekend.first()];
    let zone = tree.timezone.as_ref().map(|zone| zone.span);
    let days = tree.holidays.iter().chain(&tree.workdays).map(|days| days.span).next();
    zone.or_else(|| names.into_iter().flatten().map(|name| name.span).next()).or(days)
}

fn without_a_table(grain: &Name) -> Diagnostic {
    Diagnostic::new(codes::BAD_VALUE, format!("the project's calendar has no table in which `{}` could be", grain.text))
        .at(grain.span)
        .help("periods from a table need a name and a source: `calendar retail_445 from retail_days { … }`")
}
