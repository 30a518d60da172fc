//! Targets: do they fit their indicators, do their parts add up, can somebody follow them?

use chrono::NaiveDateTime;

use super::declare::{Declared, MemberTree, item_of};
use super::resolve::{Named, Scope};
use super::statements::{Units, once_per_level};
use super::{Checker, Failure};
use crate::catalog::calendar::{Grain, TimePart, is_time};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{Additivity, Direction};
use crate::catalog::period::Period;
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::stretch::containing;
use crate::catalog::target::{Amounts, Bands, Form, Judging, Pace, Rows, Slices, Target};
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{DimensionId, IndicatorId, Item};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{Name, Path, Text};
use crate::syntax::goals::{self, Bound, ForSlices, Written};

/// The grain and the ends of the periods that a target stands for.
type Periods = (Option<Grain>, Option<NaiveDateTime>, Option<NaiveDateTime>);

impl<'a> Checker<'a> {
    /// Targets of all packages.
    pub(crate) fn check_targets(&mut self) {
        for declared in self.declared.targets.clone() {
            let target = self.target(declared);
            let Some(target) = self.keep(target) else { continue };
            self.warn_of_vagueness(&target, declared.tree);
            self.catalog.to_mut().targets.push(target);
        }
        self.refuse_rivals();
    }

