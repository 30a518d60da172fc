//! Evaluation contexts as values: what a leaf is grouped by and which rows it reads, after the modifiers around it.
//!
//! A [`Frame`] is a context: the question's own, or that of the values inside an aggregate over `x per d`. Modifiers turn
//! it into a [`Situation`](super::situation::Situation): another frame, with links that tell which of its groups belongs to
//! a group of the first.

use std::sync::Arc;

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::axis::Axis;
use super::dated::Redating;
use super::instant::TimeOp;
use super::range::{Range, RangeOp, Stretch, conjuncts, end_of, merged, start_of};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::modifier::Edge;
use crate::diagnostic::{Diagnostic, codes};

/// A context: one row a group, and the rows that are read for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Frame {
    pub(crate) keys: Vec<Key>,
    /// AND-ed, each without an `and` of its own.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) edges: Vec<FrameEdge>,
    /// On which days rows count, the outermost first.
    pub(crate) dated: Vec<Redating>,
}

/// Something that is grouped by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) expr: Expression,
    pub(crate) role: Role,
    /// Keys that a modifier dropped stay in their place, unused.
    pub(crate) kept: bool,
    /// Whether it is grouped by, or is a condition whose constant is the row's own value: `set d = current d - 1`.
    pub(crate) stands_for: StandsFor,
}

/// What a key is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandsFor {
    Group,
    Condition,
}

/// How rows belong to a group by one of its keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    /// By being equal.
    Equal,
    /// By lying in a window of time that the key, a period, tells.
    Window(Window),
    /// A coarser period of that key, which has a window: it follows from it.
    Follows(usize),
}

/// The windows of the periods of a grain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) grain: Grain,
    /// The window begins as the period, cut at the range's end.
    pub(crate) end: Option<Expr>,
    /// What the range was then.
    pub(crate) ranges: Vec<Expression>,
    pub(crate) ops: Vec<TimeOp>,
    /// The periods, where an outer question has settled them.
    pub(crate) periods: Option<Arc<LogicalPlan>>,
}

/// A condition on rows, with what happened to it if it is a range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) expr: Expression,
    pub(crate) kind: ConditionKind,
    pub(crate) ops: Vec<RangeOp>,
}

/// Why a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConditionKind {
    /// It was asked for.
    Asked,
    /// Without a period, modifiers of time change the range instead: what they made of it stays, whatever becomes of the
    /// conditions. The number counts the changes that the condition had before it became part of the interval.
    Interval(usize),
}

/// `first d`, `last d`, in the groups of these keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FrameEdge {
    pub(crate) edge: Edge,
    pub(crate) group: Option<Vec<usize>>,
    pub(crate) origin: Origin,
}

/// Where an edge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the leaf's own modifiers: the groups are those without it.
    Leaf,
    /// From the frame that the leaf is asked in: its groups are those of the rows at the edge.
    Frame,
}

const OUTER: &str = "outer";

/// The column that stands for a key of the outer frame: the position counts the keys in use.
pub(crate) fn outer_key(at: usize) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(OUTER)), at.to_string()))
}

/// The number of the outer key that a column stands for.
pub(crate) fn outer_number(column: &Column) -> Option<usize> {
    match &column.relation {
        Some(TableReference::Bare { table }) if table.as_ref() == OUTER => column.name.parse().ok(),
        _ => None,
    }
}

impl Key {
    pub(crate) fn equal(expr: Expression) -> Self {
        Key { expr, role: Role::Equal, kept: true, stands_for: StandsFor::Group }
    }
}

impl Condition {
    pub(crate) fn is_of_interval(&self) -> bool {
        matches!(self.kind, ConditionKind::Interval(_))
    }

    pub(crate) fn asked(expr: Expression) -> Self {
        Condition { expr, kind: ConditionKind::Asked, ops: vec![] }
    }

    pub(crate) fn all_of(conditions: &[Expression]) -> Vec<Condition> {
        conditions.iter().flat_map(conjuncts).map(Condition::asked).collect()
    }
}

/// What happened to a range, and why it holds.
type Change<'a> = (ConditionKind, &'a [RangeOp]);

