//! The text of a project: one file a source, with its dimensions and first indicators.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use datafusion::arrow::datatypes::DataType;

use super::candidates::identifier;
use super::find::{Table, Time, is_id, is_measure_name, singular, words};
use super::ratios::{ratios, share as share_of};
use crate::store::Format;
use crate::store::profile::{ColumnProfile, Family};
use crate::syntax::quoted;

/// The files' names (without ending) and texts.
pub(super) fn project(tables: &[Table]) -> Vec<(String, String)> {
    let mut names = Names::of(tables);
    tables.iter().map(|table| (table.name().to_string(), file(table, tables, &mut names))).collect()
}

/// One line on what was found, for the terminal.
pub(super) fn summary(table: &Table) -> String {
    let mut line = format!("{}: {} rows", table.name(), grouped(table.profile.rows));
    if !table.key.is_empty() {
        let _ = write!(line, ", key {}", table.key.join(", "));
    }
    if let Some(Time::Column(column) | Time::Epoch { column, .. }) = &table.time {
        let _ = write!(line, ", time {column}");
    }
    for join in &table.joins {
        let _ = write!(line, ", {} → {}", join.column, join.to);
    }
    line
}

/// Names of dimensions and indicators: each is used once in the project.
struct Names {
    taken: HashSet<String>,
    wanted: HashMap<String, usize>,
}

impl Names {
    fn of(tables: &[Table]) -> Names {
        let mut wanted = HashMap::new();
        for table in tables {
            for column in dimensions(table, tables) {
                *wanted.entry(identifier(&column.name)).or_insert(0) += 1;
            }
        }
        // Sources and indicators live in one namespace with dimensions for whoever reads them.
        let taken = tables.iter().map(|table| table.name().to_string()).chain(["indicators".to_string()]);
        Names { taken: taken.collect(), wanted }
    }

    /// `name`, with the source's name before it where several sources want it or it says too little.
    fn take(&mut self, name: &str, source: &str) -> String {
        const GENERIC: [&str; 12] = [
            "name",
            "value",
            "type",
            "status",
            "label",
            "code",
            "description",
            "title",
            "kind",
            "category",
            "flag",
            "group",
        ];
        let plain = identifier(name);
        let shared = GENERIC.contains(&plain.as_str()) || self.wanted.get(&plain).is_some_and(|times| *times > 1);
        let prefixed = match plain.starts_with(source) {
            true => plain.clone(),
            false => format!("{source}_{plain}"),
        };
        let first = if shared { prefixed.clone() } else { plain };
        let numbered = (2..).map(|number| format!("{prefixed}_{number}"));
        let free = [first, prefixed.clone()].into_iter().chain(numbered).find(|name| !self.taken.contains(name));
        let name = free.unwrap_or(prefixed);
        self.taken.insert(name.clone());
        name
    }
}

fn file(table: &Table, tables: &[Table], names: &mut Names) -> String {
    let mut text = format!(
        "-- Written by `bell init` from {} rows. What was guessed says why: check it, and change what is wrong.\n\n",
        grouped(table.profile.rows)
    );
    source(&mut text, table);
    let dimensions = dimension_lines(table, tables, names);
    if !dimensions.is_empty() {
        let _ = write!(text, "\n{}", aligned(&dimensions));
    }
    let _ = write!(text, "\n{}", aligned(&indicator_lines(table, names)));
    text
}

fn source(text: &mut String, table: &Table) {
    let spec = &table.candidate.spec;
    let _ = writeln!(text, "source {} {{", quoted(table.name()));
    let locations: Vec<String> = table.candidate.written.iter().map(|location| literal(location)).collect();
    let (format, options) = match &spec.format {
        Format::Parquet => ("parquet", ""),
        Format::Csv(options) if options.delimiter == b'\t' => ("csv", " { delimiter '\t' }"),
        Format::Csv(_) => ("csv", ""),
        Format::Json { .. } => ("json", ""),
        Format::Arrow => ("arrow", ""),
    };
    let _ = writeln!(text, "  from {format} {}{options}", locations.join(", "));
    if !spec.partitions.is_empty() {
        let columns: Vec<String> =
            spec.partitions.iter().map(|(name, t)| format!("{} {}", quoted(name), sql_type(t))).collect();
        let _ = writeln!(text, "  partition by {}", columns.join(", "));
    }
    key(text, table);
    time(text, table);
    for join in &table.joins {
        let _ = writeln!(
            text,
            "  join {} = {} on {}    -- {} of {} values found in {}.{}{}",
            quoted(&join.name),
            quoted(&join.to),
            quoted(&join.column),
            share(join.shared, join.values),
            grouped(join.values),
            join.to,
            join.key,
            if join.also.is_empty() { String::new() } else { format!(" (or: {})", join.also.join(", ")) },
        );
    }
    text.push_str("}\n");
}

