//! What targets state: amounts in the indicator's unit, revisions, splits.

use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::functions_aggregate::expr_fn::{array_agg, min, sum};
use datafusion::logical_expr::{Expr, lit};

use super::goals::{bad, period, require_once};
use super::{Checker, Failure};
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, Fold, Input, input_column};
use crate::catalog::indicator::{Direction, Indicator};
use crate::catalog::target::{Aim, Amounts, Form, Judging, Level, Split, SplitBy, Statement, YearBefore};
use crate::catalog::time::cast;
use crate::catalog::unit::{Unit, time_scale};
use crate::catalog::{DimensionId, IndicatorId, Item};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::goals::{self, Bound, Slice, Written};

/// Shares add up if they miss 100 % by no more than this.
const CLOSE: f64 = 1e-9;

impl Checker<'_> {
    /// The original statement and its revisions, by date.
    pub(super) fn statements(
        &mut self,
        package: &str,
        tree: &goals::Target,
        of: IndicatorId,
    ) -> Result<Vec<Statement>, Failure> {
        let aims = self.aims(&tree.aims, of)?;
        if !aims.iter().any(|(level, _)| *level == Level::Commit) {
            return Err(bad(format!("target `{}` says no amount", written(&tree.name)), tree.name.span)
                .help("write `at least 100`, `at most 5%` or `between 5 and 10`")
                .into());
        }
        let split = self.split(package, tree.split.as_ref(), of)?;
        let mut all = vec![Statement { set: None, from: None, aims, split }];
        for revision in &tree.revisions {
            let before = &all[all.len() - 1];
            let (mut aims, mut split, last) = (before.aims.clone(), before.split.clone(), before.set);
            let set = period(&revision.date)?.0.date();
            if last.is_some_and(|last| set <= last) {
                return Err(bad("revisions stand in the order of their dates", revision.date.span).into());
            }
            for (level, aim) in self.aims(&revision.aims, of)? {
                match aims.iter_mut().find(|(known, _)| *known == level) {
                    Some(known) => known.1 = aim,
                    None => aims.push((level, aim)),
                }
            }
            if revision.split.is_some() {
                split = self.split(package, revision.split.as_ref(), of)?;
            }
            let from = revision.from.as_ref().map(|text| period(text).map(|period| period.0)).transpose()?;
            let direction = |aims: &[(Level, Aim)]| aims[0].1.direction();
            if direction(&aims) != direction(&all[0].aims)
                || aims.iter().any(|aim| aim.1.direction() != aims[0].1.direction())
            {
                return Err(bad("a revision keeps the direction", revision.date.span).into());
            }
            all.push(Statement { set: Some(set), from, aims, split });
        }
        Ok(all)
    }

    fn aims(&self, trees: &[goals::Aim], of: IndicatorId) -> Result<Vec<(Level, Aim)>, Failure> {
        require_once(trees)?;
        let indicator = self.catalog.indicator(of);
        let units = Units::of(indicator);
        let mut aims: Vec<(Level, Aim)> = Vec::new();
        for tree in trees {
            let known = |amount: &Option<goals::Amount>| match amount {
                Some(amount) => units.amount(amount),
                None => Err(bad("an amount is missing here", tree.span).into()),
            };
            let aim = match &tree.bound {
                Bound::AtLeast(amount) => Aim::AtLeast(known(amount)?),
                Bound::AtMost(amount) => Aim::AtMost(known(amount)?),
                Bound::Between(low, high) => Aim::Between(units.amount(low)?, units.amount(high)?),
            };
            if matches!(aim, Aim::Between(low, high) if low > high) {
                return Err(bad("the range ends before it begins", tree.span).into());
            }
            let against = matches!(
                (aim, indicator.good),
                (Aim::AtLeast(_), Some(Direction::Down)) | (Aim::AtMost(_), Some(Direction::Up))
            );
            if against {
                let good = if indicator.good == Some(Direction::Up) { "up" } else { "down" };
                return Err(bad(format!("`{}` is good when it goes {good}", indicator.item.name), tree.span)
                    .also(indicator.item.span, format!("`good {good}` is said here"))
                    .help("turn the target round, or mend `good`")
                    .into());
            }
            if aims.first().is_some_and(|(_, first)| first.direction() != aim.direction()) {
                return Err(bad("all levels of a target have one direction", tree.span).into());
            }
            aims.push((level_of(tree), aim));
        }
        aims.sort_by_key(|(level, _)| *level as u8);
        require_order(&aims, trees)?;
        Ok(aims)
    }

    fn split(&mut self, package: &str, tree: Option<&goals::Split>, of: IndicatorId) -> Result<Option<Split>, Failure> {
        let Some(tree) = tree else { return Ok(None) };
        let by = self.dimension_at(package, &tree.by)?;
        self.require_additive(of, tree.span)?;
        let how = match &tree.how {
            goals::SplitBy::LastYear => SplitBy::LastYear(self.year_before(of, by)),
            goals::SplitBy::Parts(parts) => shares(parts, tree.span)?,
        };
        Ok(Some(Split { by, how }))
    }
}

