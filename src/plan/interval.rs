//! The range of a question while modifiers of time act: what windows end with, and what they change where there is no
//! period.

use super::axis::Axis;
use super::frame::{Condition, ConditionKind, Role};
use super::instant::TimeOp;
use super::range::RangeOp;
use super::situation::Situation;
use crate::catalog::expr::Expression;
use crate::diagnostic::{Diagnostic, codes};

impl Situation {
    /// The range as it is asked for now.
    pub(super) fn asked_ranges(&self, axis: &Axis<'_>) -> Vec<Expression> {
        let asked = self.frame.conditions.iter().filter(|condition| condition.kind == ConditionKind::Asked);
        asked.map(|condition| &condition.expr).filter(|expr| axis.range(expr).is_some()).cloned().collect()
    }

    /// Every window ends with the range, which therefore must be the same for all.
    pub(super) fn check_range(&self, op: &TimeOp, finest: Option<usize>, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        if cuts(op) && self.has_other_range(finest, axis) { Err(other_range()) } else { Ok(()) }
    }

    /// Whether the range has an end that no window before this one had. A window that was cut stays so when the range is
    /// dropped.
    fn has_other_range(&self, finest: Option<usize>, axis: &Axis<'_>) -> bool {
        let asked = self.asked_ranges(axis);
        match finest.map(|at| &self.frame.keys[at].role) {
            Some(Role::Window(window)) if window.ops.iter().any(cuts) => {
                asked.iter().any(|range| !window.ranges.contains(range))
            }
            Some(Role::Window(window)) => asked != window.ranges,
            Some(_) => false,
            None => {
                let interval = self.frame.conditions.iter().filter(|condition| condition.is_of_interval());
                let known: Vec<&Expression> = interval.map(|condition| &condition.expr).collect();
                !known.is_empty() && asked.iter().any(|range| !known.contains(&range))
            }
        }
    }

    /// Whether a window was made of the range.
    pub(super) fn has_windowed_interval(&self) -> bool {
        let made = |op: &RangeOp| matches!(op, RangeOp::Window(_) | RangeOp::Open);
        self.frame.conditions.iter().any(|condition| match condition.kind {
            ConditionKind::Interval(before) => condition.ops.iter().skip(before).any(made),
            ConditionKind::Asked => false,
        })
    }

    /// Makes the range the interval that modifiers of time change where there is no period.
    pub(super) fn keep_interval(&mut self, axis: &Axis<'_>) {
        if self.frame.conditions.iter().any(|condition| condition.is_of_interval()) {
            return;
        }
        let ranges = self.frame.conditions.iter().filter(|condition| axis.range(&condition.expr).is_some());
        let interval: Vec<Condition> =
            ranges.map(|range| Condition { kind: ConditionKind::Interval(range.ops.len()), ..range.clone() }).collect();
        self.frame.conditions.extend(interval);
    }
}

/// Whether a modifier makes a window that ends with the range.
fn cuts(op: &TimeOp) -> bool {
    op.is_running() && !matches!(op, TimeOp::FirstOf(_))
}

fn other_range() -> Diagnostic {
    Diagnostic::new(
        codes::CONTEXT,
        "a window in time around a range that changed after time was moved or a window was made",
    )
    .note("a window ends where the range ends, and here the modifiers before it had another range")
    .help("put `where` and `set` of the time before all modifiers that move it or make windows")
}
