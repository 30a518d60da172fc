//! Random expressions over rows: conditions, numbers, and what dimensions are made of.

use super::dice::Dice;
use super::expr::{Ex, Func, Op};
use super::model::{Path, Ty};
use super::value::Value;

/// A condition on one expression of that type.
pub fn condition(dice: &mut Dice, on: Ex, ty: Ty) -> Ex {
    let on = Box::new(on);
    match dice.below(20) {
        0 => return Ex::IsNull(on, dice.percent(60)),
        1 if ty != Ty::Bool => return Ex::In(on, list(dice, ty), true),
        _ => {}
    }
    match ty {
        Ty::Bool => match dice.below(3) {
            0 => Ex::Not(on),
            1 => Ex::bin(Op::Eq, *on, Ex::Lit(Value::Bool(dice.percent(60)))),
            _ => *on,
        },
        Ty::Text => match dice.below(5) {
            0 | 1 => Ex::In(on, list(dice, ty), false),
            2 => Ex::Like(on, dice.pick(&["a%", "%b", "华%", "_b", "华__", "%"]).to_string(), dice.percent(30)),
            _ => Ex::bin(*dice.pick(&[Op::Eq, Op::Ne, Op::Ne, Op::Ge]), *on, Ex::Lit(dice.value(ty))),
        },
        _ => match dice.below(5) {
            0 => Ex::In(on, list(dice, ty), false),
            1 => {
                let (a, b) = (constant(dice, ty), constant(dice, ty));
                let swapped = super::value::compare(&a, &b).is_some_and(|o| o.is_gt());
                let (low, high) = if swapped { (b, a) } else { (a, b) };
                Ex::Between(on, low, high, dice.percent(25))
            }
            _ => {
                let op = *dice.pick(&[Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Ge, Op::Ge]);
                Ex::bin(op, *on, Ex::Lit(constant(dice, ty)))
            }
        },
    }
}

fn list(dice: &mut Dice, ty: Ty) -> Vec<Value> {
    let mut list: Vec<Value> = (0..dice.between(2, 4)).map(|_| dice.value(ty)).collect();
    if dice.percent(8) {
        list.push(Value::Null);
    }
    list
}

/// A constant to compare with; sometimes of a neighbouring type.
fn constant(dice: &mut Dice, ty: Ty) -> Value {
    match ty {
        Ty::Dec if dice.percent(50) => dice.value(Ty::Int),
        Ty::Time if dice.percent(50) => dice.value(Ty::Date),
        _ => dice.value(ty),
    }
}

/// Conditions joined by and, or, not.
pub fn joined(dice: &mut Dice, mut conditions: Vec<Ex>) -> Ex {
    let mut all = conditions.pop().expect("a condition");
    for next in conditions {
        let next = if dice.percent(15) { Ex::Not(Box::new(next)) } else { next };
        all = Ex::bin(if dice.percent(50) { Op::Or } else { Op::And }, all, next);
    }
    all
}

/// A number from these columns: exact for ints and decimals, and for doubles that are multiples of a quarter.
pub fn number(dice: &mut Dice, columns: &[(Path, Ty)]) -> Option<(Ex, Ty)> {
    let numbers: Vec<&(Path, Ty)> = columns.iter().filter(|(_, ty)| ty.is_number()).collect();
    if numbers.is_empty() {
        return None;
    }
    let (path, ty) = *dice.pick(&numbers);
    let same: Vec<&&(Path, Ty)> = numbers.iter().filter(|(_, other)| other == ty).collect();
    let other = Ex::Col(dice.pick(&same).0.clone());
    let whole = Ex::Lit(Value::Int(dice.between(0, 3).into()));
    let ex = Ex::Col(path.clone());
    // DataFusion tells -0.0 from 0.0 in groups and distinct counts, so that no product makes one.
    let times = if *ty == Ty::Double { Op::Add } else { Op::Mul };
    let ex = match dice.below(7) {
        0 => Ex::bin(Op::Add, ex, other),
        1 => Ex::bin(Op::Sub, ex, other),
        2 => Ex::bin(times, ex, whole),
        3 => Ex::Call(Func::Coalesce, vec![ex, whole]),
        4 => Ex::Call(Func::Abs, vec![ex]),
        5 => {
            let limit = Ex::Lit(dice.value(Ty::Int));
            Ex::Case(vec![(Ex::bin(Op::Gt, ex.clone(), limit), ex)], Some(Box::new(other)))
        }
        _ => Ex::bin(times, ex, other),
    };
    Some((ex, *ty))
}

/// An expression for a dimension, with its type.
pub fn derived(dice: &mut Dice, columns: &[(Path, Ty)]) -> (Ex, Ty) {
    let (path, ty) = dice.pick(columns).clone();
    let leaf = Ex::Col(path);
    let say = |text: &str| Ex::Lit(Value::text(text));
    match (ty, dice.below(4)) {
        (Ty::Text, 0) => (Ex::Call(Func::Upper, vec![leaf]), Ty::Text),
        (Ty::Text, 1) => (Ex::Call(Func::Coalesce, vec![leaf, say("无")]), Ty::Text),
        (Ty::Text, 2) => {
            let texts: Vec<&(Path, Ty)> = columns.iter().filter(|(_, ty)| *ty == Ty::Text).collect();
            let other = Ex::Col(dice.pick(&texts).0.clone());
            (Ex::bin(Op::Concat, Ex::bin(Op::Concat, leaf, say("-")), other), Ty::Text)
        }
        (Ty::Int, 0) => (Ex::bin(Op::Add, leaf, Ex::Lit(Value::Int(1))), Ty::Int),
        (Ty::Int, 1) => (Ex::Call(Func::Abs, vec![leaf]), Ty::Int),
        (Ty::Int | Ty::Dec, 3) => {
            // Bell divides in doubles, and by zero to NULL.
            let numbers: Vec<&(Path, Ty)> = columns.iter().filter(|(_, ty)| ty.is_number()).collect();
            let divisor = Ex::Col(dice.pick(&numbers).0.clone());
            (condition(dice, Ex::bin(Op::Div, leaf, divisor), Ty::Double), Ty::Bool)
        }
        (_, 2) if ty != Ty::Bool => (condition(dice, leaf, ty), Ty::Bool),
        _ => {
            let (second, second_ty) = dice.pick(columns).clone();
            let first = condition(dice, leaf, ty);
            let second = condition(dice, Ex::Col(second), second_ty);
            let otherwise = if dice.percent(70) { Some(Box::new(say("小"))) } else { None };
            (Ex::Case(vec![(first, say("large")), (second, say("中"))], otherwise), Ty::Text)
        }
    }
}
