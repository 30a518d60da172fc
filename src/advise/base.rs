//! The rollup that a question alone would want: its keys, and the coarsest periods that the planner can answer it from.

use datafusion::common::Result;

use super::ask::{Planned, Viewers};
use super::candidate::{Candidate, supposed};
use super::log::Case;
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::dimension::Dimension;
use crate::catalog::expr::Input;
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::Diagnostic;
use crate::error::Error;

/// What is found for a question.
pub(super) struct Base {
    /// What answers most of its parts; none if nothing answers any.
    pub(super) candidate: Option<Candidate>,
    /// Why its other parts cannot be answered.
    pub(super) reasons: Vec<String>,
}

/// The rollup for a question, found by trying: which cells answer it is for the planner to say.
pub(super) async fn base(catalog: &Catalog, viewers: &Viewers<'_>, case: &Case, now: &Planned) -> Result<Base, Error> {
    let mut reasons: Vec<String> = Vec::new();
    let mut tell = |reason: String| {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    };
    let source = |at: usize| catalog.source(now.sought[at].source).item.name.as_str();
    for (at, sought) in now.sought.iter().enumerate() {
        if let Some(never) = &sought.never {
            tell(format!("{}: {never}", source(at)));
        }
    }
    let indicators = each(now.sought.iter().flat_map(|sought| sought.indicators.clone()));
    let keys = each(now.sought.iter().flat_map(|sought| &sought.keys).map(|key| as_dimension(catalog, key)));
    let filters = each(now.sought.iter().flat_map(|sought| &sought.filters).map(|key| as_dimension(catalog, key)));
    let storable = storable(catalog, &indicators, &keys);
    storable.iter().filter_map(|it| it.as_ref().err()).for_each(|reason| tell(reason.clone()));
    let storable: Vec<IndicatorId> = storable.into_iter().flatten().collect();
    let Some(package) = storable.first().map(|id| catalog.indicator(*id).item.package.clone()) else {
        return Ok(Base { candidate: None, reasons });
    };
    let mut variants: Vec<Candidate> = Vec::new();
    for more in [&[][..], &filters] {
        for grain in std::iter::once(None).chain(grains()) {
            let keys = each(keys.iter().chain(more).cloned());
            let mut variant = Candidate { package: package.clone(), indicators: storable.clone(), grain, keys };
            variant.put_in_order();
            if !variants.contains(&variant) {
                variants.push(variant);
            }
        }
    }
    let (best, missed) = best_of(catalog, viewers, case, variants).await?;
    missed.into_iter().for_each(tell);
    Ok(Base { candidate: best, reasons })
}

/// The dimension that a column is, where there is one: its name is what people know.
fn as_dimension(catalog: &Catalog, input: &Input) -> Input {
    let is_it = |dimension: &Dimension| dimension.definitions.iter().any(|it| it.as_input() == Some(input));
    match (input, catalog.declared_dimensions().find(|(_, dimension)| is_it(dimension))) {
        (Input::Column(_), Some((id, _))) => Input::Dimension(id, TimePart::Whole),
        _ => input.clone(),
    }
}

/// Coarse periods first, down to seconds.
fn grains() -> impl Iterator<Item = Option<Grain>> {
    Grain::ALL.iter().rev().copied().filter(|grain| *grain >= Grain::Second).map(Some)
}

/// Each once, in order.
fn each<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Which indicators can be stored by these keys, or why not.
fn storable(catalog: &Catalog, indicators: &[IndicatorId], keys: &[Input]) -> Vec<Result<IndicatorId, String>> {
    let storable = |id: &IndicatorId| {
        let item = &catalog.indicator(*id).item;
        let alone =
            Candidate { package: item.package.clone(), indicators: vec![*id], grain: None, keys: keys.to_vec() };
        if alone.by(catalog).len() < keys.len() {
            return Err(format!("`{}` is asked by what no rollup has a name for", item.name));
        }
        match alone.cells(catalog) {
            Ok(_) => Ok(*id),
            Err(error) => Err(format!("`{}`: {}", item.name, reason_of(error.into()))),
        }
    };
    indicators.iter().map(storable).collect()
}

/// What the planner says of a rollup that cannot be stored, without the rollup's name, which nobody has given.
fn reason_of(error: Error) -> String {
    let text = |found: &Diagnostic| found.message.trim_start_matches("rollup `it` cannot be stored: ").to_string();
    match &error {
        Error::Diagnostics(found) => found.first().map(text).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// The variant that answers most parts, the first of several; and why the rest is not answered.
async fn best_of(
    catalog: &Catalog,
    viewers: &Viewers<'_>,
    case: &Case,
    variants: Vec<Candidate>,
) -> Result<(Option<Candidate>, Vec<String>), Error> {
    let mut all = Vec::new();
    for (at, variant) in variants.iter().enumerate() {
        // Periods that are too fine for the time of the rows cannot be stored.
        let Ok(cells) = variant.cells(catalog) else { continue };
        all.push(supposed(variant.rollup(catalog, &format!("${at}")), &cells, |_| at as u64));
    }
    if let Some(policed) = all.iter().find(|rollup| !viewers.may_answer(case, rollup)) {
        let of = policed.sources.iter().map(|id| format!("`{}`", catalog.source(*id).item.name));
        let of = of.collect::<Vec<_>>().join(", ");
        let reason = format!(
            "a policy narrows what these roles see of {of} or of what it joins to; rollups are made of all rows"
        );
        return Ok((None, vec![reason]));
    }
    let planned = viewers.plan(case, &all).await?;
    let answered =
        |name: &String| planned.sought.iter().filter(|it| it.fits.iter().any(|(fit, _)| fit == name)).count();
    let names: Vec<String> = all.iter().map(|rollup| rollup.qualified()).collect();
    let most = names.iter().map(answered).max().unwrap_or(0);
    let first = names.iter().find(|name| answered(name) == most);
    let mut missed = Vec::new();
    for sought in planned.sought.iter().filter(|it| it.never.is_none()) {
        let of_first = sought.missed.iter().find(|(name, _)| Some(name) == first);
        let source = &catalog.source(sought.source).item.name;
        missed.extend(of_first.iter().map(|(_, reasons)| format!("{source}: {}", reasons.join("; "))));
    }
    let number = first.filter(|_| most > 0).and_then(|name| name.rsplit_once(".$")?.1.parse::<usize>().ok());
    Ok((number.and_then(|at| variants.get(at).cloned()), missed))
}
