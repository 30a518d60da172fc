//! Trees whose identity only the data can tell: both sides are computed for every month, and for all of time.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::ConfigOptions;

use super::arithmetic::{evaluate, magnitude};
use super::cells::{Cells, Key};
use super::nested::TOLERANCE;
use super::question::{Asked, Question, Side};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::Input;
use crate::catalog::tree::{Breakdown, Identity};
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};

/// A breakdown that the data has to keep.
pub struct Promise<'c> {
    catalog: &'c Arc<Catalog>,
    breakdown: &'c Breakdown,
    /// What is asked to see whether it does.
    pub questions: Vec<Question>,
}

impl<'c> Promise<'c> {
    /// All breakdowns of a model that are not proven.
    ///
    /// # Errors
    /// What the planner says of the question to one of them.
    pub fn all(catalog: &'c Arc<Catalog>, options: &ConfigOptions) -> Result<Vec<Promise<'c>>> {
        let breakdowns = catalog.trees.iter().flat_map(|tree| tree.breakdowns.iter().map(move |it| (tree, it)));
        let open = breakdowns.filter(|(_, breakdown)| breakdown.identity == Identity::ByData);
        open.map(|(tree, breakdown)| {
            let months = TimePart::Grain(Grain::Month);
            let by = vec![(format!("metric_time{}", months.suffix(&catalog.calendar)), Input::MetricTime(months))];
            let whole = Asked {
                catalog: Arc::clone(catalog),
                package: tree.item.package.clone(),
                by: vec![],
                sets: vec![vec![]],
                indicators: std::iter::once(breakdown.of).chain(breakdown.parts.iter().copied()).collect(),
                sides: vec![Side::default()],
                first: 0,
            };
            let monthly = Asked { by, sets: vec![vec![], vec![0]], ..whole.clone() };
            // Without a time axis there is only the whole.
            let questions = monthly.questions(options).or_else(|_| whole.questions(options))?;
            Ok(Promise { catalog, breakdown, questions })
        })
        .collect()
    }

    /// What the data says against it.
    pub fn broken(&self, cells: &Cells) -> Option<Diagnostic> {
        let months = cells.slices(&[0]);
        let broken: Vec<(String, f64, f64)> = months
            .iter()
            .filter_map(|month| self.differs(cells, &[0], month).map(|(v, f)| (month_name(month), v, f)))
            .chain(self.differs(cells, &[], &vec![]).map(|(v, f)| ("all of time".to_string(), v, f)))
            .collect();
        let (period, value, computed) = broken.first()?;
        let name = &self.catalog.indicator(self.breakdown.of).item.name;
        let message = format!("`{name}` is {value} in {period}, but `{}` is {computed}", self.breakdown.text);
        let diagnostic = Diagnostic::new(codes::TREE_BREAKS, message).at(self.breakdown.span);
        let others = broken.len() - 1;
        Some(match others {
            0 => diagnostic,
            _ => diagnostic.note(format!("they differ in {} of {} periods", broken.len(), months.len() + 1)),
        })
    }

    /// Both numbers, if they are not the same.
    fn differs(&self, cells: &Cells, set: &[usize], key: &Key) -> Option<(f64, f64)> {
        let value = |id: IndicatorId| cells.value(0, set, key, id);
        let parts: Vec<Option<f64>> = self.breakdown.parts.iter().map(|part| value(*part)).collect();
        // Where either has no value there is nothing to compare.
        let (value, computed) = (value(self.breakdown.of)?, evaluate(&self.breakdown.formula, &parts)?);
        let size = value.abs().max(magnitude(&self.breakdown.formula, &parts));
        let same = (value - computed).abs() <= TOLERANCE * size;
        (!same).then_some((value, computed))
    }
}

/// `2026-02` of the month's first day.
fn month_name(month: &Key) -> String {
    match month.as_slice() {
        [Some(day)] => day.chars().take(7).collect(),
        _ => "an unknown month".to_string(),
    }
}