    fn target(&mut self, declared: Declared<'a, &'a goals::Target>) -> Result<Target, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let path = tree.of.as_ref().map_or(&tree.name, |of| &of.indicator);
        let of = self.indicator_at(package, path)?;
        let item = self.target_item(declared, of)?;
        let (every, from, to) = self.periods(tree)?;
        let slices = self.slices_of(package, tree)?;
        let amounts = match tree.of.as_ref().and_then(|of| of.rows.as_deref()) {
            Some(rows) => Amounts::Rows(self.amounts_in_table(package, tree, of, &rows.name)?),
            None => Amounts::Stated(self.statements(package, tree, of)?),
        };
        let judging = self.judging(package, tree, of, &amounts)?;
        let because = tree.because.as_ref().map(|text| text.text.clone());
        let ends = self.ends_of(of);
        Ok(Target { item, of, every, from, to, amounts, slices, judging, because, ends })
    }

    fn target_item(&self, declared: Declared<'a, &'a goals::Target>, of: IndicatorId) -> Result<Item, Failure> {
        let tree = declared.tree;
        let (Some(name), Some(of_item)) = (tree.name.parts.last(), Some(&self.catalog.indicator(of).item)) else {
            return Err(Failure::Silent);
        };
        let mut item = item_of(declared.package, declared.item, name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone()).or(of_item.owner.clone());
        Ok(item)
    }

    fn periods(&self, tree: &goals::Target) -> Result<Periods, Failure> {
        let Some(every) = &tree.every else { return Ok((self.grain_in_by(tree), None, None)) };
        let grain = match self.bare_grain(&every.grain.text) {
            Some(TimePart::Grain(grain)) => grain,
            _ => {
                return Err(Diagnostic::new(
                    codes::BAD_VALUE,
                    format!("`{}` is not a grain of time", every.grain.text),
                )
                .at(every.grain.span)
                .help("write `every day`, `week`, `month`, `quarter`, `year`")
                .into());
            }
        };
        let (from, to) = (every.from.as_ref(), every.to.as_ref());
        let from = from.map(|text| period(text).map(|period| period.0)).transpose()?;
        let until = to.map(|text| period(text).map(|period| period.1)).transpose()?;
        if let (Some(from), Some(until), Some(text)) = (from, until, to)
            && until <= from
        {
            return Err(Diagnostic::new(codes::PERIOD, "the last period lies before the first").at(text.span).into());
        }
        for (at, text) in [(from, &every.from), (until, &every.to)] {
            if let (Some(at), Some(text)) = (at, text)
                && containing(grain, at, &self.catalog.calendar).is_none_or(|period| period.start != at)
            {
                let message = format!("`{}` begins or ends within a {}", text.text, grain.name());
                return Err(Diagnostic::new(codes::PERIOD, message).at(text.span).into());
            }
        }
        Ok((Some(grain), from, until))
    }

    /// `by store, month` of a target from a table says its grain.
    fn grain_in_by(&self, tree: &goals::Target) -> Option<Grain> {
        let by = tree.of.iter().flat_map(|of| &of.by);
        let mut grains = by.filter_map(|path| self.grain_at(path));
        grains.next()
    }

    fn grain_at(&self, path: &Path) -> Option<Grain> {
        match path.parts.as_slice() {
            [name] => match self.bare_grain(&name.text) {
                Some(TimePart::Grain(grain)) => Some(grain),
                _ => None,
            },
            _ => None,
        }
    }

    fn slices_of(&mut self, package: &str, tree: &goals::Target) -> Result<Slices, Failure> {
        let slices = match &tree.slices {
            None => return Ok(Slices::Whole),
            Some(ForSlices::Each(paths)) => {
                Slices::Each(paths.iter().map(|path| self.dimension_at(package, path)).collect::<Result<_, _>>()?)
            }
            Some(ForSlices::These(these)) => {
                let one = |(path, text): &(Path, Text)| Ok((self.dimension_at(package, path)?, text.text.clone()));
                Slices::These(these.iter().map(one).collect::<Result<_, Failure>>()?)
            }
        };
        match &tree.split {
            Some(split) => Err(bad("a target for slices is not split further", split.span)
                .help("declare a target for each slice, or one for the whole with a `split`")
                .into()),
            None => Ok(slices),
        }
    }

    /// The amounts of a table: their indicator is declared under the target's name.
    fn amounts_in_table(
        &mut self,
        package: &str,
        tree: &goals::Target,
        of: IndicatorId,
        name: &Name,
    ) -> Result<Rows, Failure> {
        let Some(Named::Indicator(indicator)) = self.member_named(package, &name.text)? else {
            return Err(Failure::Silent);
        };
        if let Some(split) = &tree.split {
            return Err(bad("the slices of a target from a table are in the table", split.span).into());
        }
        if let Some(revision) = tree.revisions.first() {
            return Err(bad("the revisions of a target from a table are in the table", revision.date.span)
                .help("name the column that says since when an amount is valid: `valid from set_at`")
                .into());
        }
        let good = self.catalog.indicator(of).good;
        let mut direction = good;
        for aim in &tree.aims {
            direction = match aim.bound {
                Bound::AtLeast(None) => Some(Direction::Up),
                Bound::AtMost(None) => Some(Direction::Down),
                _ => return Err(bad("the amounts of this target are in a table", aim.span).into()),
            };
        }
        let mut by = Vec::new();
        for path in tree.of.iter().flat_map(|of| &of.by) {
            if self.grain_at(path).is_none() {
                by.push(self.dimension_at(package, path)?);
            }
        }
        let (original, decided) = self.decisions(package, tree)?;
        Ok(Rows { indicator, original, decided, by, direction })
    }

    /// The first amounts of a table, and what says when each row was decided.
    fn decisions(
        &mut self,
        package: &str,
        tree: &goals::Target,
    ) -> Result<(Option<IndicatorId>, Option<Expression>), Failure> {
        let Some(of) = &tree.of else { return Ok((None, None)) };
        let (Some(original), Some(valid)) = (&of.original, &of.valid) else { return Ok((None, None)) };
        let Some(Named::Indicator(id)) = self.member_named(package, &original.name.text)? else {
            return Err(Failure::Silent);
        };
        let typed = self.resolve_rows(valid, Scope::rows(package, None))?;
        if !is_time(&typed.data_type) {
            return Err(bad(
                format!("since when an amount is valid is a time, this is {}", typed.data_type),
                valid.span,
            )
            .help("give the column a type in `columns { … }` of its source")
            .into());
        }
        Ok((Some(id), Some(typed.expression)))
    }

    fn judging(
        &mut self,
        package: &str,
        tree: &goals::Target,
        of: IndicatorId,
        amounts: &Amounts,
    ) -> Result<Judging, Failure> {
        let units = Units::of(self.catalog.indicator(of));
        let amount = |amount: &Option<goals::Amount>| amount.as_ref().map(|it| units.amount(it)).transpose();
        let (baseline, tolerance) = (amount(&tree.baseline)?, amount(&tree.tolerance)?);
        let form = self.form_of(tree)?;
        let judging = Judging {
            form,
            baseline,
            tolerance,
            bands: self.bands_of(package, tree, of)?,
            pace: match tree.pace {
                Some(goals::Pace::Seasonal) => Pace::Seasonal,
                Some(goals::Pace::WorkingDays) => Pace::WorkingDays,
                Some(goals::Pace::Linear) | None => Pace::Linear,
            },
            sample: match &tree.sample {
                Some((least, path)) if *least > 0.0 => Some((self.indicator_at(package, path)?, *least)),
                Some((_, path)) => {
                    return Err(bad("a sample of no rows is always large enough", path.span)
                        .help("write a number above 0, such as `sample 100 of ticket_count`")
                        .into());
                }
                None => None,
            },
        };
        super::statements::require_formula(tree, amounts, &judging)?;
        Ok(judging)
    }

    fn form_of(&self, tree: &goals::Target) -> Result<Form, Failure> {
        let Some(written) = &tree.attainment else { return Ok(Form::Natural) };
        let text: String = self.files.text(written.span).split_whitespace().collect();
        match text.to_lowercase().as_str() {
            "target/value" => Ok(Form::TargetOverValue),
            "2-value/target" => Ok(Form::TwoMinus),
            "value/target" => Ok(Form::Natural),
            "met" => Ok(Form::Met),
            _ => Err(bad("this is no formula of attainment", written.span)
                .help("write `target / value`, `2 - value / target`, `value / target` or `met`")
                .into()),
        }
    }

    /// The target's own bands, else its indicator's, else its package's.
    fn bands_of(&mut self, package: &str, tree: &goals::Target, of: IndicatorId) -> Result<Bands, Failure> {
        let item = &self.catalog.indicator(of).item;
        let of_indicator =
            self.declared.member(&item.package, &item.name).and_then(|at| match self.declared.members[at].tree {
                MemberTree::Indicator(tree) => tree.bands.as_ref(),
                _ => None,
            });
        self.bands_or_package(package, tree.bands.as_ref().or(of_indicator))
    }

    /// These bands, else those of a package.
    pub(super) fn bands_or_package(&self, package: &str, own: Option<&goals::Bands>) -> Result<Bands, Failure> {
        let of_package = self.declared.bands.iter().find(|bands| bands.package == package).map(|bands| bands.tree);
        own.or(of_package).map_or(Ok(Bands::default()), bands_from)
    }

    /// What nobody can follow is a warning with the reason.
    fn warn_of_vagueness(&mut self, target: &Target, tree: &goals::Target) {
        let name = &target.item.name;
        let mut found: Vec<Diagnostic> = Vec::new();
        let mut warn = |message: String, reason: &str, help: &str| {
            let diagnostic = Diagnostic::new(codes::TARGET_VAGUE, message).at(tree.name.span);
            found.push(diagnostic.note(reason).help(help));
        };
        if matches!(&target.amounts, Amounts::Rows(rows) if rows.direction.is_none()) {
            warn(
                format!("target `{name}` has no direction"),
                "nothing says whether more than the amount is good or bad",
                "write `at least` or `at most`, or `good up` or `good down` in the indicator",
            );
        }
        if target.every.is_none() {
            warn(
                format!("target `{name}` has no period"),
                "an amount for no time is met sooner or later, or never",
                "write `every month`, perhaps with `from` and `to`",
            );
        }
        if target.item.owner.is_none() {
            warn(
                format!("target `{name}` has no owner"),
                "nobody is asked when it is missed",
                "write `owner \"…\"` in the target or in its indicator",
            );
        }
        for dimension in dimensions_of(target) {
            if let Some(reason) = self.unreached(target.of, dimension) {
                let of = &self.catalog.indicator(target.of).item.name;
                let dimension = &self.catalog.dimension(dimension).item.name;
                warn(
                    format!("target `{name}` is for slices of `{dimension}`, by which `{of}` cannot be asked"),
                    &reason,
                    "split it by a dimension of the indicator, or declare the missing join",
                );
            }
        }
        found.into_iter().for_each(|diagnostic| self.report(diagnostic));
    }

    /// Why an indicator cannot be asked by a dimension.
    fn unreached(&self, of: IndicatorId, dimension: DimensionId) -> Option<String> {
        let asked = Expression::input(Input::Indicator(of, vec![]));
        let wanted = Expression::input(Input::Dimension(dimension, TimePart::Whole));
        let mut problem = None;
        for_each_measure(&self.catalog, &asked, &Around::default(), &mut |measure, around| {
            let axis = around.time.as_ref().or(self.catalog.source(measure.source).time.as_ref());
            let standpoint = Standpoint { source: measure.source, axis };
            if let (None, Err(unreached)) = (&problem, flatten(&self.catalog, standpoint, &wanted)) {
                problem = Some(super::unreachable(&self.catalog, measure.source, &unreached).message);
            }
        });
        problem
    }

    /// Refuses what does not add up over slices.
    pub(super) fn require_additive(&self, of: IndicatorId, span: Span) -> Result<(), Failure> {
        let indicator = self.catalog.indicator(of);
        if indicator.additivity != Additivity::NonAdditive {
            return Ok(());
        }
        Err(bad(format!("`{}` is no sum of its slices, so its target is not split", indicator.item.name), span)
            .help("say `for each region`, or declare a target `for region = 'east'`")
            .into())
    }
}

