//! The effects of a whole tree: what each node did to the root.

use super::arithmetic::{evaluate, magnitude};
use super::effects::{Method, Shared, share};
use crate::catalog::tree::Arithmetic;

/// How far a formula may be from what it breaks down, relative to the numbers in it.
pub const TOLERANCE: f64 = 1e-6;
/// Below this, what a formula leaves unexplained is rounding.
pub const ROUNDING: f64 = 1e-9;

/// A node with its values; nodes stand before their parts.
#[derive(Debug, Clone)]
pub struct Valued<'f> {
    /// What it breaks down into, if anything.
    pub formula: Option<&'f Arithmetic>,
    /// The nodes of the formula's parts.
    pub parts: &'f [usize],
    /// The value on each side, the base first.
    pub values: [Option<f64>; 2],
}

/// What a node did to the root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeEffect {
    /// Its part of the root's change.
    pub effect: f64,
    /// How that was found, with the other parts of its parent; of the root: of the root's own parts.
    pub method: Option<Method>,
    /// Whether its parts have no effects, because nothing says which of them did what.
    pub undefined: bool,
    /// What its formula leaves of its effect, beyond rounding.
    pub unexplained: Option<f64>,
}

/// Why a tree has no effects.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// The formula of a node is not what it breaks down.
    Broken {
        /// The node.
        node: usize,
        /// On which side, 0 for the base.
        side: usize,
        /// The node's own value.
        value: f64,
        /// What its formula gives.
        computed: f64,
    },
    /// The method does not fit the formula of a node.
    Unfit(usize),
}

/// The effect of every node on the root; `None` for nodes below one that is undefined.
///
/// A part passes on to its own parts what it did itself, so that the effects of the parts of every node add up to the
/// node's own.
///
/// # Errors
/// [`Refused`], if a formula is no identity in these values, or the method fits none.
pub fn effects(nodes: &[Valued<'_>], method: Method) -> Result<Vec<Option<NodeEffect>>, Refused> {
    let mut found: Vec<Option<NodeEffect>> = vec![None; nodes.len()];
    let mut slopes = vec![1.0; nodes.len()];
    let change = |values: [Option<f64>; 2]| values[1].unwrap_or(0.0) - values[0].unwrap_or(0.0);
    let Some(root) = nodes.first() else { return Ok(found) };
    let new = |effect, method| NodeEffect { effect, method, undefined: false, unexplained: None };
    found[0] = Some(new(change(root.values), None));
    for (at, node) in nodes.iter().enumerate() {
        let (Some(formula), Some(mut own)) = (node.formula, found[at]) else { continue };
        let sides = [0, 1].map(|side| node.parts.iter().map(|part| nodes[*part].values[side]).collect::<Vec<_>>());
        let shared = match is_identity(node, formula, &sides, at)? {
            true => share(formula, &sides[0], &sides[1], method),
            false => Shared::Undefined,
        };
        let (method, effects) = match shared {
            Shared::Among(method, effects) => (method, effects),
            Shared::Unfit => return Err(Refused::Unfit(at)),
            Shared::Undefined => {
                own.undefined = true;
                found[at] = Some(own);
                continue;
            }
        };
        let explained: f64 = effects.iter().map(|part| part.effect).sum();
        let left = change(node.values) - explained;
        let moved: f64 = effects.iter().map(|part| part.effect.abs()).sum();
        let size = magnitude(formula, &sides[0]).max(magnitude(formula, &sides[1])).max(moved);
        own.unexplained = (left.abs() > ROUNDING * size).then_some(left * slopes[at]);
        own.method = own.method.or(Some(method));
        found[at] = Some(own);
        for (part, effect) in node.parts.iter().zip(effects) {
            found[*part] = Some(new(slopes[at] * effect.effect, Some(method)));
            slopes[*part] = slopes[at] * effect.slope;
        }
    }
    Ok(found)
}

/// Whether the formula can tell about the node: both have a value, or neither, on each side.
fn is_identity(
    node: &Valued<'_>,
    formula: &Arithmetic,
    sides: &[Vec<Option<f64>>; 2],
    at: usize,
) -> Result<bool, Refused> {
    let mut comparable = true;
    for (side, parts) in sides.iter().enumerate() {
        match (node.values[side], evaluate(formula, parts)) {
            (Some(value), Some(computed)) => {
                let size = value.abs().max(magnitude(formula, parts));
                // NaN is near nothing.
                let same = (value - computed).abs() <= TOLERANCE * size;
                if !same {
                    return Err(Refused::Broken { node: at, side, value, computed });
                }
            }
            (None, None) => {}
            _ => comparable = false,
        }
    }
    Ok(comparable)
}
