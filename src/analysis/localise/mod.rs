//! [`Localise`]: which combination of dimension values is to blame for a change.
//!
//! The values come from the engine like those of any question: one plan gives the leaves (all dimensions together) and the
//! whole, for the period that is explained and for each period of the base. The search over the leaves is arithmetic:
//! `gain` says how much a cell stands out, `scan` finds those that do.
//!
//! Invariant: leaves add up to the whole on every side, or the answer is refused; only then is a cell the sum of its leaves.

mod answer;
mod due;
pub mod gain;
pub mod scan;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::change::{TARGET, is_target};
use super::components::{OverSlices, over_slices};
use super::function::{Function, Texts, names, number};
use super::question::{Asked, Side};
use super::reader::{Argument, ONE_TIME, Reader};
use super::span::Span;
use super::targeted::{Wanted, of_all_rows, slice_of};
use super::{Analysis, Model};
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use answer::Located;
use due::due;

/// Which combination of dimension values is to blame? In SQL `localise('stall_rate', by => …)`, on the command line
/// `bell localise`.
///
/// ```
/// let question: bellwether::Localise = serde_json::from_str(
///     r#"{"indicator": "gmv", "base": "previous 4 weeks", "current": "2026-W40", "by": ["region", "channel"]}"#,
/// )?;
/// assert_eq!((question.causes, question.depth), (3, 3));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Localise {
    /// The indicator by name: a sum, a count, or a ratio of them.
    pub indicator: String,
    /// What is compared with: a period, several (`2026-06 to 2026-09`, of which the mean is taken), or `previous period`,
    /// `previous year`, `previous 4 weeks`, …; `target`; without it, the period just before.
    pub base: Option<String>,
    /// The period that is explained.
    pub current: Option<String>,
    /// The dimensions among whose values the cause is looked for.
    pub by: Vec<String>,
    /// At most so many causes.
    pub causes: usize,
    /// At most so many dimensions in one cause.
    pub depth: usize,
    /// Conditions on both sides.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
    /// Against the target: up to when the data count, and by when it must have been decided; without it, now.
    pub as_of: Option<String>,
}

impl Default for Localise {
    fn default() -> Self {
        Localise {
            indicator: String::new(),
            base: None,
            current: None,
            by: vec![],
            causes: 3,
            depth: 3,
            conditions: vec![],
            as_of: None,
        }
    }
}

impl Function for Localise {
    fn name(&self) -> &'static str {
        "localise"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "base", "current", "by", "causes", "depth", "where", "as_of"]
    }

    fn example(&self) -> &'static str {
        "localise('gmv', base => '2026-09', current => '2026-10', by => 'region, channel')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "base" => self.base = Some(own()),
            "current" => self.current = Some(own()),
            "by" => self.by = names(text),
            "causes" => self.causes = number(argument, text)?,
            "depth" => self.depth = number(argument, text)?,
            "as_of" => self.as_of = Some(own()),
            _ => self.conditions = vec![own()],
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        Texts::default()
            .one(Argument::Indicator, Some(&self.indicator))
            .one(Argument::Current, self.current.as_deref())
            .one(Argument::Base, self.base.as_deref())
            .all(Argument::By, &self.by)
            .all(Argument::Where, &self.conditions)
            .one(Argument::AsOf, self.as_of.as_deref())
            .0
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let (options, now) = (model.options, model.now);
        let mut reader = Reader::new(model);
        let (package, root) = reader.indicator(&self.indicator)?;
        let (base, current) = self.sides(&mut reader)?;
        let against_target = base.is_empty();
        let by = reader.dimensions(&self.by, &package, ONE_TIME)?;
        let conditions = reader.conditions(Argument::Where, &self.conditions, &package)?;
        let now = reader.as_of(self.as_of.as_deref(), against_target)?.unwrap_or(now);
        let mut catalog = Catalog::clone(reader.catalog());
        let over = over_slices(&mut catalog, root);
        self.require_search(&catalog, root, over, &reader)?;
        let indicators = match over {
            OverSlices::Ratio { above, below, .. } => vec![root, above, below],
            OverSlices::Sum | OverSlices::Neither => vec![root],
        };
        let side = |span: &Span| Side { span: Some(*span), conditions: conditions.clone() };
        let sides: Vec<Side> = base.iter().chain([&current]).map(side).collect();
        let all: Vec<usize> = (0..by.len()).collect();
        let catalog = Arc::new(catalog);
        let names = base.iter().chain([&current]).map(Span::to_string);
        let target = against_target.then(|| "the target".to_string());
        let located = Located {
            name: catalog.indicator(root).item.name.clone(),
            root,
            over,
            by: by.iter().map(|(name, _)| name.clone()).collect(),
            limits: scan::Limits { causes: self.causes, depth: self.depth, chance: CHANCE },
            is_due: against_target,
            sides: target.into_iter().chain(names).collect(),
            places: [Argument::Base, Argument::Current].map(|side| reader.place(side, 0)),
            dimensions: reader.place(Argument::By, 0),
        };
        let sets = vec![vec![], all];
        if against_target {
            let slice = slice_of(&conditions).ok_or_else(|| reader.at(of_all_rows(), Argument::Where, 0))?;
            let (package, by, sets) = (package.as_str(), by.as_slice(), sets.as_slice());
            let wanted = Wanted { package, by, slice, root, over, below: vec![], sets, period: current, now };
            return due(located, &catalog, &wanted, &reader, options);
        }
        let asked = Asked { first: 0, catalog, package, by, sets, indicators, sides };
        let questions = asked.questions(options).map_err(|error| reader.at_dimension(error.into()))?;
        Ok(Analysis { spares: asked.spares(options)?, questions, answer: Arc::new(located) })
    }
}

/// A cause that chance alone brings about in more than one of twenty searches is none.
const CHANCE: f64 = 0.05;

impl Localise {
    /// The periods of the base, none if that is the target, and the one that is explained.
    fn sides(&self, reader: &mut Reader<'_, '_>) -> Result<(Vec<Span>, Span), Diagnostic> {
        let Some(current) = &self.current else {
            return Err(Diagnostic::new(codes::REQUEST, "a change is explained from one side to another")
                .help("say which period is explained (current)"));
        };
        let current = reader.span(Argument::Current, current, None)?;
        if self.base.as_deref().is_some_and(is_target) {
            reader.add(Argument::Base, TARGET);
            return Ok((vec![], current));
        }
        let base = reader.spans(self.base.as_deref().unwrap_or("previous period"), self.base.is_some(), current)?;
        Ok((base, current))
    }

    fn require_search(
        &self,
        catalog: &Catalog,
        root: IndicatorId,
        over: OverSlices,
        reader: &Reader<'_, '_>,
    ) -> Result<(), Diagnostic> {
        let name = &catalog.indicator(root).item.name;
        if self.by.is_empty() || self.causes == 0 || self.depth == 0 {
            let message = format!("there is nothing to look for: {} cause(s) of {} dimension(s)", self.causes, {
                self.by.len().min(self.depth)
            });
            return Err(
                Diagnostic::new(codes::REQUEST, message).help("say among which dimensions: `by => 'region, channel'`")
            );
        }
        if over == OverSlices::Neither {
            let message = format!("slices do not add up to `{name}`: it is neither a sum or count nor a ratio of two");
            let diagnostic = Diagnostic::new(codes::NOT_SLICEABLE, message);
            return Err(reader.at(diagnostic, Argument::Indicator, 0).help("localise the sums and counts behind it"));
        }
        Ok(())
    }
}
