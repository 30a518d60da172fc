//! Aggregates whose filter asks other sources, apart from those that need none.
//!
//! `count(*)` beside `count(*) filter (where orders.priority = 'high')` would join every row for the second one's sake.
//! Apart, the first reads its rows alone, and of the second's rows only those are joined that the filter leaves.

use std::collections::BTreeSet;

use super::combine::Question;
use super::frame::Frame;
use super::part::{Part, PlacedLeaf};
use super::situation::{Shows, Situation};
use crate::catalog::Catalog;
use crate::catalog::expr::Expression;
use crate::catalog::path::{JoinPath, Step};
use crate::catalog::validity::last_join;

/// A source is read twice only for joins to one that is not far smaller.
const FAR_SMALLER: usize = 8;

/// The parts, with such aggregates in parts of their own.
pub(super) fn apart(question: &Question<'_>, frame: &Frame, parts: Vec<Part>) -> Vec<Part> {
    let around = Situation::of(frame);
    match question.rewrites.split_filters {
        true => parts.into_iter().flat_map(|part| split(question, &around, part)).collect(),
        false => parts,
    }
}

fn split(question: &Question<'_>, around: &Situation, part: Part) -> Vec<Part> {
    if !is_plain(&part) || part.situation() != around || !keys_are_near(question, &part) {
        return vec![part];
    }
    let asks_others = |leaf: &&PlacedLeaf| leaf.filters.iter().any(|filter| !is_near(filter));
    let (far, near): (Vec<&PlacedLeaf>, Vec<&PlacedLeaf>) = part.leaves.iter().partition(asks_others);
    let own = part.leaves.iter().all(|leaf| is_near(&leaf.aggregate) && leaf.conditions.iter().all(is_near));
    let Some(first) = far.first() else { return vec![part] };
    let filters = sorted(&first.filters);
    let alike = far.iter().all(|leaf| sorted(&leaf.filters) == filters && leaf.conditions == first.conditions);
    if near.is_empty() || !own || !alike || !pays(question, &part, &filters) {
        return vec![part];
    }
    let mut looked_up = part.bare();
    looked_up.key.child_filters = filters;
    looked_up.alternatives = vec![first.conditions.clone()];
    looked_up.leaves = far.iter().map(|leaf| PlacedLeaf { filters: vec![], ..(*leaf).clone() }).collect();
    let mut rest = part.bare();
    rest.alternatives = part.alternatives.clone();
    rest.leaves = near.into_iter().cloned().collect();
    vec![rest, looked_up]
}

/// Whether nothing but conditions and keys decides about its rows.
fn is_plain(part: &Part) -> bool {
    let key = &part.key;
    let frame = part.frame();
    part.shows() == Shows::All
        && key.redated.is_none()
        && key.child_conditions.is_empty()
        && key.own.is_empty()
        && key.counted.is_empty()
        && frame.edges.is_empty()
        && frame.dated.is_empty()
        && frame.window().is_none()
}

fn keys_are_near(question: &Question<'_>, part: &Part) -> bool {
    let axis = part.axis(question);
    let frame = part.frame();
    let keys = frame.kept().into_iter().map(|at| &frame.keys[at].expr);
    let mut all = keys.chain(frame.conditions.iter().map(|condition| &condition.expr));
    all.all(|expr| part.flat(question, &axis, expr).is_ok_and(|flat| is_near(&flat)))
}

fn is_near(expression: &Expression) -> bool {
    expression.columns().iter().all(|column| column.path.steps.is_empty())
}

fn sorted(filters: &[Expression]) -> Vec<Expression> {
    let mut sorted = filters.to_vec();
    sorted.sort_by_key(|filter| filter.expr.to_string());
    sorted
}

/// Whether the join is dear: many rows to many rows that cannot be added up before.
fn pays(question: &Question<'_>, part: &Part, filters: &[Expression]) -> bool {
    let catalog = question.catalog;
    if question.rewrites.reduce_factor == 0 {
        return true;
    }
    let columns = filters.iter().flat_map(Expression::columns);
    let steps: BTreeSet<&JoinPath> = columns.map(|column| &column.path).filter(|path| !path.steps.is_empty()).collect();
    let plain = |path: &&JoinPath| {
        path.steps.iter().all(|step| matches!(step, Step::Join(_)))
            && last_join(catalog, path).is_some_and(|join| join.valid.is_none())
    };
    let rows = |path: &&JoinPath| rows_of(catalog, path);
    let (Some(most), Some(own)) = (
        steps.iter().map(rows).collect::<Option<Vec<_>>>().and_then(|rows| rows.into_iter().max()),
        catalog.source(part.key.source).size.rows,
    ) else {
        return false;
    };
    // By just the join's columns they are not few enough: with those of the keys they are no fewer.
    steps.iter().all(plain) && most.saturating_mul(FAR_SMALLER) > own
}

fn rows_of(catalog: &Catalog, path: &JoinPath) -> Option<usize> {
    catalog.source(path.target(catalog)).size.rows
}
