//! The naive evaluator against answers worked out by hand.

use super::expr::{Agg, Ex, Grain, Op};
use super::model::{Column, Dimension, Format, Indicator, Join, Model, Path, Role, Source, Step, Table, Ty};
use super::naive::{Naive, Rows};
use super::question::{Form, Question, Sets};
use super::reach::Why;
use super::value::{Value, days};

const LINES: usize = 0;
const ORDERS: usize = 1;
const VISITS: usize = 2;
const STORES: usize = 3;

fn source(name: &str, columns: &[(&str, Ty)], key: &[usize], joins: Vec<Join>) -> Source {
    let column =
        |(name, ty): &(&str, Ty)| Column { name: name.to_string(), ty: *ty, computed: None, role: Role::Plain };
    Source {
        name: name.into(),
        format: Format::Csv,
        columns: columns.iter().map(column).collect(),
        key: key.to_vec(),
        time: None,
        filter: None,
        joins,
    }
}

fn column(root: usize, steps: &[Step], column: usize) -> Ex {
    Ex::Col(Path { root, steps: steps.to_vec(), column })
}

fn dimension(name: &str, definitions: Vec<(usize, Ex)>) -> Dimension {
    Dimension { name: name.into(), ty: Ty::Text, definitions }
}

fn indicator(definition: Ex) -> Indicator {
    Indicator { name: "m".into(), ..Indicator::of(definition, true, true) }
}

const AMOUNT: usize = 0;
const ONLINE: usize = 1;
const VISITORS: usize = 2;
const PER_VISIT: usize = 3;
const STORES_SEEN: usize = 4;
const LINE_COUNT: usize = 5;
const REGION: Ex = Ex::Dim(0, Grain::Raw);
const CATEGORY: Ex = Ex::Dim(1, Grain::Raw);
const CHANNEL: Ex = Ex::Dim(2, Grain::Raw);
const SIZE: Ex = Ex::Dim(3, Grain::Raw);
const MONTH: Ex = Ex::MetricTime(Grain::Month);

