//! Pieces of the grammar to items of the tree.
//!
//! An item either becomes whole or gives the first thing that is wrong with it; half an item would make `check` report
//! what is only a consequence.

use super::ast::*;
use super::cursor::{Node, Rule};
use super::{alerts, events, exprs, goal_items, later, outputs, policies, processes};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{SourceFile, Span};
use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType as SqlType, Expr as SqlExpr, Ident, Spanned};

type Read<T> = Result<T, Diagnostic>;

/// What a piece at the top of a file declares.
#[allow(clippy::large_enum_variant)]
pub(super) enum Declared {
    /// `package …`.
    Package(Package),
    /// Anything else.
    Item(Item),
}

/// Reads one `item` of the grammar.
pub(super) fn item(node: &Node) -> Read<Declared> {
    let Some(inner) = node.children().next() else { unreachable!("the grammar puts a kind into every item") };
    let kind = match inner.rule() {
        Rule::package => return Ok(Declared::Package(Package { name: inner.name(), labels: inner.labels() })),
        Rule::use_item => ItemKind::Use(Use { path: inner.must(Rule::path).to_path() }),
        Rule::source => ItemKind::Source(source(&inner)?),
        Rule::dimension => ItemKind::Dimension(dimension(&inner)?),
        Rule::hierarchy => ItemKind::Hierarchy(hierarchy(&inner)),
        Rule::segment => ItemKind::Segment(segment(&inner)?),
        Rule::calendar => ItemKind::Calendar(calendar(&inner)?),
        Rule::indicator => ItemKind::Indicator(Box::new(indicator(&inner)?)),
        Rule::view => ItemKind::View(view(&inner)),
        Rule::funnel => ItemKind::Funnel(events::funnel(&inner)?),
        Rule::cohort => ItemKind::Cohort(events::cohort(&inner)?),
        Rule::process => ItemKind::Process(Box::new(processes::process(&inner)?)),
        Rule::tree => ItemKind::Tree(tree(&inner)?),
        Rule::target => ItemKind::Target(Box::new(goal_items::target(&inner)?)),
        Rule::bands => ItemKind::Bands(goal_items::bands(&inner)?),
        Rule::scorecard => ItemKind::Scorecard(goal_items::scorecard(&inner)?),
        Rule::alert => ItemKind::Alert(Box::new(alerts::alert(&inner)?)),
        Rule::scenario => ItemKind::Scenario(goal_items::scenario(&inner)?),
        Rule::publish => ItemKind::Publication(Box::new(outputs::publication(&inner)?)),
        Rule::rollup => ItemKind::Rollup(Box::new(outputs::rollup(&inner)?)),
        Rule::expect => ItemKind::Expectation(Box::new(outputs::expectation(&inner)?)),
        Rule::policy => ItemKind::Policy(Box::new(policies::policy(&inner)?)),
        _ => ItemKind::Later(later::item(&inner)?),
    };
    let span = inner.span();
    Ok(Declared::Item(Item { span, doc: doc_before(node.file(), span.start as usize), kind }))
}

/// Reads a `question` of the grammar.
pub(super) fn question(node: &Node) -> Read<Question> {
    Ok(Question { indicators: exprs(node)?, by: node.paths(), conditions: conditions(node)? })
}

