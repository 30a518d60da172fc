//! Ranges: top-level conditions that compare the time axis with constants, as half-open stretches of time.
//!
//! Without a time modifier a range is an ordinary condition. Modifiers move it, open it to the past, or make a window of
//! it; for that its bounds must be known as expressions.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::functions::core::expr_fn::{greatest, least};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, when};

use super::instant::{Instants, TIMESTAMP, TimeOp};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input, input_column, input_number};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::reach::{append, replace_inputs};
use crate::catalog::time::cast;

/// From an instant on, up to another one, which is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stretch {
    pub(crate) from: Option<Expr>,
    pub(crate) to: Option<Expr>,
}

/// Stretches, one of which holds; several [`Range`]s hold together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) stretches: Vec<Stretch>,
}

/// The parts of a condition that are AND-ed, each with only the inputs that it uses.
pub(crate) fn conjuncts(condition: &Expression) -> Vec<Expression> {
    split_conjunction(&condition.expr).into_iter().map(|part| narrowed(part, &condition.inputs)).collect()
}

/// An expression with only the inputs that it uses.
pub(crate) fn narrowed(expr: &Expr, all: &[Input]) -> Expression {
    let mut inputs: Vec<Input> = Vec::new();
    let values: Vec<Expr> = (0..all.len())
        .map(|at| match expr.column_refs().iter().any(|column| input_number(column) == Some(at)) {
            true => append(&mut inputs, Expression::input(all[at].clone())),
            false => Expr::Column(input_column(at)),
        })
        .collect();
    Expression { expr: replace_inputs(expr.clone(), &values), inputs }
}

/// The range that a condition on one time value is; `None` if it is another condition. `part` says what of the time
/// axis its input is.
pub(crate) fn range_of(
    condition: &Expression,
    part: impl Fn(&Input) -> Option<TimePart>,
    instants: &Instants<'_>,
) -> Option<Range> {
    let [input] = condition.inputs.as_slice() else { return None };
    let part = part(input)?;
    let reader = Reader { part, instants };
    match &condition.expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (side, op, constant) = match (is_value(left), is_value(right)) {
                (true, false) => (left, *op, right),
                (false, true) => (right, op.swap()?, left),
                _ => return None,
            };
            let stretch = reader.cast_to_day(side).compared(op, constant)?;
            Some(Range { stretches: vec![stretch] })
        }
        Expr::Between(Between { expr, negated: false, low, high }) if is_value(expr) => {
            let reader = reader.cast_to_day(expr);
            let from = reader.compared(Operator::GtEq, low)?;
            let to = reader.compared(Operator::LtEq, high)?;
            Some(Range { stretches: vec![Stretch { from: from.from, to: to.to }] })
        }
        Expr::InList(InList { expr, list, negated: false }) if is_value(expr) => {
            let reader = reader.cast_to_day(expr);
            let stretches = list.iter().map(|value| reader.compared(Operator::Eq, value)).collect::<Option<_>>()?;
            Some(Range { stretches })
        }
        _ => None,
    }
}

/// Whether an expression compares its input with constants, as a range does.
pub(crate) fn is_comparison(expr: &Expr) -> bool {
    let constant = |expr: &Expr| constant_type(expr).is_some();
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let compares = matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
            compares && (is_value(left) && constant(right) || constant(left) && is_value(right))
        }
        Expr::Between(Between { expr, negated: false, low, high }) => is_value(expr) && constant(low) && constant(high),
        Expr::InList(InList { expr, list, negated: false }) => is_value(expr) && list.iter().all(constant),
        _ => false,
    }
}

/// Whether an expression is the input itself, perhaps under casts.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => input_number(column).is_some(),
        Expr::Cast(cast) => cast.field.data_type().is_temporal() && is_value(&cast.expr),
        _ => false,
    }
}

/// Reads comparisons of one part of the time axis.
#[derive(Clone, Copy)]
struct Reader<'r, 'c> {
    part: TimePart,
    instants: &'r Instants<'c>,
}

