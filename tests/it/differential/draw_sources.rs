//! Random sources: children first, then facts, then lookup tables, so that joins lead to later ones only.

use super::dice::Dice;
use super::draw_rows::{condition, number};
use super::expr::{Ex, Func, Op};
use super::model::{Column, Format, Join, Model, Path, Role, Source, Step, Ty};
use super::value::Value;

/// A model with sources and nothing else.
pub fn draw(dice: &mut Dice) -> Model {
    let lookups = dice.below(5);
    let facts = *dice.pick(&[1, 1, 2, 2, 2, 3, 4]);
    let keyed: Vec<bool> = (0..facts).map(|_| dice.percent(82)).collect();
    // The facts, by number, that have a child.
    let parents: Vec<usize> = (0..facts).filter(|fact| keyed[*fact] && dice.percent(45)).collect();
    let mut model = Model {
        package: dice.pick(&["shop", "retail", "商店"]).to_string(),
        sunday: dice.percent(15),
        sources: vec![],
        dimensions: vec![],
        segments: vec![],
        indicators: vec![],
    };
    for (letter, count) in [('c', parents.len()), ('f', facts), ('l', lookups)] {
        (0..count).for_each(|at| model.sources.push(empty(dice, &format!("{letter}{at}"))));
    }
    let first_fact = parents.len();
    let first_lookup = first_fact + facts;
    draw_lookups(dice, &mut model, first_lookup);
    for (fact, keyed) in keyed.into_iter().enumerate() {
        fact_columns(dice, &mut model.sources[first_fact + fact], keyed);
        join_lookups(dice, &mut model, first_fact + fact, first_lookup);
    }
    for (child, fact) in parents.into_iter().enumerate() {
        let keyed = dice.percent(60);
        fact_columns(dice, &mut model.sources[child], keyed);
        join(dice, &mut model, child, first_fact + fact);
        if dice.percent(50) {
            join_lookups(dice, &mut model, child, first_lookup);
        }
    }
    (0..model.sources.len()).for_each(|at| refine(dice, &mut model, at));
    model
}

/// Lookup tables with chains among them, the last one first.
fn draw_lookups(dice: &mut Dice, model: &mut Model, first: usize) {
    let end = model.sources.len();
    for at in (first..end).rev() {
        lookup(dice, &mut model.sources[at]);
        for to in at + 1..end {
            if dice.percent(35) {
                join(dice, model, at, to);
            }
        }
    }
}

fn empty(dice: &mut Dice, name: &str) -> Source {
    Source {
        name: name.to_string(),
        format: *dice.pick(&[Format::Csv, Format::Parquet, Format::Parquet, Format::ParquetFolder]),
        columns: vec![],
        key: vec![],
        time: None,
        filter: None,
        joins: vec![],
    }
}

fn add(source: &mut Source, name: &str, ty: Ty, role: Role) -> usize {
    let name = format!("{}_{name}", source.name);
    source.columns.push(Column { name, ty, computed: None, role });
    source.columns.len() - 1
}

fn key(dice: &mut Dice, source: &mut Source) {
    let kinds = [vec![Ty::Int], vec![Ty::Int], vec![Ty::Text], vec![Ty::Int, Ty::Text]];
    let types = dice.pick(&kinds);
    source.key = types.iter().enumerate().map(|(at, ty)| add(source, &format!("key{at}"), *ty, Role::Key)).collect();
}

fn lookup(dice: &mut Dice, source: &mut Source) {
    key(dice, source);
    add(source, "name", Ty::Text, Role::Plain);
    for (name, ty) in [("size", Ty::Int), ("price", Ty::Dec), ("城市", Ty::Text), ("since", Ty::Date)] {
        if dice.percent(35) {
            add(source, name, ty, Role::Plain);
        }
    }
}

fn fact_columns(dice: &mut Dice, source: &mut Source, keyed: bool) {
    if keyed {
        key(dice, source);
    }
    add(source, "n", Ty::Int, Role::Plain);
    add(source, "kind", Ty::Text, Role::Plain);
    let optional = [
        ("m", Ty::Int, 40),
        ("amount", Ty::Dec, 70),
        ("cost", Ty::Dec, 35),
        ("weight", Ty::Double, 50),
        ("状态", Ty::Text, 30),
        ("ok", Ty::Bool, 40),
        ("day", Ty::Date, 45),
        ("at_time", Ty::Time, 60),
    ];
    for (name, ty, chance) in optional {
        if dice.percent(chance) {
            add(source, name, ty, Role::Plain);
        }
    }
    let times: Vec<usize> = (0..source.columns.len()).filter(|c| source.columns[*c].ty.is_time()).collect();
    if !times.is_empty() && dice.percent(92) {
        source.time = Some(*dice.pick(&times));
    }
}

