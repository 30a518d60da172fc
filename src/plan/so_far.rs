//! Values of periods that have not ended: what they are by now, and what was a year earlier.
//!
//! They are asked for as `status` asks for them: of the time until now alone, without the question's grouping by time. So
//! an indicator that looks back looks back from now, and not from the end of its period.

use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;

use super::context::Call;
use super::instant::{Instants, TIMESTAMP};
use super::judge::{Groups, look, now_in};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::Additivity;
use crate::catalog::modifier::Modifier;
use crate::catalog::reach::append;
use crate::catalog::target::{Pace, Target};
use crate::catalog::time::cast;
use crate::catalog::{Catalog, IndicatorId};

/// What is known of the running period of a grain, or of the question's range, by position.
#[derive(Debug, Clone)]
pub(crate) struct SoFar {
    /// Without one it is the range.
    pub(crate) grain: Option<Grain>,
    pub(crate) value: usize,
    /// For each target its sample.
    pub(crate) samples: Vec<Option<usize>>,
    /// A year earlier: until the same day, and the whole period.
    pub(crate) last_year: Option<[usize; 2]>,
}

impl SoFar {
    /// The same in other places.
    pub(crate) fn placed(&self, place: &mut impl FnMut(usize) -> usize) -> SoFar {
        SoFar {
            grain: self.grain,
            value: place(self.value),
            samples: self.samples.iter().map(|at| at.map(&mut *place)).collect(),
            last_year: self.last_year.map(|both| both.map(&mut *place)),
        }
    }
}

/// From an instant up to another, as expressions.
#[derive(Debug, Clone)]
struct Bounds {
    from: Expr,
    to: Expr,
}

impl Groups {
    /// Adds what running periods need to the calls; a status needs more than an attainment.
    pub(crate) fn so_far(
        &self,
        catalog: &Catalog,
        calls: &mut Vec<Call>,
        indicator: IndicatorId,
        is_status: bool,
    ) -> Vec<SoFar> {
        if !self.fits {
            return vec![];
        }
        let targets: Vec<&Target> = catalog.targets_of(indicator).collect();
        let additive = catalog.indicator(indicator).additivity == Additivity::Additive;
        let seasonal = additive && targets.iter().any(|target| target.judging.pace == Pace::Seasonal);
        let mut found = Vec::new();
        for grain in self.kinds() {
            let Some(whole) = self.period(catalog, grain) else { continue };
            let to_date = Bounds { to: least(vec![whole.to.clone(), now_in(catalog)]), ..whole.clone() };
            let mut within = |id, bounds: &Bounds| look(calls, id, self.only(bounds));
            let value = within(indicator, &to_date);
            let sample = |target: &&Target| target.judging.sample.filter(|_| is_status).map(|(id, _)| id);
            let samples = targets.iter().map(|it| sample(it).map(|id| within(id, &to_date))).collect();
            let last_year = (is_status && seasonal)
                .then(|| [&to_date, &whole].map(|bounds| within(indicator, &a_year_earlier(catalog, bounds))));
            found.push(SoFar { grain, value, samples, last_year });
        }
        found
    }

    /// The grains whose periods rows are of, and nothing where they are of the range.
    pub(crate) fn kinds(&self) -> Vec<Option<Grain>> {
        let finest = self.times.iter().map(|(_, grain)| *grain).min();
        let asked = self.times.iter().map(|(_, grain)| *grain);
        let mut kinds: Vec<Option<Grain>> =
            asked.filter(|grain| self.has_subtotals || Some(*grain) == finest).map(Some).collect();
        if self.times.is_empty() || self.has_subtotals {
            kinds.push(None);
        }
        kinds.dedup();
        kinds
    }

    /// The running period, as far as it is in the range: outside of it nothing needs to be read.
    fn period(&self, catalog: &Catalog, grain: Option<Grain>) -> Option<Bounds> {
        let bound = |bound: &Option<Expr>| Some(cast(bound.clone()?, TIMESTAMP));
        let (from, to) = (bound(&self.from), bound(&self.to));
        let Some(grain) = grain else { return Some(Bounds { from: from?, to: to? }) };
        let instants = instants(catalog);
        let begun = instants.start_of(now_in(catalog), grain);
        let ends = instants.later(begun.clone(), grain.span());
        Some(Bounds {
            from: greatest(from.into_iter().chain([begun]).collect()),
            to: least(to.into_iter().chain([ends]).collect()),
        })
    }

    /// The context of the question's rows in a stretch of time, whatever their periods.
    fn only(&self, bounds: &Bounds) -> Vec<Modifier> {
        let mut inputs = vec![];
        let axis = append(&mut inputs, Expression::input(Input::MetricTime(TimePart::Whole)));
        let range = [axis.clone().gt_eq(bounds.from.clone()), axis.lt(bounds.to.clone())];
        let kept: Vec<Expr> = self.of_dimensions.iter().map(|it| append(&mut inputs, it.clone())).collect();
        let all = Modifier::All(vec![Input::MetricTime(TimePart::Whole)]);
        let condition = conjunction(kept.into_iter().chain(range)).map(|expr| Expression { expr, inputs });
        std::iter::once(all).chain(condition.map(Modifier::Where)).collect()
    }
}

/// Instants as conditions of questions have them.
pub(super) fn instants(catalog: &Catalog) -> Instants<'_> {
    let common = catalog.metric_time.clone();
    Instants { calendar: &catalog.calendar, data_type: TIMESTAMP, common, native: None }
}

fn a_year_earlier(catalog: &Catalog, bounds: &Bounds) -> Bounds {
    let instants = instants(catalog);
    let earlier = |at: &Expr| instants.earlier(at.clone(), Grain::Year.span());
    Bounds { from: earlier(&bounds.from), to: earlier(&bounds.to) }
}
