//! Random models for contexts: two facts with lookups, a child and validities, over a season of days with gaps.
//!
//! What is there hardly varies, so that every pair of the table can be drawn; types, formats and rows do.

use super::dice::Dice;
use super::expr::{Ex, Grain, Op};
use super::model::{Column, Dimension, Format, Join, Model, Path, Role, Source, Step, Table, Ty};
use super::value::{Value, days};

pub const CHILD: usize = 0;
pub const FACT: usize = 1;
pub const OTHER: usize = 2;
pub const STORES: usize = 3;
pub const COUNTRIES: usize = 4;
pub const TIERS: usize = 5;

/// Dimensions, by position.
pub const KIND: usize = 0;
pub const REGION: usize = 1;
pub const COUNTRY: usize = 2;
pub const CATEGORY: usize = 3;
pub const N: usize = 4;
pub const SENT: usize = 5;
pub const SIZE: usize = 6;
pub const TIER: usize = 7;

/// A column of a source, by name.
pub fn path(model: &Model, root: usize, steps: &[Step], name: &str) -> Path {
    let steps = steps.to_vec();
    let at = Path { root, steps: steps.clone(), column: 0 };
    let target = &model.sources[model.target(&at)];
    let column = target.columns.iter().position(|c| c.name.ends_with(&format!("_{name}")));
    Path { root, steps, column: column.unwrap_or_else(|| panic!("{} has no {name}", target.name)) }
}

pub fn own(model: &Model, root: usize, name: &str) -> Ex {
    Ex::Col(path(model, root, &[], name))
}

/// The model's sources and dimensions; days from now on lie in its season.
pub fn draw(dice: &mut Dice) -> Model {
    let seasons = [
        (days(2024, 1, 28), days(2024, 4, 2)),
        (days(2025, 11, 27), days(2026, 3, 4)),
        (days(2023, 12, 29), days(2024, 3, 31)),
        (days(2025, 12, 1), days(2026, 1, 31)),
        (days(2025, 1, 30), days(2026, 3, 1)),
    ];
    let (first, last) = *dice.pick(&seasons);
    dice.stay_within(first, last);
    let mut model = Model {
        package: "shop".into(),
        sunday: dice.percent(15),
        sources: vec![],
        dimensions: vec![],
        segments: vec![],
        indicators: vec![],
    };
    let tiers = dice.percent(12);
    sources(dice, &mut model, tiers);
    dimensions(&mut model, tiers);
    model
}

fn sources(dice: &mut Dice, model: &mut Model, tiers: bool) {
    let axis = |dice: &mut Dice| if dice.percent(65) { Ty::Date } else { Ty::Time };
    let number = |dice: &mut Dice| *dice.pick(&[Ty::Int, Ty::Dec, Ty::Dec, Ty::Double]);
    let (plain, key) = (Role::Plain, Role::Key);
    let (first, second, amount, cost) = (axis(dice), axis(dice), number(dice), number(dice));
    let child = [
        ("f", Ty::Int, Role::Refers(FACT, 0)),
        ("category", Ty::Text, plain),
        ("n", Ty::Int, plain),
        ("day", Ty::Date, plain),
    ];
    let fact = [
        ("key", Ty::Int, key),
        ("n", Ty::Int, plain),
        ("kind", Ty::Text, plain),
        ("amount", amount, plain),
        ("day", first, plain),
        ("sent", Ty::Date, plain),
        ("store", Ty::Int, Role::Refers(STORES, 0)),
        ("tier", Ty::Int, Role::Plain),
    ];
    let other = [
        ("n", Ty::Int, plain),
        ("kind", Ty::Text, plain),
        ("amount", cost, plain),
        ("day", second, plain),
        ("store", Ty::Int, Role::Refers(STORES, 0)),
    ];
    let stores = [("key", Ty::Int, key), ("region", Ty::Text, plain), ("country", Ty::Int, Role::Refers(COUNTRIES, 0))];
    let countries = [("key", Ty::Int, key), ("name", Ty::Text, plain)];
    let levels =
        [("key", Ty::Int, plain), ("level", Ty::Text, plain), ("from", Ty::Date, plain), ("to", Ty::Date, plain)];
    model.sources.push(source(dice, "c0", &child, &[], Some(3)));
    model.sources.push(source(dice, "f0", &fact, &[0], Some(4)));
    model.sources.push(source(dice, "f1", &other, &[], Some(3)));
    model.sources.push(source(dice, "l0", &stores, &[0], None));
    model.sources.push(source(dice, "l1", &countries, &[0], None));
    model.sources.push(source(dice, "v0", &levels, &[], None));
    let mut join = |from: usize, name: &str, target, own, valid| {
        let on = vec![(own, 0)];
        model.sources[from].joins.push(Join { name: name.into(), target, on, short: false, valid });
    };
    join(CHILD, "f0", FACT, 0, None);
    join(FACT, "store", STORES, 6, None);
    join(OTHER, "store", STORES, 4, None);
    join(STORES, "country", COUNTRIES, 2, None);
    if tiers {
        join(FACT, "tier", TIERS, 7, Some((2, 3)));
    }
}

