//! Trees: do their formulas name indicators, do they end, and are they identities?

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::declare::{Declared, MemberTree, item_of};
use super::identity::{constant, identical, not_zero};
use super::resolve::{Named, Resolver, Scope, Typed};
use super::{Checker, Failure};
use crate::catalog::Catalog;
use crate::catalog::IndicatorId;
use crate::catalog::expr::{Expression, Input, input_number};
use crate::catalog::tree::{Arithmetic, Breakdown, Identity, Operation, Tree};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Trees of all packages.
    pub(crate) fn check_trees(&mut self) {
        for declared in self.declared.trees.clone() {
            let nodes = std::iter::once(&declared.tree.root).chain(&declared.tree.branches);
            let breakdowns: Vec<Option<Breakdown>> = nodes
                .map(|node| {
                    let breakdown = self.breakdown(declared, node);
                    self.keep(breakdown)
                })
                .collect();
            let Some(breakdowns) = breakdowns.into_iter().collect::<Option<Vec<_>>>() else { continue };
            let item = item_of(declared.package, declared.item, &declared.tree.root.name, &declared.tree.root.labels);
            let unused = unused(&breakdowns);
            if let Some(unused) = unused {
                self.report(not_in_tree(&self.catalog, unused, &item.name));
            } else {
                self.catalog.to_mut().trees.push(Tree { item, breakdowns });
            }
        }
        self.refuse_circles();
    }

    fn breakdown(
        &mut self,
        declared: Declared<'a, &'a ast::Tree>,
        node: &'a ast::Indicator,
    ) -> Result<Breakdown, Failure> {
        let package = declared.package;
        let of = match self.member_named(package, &node.name.text)? {
            Some(Named::Indicator(id)) => id,
            // What is wrong with it was reported.
            None => return Err(Failure::Silent),
            Some(_) => {
                return Err(Diagnostic::new(
                    codes::BAD_TREE,
                    format!("`{}` is a dimension, and a tree breaks down indicators", node.name.text),
                )
                .at(node.name.span)
                .into());
            }
        };
        let span = node.definition.span;
        let typed = Resolver::new(self, Scope::formula(package, None), span).resolve(node.definition.sql.clone())?;
        self.require_unit(of, node, &typed)?;
        let parts = parts_of(&self.catalog, &typed.expression).map_err(|refused| refused.at(span))?;
        let formula = arithmetic(&typed.expression.expr).ok_or_else(|| {
            Diagnostic::new(codes::BAD_TREE, "a tree's formula is made of indicators, numbers, `+ - * /` and brackets")
                .at(span)
                .help("declare an indicator for the rest, and name that")
        })?;
        let root = Expression::input(Input::Indicator(of, vec![]));
        let own = self.is_own(package, node);
        let proven = own || identical(&self.catalog, &root, &typed.expression);
        let identity = if proven { Identity::Proven } else { Identity::ByData };
        let text = self.files.text(span).to_string();
        Ok(Breakdown { of, parts, formula, text, span, identity })
    }

    /// Whether the indicator is the one that the tree itself declares.
    fn is_own(&self, package: &str, node: &ast::Indicator) -> bool {
        let at = self.declared.member(package, &node.name.text);
        let tree = at.map(|at| self.declared.members[at].tree);
        matches!(tree, Some(MemberTree::Indicator(declared)) if std::ptr::eq(declared, node))
    }

    fn require_unit(&self, of: IndicatorId, node: &ast::Indicator, typed: &Typed) -> Result<(), Failure> {
        let span = node.definition.span;
        let derived = super::units::derive(&self.catalog, &typed.expression)
            .map_err(|problem| Diagnostic::new(codes::UNITS, problem).at(span))?;
        let root = self.catalog.indicator(of);
        match (derived, &root.unit) {
            (Some(derived), Some(unit)) if !derived.agrees_with(unit) => {
                let name = if derived.name.is_empty() { "a plain number" } else { &derived.name };
                Err(Diagnostic::new(
                    codes::UNITS,
                    format!("`{}` is in {}, but its tree gives {name}", node.name.text, unit.name),
                )
                .labelled(span, format!("this gives {name}"))
                .also(root.item.span, format!("this is in {}", unit.name))
                .into())
            }
            _ => Ok(()),
        }
    }

    /// A tree whose parts lead back to where they began has no end; it is reported and left out.
    fn refuse_circles(&mut self) {
        let trees = std::mem::take(&mut self.catalog.to_mut().trees);
        for tree in trees {
            self.catalog.to_mut().trees.push(tree);
            let last = self.catalog.trees.len() - 1;
            let circle = circle(&self.catalog, &self.catalog.trees[last]);
            if let Some((name, span)) = circle {
                self.catalog.to_mut().trees.pop();
                self.report(
                    Diagnostic::new(codes::CYCLE, format!("`{name}` breaks down into itself"))
                        .at(span)
                        .help("break the circle: no part of a tree may lead back to what it is a part of"),
                );
            }
        }
    }
}

