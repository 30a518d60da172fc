//! Random indicators of every kind, and everything that changes them.

use super::dice::Dice;
use super::draw_items::facts_of;
use super::draw_rows::condition;
use super::draw_star::{CATEGORY, COUNTRY, FACT, KIND, N, OTHER, REGION, SENT, SIZE, TIER, own, path};
use super::expr::{Agg, Ex, Grain, Op};
use super::model::{Indicator, Model, Ty, Within};
use super::modifier::{Amount, Mod};
use super::pairs::{CHANGES, Change, Kind, change};
use super::value::Value;

/// Adds an indicator to the model, under a name of its own.
pub fn add(model: &mut Model, mut indicator: Indicator) -> usize {
    indicator.name = format!("m{}", model.indicators.len());
    model.indicators.push(indicator);
    model.indicators.len() - 1
}

/// An indicator of a kind over one fact; a ratio is over both.
pub fn of_kind(dice: &mut Dice, model: &mut Model, kind: Kind, fact: usize) -> usize {
    let mut indicator = match kind {
        Kind::Ratio => {
            let parts = [Kind::Sum, Kind::Count, Kind::Distinct];
            let (a, b) = (*dice.pick(&parts), *dice.pick(&parts[1..]));
            let (a, b) = (of_kind(dice, model, a, FACT), of_kind(dice, model, b, OTHER));
            let exact = model.indicators[a].exact;
            model.indicators[a].kind = None;
            model.indicators[b].kind = None;
            Indicator::of(Ex::bin(Op::Div, Ex::Ind(a), Ex::Ind(b)), exact, true)
        }
        Kind::SemiAdditive => {
            let inner = plain(dice);
            let (x, exact) = aggregate(dice, model, inner, fact);
            let last = end(dice, model, &[fact], false, true);
            Indicator::of(Ex::At(Box::new(x), vec![last]), exact, true)
        }
        Kind::Running => {
            let inner = plain(dice);
            let (x, exact) = aggregate(dice, model, inner, fact);
            let mut running = Indicator::of(Ex::At(Box::new(x), vec![trailing(dice)]), exact, true);
            running.within = within(dice);
            running
        }
        Kind::Nested => {
            let inner = plain(dice);
            let x = of_kind(dice, model, inner, fact);
            model.indicators[x].kind = None;
            nested(dice, model, x)
        }
        plain => {
            let (x, exact) = aggregate(dice, model, plain, fact);
            Indicator::of(x, exact, true)
        }
    };
    if kind != Kind::Ratio && kind != Kind::Nested {
        if dice.percent(20) {
            indicator.trailing = Some(on_dimension(dice, model, &[fact], true));
        }
        if fact == FACT && dice.percent(8) {
            indicator.time = Some(path(model, FACT, &[], "sent"));
        }
    }
    indicator.kind = Some(kind);
    add(model, indicator)
}

fn plain(dice: &mut Dice) -> Kind {
    *dice.pick(&[Kind::Sum, Kind::Sum, Kind::Count, Kind::Distinct, Kind::Average, Kind::MinMax])
}

/// An aggregate, and whether it is exact.
fn aggregate(dice: &mut Dice, model: &Model, kind: Kind, fact: usize) -> (Ex, bool) {
    let number = *dice.pick(&["n", "amount", "amount"]);
    let is_decimal = model.sources[fact].columns[path(model, fact, &[], number).column].ty == Ty::Dec;
    let of = |agg: Agg, column: &str| Ex::Agg(agg, fact, Some(Box::new(own(model, fact, column))));
    let mut exact = true;
    let x = match kind {
        Kind::Count if dice.percent(70) => Ex::Agg(Agg::CountRows, fact, None),
        Kind::Count => of(Agg::Count, "kind"),
        Kind::Distinct => of(Agg::CountDistinct, dice.pick::<&str>(&["kind", "n", "store"])),
        Kind::Average => {
            let agg = *dice.pick(&[Agg::Avg, Agg::Median]);
            exact = agg == Agg::Median || !is_decimal;
            of(agg, number)
        }
        Kind::MinMax => of(*dice.pick(&[Agg::Min, Agg::Max]), number),
        _ => of(Agg::Sum, number),
    };
    (x, exact)
}

