//! Formulas in words, for people: `sum of orders.amount, where paid`.

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::calendar::TimePart;
use super::event::{Bound, Event, EventColumn, EventRows, EventValue, Follows};
use super::expr::{Expression, Input};
use super::indicator::{AggregateKind, Measure};
use super::modifier::{Among, End, Modifier};
use super::reach::replace_inputs;
use super::{Catalog, IndicatorId};

/// What an indicator computes: its aggregates in words, other indicators by their names.
pub fn in_words(catalog: &Catalog, id: IndicatorId) -> String {
    let indicator = catalog.indicator(id);
    let conditions: Vec<String> = indicator.conditions.iter().map(|c| worded(catalog, c)).collect();
    with_conditions(worded(catalog, &indicator.formula), &conditions)
}

/// An expression with names for its inputs, without what only the machine needs.
pub fn worded(catalog: &Catalog, expression: &Expression) -> String {
    let names: Vec<Expr> = expression.inputs.iter().map(|input| verbatim(input_words(catalog, input))).collect();
    replace_inputs(plain(expression.expr.clone()), &names).human_display().to_string()
}

fn input_words(catalog: &Catalog, input: &Input) -> String {
    match input {
        Input::Column(column) => column.display(catalog),
        Input::Dimension(id, part) => format!("{}{}", catalog.dimension(*id).item.name, part.suffix(&catalog.calendar)),
        Input::MetricTime(part) => format!("metric_time{}", part.suffix(&catalog.calendar)),
        Input::Period(id, day) => format!("{} of {}", catalog.calendar.period(*id).name, worded(catalog, day)),
        Input::Indicator(id, conditions) => {
            let conditions: Vec<String> = conditions.iter().map(|c| worded(catalog, c)).collect();
            with_conditions(catalog.indicator(*id).item.name.clone(), &conditions)
        }
        Input::Measure(measure) => measure_words(catalog, measure),
        Input::At(at) => {
            let modifiers: Vec<String> = at.modifiers.iter().map(|m| modifier_words(catalog, m)).collect();
            format!("{} at ({})", bracketed(catalog, &at.operand), modifiers.join(", "))
        }
        Input::Fold(fold) => format!("{} for each {}", worded(catalog, &fold.aggregate), listed(catalog, &fold.by)),
        Input::Per(per) => format!("{} of its {}", bracketed(catalog, &per.value), listed(catalog, &per.by)),
        Input::Event(value) => event_words(catalog, value),
        Input::Current(input) => format!("current {}", input_words(catalog, input)),
        Input::Moved(input, _) => input_words(catalog, input),
    }
}

fn event_words(catalog: &Catalog, value: &EventValue) -> String {
    match &value.event {
        Event::Conversion(conversion) => {
            let keys: Vec<&str> = conversion.keys.iter().map(|key| key.name.as_str()).collect();
            let within = conversion.within.map_or(String::new(), |reach| match reach.end {
                Bound::Included => format!(" within {}", reach.span),
                Bound::Excluded => format!(" within less than {}", reach.span),
            });
            let to = &catalog.source(conversion.to).item.name;
            let what = if value.column == EventColumn::Credits { "credited rows of" } else { "followed by" };
            format!("{what} {to} of the same {}{within}", keys.join(", "))
        }
        Event::Dated(dated) => format!("day on which {} counts", worded(catalog, &dated.time)),
        Event::Funnel(_) | Event::Cohort(_) => value.column.name().to_string(),
        Event::Process(process) => format!("{}.{}", process.name, value.column.name()),
    }
}

/// What a funnel or a cohort looks for, a property and its words each.
pub fn event_in_words(catalog: &Catalog, event: &Event) -> Vec<(String, String)> {
    match event {
        Event::Conversion(_) | Event::Dated(_) | Event::Process(_) => vec![],
        Event::Funnel(funnel) => {
            let steps = funnel.steps.iter().enumerate().map(|(at, step)| {
                let later = if step.follows == Follows::After { ", later than the step before it" } else { "" };
                let label = step.label.as_ref().map_or(String::new(), |label| format!(" \"{label}\""));
                let rows = rows_words(catalog, &step.rows);
                (format!("step {}", at + 1), format!("{}{label}: {rows}{later}", step.name))
            });
            let within = ("within".to_string(), format!("{} of step 1", funnel.within));
            steps.chain([within]).collect()
        }
        Event::Cohort(cohort) => vec![
            ("starts".to_string(), format!("the first of the {}", rows_words(catalog, &cohort.starts))),
            ("returns".to_string(), rows_words(catalog, &cohort.returns)),
            ("ages".to_string(), format!("0 to {}, each a {}", cohort.ages, cohort.every.name())),
        ],
    }
}

