//! Random questions to a model. Most can be answered; some must be refused.

use super::dice::Dice;
use super::draw_items::{facts_of, formula};
use super::draw_rows::{condition, joined};
use super::expr::{DAY_GRAINS, Ex, Func, Grain, Op};
use super::model::{Dimension, Model, Ty};
use super::question::{Form, Order, Period, Question, Sets};
use super::reach::resolve;
use super::value::{Value, days};

/// One question.
pub fn draw(dice: &mut Dice, model: &Model) -> Option<Question> {
    match dice.below(100) {
        0..5 => distinct(dice, model),
        5..8 => Some(view(dice, model)),
        8..30 => asked(dice, model, Form::Request),
        30..38 => asked(dice, model, Form::Wrapped),
        38..48 => asked(dice, model, Form::Sql("")),
        48..53 => asked(dice, model, Form::Sql("AGGREGATE")),
        53..58 => asked(dice, model, Form::Sql("agg")),
        _ => asked(dice, model, Form::Sql("MEASURE")),
    }
}

fn view(dice: &mut Dice, model: &Model) -> Question {
    let at = dice.below(model.indicators.len());
    Question::of(Form::View(at), vec![], vec![Ex::Ind(at)], Sets::Plain)
}

/// Dimensions of one source's own columns. Through joins the page does not say whose rows give the values.
fn distinct(dice: &mut Dice, model: &Model) -> Option<Question> {
    let rooted = |at: usize| own_root(&model.dimensions[at]).map(|root| (root, at));
    let own: Vec<(usize, usize)> = (0..model.dimensions.len()).filter_map(rooted).collect();
    if own.is_empty() {
        return None;
    }
    let (root, _) = *dice.pick(&own);
    let own = own.into_iter().filter(|(other, _)| *other == root);
    let own: Vec<(Ex, Ty)> = own.map(|(_, at)| (Ex::Dim(at, Grain::Raw), model.dimensions[at].ty)).collect();
    let count = dice.between(1, 2) as usize;
    let keys: Vec<Ex> = dice.some(&own, count).into_iter().map(|(ex, _)| ex).collect();
    let items = (0..keys.len()).map(Ex::Key).collect();
    let mut question = Question::of(Form::Distinct(root), keys, items, Sets::Plain);
    if dice.percent(40) {
        let (ex, ty) = dice.pick(&own).clone();
        question.conditions.push(condition(dice, ex, ty));
    }
    order(dice, &mut question, &[]);
    Some(question)
}

/// The only source whose columns the dimension reads.
fn own_root(dimension: &Dimension) -> Option<usize> {
    let [(root, ex)] = dimension.definitions.as_slice() else { return None };
    let mut joined = false;
    ex.visit(&mut |inner| joined |= matches!(inner, Ex::Col(path) if !path.steps.is_empty()));
    (!joined).then_some(*root)
}

fn asked(dice: &mut Dice, model: &Model, form: Form) -> Option<Question> {
    let all: Vec<usize> = (0..model.indicators.len()).collect();
    let count = *dice.pick(&[1, 1, 2, 2, 3]);
    let chosen = dice.some(&all, count);
    let facts: Vec<usize> = chosen.iter().flat_map(|at| facts_of(model, &Ex::Ind(*at))).collect();
    let offered = offers(dice, model, &facts);
    let count = *dice.pick(&[0, 1, 1, 1, 2, 2, 3]);
    let mut keys: Vec<(Ex, Ty)> = dice.some(&offered, count);
    let sql = form != Form::Request;
    if sql {
        for (key, ty) in &mut keys {
            if dice.percent(14) {
                (*key, *ty) = key_expression(dice, key.clone(), *ty);
            }
        }
    }
    let mut distinct: Vec<(Ex, Ty)> = vec![];
    keys.into_iter().for_each(|key| {
        if !distinct.contains(&key) {
            distinct.push(key)
        }
    });
    let keys = distinct;
    let sets = if sql { grouping(dice, keys.len()) } else { Sets::Plain };
    let keys: Vec<Ex> = keys.into_iter().map(|(ex, _)| ex).collect();
    let mut items: Vec<Ex> = (0..keys.len()).map(Ex::Key).collect();
    if sets != Sets::Plain && dice.percent(70) {
        items.extend((0..keys.len()).map(Ex::Grouping));
    }
    let first_measure = items.len();
    items.extend(chosen.iter().map(|at| if sql { measure(dice, model, *at, &offered) } else { Ex::Ind(*at) }));
    let mut question = Question::of(form, keys, items, sets);
    conditions(dice, &mut question, &offered);
    if !sql {
        range(dice, &mut question);
    }
    having(dice, model, &mut question, first_measure);
    let exact: Vec<usize> = (first_measure..question.items.len())
        .filter(|at| matches!(question.items[*at], Ex::Ind(i) if model.indicators[i].exact))
        .collect();
    if form != Form::Wrapped && question.sets == Sets::Plain {
        order(dice, &mut question, &exact);
    }
    Some(question)
}