impl Reader<'_, '_> {
    /// A timestamp cast to a date is its day.
    fn cast_to_day(mut self, side: &Expr) -> Self {
        let day = matches!(side, Expr::Cast(cast) if *cast.field.data_type() == DataType::Date32);
        if day && self.part == TimePart::Whole {
            self.part = TimePart::Grain(Grain::Day);
        }
        self
    }

    fn compared(&self, op: Operator, constant: &Expr) -> Option<Stretch> {
        let data_type = constant_type(constant)?;
        let common = &self.instants.common;
        let grain = match self.part {
            TimePart::Grain(grain) => Some(grain),
            TimePart::Whole if self.is_of_days() => Some(Grain::Day),
            TimePart::Whole => None,
            TimePart::Period(_) | TimePart::Extract(_) => return None,
        };
        // A text is read as what it is compared with; dates and timestamps are compared as instants.
        let constant = match data_type {
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => constant.clone(),
            _ => cast(constant.clone(), self.part.data_type(common, self.instants.calendar)),
        };
        let at = cast(constant.clone(), self.instants.data_type.clone());
        let (first, next, ceiling) = match grain {
            Some(grain) => {
                let start = self.instants.start_of(at.clone(), grain);
                let next = self.instants.later(start.clone(), grain.span());
                // Days are told apart from instants within them, also where instants are days.
                let whole = match &data_type {
                    DataType::Timestamp(..) => cast(start.clone(), TIMESTAMP).eq(cast(constant, TIMESTAMP)),
                    _ => start.clone().eq(at.clone()),
                };
                (at, next.clone(), when(whole, start).otherwise(next).ok()?)
            }
            None => {
                let floor = self.instants.floor(at.clone());
                let next = self.instants.next(floor.clone());
                (at.clone(), next.clone(), when(floor.clone().eq(at), floor).otherwise(next).ok()?)
            }
        };
        let (from, to) = match op {
            Operator::Eq if grain.is_some() => (Some(first), Some(self.end_if_whole(&next, &ceiling))),
            Operator::Eq => (Some(first), Some(next)),
            Operator::Gt => (Some(next), None),
            Operator::GtEq => (Some(ceiling), None),
            Operator::Lt => (None, Some(ceiling)),
            Operator::LtEq => (None, Some(next)),
            _ => return None,
        };
        Some(Stretch { from, to })
    }

    fn is_of_days(&self) -> bool {
        self.instants.common == DataType::Date32 || self.instants.native == Some(DataType::Date32)
    }

    /// No period equals an instant that does not begin one: then the stretch ends before it begins.
    fn end_if_whole(&self, next: &Expr, ceiling: &Expr) -> Expr {
        // At the beginning of a period the ceiling is the instant itself, else the next beginning.
        let begins = ceiling.clone().lt(next.clone());
        let never = self.instants.earlier(ceiling.clone(), TimeSpan { months: 0, days: 36_500, nanoseconds: 0 });
        when(begins, next.clone()).otherwise(never.clone()).unwrap_or(never)
    }
}

