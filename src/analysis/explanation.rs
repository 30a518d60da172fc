//! From the values of both sides to the rows of an explanation: arithmetic on a few numbers, one for each node of the
//! tree and each slice.

use std::sync::Arc;

use super::cells::{Cells, Key};
use super::components::OverSlices;
use super::effects::Method;
use super::nested::{NodeEffect, ROUNDING, Refused, Valued, effects};
use super::rows::{Flag, Row};
use super::slices::{Ratio, Slice, SliceEffect, of_ratio, of_sum};
use crate::catalog::tree::Node;
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

/// The parts move much against each other, if together they move this many times as far as the whole.
const OFFSETTING: f64 = 5.0;

/// What is to be explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The model; indicators made for this question included.
    pub catalog: Arc<Catalog>,
    /// Whose change.
    pub root: IndicatorId,
    /// What it is over slices.
    pub over: OverSlices,
    /// The dimensions' names.
    pub by: Vec<String>,
    /// Which dimensions are taken together.
    pub sets: Vec<Vec<usize>>,
    /// How a change is shared among the parts of a tree.
    pub method: Method,
    /// What it is that slices leave of the whole.
    pub rest: Rest,
    /// What the sides are called in messages.
    pub sides: [String; 2],
    /// Where they are said.
    pub places: [Option<Span>; 2],
}

/// Why slices may not add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Several of them count the same.
    Overlap,
    /// Not all of them have a target.
    NoTarget,
}

impl Explanation {
    /// The base's value of the whole, and its change.
    ///
    /// # Errors
    /// A diagnostic, if a side has no value.
    pub fn whole(&self, cells: &Cells) -> Result<(f64, f64), Diagnostic> {
        match [0, 1].map(|side| cells.total(side, self.root)) {
            [Some(base), Some(current)] => Ok((base, current - base)),
            [None, _] => Err(self.no_data(cells, 0)),
            _ => Err(self.no_data(cells, 1)),
        }
    }

    /// The rows: the tree, then the slices of each set of dimensions, those with the greatest effect first.
    ///
    /// # Errors
    /// A diagnostic, if a side has no value, a tree is no identity, or the method does not fit.
    pub fn rows(&self, cells: &Cells) -> Result<Vec<Row>, Diagnostic> {
        let (base, change) = self.whole(cells)?;
        let mut rows = self.tree(cells)?;
        for set in self.sets.iter().filter(|set| !set.is_empty()) {
            rows.extend(self.slices(cells, set, base, change));
        }
        Ok(rows)
    }

    fn name(&self, id: IndicatorId) -> &str {
        &self.catalog.indicator(id).item.name
    }

    fn tree(&self, cells: &Cells) -> Result<Vec<Row>, Diagnostic> {
        let nodes = self.catalog.nodes_below(self.root);
        if nodes.len() < 2 {
            return Ok(vec![]);
        }
        let valued: Vec<Valued> = nodes
            .iter()
            .map(|node| Valued {
                formula: node.breakdown.map(|breakdown| &breakdown.formula),
                parts: &node.parts,
                values: [0, 1].map(|side| cells.total(side, node.indicator)),
            })
            .collect();
        let found = effects(&valued, self.method).map_err(|refused| self.refused(&nodes, &refused))?;
        let mut rows = Vec::new();
        for (at, effect) in found.iter().enumerate() {
            let Some(effect) = effect else { continue };
            let parts: f64 = nodes[at].parts.iter().filter_map(|part| found[*part]).map(|part| part.effect.abs()).sum();
            let mut row = self.node_row(&nodes, at, valued[at].values, effect);
            if parts > OFFSETTING * effect.effect.abs() && !effect.undefined {
                row.flags.push(Flag::Offsetting);
            }
            let (path, level) = (format!("{} / (unexplained)", row.path), row.level + 1);
            rows.push(row);
            rows.extend(effect.unexplained.map(|effect| Row {
                breakdown: "tree".to_string(),
                path,
                level,
                base: None,
                current: None,
                effect,
                rate: None,
                mix: None,
                method: None,
                flags: vec![Flag::Unexplained],
            }));
        }
        Ok(rows)
    }