fn dimensions_of(target: &Target) -> Vec<DimensionId> {
    let mut found: Vec<DimensionId> = match &target.slices {
        Slices::Whole => vec![],
        Slices::Each(dimensions) => dimensions.clone(),
        Slices::These(these) => these.iter().map(|(id, _)| *id).collect(),
    };
    match &target.amounts {
        Amounts::Rows(rows) => found.extend(&rows.by),
        Amounts::Stated(all) => found.extend(all.iter().filter_map(|it| it.split.as_ref()).map(|split| split.by)),
    }
    found.sort();
    found.dedup();
    found
}

pub(super) fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_TARGET, message).at(span)
}

/// The first instant of a period and the first one after it.
pub(super) fn period(text: &Text) -> Result<(NaiveDateTime, NaiveDateTime), Failure> {
    let read = Period::parse(&text.text).and_then(|period| Some((period.start(), period.end()?)));
    read.ok_or_else(|| {
        Diagnostic::new(codes::PERIOD, format!("`{}` is not a period", text.text))
            .at(text.span)
            .help("write `2026`, `2026-Q1`, `2026-01`, `2026-W05` or `2026-01-31`")
            .into()
    })
}

fn bands_from(tree: &goals::Bands) -> Result<Bands, Failure> {
    let mut bands: Vec<(String, f64)> = Vec::new();
    for (name, amount) in &tree.bands {
        if matches!(amount.written, Written::Unit(_)) {
            return Err(bad("bands are of attainment, which has no unit", amount.span).help("write `90%`").into());
        }
        if bands.last().is_some_and(|(_, above)| *above <= amount.value) {
            return Err(bad("bands go from the best down", amount.span)
                .help("write the highest first: `green at 100%  amber at 90%`")
                .into());
        }
        if bands.iter().any(|(known, _)| *known == name.text) {
            return Err(Diagnostic::new(codes::TWICE, format!("`{}` is given twice", name.text)).at(name.span).into());
        }
        bands.push((name.text.clone(), amount.value));
    }
    let hold = match tree.hold {
        None => None,
        Some((k, n)) if k >= 1.0 && n >= k && k.fract() == 0.0 && n.fract() == 0.0 && n <= 100.0 => {
            Some((k as usize, n as usize))
        }
        Some(_) => {
            return Err(bad("`hold` takes two whole numbers, the first not above the second", tree.span)
                .help("write `hold 2 of 3`")
                .into());
        }
    };
    let below = match bands.last() {
        Some((name, at)) if *at <= 0.0 => name.clone(),
        _ => "red".to_string(),
    };
    match bands.iter().position(|(name, _)| *name == below) {
        Some(at) if at + 1 == bands.len() => _ = bands.pop(),
        Some(at) => {
            return Err(bad("what lies below all bands is `red`, too", tree.bands[at].0.span)
                .help("say what it is in a last band, such as `green at 0%`")
                .into());
        }
        None => {}
    }
    Ok(Bands { bands, below, hold })
}

/// Each level has one amount.
pub(super) fn require_once(aims: &[goals::Aim]) -> Result<(), Failure> {
    match once_per_level(aims) {
        Some(twice) => Err(bad("a second amount for the same level", twice)
            .help("`stretch at least …` and `floor at least …` may stand beside it")
            .into()),
        None => Ok(()),
    }
}