fn within(dice: &mut Dice) -> Option<(Within, Grain)> {
    let shows = *dice.pick(&[Within::First, Within::Average]);
    let own = *dice.pick(&[Grain::Day, Grain::Day, Grain::Week]);
    dice.percent(15).then_some((shows, own))
}

/// An aggregate of an indicator at a finer grain, one to three levels deep.
fn nested(dice: &mut Dice, model: &mut Model, x: usize) -> Indicator {
    let facts = facts_of(model, &Ex::Ind(x));
    let mut exact = model.indicators[x].exact;
    let agg = |dice: &mut Dice| *dice.pick(&[Agg::Avg, Agg::Sum, Agg::Max, Agg::Min, Agg::Count, Agg::Median]);
    if facts.len() == 1 && dice.percent(8) {
        let rows = Indicator::of(Ex::Agg(Agg::CountRows, facts[0], None), true, true);
        let distinct = Ex::Agg(Agg::CountDistinct, facts[0], Some(Box::new(own(model, facts[0], "kind"))));
        let (a, b) = (add(model, rows), add(model, Indicator::of(distinct, true, true)));
        let by = vec![finer(dice, model, &facts)];
        return Indicator::of(Ex::Fold(Agg::CovarPop, vec![Ex::Ind(a), Ex::Ind(b)], by), false, true);
    }
    if dice.percent(25) {
        let (inner, outer) = (agg(dice), agg(dice));
        let days = Ex::Fold(inner, vec![Ex::Ind(x)], vec![Ex::MetricTime(Grain::Day)]);
        let months = Ex::Fold(outer, vec![days], vec![Ex::MetricTime(Grain::Month)]);
        exact &= !matches!(inner, Agg::Avg | Agg::Median) && outer != Agg::Avg;
        if dice.percent(70) {
            return Indicator::of(months, exact, true);
        }
        let by = *dice.pick(&[KIND, REGION]);
        return Indicator::of(Ex::Fold(Agg::Max, vec![months], vec![Ex::Dim(by, Grain::Raw)]), exact, true);
    }
    let mut by = vec![finer(dice, model, &facts)];
    let second = finer(dice, model, &facts);
    if dice.percent(25) && second != by[0] {
        by.push(second);
    }
    let agg = agg(dice);
    Indicator::of(Ex::Fold(agg, vec![Ex::Ind(x)], by), exact && agg != Agg::Avg, true)
}

/// What an indicator is asked by inside another.
fn finer(dice: &mut Dice, model: &Model, facts: &[usize]) -> Ex {
    match (dice.below(6), facts) {
        (0..3, _) => Ex::MetricTime(*dice.pick(&[Grain::Day, Grain::Day, Grain::Week, Grain::Month])),
        (3, [fact]) => own(model, *fact, "store"),
        _ => Ex::Dim(*dice.pick(&[KIND, REGION, N]), Grain::Raw),
    }
}

/// The dimensions that facts reach, with their types.
pub fn reached(model: &Model, facts: &[usize]) -> Vec<usize> {
    let mut found = vec![KIND, REGION, COUNTRY, N];
    if facts == [FACT] {
        found.extend([CATEGORY, SENT, SIZE]);
        if model.dimensions.len() > TIER && model.dimensions[TIER].name == "d_tier" {
            found.push(TIER);
        }
    }
    found
}

fn dimension(dice: &mut Dice, model: &Model, facts: &[usize]) -> usize {
    let all = reached(model, facts);
    if dice.percent(70) { *dice.pick(&all[..3]) } else { *dice.pick(&all) }
}

