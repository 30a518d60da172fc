//! In which order the joins of a scan are made.
//!
//! Every join is many to one and keeps the rows of its left side, so any order gives the same rows. Two things make one
//! cheaper than another:
//!
//! - what a condition narrows comes first, smallest first: then the other joins meet fewer rows;
//! - what is joined to a joined source may be joined to it *before* it meets the fact (a bushy tree), which pays where a
//!   condition narrows it, or where it has far fewer rows than the fact.

use datafusion::common::TableReference;
use datafusion::logical_expr::Expr;

use super::rows::columns_of;
use super::selectivity::Sizes;
use crate::catalog::Catalog;
use crate::catalog::path::{JoinPath, Step};
use crate::catalog::validity::{Way, last_join};

/// How many times more rows the fact must have for joins between other sources to be made first.
const FAR_FEWER: usize = 2;

/// So many rows of a source may be joined to others before they meet the fact. DataFusion 55.2 keeps, in each batch of
/// texts that a join looks up, all buffers of the side that has them: the buffers of two large joins multiply, and handing
/// them on takes longer than anything else (SF 10 of TPC-H: 60 s of 70).
const FEW_ENOUGH: usize = 4_000_000;

/// A step in the order: the relation at the end of a way, with what is joined to it before.
pub(crate) struct Planned<'w> {
    pub(crate) way: &'w Way,
    pub(crate) before: Vec<Planned<'w>>,
}

/// Conditions of a question, for each the relations that its columns are of.
pub(crate) struct Narrowing(Vec<(Vec<TableReference>, f64)>);

impl Narrowing {
    pub(crate) fn by(conditions: &[Expr], sizes: &Sizes<'_>) -> Narrowing {
        let relations = |condition: &Expr| {
            let mut found: Vec<TableReference> = vec![];
            for column in columns_of(condition) {
                if let Expr::Column(column) = column {
                    found.extend(column.relation.filter(|relation| !found.contains(relation)));
                }
            }
            found
        };
        Narrowing(conditions.iter().map(|condition| (relations(condition), sizes.share(condition))).collect())
    }

    /// About which share of a relation's rows its own conditions leave.
    fn share(&self, relation: &TableReference) -> f64 {
        let own = self.0.iter().filter(|(relations, _)| relations.as_slice() == std::slice::from_ref(relation));
        own.map(|(_, share)| share).product()
    }
}

/// The ways in the order in which they are best joined to the root.
pub(crate) fn planned<'w>(
    catalog: &Catalog,
    ways: &'w [Way],
    fact_rows: Option<usize>,
    narrowing: &Narrowing,
    relation: &dyn Fn(&JoinPath) -> TableReference,
) -> Vec<Planned<'w>> {
    let order = Order { catalog, ways, fact_rows, narrowing, relation };
    match ways.iter().all(|way| order.is_free(way)) {
        true => order.all(),
        false => as_declared(ways),
    }
}

/// One after the other.
pub(crate) fn as_declared(ways: &[Way]) -> Vec<Planned<'_>> {
    ways.iter().map(|way| Planned { way, before: vec![] }).collect()
}

struct Order<'o, 'w> {
    catalog: &'o Catalog,
    ways: &'w [Way],
    /// About how many rows others are joined to.
    fact_rows: Option<usize>,
    narrowing: &'o Narrowing,
    relation: &'o dyn Fn(&JoinPath) -> TableReference,
}

impl<'w> Order<'_, 'w> {
    /// Whether the join asks for nothing but columns of its own two sides, and has at most one row for each.
    fn is_free(&self, way: &Way) -> bool {
        let own = last_join(self.catalog, &way.path).is_some_and(|join| join.is_own());
        own && way.moment.is_none() && matches!(way.path.steps.last(), Some(Step::Join(_)))
    }

    fn all(&self) -> Vec<Planned<'w>> {
        let Some(first) = self.ways.first() else { return vec![] };
        let root = JoinPath::root(first.path.root);
        let narrowed_root = self.narrowing.share(&(self.relation)(&root)) < 1.0;
        let mut open: Vec<&'w Way> = self.ways.iter().filter(|way| self.begins(way)).collect();
        let mut planned = Vec::new();
        while let Some(at) = self.best(&open) {
            let way = open.remove(at);
            let bushy = self.narrowed_beyond(way) || (!narrowed_root && self.is_far_smaller(way));
            let before = if bushy { self.joined_before(way) } else { vec![] };
            if !bushy {
                open.extend(self.after(&way.path));
            }
            planned.push(Planned { way, before });
        }
        planned
    }

    /// All that is joined to a relation, each with what is joined to that.
    fn joined_before(&self, way: &'w Way) -> Vec<Planned<'w>> {
        let mut next: Vec<&'w Way> = self.after(&way.path).collect();
        let mut planned = Vec::new();
        while let Some(at) = self.best(&next) {
            let way = next.remove(at);
            planned.push(Planned { way, before: self.joined_before(way) });
        }
        planned
    }

    /// The ways that go on from the end of a path.
    fn after(&self, path: &JoinPath) -> impl Iterator<Item = &'w Way> {
        let path = path.clone();
        self.ways.iter().filter(move |way| way.path.steps.split_last().is_some_and(|(_, before)| before == path.steps))
    }

    /// Whether what it is joined to is among the rows already.
    fn begins(&self, way: &Way) -> bool {
        let parent = way.path.steps.split_last().map(|(_, before)| before);
        !self.ways.iter().any(|other| Some(other.path.steps.as_slice()) == parent)
    }

    /// The position of the way whose relation, with what is joined to it, is narrowed to the fewest rows; without
    /// conditions the first one.
    fn best(&self, ways: &[&'w Way]) -> Option<usize> {
        let rank = |way: &Way| {
            let share = self.share_with_joined(way);
            let narrowed = share < 1.0;
            (!narrowed, if narrowed { share * self.rows(&way.path).unwrap_or(usize::MAX) as f64 } else { 0.0 })
        };
        let compare = |a: &(bool, f64), b: &(bool, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        (0..ways.len()).min_by(|a, b| compare(&rank(ways[*a]), &rank(ways[*b])))
    }

    fn share_with_joined(&self, way: &'w Way) -> f64 {
        let joined: f64 = self.after(&way.path).map(|next| self.share_with_joined(next)).product();
        self.narrowing.share(&(self.relation)(&way.path)) * joined
    }

    fn narrowed_beyond(&self, way: &'w Way) -> bool {
        self.after(&way.path).any(|next| self.share_with_joined(next) < 1.0)
    }

    fn is_far_smaller(&self, way: &Way) -> bool {
        let rows = self.rows(&way.path).zip(self.fact_rows);
        rows.is_some_and(|(joined, fact)| joined <= FEW_ENOUGH && joined.saturating_mul(FAR_FEWER) <= fact)
    }

    fn rows(&self, path: &JoinPath) -> Option<usize> {
        self.catalog.source(path.target(self.catalog)).size.rows
    }
}
