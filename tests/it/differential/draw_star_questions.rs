//! Random questions about contexts: for each, a kind of indicator, a change and a shape of joins are chosen first.

use super::dice::Dice;
use super::draw_changes::{add, changed, modifiers, of_kind, on_dimension, reached};
use super::draw_items::facts_of;
use super::draw_rows::condition;
use super::draw_star::{CATEGORY, COUNTRY, FACT, KIND, N, OTHER, REGION, SENT, TIER, time_key};
use super::expr::{Conversion, Ex, Func, Grain, Op};
use super::model::{Dimension, Indicator, Model, Ty};
use super::modifier::Amount;
use super::pairs::{CHANGES, Change, KINDS, Kind, SHAPES, Shape};
use super::question::{Form, Order, Period, Question, Sets};
use super::value::{Value, civil};

/// Draws questions, and the indicators that they ask for.
pub fn draw(dice: &mut Dice, model: &mut Model) -> Vec<Question> {
    (0..dice.between(4, 6)).map(|_| question(dice, model)).collect()
}

fn question(dice: &mut Dice, model: &mut Model) -> Question {
    let (kind, by, shape) = (*dice.pick(&KINDS), *dice.pick(&CHANGES), *dice.pick(&SHAPES));
    let fact = if shape == Shape::Against || dice.percent(70) { FACT } else { OTHER };
    let base = match dice.percent(5) {
        true => conversion(dice, model, fact),
        false => of_kind(dice, model, kind, fact),
    };
    let form = *dice.pick(&[Form::Request, Form::Request, Form::Sql("MEASURE"), Form::Sql("MEASURE"), Form::Sql("")]);
    let sql = form != Form::Request;
    let facts = facts_of(model, &Ex::Ind(base));
    let in_sql = sql && dice.percent(50) && !matches!(by, Change::Nothing | Change::Per | Change::Fill);
    let mut measures = vec![if in_sql {
        changed_in_sql(dice, model, base, by, &facts)
    } else {
        Ex::Ind(changed(dice, model, base, by))
    }];
    if dice.percent(25) && measures[0] != Ex::Ind(base) {
        measures.push(Ex::Ind(base));
    }
    if shape == Shape::Several {
        let other = *dice.pick(&[Kind::Sum, Kind::Count]);
        let other = of_kind(dice, model, other, if fact == FACT { OTHER } else { FACT });
        // It only makes the question one over several facts.
        model.indicators[other].kind = None;
        measures.push(Ex::Ind(other));
    }
    let all: Vec<usize> = measures.iter().flat_map(|x| facts_of(model, x)).collect();
    let all = if all.iter().any(|f| *f != all[0]) { vec![FACT, OTHER] } else { vec![all[0]] };
    let mut keys = keys(dice, model, shape, &all, &measures);
    for key in keys.iter_mut().filter(|_| sql) {
        let is_text = matches!(key, Ex::Dim(at, Grain::Raw) if model.dimensions[*at].ty == Ty::Text);
        if is_text && dice.percent(5) {
            *key = Ex::Call(Func::Upper, vec![key.clone()]);
        }
    }
    let mut form = form;
    if form == Form::Sql("") && keys.is_empty() {
        form = Form::Sql("MEASURE");
    }
    let sets = if sql { sets(dice, keys.len()) } else { Sets::Plain };
    let mut items: Vec<Ex> = (0..keys.len()).map(Ex::Key).collect();
    items.extend(measures);
    let mut question = Question::of(form, keys, items, sets);
    conditions(dice, model, &mut question, shape, &all);
    order(dice, &mut question);
    question
}