impl Checker<'_> {
    /// The sum and the least of an indicator's slices, of which each has its share.
    fn year_before(&mut self, of: IndicatorId, by: DimensionId) -> YearBefore {
        let item = self.catalog.indicator(of).item.clone();
        let mut fold = |what: &str, aggregate: fn(Expr) -> Expr| {
            let value = cast(Expr::Column(input_column(0)), DataType::Float64);
            let values = Expression { expr: aggregate(value), inputs: vec![Input::Indicator(of, vec![])] };
            let fold = Fold {
                aggregate: values,
                by: vec![Expression::input(Input::Dimension(by, TimePart::Whole))],
                data_type: DataType::Float64,
                empty: ScalarValue::Float64(None),
            };
            self.hidden(&item, what, Expression::input(Input::Fold(Box::new(fold))), DataType::Float64)
        };
        let (sum, least) = (fold("sum of slices", sum), fold("least slice", min));
        let counts = self.catalog.indicator(of).data_type.is_integer();
        let each = counts.then(|| self.each_slice(&item, of, by));
        YearBefore { sum, least, each }
    }

    /// The values of an indicator's slices, each with its name: a list of structures.
    fn each_slice(&mut self, item: &Item, of: IndicatorId, by: DimensionId) -> IndicatorId {
        let dimension = Input::Dimension(by, TimePart::Whole);
        let name = cast(Expr::Column(input_column(0)), DataType::Utf8);
        let value = cast(Expr::Column(input_column(1)), DataType::Float64);
        let slice = named_struct(vec![lit("name"), name, lit("value"), value]);
        let aggregate =
            Expression { expr: array_agg(slice), inputs: vec![dimension.clone(), Input::Indicator(of, vec![])] };
        let fields =
            Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Float64, true)]);
        let data_type = DataType::new_list(DataType::Struct(fields), true);
        let empty = ScalarValue::try_new_null(&data_type).unwrap_or(ScalarValue::Null);
        let fold = Fold { aggregate, by: vec![Expression::input(dimension)], data_type: data_type.clone(), empty };
        self.hidden(item, "each slice", Expression::input(Input::Fold(Box::new(fold))), data_type)
    }
}

fn shares(trees: &[goals::Part], span: Span) -> Result<SplitBy, Failure> {
    let equal = trees.iter().all(|part| part.share.is_none());
    if !equal && let Some(part) = trees.iter().find(|part| part.share.is_none()) {
        return Err(Diagnostic::new(codes::TARGET_PARTS, "this part has no share, and others have one")
            .at(part.span)
            .help("give each part a percentage, or none")
            .into());
    }
    let (mut parts, mut others): (Vec<(String, f64)>, Option<f64>) = (vec![], None);
    for part in trees {
        let share = part.share.unwrap_or(1.0 / trees.len() as f64);
        let twice = match &part.slice {
            Slice::Value(value) if parts.iter().any(|(known, _)| known == value) => true,
            Slice::Value(value) => {
                parts.push((value.clone(), share));
                false
            }
            Slice::Others => others.replace(share).is_some(),
            Slice::Word(word) => {
                return Err(bad(format!("`{word}` is no value"), part.span)
                    .help(format!("write values in quotes (`'{word}'`), and `others` for the rest"))
                    .into());
            }
        };
        if twice {
            return Err(Diagnostic::new(codes::TARGET_PARTS, "this part is named twice").at(part.span).into());
        }
        if share < 0.0 {
            return Err(Diagnostic::new(codes::TARGET_PARTS, "a share is not negative").at(part.span).into());
        }
    }
    let sum: f64 = parts.iter().map(|(_, share)| share).sum::<f64>() + others.unwrap_or(0.0);
    if (sum - 1.0).abs() > CLOSE {
        let percent = (sum * 1e10).round() / 1e8;
        return Err(Diagnostic::new(codes::TARGET_PARTS, format!("the parts add up to {percent} %, not to 100 %"))
            .at(span)
            .help("mend the shares, or add `others` for the rest")
            .into());
    }
    Ok(SplitBy::Shares { parts, others })
}

