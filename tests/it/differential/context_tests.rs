//! Contexts against answers worked out by hand.

use super::expr::{Agg, Conversion, Ex, Grain, Op};
use super::model::{Column, Dimension, Format, Indicator, Join, Model, Path, Role, Source, Step, Table, Ty, Within};
use super::modifier::{Amount, Mod};
use super::naive::{Naive, Rows};
use super::question::{Form, Question, Sets};
use super::reach::Why;
use super::value::{Value, days};

const LINES: usize = 0;
const SALES: usize = 1;
const STORES: usize = 2;

const CHANNEL: Ex = Ex::Dim(0, Grain::Raw);
const REGION: Ex = Ex::Dim(1, Grain::Raw);
const CATEGORY: Ex = Ex::Dim(2, Grain::Raw);
const DAY: Ex = Ex::MetricTime(Grain::Day);
const WEEK: Ex = Ex::MetricTime(Grain::Week);
const MONTH: Ex = Ex::MetricTime(Grain::Month);
const TIME: Ex = Ex::MetricTime(Grain::Raw);

const AMOUNT: usize = 0;
const BUYERS: usize = 1;

fn col(root: usize, steps: &[Step], column: usize) -> Ex {
    Ex::Col(Path { root, steps: steps.to_vec(), column })
}

fn source(name: &str, columns: &[(&str, Ty)], key: &[usize], time: Option<usize>, joins: Vec<Join>) -> Source {
    let column =
        |(name, ty): &(&str, Ty)| Column { name: name.to_string(), ty: *ty, computed: None, role: Role::Plain };
    let columns = columns.iter().map(column).collect();
    Source { name: name.into(), format: Format::Csv, columns, key: key.to_vec(), time, filter: None, joins }
}

/// Sales with lines and stores.
fn model(definitions: Vec<Ex>) -> Model {
    let join = |name: &str, target, on| Join { name: name.into(), target, on: vec![on], short: true, valid: None };
    let columns = [
        ("id", Ty::Int),
        ("day", Ty::Date),
        ("channel", Ty::Text),
        ("store", Ty::Int),
        ("buyer", Ty::Int),
        ("amount", Ty::Int),
    ];
    let sum = Ex::Agg(Agg::Sum, SALES, Some(Box::new(col(SALES, &[], 5))));
    let buyers = Ex::Agg(Agg::CountDistinct, SALES, Some(Box::new(col(SALES, &[], 4))));
    let dimension = |name: &str, ex: Ex| Dimension { name: name.into(), ty: Ty::Text, definitions: vec![(SALES, ex)] };
    Model {
        package: "shop".into(),
        sunday: false,
        sources: vec![
            source(
                "lines",
                &[("sale", Ty::Int), ("category", Ty::Text)],
                &[],
                None,
                vec![join("sales", SALES, (0, 0))],
            ),
            source("sales", &columns, &[0], Some(1), vec![join("stores", STORES, (3, 0))]),
            source("stores", &[("id", Ty::Int), ("region", Ty::Text)], &[0], None, vec![]),
        ],
        dimensions: vec![
            dimension("channel", col(SALES, &[], 2)),
            dimension("region", col(SALES, &[Step::Up(0)], 1)),
            dimension("category", col(SALES, &[Step::Down(LINES, 0)], 1)),
        ],
        segments: vec![],
        indicators: [sum, buyers].into_iter().chain(definitions).map(|ex| Indicator::of(ex, true, true)).collect(),
    }
}