/// The text of the `///` lines right before an item.
fn doc_before(file: &SourceFile, item: usize) -> Option<String> {
    let above = &file.text[..item];
    let mut lines: Vec<&str> = above
        .strip_suffix('\n')?
        .rsplit('\n')
        .map_while(|line| line.trim().strip_prefix("///"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.reverse();
    if lines.is_empty() { None } else { Some(lines.join("\n")) }
}

/// The expression of a clause.
pub(super) fn expr(node: &Node) -> Read<Expr> {
    exprs::expression(node.file(), node.must(Rule::expr).span())
}

fn exprs(node: &Node) -> Read<Vec<Expr>> {
    node.all(Rule::expr).map(|expr| exprs::expression(expr.file(), expr.span())).collect()
}

pub(super) fn conditions(node: &Node) -> Read<Vec<Expr>> {
    node.all(Rule::where_clause).map(|clause| expr(&clause)).collect()
}

/// Puts the value of a clause into its place; a second such clause is an error.
pub(super) fn once<T>(place: &mut Option<T>, value: T, clause: &Node) -> Read<()> {
    if place.is_some() {
        let word = clause.text().split_whitespace().next().unwrap_or_default();
        return Err(Diagnostic::new(codes::TWICE, format!("`{word}` is given twice"))
            .at(clause.span())
            .help("keep one of them"));
    }
    *place = Some(value);
    Ok(())
}

fn source(node: &Node) -> Read<Source> {
    let mut source = Source {
        name: node.name(),
        labels: node.labels(),
        from: None,
        partitions: vec![],
        keys: vec![],
        time: None,
        filter: None,
        joins: vec![],
        columns: vec![],
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::from_clause => once(&mut source.from, from(&clause)?, &clause)?,
            Rule::partition_clause => source.partitions.append(&mut partitions(&clause)?),
            Rule::key_clause => source.keys.push(clause.names()),
            Rule::time_clause => once(&mut source.time, expr(&clause)?, &clause)?,
            Rule::where_clause => once(&mut source.filter, expr(&clause)?, &clause)?,
            Rule::join_clause => source.joins.push(join(&clause)?),
            Rule::columns_clause => source.columns.append(&mut columns(&clause)?),
            Rule::owner_clause => once(&mut source.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(source)
}

fn from(node: &Node) -> Read<From> {
    if let Some(table) = node.find(Rule::from_table) {
        return Ok(From::Table(table.must(Rule::path).to_path()));
    }
    if let Some(query) = node.find(Rule::from_query) {
        let span = query.must(Rule::query_text).span();
        return Ok(From::Query { query: exprs::query(node.file(), span)?, span });
    }
    let files = node.must(Rule::from_files);
    let mut format = files.name();
    format.text.make_ascii_lowercase();
    let options = files.find(Rule::options).map(|options| options.all(Rule::option).map(|o| option(&o)).collect());
    Ok(From::Files {
        format,
        locations: files.all(Rule::text).map(|text| text.to_text()).collect(),
        options: options.unwrap_or_default(),
    })
}

fn option(node: &Node) -> (Name, OptionValue) {
    let Some(value) = node.children().nth(1) else { unreachable!("the grammar gives every option a value") };
    let value = match value.rule() {
        Rule::text => OptionValue::Text(value.to_text()),
        Rule::number => OptionValue::Number(value.text().replace('_', ""), value.span()),
        _ if value.text().eq_ignore_ascii_case("true") => OptionValue::Bool(true, value.span()),
        _ if value.text().eq_ignore_ascii_case("false") => OptionValue::Bool(false, value.span()),
        _ => OptionValue::Word(value.to_name()),
    };
    (node.name(), value)
}

fn partitions(node: &Node) -> Read<Vec<ColumnType>> {
    node.all(Rule::partition)
        .map(|column| Ok(ColumnType { name: column.name(), data_type: data_type(&column)? }))
        .collect()
}

fn data_type(node: &Node) -> Read<Option<(SqlType, Span)>> {
    let Some(found) = node.find(Rule::data_type) else { return Ok(None) };
    Ok(Some((exprs::data_type(node.file(), found.span())?, found.span())))
}

fn columns(node: &Node) -> Read<Vec<ColumnSpec>> {
    node.all(Rule::column).map(|column| column_spec(&column)).collect()
}

fn column_spec(node: &Node) -> Read<ColumnSpec> {
    Ok(ColumnSpec {
        name: node.name(),
        labels: node.labels(),
        data_type: data_type(node)?,
        hidden: node.find(Rule::hidden).is_some(),
        computed: node.find(Rule::computed).map(|computed| expr(&computed)).transpose()?,
    })
}

fn join(node: &Node) -> Read<Join> {
    let to = node.must(Rule::path).to_path();
    let own_name = to.parts[to.parts.len() - 1].clone();
    Ok(Join {
        span: node.span(),
        name: node.find(Rule::name).map_or(own_name, |name| name.to_name()),
        to,
        on: join_on(expr(node)?, node.file()),
        valid: node.find(Rule::valid_clause).map(|clause| validity(&clause)).transpose()?,
    })
}

/// `on c` and `on (a, b)` name columns; anything else is the equation itself.
fn join_on(on: Expr, file: &SourceFile) -> JoinOn {
    let columns = match &on.sql {
        SqlExpr::Identifier(column) => vec![column],
        SqlExpr::Nested(inner) => match &**inner {
            SqlExpr::Identifier(column) => vec![column],
            _ => vec![],
        },
        SqlExpr::Tuple(columns) => {
            columns.iter().map_while(|c| if let SqlExpr::Identifier(c) = c { Some(c) } else { None }).collect()
        }
        _ => vec![],
    };
    let all = match &on.sql {
        SqlExpr::Tuple(parts) => columns.len() == parts.len(),
        _ => columns.len() == 1,
    };
    if !all {
        return JoinOn::Equation(on);
    }
    let name = |column: &Ident| Name {
        text: column.value.clone(),
        span: exprs::span_of(file, column.span).unwrap_or(on.span),
    };
    JoinOn::Columns(columns.into_iter().map(name).collect())
}

/// `a and b` of `valid between a and b`.
fn validity(node: &Node) -> Read<(Expr, Expr)> {
    let both = expr(node)?;
    let (file, whole) = (node.file(), both.span);
    match both.sql {
        SqlExpr::BinaryOp { left, op: BinaryOperator::And, right } => {
            Ok((side(file, *left, whole), side(file, *right, whole)))
        }
        _ => Err(Diagnostic::new(codes::VALID_BETWEEN, "`valid between` takes two bounds")
            .at(whole)
            .help("write `valid between tier.valid_from and tier.valid_to`")),
    }
}

fn side(file: &SourceFile, sql: SqlExpr, whole: Span) -> Expr {
    let span = exprs::span_of(file, sql.span()).unwrap_or(whole);
    Expr { sql, span }
}

fn dimension(node: &Node) -> Read<Dimension> {
    let mut dimension = Dimension { name: node.name(), labels: node.labels(), definitions: exprs(node)?, owner: None };
    for clause in node.all(Rule::owner_clause) {
        once(&mut dimension.owner, clause.literal(), &clause)?;
    }
    Ok(dimension)
}

fn hierarchy(node: &Node) -> Hierarchy {
    Hierarchy { name: node.name(), labels: node.labels(), levels: node.paths() }
}

fn segment(node: &Node) -> Read<Segment> {
    Ok(Segment { name: node.name(), labels: node.labels(), definitions: exprs(node)? })
}

fn calendar(node: &Node) -> Read<Calendar> {
    let mut calendar = Calendar {
        name: node.find(Rule::name).map(|name| name.to_name()),
        labels: node.labels(),
        from: node.find(Rule::path).map(|path| path.to_path()),
        timezone: None,
        week_starts: None,
        fiscal_year_starts: None,
        weekend: vec![],
        holidays: vec![],
        workdays: vec![],
        grains: vec![],
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::weekend => calendar.weekend.extend(clause.names()),
            Rule::holidays => calendar.holidays.extend(days(&clause)),
            Rule::workdays => calendar.workdays.extend(days(&clause)),
            Rule::timezone => once(&mut calendar.timezone, clause.literal(), &clause)?,
            Rule::week_starts => once(&mut calendar.week_starts, clause.name(), &clause)?,
            Rule::fiscal_year_starts => once(&mut calendar.fiscal_year_starts, clause.name(), &clause)?,
            Rule::calendar_grain => {
                calendar.grains.extend(clause.names().try_into().map(|[grain, column]: [Name; 2]| (grain, column)))
            }
            _ => {}
        }
    }
    Ok(calendar)
}

fn days(node: &Node) -> Vec<Days> {
    let one = |node: Node| {
        let mut periods =
            node.all(Rule::period).map(|period| Text { text: period.text().to_string(), span: period.span() });
        Some(Days { from: periods.next()?, to: periods.next(), span: node.span() })
    };
    node.all(Rule::days).filter_map(one).collect()
}

fn indicator(node: &Node) -> Read<Indicator> {
    let definition = match node.find(Rule::conversion) {
        Some(conversion) => events::conversion(&conversion)?,
        None => expr(node)?,
    };
    let mut indicator = Indicator::defined(node.name(), node.labels(), definition);
    indicator.conditions = conditions(node)?;
    for clause in node.children() {
        match clause.rule() {
            Rule::unit_clause => once(&mut indicator.unit, clause.must(Rule::unit).to_name(), &clause)?,
            Rule::good_clause => once(&mut indicator.good, clause.name(), &clause)?,
            Rule::owner_clause => once(&mut indicator.owner, clause.literal(), &clause)?,
            Rule::grain_clause => once(&mut indicator.grain, grain(&clause), &clause)?,
            Rule::fill_clause => {
                once(&mut indicator.fill, expr(&clause)?, &clause)?;
                indicator.fill_unit = clause.find(Rule::unit).map(|unit| unit.to_name());
                indicator.fill_each = clause.find(Rule::fill_each).map(|each| each.name());
            }
            Rule::empty_clause => once(&mut indicator.empty, expr(&clause)?, &clause)?,
            Rule::within_clause => once(&mut indicator.within, clause.name(), &clause)?,
            Rule::time_clause => once(&mut indicator.time, expr(&clause)?, &clause)?,
            Rule::format_clause => once(&mut indicator.format, clause.literal(), &clause)?,
            Rule::bands_clause => once(&mut indicator.bands, goal_items::bands(&clause)?, &clause)?,
            Rule::indicator_later => indicator.later.push(later::clause_of_indicator(&clause)?),
            _ => {}
        }
    }
    Ok(indicator)
}

fn grain(node: &Node) -> IndicatorGrain {
    IndicatorGrain { time: node.find(Rule::name).map(|name| name.to_name()), by: node.paths(), span: node.span() }
}

fn view(node: &Node) -> View {
    let all = |rule| node.all(rule).flat_map(|clause| clause.paths()).collect();
    View {
        name: node.name(),
        labels: node.labels(),
        indicators: all(Rule::view_indicators),
        dimensions: all(Rule::view_dimensions),
    }
}

fn tree(node: &Node) -> Read<Tree> {
    let defined = |node: &Node| Ok(Indicator::defined(node.name(), node.labels(), expr(node)?));
    let branches = node.all(Rule::tree_branch).map(|branch| defined(&branch)).collect::<Read<Vec<_>>>()?;
    Ok(Tree { root: defined(node)?, branches })
}
