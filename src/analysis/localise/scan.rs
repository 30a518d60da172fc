//! The search for the cells that are to blame: a scan over all combinations of dimension values, best first.
//!
//! A cell's score is a function of sums, so each round is one pass of grouping sets over the leaves, which are fetched
//! once. The best cell sits by itself at the right coarseness: a larger one dilutes the rate, a smaller one loses mass. It
//! is taken out with its leaves, and the rest is scanned again.

use std::collections::HashMap;

use super::gain::{Direction, Model, Sums, chance, dispersion, gain, lift};

/// A leaf: a value of each dimension, as numbers, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// The value of each dimension.
    pub key: Vec<u32>,
    /// Its sums.
    pub sums: Sums,
}

/// How far the search goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// So many causes at most.
    pub causes: usize,
    /// Of so many dimensions together at most.
    pub depth: usize,
    /// Causes that are likelier than this to be chance are left out.
    pub chance: f64,
}

/// Dimensions, each with one of its values, in order of the dimensions.
pub type Cell = Vec<(usize, u32)>;

/// A cell that is to blame.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// Which.
    pub cell: Cell,
    /// Its sums, without the leaves of causes before it.
    pub sums: Sums,
    /// The log-likelihood ratio; of amounts, in units of their scatter.
    pub gain: f64,
    /// The probability that chance alone gives as much somewhere; `None`, if the leaves are too few to tell.
    pub chance: Option<f64>,
    /// The cell that explains the same change nearly as well.
    pub alternative: Option<(Cell, Sums, f64)>,
}

/// Where a parent moved at least this far of what its part did, on the scale of [`lift`], the parent is to blame.
const AS_FAR: f64 = 0.5;
/// An alternative has at least this part of the gain.
const NEARLY: f64 = 0.5;

/// Finds the causes, the greatest first.
pub fn scan(model: Model, direction: Direction, leaves: &[Leaf], limits: Limits) -> Vec<Cause> {
    let search = Search::new(model, direction, leaves, limits);
    let mut left: Vec<usize> = (0..leaves.len()).collect();
    let mut found: Vec<Cause> = Vec::new();
    // A round may only widen a cause that is already there.
    for _ in 0..2 * limits.causes {
        let candidates = search.candidates(&left);
        let Some(best) = candidates.first() else { break };
        let mut cause = search.cause(best, &candidates);
        left.retain(|at| !holds(&cause.cell, &leaves[*at].key));
        cause.chance = search.chance(&cause, &left);
        // Where nobody knows what chance does, only the first is told.
        if cause.chance.map_or(!found.is_empty(), |chance| chance > limits.chance) {
            break;
        }
        search.take(cause, &left, &mut found);
    }
    found.truncate(limits.causes);
    found
}

/// Whether a cell holds a leaf.
pub fn holds(cell: &[(usize, u32)], key: &[u32]) -> bool {
    cell.iter().all(|(dimension, value)| key[*dimension] == *value)
}

/// Whether two cells have a leaf in common.
pub fn meet(one: &[(usize, u32)], other: &[(usize, u32)], leaves: &[Leaf]) -> bool {
    leaves.iter().any(|leaf| holds(one, &leaf.key) && holds(other, &leaf.key))
}

/// Whether a cell is a part of another.
fn within(part: &Cell, whole: &Cell) -> bool {
    whole.len() < part.len() && whole.iter().all(|value| part.contains(value))
}

/// A cell that changed, by a leaf in it.
struct Candidate {
    set: usize,
    leaf: usize,
    sums: Sums,
    score: f64,
}

struct Search<'s> {
    model: Model,
    direction: Direction,
    leaves: &'s [Leaf],
    sets: Vec<Vec<usize>>,
    /// By which gains are divided before they are compared with the cost of naming a cell.
    scale: f64,
    /// Whether values are cases, whose chance is known even where there is nothing to measure it by.
    cases: bool,
    /// How many cells there are.
    cells: f64,
}