/// A condition on a dimension; against a direction only if that is wanted.
pub fn on_dimension(dice: &mut Dice, model: &Model, facts: &[usize], upward: bool) -> Ex {
    let mut at = dimension(dice, model, facts);
    if upward && at == CATEGORY {
        at = KIND;
    }
    condition(dice, Ex::Dim(at, Grain::Raw), model.dimensions[at].ty)
}

/// An indicator changed in one way, and perhaps in more.
pub fn changed(dice: &mut Dice, model: &mut Model, base: usize, by: Change) -> usize {
    let facts = facts_of(model, &Ex::Ind(base));
    let kind = model.indicators[base].kind;
    let mut found = match by {
        Change::Nothing => return base,
        Change::Fill => {
            let fill = *dice.pick(&[0, 0, 5]);
            Indicator { fill: Some(Value::Int(fill)), ..model.indicators[base].clone() }
        }
        Change::Filter => {
            let p = on_dimension(dice, model, &facts, false);
            let mut filtered = Indicator::of(Ex::Ind(base).filtered(p), model.indicators[base].exact, true);
            filtered.changes = model.indicators[base].changes.clone();
            filtered
        }
        Change::Per => per(dice, model, base, &facts),
        other => {
            let mods = modifiers(dice, model, &facts, other, false);
            let changes = mods.iter().filter_map(change).collect();
            let x = Ex::At(Box::new(Ex::Ind(base)), mods);
            Indicator { changes, ..Indicator::of(x, model.indicators[base].exact, true) }
        }
    };
    found.kind = kind;
    if !found.changes.contains(&by) {
        found.changes.push(by);
    }
    if found.changes.iter().any(|c| matches!(c, Change::Trailing | Change::ToDate | Change::Cumulative)) {
        found.within = found.within.or(within(dice));
    }
    add(model, found)
}

/// The modifiers of one `at`: the wanted one, at times among others.
pub fn modifiers(dice: &mut Dice, model: &Model, facts: &[usize], wanted: Change, sql: bool) -> Vec<Mod> {
    let mut all = vec![modifier(dice, model, facts, wanted, sql)];
    while dice.percent(28) && all.len() < 3 {
        let other = *dice.pick(&CHANGES[1..14]);
        let other = modifier(dice, model, facts, other, sql);
        let at = dice.below(all.len() + 1);
        all.insert(at, other);
    }
    all
}

fn modifier(dice: &mut Dice, model: &Model, facts: &[usize], wanted: Change, sql: bool) -> Mod {
    match wanted {
        Change::AllOf => {
            let first = match dice.below(5) {
                0 => Ex::MetricTime(*dice.pick(&[Grain::Raw, Grain::Month, Grain::Day])),
                _ => Ex::Dim(dimension(dice, model, facts), Grain::Raw),
            };
            let second = Ex::Dim(dimension(dice, model, facts), Grain::Raw);
            if dice.percent(20) && second != first { Mod::AllOf(vec![first, second]) } else { Mod::AllOf(vec![first]) }
        }
        Change::All => Mod::All,
        Change::Set => set(dice, model, facts),
        Change::Where => {
            let p = on_dimension(dice, model, facts, false);
            let day = Ex::Lit(dice.value(Ty::Date));
            let since = Ex::bin(*dice.pick(&[Op::Ge, Op::Lt]), Ex::MetricTime(Grain::Raw), day);
            Mod::Where(if dice.percent(25) { Ex::bin(Op::And, p, since) } else { p })
        }
        Change::Visible => Mod::Visible,
        Change::Shift => {
            let unit = *dice.pick(&[Grain::Day, Grain::Week, Grain::Month, Grain::Month, Grain::Quarter, Grain::Year]);
            let most = if unit == Grain::Day { 35 } else { 2 };
            let n = dice.between(1, most);
            Mod::Shift(Amount { n: if dice.percent(25) { -n } else { n }, unit })
        }
        Change::Previous => {
            let grains = [Grain::Day, Grain::Week, Grain::Month, Grain::Month, Grain::Quarter, Grain::Year];
            Mod::Previous(*dice.pick(&grains))
        }
        Change::PreviousPeriod => Mod::PreviousPeriod,
        Change::Trailing => trailing(dice),
        Change::ToDate => Mod::ToDate(*dice.pick(&[Grain::Week, Grain::Month, Grain::Quarter, Grain::Year])),
        Change::Cumulative => Mod::Cumulative,
        Change::First => end(dice, model, facts, sql, false),
        _ => end(dice, model, facts, sql, true),
    }
}

