//! Random dimensions, segments and indicators over a model's sources; only ones that the page gives a meaning.

use super::dice::Dice;
use super::draw_rows::{condition, derived, joined, number};
use super::draw_sources::{columns, downward, upward};
use super::expr::{Agg, Ex, Func, Grain, Op};
use super::model::{Dimension, Indicator, Model, Path, Table, Ty};
use super::naive::Naive;
use super::question::{Form, Question, Sets};
use super::reach::resolve;
use super::value::Value;

/// Adds everything that is asked for.
pub fn draw(dice: &mut Dice, model: &mut Model) {
    for at in 0..dice.between(4, 8) as usize {
        if let Some((ty, definitions)) = dimension(dice, model) {
            let name = match dice.below(8) {
                0 => format!("维度{at}"),
                1 => format!("Dim{at}"),
                _ => format!("d{at}"),
            };
            model.dimensions.push(Dimension { name, ty, definitions });
        }
    }
    for at in 0..dice.below(3) {
        let definitions = segment(dice, model);
        model.segments.push(Dimension { name: format!("seg{at}"), ty: Ty::Bool, definitions });
    }
    let (atoms, composites) = (dice.between(2, 6), dice.between(0, 4));
    for at in 0..atoms + composites {
        let drawn = (0..8).find_map(|_| {
            let drawn = if at < atoms { atomic(dice, model) } else { composite(dice, model) };
            drawn.filter(|indicator| meaningful(model, indicator))
        });
        if let Some(mut indicator) = drawn {
            indicator.name = if dice.percent(10) { format!("指标{at}") } else { format!("m{at}") };
            model.indicators.push(indicator);
        }
    }
}

/// A source that has rows to count: mostly facts and their children.
fn base(dice: &mut Dice, model: &Model) -> usize {
    let facts = model.sources.iter().filter(|s| !s.name.starts_with('l')).count();
    if dice.percent(8) { dice.below(model.sources.len()) } else { dice.below(facts) }
}

fn dimension(dice: &mut Dice, model: &Model) -> Option<(Ty, Vec<(usize, Ex)>)> {
    let any = dice.percent(30);
    let root = if any { dice.below(model.sources.len()) } else { base(dice, model) };
    let up = columns(model, root, &upward(model, root));
    let down = columns(model, root, &downward(model, root));
    match dice.below(100) {
        0..20 => {
            let ty = *dice.pick(&[Ty::Text, Ty::Text, Ty::Int, Ty::Date]);
            let mut definitions: Vec<(usize, Ex)> = vec![];
            for _ in 0..3 {
                let root = base(dice, model);
                let fitting = columns(model, root, &upward(model, root));
                let fitting: Vec<_> = fitting.into_iter().filter(|(_, other)| *other == ty).collect();
                if !fitting.is_empty() && definitions.iter().all(|(r, _)| *r != root) {
                    definitions.push((root, Ex::Col(dice.pick(&fitting).0.clone())));
                }
            }
            (!definitions.is_empty()).then_some((ty, definitions))
        }
        20..40 => {
            let (ex, ty) = derived(dice, &up);
            Some((ty, vec![(root, ex)]))
        }
        40..65 if !down.is_empty() && !model.sources[root].key.is_empty() => {
            // Columns of the fact may stand beside those of one child.
            let (path, ty) = dice.pick(&down).clone();
            let mut mixed = up;
            mixed.retain(|_| dice.percent(30));
            mixed.push((path.clone(), ty));
            let (ex, ty) = if dice.percent(65) { (Ex::Col(path), ty) } else { derived(dice, &mixed) };
            Some((ty, vec![(root, ex)]))
        }
        65..78 => {
            let times: Vec<_> = up.into_iter().filter(|(_, ty)| ty.is_time()).collect();
            let (path, ty) = if times.is_empty() { return None } else { dice.pick(&times).clone() };
            Some((ty, vec![(root, Ex::Col(path))]))
        }
        _ => {
            let (path, ty) = dice.pick(&up).clone();
            Some((ty, vec![(root, Ex::Col(path))]))
        }
    }
}

fn segment(dice: &mut Dice, model: &Model) -> Vec<(usize, Ex)> {
    let root = base(dice, model);
    let mut definitions = vec![(root, own_condition(dice, model, root))];
    let second = base(dice, model);
    if second != root && dice.percent(35) {
        definitions.push((second, own_condition(dice, model, second)));
    }
    definitions
}

