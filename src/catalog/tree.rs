//! Trees of indicators (指标树): how a number breaks down into others, level by level.

use super::{Catalog, IndicatorId, Item};
use crate::source::Span;

/// A `tree`: a root and what it, and parts of it, break down into.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Name (the root's) and labels.
    pub item: Item,
    /// The root's breakdown, then those of its branches, as they were declared.
    pub breakdowns: Vec<Breakdown>,
}

/// One indicator as arithmetic on others.
#[derive(Debug, Clone)]
pub struct Breakdown {
    /// What is broken down.
    pub of: IndicatorId,
    /// What it breaks down into, each once, in the order of the formula.
    pub parts: Vec<IndicatorId>,
    /// How the parts make it.
    pub formula: Arithmetic,
    /// The formula as written.
    pub text: String,
    /// Where it is written.
    pub span: Span,
    /// How it is known that the formula is the indicator.
    pub identity: Identity,
}

/// How it is known that a breakdown is what it breaks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It follows from the definitions, wherever all parts have a value.
    Proven,
    /// Only the data can tell: `check --data` does, and so does every answer that uses it.
    ByData,
}

/// A formula of numbers and parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Arithmetic {
    /// The value of a part, by its position in [`Breakdown::parts`].
    Part(usize),
    /// A constant.
    Number(f64),
    /// The other sign.
    Negative(Box<Arithmetic>),
    /// Two formulas and what is done with them.
    Binary(Box<Arithmetic>, Operation, Box<Arithmetic>),
}

/// The four operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation {
    Plus,
    Minus,
    Times,
    Over,
}

/// A place in a tree that is laid out whole: an indicator may stand in several.
#[derive(Debug, Clone)]
pub struct Node<'c> {
    /// Which indicator.
    pub indicator: IndicatorId,
    /// What it breaks down into, if anything.
    pub breakdown: Option<&'c Breakdown>,
    /// The nodes of its parts, by position among all nodes.
    pub parts: Vec<usize>,
    /// The node that it is a part of.
    pub parent: Option<usize>,
    /// 0 for the root.
    pub level: usize,
}

impl Tree {
    /// The indicator at its root.
    pub fn root(&self) -> IndicatorId {
        self.breakdowns[0].of
    }

    fn breakdown(&self, id: IndicatorId) -> Option<&Breakdown> {
        self.breakdowns.iter().find(|breakdown| breakdown.of == id)
    }
}

impl Catalog {
    /// The tree that an indicator is the root of, else the first one in which it breaks down further.
    pub fn tree_of(&self, id: IndicatorId) -> Option<&Tree> {
        let root = self.trees.iter().find(|tree| tree.root() == id);
        root.or_else(|| self.trees.iter().find(|tree| tree.breakdown(id).is_some()))
    }

    /// An indicator with all that it breaks down into, each node before its parts. Where a tree ends in the root of
    /// another, that one goes on.
    pub fn nodes_below(&self, id: IndicatorId) -> Vec<Node<'_>> {
        let mut nodes = Vec::new();
        let trees: Vec<&Tree> = self.tree_of(id).into_iter().collect();
        self.add_node(&mut nodes, id, None, &trees);
        nodes
    }

    fn add_node<'c>(
        &'c self,
        nodes: &mut Vec<Node<'c>>,
        id: IndicatorId,
        parent: Option<usize>,
        trees: &[&'c Tree],
    ) -> usize {
        let known = trees.iter().rev().find_map(|tree| tree.breakdown(id));
        let mut trees = trees.to_vec();
        let breakdown = known.or_else(|| {
            let further = self.trees.iter().find(|tree| tree.root() == id)?;
            trees.push(further);
            further.breakdown(id)
        });
        // Of declared trees none leads back to itself; a definition that stands in for one may: it is cut there.
        let above = std::iter::successors(parent, |at| nodes[*at].parent).map(|at| nodes[at].indicator);
        let above: Vec<IndicatorId> = above.collect();
        let breakdown = breakdown.filter(|breakdown| !above.iter().any(|id| breakdown.parts.contains(id)));
        let level = parent.map_or(0, |parent: usize| nodes[parent].level + 1);
        let at = nodes.len();
        nodes.push(Node { indicator: id, breakdown, parts: vec![], parent, level });
        for part in breakdown.into_iter().flat_map(|breakdown| &breakdown.parts) {
            let part = self.add_node(nodes, *part, Some(at), &trees);
            nodes[at].parts.push(part);
        }
        at
    }
}
