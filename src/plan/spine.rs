//! `fill v each day`: the days of a calendar on which an indicator has no rows are groups too.
//!
//! Such a day is one group, whatever else is asked by: its other keys are NULL.

use datafusion::common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};

use super::axis::{Axis, Precision};
use super::combine::Question;
use super::context::{Surroundings, leaf_number};
use super::dated::{finest_asked, steps_for, time_of, with_day};
use super::frame::{Frame, Role};
use super::guards::guarded;
use super::part::axis_of;
use super::prepared::BuiltPart;
use super::scan::Scan;
use super::situation::{Shows, Situation};
use crate::catalog::calendar::Grain;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::modifier::Modifier;
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::reach::flatten;
use crate::catalog::time::cast;
use crate::catalog::{Catalog, SourceId};
use crate::check::unreachable;
use crate::diagnostic::{Diagnostic, codes};

/// An indicator that is shown on each day of a calendar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filler {
    pub(crate) grain: Grain,
    /// The source of some aggregate of it, whose time is meant.
    pub(crate) source: SourceId,
    pub(crate) around: Surroundings,
    /// Its aggregates.
    pub(crate) leaves: Vec<usize>,
}

/// The leaves in a value.
pub(crate) fn leaves_in(value: &Expr) -> Vec<usize> {
    value.column_refs().into_iter().filter_map(leaf_number).collect()
}

impl Filler {
    /// The days without rows as a part, if the question is by time.
    pub(crate) fn build(
        &self,
        question: &Question<'_>,
        frame: &Frame,
        built: &[BuiltPart],
    ) -> Result<Option<BuiltPart>> {
        let catalog = question.catalog;
        let (axis, _) = axis_of(catalog, frame, &self.around, self.source);
        let axis = Axis::new(catalog, self.source, axis.axis.as_ref(), Precision::Finer);
        let kept = frame.kept();
        let of_time: Vec<bool> = kept.iter().map(|at| is_of_time(&frame.keys[*at].expr, &axis)).collect();
        if !of_time.contains(&true) || self.around.modifiers.iter().any(changes_groups) {
            return Ok(None);
        }
        if kept.iter().any(|at| frame.keys[*at].role != Role::Equal) {
            return Err(unclear().into());
        }
        let spine = Spine::of(catalog, frame, &axis, self.grain)?;
        let mut scan = Scan::new(catalog, spine.source);
        let mut keys = Vec::new();
        for (position, at) in kept.iter().enumerate() {
            let key = &frame.keys[*at].expr;
            let value = if of_time[position] { spine.place(key, &mut scan)? } else { null_of(catalog, key)? };
            keys.push(value.alias(name_of(position)));
        }
        let own = self.around.conditions.iter().chain(&self.around.filters);
        let asked = frame.conditions.iter().map(|condition| &condition.expr);
        let mut conditions = Vec::new();
        for condition in asked.chain(own) {
            conditions.extend(spine.condition(condition, frame, &mut scan)?);
        }
        let days = match conjunction(conditions) {
            Some(conditions) => scan.build()?.filter(guarded(conditions))?,
            None => scan.build()?,
        };
        let days = days.project(keys)?.distinct()?.build()?;
        let plan = if of_time.contains(&false) { self.without_rows(days, built, &of_time)? } else { days };
        Ok(Some(BuiltPart {
            plan,
            keys: (0..kept.len()).map(|position| plain(&name_of(position))).collect(),
            links: Situation::of(frame).links,
            grouping_id: None,
            values: vec![],
            shows: Shows::All,
            shown: None,
        }))
    }