fn rows_words(catalog: &Catalog, rows: &EventRows) -> String {
    let conditions: Vec<String> = rows.conditions.iter().map(|condition| worded(catalog, condition)).collect();
    let of = worded(catalog, &rows.entity);
    with_conditions(format!("rows of {} by {of}", catalog.source(rows.source).item.name), &conditions)
}

fn bracketed(catalog: &Catalog, formula: &Expression) -> String {
    let text = worded(catalog, formula);
    if formula.as_input().is_some() { text } else { format!("({text})") }
}

fn listed(catalog: &Catalog, expressions: &[Expression]) -> String {
    expressions.iter().map(|expression| grain_words(catalog, expression)).collect::<Vec<_>>().join(", ")
}

/// A grain of the time axis goes by its own name.
fn grain_words(catalog: &Catalog, expression: &Expression) -> String {
    match expression.as_input() {
        Some(Input::MetricTime(TimePart::Grain(grain))) => grain.name().to_string(),
        _ => worded(catalog, expression),
    }
}

fn modifier_words(catalog: &Catalog, modifier: &Modifier) -> String {
    let words = |input: &Input| input_words(catalog, input);
    match modifier {
        Modifier::All(dropped) => format!("all {}", dropped.iter().map(words).collect::<Vec<_>>().join(", ")),
        Modifier::Everything => "all".to_string(),
        Modifier::Set(dimension, value) => format!("set {} = {}", words(dimension), worded(catalog, value)),
        Modifier::Where(condition) => format!("where {}", worded(catalog, condition)),
        Modifier::Visible => "visible".to_string(),
        Modifier::Shift(span) if span.is_positive() => format!("{span} earlier"),
        Modifier::Shift(span) => format!("shift {span}"),
        Modifier::PreviousPeriod => "previous period".to_string(),
        Modifier::Trailing(span) => format!("trailing {span}"),
        Modifier::ToDate(grain) => format!("to date {}", grain.name()),
        Modifier::ToDateOf(id) => format!("to date {}", catalog.calendar.period(*id).name),
        Modifier::FirstOf(grain) => format!("first {} of the period", grain.name()),
        Modifier::Cumulative => "cumulative".to_string(),
        Modifier::Each(grain) => format!("on each {}", grain.name()),
        Modifier::StartOf(grain) => format!("start of {}", grain.name()),
        Modifier::ShiftPeriods(count, id) => format!("{count} {} earlier", catalog.calendar.period(*id).name),
        Modifier::Edge(edge) => {
            let end = if edge.end == End::First { "first" } else { "last" };
            let by = grain_words(catalog, &edge.by);
            let per = if edge.per.is_empty() { String::new() } else { format!(" per {}", listed(catalog, &edge.per)) };
            let overall = if edge.among == Among::Period { " overall" } else { "" };
            format!("{end} {by}{per}{overall}")
        }
    }
}

fn measure_words(catalog: &Catalog, measure: &Measure) -> String {
    let named =
        |expr: &Expr| worded(catalog, &Expression { expr: expr.clone(), inputs: measure.aggregate.inputs.clone() });
    let argument = match &measure.aggregate.expr {
        Expr::AggregateFunction(call) => argument_of(&call.params),
        _ => None,
    };
    let split = match argument {
        Some(Expr::Case(case)) => only_where(case).filter(|(value, _)| has_words(measure.kind, *value)),
        _ => None,
    };
    let (argument, only) = split.map_or((argument, None), |(value, only)| (value, Some(only)));
    let text = match (measure.kind, argument) {
        (AggregateKind::Count, None) => format!("number of rows of {}", catalog.source(measure.source).item.name),
        (AggregateKind::Count, Some(argument)) => format!("number of {}", named(argument)),
        (AggregateKind::CountDistinct, Some(argument)) => format!("number of distinct {}", named(argument)),
        (AggregateKind::Sum, Some(argument)) => format!("sum of {}", named(argument)),
        (AggregateKind::Min, Some(argument)) => format!("least {}", named(argument)),
        (AggregateKind::Max, Some(argument)) => format!("greatest {}", named(argument)),
        _ => named(&measure.aggregate.expr),
    };
    let filter: Vec<String> = measure.filter.iter().map(|filter| worded(catalog, filter)).collect();
    with_conditions(text, &only.map(named).into_iter().chain(filter).collect::<Vec<_>>())
}

/// The single argument, unless it is the constant of `count(*)`.
fn argument_of(params: &AggregateFunctionParams) -> Option<&Expr> {
    match params.args.as_slice() {
        [argument] => counted(argument).is_some().then_some(argument),
        _ => None,
    }
}

