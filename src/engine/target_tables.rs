//! `bell.targets`, `bell.scorecards`: what is declared about targets, as rows.

use super::catalog_tables::{Cell, Table, number, text};
use crate::catalog::Catalog;
use crate::catalog::indicator::Direction;
use crate::catalog::target::{Aim, Amounts, Form, Level, Slices, Split, SplitBy, Statement, Target};
use crate::goal::amount::{Scale, shared};

/// A row for each decision, level and slice.
pub(super) fn targets(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for target in &catalog.targets {
        match &target.amounts {
            Amounts::Rows(amounts) => {
                let by: Vec<&str> = amounts.by.iter().map(|id| catalog.dimension(*id).item.name.as_str()).collect();
                let source = format!("indicator {}", catalog.indicator(amounts.indicator).item.name);
                let slice = if by.is_empty() { None } else { Some(format!("each {}", by.join(", "))) };
                let mut row = row(catalog, target, slice, Level::Commit, None, None, &source);
                row[8] = Cell::Text(amounts.direction.map(|direction| in_words(direction).to_string()));
                rows.push(row);
            }
            Amounts::Stated(all) => {
                for statement in all {
                    stated(catalog, target, statement, &mut rows);
                }
            }
        }
    }
    let names = vec![
        "package",
        "target",
        "indicator",
        "every",
        "first",
        "until",
        "slice",
        "level",
        "direction",
        "amount",
        "amount_to",
        "share",
        "baseline",
        "tolerance",
        "attainment",
        "pace",
        "bands",
        "set_at",
        "source",
        "owner",
        "because",
    ];
    Table { names, rows }
}

fn stated(catalog: &Catalog, target: &Target, statement: &Statement, rows: &mut Vec<Vec<Cell>>) {
    for (level, aim) in &statement.aims {
        let one = |slice, aim, share| {
            let mut row = row(catalog, target, slice, *level, Some(aim), share, "file");
            row[17] = Cell::Text(statement.set.map(|set| set.to_string()));
            row
        };
        rows.push(one(whole_slice(catalog, target), *aim, None));
        if let Some(Split { by, how }) = &statement.split {
            let name = &catalog.dimension(*by).item.name;
            match how {
                SplitBy::LastYear(_) => rows.push(one(Some(format!("each {name} as last year")), *aim, None)),
                SplitBy::Shares { parts, others } => {
                    let named = parts.iter().map(|(value, share)| (format!("{name} = {value}"), *share));
                    let rest = others.map(|share| (format!("other {name}"), share));
                    let (slices, shares): (Vec<String>, Vec<f64>) = named.chain(rest).unzip();
                    let amounts = shared(*aim, &shares, Scale::of(catalog, target.of).counts);
                    let parts = slices.into_iter().zip(amounts).zip(shares);
                    rows.extend(parts.map(|((slice, aim), share)| one(Some(slice), aim, Some(share))));
                }
            }
        }
    }
}

fn whole_slice(catalog: &Catalog, target: &Target) -> Option<String> {
    let name = |id| catalog.dimension(id).item.name.clone();
    match &target.slices {
        Slices::Whole => None,
        Slices::Each(each) => Some(format!("each {}", each.iter().map(|id| name(*id)).collect::<Vec<_>>().join(", "))),
        Slices::These(these) => {
            Some(these.iter().map(|(id, value)| format!("{} = {value}", name(*id))).collect::<Vec<_>>().join(", "))
        }
    }
}