impl<'s> Search<'s> {
    fn new(model: Model, direction: Direction, leaves: &'s [Leaf], limits: Limits) -> Self {
        let dimensions = leaves.first().map_or(0, |leaf| leaf.key.len());
        // A dimension of one value tells nothing apart.
        let varies = |at: &usize| leaves.iter().any(|leaf| leaf.key[*at] != leaves[0].key[*at]);
        let varying: Vec<usize> = (0..dimensions).filter(varies).collect();
        let sets = subsets(&varying, limits.depth);
        let sums: Vec<Sums> = leaves.iter().map(|leaf| leaf.sums).collect();
        // What was to be reached is no number of cases.
        let base = |sums: &Sums| if matches!(model, Model::Due { .. }) { 0.0 } else { sums.base[0] };
        let whole = sums.iter().flat_map(|sums| [base(sums), sums.current[0]]).all(|value| value.fract() == 0.0);
        let is_share = matches!(model, Model::Share | Model::Due { share: true });
        let cases = !matches!(model, Model::Signed { .. }) && (whole || is_share);
        let mut search = Search { model, direction, leaves, sets, scale: 1.0, cases, cells: 0.0 };
        // The scatter of shares is known; the size of an amount is only known from how leaves scatter.
        if !is_share {
            search.scale = search.scatter(&sums).filter(|scatter| *scatter > 0.0).unwrap_or(1.0);
        }
        let all: Vec<usize> = (0..leaves.len()).collect();
        let mut cells = 0.0;
        (0..search.sets.len()).for_each(|set| cells += search.group(set, &all).len() as f64);
        search.cells = cells;
        search
    }

    /// How much more leaves scatter than the model has it; `None`, if nobody knows.
    fn scatter(&self, leaves: &[Sums]) -> Option<f64> {
        let measured = dispersion(self.model, leaves);
        if self.cases { Some(measured.unwrap_or(1.0).max(1.0)) } else { measured }
    }

    /// The probability that chance alone gives as much somewhere, by the scatter of the leaves that no cause holds.
    fn chance(&self, cause: &Cause, left: &[usize]) -> Option<f64> {
        let sums: Vec<Sums> = left.iter().map(|at| self.leaves[*at].sums).collect();
        let gain = gain(self.model, &cause.sums, self.direction);
        self.scatter(&sums)
            .map(|scatter| chance(if scatter > 0.0 { gain / scatter } else { f64::INFINITY }, self.cells))
    }

    /// The cells of a set of dimensions: a leaf of each, and its sums.
    fn group(&self, set: usize, left: &[usize]) -> Vec<(usize, Sums)> {
        let mut numbers: HashMap<u64, usize> = HashMap::new();
        let mut of_leaf: Vec<u32> = vec![0; left.len()];
        // One dimension after the other: the cell so far and the next value are a cell.
        for dimension in &self.sets[set] {
            numbers.clear();
            for (cell, at) in of_leaf.iter_mut().zip(left) {
                let next = numbers.len();
                let pair = u64::from(*cell) << 32 | u64::from(self.leaves[*at].key[*dimension]);
                *cell = *numbers.entry(pair).or_insert(next) as u32;
            }
        }
        let mut cells: Vec<Option<(usize, Sums)>> = vec![None; numbers.len()];
        for (cell, at) in of_leaf.iter().zip(left) {
            let (_, sums) = cells[*cell as usize].get_or_insert((*at, Sums::default()));
            sums.add(&self.leaves[*at].sums);
        }
        cells.into_iter().flatten().collect()
    }