/// Whether an aggregate of that value is said in words of its own.
fn has_words(kind: AggregateKind, value: Option<&Expr>) -> bool {
    match kind {
        AggregateKind::Count => true,
        AggregateKind::CountDistinct | AggregateKind::Sum | AggregateKind::Min | AggregateKind::Max => value.is_some(),
        _ => false,
    }
}

fn counted(argument: &Expr) -> Option<&Expr> {
    if let Expr::Literal(..) = argument { None } else { Some(argument) }
}

/// `case when c then x end`, for which aggregates see the x of the rows where c: x, unless it is a constant, and c.
fn only_where(case: &Case) -> Option<(Option<&Expr>, &Expr)> {
    match (&case.expr, case.when_then_expr.as_slice(), &case.else_expr) {
        (None, [(only, value)], None) => Some((counted(value), only)),
        _ => None,
    }
}

/// Without casts, aliases and the guard against division by zero; text in quotes.
fn plain(expr: Expr) -> Expr {
    let plain = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::Cast(cast) => Transformed::yes(*cast.expr),
            Expr::Alias(alias) => Transformed::yes(*alias.expr),
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Transformed::yes(verbatim(format!("'{text}'"))),
            Expr::ScalarFunction(call) if call.func.name() == "nullif" => match call.args.as_slice() {
                [Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }), zero] if right.as_ref() == zero => {
                    Transformed::yes(left.as_ref().clone())
                }
                _ => Transformed::no(Expr::ScalarFunction(call)),
            },
            other => Transformed::no(other),
        })
    });
    // The closure never fails.
    plain.map(|t| t.data).unwrap_or_else(|error| unreachable!("simplifying for display cannot fail: {error}"))
}

/// An expression that prints as that text.
fn verbatim(text: String) -> Expr {
    Expr::Column(Column::new_unqualified(text))
}

fn with_conditions(text: String, conditions: &[String]) -> String {
    if conditions.is_empty() { text } else { format!("{text}, where {}", conditions.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::catalog::MemTable;
    use datafusion::datasource::provider_as_source;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::catalog::Member;
    use crate::catalog::source::Rows;
    use crate::check::functions::Functions;
    use crate::check::{Table, Tables, check};
    use crate::source::SourceSet;
    use crate::syntax;

    const MODEL: &str = "package shop\n\
        source orders { from csv 'o.csv' key id time day join customer = customers on customer_id }\n\
        source customers { from csv 'c.csv' key id }\n\
        source visits { from csv 'v.csv' time day }\n\
        dimension region = customers.region\n\
        dimension channel = orders.channel, visits.channel\n\
        segment online = orders.channel = 'online'\n\
        indicator gmv \"成交总额\" = sum(orders.amount) { where online, unit CNY, owner 'a@example.com' }\n\
        indicator orders_count = count(*) of orders\n\
        indicator visitors = count(distinct visits.visitor)\n\
        indicator conversion = orders_count / visitors\n\
        indicator shipped = max(orders.amount) filter (where orders.channel = 'shop')\n";

    fn catalog() -> Catalog {
        let mut sources = SourceSet::default();
        let id = sources.add("shop.bell", MODEL);
        let parsed = syntax::parse(sources.file(id));
        assert_eq!(parsed.diagnostics, []);
        let mut tables = Tables::new();
        for (name, columns) in [
            ("orders", "id customer_id channel amount day"),
            ("customers", "id region"),
            ("visits", "visitor channel day"),
        ] {
            tables.insert(("shop".to_string(), name.to_string()), table(columns));
        }
        let functions = Functions::of(&SessionContext::new().state());
        let checked = check(&sources, &[parsed.file], &tables, &functions);
        assert_eq!(checked.diagnostics, []);
        checked.catalog
    }

    fn table(columns: &str) -> Table {
        let kind = |name: &str| match name {
            "day" => DataType::Date32,
            "amount" => DataType::Decimal128(18, 2),
            "channel" | "region" => DataType::Utf8,
            _ => DataType::Int64,
        };
        let fields: Vec<Field> = columns.split(' ').map(|name| Field::new(name, kind(name), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let provider = MemTable::try_new(schema.clone(), vec![vec![]]).unwrap();
        Table { rows: Rows::Table(provider_as_source(Arc::new(provider))), schema }
    }

    #[test]
    fn formulas_read_as_text() {
        let catalog = catalog();
        let words = |name: &str| match catalog.member("shop", name) {
            Some(Member::Indicator(id)) => in_words(&catalog, id),
            other => panic!("{other:?}"),
        };
        assert_eq!(words("gmv"), "sum of orders.amount, where online");
        assert_eq!(words("orders_count"), "number of rows of orders");
        assert_eq!(words("visitors"), "number of distinct visits.visitor");
        assert_eq!(words("conversion"), "orders_count / visitors");
        assert_eq!(words("shipped"), "greatest orders.amount, where orders.channel = 'shop'");
    }
}
