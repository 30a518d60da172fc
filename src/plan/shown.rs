//! Which groups a question shows, where that is known before it is asked: questions that show the same groups by the same
//! things are one question.

use super::combine::Question;
use super::context::{Call, LeafKind, Leaves};
use super::frame::Frame;
use super::options::Rewrites;
use super::part::{Key, parts_of};
use super::situation::Shows;
use crate::catalog::expr::Expression;
use crate::catalog::{Catalog, IndicatorId};
use crate::error::Result;

/// The rows whose groups a question shows.
#[derive(Debug, Clone)]
pub struct Shown(Vec<Rows>);

/// Rows of a source in a context that fulfil one of these lists of conditions.
#[derive(Debug, Clone)]
struct Rows {
    key: Key,
    alternatives: Vec<Vec<Expression>>,
}

impl Shown {
    /// Those of the indicators by these; `None`, where others could change what is shown beside them: windows and `fill`
    /// look at what else is there.
    ///
    /// # Errors
    /// A [`crate::diagnostic::Diagnostic`], if an indicator cannot reach what is asked.
    pub fn of(
        catalog: &Catalog,
        rewrites: Rewrites,
        by: &[Expression],
        conditions: &[Expression],
        indicators: &[IndicatorId],
    ) -> Result<Option<Shown>> {
        let question = Question { catalog, visible: conditions.to_vec(), depth: 0, rewrites, notes: None };
        let frame = Frame::new(by, conditions);
        let mut leaves = Leaves::of(catalog, &frame);
        for id in indicators {
            leaves.expand(catalog, &Call { indicator: *id, filters: vec![], modifiers: vec![], looks: false });
        }
        let folded = leaves.leaves.iter().any(|leaf| matches!(leaf.kind, LeafKind::Fold(_)));
        if folded || leaves.filled || !leaves.fillers.is_empty() {
            return Ok(None);
        }
        let mut shown = Vec::new();
        for part in parts_of(&question, &frame, &leaves.leaves)? {
            if part.shows() == Shows::Running || part.has_window() {
                return Ok(None);
            }
            if part.shows() == Shows::All {
                shown.push(Rows { key: part.key.clone(), alternatives: least(part.alternatives) });
            }
        }
        Ok(Some(Shown(shown)))
    }

    /// Whether both show the same groups.
    pub fn is_that_of(&self, other: &Shown) -> bool {
        let within = |rows: &[Rows], others: &[Rows]| rows.iter().all(|rows| others.iter().any(|it| it.same(rows)));
        within(&self.0, &other.0) && within(&other.0, &self.0)
    }
}

impl Rows {
    fn same(&self, other: &Rows) -> bool {
        let within = |a: &[Vec<Expression>], b: &[Vec<Expression>]| a.iter().all(|conditions| b.contains(conditions));
        let (a, b) = (&self.alternatives, &other.alternatives);
        self.key == other.key && within(a, b) && within(b, a)
    }
}

/// Beside rows without conditions those with some add nothing.
fn least(alternatives: Vec<Vec<Expression>>) -> Vec<Vec<Expression>> {
    if alternatives.iter().any(Vec::is_empty) { vec![vec![]] } else { alternatives }
}
