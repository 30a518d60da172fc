//! Expectations: of which rows or values is something expected, and can it be counted?

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::{Visit, Visitor};

use super::contexts::is_per;
use super::declare::{Declared, item_of};
use super::resolve::{Named, Resolver, Scope};
use super::{Checker, Failure};
use crate::catalog::expectation::{EveryRow, EveryValue, Expectation, Fresh, Severity, Subject};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::{IndicatorId, SourceId};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{Expr as Tree, From, Labels};
use crate::syntax::outputs::{self, Expected, Holds};

impl<'a> Checker<'a> {
    /// Expectations of all packages.
    pub(crate) fn check_expectations(&mut self) {
        for declared in self.declared.expectations.clone() {
            let expectation = self.expectation(declared);
            if let Some(expectation) = self.keep(expectation) {
                self.catalog.to_mut().expectations.push(expectation);
            }
        }
    }

    fn expectation(&mut self, declared: Declared<'a, &'a outputs::Expectation>) -> Result<Expectation, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let mut item = item_of(package, declared.item, &tree.said, &Labels::default());
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let severity = severity(tree)?;
        let because = tree.because.as_ref().map(|because| because.text.clone());
        let subject = match &tree.expected {
            Expected::Fresh { source, within } => {
                let place = source.span;
                let source = self.joined_source(package, source)?;
                self.require_age(source, place)?;
                Subject::Fresh(Fresh { source, within: self.length_of(package, within)? })
            }
            Expected::Holds(holds) if self.is_of_values(package, holds)? => {
                Subject::Values(self.every_value(package, holds)?)
            }
            Expected::Holds(holds) => Subject::Rows(self.every_row(package, holds)?),
        };
        Ok(Expectation { item, subject, severity, because })
    }

    /// Refuses a source of which nothing tells how new it is.
    fn require_age(&self, source: SourceId, place: Span) -> Result<(), Failure> {
        let known = self.catalog.source(source);
        let tree = self.declared.sources.iter().find(|declared| declared.tree.name.span == known.item.span);
        let of_files = tree.is_some_and(|declared| matches!(declared.tree.from, Some(From::Files { .. })));
        match known.time.is_some() || of_files {
            true => Ok(()),
            false => Err(bad(format!("nothing tells how new `{}` is", known.item.name), place)
                .help("give it a `time`")
                .into()),
        }
    }

    /// Whether a condition is one on values: it says so, or an indicator or an aggregate stands in it (`per` aside, which
    /// a row has).
    fn is_of_values(&mut self, package: &str, holds: &Holds) -> Result<bool, Failure> {
        if holds.every.is_some() || !holds.by.is_empty() {
            return Ok(true);
        }
        let mut names = Names::default();
        let _ = holds.condition.sql.visit(&mut names);
        if names.calls.iter().any(|name| self.functions.aggregate(name).is_some()) {
            return Ok(true);
        }
        let columns = match self.named_sources(package, &holds.condition.sql).as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        for (package, name) in names.members(package) {
            let column = columns.is_some_and(|source| self.catalog.source(source).column(name).is_some());
            if !column && let Some(Named::Indicator(_)) = self.member_named(package, name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn every_row(&mut self, package: &str, holds: &Holds) -> Result<EveryRow, Failure> {
        let span = holds.condition.span;
        let source = match self.named_sources(package, &holds.condition.sql).as_slice() {
            [only] => *only,
            [] => {
                // What is wrong with a name is said before that no source is named.
                self.resolve_condition(&holds.condition, Scope::rows(package, None))?;
                return Err(bad("the rows of which source are meant is not said", span)
                    .help("name a column by its source: `orders.amount >= 0`, `orders.store.region is not null`")
                    .into());
            }
            several => {
                let names: Vec<&str> = several.iter().map(|id| self.catalog.source(*id).item.name.as_str()).collect();
                let message = format!("a row is of one source, and this names {}", names.join(" and "));
                return Err(bad(message, span)
                    .help("go from one to the other along a join: `orders.customer.country`")
                    .into());
            }
        };
        let conditions = holds.conditions.iter().map(|it| self.row_condition(package, source, it));
        let conditions = conditions.collect::<Result<_, _>>()?;
        Ok(EveryRow { source, holds: self.row_condition(package, source, &holds.condition)?, conditions })
    }

    /// A condition that every row of a source answers once.
    fn row_condition(&mut self, package: &str, source: SourceId, tree: &Tree) -> Result<Expression, Failure> {
        let condition = self.resolve_condition(tree, Scope::rows(package, Some(source)))?;
        let standpoint = Standpoint { source, axis: self.catalog.source(source).time.as_ref() };
        match flatten(&self.catalog, standpoint, &condition) {
            Ok(flat) if flat.fans_out() => Err(bad("one row meets several rows here", tree.span)
                .help("expect it of the rows that join to it: `items.quantity > 0`, not `orders.items.quantity > 0`")
                .into()),
            Ok(_) => Ok(condition),
            Err(problem) => Err(super::unreachable(&self.catalog, source, &problem).at(tree.span).into()),
        }
    }

    fn every_value(&mut self, package: &str, holds: &Holds) -> Result<EveryValue, Failure> {
        let span = holds.condition.span;
        let test = Resolver::new(self, Scope::formula(package, None), span).resolve(holds.condition.sql.clone())?;
        if test.data_type != DataType::Boolean {
            let message = format!("a condition is true or false, this is {}", test.data_type);
            return Err(Diagnostic::new(codes::NOT_BOOLEAN, message).at(span).help("compare it with something").into());
        }
        let (mut of, mut sources) = (Vec::new(), Vec::new());
        named_by(&test.expression, &mut of, &mut sources);
        if of.is_empty() && sources.is_empty() {
            return Err(bad("the condition names no indicator and no column", span)
                .help("write such as `gmv >= 0 every day`")
                .into());
        }
        let mut by = Vec::new();
        if let Some(word) = &holds.every {
            let Some(part) = self.bare_grain(&word.text) else {
                return Err(bad(format!("`{}` is no grain of time", word.text), word.span)
                    .help("write `every day`, `every month`")
                    .into());
            };
            by.push((word.text.clone(), Input::MetricTime(part)));
        }
        let mut columns = by.iter().map(|(name, _)| (name.clone(), span)).collect();
        by.extend(self.keys_of_output(package, &holds.by, &mut columns)?);
        let conditions = holds.conditions.iter();
        let conditions: Vec<Expression> =
            conditions.map(|it| self.resolve_condition(it, Scope::rows(package, None))).collect::<Result<_, _>>()?;
        self.require_formula_reached(&test.expression, span, &by, &conditions)?;
        Ok(EveryValue { holds: test.expression, of, sources, by, conditions })
    }
}

/// The names of an expression, as far as they do not stand in a `per`.
#[derive(Default)]
struct Names {
    inside: usize,
    calls: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Names {
    /// The names that may be members, each with the package that it would be of.
    fn members<'n>(&'n self, package: &'n str) -> impl Iterator<Item = (&'n str, &'n str)> {
        self.paths.iter().filter_map(move |path| match path.as_slice() {
            [name] => Some((package, name.as_str())),
            [package, name] => Some((package.as_str(), name.as_str())),
            _ => None,
        })
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &sql::Expr) -> ControlFlow<()> {
        match expr {
            sql::Expr::Function(call) if is_per(call) => self.inside += 1,
            sql::Expr::Function(call) if self.inside == 0 => self.calls.push(call.name.to_string()),
            sql::Expr::Identifier(name) if self.inside == 0 => self.paths.push(vec![name.value.clone()]),
            sql::Expr::CompoundIdentifier(parts) if self.inside == 0 => {
                self.paths.push(parts.iter().map(|part| part.value.clone()).collect());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &sql::Expr) -> ControlFlow<()> {
        if matches!(expr, sql::Expr::Function(call) if is_per(call)) {
            self.inside -= 1;
        }
        ControlFlow::Continue(())
    }
}

/// The indicators that a formula names, and the sources that it aggregates itself.
fn named_by(formula: &Expression, of: &mut Vec<IndicatorId>, sources: &mut Vec<SourceId>) {
    for input in &formula.inputs {
        match input {
            Input::Indicator(id, _) if !of.contains(id) => of.push(*id),
            Input::Measure(measure) if !sources.contains(&measure.source) => sources.push(measure.source),
            Input::At(at) => named_by(&at.operand, of, sources),
            Input::Fold(fold) => named_by(&fold.aggregate, of, sources),
            _ => {}
        }
    }
}

fn severity(tree: &outputs::Expectation) -> Result<Severity, Failure> {
    let Some(word) = &tree.severity else { return Ok(Severity::Stop) };
    let wanted = word.text.to_lowercase();
    Severity::ALL.into_iter().find(|severity| severity.name() == wanted).ok_or_else(|| {
        bad(format!("`{}` is no severity of an expectation", word.text), word.span)
            .help("write `stop` (what depends on it is not published) or `warn`")
            .into()
    })
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_EXPECTATION, message).at(span)
}
