//! Rollups: can what their indicators are made of be stored, by what, and where?

use super::declare::{Declared, item_of};
use super::folders::{clash, written_to};
use super::publications::column;
use super::{Checker, Failure};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::rollup::Rollup;
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{IndicatorId, SourceId};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::Text;
use crate::syntax::outputs;

impl<'a> Checker<'a> {
    /// Rollups of all packages.
    pub(crate) fn check_rollups(&mut self) {
        let mut places: Vec<&'a Text> =
            self.declared.publications.iter().filter_map(|it| it.tree.to.as_ref()).collect();
        for declared in self.declared.rollups.clone() {
            let rollup = self.rollup(declared);
            let Some(rollup) = self.keep(rollup) else { continue };
            let Some(to) = &declared.tree.to else { continue };
            match places.iter().find_map(|place| Some((place, clash(&place.text, &to.text)?))) {
                Some((first, how)) => self.report(
                    bad(format!("this rollup and another item {how}"), to.span)
                        .also(first.span, "the first")
                        .help("give each a folder of its own"),
                ),
                None => {
                    places.push(to);
                    self.catalog.to_mut().rollups.push(rollup);
                }
            }
        }
    }

    fn rollup(&mut self, declared: Declared<'a, &'a outputs::Rollup>) -> Result<Rollup, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        if tree.indicators.is_empty() {
            return Err(bad(format!("rollup `{}` stores nothing", item.name), tree.name.span)
                .help("write `indicators gmv, buyers`")
                .into());
        }
        let to = written_to(&tree.to, || {
            bad(format!("rollup `{}` does not say where it is stored", item.name), tree.name.span)
                .help("write `to 'rollups/sales_daily/'`: a folder of its own, or the URL of one")
        })?;
        let mut columns: Vec<(String, Span)> = Vec::new();
        let by = self.keys_of_output(package, &tree.by, &mut columns)?;
        let mut indicators = Vec::new();
        for path in &tree.indicators {
            column(&mut columns, path)?;
            let id = self.indicator_at(package, path)?;
            self.require_reached(id, path, &by, &[])?;
            indicators.push(id);
        }
        let mut approximate = Vec::new();
        for path in &tree.approximate {
            let id = self.indicator_at(package, path)?;
            if !indicators.contains(&id) {
                return Err(bad("only an indicator of the rollup can be approximate in it", path.span)
                    .help("name it under `indicators`, too")
                    .into());
            }
            approximate.push(id);
        }
        let tolerance = match &tree.tolerance {
            Some(tolerance) => Some(self.length_of(package, tolerance)?),
            None => None,
        };
        let sources = self.measured_by(&indicators);
        let to = to.text.clone();
        Ok(Rollup { item, indicators, by, approximate, tolerance, to, sources, tables: vec![] })
    }

    /// The sources that indicators measure.
    fn measured_by(&self, indicators: &[IndicatorId]) -> Vec<SourceId> {
        let mut sources = Vec::new();
        for id in indicators {
            let asked = Expression::input(Input::Indicator(*id, vec![]));
            for_each_measure(&self.catalog, &asked, &Around::default(), &mut |measure, _| {
                if !sources.contains(&measure.source) {
                    sources.push(measure.source);
                }
            });
        }
        sources
    }
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_ROLLUP, message).at(span)
}
