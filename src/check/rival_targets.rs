//! Targets that would contradict each other: two amounts for the same slice and periods, of which none is more special.

use chrono::NaiveDateTime;

use super::Checker;
use crate::catalog::DimensionId;
use crate::catalog::target::{Amounts, Slices, Split, SplitBy, Target};
use crate::diagnostic::{Diagnostic, codes};

/// What two targets are both for.
enum Shared {
    /// The same slices.
    All,
    Whole,
    /// Each slice of a dimension.
    Each(DimensionId),
    /// One slice of a dimension.
    One(DimensionId, String),
}

impl Checker<'_> {
    /// Reports each target that contradicts an earlier one.
    pub(super) fn refuse_rivals(&mut self) {
        let targets = &self.catalog.targets;
        let earlier = targets.iter().enumerate().flat_map(|(at, target)| {
            let rival = |other: &&Target| other.of == target.of && are_of_one_time(target, other);
            targets[..at].iter().filter(rival).map(move |other| (other, target))
        });
        let found = earlier.filter_map(|(first, again)| Some(self.rivals(first, again, &self.shared(first, again)?)));
        let found: Vec<Diagnostic> = found.collect();
        found.into_iter().for_each(|diagnostic| self.report(diagnostic));
    }

    fn shared(&self, first: &Target, again: &Target) -> Option<Shared> {
        if is_stated(first) != is_stated(again) {
            return None;
        }
        if are_the_same(&first.slices, &again.slices) {
            return Some(Shared::All);
        }
        if let Some(shared) = parted(first, &again.slices).or_else(|| parted(again, &first.slices)) {
            return Some(shared);
        }
        let whole = |target: &&Target| is_stated(target) && target.slices == Slices::Whole;
        match (&first.slices, &again.slices) {
            (Slices::Each(_), Slices::Each(_)) => {
                let mut others = self.catalog.targets_of(first.of).filter(whole);
                let decided = others.any(|other| are_of_one_time(first, other) && are_of_one_time(again, other));
                (!decided).then_some(Shared::Whole)
            }
            _ => None,
        }
    }

    fn rivals(&self, first: &Target, again: &Target, shared: &Shared) -> Diagnostic {
        let name = |id: DimensionId| self.catalog.dimension(id).item.name.as_str();
        let (of, help) = match shared {
            Shared::All => {
                (String::new(), "keep one; what changes on a date is `revised 2026-06-15 { … }`".to_string())
            }
            Shared::Whole => (
                ", both for the whole, too".to_string(),
                "say what the whole should reach in a target without `for each`".to_string(),
            ),
            Shared::Each(by) => (
                format!(" and each `{}`", name(*by)),
                "keep the split or `for each`: both give each slice an amount".to_string(),
            ),
            Shared::One(by, value) => (
                format!(" and `{} = '{value}'`", name(*by)),
                format!("change the part that the split gives `{value}`, or leave it to `others` there"),
            ),
        };
        let name = &self.catalog.indicator(again.of).item.name;
        Diagnostic::new(codes::BAD_TARGET, format!("`{name}` has two targets for the same periods{of}"))
            .labelled(again.item.span, "again here")
            .also(first.item.span, "first here")
            .help(help)
    }
}

fn is_stated(target: &Target) -> bool {
    matches!(target.amounts, Amounts::Stated(_))
}

/// Whether two targets stand for some of the same periods.
fn are_of_one_time(a: &Target, b: &Target) -> bool {
    let before = |to: Option<NaiveDateTime>, from: Option<NaiveDateTime>| matches!((to, from), (Some(to), Some(from)) if to <= from);
    a.every == b.every && !before(a.to, b.from) && !before(b.to, a.from)
}

/// Whether slices are the same, in whatever order their dimensions are named.
fn are_the_same(some: &Slices, others: &Slices) -> bool {
    match (some, others) {
        (Slices::Each(a), Slices::Each(b)) => a.len() == b.len() && a.iter().all(|by| b.contains(by)),
        (Slices::These(a), Slices::These(b)) => a.len() == b.len() && a.iter().all(|one| b.contains(one)),
        _ => some == others,
    }
}

/// What a target that is split and one for slices are both for.
fn parted(split: &Target, slices: &Slices) -> Option<Shared> {
    let Amounts::Stated(statements) = &split.amounts else { return None };
    // One for a single slice has no parts.
    if matches!(split.slices, Slices::These(_)) {
        return None;
    }
    let mut splits = statements.iter().filter_map(|statement| statement.split.as_ref());
    match slices {
        Slices::Each(each) => {
            let [by] = each.as_slice() else { return None };
            splits.any(|split| split.by == *by).then_some(Shared::Each(*by))
        }
        Slices::These(these) => {
            let [(by, value)] = these.as_slice() else { return None };
            splits.any(|split| split.by == *by && has_part(split, value)).then(|| Shared::One(*by, value.clone()))
        }
        Slices::Whole => None,
    }
}

/// Whether a split gives a value an amount.
fn has_part(split: &Split, value: &str) -> bool {
    match &split.how {
        SplitBy::LastYear(_) => true,
        SplitBy::Shares { parts, .. } => parts.iter().any(|(known, _)| known == value),
    }
}