fn time(text: &mut String, table: &Table) {
    let _ = match &table.time {
        Some(Time::Column(time)) => {
            let others = table.profile.columns.iter().filter(|c| c.family() == Some(Family::Time) && c.name != *time);
            let others: Vec<&str> = others.map(|c| c.name.as_str()).collect();
            let reason = if others.is_empty() { String::new() } else { format!("    -- or: {}", others.join(", ")) };
            writeln!(text, "  time {}{reason}", quoted(time))
        }
        Some(Time::Epoch { column, function, factor, unit }) => {
            let number = if *factor == 1 { quoted(column) } else { format!("{} * {factor}", quoted(column)) };
            let name = format!("{}_time", identifier(column));
            let _ = writeln!(text, "  time {name}");
            writeln!(
                text,
                "  columns {{ {name} = {function}({number}) }}    -- the values lie like {unit} since 1970, UTC"
            )
        }
        None => Ok(()),
    };
}

fn key(text: &mut String, table: &Table) {
    let columns: Vec<String> = table.key.iter().map(|column| quoted(column)).collect();
    let rows = grouped(table.profile.rows);
    let perhaps: Vec<String> = table.perhaps_key.iter().map(|column| quoted(column)).collect();
    let _ = match columns.as_slice() {
        [] if !perhaps.is_empty() => {
            let perhaps = perhaps.join(", ");
            writeln!(text, "  -- perhaps: key ({perhaps}), unique together, but by chance perhaps in only {rows} rows")
        }
        [] => writeln!(text, "  -- no key: no column, nor a pair of identifiers, is unique and never NULL"),
        [one] => writeln!(text, "  key {one}    -- unique and never NULL in {rows} rows"),
        several => writeln!(text, "  key ({})    -- unique together in {rows} rows", several.join(", ")),
    };
}

/// Columns that questions are broken down by: truth values, and texts of few values, or of any number in a table that
/// others look up.
fn dimensions<'a>(table: &'a Table, tables: &[Table]) -> Vec<&'a ColumnProfile> {
    let looked_up = tables.iter().any(|other| other.joins.iter().any(|join| join.to == table.name()));
    let most = if looked_up { 10_000 } else { 200.max(table.profile.rows / 20).min(2000) };
    let wanted = |column: &&ColumnProfile| match column.family() {
        Some(Family::Boolean) => column.values > 0,
        Some(Family::Text) if is_id(&column.name) && column.distinct > 20 => false,
        Some(Family::Text) => column.distinct > 0 && column.distinct <= most && !table.is_reference(&column.name),
        _ => false,
    };
    table.profile.columns.iter().filter(wanted).collect()
}

/// `name = expression` and a comment.
struct Line {
    head: String,
    body: String,
    comment: String,
}

fn dimension_lines(table: &Table, tables: &[Table], names: &mut Names) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for column in dimensions(table, tables) {
        let name = names.take(&column.name, &subject_of(table));
        let comment = format!("{} values", grouped(column.distinct));
        lines.push(line("dimension", &name, format!("{}.{}", quoted(table.name()), quoted(&column.name)), comment));
    }
    // Where several ways lead to a source, each of them gets dimensions of its own.
    let ways = ways(table, tables);
    for (way, target) in &ways {
        if ways.iter().filter(|(_, other)| other.name() == target.name()).count() == 1 {
            continue;
        }
        for column in dimensions(target, tables) {
            let name = names.take(&format!("{}_{}", way.join("_"), identifier(&column.name)), &subject_of(table));
            let roles: Vec<String> = way.iter().map(|role| quoted(role)).collect();
            let path = format!("{}.{}.{}", quoted(table.name()), roles.join("."), quoted(&column.name));
            lines.push(line("dimension", &name, path, String::new()));
        }
    }
    lines
}

/// The joins of a source, and those of the sources that it joins, as the names of their roles.
fn ways<'a>(table: &'a Table, tables: &'a [Table]) -> Vec<(Vec<&'a str>, &'a Table)> {
    let named = |name: &str| tables.iter().find(|other| other.name() == name);
    let mut found = Vec::new();
    for near in &table.joins {
        let Some(target) = named(&near.to) else { continue };
        found.push((vec![near.name.as_str()], target));
        for far in target.joins.iter().filter(|far| far.to != table.name()) {
            found.extend(named(&far.to).map(|target| (vec![near.name.as_str(), far.name.as_str()], target)));
        }
    }
    found
}