type Sale = ((i64, i64, i64), &'static str, i128, i128, i128);

/// Date, channel, store, buyer, amount.
const LEAP: [Sale; 6] = [
    ((2024, 1, 30), "a", 1, 1, 1),
    ((2024, 1, 31), "a", 1, 2, 2),
    ((2024, 2, 29), "b", 2, 1, 4),
    ((2024, 3, 29), "a", 1, 1, 8),
    ((2024, 3, 31), "b", 9, 3, 16),
    ((2025, 3, 31), "a", 1, 1, 32),
];

fn sales(rows: &[Sale]) -> Vec<Table> {
    let row = |(id, ((y, m, d), channel, store, buyer, amount)): (usize, &Sale)| {
        let int = |n: i128| Value::Int(n);
        let id = int(id as i128 + 1);
        vec![id, Value::Date(days(*y, *m, *d)), Value::text(channel), int(*store), int(*buyer), int(*amount)]
    };
    let stores = vec![vec![Value::Int(1), Value::text("east")], vec![Value::Int(2), Value::text("west")]];
    let line = |sale, category| vec![Value::Int(sale), Value::text(category)];
    let lines = vec![line(1, "x"), line(1, "y"), line(2, "x"), line(2, "x"), line(3, "y")];
    vec![lines, rows.iter().enumerate().map(row).collect(), stores]
}

struct Ask {
    model: Model,
    data: Vec<Table>,
    keys: Vec<Ex>,
    conditions: Vec<Ex>,
    sets: Sets,
}

/// One indicator's definition asked by keys.
fn ask(definition: Ex, keys: &[Ex]) -> Ask {
    let model = model(vec![definition]);
    Ask { model, data: sales(&LEAP), keys: keys.to_vec(), conditions: vec![], sets: Sets::Plain }
}

impl Ask {
    fn when(mut self, condition: Ex) -> Ask {
        self.conditions.push(condition);
        self
    }

    /// Days from, and before.
    fn between(self, from: (i64, i64, i64), before: (i64, i64, i64)) -> Ask {
        let lit = |(y, m, d)| Ex::Lit(Value::Date(days(y, m, d)));
        self.when(Ex::bin(Op::Ge, TIME, lit(from))).when(Ex::bin(Op::Lt, TIME, lit(before)))
    }

    fn rows(self) -> Result<Rows, Why> {
        let mut items: Vec<Ex> = (0..self.keys.len()).map(Ex::Key).collect();
        items.push(Ex::Ind(self.model.indicators.len() - 1));
        let question = Question::of(Form::Request, self.keys, items, self.sets);
        let question = Question { conditions: self.conditions, ..question };
        Naive::new(&self.model, &self.data).answer(&question)
    }

    fn shown(self) -> Vec<String> {
        let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = self.rows().expect("an answer").iter().map(line).collect();
        lines.sort();
        lines
    }

    fn refused(self) -> bool {
        matches!(self.rows(), Err(Why::Refused(_)))
    }
}

fn at(indicator: usize, mods: &[Mod]) -> Ex {
    Ex::At(Box::new(Ex::Ind(indicator)), mods.to_vec())
}

fn amount(n: i64, unit: Grain) -> Amount {
    Amount { n, unit }
}

fn month_before() -> Mod {
    Mod::Previous(Grain::Month)
}

fn trailing(n: i64) -> Mod {
    Mod::Trailing(amount(n, Grain::Day))
}

fn text(text: &str) -> Ex {
    Ex::Lit(Value::text(text))
}

fn is(d: Ex, value: &str) -> Ex {
    Ex::bin(Op::Eq, d, text(value))
}

#[test]
fn a_month_before_the_last_days_of_march_is_the_last_of_february() {
    let rows = ask(at(AMOUNT, &[month_before()]), &[DAY]).shown();
    let due =
        ["2024-01-30 NULL", "2024-01-31 NULL", "2024-02-29 NULL", "2024-03-29 4", "2024-03-31 4", "2025-03-31 NULL"];
    assert_eq!(rows, due);
}

#[test]
fn months_and_years_before() {
    let rows = ask(at(AMOUNT, &[month_before()]), &[MONTH]).shown();
    assert_eq!(rows, ["2024-01-01 NULL", "2024-02-01 3", "2024-03-01 4", "2025-03-01 NULL"]);
    let rows = ask(at(AMOUNT, &[Mod::Previous(Grain::Year)]), &[MONTH]).shown();
    assert_eq!(rows, ["2024-01-01 NULL", "2024-02-01 NULL", "2024-03-01 NULL", "2025-03-01 24"]);
    let ahead = Mod::Shift(amount(-1, Grain::Month));
    let rows = ask(at(AMOUNT, &[ahead]), &[MONTH]).shown();
    assert_eq!(rows, ["2024-01-01 4", "2024-02-01 24", "2024-03-01 NULL", "2025-03-01 NULL"]);
}

#[test]
fn a_week_moved_by_a_month_keeps_its_bounds() {
    // The week of 25 March 2024 is read as 25 February up to before 1 March.
    let rows = ask(at(AMOUNT, &[month_before()]), &[WEEK]).shown();
    assert!(rows.contains(&"2024-03-25 4".to_string()), "{rows:?}");
}

#[test]
fn parts_of_the_time_move_with_it() {
    let month = Ex::MetricTime(Grain::ExtractMonth);
    let rows = ask(at(AMOUNT, &[month_before()]), &[month]).shown();
    // 30 and 31 January are a month before 29 February; no day is a month before January.
    assert_eq!(rows, ["1 NULL", "2 3", "3 4"]);
}

#[test]
fn the_range_moves_along_and_a_cut_period_stays_cut() {
    let rows = ask(at(AMOUNT, &[month_before()]), &[MONTH]).between((2024, 3, 1), (2024, 4, 1)).shown();
    assert_eq!(rows, ["2024-03-01 4"]);
    // Up to 29 March is up to 29 February, where it lands.
    let rows = ask(at(AMOUNT, &[month_before()]), &[MONTH]).between((2024, 3, 1), (2024, 3, 30)).shown();
    assert_eq!(rows, ["2024-03-01 4"]);
}

#[test]
fn the_period_before_is_a_step_of_the_finest_grain() {
    let before = || at(AMOUNT, &[Mod::PreviousPeriod]);
    let rows = ask(before(), &[MONTH]).shown();
    assert_eq!(rows, ["2024-01-01 NULL", "2024-02-01 3", "2024-03-01 4", "2025-03-01 NULL"]);
    let rows = ask(before(), &[MONTH, DAY]).shown();
    assert!(rows.contains(&"2024-01-01 2024-01-31 1".to_string()), "{rows:?}");
    // Without a grain, 29 days before the 29 days of February.
    let rows = ask(before(), &[]).between((2024, 2, 1), (2024, 3, 1)).shown();
    assert_eq!(rows, ["3"]);
    assert!(ask(before(), &[]).refused());
    assert!(ask(before(), &[CHANNEL]).refused());
}

#[test]
fn a_window_shows_the_periods_of_a_gap() {
    let rows = ask(at(AMOUNT, &[trailing(3)]), &[DAY]).between((2024, 1, 1), (2024, 2, 28)).shown();
    // The last day with data is 31 January.
    assert_eq!(rows, ["2024-01-30 1", "2024-01-31 3"]);
    let rows = ask(at(AMOUNT, &[trailing(3)]), &[DAY]).between((2024, 1, 1), (2024, 3, 1)).shown();
    assert_eq!(rows, ["2024-01-30 1", "2024-01-31 3", "2024-02-01 3", "2024-02-02 2", "2024-02-29 4"]);
    // What lies before the range is read, and its days are not shown.
    let rows = ask(at(AMOUNT, &[trailing(3)]), &[DAY]).between((2024, 2, 1), (2024, 3, 1)).shown();
    assert_eq!(rows, ["2024-02-01 3", "2024-02-02 2", "2024-02-29 4"]);
}

#[test]
fn a_window_is_exact_for_distinct_counts() {
    let rows = ask(at(BUYERS, &[trailing(31)]), &[MONTH]).shown();
    // Up to the end of March: 1 and 3 bought; up to the end of February: 1 and, on 31 January, not 2 but in 31 days.
    assert_eq!(rows[..3], ["2024-01-01 2", "2024-02-01 2", "2024-03-01 2"]);
    let rows = ask(at(BUYERS, &[Mod::Cumulative]), &[MONTH]).between((2024, 2, 1), (2024, 4, 1)).shown();
    assert_eq!(rows, ["2024-02-01 2", "2024-03-01 3"]);
}

#[test]
fn windows_by_other_keys_show_where_they_have_rows() {
    let rows = ask(at(AMOUNT, &[Mod::Cumulative]), &[MONTH, CHANNEL]).between((2024, 1, 1), (2024, 4, 1)).shown();
    let due = ["2024-01-01 'a' 3", "2024-02-01 'a' 3", "2024-02-01 'b' 4", "2024-03-01 'a' 11", "2024-03-01 'b' 20"];
    assert_eq!(rows, due);
}

#[test]
fn a_cut_period_ends_at_the_range_and_without_a_grain_its_end_is_the_point() {
    let to_date = || at(AMOUNT, &[Mod::ToDate(Grain::Month)]);
    let rows = ask(to_date(), &[MONTH]).between((2024, 3, 5), (2024, 3, 31)).shown();
    assert_eq!(rows, ["2024-03-01 8"]);
    let rows = ask(to_date(), &[]).between((2024, 3, 30), (2024, 4, 1)).shown();
    assert_eq!(rows, ["24"]);
    assert!(ask(to_date(), &[]).refused());
    let rows = ask(at(AMOUNT, &[Mod::Cumulative]), &[]).shown();
    assert_eq!(rows, ["63"]);
    let rows = ask(at(AMOUNT, &[trailing(2)]), &[]).between((2024, 1, 1), (2024, 2, 1)).shown();
    assert_eq!(rows, ["3"]);
}

#[test]
fn modifiers_act_from_left_to_right() {
    // By the day 31 March: a month before is 29 February, and its window of 30 days has 31 January.
    let last = |mods: &[Mod]| ask(at(AMOUNT, mods), &[DAY]).shown()[4].clone();
    assert_eq!(last(&[month_before(), trailing(30)]), "2024-03-31 6");
    // The other way round: up to 1 March less a month, from 2 March less a month.
    assert_eq!(last(&[trailing(30), month_before()]), "2024-03-31 4");
    let outer = Ex::At(Box::new(at(AMOUNT, &[trailing(30)])), vec![month_before()]);
    assert_eq!(ask(outer, &[DAY]).shown()[4], "2024-03-31 6");
}

#[test]
fn all_of_a_dimension() {
    let rows = ask(at(AMOUNT, &[Mod::AllOf(vec![CHANNEL])]), &[CHANNEL, MONTH]).shown();
    let due = ["'a' 2024-01-01 3", "'a' 2024-03-01 24", "'a' 2025-03-01 32", "'b' 2024-02-01 4", "'b' 2024-03-01 24"];
    assert_eq!(rows, due);
    // A condition on it is dropped, but decides what is shown.
    let rows = ask(at(AMOUNT, &[Mod::AllOf(vec![CHANNEL])]), &[MONTH]).when(is(CHANNEL, "a")).shown();
    assert_eq!(rows, ["2024-01-01 3", "2024-03-01 24", "2025-03-01 32"]);
    // A range is not.
    let time = at(AMOUNT, &[Mod::AllOf(vec![TIME])]);
    let rows = ask(time, &[MONTH]).between((2024, 1, 31), (2024, 3, 1)).shown();
    assert_eq!(rows, ["2024-01-01 6", "2024-02-01 6"]);
    let mixed = Ex::bin(Op::Or, is(CHANNEL, "a"), is(REGION, "east"));
    assert!(ask(at(AMOUNT, &[Mod::AllOf(vec![CHANNEL])]), &[]).when(mixed).refused());
    let rows = ask(at(AMOUNT, &[Mod::All]), &[CHANNEL]).between((2024, 1, 1), (2024, 2, 1)).shown();
    assert_eq!(rows, ["'a' 63"]);
}

#[test]
fn set_where_and_visible() {
    let set = at(AMOUNT, &[Mod::Set(CHANNEL, text("b"))]);
    let rows = ask(set, &[CHANNEL]).when(is(CHANNEL, "a")).shown();
    assert_eq!(rows, ["'a' 20"]);
    let region = || Ex::Current(Box::new(REGION));
    let same = || at(AMOUNT, &[Mod::Set(REGION, region())]);
    // Unknown regions are not equal to anything.
    assert_eq!(ask(same(), &[REGION]).shown(), ["'east' 43", "'west' 4", "NULL NULL"]);
    assert!(ask(same(), &[CHANNEL]).refused());
    let dropped = at(AMOUNT, &[Mod::AllOf(vec![REGION]), Mod::Set(REGION, region())]);
    assert!(ask(dropped, &[REGION]).refused());
    let only_b = at(AMOUNT, &[Mod::Where(is(CHANNEL, "b"))]);
    let rows = ask(only_b, &[MONTH]).between((2024, 1, 1), (2024, 3, 30)).shown();
    assert_eq!(rows, ["2024-01-01 NULL", "2024-02-01 4", "2024-03-01 16"]);
    let back = at(AMOUNT, &[Mod::AllOf(vec![CHANNEL]), Mod::Visible]);
    assert_eq!(ask(back, &[CHANNEL]).when(is(CHANNEL, "a")).shown(), ["'a' 43"]);
}

#[test]
fn year_parts_of_the_row() {
    let year = Ex::MetricTime(Grain::ExtractYear);
    let before = Ex::bin(Op::Sub, Ex::Current(Box::new(year.clone())), Ex::Lit(Value::Int(1)));
    let rows = ask(at(AMOUNT, &[Mod::Set(year.clone(), before)]), &[year]).shown();
    assert_eq!(rows, ["2024 NULL", "2025 31"]);
}

#[test]
fn first_and_last_rows() {
    let last = || at(AMOUNT, &[Mod::Last(DAY, vec![])]);
    assert_eq!(ask(last(), &[MONTH]).shown(), ["2024-01-01 2", "2024-02-01 4", "2024-03-01 16", "2025-03-01 32"]);
    assert_eq!(ask(last(), &[CHANNEL]).shown(), ["'a' 32", "'b' 16"]);
    assert_eq!(ask(last(), &[]).when(is(CHANNEL, "b")).shown(), ["16"]);
    let each = at(AMOUNT, &[Mod::Last(DAY, vec![col(SALES, &[], 4)])]);
    assert_eq!(ask(each, &[]).shown(), ["50"], "buyer 1: 32, buyer 2: 2, buyer 3: 16");
    let first = at(AMOUNT, &[Mod::First(MONTH, vec![])]);
    assert_eq!(ask(first, &[CHANNEL]).shown(), ["'a' 3", "'b' 4"]);
    let filtered = last().filtered(is(CHANNEL, "a"));
    assert_eq!(ask(filtered, &[MONTH]).shown()[2], "2024-03-01 8");
    // The window's last day.
    let window = at(AMOUNT, &[Mod::Last(DAY, vec![]), Mod::Cumulative]);
    assert_eq!(ask(window, &[MONTH]).between((2024, 1, 1), (2024, 3, 1)).shown(), ["2024-01-01 2", "2024-02-01 4"]);
}

#[test]
fn fan_out_in_contexts() {
    assert_eq!(ask(at(AMOUNT, &[Mod::AllOf(vec![CATEGORY])]), &[CATEGORY]).shown(), ["'x' 63", "'y' 63", "NULL 63"]);
    let rows = ask(at(AMOUNT, &[month_before()]), &[CATEGORY, MONTH]).shown();
    let due = [
        "'x' 2024-01-01 NULL",
        "'y' 2024-01-01 NULL",
        "'y' 2024-02-01 1",
        "NULL 2024-03-01 NULL",
        "NULL 2025-03-01 NULL",
    ];
    assert_eq!(rows, due);
}

#[test]
fn rollup_asks_each_set_on_its_own() {
    let mut asked = ask(at(AMOUNT, &[month_before()]), &[MONTH]).between((2024, 2, 1), (2024, 4, 1));
    asked.sets = Sets::Rollup(0);
    // Together: 1 January up to before 1 March.
    assert_eq!(asked.shown(), ["2024-02-01 3", "2024-03-01 4", "NULL 7"]);
}

fn fold(agg: Agg, x: Ex, by: Ex) -> Ex {
    Ex::Fold(agg, vec![x], vec![by])
}

#[test]
fn aggregates_of_indicators_skip_days_without_rows() {
    let rows = ask(fold(Agg::Avg, Ex::Ind(AMOUNT), DAY), &[MONTH]).shown();
    assert_eq!(rows, ["2024-01-01 1.5", "2024-02-01 4.0", "2024-03-01 12.0", "2025-03-01 32.0"]);
    let daily = fold(Agg::Max, fold(Agg::Sum, Ex::Ind(AMOUNT), DAY), MONTH);
    assert_eq!(ask(daily, &[]).shown(), ["32"]);
    let monthly = fold(Agg::Count, fold(Agg::Max, fold(Agg::Sum, Ex::Ind(AMOUNT), DAY), MONTH), REGION);
    assert_eq!(ask(monthly, &[]).shown(), ["3"]);
    let before = Ex::At(Box::new(fold(Agg::Avg, Ex::Ind(AMOUNT), DAY)), vec![month_before()]);
    assert_eq!(ask(before, &[MONTH]).shown()[1..3], ["2024-02-01 1.5", "2024-03-01 4.0"]);
}

#[test]
fn modifiers_inside_an_aggregate_act_at_its_grain() {
    let inner = fold(Agg::Sum, at(AMOUNT, &[trailing(2)]), DAY);
    let rows = ask(inner, &[MONTH]).between((2024, 1, 1), (2024, 4, 1)).shown();
    // 30 January 1, 31 January 3, 1 February 2, 29 February 4, 1 March 4, 29 March 8, 30 March 8, 31 March 16.
    assert_eq!(rows, ["2024-01-01 4", "2024-02-01 6", "2024-03-01 36"]);
    let last = Ex::At(Box::new(fold(Agg::Count, Ex::Ind(AMOUNT), DAY)), vec![Mod::Last(MONTH, vec![])]);
    assert_eq!(ask(last, &[CHANNEL]).shown(), ["'a' 1", "'b' 1"]);
    let pair = Ex::Fold(Agg::CovarPop, vec![Ex::Ind(AMOUNT), Ex::Ind(BUYERS)], vec![CHANNEL]);
    assert_eq!(ask(pair, &[]).shown(), ["0.0"]);
}

#[test]
fn an_indicator_in_a_condition_is_asked_by_it_alone() {
    let mut asked = ask(Ex::Ind(BUYERS), &[]);
    let buyer = || col(SALES, &[], 4);
    let big = |x: Ex| Ex::bin(Op::Gt, Ex::per(x, vec![buyer()]), Ex::Lit(Value::Int(10)));
    asked.model.indicators[2].trailing = Some(big(Ex::Ind(AMOUNT)));
    assert_eq!(asked.when(is(CHANNEL, "a")).shown(), ["1"]);
    // Of buyer 1, 4 is in channel b; with the condition back, 41 are left, and 2 of buyer 2.
    let mut asked = ask(Ex::Ind(BUYERS), &[MONTH]);
    asked.model.indicators[2].trailing = Some(big(at(AMOUNT, &[Mod::Visible])));
    assert_eq!(asked.between((2024, 1, 1), (2024, 3, 30)).shown(), ["2024-01-01 1", "2024-02-01 1", "2024-03-01 1"]);
    let mut asked = ask(Ex::Ind(BUYERS), &[Ex::Dim(3, Grain::Raw)]);
    let band = Ex::Case(vec![(big(Ex::Ind(AMOUNT)), text("big"))], Some(Box::new(text("small"))));
    asked.model.dimensions.push(Dimension { name: "band".into(), ty: Ty::Text, definitions: vec![(SALES, band)] });
    assert_eq!(asked.shown(), ["'big' 2", "'small' 1"]);
}

#[test]
fn filled_periods() {
    let filled = |keys: &[Ex]| {
        let mut asked = ask(Ex::Agg(Agg::Sum, SALES, Some(Box::new(col(SALES, &[], 5)))), keys);
        asked.model.indicators[2].fill = Some(Value::Int(0));
        asked
    };
    let rows = filled(&[MONTH, CHANNEL]).between((2023, 12, 5), (2024, 3, 1)).shown();
    let due = [
        "2023-12-01 'a' 0",
        "2023-12-01 'b' 0",
        "2024-01-01 'a' 3",
        "2024-01-01 'b' 0",
        "2024-02-01 'a' 0",
        "2024-02-01 'b' 4",
    ];
    assert_eq!(rows, due);
    let mut asked = filled(&[MONTH]);
    asked.model.indicators.push(Indicator::of(fold(Agg::Avg, Ex::Ind(2), DAY), true, true));
    let rows = asked.between((2024, 1, 30), (2024, 3, 1)).shown();
    assert_eq!(rows, ["2024-01-01 1.5", "2024-02-01 0.13793103448275862"]);
}

#[test]
fn what_a_window_shows_at_a_coarser_grain() {
    let within = |shows| {
        let mut asked = ask(at(AMOUNT, &[trailing(31)]), &[MONTH]).between((2024, 1, 1), (2024, 4, 1));
        asked.model.indicators[2].within = Some((shows, Grain::Day));
        asked.shown()
    };
    assert_eq!(within(Within::First), ["2024-01-01 NULL", "2024-02-01 3", "2024-03-01 6"]);
    let rows = within(Within::Average);
    assert_eq!(rows[0], "2024-01-01 2.0", "of 30 and 31 January: 1 and 3");
    // 1 to 28 February: 3; on the 29th 7.
    assert_eq!(rows[1], format!("2024-02-01 {:?}", (28 * 3 + 7) as f64 / 29.0));
}

#[test]
fn validities_are_half_open() {
    let mut asked = ask(Ex::Ind(AMOUNT), &[Ex::Dim(3, Grain::Raw)]);
    let columns = [("store", Ty::Int), ("level", Ty::Text), ("from", Ty::Date), ("to", Ty::Date)];
    asked.model.sources.push(source("levels", &columns, &[], None, vec![]));
    let join = Join { name: "level".into(), target: 3, on: vec![(3, 0)], short: false, valid: Some((2, 3)) };
    asked.model.sources[SALES].joins.push(join);
    let level = col(SALES, &[Step::Up(1)], 1);
    asked.model.dimensions.push(Dimension { name: "level".into(), ty: Ty::Text, definitions: vec![(SALES, level)] });
    let date = |y, m, d| Value::Date(days(y, m, d));
    asked.data.push(vec![
        vec![Value::Int(1), Value::text("new"), Value::Null, date(2024, 1, 31)],
        vec![Value::Int(1), Value::text("old"), date(2024, 1, 31), date(2024, 3, 29)],
        vec![Value::Int(2), Value::text("old"), date(2024, 2, 1), Value::Null],
    ]);
    // 29 March and later of store 1, and store 9, are in no range.
    assert_eq!(asked.shown(), ["'new' 1", "'old' 6", "NULL 56"]);
}

#[test]
fn each_conversion_is_credited_once_to_the_latest_base_row() {
    let within = amount(7, Grain::Day);
    let conversion = Conversion { from: SALES, to: 3, by: vec![Ex::Dim(3, Grain::Raw)], within };
    let mut asked = ask(Ex::Conversion(Box::new(conversion)), &[CHANNEL]);
    asked.model.sources.push(source("returns", &[("buyer", Ty::Int), ("day", Ty::Date)], &[], Some(1), vec![]));
    let definitions = vec![(SALES, col(SALES, &[], 4)), (3, col(3, &[], 0))];
    asked.model.dimensions.push(Dimension { name: "buyer".into(), ty: Ty::Int, definitions });
    let back = |buyer, (y, m, d)| vec![Value::Int(buyer), Value::Date(days(y, m, d))];
    // Of buyer 1: on the day of 29 February; twice after 29 March, once too late; buyer 2 before any sale.
    asked.data.push(vec![
        back(1, (2024, 2, 29)),
        back(1, (2024, 3, 29)),
        back(1, (2024, 4, 5)),
        back(1, (2024, 4, 6)),
        back(2, (2024, 1, 30)),
        back(3, (2024, 4, 8)),
    ]);
    assert_eq!(asked.shown(), ["'a' 0.25", "'b' 0.5"]);
}
