//! Scenarios: are their indicators there?

use super::declare::{Declared, item_of};
use super::{Checker, Failure};
use crate::catalog::scenario::{Scenario, Telling};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::ast::Text;
use crate::syntax::goals;

impl<'a> Checker<'a> {
    /// Scenarios of all packages.
    pub(crate) fn check_scenarios(&mut self) {
        for declared in self.declared.scenarios.clone() {
            let scenario = self.scenario(declared);
            if let Some(scenario) = self.keep(scenario) {
                self.catalog.to_mut().scenarios.push(scenario);
            }
        }
    }

    fn scenario(&mut self, declared: Declared<'a, &'a goals::Scenario>) -> Result<Scenario, Failure> {
        let tree = declared.tree;
        let mut item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let mut indicators = Vec::new();
        for (telling, path) in &tree.indicators {
            let telling = match telling {
                goals::Telling::Something => Telling::Something,
                goals::Telling::Result => Telling::Result,
                goals::Telling::Efficiency => Telling::Efficiency,
            };
            let id = self.indicator_at(declared.package, path)?;
            match indicators.iter_mut().find(|(known, _)| *known == id) {
                None => indicators.push((id, telling)),
                // `indicators` lists them all, the other clauses say more of some.
                Some((_, said @ Telling::Something)) if telling != Telling::Something => *said = telling,
                Some((_, said)) if *said != telling && telling == Telling::Something => {}
                Some(_) => {
                    let name = self.files.text(path.span);
                    return Err(Diagnostic::new(codes::TWICE, format!("`{name}` is given twice"))
                        .at(path.span)
                        .help("keep one of them")
                        .into());
                }
            }
        }
        let texts = |texts: &[Text]| texts.iter().map(|text| text.text.clone()).collect();
        Ok(Scenario {
            item,
            goals: texts(&tree.goals),
            pains: texts(&tree.pains),
            processes: texts(&tree.processes),
            indicators,
        })
    }
}
