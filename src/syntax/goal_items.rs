//! Pieces of the grammar to targets, bands, scorecards and scenarios.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, visit_expressions_mut};

use super::ast::{Expr, Indicator, Labels, Name, Path, Text};
use super::cursor::{Node, Rule};
use super::dialect::call;
use super::events::place;
use super::goals::*;
use super::items::{expr, once};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

type Read<T> = Result<T, Diagnostic>;

/// Reads a `target`.
pub(super) fn target(node: &Node) -> Read<Target> {
    let mut target = Target {
        name: node.must(Rule::path).to_path(),
        labels: node.labels(),
        every: None,
        aims: vec![],
        split: None,
        slices: None,
        of: None,
        attainment: None,
        baseline: None,
        tolerance: None,
        pace: None,
        sample: None,
        revisions: vec![],
        bands: None,
        owner: None,
        because: None,
    };
    let (mut value, mut valid) = (None, None);
    for clause in node.children() {
        match clause.rule() {
            Rule::target_every => once(&mut target.every, every(&clause), &clause)?,
            Rule::target_amount | Rule::target_between => target.aims.push(aim(&clause)),
            Rule::target_split => once(&mut target.split, split(&clause), &clause)?,
            Rule::target_for => once(&mut target.slices, slices(&clause), &clause)?,
            Rule::target_of => once(&mut target.of, of(&clause), &clause)?,
            Rule::target_value => once(&mut value, expr(&clause)?, &clause)?,
            Rule::target_valid => once(&mut valid, clause.must(Rule::path).to_path(), &clause)?,
            Rule::target_attainment => once(&mut target.attainment, expr(&clause)?, &clause)?,
            Rule::target_baseline => once(&mut target.baseline, amount(&clause.must(Rule::amount)), &clause)?,
            Rule::target_tolerance => once(&mut target.tolerance, amount(&clause.must(Rule::amount)), &clause)?,
            Rule::target_pace => once(&mut target.pace, pace(&clause), &clause)?,
            Rule::target_sample => {
                let least = number(&clause.must(Rule::number));
                once(&mut target.sample, (least, clause.must(Rule::path).to_path()), &clause)?;
            }
            Rule::target_revised => target.revisions.push(revision(&clause)?),
            Rule::bands_clause => once(&mut target.bands, bands(&clause)?, &clause)?,
            Rule::owner_clause => once(&mut target.owner, clause.literal(), &clause)?,
            Rule::because => once(&mut target.because, clause.literal(), &clause)?,
            _ => {}
        }
    }
    rows_of_table(node, &mut target, value, valid)?;
    Ok(target)
}

/// The amounts in a table become an indicator under the target's name: `sum(value) of table`, and where a column says
/// since when each is valid, only the latest for each slice and period. Then the first ones are a second indicator.
fn rows_of_table(node: &Node, target: &mut Target, value: Option<Expr>, valid: Option<Path>) -> Read<()> {
    let (Some(of), Some(value)) = (&mut target.of, &value) else {
        return match value {
            Some(value) => Err(lacks("`value` is an amount of a table, and no table is named", value.span)),
            None if let Some(valid) = valid => {
                Err(lacks("`valid from` is a column of a table, and no table is named", valid.span))
            }
            None => match &target.of {
                Some(of) if of.table.is_some() => Err(lacks("no `value` says which amounts of the table", of.span)),
                _ => Ok(()),
            },
        };
    };
    let Some(table) = &of.table else {
        return Err(lacks("`value` is an amount of a table, and no table is named", value.span));
    };
    let [name] = target.name.parts.as_slice() else {
        return Err(lacks("a target from a table has a name of its own", target.name.span));
    };
    if of.indicator.parts.last().is_some_and(|part| part.text == name.text) {
        return Err(lacks("a target from a table has a name of its own, under which its amounts are asked", name.span));
    }
    let at = place(node, value.span);
    // Bare names are columns of the table, whatever else bears their name.
    let mut amount = value.sql.clone();
    let _ = visit_expressions_mut(&mut amount, |expr| {
        if let SqlExpr::Identifier(column) = expr {
            let path = table.parts.iter().map(|part| ident(part, node)).chain([column.clone()]);
            *expr = SqlExpr::CompoundIdentifier(path.collect());
        }
        ControlFlow::<()>::Continue(())
    });
    let sum = call("sum", at, vec![amount]);
    let all = call("bell_of", at, vec![sum, reference(&table.parts, node)]);
    let owner = target.owner.clone();
    let named = |name: Name, sql: SqlExpr| {
        let definition = Expr { sql, span: value.span };
        Box::new(Indicator { owner: owner.clone(), ..Indicator::defined(name, Labels::default(), definition) })
    };
    let Some(valid) = valid else {
        of.rows = Some(named(name.clone(), all));
        return Ok(());
    };
    let column: Vec<Name> = table.parts.iter().chain(&valid.parts).cloned().collect();
    let decided = |edge: &str| {
        let keys = of.by.iter().map(|path| reference(&path.parts, node));
        let keys: Vec<SqlExpr> = std::iter::once(reference(&column, node)).chain(keys).collect();
        call("bell_at", at, vec![all.clone(), call(edge, at, keys)])
    };
    let original = Name { text: format!("{}_original", name.text), span: name.span };
    (of.rows, of.original) =
        (Some(named(name.clone(), decided("bell_last"))), Some(named(original, decided("bell_first"))));
    of.valid = Some(Expr { sql: reference(&column, node), span: valid.span });
    Ok(())
}

