//! `fill`: every period between the first and the last one that is shown, for each combination of the other keys.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::axis::Axis;
use super::combine::Question;
use super::context::{Leaf, LeafKind};
use super::fold;
use super::frame::{Frame, Role};
use super::instant::Instants;
use super::part::axis_of;
use super::range::{end_of, start_of};
use super::windows::every_period_between;
use crate::catalog::calendar::{Calendar, Grain, TimePart};
use crate::catalog::time::{cast, part_of};
use crate::diagnostic::{Diagnostic, codes};

/// Which periods are added to the groups of a frame.
pub(crate) struct Dense {
    /// The position of the key whose periods they are, its grain and its type.
    at: usize,
    grain: Grain,
    types: Vec<DataType>,
    /// Coarser periods that follow from it.
    follow: Vec<(usize, TimePart)>,
    /// The range's bounds, where given.
    start: Option<Expr>,
    end: Option<Expr>,
    instant_type: DataType,
    common: DataType,
    calendar: Calendar,
}

const DENSE: &str = "$dense";
const THERE: &str = "there";

/// The periods to add, if the frame is grouped by periods.
///
/// # Errors
/// A diagnostic, where it is not clear which periods these are.
pub(crate) fn dense_of(question: &Question<'_>, frame: &Frame, leaves: &[Leaf]) -> Result<Option<Dense>, Diagnostic> {
    let Some(axis) = some_axis(question, frame, leaves) else { return Ok(None) };
    let kept = frame.kept();
    let part = |at: &usize| frame.keys[*at].expr.as_input().and_then(|input| axis.part(input));
    let mut periods: Vec<(Grain, usize)> = Vec::new();
    for (position, at) in kept.iter().enumerate() {
        if let Some(TimePart::Grain(grain)) = part(at) {
            periods.push((grain, position));
        }
    }
    if frame.asks_table(&axis) {
        return Err(unclear("beside periods of a calendar from a table, whose order only the table knows"));
    }
    let Some((grain, at)) = periods.iter().copied().min() else { return Ok(None) };
    if kept.iter().any(|at| frame.keys[*at].role != Role::Equal) {
        return Err(unclear("inside a window in time"));
    }
    let coarser = periods.iter().filter(|(_, position)| *position != at);
    if coarser.clone().any(|(other, _)| !grain.nests_in(*other)) {
        return Err(unclear("where periods cut each other"));
    }
    let ranges = frame.all_ranges(&axis)?;
    let instants = axis.instants();
    Ok(Some(Dense {
        at,
        grain,
        types: kept.iter().map(|at| axis.key_type(&frame.keys[*at].expr)).collect(),
        follow: coarser.map(|(grain, position)| (*position, TimePart::Grain(*grain))).collect(),
        start: start_of(&ranges),
        end: end_of(&ranges),
        instant_type: instants.data_type.clone(),
        common: instants.common.clone(),
        calendar: instants.calendar.clone(),
    }))
}

fn unclear(place: &str) -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, format!("`fill` is not clear {place}"))
        .help("ask for the indicator by one grain of time, or take `fill` out of its definition")
}

/// The time axis of some aggregate of the frame.
fn some_axis<'q>(question: &Question<'q>, frame: &Frame, leaves: &[Leaf]) -> Option<Axis<'q>> {
    leaves.iter().find_map(|leaf| {
        let (source, around) = match &leaf.kind {
            LeafKind::Measure(measure) => (measure.source, leaf.around.clone()),
            LeafKind::Fold(inner) => fold::some_fact(question.catalog, inner, &leaf.around)?,
        };
        Some(axis_of(question.catalog, frame, &around, source).0)
    })
}

impl Dense {
    /// A key of the added groups.
    pub(crate) fn column(at: usize) -> Column {
        Column::new(Some(TableReference::bare(DENSE)), format!("d{at}"))
    }

    /// Whether there is such a group, in a row of an outer join with them.
    pub(crate) fn is_there() -> Expr {
        Expr::Column(Column::new(Some(TableReference::bare(DENSE)), THERE)).is_not_null()
    }

    /// One row: the first and the last instant that is filled, as far as the question tells.
    pub(crate) fn bounds(&self) -> Result<LogicalPlan> {
        let instants = self.instants();
        let none = || cast(lit(ScalarValue::Null), self.instant_type.clone());
        let lo = self.start.clone().unwrap_or_else(none);
        let hi = self.end.clone().map_or_else(none, |end| instants.before(end));
        LogicalPlanBuilder::empty(true).project([lo.alias("lo"), hi.alias("hi")])?.build()
    }

    fn instants(&self) -> Instants<'_> {
        Instants {
            calendar: &self.calendar,
            data_type: self.instant_type.clone(),
            common: self.common.clone(),
            native: None,
        }
    }

    /// The groups with every period, from those that there are: `keys` are over `found`.
    pub(crate) fn groups(&self, found: LogicalPlan, keys: &[Expr]) -> Result<LogicalPlan> {
        let instants = self.instants();
        let period = cast(keys[self.at].clone(), self.instant_type.clone());
        let bounds = LogicalPlanBuilder::from(found.clone())
            .project([period.alias("p")])?
            .aggregate(Vec::<Expr>::new(), vec![min(plain("p")).alias("lo"), max(plain("p")).alias("hi")])?;
        let first = match &self.start {
            Some(start) => instants.start_of(start.clone(), self.grain),
            None => plain("lo"),
        };
        let last = match &self.end {
            Some(end) => instants.start_of(instants.before(end.clone()), self.grain),
            None => plain("hi"),
        };
        let mut groups = every_period_between(bounds, first, last, self.grain)?;
        let others: Vec<usize> = (0..keys.len()).filter(|at| !self.is_period(*at)).collect();
        if !others.is_empty() {
            let columns = others.iter().map(|at| keys[*at].clone().alias(format!("k{at}")));
            let combinations = LogicalPlanBuilder::from(found).project(columns)?.distinct()?.build()?;
            groups = groups.cross_join(combinations)?;
        }
        let columns = (0..keys.len()).map(|at| self.key(at, &instants).alias(format!("d{at}")));
        groups.project(columns.chain([lit(true).alias(THERE)]).collect::<Vec<_>>())?.alias(DENSE)?.build()
    }

    fn is_period(&self, at: usize) -> bool {
        at == self.at || self.follow.iter().any(|(position, _)| *position == at)
    }

    fn key(&self, at: usize, instants: &Instants<'_>) -> Expr {
        let value = match self.follow.iter().find(|(position, _)| *position == at) {
            Some((_, part)) => part_of(plain("p"), &instants.data_type, *part, &self.calendar),
            None if at == self.at => plain("p"),
            None => return plain(&format!("k{at}")),
        };
        cast(value, self.types[at].clone())
    }
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
