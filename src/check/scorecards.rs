//! Scorecards: do their weights add up, can their indicators have scores?

use super::declare::{Declared, item_of};
use super::goals::period;
use super::{Checker, Failure};
use crate::catalog::IndicatorId;
use crate::catalog::target::{Perspective, ScoreRule, Scorecard};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{Name, Path};
use crate::syntax::goals;

impl<'a> Checker<'a> {
    /// Scorecards of all packages.
    pub(crate) fn check_scorecards(&mut self) {
        for declared in self.declared.scorecards.clone() {
            let scorecard = self.scorecard(declared);
            let Some(scorecard) = self.keep(scorecard) else { continue };
            self.warn_of_missing_targets(declared.tree, &scorecard);
            self.catalog.to_mut().scorecards.push(scorecard);
        }
    }

    fn scorecard(&mut self, declared: Declared<'a, &'a goals::Scorecard>) -> Result<Scorecard, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let mut versions = Vec::new();
        if !tree.perspectives.is_empty() || tree.revisions.is_empty() {
            versions.push((None, self.perspectives(package, &tree.perspectives, tree.name.span)?));
        }
        for (date, perspectives) in &tree.revisions {
            let from = period(date)?.0;
            if versions.last().is_some_and(|(last, _)| *last >= Some(from)) {
                return Err(Diagnostic::new(codes::BAD_SCORECARD, "revisions stand in the order of their dates")
                    .at(date.span)
                    .into());
            }
            versions.push((Some(from), self.perspectives(package, perspectives, date.span)?));
        }
        let bands = self.bands_or_package(package, tree.bands.as_ref())?;
        Ok(Scorecard { item, rule: rule_of(tree.rule.as_ref())?, versions, bands })
    }

    fn perspectives(
        &mut self,
        package: &str,
        trees: &[goals::Perspective],
        span: Span,
    ) -> Result<Vec<Perspective>, Failure> {
        let mut found: Vec<Perspective> = Vec::new();
        for tree in trees {
            if found.iter().any(|known| known.name == tree.name.text) {
                let message = format!("perspective `{}` is given twice", tree.name.text);
                return Err(Diagnostic::new(codes::TWICE, message).at(tree.name.span).into());
            }
            let mut children: Vec<(IndicatorId, f64)> = Vec::new();
            for (path, weight) in &tree.children {
                let id = self.indicator_at(package, path)?;
                if children.iter().any(|(known, _)| *known == id) {
                    return Err(Diagnostic::new(codes::TWICE, "an indicator is given twice").at(path.span).into());
                }
                children.push((id, *weight));
            }
            let weights: Vec<f64> = children.iter().map(|(_, weight)| *weight).collect();
            require_whole(&weights, &format!("the weights in `{}`", tree.name.text), tree.span)?;
            found.push(Perspective {
                name: tree.name.text.clone(),
                label: tree.label.as_ref().map(|label| label.text.clone()),
                weight: tree.weight,
                rule: rule_of(tree.rule.as_ref())?,
                children,
            });
        }
        let weights: Vec<f64> = found.iter().map(|perspective| perspective.weight).collect();
        require_whole(&weights, "the weights of the perspectives", span)?;
        Ok(found)
    }

    fn warn_of_missing_targets(&mut self, tree: &goals::Scorecard, scorecard: &Scorecard) {
        let paths = |perspectives: &'_ [goals::Perspective]| -> Vec<Path> {
            perspectives.iter().flat_map(|it| it.children.iter().map(|(path, _)| path.clone())).collect()
        };
        let revised = tree.revisions.iter().flat_map(|(_, perspectives)| paths(perspectives));
        let written = paths(&tree.perspectives).into_iter().chain(revised);
        let ids = scorecard.versions.iter().flat_map(|(_, all)| all.iter().flat_map(|it| it.children.iter()));
        let missing: Vec<(Span, bool)> = written
            .zip(ids)
            .filter(|(_, (id, _))| !self.catalog.targets_of(*id).any(|target| target.is_of_slices_by(&[])))
            .map(|(path, (id, _))| (path.span, self.catalog.targets_of(*id).next().is_some()))
            .collect();
        for (span, has_some) in missing {
            let name = self.files.text(span).to_string();
            let (message, help) = match has_some {
                true => (
                    format!("`{name}` has targets of slices only, so it has no score of the whole"),
                    "declare one for the whole, without `for`".to_string(),
                ),
                false => {
                    (format!("`{name}` has no target, so it has no score"), format!("declare `target {name} {{ … }}`"))
                }
            };
            self.report(Diagnostic::new(codes::SCORE_WITHOUT_TARGET, message).at(span).help(help));
        }
    }
}

fn require_whole(weights: &[f64], what: &str, span: Span) -> Result<(), Failure> {
    let bad = |message: String| Err(Diagnostic::new(codes::BAD_SCORECARD, message).at(span).into());
    if weights.iter().any(|weight| *weight < 0.0) {
        return bad(format!("{what} are not all above 0"));
    }
    let sum: f64 = weights.iter().sum();
    if (sum - 1.0).abs() <= 1e-9 {
        return Ok(());
    }
    let percent = (sum * 1e10).round() / 1e8;
    bad(format!("{what} add up to {percent} %, not to 100 %"))
}

fn rule_of(written: Option<&Name>) -> Result<ScoreRule, Failure> {
    let Some(written) = written else { return Ok(ScoreRule::Weighted) };
    let wanted = written.text.to_lowercase();
    ScoreRule::ALL.into_iter().find(|rule| rule.name() == wanted).ok_or_else(|| {
        Diagnostic::new(codes::BAD_VALUE, format!("`{}` is no way to make one score of several", written.text))
            .at(written.span)
            .help("write `score weighted`, `score worst` or `score geometric`")
            .into()
    })
}