/// What can be grouped by and asked for: mostly what all facts reach, now and then what one of them may not.
fn offers(dice: &mut Dice, model: &Model, facts: &[usize]) -> Vec<(Ex, Ty)> {
    let careless = dice.percent(8);
    let mut offered = vec![];
    for (at, dimension) in model.dimensions.iter().enumerate() {
        let served = facts.iter().all(|fact| resolve(model, *fact, None, &Ex::Dim(at, Grain::Raw)).is_ok());
        if served || careless {
            offered.push((Ex::Dim(at, Grain::Raw), dimension.ty));
            if dimension.ty.is_time() {
                offered.push(with_grain(dice, dimension.ty == Ty::Time, |grain| Ex::Dim(at, grain)));
            }
        }
    }
    let timed = facts.iter().all(|fact| model.sources[*fact].time.is_some());
    if timed || careless {
        let all_fine =
            facts.iter().all(|f| model.sources[*f].time.is_some_and(|t| model.sources[*f].columns[t].ty == Ty::Time));
        let own_axis = model.indicators.iter().any(|i| i.time.is_some());
        for _ in 0..2 {
            offered.push(with_grain(dice, all_fine && !own_axis, Ex::MetricTime));
        }
    }
    offered
}

fn with_grain(dice: &mut Dice, fine: bool, of: impl Fn(Grain) -> Ex) -> (Ex, Ty) {
    let grain = match fine && dice.percent(18) {
        true => *dice.pick(&[Grain::Hour, Grain::Hour, Grain::ExtractHour]),
        false => *dice.pick(&DAY_GRAINS),
    };
    let ty = match grain {
        Grain::Hour => Ty::Time,
        _ if grain.is_part() => Ty::Int,
        _ => Ty::Date,
    };
    (of(grain), ty)
}

fn key_expression(dice: &mut Dice, key: Ex, ty: Ty) -> (Ex, Ty) {
    match ty {
        Ty::Text => match dice.below(4) {
            0 => (Ex::Call(Func::Upper, vec![key]), ty),
            3 => (Ex::Call(Func::Lower, vec![key]), ty),
            1 => (Ex::Call(Func::Coalesce, vec![key, Ex::Lit(Value::text("-"))]), ty),
            _ => (Ex::bin(Op::Concat, key, Ex::Lit(Value::text("·"))), ty),
        },
        Ty::Int => (Ex::bin(Op::Mul, key, Ex::Lit(Value::Int(2))), ty),
        _ => {
            let arm = (condition(dice, key, ty), Ex::Lit(Value::text("yes")));
            (Ex::Case(vec![arm], Some(Box::new(Ex::Lit(Value::text("否"))))), Ty::Text)
        }
    }
}

fn grouping(dice: &mut Dice, keys: usize) -> Sets {
    match (dice.below(100), keys) {
        (_, 0) => Sets::Plain,
        (0..9, _) => Sets::Rollup(0),
        (9..13, 2..) => Sets::Rollup(1),
        (13..20, _) => Sets::Cube,
        (20..27, _) => {
            let mut masks: Vec<usize> = (0..1 << keys).collect();
            masks = dice.some(&masks, 3);
            // A key that is shown must be in one of the sets.
            let all = (1 << keys) - 1;
            if masks.iter().fold(0, |some, mask| some | mask) != all {
                masks.push(all);
            }
            Sets::Listed(masks.iter().map(|mask| (0..keys).filter(|k| mask >> k & 1 == 1).collect()).collect())
        }
        _ => Sets::Plain,
    }
}