fn indicator_lines(table: &Table, names: &mut Names) -> Vec<Line> {
    let source = quoted(table.name());
    let subject = subject_of(table);
    let count = names.take(&format!("{}_count", table.name()), &subject);
    let mut lines = vec![line("indicator", &count, format!("count(*) of {source}"), String::new())];
    let mut sums: Vec<(&str, String)> = Vec::new();
    for column in &table.profile.columns {
        let path = format!("{source}.{}", quoted(&column.name));
        let (name, body, comment) = match measure(table, column) {
            Some(Measure::Sum) => {
                let name = names.take(&format!("total_{}", column.name), &subject);
                sums.push((&column.name, name.clone()));
                (name, format!("sum({path})"), "")
            }
            Some(Measure::Average) => {
                let name = names.take(&format!("avg_{}", column.name), &subject);
                (name, format!("avg({path})"), "an average: sums of it mean nothing")
            }
            None if table.joins.iter().any(|join| join.column == column.name) && !table.key.contains(&column.name) => {
                let name = names.take(&format!("{subject}_distinct_{}", column.name), &subject);
                (name, format!("count(distinct {path})"), "")
            }
            None => {
                let Some(share) = share_of(column) else { continue };
                let body = format!("count(*) filter (where {path}) / count({path}) {{ unit percent }}");
                (names.take(&share, &subject), body, "of the rows where it is known")
            }
        };
        lines.push(line("indicator", &name, body, comment.to_string()));
    }
    lines.extend(ratio_lines(&sums, &subject, names));
    lines
}

/// Ratios of the indicators that sum up the columns of a source.
fn ratio_lines(sums: &[(&str, String)], subject: &str, names: &mut Names) -> Vec<Line> {
    let columns: Vec<&str> = sums.iter().map(|(column, _)| *column).collect();
    let indicator = |column: &str| sums.iter().find(|(known, _)| *known == column).map(|(_, name)| quoted(name));
    let mut lines = Vec::new();
    for ratio in ratios(&columns) {
        if let (Some(above), Some(below)) = (indicator(ratio.above), indicator(ratio.below)) {
            let name = names.take(&ratio.name, subject);
            lines.push(line("indicator", &name, format!("{above} / {below}"), String::new()));
        }
    }
    lines
}

enum Measure {
    Sum,
    Average,
}

/// How a numeric column is summed up; `None` for what only looks like a number.
fn measure(table: &Table, column: &ColumnProfile) -> Option<Measure> {
    const NOT_ADDITIVE: [&str; 18] = [
        "rate",
        "ratio",
        "percent",
        "percentage",
        "pct",
        "score",
        "avg",
        "average",
        "mean",
        "price",
        "temperature",
        "level",
        "rank",
        "capacity",
        "age",
        "weight",
        "balance",
        "share",
    ];
    const NO_MEASURE: [&str; 13] = [
        "year",
        "month",
        "week",
        "day",
        "quarter",
        "hour",
        "minute",
        "lat",
        "latitude",
        "lon",
        "longitude",
        "zip",
        "version",
    ];
    let has = |list: &[&str]| words(&column.name).iter().any(|word| list.contains(&word.as_str()));
    let number = match column.family()? {
        Family::Number => true,
        Family::Integer if time_column(table) == Some(column.name.as_str()) => false,
        Family::Integer => column.distinct > 20 || is_measure_name(&column.name),
        _ => false,
    };
    if !number || column.values == 0 || table.is_reference(&column.name) || is_id(&column.name) || has(&NO_MEASURE) {
        return None;
    }
    Some(if has(&NOT_ADDITIVE) { Measure::Average } else { Measure::Sum })
}

fn time_column(table: &Table) -> Option<&str> {
    match &table.time {
        Some(Time::Column(column) | Time::Epoch { column, .. }) => Some(column),
        None => None,
    }
}

fn subject_of(table: &Table) -> String {
    singular(table.name())
}

fn line(kind: &str, name: &str, body: String, comment: String) -> Line {
    Line { head: format!("{kind} {}", quoted(name)), body, comment }
}

/// The equals signs of a block under each other.
fn aligned(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.head.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let padding = " ".repeat(width - line.head.chars().count());
        let comment = if line.comment.is_empty() { String::new() } else { format!("    -- {}", line.comment) };
        let _ = writeln!(text, "{}{padding} = {}{comment}", line.head, line.body);
    }
    text
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn sql_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Date32 => "date",
        DataType::Int64 => "bigint",
        _ => "varchar",
    }
}

/// `1234567` → `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Never `100 %` when one is missing.
fn share(part: u64, whole: u64) -> String {
    match part == whole {
        true => "100 %".to_string(),
        false => format!("{:.1} %", (part as f64 / whole as f64 * 1000.0).floor() / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
        assert_eq!(share(999, 1000), "99.9 %");
        assert_eq!(quoted("order"), "\"order\"");
        assert_eq!(quoted("Unit Price"), "\"Unit Price\"");
        assert_eq!(quoted("金额"), "金额");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