fn row(
    catalog: &Catalog,
    target: &Target,
    slice: Option<String>,
    level: Level,
    aim: Option<Aim>,
    share: Option<f64>,
    source: &str,
) -> Vec<Cell> {
    let judging = &target.judging;
    let day = |at: Option<chrono::NaiveDateTime>| Cell::Text(at.map(|at| at.date().to_string()));
    let bands: Vec<String> =
        judging.bands.bands.iter().map(|(name, at)| format!("{name} at {}%", (at * 1e8).round() / 1e6)).collect();
    vec![
        text(&target.item.package),
        text(&target.item.name),
        text(&catalog.indicator(target.of).item.name),
        Cell::Text(target.every.map(|every| every.name().to_string())),
        day(target.from),
        day(target.to),
        Cell::Text(slice),
        text(level.name()),
        Cell::Text(aim.map(|aim| aim.direction().to_string())),
        number(aim.and_then(|aim| aim.low().or(aim.high()))),
        number(aim.and_then(|aim| aim.low().and(aim.high()))),
        number(share),
        number(judging.baseline),
        number(judging.tolerance),
        text(form(aim, judging.form, judging.baseline.is_some())),
        text(judging.pace.name()),
        text(format!("{}, else {}", bands.join(", "), judging.bands.below)),
        Cell::Text(None),
        text(source),
        Cell::Text(target.item.owner.clone()),
        Cell::Text(target.because.clone()),
    ]
}

fn in_words(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "at least",
        Direction::Down => "at most",
    }
}

fn form(aim: Option<Aim>, form: Form, from_baseline: bool) -> &'static str {
    match (form, aim) {
        (Form::TargetOverValue, _) => "target / value",
        (Form::TwoMinus, _) => "2 - value / target",
        (Form::Met, _) => "met",
        (Form::Natural, Some(Aim::Between(..))) => "distance to the range",
        (Form::Natural, Some(Aim::AtMost(_))) => "(baseline - value) / (baseline - target)",
        (Form::Natural, _) if from_baseline => "(value - baseline) / (target - baseline)",
        (Form::Natural, _) => "value / target",
    }
}

/// `at least 480000 every month, split by region`: what was decided last.
pub(crate) fn target_in_words(catalog: &Catalog, target: &Target) -> String {
    let mut text = match &target.amounts {
        Amounts::Rows(rows) => format!("{} of a table", catalog.indicator(rows.indicator).item.name),
        Amounts::Stated(all) => {
            let aims = all.iter().flat_map(|statement| &statement.aims);
            let aim = aims.rev().find(|(level, _)| *level == Level::Commit).map(|(_, aim)| *aim);
            match aim {
                Some(Aim::Between(low, high)) => format!("between {low} and {high}"),
                Some(Aim::AtLeast(amount)) => format!("at least {amount}"),
                Some(Aim::AtMost(amount)) => format!("at most {amount}"),
                None => String::new(),
            }
        }
    };
    text.extend(target.every.map(|every| format!(" every {}", every.name())));
    text.extend(whole_slice(catalog, target).map(|slice| format!(", for {slice}")));
    if let Amounts::Stated(all) = &target.amounts
        && let Some(split) = all.iter().rev().find_map(|statement| statement.split.as_ref())
    {
        text.push_str(&format!(", split by {}", catalog.dimension(split.by).item.name));
    }
    text
}

/// A row for each indicator of each perspective in each version.
pub(super) fn scorecards(catalog: &Catalog) -> Table {
    let mut rows = Vec::new();
    for scorecard in &catalog.scorecards {
        for (from, perspectives) in &scorecard.versions {
            for perspective in perspectives {
                for (indicator, weight) in &perspective.children {
                    rows.push(vec![
                        text(&scorecard.item.package),
                        text(&scorecard.item.name),
                        Cell::Text(from.map(|from| from.date().to_string())),
                        text(&perspective.name),
                        number(Some(perspective.weight)),
                        text(&catalog.indicator(*indicator).item.name),
                        number(Some(*weight)),
                        text(scorecard.rule.name()),
                        text(perspective.rule.name()),
                        Cell::Text(scorecard.item.owner.clone()),
                    ]);
                }
            }
        }
    }
    let names = vec![
        "package",
        "scorecard",
        "first",
        "perspective",
        "weight",
        "indicator",
        "indicator_weight",
        "score",
        "perspective_score",
        "owner",
    ];
    Table { names, rows }
}