/// A conversion from one fact to the other; it has no place in the table.
fn conversion(dice: &mut Dice, model: &mut Model, from: usize) -> usize {
    let to = if from == FACT { OTHER } else { FACT };
    let mut by = vec![Ex::Dim(N, Grain::Raw)];
    if dice.percent(30) {
        by.push(Ex::Dim(*dice.pick(&[KIND, REGION]), Grain::Raw));
    }
    let unit = *dice.pick(&[Grain::Day, Grain::Day, Grain::Week, Grain::Month]);
    let within = Amount { n: dice.between(1, if unit == Grain::Day { 30 } else { 3 }), unit };
    let definition = Ex::Conversion(Box::new(Conversion { from, to, by, within }));
    add(model, Indicator::of(definition, false, true))
}

/// `MEASURE(x) AT (…)`, also around a formula or a filtered one.
fn changed_in_sql(dice: &mut Dice, model: &Model, base: usize, by: Change, facts: &[usize]) -> Ex {
    let x = Ex::Ind(base);
    if by == Change::Filter {
        return x.filtered(on_dimension(dice, model, facts, false));
    }
    let mods = modifiers(dice, model, facts, by, true);
    let x = match dice.below(6) {
        0 => x.filtered(on_dimension(dice, model, facts, false)),
        1 => Ex::bin(Op::Sub, x, Ex::Lit(Value::Int(1))),
        _ => x,
    };
    let at = Ex::At(Box::new(x), mods);
    match dice.below(6) {
        0 => Ex::bin(Op::Sub, Ex::Ind(base), at),
        _ => at,
    }
}

fn keys(dice: &mut Dice, model: &mut Model, shape: Shape, facts: &[usize], measures: &[Ex]) -> Vec<Ex> {
    let of = |at: usize| Ex::Dim(at, Grain::Raw);
    let mut keys: Vec<Ex> = vec![];
    match shape {
        Shape::Own | Shape::Several if dice.percent(60) => keys.push(of(*dice.pick(&[KIND, KIND, N]))),
        Shape::Own | Shape::Several => {}
        Shape::Chain => {
            let tier = reached(model, facts).contains(&TIER);
            keys.push(of(if tier && dice.percent(40) { TIER } else { *dice.pick(&[REGION, REGION, COUNTRY]) }));
            if dice.percent(15) {
                keys.push(of(KIND));
            }
        }
        Shape::Against => keys.push(of(CATEGORY)),
    }
    if shape == Shape::Several && dice.percent(30) {
        keys.push(of(REGION));
    }
    if facts == [FACT] && shape == Shape::Own && dice.percent(10) {
        let band = banded(dice, model);
        keys.push(of(band));
    }
    // What the modifiers name is often a key too.
    let mut named = vec![];
    measures.iter().for_each(|x| mentioned(model, x, &mut named));
    for d in named {
        if dice.percent(45) && shape != Shape::Own {
            keys.push(d);
        }
    }
    if dice.percent(65) {
        keys.push(time_key(dice, Ex::MetricTime, true).0);
    }
    if dice.percent(12) {
        keys.push(time_key(dice, Ex::MetricTime, true).0);
    }
    if facts == [FACT] && dice.percent(8) {
        keys.push(time_key(dice, |grain| Ex::Dim(SENT, grain), false).0);
    }
    let mut distinct: Vec<Ex> = vec![];
    for key in keys {
        if !distinct.contains(&key) && distinct.len() < 4 {
            distinct.push(key);
        }
    }
    distinct
}

/// The dimensions and parts that `set` names.
fn mentioned(model: &Model, x: &Ex, found: &mut Vec<Ex>) {
    x.visit(&mut |inner| match inner {
        Ex::Current(d) => found.push(d.as_ref().clone()),
        Ex::Ind(at) => mentioned(model, &model.indicators[*at].definition, found),
        _ => {}
    });
}

