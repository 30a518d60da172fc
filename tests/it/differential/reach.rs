//! Which source reaches what: the chains of joins, and the dimensions that serve a fact (language page, §3 and §6).

use super::expr::{Ex, Grain, Op};
use super::model::{Dimension, Model, Path, Step, Ty};

/// Why a question is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The page says that it is refused.
    Refused(String),
    /// The page does not say what it means.
    Unspecified(String),
}

/// All many-to-one chains from one source to another; the empty one from a source to itself.
pub fn chains(model: &Model, from: usize, to: usize) -> Vec<Vec<Step>> {
    let mut found = if from == to { vec![vec![]] } else { vec![] };
    for (at, join) in model.sources[from].joins.iter().enumerate() {
        for mut rest in chains(model, join.target, to) {
            rest.insert(0, Step::Up(at));
            found.push(rest);
        }
    }
    found
}

/// The expression that a dimension or segment stands for on the rows of `fact`.
pub fn serving(model: &Model, fact: usize, dimension: &Dimension) -> Result<Ex, Why> {
    if let Some((_, own)) = dimension.definitions.iter().find(|(root, _)| *root == fact) {
        return Ok(own.clone());
    }
    let mut reached = vec![];
    let mut several = false;
    for (root, ex) in &dimension.definitions {
        match chains(model, fact, *root).as_slice() {
            [] => {}
            [chain] => reached.push((chain.clone(), ex)),
            _ => several = true,
        }
    }
    let source = &model.sources[fact].name;
    match (reached.as_slice(), several) {
        ([], false) => Err(Why::Refused(format!("{source} does not reach {}", dimension.name))),
        ([(chain, ex)], false) => rebased(model, fact, chain, ex),
        ([_], true) => Err(Why::Unspecified(format!("{} reaches {source} by one and by many", dimension.name))),
        _ => Err(Why::Refused(format!("several ways from {source} to {}", dimension.name))),
    }
}

/// The expression with its paths beginning at `fact`, where `chain` leads to their root; NULL for orphans.
fn rebased(model: &Model, fact: usize, chain: &[Step], ex: &Ex) -> Result<Ex, Why> {
    let rebased = ex.replace(&mut |inner| match inner {
        Ex::Col(path) => {
            let steps: Vec<Step> = chain.iter().chain(&path.steps).copied().collect();
            let rebased = Path { root: fact, steps, column: path.column };
            if turns_back(model, &rebased) {
                let what = "a path that goes up and comes down to the same source";
                return Err(Why::Unspecified(what.into()));
            }
            Ok(Some(Ex::Col(rebased)))
        }
        _ => Ok(None),
    })?;
    // A column that is not reached is NULL by itself.
    if chain.is_empty() || matches!(rebased, Ex::Col(_)) {
        return Ok(rebased);
    }
    let root = Path { root: fact, steps: chain.to_vec(), column: 0 };
    Ok(Ex::Case(vec![(Ex::Exists(root), rebased)], None))
}

/// Whether the path comes down to a source that it went through.
fn turns_back(model: &Model, path: &Path) -> bool {
    let mut at = path.root;
    let mut seen = vec![at];
    for step in &path.steps {
        at = step.target(model, at);
        if matches!(step, Step::Down(..)) && seen.contains(&at) {
            return true;
        }
        seen.push(at);
    }
    false
}

/// A row expression with every dimension, segment and time replaced by columns reached from `fact`.
pub fn resolve(model: &Model, fact: usize, time: Option<&Path>, ex: &Ex) -> Result<Ex, Why> {
    let cut = |ex: Ex, grain: Grain| if grain == Grain::Raw { ex } else { Ex::Cut(Box::new(ex), grain) };
    let resolved = ex.replace(&mut |inner| match inner {
        Ex::Dim(at, grain) => Ok(Some(cut(serving(model, fact, &model.dimensions[*at])?, *grain))),
        Ex::Seg(at) => Ok(Some(serving(model, fact, &model.segments[*at])?)),
        Ex::Col(path) if path.root != fact => {
            let column =
                Dimension { name: "the column".into(), ty: Ty::Int, definitions: vec![(path.root, inner.clone())] };
            Ok(Some(serving(model, fact, &column)?))
        }
        Ex::MetricTime(grain) => match time {
            Some(path) => Ok(Some(cut(Ex::Col(path.clone()), *grain))),
            None => Err(Why::Refused(format!("{} has no time axis", model.sources[fact].name))),
        },
        _ => Ok(None),
    })?;
    if !children(&resolved).is_empty() && model.sources[fact].key.is_empty() {
        return Err(Why::Refused(format!("{} has no key to count its rows once", model.sources[fact].name)));
    }
    Ok(resolved)
}

/// The child sources that an expression reads, each by the steps that lead there, parents first.
pub fn children(ex: &Ex) -> Vec<Vec<Step>> {
    let mut found: Vec<Vec<Step>> = vec![];
    ex.visit_row(&mut |inner| {
        if let Ex::Col(path) = inner {
            for (at, step) in path.steps.iter().enumerate() {
                if matches!(step, Step::Down(..)) {
                    found.push(path.steps[..=at].to_vec());
                }
            }
        }
    });
    found.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    found.dedup();
    found
}

/// Whether an expression reads a column.
pub fn reads(ex: &Ex, column: &Ex) -> bool {
    let mut found = false;
    ex.visit_row(&mut |inner| found |= inner == column);
    found
}

/// Whether two expressions read a column in common.
pub fn overlap(a: &Ex, b: &Ex) -> bool {
    let mut found = false;
    a.visit_row(&mut |inner| found |= matches!(inner, Ex::Col(_)) && reads(b, inner));
    found
}

/// A condition's parts that are joined by AND.
pub fn split(condition: &Ex) -> Vec<Ex> {
    match condition {
        Ex::Bin(Op::And, a, b) => [split(a), split(b)].concat(),
        other => vec![other.clone()],
    }
}