/// A condition on columns reached from a source; against a direction only where it has a key.
fn own_condition(dice: &mut Dice, model: &Model, root: usize) -> Ex {
    let mut reached = columns(model, root, &upward(model, root));
    let down = columns(model, root, &downward(model, root));
    if !model.sources[root].key.is_empty() && !down.is_empty() && dice.percent(20) {
        reached = down;
    }
    let count = if dice.percent(30) { 2 } else { 1 };
    let chosen = (0..count).map(|_| dice.pick(&reached).clone()).collect::<Vec<_>>();
    let conditions = chosen.into_iter().map(|(path, ty)| condition(dice, Ex::Col(path), ty)).collect();
    joined(dice, conditions)
}

/// A condition for an indicator whose aggregates are over these sources.
fn qualifier(dice: &mut Dice, model: &Model, facts: &[usize]) -> Option<Ex> {
    let serves = |ex: &Ex| facts.iter().all(|fact| resolve(model, *fact, None, ex).is_ok());
    let segments: Vec<Ex> = (0..model.segments.len()).map(Ex::Seg).filter(|ex| serves(ex)).collect();
    let dimensions: Vec<usize> = (0..model.dimensions.len()).filter(|at| serves(&Ex::Dim(*at, Grain::Raw))).collect();
    match (facts, dice.below(3)) {
        ([fact], 0) => Some(own_condition(dice, model, *fact)),
        (_, 1) if !segments.is_empty() => Some(dice.pick(&segments).clone()),
        _ if !dimensions.is_empty() => {
            let at = *dice.pick(&dimensions);
            Some(condition(dice, Ex::Dim(at, Grain::Raw), model.dimensions[at].ty))
        }
        ([fact], _) => Some(own_condition(dice, model, *fact)),
        _ => None,
    }
}

/// An aggregate of a source; whether its value is exact, and a number.
fn aggregate(dice: &mut Dice, model: &Model, fact: usize, counts: bool) -> (Ex, bool, bool) {
    let own = columns(model, fact, &[(vec![], fact)]);
    let reached = if dice.percent(15) { columns(model, fact, &upward(model, fact)) } else { own.clone() };
    let agg = |agg, ex| Ex::Agg(agg, fact, Some(Box::new(ex)));
    let pick = dice.below(20);
    if counts && pick < 3 {
        return (Ex::Agg(Agg::CountRows, fact, None), true, true);
    }
    if pick < 9 {
        let (path, ty) = dice.pick(&reached).clone();
        let kind = match pick {
            3 | 4 => Agg::Count,
            8 if ty != Ty::Bool => *dice.pick(&[Agg::Min, Agg::Max]),
            _ => Agg::CountDistinct,
        };
        let number = !matches!(kind, Agg::Min | Agg::Max) || ty.is_number();
        return (agg(kind, Ex::Col(path)), true, number);
    }
    let (ex, ty) = match number(dice, &reached) {
        Some((ex, ty)) if dice.percent(50) => (ex, ty),
        _ => {
            let numbers: Vec<_> = own.iter().filter(|(_, ty)| ty.is_number()).cloned().collect();
            match numbers.as_slice() {
                [] => return (agg(Agg::Count, Ex::Col(dice.pick(&own).0.clone())), true, true),
                some => {
                    let (path, ty) = dice.pick(some).clone();
                    (Ex::Col(path), ty)
                }
            }
        }
    };
    let kind = match pick {
        9..14 => Agg::Sum,
        14 | 15 => Agg::Avg,
        16 => Agg::Min,
        17 => Agg::Max,
        18 => Agg::Median,
        _ => Agg::Stddev,
    };
    let exact = kind != Agg::Stddev && (kind != Agg::Avg || ty != Ty::Dec);
    (agg(kind, ex), exact, true)
}

fn atomic(dice: &mut Dice, model: &Model) -> Option<Indicator> {
    let fact = base(dice, model);
    let shape = dice.below(10);
    let (mut definition, mut exact, mut is_number) = aggregate(dice, model, fact, shape < 6);
    if (6..8).contains(&shape) || shape == 9 {
        definition = definition.filtered(qualifier(dice, model, &[fact])?);
    }
    if shape >= 8 && is_number {
        let (other, other_exact, other_number) = aggregate(dice, model, fact, false);
        if other_number {
            let op = *dice.pick(&[Op::Add, Op::Sub, Op::Mul, Op::Div]);
            let fine = op != Op::Div || other_exact;
            definition = if fine { Ex::bin(op, definition, other) } else { other };
            (exact, is_number) = (exact && other_exact, true);
        }
    }
    let mut indicator = Indicator::of(definition, exact, is_number);
    if dice.percent(30) {
        indicator.trailing = qualifier(dice, model, &[fact]);
    }
    if dice.percent(15) {
        indicator.clause = qualifier(dice, model, &[fact]);
    }
    let times: Vec<Path> = columns(model, fact, &upward(model, fact))
        .into_iter()
        .filter(|(path, ty)| ty.is_time() && path.steps.len() < 2)
        .map(|(path, _)| path)
        .collect();
    if !times.is_empty() && dice.percent(18) {
        indicator.time = Some(dice.pick(&times).clone());
    }
    Some(indicator)
}