/// The indicator, or SQL around it.
fn measure(dice: &mut Dice, model: &Model, at: usize, offered: &[(Ex, Ty)]) -> Ex {
    let numbers: Vec<usize> = (0..model.indicators.len())
        .filter(|i| model.indicators[*i].number && facts_of(model, &Ex::Ind(*i)) == facts_of(model, &Ex::Ind(at)))
        .collect();
    let exacts: Vec<usize> = numbers.iter().copied().filter(|i| model.indicators[*i].exact).collect();
    match dice.below(10) {
        0 | 1 if !offered.is_empty() => {
            let (ex, ty) = dice.pick(offered).clone();
            let by = condition(dice, ex, ty);
            Ex::Ind(at).filtered(by)
        }
        2 | 3 if !exacts.is_empty() => match formula(dice, model, &numbers, &exacts) {
            // A condition of the model's own columns has no text in SQL.
            Some((ex, _)) if !has_columns(&ex) => ex,
            _ => Ex::Ind(at),
        },
        _ => Ex::Ind(at),
    }
}

fn has_columns(ex: &Ex) -> bool {
    let mut found = false;
    ex.visit(&mut |inner| found |= matches!(inner, Ex::Col(_) | Ex::Seg(_)));
    found
}

fn conditions(dice: &mut Dice, question: &mut Question, offered: &[(Ex, Ty)]) {
    if offered.is_empty() {
        return;
    }
    for _ in 0..*dice.pick(&[0, 0, 1, 1, 2]) {
        let count = *dice.pick(&[1, 1, 1, 2, 3]);
        let chosen = (0..count).map(|_| dice.pick(offered).clone()).collect::<Vec<_>>();
        let parts = chosen.into_iter().map(|(ex, ty)| condition(dice, ex, ty)).collect();
        question.conditions.push(joined(dice, parts));
    }
}

fn range(dice: &mut Dice, question: &mut Question) {
    if dice.percent(20) {
        question.from = Some(period(dice));
    }
    if dice.percent(20) {
        question.to = Some(period(dice));
    }
}

fn period(dice: &mut Dice) -> Period {
    match dice.below(5) {
        0 => Period::year(dice.between(2025, 2026)),
        1 => Period::quarter(2026, dice.between(1, 2)),
        2 | 3 => Period::month(2026, dice.between(1, 4)),
        _ => Period::day(days(2026, 1, 1) + dice.between(-5, 60)),
    }
}

fn having(dice: &mut Dice, model: &Model, question: &mut Question, first_measure: usize) {
    if question.keys.is_empty() || question.form == Form::Request || !dice.percent(14) {
        return;
    }
    let item = question.items[first_measure].clone();
    let Ex::Ind(at) = item else { return };
    let indicator = &model.indicators[at];
    question.having = Some(match dice.below(3) {
        0 => Ex::IsNull(Box::new(item), dice.percent(60)),
        _ if indicator.exact && indicator.number => {
            Ex::bin(*dice.pick(&[Op::Gt, Op::Le, Op::Ne]), item, Ex::Lit(dice.value(Ty::Int)))
        }
        _ => return,
    });
}

/// A total order: perhaps an exact value first, then every key.
fn order(dice: &mut Dice, question: &mut Question, exact: &[usize]) {
    if !dice.percent(35) || question.keys.is_empty() {
        return;
    }
    let mut by: Vec<usize> = vec![];
    if !exact.is_empty() && dice.percent(60) {
        by.push(*dice.pick(exact));
    }
    by.extend(0..question.keys.len());
    let request = matches!(question.form, Form::Request | Form::Distinct(_));
    for item in by {
        let nulls_first = !request && dice.percent(40);
        question.order.push(Order { item, descending: dice.percent(40), nulls_first });
    }
    if dice.percent(60) {
        question.limit = Some(dice.between(1, 5) as usize);
    }
}