    /// The cells whose change is worth naming them, the best first.
    fn candidates(&self, left: &[usize]) -> Vec<Candidate> {
        let mut found = Vec::new();
        // Naming one of so many cells costs the logarithm of their number: those of as many dimensions, and of fewer.
        let mut cells_so_far = 0;
        for sets in self.sets.chunk_by(|one, next| one.len() == next.len()) {
            let from = self.sets.iter().position(|set| set == &sets[0]).unwrap_or_default();
            let of_size: Vec<(usize, Vec<(usize, Sums)>)> =
                (from..from + sets.len()).map(|set| (set, self.group(set, left))).collect();
            cells_so_far += of_size.iter().map(|(_, cells)| cells.len()).sum::<usize>();
            let cost = (cells_so_far as f64).ln();
            for (set, cells) in of_size {
                found.extend(cells.into_iter().filter_map(|(leaf, sums)| {
                    let score = gain(self.model, &sums, self.direction) / self.scale - cost;
                    (score > 0.0).then_some(Candidate { set, leaf, sums, score })
                }));
            }
        }
        // Among equals the one that says less, then in order of dimensions and values.
        let order = |one: &Candidate| (self.sets[one.set].len(), one.set, one.leaf);
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| order(a).cmp(&order(b))));
        found
    }

    fn cell(&self, candidate: &Candidate) -> Cell {
        let key = &self.leaves[candidate.leaf].key;
        self.sets[candidate.set].iter().map(|dimension| (*dimension, key[*dimension])).collect()
    }

    fn cause(&self, best: &Candidate, candidates: &[Candidate]) -> Cause {
        let cell = self.cell(best);
        let alternative = self.alternative(&cell, best.score, candidates);
        let gain = gain(self.model, &best.sums, self.direction);
        Cause { sums: best.sums, gain: gain / self.scale, chance: None, alternative, cell }
    }

    fn alternative(&self, cell: &Cell, score: f64, candidates: &[Candidate]) -> Option<(Cell, Sums, f64)> {
        let near = candidates.iter().take_while(|other| other.score >= NEARLY * score);
        let mut other = near.map(|other| (self.cell(other), other.sums, gain(self.model, &other.sums, self.direction)));
        let fits = |(other, ..): &(Cell, Sums, f64)| other != cell && meet(other, cell, self.leaves);
        other.find(fits).map(|(cell, sums, gain)| (cell, sums, gain / self.scale))
    }

    /// Adds a cause; or widens one to it, where the rest of its parent moved nearly as far: what its siblings do as well is
    /// not the part's own doing.
    fn take(&self, cause: Cause, left: &[usize], found: &mut Vec<Cause>) {
        let far = |sums: &Sums| lift(self.model, sums, self.direction, self.scale);
        let part = found.iter().position(|known| within(&known.cell, &cause.cell));
        let Some(at) = part.filter(|at| far(&cause.sums) >= AS_FAR * far(&found[*at].sums)) else {
            found.push(cause);
            return;
        };
        let own = std::mem::replace(&mut found[at].cell, cause.cell.clone());
        let mut sums = Sums::default();
        let before: Vec<Cell> = found[..at].iter().map(|known| known.cell.clone()).collect();
        let taken = |key: &[u32]| before.iter().any(|cell| !within(cell, &cause.cell) && holds(cell, key));
        let inside = self.leaves.iter().filter(|leaf| holds(&cause.cell, &leaf.key) && !taken(&leaf.key));
        inside.for_each(|leaf| sums.add(&leaf.sums));
        let whole = gain(self.model, &sums, self.direction);
        let narrow = (own, found[at].sums, found[at].gain);
        found[at] = Cause { sums, gain: whole / self.scale, alternative: Some(narrow), ..cause };
        found[at].chance = self.chance(&found[at], left);
        let wide = found[at].cell.clone();
        found.retain(|known| !within(&known.cell, &wide));
    }
}

/// All sets of at most so many of them, small ones first.
fn subsets(of: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut last: Vec<Vec<usize>> = vec![vec![]];
    for _ in 0..most.min(of.len()) {
        let longer = |set: &Vec<usize>| {
            let from = set.last().map_or(0, |last| last + 1);
            let set = set.clone();
            of.iter().filter(move |next| **next >= from).map(move |next| [set.clone(), vec![*next]].concat())
        };
        last = last.iter().flat_map(longer).collect();
        found.extend(last.iter().cloned());
    }
    found
}