    fn node_row(&self, nodes: &[Node<'_>], at: usize, values: [Option<f64>; 2], effect: &NodeEffect) -> Row {
        let mut path = vec![self.name(nodes[at].indicator)];
        let mut above = nodes[at].parent;
        while let Some(parent) = above {
            path.insert(0, self.name(nodes[parent].indicator));
            above = nodes[parent].parent;
        }
        let mut flags = Vec::from_iter(presence(values));
        if effect.undefined && flags.is_empty() {
            flags.push(Flag::Undefined);
        }
        Row {
            breakdown: "tree".to_string(),
            path: path.join(" / "),
            level: nodes[at].level as i32,
            base: values[0],
            current: values[1],
            effect: effect.effect,
            rate: None,
            mix: None,
            method: effect.method,
            flags,
        }
    }

    fn slices(&self, cells: &Cells, set: &[usize], base: f64, change: f64) -> Vec<Row> {
        let keys = cells.slices(set);
        let value = |side: usize, key: &Key, id| cells.value(side, set, key, id);
        let sum = |key: &Key| {
            let [base, current] = [0, 1].map(|side| value(side, key, self.root));
            Slice { base, current }
        };
        let (effects, presences): (Option<Vec<SliceEffect>>, Vec<[Option<f64>; 2]>) = match self.over {
            OverSlices::Ratio { above, below, scale } => {
                let ratio = |side, key: &Key| {
                    let part = |id| value(side, key, id);
                    let none = part(above).is_none() && part(below).is_none();
                    let ratio = Ratio { above: scale * part(above).unwrap_or(0.0), below: part(below).unwrap_or(0.0) };
                    (!none).then_some(ratio)
                };
                let slices: Vec<Slice<Ratio>> =
                    keys.iter().map(|key| Slice { base: ratio(0, key), current: ratio(1, key) }).collect();
                let below = |slice: &Slice<Ratio>| [slice.base, slice.current].map(|side| side.map(|it| it.below));
                (of_ratio(&slices, self.method), slices.iter().map(below).collect())
            }
            OverSlices::Sum | OverSlices::Neither => {
                let slices: Vec<Slice<f64>> = keys.iter().map(sum).collect();
                (Some(of_sum(&slices)), slices.iter().map(|slice| [slice.base, slice.current]).collect())
            }
        };
        let breakdown = set.iter().map(|at| self.by[*at].as_str()).collect::<Vec<_>>().join(", ");
        let method = match self.over {
            OverSlices::Ratio { .. } if self.method == Method::Chain => Method::Chain,
            OverSlices::Ratio { .. } => Method::Midpoint,
            _ => Method::Additive,
        };
        let row = |path: String, level, values: [Option<f64>; 2], effect: SliceEffect, flags| Row {
            breakdown: breakdown.clone(),
            path,
            level,
            base: values[0],
            current: values[1],
            effect: effect.effect,
            rate: effect.rate,
            mix: effect.mix,
            method: Some(method),
            flags,
        };
        let whole = [Some(base), Some(base + change)];
        let name = self.name(self.root).to_string();
        let Some(effects) = effects else {
            let effect = SliceEffect { effect: change, rate: None, mix: None };
            return vec![row(name, 0, whole, effect, vec![Flag::Undefined])];
        };
        let mut rows: Vec<Row> = keys
            .iter()
            .zip(effects.iter().zip(presences))
            .map(|(key, (effect, present))| {
                let shown = sum(key);
                let flags = Vec::from_iter(presence(present));
                row(self.slice_name(set, key), 1, [shown.base, shown.current], *effect, flags)
            })
            .collect();
        rows.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
        let summed: f64 = effects.iter().map(|slice| slice.effect).sum();
        let moved: f64 = effects.iter().map(|slice| slice.effect.abs()).sum();
        let overlap = change - summed;
        if overlap.abs() > ROUNDING * base.abs().max((base + change).abs()).max(moved) {
            let effect = SliceEffect { effect: overlap, rate: None, mix: None };
            let (path, flag) = match self.rest {
                Rest::Overlap => ("(in several slices)", Flag::Overlap),
                Rest::NoTarget => ("(without a target)", Flag::Unexplained),
            };
            rows.push(row(path.to_string(), 1, [None, None], effect, vec![flag]));
        }
        let total = |part: fn(&SliceEffect) -> Option<f64>| effects.iter().map(part).sum::<Option<f64>>();
        let (rate, mix) = (total(|slice| slice.rate), total(|slice| slice.mix));
        let mut flags = Vec::new();
        if rate.is_some_and(|rate| rate * change < 0.0 && rate.abs() > ROUNDING * moved) && !effects.is_empty() {
            flags.push(Flag::Simpson);
        }
        if moved > OFFSETTING * change.abs() {
            flags.push(Flag::Offsetting);
        }
        rows.insert(0, row(name, 0, whole, SliceEffect { effect: change, rate, mix }, flags));
        rows
    }

    fn slice_name(&self, set: &[usize], key: &Key) -> String {
        let part = |(at, value): (&usize, &Option<String>)| {
            format!("{} = {}", self.by[*at], value.as_deref().unwrap_or("NULL"))
        };
        set.iter().zip(key).map(part).collect::<Vec<_>>().join(", ")
    }

    fn no_data(&self, cells: &Cells, side: usize) -> Diagnostic {
        let name = self.name(self.root);
        let which = ["base", "current side"][side];
        let message = format!("`{name}` has no value on the {which}, {}", self.sides[side]);
        let mut diagnostic = self.at_side(Diagnostic::new(codes::NO_VALUE, message), side);
        let below = self.catalog.nodes_below(self.root);
        let missing = below.iter().skip(1).filter(|node| cells.total(side, node.indicator).is_none());
        let missing: Vec<String> = missing.map(|node| format!("`{}`", self.name(node.indicator))).collect();
        if !missing.is_empty() {
            diagnostic = diagnostic.note(format!("there is none of {} either", missing.join(", ")));
        }
        diagnostic.help("a change needs a value on both sides: compare with a period that has rows")
    }

    /// At the text of a side; a base that is not said is that of the current one.
    fn at_side(&self, diagnostic: Diagnostic, side: usize) -> Diagnostic {
        match self.places[side].or(self.places[1]) {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        }
    }

    fn refused(&self, nodes: &[Node<'_>], refused: &Refused) -> Diagnostic {
        match refused {
            Refused::Broken { node, side, value, computed } => {
                let breakdown = nodes[*node].breakdown;
                let name = self.name(nodes[*node].indicator);
                let text = breakdown.map_or("its tree", |breakdown| &breakdown.text);
                let message = format!("`{name}` is {value} in {}, but `{text}` is {computed}", self.sides[*side]);
                if self.rest == Rest::NoTarget && *side == 0 {
                    return self
                        .at_side(Diagnostic::new(codes::TREE_BREAKS, message), *side)
                        .note("targets that do not fit each other leave open which part was missed")
                        .help(format!("mend the target of `{name}` or of one of its parts"));
                }
                self.at_side(Diagnostic::new(codes::TREE_BREAKS, message), *side)
                    .note("a change can be followed to the parts of a tree only if the tree is an identity")
                    .help("`bell check --data` lists all periods in which it is none")
            }
            Refused::Unfit(node) => {
                let name = self.name(nodes[*node].indicator);
                let message =
                    format!("the formula of `{name}` cannot be explained by the method {}", self.method.name());
                Diagnostic::new(codes::REQUEST, message).help("leave the method out: it is then chosen by the formula")
            }
        }
    }
}

/// Whether something came or went.
fn presence(values: [Option<f64>; 2]) -> Option<Flag> {
    match values.map(|value| value.is_some_and(|value| value != 0.0)) {
        [false, true] => Some(Flag::Entry),
        [true, false] => Some(Flag::Exit),
        _ => None,
    }
}