fn source(dice: &mut Dice, name: &str, columns: &[(&str, Ty, Role)], key: &[usize], time: Option<usize>) -> Source {
    let column = |(column, ty, role): &(&str, Ty, Role)| Column {
        name: format!("{name}_{column}"),
        ty: *ty,
        computed: None,
        role: *role,
    };
    Source {
        name: name.into(),
        format: *dice.pick(&[Format::Csv, Format::Parquet]),
        columns: columns.iter().map(column).collect(),
        key: key.to_vec(),
        time,
        filter: None,
        joins: vec![],
    }
}

fn dimensions(model: &mut Model, tiers: bool) {
    let (store, tier) = (Step::Up(0), Step::Up(1));
    let of = |root: usize, steps: &[Step], name: &str| (root, Ex::Col(path(model, root, steps, name)));
    let large = Ex::bin(Op::Ge, own(model, FACT, "n"), Ex::Lit(Value::Int(3)));
    let size = Ex::Case(vec![(large, Ex::Lit(Value::text("large")))], Some(Box::new(Ex::Lit(Value::text("small")))));
    let mut all = vec![
        ("kind", Ty::Text, vec![of(FACT, &[], "kind"), of(OTHER, &[], "kind")]),
        ("region", Ty::Text, vec![of(FACT, &[store], "region"), of(OTHER, &[store], "region")]),
        ("country", Ty::Text, vec![of(STORES, &[Step::Up(0)], "name")]),
        ("category", Ty::Text, vec![of(FACT, &[Step::Down(CHILD, 0)], "category")]),
        ("n", Ty::Int, vec![of(FACT, &[], "n"), of(OTHER, &[], "n")]),
        ("sent", Ty::Date, vec![of(FACT, &[], "sent")]),
        ("size", Ty::Text, vec![(FACT, size)]),
    ];
    if tiers {
        all.push(("tier", Ty::Text, vec![of(FACT, &[tier], "level")]));
    }
    for (name, ty, definitions) in all {
        model.dimensions.push(Dimension { name: format!("d_{name}"), ty, definitions });
    }
}

/// The grain of a time dimension, with its type.
pub fn time_key(dice: &mut Dice, of: impl Fn(Grain) -> Ex, parts: bool) -> (Ex, Ty) {
    let parts = parts && dice.percent(20);
    let grain = match parts {
        true => *dice.pick(&[Grain::ExtractMonth, Grain::ExtractYear, Grain::ExtractDow, Grain::ExtractDay]),
        false => {
            *dice.pick(&[Grain::Day, Grain::Day, Grain::Week, Grain::Month, Grain::Month, Grain::Quarter, Grain::Year])
        }
    };
    (of(grain), if parts { Ty::Int } else { Ty::Date })
}

/// Makes drawn rows fit: validities that do not overlap, and times that are seldom unknown.
pub fn settle(dice: &mut Dice, model: &Model, data: &mut [Table]) {
    data[TIERS] = tiers(dice);
    let often = dice.percent(25);
    for (source, rows) in model.sources.iter().zip(data.iter_mut()) {
        for row in rows.iter_mut() {
            if let Some(time) = source.time
                && row[time].is_null()
                && !(often && dice.percent(50))
            {
                row[time] = dice.value(source.columns[time].ty);
            }
        }
    }
    for row in &mut data[FACT] {
        row[7] = if dice.percent(15) { Value::Null } else { Value::Int(dice.between(1, 4).into()) };
    }
}

/// Rows of the validity table do not overlap: drawn anew for each key, half-open, now and then open.
fn tiers(dice: &mut Dice) -> Vec<Vec<Value>> {
    let mut rows = vec![];
    for key in 1..=dice.between(1, 4) {
        let mut bounds: Vec<i64> = (0..dice.between(1, 4)).map(|_| dice.date()).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut from = if dice.percent(40) { Value::Null } else { Value::Date(bounds.remove(0)) };
        for to in bounds {
            if !dice.percent(25) {
                rows.push(vec![Value::Int(key.into()), dice.value(Ty::Text), from, Value::Date(to)]);
            }
            from = Value::Date(to);
        }
        if dice.percent(50) {
            rows.push(vec![Value::Int(key.into()), dice.value(Ty::Text), from, Value::Null]);
        }
    }
    rows
}
