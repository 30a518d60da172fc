//! Random rows for a model.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::model::{Model, Role, Source, Table, Ty};
use super::value::Value;

/// Random rows for every source; computed columns stay NULL.
pub fn draw(dice: &mut Dice, model: &Model) -> Vec<Table> {
    let mut tables: Vec<Table> = vec![vec![]; model.sources.len()];
    // Sources refer to later ones only, so that what is referred to is there already.
    for at in (0..model.sources.len()).rev() {
        tables[at] = draw_table(dice, &model.sources[at], &tables);
    }
    tables
}

fn draw_table(dice: &mut Dice, source: &Source, others: &[Table]) -> Table {
    let size = match dice.below(10) {
        1.. if dice.stays() => dice.between(5, 14),
        0 => 0,
        1 => 1,
        2 | 3 => dice.between(15, 25),
        _ => dice.between(2, 12),
    };
    let mut keys = BTreeSet::new();
    let mut rows: Table = vec![];
    for _ in 0..size {
        let mut row = draw_row(dice, source, others);
        if dice.percent(10)
            && let Some(same) = rows.last()
        {
            row = same.clone();
        }
        let key = |row: &[Value]| -> Vec<String> {
            let parts = row.iter().zip(&source.columns).filter(|(_, c)| c.role == Role::Key);
            parts.map(|(v, _)| v.canonical()).collect()
        };
        let keyed = source.columns.iter().any(|c| c.role == Role::Key);
        for (value, column) in row.iter_mut().zip(&source.columns) {
            if column.role == Role::Key {
                *value = key_value(dice, column.ty);
            }
        }
        if !keyed || keys.insert(key(&row)) {
            rows.push(row);
        }
    }
    rows
}

fn key_value(dice: &mut Dice, ty: Ty) -> Value {
    match ty {
        Ty::Text => Value::Text(format!("{}{}", dice.pick(&["k", "键"]), dice.between(1, 9))),
        _ => Value::Int(dice.between(1, 30).into()),
    }
}

fn draw_row(dice: &mut Dice, source: &Source, others: &[Table]) -> Vec<Value> {
    let mut row: Vec<Value> = source.columns.iter().map(|c| plain(dice, c.computed.is_some(), c.role, c.ty)).collect();
    // Columns of one join come from one row, so that composite keys match.
    for join in &source.joins {
        let target = &others[join.target];
        let chosen = if target.is_empty() || dice.percent(12) { None } else { Some(dice.below(target.len())) };
        for (own, their) in &join.on {
            if let (Some(chosen), Role::Refers(..)) = (chosen, source.columns[*own].role) {
                row[*own] = target[chosen][*their].clone();
            }
        }
    }
    row
}

/// A value, or NULL; for a column that refers somewhere, perhaps an orphan.
fn plain(dice: &mut Dice, computed: bool, role: Role, ty: Ty) -> Value {
    match role {
        _ if computed => Value::Null,
        Role::Key => Value::Null,
        _ if dice.percent(if role == Role::Plain { 15 } else { 40 }) => Value::Null,
        Role::Refers(..) => key_value(dice, ty),
        Role::Plain => dice.value(ty),
    }
}