fn trailing(dice: &mut Dice) -> Mod {
    let unit = *dice.pick(&[Grain::Day, Grain::Day, Grain::Week, Grain::Month]);
    Mod::Trailing(Amount { n: dice.between(1, if unit == Grain::Day { 28 } else { 3 }), unit })
}

fn set(dice: &mut Dice, model: &Model, facts: &[usize]) -> Mod {
    let of = |at: usize| Ex::Dim(at, Grain::Raw);
    let current = |ex: &Ex| Ex::Current(Box::new(ex.clone()));
    match dice.below(10) {
        0 | 1 => {
            let v = Ex::bin(Op::Sub, current(&of(N)), Ex::Lit(Value::Int(1)));
            Mod::Set(of(N), v)
        }
        2 => {
            let year = Ex::MetricTime(Grain::ExtractYear);
            let v = Ex::bin(Op::Sub, current(&year), Ex::Lit(Value::Int(1)));
            Mod::Set(year, v)
        }
        3 => {
            let month = Grain::Month.cut(&dice.value(Ty::Date), false);
            Mod::Set(Ex::MetricTime(Grain::Month), Ex::Lit(month))
        }
        4 => {
            let d = of(dimension(dice, model, facts));
            let v = current(&d);
            Mod::Set(d, v)
        }
        _ => {
            let at = dimension(dice, model, facts);
            Mod::Set(of(at), Ex::Lit(dice.value(model.dimensions[at].ty)))
        }
    }
}

fn end(dice: &mut Dice, model: &Model, facts: &[usize], sql: bool, last: bool) -> Mod {
    let by = match dice.below(6) {
        0 => Ex::Dim(N, Grain::Raw),
        1 if facts == [FACT] => Ex::Dim(SENT, Grain::Raw),
        2 => Ex::MetricTime(Grain::Month),
        3 => Ex::MetricTime(Grain::Week),
        _ => Ex::MetricTime(Grain::Day),
    };
    let per = match (dice.below(6), facts) {
        (0, _) => vec![Ex::Dim(KIND, Grain::Raw)],
        (1, _) => vec![Ex::Dim(REGION, Grain::Raw)],
        (2, [fact]) if !sql => vec![own(model, *fact, "store")],
        _ => vec![],
    };
    if last { Mod::Last(by, per) } else { Mod::First(by, per) }
}

/// An aggregate around the indicator, or the indicator in a condition or a dimension.
fn per(dice: &mut Dice, model: &mut Model, base: usize, facts: &[usize]) -> Indicator {
    let looked = match facts {
        [fact] if model.indicators[base].exact => Some(*fact),
        _ => None,
    };
    let Some(fact) = looked.filter(|_| dice.percent(35)) else { return nested(dice, model, base) };
    let kinds = [Kind::Sum, Kind::Count, Kind::Distinct, Kind::Average];
    let kind = *dice.pick(&kinds);
    let (x, exact) = aggregate(dice, model, kind, fact);
    let mut found = Indicator::of(x, exact, true);
    let by = match dice.below(3) {
        0 => own(model, fact, "store"),
        1 => Ex::Dim(REGION, Grain::Raw),
        _ => own(model, fact, "kind"),
    };
    let mut asked = Ex::Ind(base);
    if dice.percent(25) {
        asked = Ex::At(Box::new(asked), vec![Mod::Visible]);
    }
    let op = *dice.pick(&[Op::Gt, Op::Le]);
    found.trailing = Some(Ex::bin(op, Ex::per(asked, vec![by]), Ex::Lit(Value::Int(dice.between(0, 6).into()))));
    found
}