fn composite(dice: &mut Dice, model: &Model) -> Option<Indicator> {
    let numbers: Vec<usize> = (0..model.indicators.len()).filter(|at| model.indicators[*at].number).collect();
    let exacts: Vec<usize> = numbers.iter().copied().filter(|at| model.indicators[*at].exact).collect();
    if numbers.is_empty() || exacts.is_empty() {
        return None;
    }
    let (definition, exact) = formula(dice, model, &numbers, &exacts)?;
    let mut indicator = Indicator::of(definition, exact, true);
    if dice.percent(15) {
        indicator.trailing = qualifier(dice, model, &facts_of(model, &indicator.definition));
    }
    Some(indicator)
}

/// Arithmetic over indicators. Divisors and conditions are exact, so that a last digit never decides.
pub fn formula(dice: &mut Dice, model: &Model, numbers: &[usize], exacts: &[usize]) -> Option<(Ex, bool)> {
    let (a, b) = (*dice.pick(numbers), *dice.pick(numbers));
    let divisor = *dice.pick(exacts);
    let exact = |list: &[usize]| list.iter().all(|at| model.indicators[*at].exact);
    let zero = || Ex::Lit(Value::Int(0));
    let (x, y, z) = (Ex::Ind(a), Ex::Ind(b), Ex::Ind(divisor));
    Some(match dice.below(9) {
        0 => (Ex::bin(*dice.pick(&[Op::Add, Op::Sub]), x, y), exact(&[a, b])),
        1 => (Ex::bin(Op::Mul, x, Ex::Lit(positive(dice.value(Ty::Double)))), exact(&[a])),
        2 | 3 => (Ex::bin(Op::Div, x, z), exact(&[a])),
        4 => (Ex::bin(Op::Div, x, Ex::Call(Func::Nullif, vec![z, zero()])), exact(&[a])),
        5 => (Ex::bin(Op::Add, Ex::Call(Func::Coalesce, vec![x, zero()]), y), exact(&[a, b])),
        6 => {
            let arm = (Ex::bin(Op::Gt, z, Ex::Lit(dice.value(Ty::Int))), x);
            (Ex::Case(vec![arm], if dice.percent(60) { Some(Box::new(y)) } else { None }), exact(&[a, b]))
        }
        7 => {
            let by = qualifier(dice, model, &facts_of(model, &x))?;
            (Ex::bin(Op::Div, x.filtered(by), z), exact(&[a]))
        }
        _ => (Ex::bin(Op::Sub, x, Ex::Lit(Value::Int(1))), exact(&[a])),
    })
}

/// The sources whose rows an expression aggregates.
pub fn facts_of(model: &Model, ex: &Ex) -> Vec<usize> {
    let mut found = vec![];
    ex.visit_value(&mut |inner| match inner {
        Ex::Agg(_, fact, _) => found.push(*fact),
        Ex::Conversion(conversion) => found.push(conversion.from),
        Ex::Ind(at) => found.extend(facts_of(model, &model.indicators[*at].definition)),
        _ => {}
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether the page gives the definition a meaning: an ungrouped question about it has an answer.
fn meaningful(model: &Model, indicator: &Indicator) -> bool {
    let mut trial = model.clone();
    trial.indicators.push(indicator.clone());
    let data: Vec<Table> = vec![vec![]; trial.sources.len()];
    let question = Question::of(Form::Request, vec![], vec![Ex::Ind(model.indicators.len())], Sets::Plain);
    Naive::new(&trial, &data).answer(&question).is_ok()
}

/// A factor that makes no -0.0 of a 0.
fn positive(value: Value) -> Value {
    match value {
        Value::Double(x) if x != 0.0 => Value::Double(x.abs()),
        _ => Value::Double(1.5),
    }
}