fn lacks(message: &str, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_TARGET, message)
        .at(span)
        .help("write `target store_gmv { of gmv by store, month from store_plan  value plan_amount }`")
}

fn reference(parts: &[Name], node: &Node) -> SqlExpr {
    match parts {
        [only] => SqlExpr::Identifier(ident(only, node)),
        parts => SqlExpr::CompoundIdentifier(parts.iter().map(|part| ident(part, node)).collect()),
    }
}

fn ident(name: &Name, node: &Node) -> Ident {
    Ident { span: place(node, name.span), ..Ident::new(&name.text) }
}

fn every(node: &Node) -> EveryPeriod {
    let bound = |rule| node.find(rule).map(|bound| period(&bound));
    EveryPeriod { grain: node.name(), from: bound(Rule::target_from), to: bound(Rule::target_to) }
}

fn period(node: &Node) -> Text {
    let period = node.must(Rule::period);
    Text { text: period.text().trim().to_string(), span: period.span() }
}

fn aim(node: &Node) -> Aim {
    let level = node
        .find(Rule::target_level)
        .map(|level| Name { text: level.text().trim().to_lowercase(), span: level.span() });
    let amounts: Vec<Amount> = node.all(Rule::amount).map(|node| amount(&node)).collect();
    let bound = match (node.find(Rule::target_bound), amounts.as_slice()) {
        (Some(bound), amounts) if bound.find(Rule::kw_least).is_some() => Bound::AtLeast(amounts.first().cloned()),
        (Some(_), amounts) => Bound::AtMost(amounts.first().cloned()),
        (None, [low, high]) => Bound::Between(low.clone(), high.clone()),
        (None, _) => unreachable!("the grammar requires two amounts"),
    };
    Aim { level, bound, span: node.span() }
}

fn amount(node: &Node) -> Amount {
    let written = match (node.find(Rule::percent), node.find(Rule::unit)) {
        (Some(_), _) => Written::Percent,
        (None, Some(unit)) => Written::Unit(unit.to_name()),
        (None, None) => Written::Bare,
    };
    let value = match node.find(Rule::percent) {
        Some(written) => percent(&written),
        None => number(&node.must(Rule::number)),
    };
    Amount { value, written, span: node.span() }
}

/// The grammar lets only numbers through.
fn number(node: &Node) -> f64 {
    node.text().trim().replace('_', "").parse().unwrap_or(f64::NAN)
}

/// A percentage as a fraction: `3.5%` is the number nearest to 0.035. A quotient of doubles may be a neighbour of it, and a
/// target would be missed by that.
fn percent(node: &Node) -> f64 {
    let digits = node.text().trim().trim_end_matches('%').replace('_', "").to_lowercase();
    match digits.contains('e') {
        true => digits.parse().map_or(f64::NAN, |value: f64| value / 100.0),
        false => format!("{digits}e-2").parse().unwrap_or(f64::NAN),
    }
}

fn split(node: &Node) -> Split {
    let how = match node.find(Rule::split_parts) {
        Some(parts) => SplitBy::Parts(parts.all(Rule::split_part).map(|node| part(&node)).collect()),
        None => SplitBy::LastYear,
    };
    Split { by: node.must(Rule::path).to_path(), how, span: node.span() }
}

fn part(node: &Node) -> Part {
    let slice = match node.find(Rule::text) {
        Some(text) => Slice::Value(text.to_text().text),
        None => match node.name().text {
            word if word.eq_ignore_ascii_case("others") => Slice::Others,
            word => Slice::Word(word),
        },
    };
    Part { slice, share: node.find(Rule::percent).map(|node| percent(&node)), span: node.span() }
}