/// What should be small has two formulas in use, so one must be declared; a baseline lies before the target.
pub(super) fn require_formula(tree: &goals::Target, amounts: &Amounts, judging: &Judging) -> Result<(), Failure> {
    let aims: Vec<Aim> = match amounts {
        Amounts::Stated(all) => all.iter().flat_map(|it| it.aims.iter().map(|(_, aim)| *aim)).collect(),
        Amounts::Rows(rows) => match rows.direction {
            Some(Direction::Up) => vec![Aim::AtLeast(f64::INFINITY)],
            Some(Direction::Down) => vec![Aim::AtMost(f64::NEG_INFINITY)],
            None => vec![],
        },
    };
    let place = tree.attainment.as_ref().map_or(tree.name.span, |it| it.span);
    for aim in aims {
        let fits = match (aim, judging.form) {
            (_, Form::Met) => true,
            (Aim::AtMost(_), Form::Natural) => judging.baseline.is_some(),
            (Aim::AtMost(_), _) => judging.baseline.is_none(),
            (_, form) => form == Form::Natural,
        };
        match aim {
            Aim::AtMost(_) if !fits && judging.baseline.is_none() => {
                return Err(bad(
                    format!("target `{}` does not say how much is attained above it", written(&tree.name)),
                    tree.name.span,
                )
                .note("36 where 24 were allowed attain 67 % by `target / value` and 50 % by `2 - value / target`")
                .help("add `attainment target / value`, `attainment 2 - value / target`, or a `baseline`")
                .into());
            }
            _ if !fits => return Err(bad("this formula does not fit the target", place).into()),
            Aim::Between(..) if tree.baseline.is_some() => {
                return Err(bad("a range has no baseline", tree.name.span).help("write a `tolerance`").into());
            }
            Aim::AtLeast(_) | Aim::AtMost(_) if tree.tolerance.is_some() => {
                return Err(bad("only a range has a tolerance", tree.name.span).into());
            }
            _ => {}
        }
        let beyond = match (aim, judging.baseline) {
            (Aim::AtLeast(amount), Some(baseline)) => baseline >= amount,
            (Aim::AtMost(amount), Some(baseline)) => baseline <= amount,
            _ => false,
        };
        if let (true, Some(baseline)) = (beyond, &tree.baseline) {
            return Err(bad("the baseline is as good as the target, so there is no way to go", baseline.span).into());
        }
    }
    if let (Some(tolerance), Some(tree)) = (judging.tolerance, &tree.tolerance)
        && tolerance <= 0.0
    {
        return Err(bad("a tolerance is greater than 0", tree.span).into());
    }
    Ok(())
}

fn level_of(aim: &goals::Aim) -> Level {
    match aim.level.as_ref().map(|level| level.text.as_str()) {
        Some("stretch") => Level::Stretch,
        Some("floor") => Level::Floor,
        _ => Level::Commit,
    }
}

/// The place of a second amount for one level.
pub(super) fn once_per_level(aims: &[goals::Aim]) -> Option<Span> {
    let twice = |at: usize| aims[..at].iter().any(|other| level_of(other) == level_of(&aims[at]));
    (0..aims.len()).find(|at| twice(*at)).map(|at| aims[at].span)
}

fn written(path: &crate::syntax::ast::Path) -> String {
    path.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".")
}

/// The unit of an indicator, for amounts.
pub(super) struct Units<'i> {
    indicator: &'i Indicator,
}

impl<'i> Units<'i> {
    pub(super) fn of(indicator: &'i Indicator) -> Self {
        Units { indicator }
    }

    /// An amount in the indicator's unit.
    pub(super) fn amount(&self, amount: &goals::Amount) -> Result<f64, Failure> {
        let Some(unit) = &self.indicator.unit else { return Ok(amount.value) };
        let misfit = |found: &str| -> Failure {
            Diagnostic::new(
                codes::UNITS,
                format!("the amount is in {found}, `{}` in {}", self.indicator.item.name, unit.name),
            )
            .at(amount.span)
            .also(self.indicator.item.span, format!("this is in {}", unit.name))
            .into()
        };
        match &amount.written {
            Written::Bare => Ok(amount.value),
            Written::Percent if unit.is_scalar() => Ok(amount.value),
            Written::Percent => Err(misfit("percent")),
            Written::Unit(name) => {
                let own = Unit::named(&name.text);
                let converted = time_scale(&name.text).and_then(|scale| unit.of_seconds(amount.value * scale));
                match converted {
                    Some(value) => Ok(value),
                    None if own.agrees_with(unit) => Ok(amount.value),
                    None => Err(misfit(&name.text)),
                }
            }
        }
    }
}

/// What must not be missed is no harder than what is committed to, and what would be very good is no easier.
fn require_order(aims: &[(Level, Aim)], trees: &[goals::Aim]) -> Result<(), Failure> {
    let amount = |level: Level| {
        aims.iter().find(|(known, _)| *known == level).and_then(|(_, aim)| match aim {
            Aim::AtLeast(amount) => Some(*amount),
            Aim::AtMost(amount) => Some(-*amount),
            Aim::Between(..) => None,
        })
    };
    let pairs = [(Level::Floor, Level::Commit), (Level::Commit, Level::Stretch), (Level::Floor, Level::Stretch)];
    let wrong = pairs.into_iter().find(|(low, high)| amount(*low).zip(amount(*high)).is_some_and(|(a, b)| a > b));
    let Some((low, high)) = wrong else { return Ok(()) };
    let at = |level: Level| trees.iter().find(|tree| level_of(tree) == level);
    let Some(tree) = at(if high == Level::Stretch { high } else { low }).or(trees.first()) else { return Ok(()) };
    Err(bad(format!("`{}` asks for more than `{}`", low.name(), high.name()), tree.span)
        .help("floor, commitment and stretch go from the easiest to the hardest")
        .into())
}