/// What the definition of an indicator breaks it down into, if it is arithmetic on others and nothing more.
pub(crate) fn definition_as_breakdown(catalog: &Catalog, id: IndicatorId) -> Option<Breakdown> {
    let indicator = catalog.indicator(id);
    if !indicator.conditions.is_empty() || indicator.time.is_some() || indicator.within.is_some() {
        return None;
    }
    let parts = parts_of(catalog, &indicator.formula).ok()?;
    let formula = arithmetic(&indicator.formula.expr)?;
    let (text, span) = (indicator.definition_text.clone(), indicator.item.span);
    Some(Breakdown { of: id, parts, formula, text, span, identity: Identity::Proven })
}

/// The first breakdown of a branch that no formula of the tree leads to.
fn unused(breakdowns: &[Breakdown]) -> Option<&Breakdown> {
    let mut reached = vec![breakdowns[0].of];
    let mut at = 0;
    while at < reached.len() {
        let own = breakdowns.iter().filter(|breakdown| breakdown.of == reached[at]);
        let parts: Vec<IndicatorId> = own.flat_map(|breakdown| &breakdown.parts).copied().collect();
        reached.extend(parts.into_iter().filter(|part| !reached.contains(part)).collect::<Vec<_>>());
        at += 1;
    }
    breakdowns.iter().find(|breakdown| !reached.contains(&breakdown.of))
}

fn not_in_tree(catalog: &Catalog, unused: &Breakdown, root: &str) -> Diagnostic {
    let name = &catalog.indicator(unused.of).item.name;
    Diagnostic::new(codes::BAD_TREE, format!("`{name}` is no part of the tree of `{root}`"))
        .at(unused.span)
        .help("name it in a formula of this tree, or declare a tree of its own for it")
}

/// The name and place of an indicator through which a tree leads back to itself.
fn circle(catalog: &Catalog, tree: &Tree) -> Option<(String, crate::source::Span)> {
    let next = |id: IndicatorId| -> Vec<&Breakdown> {
        let of_tree = |tree: &'_ Tree| tree.breakdowns.iter().position(|breakdown| breakdown.of == id);
        let own = of_tree(tree).map(|at| &tree.breakdowns[at]);
        let others = catalog.trees.iter().filter_map(|tree| of_tree(tree).map(|at| &tree.breakdowns[at]));
        own.into_iter().chain(others).collect()
    };
    let (mut seen, mut open) = (Vec::new(), Vec::new());
    fn walk<'c>(
        id: IndicatorId,
        next: &impl Fn(IndicatorId) -> Vec<&'c Breakdown>,
        open: &mut Vec<IndicatorId>,
        seen: &mut Vec<IndicatorId>,
    ) -> Option<&'c Breakdown> {
        if seen.contains(&id) {
            return None;
        }
        open.push(id);
        for breakdown in next(id) {
            if breakdown.parts.iter().any(|part| open.contains(part)) {
                return Some(breakdown);
            }
            for part in &breakdown.parts {
                if let Some(found) = walk(*part, next, open, seen) {
                    return Some(found);
                }
            }
        }
        open.pop();
        seen.push(id);
        None
    }
    let found = walk(tree.root(), &next, &mut open, &mut seen)?;
    let part = found.parts.iter().find(|part| open.contains(part))?;
    Some((catalog.indicator(*part).item.name.clone(), found.span))
}

/// The indicators that a formula is made of.
fn parts_of(catalog: &Catalog, formula: &Expression) -> Result<Vec<IndicatorId>, Diagnostic> {
    let mut parts = Vec::new();
    for input in &formula.inputs {
        match input {
            Input::Indicator(id, filters) if filters.is_empty() => parts.push(*id),
            Input::Indicator(id, _) => {
                return Err(unnamed(&format!("`{} filter (…)`", catalog.indicator(*id).item.name)));
            }
            Input::At(_) => return Err(unnamed("`at (…)`")),
            _ => return Err(unnamed("an aggregate")),
        }
    }
    if parts.is_empty() {
        return Err(Diagnostic::new(codes::BAD_TREE, "a tree's formula names no indicator"));
    }
    Ok(parts)
}

fn unnamed(what: &str) -> Diagnostic {
    Diagnostic::new(codes::BAD_TREE, format!("every part of a tree is an indicator with a name, and {what} has none"))
        .help("declare an indicator for it, and name that")
}

/// Numbers and the four operations; `None` for anything else.
fn arithmetic(expr: &Expr) -> Option<Arithmetic> {
    if let Some(number) = constant(expr) {
        return Some(Arithmetic::Number(number));
    }
    match expr {
        Expr::Column(column) => input_number(column).map(Arithmetic::Part),
        Expr::Cast(cast) if !cast.field.data_type().is_integer() => arithmetic(&cast.expr),
        Expr::Negative(inner) => Some(Arithmetic::Negative(Box::new(arithmetic(inner)?))),
        // Division is written `a / nullif(b + 0, 0)`.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) if constant(right) == Some(0.0) => {
            arithmetic(left)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let operation = match op {
                Operator::Plus => Operation::Plus,
                Operator::Minus => Operation::Minus,
                Operator::Multiply => Operation::Times,
                Operator::Divide => Operation::Over,
                _ => return None,
            };
            Some(Arithmetic::Binary(Box::new(arithmetic(left)?), operation, Box::new(arithmetic(right)?)))
        }
        other => arithmetic(not_zero(other)?),
    }
}