fn slices(node: &Node) -> ForSlices {
    match node.find(Rule::for_each) {
        Some(each) => ForSlices::Each(each.paths()),
        None => {
            let one = |node: Node| (node.must(Rule::path).to_path(), node.literal());
            ForSlices::These(node.all(Rule::for_one).map(one).collect())
        }
    }
}

fn of(node: &Node) -> Of {
    Of {
        indicator: node.must(Rule::path).to_path(),
        by: node.find(Rule::target_by).map(|by| by.paths()).unwrap_or_default(),
        table: node.find(Rule::target_table).map(|table| table.must(Rule::path).to_path()),
        rows: None,
        original: None,
        valid: None,
        span: node.span(),
    }
}

fn pace(node: &Node) -> Pace {
    match (node.find(Rule::pace_seasonal), node.find(Rule::pace_working)) {
        (Some(_), _) => Pace::Seasonal,
        (None, Some(_)) => Pace::WorkingDays,
        (None, None) => Pace::Linear,
    }
}

fn revision(node: &Node) -> Read<Revision> {
    let mut revision = Revision { date: period(node), from: None, aims: vec![], split: None };
    for clause in node.children() {
        match clause.rule() {
            Rule::revised_from => once(&mut revision.from, period(&clause), &clause)?,
            Rule::target_amount | Rule::target_between => revision.aims.push(aim(&clause)),
            Rule::target_split => once(&mut revision.split, split(&clause), &clause)?,
            _ => {}
        }
    }
    Ok(revision)
}

/// Reads `bands`, an item or a clause.
pub(super) fn bands(node: &Node) -> Read<Bands> {
    let bands = node.all(Rule::band).map(|band| (band.name(), amount(&band.must(Rule::amount)))).collect();
    let mut hold = None;
    for clause in node.all(Rule::band_hold) {
        let numbers: Vec<f64> = clause.all(Rule::number).map(|node| number(&node)).collect();
        once(&mut hold, (numbers[0], numbers[1]), &clause)?;
    }
    Ok(Bands { bands, hold, span: node.span() })
}

/// Reads a `scorecard`.
pub(super) fn scorecard(node: &Node) -> Read<Scorecard> {
    let mut scorecard = Scorecard {
        name: node.name(),
        labels: node.labels(),
        rule: None,
        perspectives: perspectives(node)?,
        revisions: vec![],
        bands: None,
        owner: None,
    };
    for clause in node.children() {
        match clause.rule() {
            Rule::score_rule => once(&mut scorecard.rule, clause.name(), &clause)?,
            Rule::bands_clause => once(&mut scorecard.bands, bands(&clause)?, &clause)?,
            Rule::score_revised => scorecard.revisions.push((period(&clause), perspectives(&clause)?)),
            Rule::owner_clause => once(&mut scorecard.owner, clause.literal(), &clause)?,
            _ => {}
        }
    }
    Ok(scorecard)
}

fn perspectives(node: &Node) -> Read<Vec<Perspective>> {
    node.all(Rule::perspective).map(|node| perspective(&node)).collect()
}

fn perspective(node: &Node) -> Read<Perspective> {
    let mut rule = None;
    for clause in node.all(Rule::score_rule) {
        once(&mut rule, clause.name(), &clause)?;
    }
    let child = |node: Node| (node.must(Rule::path).to_path(), percent(&node.must(Rule::percent)));
    Ok(Perspective {
        name: node.name(),
        label: node.labels().default,
        weight: percent(&node.must(Rule::percent)),
        rule,
        children: node.all(Rule::weight).map(child).collect(),
        span: node.span(),
    })
}

/// Reads a `scenario`.
pub(super) fn scenario(node: &Node) -> Read<Scenario> {
    let texts = |rule| node.all(rule).flat_map(|it| it.all(Rule::text).map(|it| it.to_text()).collect::<Vec<_>>());
    let mut scenario = Scenario {
        name: node.name(),
        labels: node.labels(),
        goals: texts(Rule::scenario_goal).collect(),
        pains: texts(Rule::scenario_pain).collect(),
        processes: texts(Rule::scenario_process).collect(),
        indicators: vec![],
        owner: None,
    };
    for clause in node.children() {
        let telling = match clause.rule() {
            Rule::scenario_indicators => Telling::Something,
            Rule::scenario_result => Telling::Result,
            Rule::scenario_efficiency => Telling::Efficiency,
            Rule::owner_clause => {
                once(&mut scenario.owner, clause.literal(), &clause)?;
                continue;
            }
            _ => continue,
        };
        scenario.indicators.extend(clause.paths().into_iter().map(|path| (telling, path)));
    }
    Ok(scenario)
}