/// A dimension that bands a column by an indicator.
fn banded(dice: &mut Dice, model: &mut Model) -> usize {
    let x = of_kind(dice, model, Kind::Count, FACT);
    model.indicators[x].kind = None;
    let by = super::draw_star::own(model, FACT, "store");
    let above = Ex::bin(Op::Gt, Ex::per(Ex::Ind(x), vec![by]), Ex::Lit(Value::Int(dice.between(1, 4).into())));
    let large = vec![(above, Ex::Lit(Value::text("many")))];
    let band = Ex::Case(large, Some(Box::new(Ex::Lit(Value::text("few")))));
    let name = format!("band{}", model.dimensions.len());
    model.dimensions.push(Dimension { name, ty: Ty::Text, definitions: vec![(FACT, band)] });
    model.dimensions.len() - 1
}

fn sets(dice: &mut Dice, keys: usize) -> Sets {
    match (dice.below(100), keys) {
        (0..8, 1..) => Sets::Rollup(0),
        (8..12, 1..3) => Sets::Cube,
        (12..15, 2..) => Sets::Listed(vec![(0..keys).collect(), vec![0]]),
        _ => Sets::Plain,
    }
}

fn conditions(dice: &mut Dice, model: &Model, question: &mut Question, shape: Shape, facts: &[usize]) {
    let upward = shape != Shape::Against;
    if dice.percent(35) {
        question.conditions.push(match shape {
            Shape::Own => condition(dice, Ex::Dim(KIND, Grain::Raw), Ty::Text),
            _ => on_dimension(dice, model, facts, upward),
        });
    }
    if dice.percent(8) {
        let (a, b) = (on_dimension(dice, model, facts, upward), on_dimension(dice, model, facts, upward));
        question.conditions.push(Ex::bin(Op::Or, a, b));
    }
    if dice.percent(50) {
        range(dice, question);
    }
    if dice.percent(6) {
        let part = Ex::MetricTime(Grain::ExtractMonth);
        let is = Ex::In(Box::new(part), vec![Value::Int(1), Value::Int(2), Value::Int(12)], false);
        question.conditions.push(is);
    }
}

/// A range, whose ends are often inside periods.
fn range(dice: &mut Dice, question: &mut Question) {
    let (a, b) = (dice.date(), dice.date());
    let (first, last) = (a.min(b), a.max(b));
    if question.form == Form::Request && dice.percent(60) {
        let period = |dice: &mut Dice, day: i64| {
            let (year, month, _) = civil(day);
            match dice.below(4) {
                0 => Period::day(day),
                1 => Period::quarter(year, (month + 2) / 3),
                _ => Period::month(year, month),
            }
        };
        question.from = dice.percent(70).then(|| period(dice, first));
        question.to = dice.percent(70).then(|| period(dice, last));
        return;
    }
    let time = Ex::MetricTime(*dice.pick(&[Grain::Raw, Grain::Raw, Grain::Raw, Grain::Month, Grain::Week]));
    let lit = |day: i64| Ex::Lit(Value::Date(day));
    let on = || time.clone();
    match dice.below(8) {
        0 => question.conditions.push(Ex::Between(Box::new(on()), Value::Date(first), Value::Date(last), false)),
        1 => question.conditions.push(Ex::bin(Op::Ge, on(), lit(first))),
        2 => question.conditions.push(Ex::bin(*dice.pick(&[Op::Le, Op::Lt]), on(), lit(last))),
        3 => {
            let month = |day| Grain::Month.cut(&Value::Date(day), false);
            let list = vec![month(first), month(last)];
            question.conditions.push(Ex::In(Box::new(Ex::MetricTime(Grain::Month)), list, false));
        }
        _ => {
            question.conditions.push(Ex::bin(*dice.pick(&[Op::Ge, Op::Gt]), on(), lit(first)));
            question.conditions.push(Ex::bin(*dice.pick(&[Op::Le, Op::Lt]), on(), lit(last)));
        }
    }
}

fn order(dice: &mut Dice, question: &mut Question) {
    if question.keys.is_empty() || question.sets != Sets::Plain || !dice.percent(10) {
        return;
    }
    for item in 0..question.keys.len() {
        question.order.push(Order { item, descending: dice.percent(40), nulls_first: false });
    }
    question.limit = dice.percent(60).then_some(4);
}
