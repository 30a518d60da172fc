//! Views and hierarchies: do their members exist?

use super::declare::item_of;
use super::resolve::Named;
use super::{Checker, Failure};
use crate::catalog::calendar::TimePart;
use crate::catalog::{DimensionId, Hierarchy, IndicatorId, View};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::syntax::ast::Path;

impl Checker<'_> {
    /// Views and hierarchies of all packages.
    pub(crate) fn check_views(&mut self) {
        for declared in self.declared.views.clone() {
            let tree = declared.tree;
            let indicators = tree.indicators.iter().map(|path| self.indicator_at(declared.package, path)).collect();
            let dimensions = tree.dimensions.iter().map(|path| self.dimension_at(declared.package, path)).collect();
            if let (Some(indicators), Some(dimensions)) = (self.all(indicators), self.all(dimensions)) {
                let item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
                self.catalog.to_mut().views.push(View { item, indicators, dimensions });
            }
        }
        for declared in self.declared.hierarchies.clone() {
            let tree = declared.tree;
            let levels = tree.levels.iter().map(|path| self.dimension_at(declared.package, path)).collect();
            if let Some(levels) = self.all(levels) {
                let item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
                self.catalog.to_mut().hierarchies.push(Hierarchy { item, levels });
            }
        }
    }

    /// All values, or a report of each that is missing.
    fn all<T>(&mut self, results: Vec<Result<T, Failure>>) -> Option<Vec<T>> {
        let kept: Vec<Option<T>> = results.into_iter().map(|result| self.keep(result)).collect();
        kept.into_iter().collect()
    }

    fn named_at(&mut self, package: &str, path: &Path) -> Result<Option<Named>, Failure> {
        match path.parts.as_slice() {
            [name] => self.member_named(package, &name.text),
            [package, name] => self.member_named(&package.text, &name.text),
            _ => Ok(None),
        }
    }

    pub(crate) fn dimension_at(&mut self, package: &str, path: &Path) -> Result<DimensionId, Failure> {
        match self.named_at(package, path)? {
            Some(Named::Dimension(id, TimePart::Whole)) => Ok(id),
            _ => Err(self.unknown_dimension(package, path)),
        }
    }

    pub(crate) fn indicator_at(&mut self, package: &str, path: &Path) -> Result<IndicatorId, Failure> {
        if let Some(Named::Indicator(id)) = self.named_at(package, path)? {
            return Ok(id);
        }
        let written: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
        if self.declared.is_broken(package, &written) {
            return Err(Failure::Silent);
        }
        let text = written.join(".");
        let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no indicator `{text}`")).at(path.span);
        Err(match nearest(&text, self.declared.member_names(package)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None => diagnostic.into(),
        })
    }
}