impl Frame {
    /// The context of a question.
    pub(crate) fn new(keys: &[Expression], conditions: &[Expression]) -> Self {
        Frame {
            keys: keys.iter().cloned().map(Key::equal).collect(),
            conditions: Condition::all_of(conditions),
            edges: vec![],
            dated: vec![],
        }
    }

    /// The keys that are periods of time, with their grains.
    pub(crate) fn periods(&self) -> Vec<(Input, Grain)> {
        let period = |at: usize| match self.keys[at].expr.as_input() {
            Some(input @ (Input::MetricTime(TimePart::Grain(grain)) | Input::Dimension(_, TimePart::Grain(grain)))) => {
                Some((input.clone(), *grain))
            }
            _ => None,
        };
        self.kept().into_iter().filter_map(period).collect()
    }

    /// The positions of the keys in use.
    pub(crate) fn kept(&self) -> Vec<usize> {
        (0..self.keys.len()).filter(|at| self.keys[*at].kept).collect()
    }

    /// The key whose periods have windows.
    pub(crate) fn window(&self) -> Option<(usize, &Window)> {
        self.keys.iter().enumerate().find_map(|(at, key)| match &key.role {
            Role::Window(window) if key.kept => Some((at, window)),
            _ => None,
        })
    }

    /// The frame of the values inside an aggregate: these groups, for each value of `by`.
    pub(crate) fn per(mut self, by: &[Expression]) -> Self {
        self.keys.extend(by.iter().cloned().map(Key::equal));
        self
    }

    /// The ranges of a leaf, changed, and the conditions that are none.
    pub(crate) fn ranges(&self, axis: &Axis<'_>) -> Result<(Vec<Range>, Vec<Expression>), Diagnostic> {
        let mut groups: Vec<(Change<'_>, Vec<Range>)> = Vec::new();
        let mut others = Vec::new();
        for condition in &self.conditions {
            // A range that nothing happened to is read as it is written.
            let range = if condition.ops.is_empty() { None } else { axis.range(&condition.expr) };
            match range {
                None => others.push(condition.expr.clone()),
                Some(range) => {
                    let key = (condition.kind, condition.ops.as_slice());
                    match groups.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, ranges)) => ranges.push(range),
                        None => groups.push((key, vec![range])),
                    }
                }
            }
        }
        let instants = axis.instants();
        let changed = |ranges: Vec<Range>, ops: &[RangeOp]| -> Result<Vec<Range>, Diagnostic> {
            let changed = merged(ranges).into_iter().map(|range| range.changed(ops, &instants).ok_or_else(no_bounds));
            changed.collect()
        };
        let (mut all, mut interval, mut since) = (Vec::new(), Vec::new(), None);
        for ((kind, ops), ranges) in groups {
            match kind {
                ConditionKind::Asked => all.extend(changed(ranges, ops)?),
                ConditionKind::Interval(before) => {
                    let (before, after) = ops.split_at(before.min(ops.len()));
                    interval.extend(changed(ranges, before)?);
                    since = Some(after);
                }
            }
        }
        if let Some(since) = since {
            // An interval is one stretch, from the beginning of what was asked for to its end.
            let whole = Stretch { from: start_of(&interval), to: end_of(&interval) };
            all.extend(changed(vec![Range { stretches: vec![whole] }], since)?);
        }
        Ok((all, others))
    }

    /// Whether the question has periods whose order and bounds only a calendar's table knows.
    pub(crate) fn asks_table(&self, axis: &Axis<'_>) -> bool {
        let mut keys = self.kept().into_iter().flat_map(|at| &self.keys[at].expr.inputs);
        keys.any(|input| axis.is_of_table(input)) || self.conditions.iter().any(|c| axis.is_range_of_table(&c.expr))
    }

    /// The ranges as they stand now, all of them.
    pub(crate) fn all_ranges(&self, axis: &Axis<'_>) -> Result<Vec<Range>, Diagnostic> {
        let (changed, others) = self.ranges(axis)?;
        let plain: Vec<Range> = others.iter().filter_map(|condition| axis.range(condition)).collect();
        Ok(merged(plain.into_iter().chain(changed).collect()))
    }
}

/// What is missing for `previous period`.
pub(crate) fn no_bounds() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "`previous period` needs a period: the question has neither a grain of time nor a range with a beginning and an end")
        .help("group by a grain such as `metric_time__month`, or give the range both bounds")
}