fn join_lookups(dice: &mut Dice, model: &mut Model, from: usize, first: usize) {
    for to in first..model.sources.len() {
        if dice.percent(50) {
            join(dice, model, from, to);
            if dice.percent(20) {
                join(dice, model, from, to);
            }
        }
    }
}

/// Adds a join by the target's key. The first may be named like the target; further ones are roles.
fn join(dice: &mut Dice, model: &mut Model, from: usize, to: usize) {
    let target = model.sources[to].clone();
    let source = &mut model.sources[from];
    let nth = source.joins.iter().filter(|j| j.target == to).count();
    let same_names = nth == 0 && target.key.len() > 1 && dice.percent(60);
    let mut on = vec![];
    for (part, their) in target.key.iter().enumerate() {
        let column = &target.columns[*their];
        let own = add(source, &format!("{}_{nth}_{part}", target.name), column.ty, Role::Refers(to, *their));
        if same_names {
            source.columns[own].name = column.name.clone();
        }
        on.push((own, *their));
    }
    let plain = nth == 0 && dice.percent(50);
    let name = if plain { target.name.clone() } else { format!("{}_{}_{nth}", target.name, source.name) };
    source.joins.push(Join { name, target: to, on, short: dice.percent(60), valid: None });
}

/// Computed columns and the condition on rows.
fn refine(dice: &mut Dice, model: &mut Model, at: usize) {
    let own: Vec<(Path, Ty)> = own_columns(model, at);
    if dice.percent(35) {
        let (formula, ty) = computed(dice, &own);
        let column = add(&mut model.sources[at], "calc", ty, Role::Plain);
        model.sources[at].columns[column].computed = Some(formula);
    }
    if dice.percent(22) {
        let all = own_columns(model, at);
        let (path, ty) = dice.pick(&all).clone();
        model.sources[at].filter = Some(condition(dice, Ex::Col(path), ty));
    }
}

/// A source's own columns that are no keys and refer nowhere.
fn own_columns(model: &Model, at: usize) -> Vec<(Path, Ty)> {
    let columns = model.sources[at].columns.iter().enumerate().filter(|(_, c)| c.role == Role::Plain);
    columns.map(|(column, c)| (Path { root: at, steps: vec![], column }, c.ty)).collect()
}

fn computed(dice: &mut Dice, own: &[(Path, Ty)]) -> (Ex, Ty) {
    if dice.percent(70)
        && let Some((ex, ty)) = number(dice, own)
    {
        return (ex, ty);
    }
    let texts: Vec<&(Path, Ty)> = own.iter().filter(|(_, ty)| *ty == Ty::Text).collect();
    let text = Ex::Col(dice.pick(&texts).0.clone());
    let ex = match dice.below(3) {
        0 => Ex::Call(Func::Upper, vec![text]),
        1 => Ex::Call(Func::Coalesce, vec![text, Ex::Lit(Value::text("无"))]),
        _ => Ex::bin(Op::Concat, text, Ex::Lit(Value::text("!"))),
    };
    (ex, Ty::Text)
}

/// Every many-to-one chain from a source, itself first.
pub fn upward(model: &Model, from: usize) -> Vec<(Vec<Step>, usize)> {
    let mut found = vec![(vec![], from)];
    for (at, join) in model.sources[from].joins.iter().enumerate() {
        for (mut steps, target) in upward(model, join.target) {
            steps.insert(0, Step::Up(at));
            found.push((steps, target));
        }
    }
    found
}

/// The chains that go against one join, right at the source or after one step, and then up.
pub fn downward(model: &Model, from: usize) -> Vec<(Vec<Step>, usize)> {
    let mut found = vec![];
    for (before, middle) in upward(model, from).into_iter().filter(|(steps, _)| steps.len() <= 1) {
        for child in 0..model.sources.len() {
            let joins = &model.sources[child].joins;
            let leading: Vec<usize> = (0..joins.len()).filter(|j| joins[*j].target == middle).collect();
            if child == from || leading.len() != 1 {
                continue;
            }
            for (after, target) in upward(model, child) {
                if after.first() != Some(&Step::Up(leading[0])) {
                    let mut steps = before.clone();
                    steps.push(Step::Down(child, leading[0]));
                    steps.extend(after);
                    found.push((steps, target));
                }
            }
        }
    }
    found
}

/// The columns at the end of chains, keys and references left out most of the time.
pub fn columns(model: &Model, root: usize, chains: &[(Vec<Step>, usize)]) -> Vec<(Path, Ty)> {
    let mut found = vec![];
    for (steps, target) in chains {
        for (column, c) in model.sources[*target].columns.iter().enumerate() {
            if c.role == Role::Plain || steps.is_empty() && matches!(c.role, Role::Refers(..)) {
                found.push((Path { root, steps: steps.clone(), column }, c.ty));
            }
        }
    }
    found
}