    /// The days on which no group of the indicator has rows.
    fn without_rows(&self, days: LogicalPlan, built: &[BuiltPart], of_time: &[bool]) -> Result<LogicalPlan> {
        let times: Vec<usize> = (0..of_time.len()).filter(|position| of_time[*position]).collect();
        let mut days = days;
        let own = |part: &&BuiltPart| {
            part.shows == Shows::All && part.values.iter().any(|(leaf, _)| self.leaves.contains(leaf))
        };
        for part in built.iter().filter(own) {
            let keys = times.iter().map(|position| part.keys[*position].clone().alias(name_of(*position)));
            let groups =
                LogicalPlanBuilder::from(part.plan.clone()).project(keys)?.distinct()?.alias("$own")?.build()?;
            let columns = |relation: Option<&str>| -> Vec<Column> {
                times.iter().map(|position| Column::new(relation, name_of(*position))).collect()
            };
            let on = (columns(None), columns(Some("$own")));
            days = LogicalPlanBuilder::from(days)
                .join_detailed(groups, JoinType::LeftAnti, on, None, NullEquality::NullEqualsNull)?
                .build()?;
        }
        Ok(days)
    }
}

/// The table of the days, seen in the place of a source's time.
struct Spine<'s> {
    catalog: &'s Catalog,
    axis: &'s Axis<'s>,
    source: SourceId,
    time: Input,
    day: Expression,
}

impl<'s> Spine<'s> {
    fn of(catalog: &'s Catalog, frame: &Frame, axis: &'s Axis<'s>, grain: Grain) -> Result<Self, Diagnostic> {
        let (time, _) = time_of(catalog, axis)?;
        let table = steps_for(catalog, finest_asked(frame, axis).unwrap_or(grain))?;
        let table = &catalog.calendar.tables[table];
        let column = Input::Column(ColumnRef { path: JoinPath::root(table.source), column: table.column });
        let day = Expression::input(column);
        let day = Expression { expr: cast(day.expr, catalog.input_type(&time)), inputs: day.inputs };
        Ok(Spine { catalog, axis, source: table.source, time, day })
    }

    /// An expression of the rows' time for a day.
    fn place(&self, expression: &Expression, scan: &mut Scan<'s>) -> Result<Expr, Diagnostic> {
        let flat = flatten(self.catalog, self.axis.standpoint(), expression)
            .map_err(|problem| unreachable(self.catalog, self.axis.source, &problem))?;
        Ok(scan.place(&with_day(&flat, &self.time, &self.day)))
    }

    /// A condition for a day, of which only its time and that its other keys are NULL are known.
    fn condition(&self, condition: &Expression, frame: &Frame, scan: &mut Scan<'s>) -> Result<Option<Expr>> {
        if is_of_time(condition, self.axis) {
            return Ok(Some(self.place(condition, scan)?));
        }
        let key = |input: &Input| frame.kept().iter().any(|at| frame.keys[*at].expr.as_input() == Some(input));
        if !condition.inputs.iter().all(|input| self.axis.is_time(input) || key(input)) {
            return Ok(None);
        }
        let mut values = Vec::new();
        for input in &condition.inputs {
            let one = Expression::input(input.clone());
            values.push(if self.axis.is_time(input) { self.place(&one, scan)? } else { null_of(self.catalog, &one)? });
        }
        Ok(Some(crate::catalog::reach::replace_inputs(condition.expr.clone(), &values)))
    }
}

fn is_of_time(expression: &Expression, axis: &Axis<'_>) -> bool {
    !expression.inputs.is_empty() && expression.inputs.iter().all(|input| axis.is_time(input))
}

/// Whether a modifier makes other groups of the question's, so that days have nothing to do with them.
fn changes_groups(modifier: &Modifier) -> bool {
    matches!(
        modifier,
        Modifier::All(_) | Modifier::Everything | Modifier::Set(..) | Modifier::Where(_) | Modifier::Visible
    )
}

fn null_of(catalog: &Catalog, key: &Expression) -> Result<Expr> {
    let types = key.inputs.iter().map(|input| catalog.input_type(input)).collect();
    let schema = crate::check::schema_of(types);
    Ok(cast(lit(ScalarValue::Null), key.expr.get_type(&schema)?))
}

fn unclear() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "`fill … each` is not clear inside a window in time")
        .help("put the window inside: `x at (each day trailing 7 days)`")
}

fn name_of(position: usize) -> String {
    format!("$d{position}")
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