/// Orders with lines, visits of the same channels, and stores.
fn model() -> Model {
    let join = |name: &str, target, on| Join { name: name.into(), target, on: vec![on], short: true, valid: None };
    let (up, down) = (Step::Up(0), Step::Down(LINES, 0));
    let mut orders = source(
        "orders",
        &[("id", Ty::Int), ("amount", Ty::Dec), ("channel", Ty::Text), ("store", Ty::Int), ("day", Ty::Date)],
        &[0],
        vec![join("stores", STORES, (3, 0))],
    );
    orders.time = Some(4);
    let is_online = Ex::bin(Op::Eq, CHANNEL, Ex::Lit(Value::text("online")));
    let amount = Ex::Agg(Agg::Sum, ORDERS, Some(Box::new(column(ORDERS, &[], 1))));
    let visits = Ex::Agg(Agg::CountRows, VISITS, None);
    let is_large = Ex::bin(Op::Ge, column(ORDERS, &[], 1), Ex::Lit(Value::Int(5)));
    let size = Ex::Case(vec![(is_large, Ex::Lit(Value::text("large")))], Some(Box::new(Ex::Lit(Value::text("small")))));
    Model {
        package: "shop".into(),
        sunday: false,
        sources: vec![
            source("lines", &[("order", Ty::Int), ("category", Ty::Text)], &[], vec![join("orders", ORDERS, (0, 0))]),
            orders,
            source("visits", &[("channel", Ty::Text), ("store", Ty::Int)], &[], vec![]),
            source("stores", &[("id", Ty::Int), ("region", Ty::Text)], &[0], vec![]),
        ],
        dimensions: vec![
            dimension("region", vec![(ORDERS, column(ORDERS, &[up], 1))]),
            dimension("category", vec![(ORDERS, column(ORDERS, &[down], 1))]),
            dimension("channel", vec![(ORDERS, column(ORDERS, &[], 2)), (VISITS, column(VISITS, &[], 0))]),
            dimension("size", vec![(ORDERS, size)]),
        ],
        segments: vec![],
        indicators: vec![
            indicator(amount.clone()),
            indicator(amount.filtered(is_online)),
            indicator(visits),
            indicator(Ex::bin(Op::Div, Ex::Ind(AMOUNT), Ex::Ind(VISITORS))),
            indicator(Ex::Agg(Agg::CountDistinct, ORDERS, Some(Box::new(column(ORDERS, &[], 3))))),
            indicator(Ex::Agg(Agg::CountRows, LINES, None)),
        ],
    }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

/// Four orders: the second has no line, the third no channel and an unknown store, the fourth two lines of one category.
fn data() -> Vec<Table> {
    let int = |n: i128| Value::Int(n);
    let order = |id, amount, channel: Value, store, month| {
        vec![int(id), Value::Dec(amount, 2), channel, int(store), Value::Date(days(2026, month, 15))]
    };
    let line = |order, category: &str| vec![int(order), text(category)];
    vec![
        vec![line(1, "food"), line(1, "toys"), line(3, "food"), line(4, "toys"), line(4, "toys"), line(99, "none")],
        vec![
            order(1, 1000, text("online"), 1, 1),
            order(2, 550, text("shop"), 1, 1),
            order(3, 225, Value::Null, 7, 2),
            order(4, 300, text("online"), 2, 2),
        ],
        vec![
            vec![text("online"), int(1)],
            vec![text("online"), int(1)],
            vec![Value::Null, int(1)],
            vec![text("phone"), int(1)],
        ],
        vec![vec![int(1), text("east")], vec![int(2), text("west")]],
    ]
}

fn ask(keys: Vec<Ex>, measures: &[usize], conditions: Vec<Ex>, sets: Sets) -> Result<Rows, Why> {
    let mut items: Vec<Ex> = (0..keys.len()).map(Ex::Key).collect();
    items.extend(measures.iter().map(|at| Ex::Ind(*at)));
    let question = Question { conditions, ..Question::of(Form::Request, keys, items, sets) };
    Naive::new(&model(), &data()).answer(&question)
}

fn shown(rows: Result<Rows, Why>) -> Vec<String> {
    let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = rows.expect("an answer").iter().map(line).collect();
    lines.sort();
    lines
}

fn equals(dimension: Ex, value: &str) -> Ex {
    Ex::bin(Op::Eq, dimension, Ex::Lit(text(value)))
}

#[test]
fn orphans_are_kept() {
    let rows = shown(ask(vec![REGION], &[AMOUNT], vec![], Sets::Plain));
    assert_eq!(rows, ["'east' 15.50", "'west' 3.00", "NULL 2.25"]);
}

#[test]
fn a_dimension_of_another_source_is_null_for_orphans() {
    let rows = shown(ask(vec![SIZE], &[LINE_COUNT], vec![], Sets::Plain));
    assert_eq!(rows, ["'large' 2", "'small' 3", "NULL 1"]);
}

#[test]
fn fan_out_counts_an_order_once_in_each_group() {
    let rows = shown(ask(vec![CATEGORY], &[AMOUNT], vec![], Sets::Plain));
    assert_eq!(rows, ["'food' 12.25", "'toys' 13.00", "NULL 5.50"]);
    // The condition and the group mean the same line.
    let rows = shown(ask(vec![CATEGORY], &[AMOUNT], vec![equals(CATEGORY, "food")], Sets::Plain));
    assert_eq!(rows, ["'food' 12.25"]);
    let rows = shown(ask(vec![CATEGORY], &[AMOUNT], vec![], Sets::Rollup(0)));
    assert_eq!(rows, ["'food' 12.25", "'toys' 13.00", "NULL 20.75", "NULL 5.50"]);
}

#[test]
fn facts_meet_on_null_and_missing_sides_are_zero_or_null() {
    let rows = shown(ask(vec![CHANNEL], &[AMOUNT, VISITORS, PER_VISIT], vec![], Sets::Plain));
    assert_eq!(rows, ["'online' 13.00 2 6.5", "'phone' NULL 1 NULL", "'shop' 5.50 0 NULL", "NULL 2.25 1 2.25"]);
}

#[test]
fn a_filter_keeps_groups() {
    let rows = shown(ask(vec![REGION], &[ONLINE], vec![], Sets::Plain));
    assert_eq!(rows, ["'east' 10.00", "'west' 3.00", "NULL NULL"]);
}

#[test]
fn distinct_counts_are_not_added_up() {
    let rows = shown(ask(vec![CHANNEL], &[STORES_SEEN], vec![], Sets::Rollup(0)));
    assert_eq!(rows, ["'online' 2", "'shop' 1", "NULL 1", "NULL 3"]);
}

#[test]
fn without_grouping_there_is_one_row() {
    let nothing = equals(CHANNEL, "fax");
    let rows = shown(ask(vec![], &[AMOUNT, VISITORS], vec![nothing], Sets::Plain));
    assert_eq!(rows, ["NULL 0"]);
}

#[test]
fn months_are_dates() {
    let rows = shown(ask(vec![MONTH], &[AMOUNT], vec![], Sets::Plain));
    assert_eq!(rows, ["2026-01-01 15.50", "2026-02-01 5.25"]);
}

#[test]
fn what_cannot_be_reached_is_refused() {
    let refused = |keys, measures: &[usize]| matches!(ask(keys, measures, vec![], Sets::Plain), Err(Why::Refused(_)));
    assert!(refused(vec![REGION], &[VISITORS]));
    assert!(refused(vec![REGION], &[AMOUNT, VISITORS]));
    assert!(refused(vec![MONTH], &[VISITORS]));
    assert!(!refused(vec![REGION], &[AMOUNT]));
}

#[test]
fn fan_out_needs_a_key_and_one_way() {
    let mut model = model();
    let question = Question::of(Form::Request, vec![CATEGORY], vec![Ex::Key(0), Ex::Ind(AMOUNT)], Sets::Plain);
    model.sources[ORDERS].key.clear();
    assert!(matches!(Naive::new(&model, &data()).answer(&question), Err(Why::Refused(_))));

    // Two joins to one table, and a dimension of that table.
    model.dimensions[1].definitions = vec![(STORES, column(STORES, &[], 1))];
    assert!(Naive::new(&model, &data()).answer(&question).is_ok());
    let second = Join { name: "other".into(), ..model.sources[ORDERS].joins[0].clone() };
    model.sources[ORDERS].joins.push(second);
    assert!(matches!(Naive::new(&model, &data()).answer(&question), Err(Why::Refused(_))));
}

#[test]
fn random_questions_have_answers_and_cover_everything() {
    let mut tally = super::Tally::default();
    for seed in super::SEEDS {
        let case = super::Case::draw(seed);
        let naive = Naive::new(&case.model, &case.data);
        for question in &case.questions {
            let outcome = match naive.answer(question) {
                Ok(_) => super::Outcome::Equal,
                Err(Why::Refused(_)) => super::Outcome::Refused("B0503".into()),
                Err(Why::Unspecified(_)) => super::Outcome::Unspecified,
            };
            tally.count(&case.model, question, &outcome);
        }
    }
    assert!(tally.equal > 500 && tally.missing().is_empty(), "{tally}");
}