/// The type of an expression without columns and subqueries; `None` if it has any.
fn constant_type(expr: &Expr) -> Option<DataType> {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut constant = true;
    // The closure never fails.
    let _ = expr.apply(|part| {
        constant &= !matches!(
            part,
            Expr::Column(_)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::OuterReferenceColumn(..)
        );
        Ok(TreeNodeRecursion::Continue)
    });
    if !constant || expr.is_volatile() {
        return None;
    }
    // A comparison with NULL holds for no row, which is no range.
    expr.get_type(&DFSchema::empty()).ok().filter(|data_type| *data_type != DataType::Null && !is_null(expr))
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

/// Ranges as one, where each is a single stretch: the usual case of a lower and an upper bound.
pub(crate) fn merged(ranges: Vec<Range>) -> Vec<Range> {
    let (single, mut several): (Vec<Range>, Vec<Range>) =
        ranges.into_iter().partition(|range| range.stretches.len() == 1);
    let all = |bound: fn(&Stretch) -> &Option<Expr>| -> Vec<Expr> {
        single.iter().flat_map(|range| &range.stretches).filter_map(|s| bound(s).clone()).collect()
    };
    let (from, to) = (most(all(|s| &s.from), greatest), most(all(|s| &s.to), least));
    if !single.is_empty() {
        several.push(Range { stretches: vec![Stretch { from, to }] });
    }
    several
}

fn most(mut bounds: Vec<Expr>, pick: fn(Vec<Expr>) -> Expr) -> Option<Expr> {
    if bounds.len() > 1 { Some(pick(bounds)) } else { bounds.pop() }
}

/// The instant before which all of the ranges lie.
pub(crate) fn end_of(ranges: &[Range]) -> Option<Expr> {
    let ends = ranges.iter().filter_map(|range| {
        let ends: Option<Vec<Expr>> = range.stretches.iter().map(|stretch| stretch.to.clone()).collect();
        most(ends?, greatest)
    });
    most(ends.collect(), least)
}

/// The instant from which on they lie.
pub(crate) fn start_of(ranges: &[Range]) -> Option<Expr> {
    let starts = ranges.iter().filter_map(|range| {
        let starts: Option<Vec<Expr>> = range.stretches.iter().map(|stretch| stretch.from.clone()).collect();
        most(starts?, least)
    });
    most(starts.collect(), greatest)
}

impl Range {
    /// The range after the modifiers of a leaf that has no period of its own to change: a window is made of the range.
    pub(crate) fn changed(mut self, ops: &[RangeOp], instants: &Instants<'_>) -> Option<Range> {
        for op in ops {
            for stretch in &mut self.stretches {
                *stretch = stretch.changed(op, instants)?;
            }
        }
        Some(self)
    }

    /// Whether an instant lies in it; `None`: every one does.
    pub(crate) fn contains(&self, instant: &Expr) -> Option<Expr> {
        let inside: Option<Vec<Expr>> = self
            .stretches
            .iter()
            .map(|stretch| {
                let from = stretch.from.iter().map(|from| instant.clone().gt_eq(from.clone()));
                let to = stretch.to.iter().map(|to| instant.clone().lt(to.clone()));
                conjunction(from.chain(to))
            })
            .collect();
        disjunction(inside?)
    }

    /// Whether a period has something of it.
    pub(crate) fn meets(&self, start: &Expr, end: &Expr) -> Option<Expr> {
        let meeting: Option<Vec<Expr>> = self
            .stretches
            .iter()
            .map(|stretch| {
                let from = stretch.from.iter().map(|from| end.clone().gt(from.clone()));
                let to = stretch.to.iter().map(|to| start.clone().lt(to.clone()));
                let lasts = match (&stretch.from, &stretch.to) {
                    (Some(from), Some(to)) => Some(from.clone().lt(to.clone())),
                    _ => None,
                };
                conjunction(from.chain(to).chain(lasts))
            })
            .collect();
        disjunction(meeting?)
    }
}

/// What a modifier does to a range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RangeOp {
    /// Earlier by a length: where its instants land.
    Move(TimeSpan),
    /// The same of a window that was made of it, both ends by themselves.
    MoveWindow(TimeSpan),
    /// The equally long range just before.
    MoveByLength,
    /// What lies before it is read too.
    Open,
    /// Without a period to look at, the range's end is the point that a window ends at.
    Window(TimeOp),
}

impl Stretch {
    fn changed(&self, op: &RangeOp, instants: &Instants<'_>) -> Option<Stretch> {
        let (from, to) = (self.from.clone(), self.to.clone());
        Some(match op {
            RangeOp::Move(span) => Stretch {
                from: from.map(|at| instants.start_earlier(at, *span)),
                to: to.map(|at| instants.end_earlier(at, *span)),
            },
            RangeOp::MoveWindow(span) => Stretch {
                from: from.map(|at| instants.earlier(at, *span)),
                to: to.map(|at| instants.earlier(at, *span)),
            },
            RangeOp::MoveByLength => {
                let (from, to) = (from?, to?);
                Stretch { from: Some(instants.mirrored(&to, &from)), to: Some(from) }
            }
            RangeOp::Open => Stretch { from: None, to },
            RangeOp::Window(op) => {
                let (from, to) = instants.changed((None, to?), op);
                Stretch { from, to: Some(to) }
            }
        })
    }
}
