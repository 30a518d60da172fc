//! Values that are looked up beside a group's own: the total of all regions, the same month a year before.
//!
//! Their parts read the rows that the groups are made of, or rows of other ranges of the same source. So all these rows
//! are read once, each value over those of its own range, and grouped once; what is looked up is a window over the groups:
//! coarser groups are put together from them, and earlier periods lie some way before.

use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::nth_value::first_value_udwf;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, lit, when,
};

use super::axis::Axis;
use super::combine::Question;
use super::frame::{Condition, Frame, Role, outer_key};
use super::guards::guarded;
use super::part::{Part, Placed};
use super::prepared::BuiltPart;
use super::rows::distinct;
use super::running::Finals;
use super::situation::{Link, Nulls, Shows, Situation};
use super::windows::{key_column, key_name};
use crate::catalog::calendar::TimePart;
use crate::catalog::modifier::TimeSpan;
use crate::catalog::time::{earlier, interval_of};

/// The output that counts the rows of the groups' own range.
const THERE: usize = usize::MAX;

/// How the groups of a part are found from those that are shown.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    /// They are the same.
    Same,
    /// They are coarser.
    Whole,
    /// They are those of a period that lies so far before.
    Earlier { key: usize, by: TimeSpan },
}

/// A part that is looked up.
struct Lookup<'p> {
    part: &'p Part,
    way: Way,
}

/// The part that shows all groups, with those that are looked up among them, as one; and which they are.
pub(crate) fn looked_up(question: &Question<'_>, parts: &[Part]) -> Result<Option<(BuiltPart, Vec<usize>)>> {
    let mut showing = (0..parts.len()).filter(|at| parts[*at].shows() != Shows::Nothing);
    // Where other facts have groups of their own, values are looked up for these, too.
    let (Some(at), None) = (showing.next(), showing.next()) else { return Ok(None) };
    let shown = &parts[at];
    let lookup = |(at, part)| Some((at, Lookup { part, way: way_to(question, shown, part)? }));
    let found: Vec<(usize, Lookup<'_>)> = parts.iter().enumerate().filter_map(lookup).collect();
    // What cannot be put together from groups is left to a plan of its own.
    for whole in [true, false] {
        let (numbers, lookups): (Vec<usize>, Vec<&Lookup<'_>>) =
            found.iter().filter(|(_, lookup)| whole || lookup.way != Way::Whole).map(|(at, l)| (*at, l)).unzip();
        if lookups.is_empty() {
            break;
        }
        if let Some(built) = build(question, shown, &lookups)? {
            return Ok(Some((built, numbers.into_iter().chain([at]).collect())));
        }
    }
    Ok(None)
}

/// How a part's groups are found from those that another one shows, if they are made of the same rows but for ranges.
fn way_to(question: &Question<'_>, shown: &Part, part: &Part) -> Option<Way> {
    let (present, other) = (shown.situation(), part.situation());
    let plain = |situation: &Situation| {
        let frame = &situation.frame;
        frame.edges.is_empty() && frame.dated.is_empty() && frame.keys.iter().all(|key| key.role == Role::Equal)
    };
    let alike = present.frame.keys.len() == other.frame.keys.len()
        && present
            .frame
            .keys
            .iter()
            .zip(&other.frame.keys)
            .all(|(a, b)| a.expr == b.expr && a.stands_for == b.stands_for && (a.kept || !b.kept));
    let shows = shown.shows() == Shows::All && part.shows() == Shows::Nothing;
    if !(shows && alike && shown.is_beside(part) && shown.has_rows_of(part) && plain(present) && plain(other)) {
        return None;
    }
    let axis = shown.axis(question);
    if !conditions_alike(&present.frame, &other.frame, &axis) {
        return None;
    }
    let mut moved = None;
    for link in &other.links {
        let position = present.links.iter().position(|known| known.key == link.key)?;
        if present.links[position] != *link {
            let by = moved_by(link, position, &present.frame, &axis)?;
            if moved.replace((link.key, by)).is_some() {
                return None;
            }
        }
    }
    match moved {
        Some((key, by)) => follow(present, other, key, &axis).then_some(Way::Earlier { key, by }),
        None if present.frame.kept() == other.frame.kept() => Some(Way::Same),
        None => Some(Way::Whole),
    }
}

/// Whether the conditions are the same, apart from ranges that were moved.
fn conditions_alike(a: &Frame, b: &Frame, axis: &Axis<'_>) -> bool {
    let alike = |(a, b): (&Condition, &Condition)| a.expr == b.expr && (a == b || axis.range(&a.expr).is_some());
    a.conditions.len() == b.conditions.len() && a.conditions.iter().zip(&b.conditions).all(alike)
}

/// How far before a group the one lies that a link finds.
fn moved_by(link: &Link, position: usize, frame: &Frame, axis: &Axis<'_>) -> Option<TimeSpan> {
    use datafusion::arrow::datatypes::DataType;
    let [span] = link.back.as_slice() else { return None };
    let key_type = axis.key_type(&frame.keys[link.key].expr);
    // Times of several days land within one at the end of a month, so that later ones do not lie later.
    let in_order = match &key_type {
        DataType::Date32 => true,
        DataType::Timestamp(_, None) => span.months == 0,
        _ => false,
    };
    let plainly = link.outer == earlier(outer_key(position), &key_type, *span) && link.nulls == Nulls::Never;
    let back = span.months >= 0 && span.days >= 0 && span.nanoseconds >= 0;
    (in_order && plainly && back).then_some(*span)
}

/// Whether all keys that are not looked up by are coarser periods of a key.
fn follow(present: &Situation, other: &Situation, key: usize, axis: &Axis<'_>) -> bool {
    let grain = |at: usize| match axis.part(present.frame.keys[at].expr.as_input()?)? {
        TimePart::Grain(grain) => Some(grain),
        _ => None,
    };
    let Some(own) = grain(key) else { return false };
    let kept = other.frame.kept();
    let mut dropped = present.frame.kept().into_iter().filter(|at| !kept.contains(at));
    dropped.all(|at| grain(at).is_some_and(|coarser| own.nests_in(coarser)))
}

fn build(question: &Question<'_>, shown: &Part, lookups: &[&Lookup<'_>]) -> Result<Option<BuiltPart>> {
    let members: Vec<&Part> = std::iter::once(shown).chain(lookups.iter().map(|lookup| lookup.part)).collect();
    let axis = shown.axis(question);
    let all = shown.with_leaves_of(&members);
    let conditions = &shown.situation().frame.conditions;
    let moved = members.iter().any(|part| part.situation().frame.conditions != *conditions);
    let all = if moved { all.without_ranges(&axis) } else { all };
    let mut placed = all.place(question, &axis)?;
    if moved {
        each_in_its_range(question, &members, &axis, &mut placed)?;
    }
    let (prepared, finals) = all.prepare(question, placed, None)?;
    let whole = |leaf: usize| lookups.iter().any(|l| l.way == Way::Whole && l.part.leaf_numbers().contains(&leaf));
    let adds_up = |(leaf, call): &(usize, Expr)| !whole(*leaf) || adds_up(call, prepared.rows.schema());
    if prepared.fact_key.is_some() || finals.is_none() && !prepared.calls.iter().all(adds_up) {
        return Ok(None);
    }
    let calls = prepared.calls.clone();
    let links = prepared.links.clone();
    let base = prepared.aggregated(None)?;
    let groups = Groups::of(base, calls, finals)?;
    groups.with(shown, lookups, links, moved).map(Some)
}

/// Lets each value be over the rows of its own range, and counts those of the groups.
fn each_in_its_range(
    question: &Question<'_>,
    members: &[&Part],
    axis: &Axis<'_>,
    placed: &mut Placed<'_>,
) -> Result<()> {
    let mut ranges = Vec::new();
    let mut calls = placed.calls.iter_mut();
    for member in members {
        let range = member.range_filter(question, axis, &mut placed.scan)?.map(guarded);
        for (_, call) in calls.by_ref().take(member.leaf_numbers().len()) {
            *call = filtered(call.clone(), range.as_ref());
        }
        ranges.push(range);
    }
    placed.calls.push((THERE, filtered(count(lit(1_i64)), ranges[0].as_ref())));
    let ranges: Option<Vec<Expr>> = ranges.into_iter().collect();
    placed.filters.extend(ranges.and_then(|ranges| disjunction(distinct(&ranges))));
    Ok(())
}

fn filtered(call: Expr, range: Option<&Expr>) -> Expr {
    match (call, range) {
        (Expr::AggregateFunction(mut call), Some(range)) => {
            let filter = call.params.filter.take();
            let filter = filter.map_or_else(|| range.clone(), |filter| range.clone().and(*filter));
            call.params.filter = Some(Box::new(filter));
            Expr::AggregateFunction(call)
        }
        (Expr::Alias(alias), range) => filtered(*alias.expr, range).alias(alias.name),
        (other, _) => other,
    }
}

/// Groups with the outputs of aggregates, as columns.
struct Groups {
    rows: LogicalPlanBuilder,
    keys: Vec<usize>,
    /// Each output's number and call.
    calls: Vec<(usize, Expr)>,
    /// The values of leaves over the outputs, where these are not the values themselves.
    finals: Option<Finals>,
}

impl Groups {
    fn of(base: BuiltPart, calls: Vec<(usize, Expr)>, finals: Option<Finals>) -> Result<Groups> {
        let keys: Vec<usize> = base.links.iter().map(|link| link.key).collect();
        let named = keys.iter().zip(&base.keys).map(|(at, key)| key.clone().alias(key_name(*at)));
        let outputs = base.values.iter().enumerate().map(|(at, (_, value))| value.clone().alias(output_name(at)));
        let rows = LogicalPlanBuilder::from(base.plan).project(named.chain(outputs).collect::<Vec<_>>())?;
        Ok(Groups { rows, keys, calls, finals })
    }

    /// The value of a leaf over its outputs, or over windows of them.
    fn value(&self, leaf: usize, outputs: &[Expr]) -> Option<Expr> {
        match &self.finals {
            Some(finals) => finals.iter().find(|(of, _)| *of == leaf).map(|(_, value)| value.of(outputs)),
            None => self.calls.iter().position(|(of, _)| *of == leaf).map(|at| outputs[at].clone()),
        }
    }

    fn with(mut self, shown: &Part, lookups: &[&Lookup<'_>], links: Vec<Link>, moved: bool) -> Result<BuiltPart> {
        let own: Vec<Expr> = (0..self.calls.len()).map(|at| plain(&output_name(at))).collect();
        let of_own = |groups: &Groups, leaf: usize| groups.value(leaf, &own).map(|value| (leaf, value));
        let mut values: Vec<(usize, Expr)> =
            shown.leaf_numbers().into_iter().filter_map(|leaf| of_own(&self, leaf)).collect();
        for (number, lookup) in lookups.iter().enumerate() {
            let leaves = lookup.part.leaf_numbers();
            match &lookup.way {
                Way::Same => values.extend(leaves.into_iter().filter_map(|leaf| of_own(&self, leaf))),
                Way::Whole => {
                    let totals = self.totals(number, &lookup.part.situation().frame.kept(), &leaves)?;
                    values.extend(leaves.into_iter().filter_map(|leaf| Some((leaf, self.value(leaf, &totals)?))));
                }
                Way::Earlier { key, by } => {
                    let keys = lookup.part.situation().frame.kept();
                    let found: Vec<(usize, Expr)> = leaves.into_iter().filter_map(|leaf| of_own(&self, leaf)).collect();
                    for (leaf, value) in found {
                        values.push((leaf, self.earlier(&keys, (*key, *by), (leaf, value))?));
                    }
                }
            }
        }
        let there = self.value(THERE, &own).filter(|_| moved && !self.keys.is_empty());
        if let Some(rows) = there {
            self.rows = self.rows.filter(rows.gt(lit(0_i64)))?;
        }
        Ok(BuiltPart {
            keys: links.iter().map(|link| key_column(link.key)).collect(),
            plan: self.rows.build()?,
            links,
            grouping_id: None,
            values,
            shows: Shows::All,
            shown: None,
        })
    }

    /// The outputs that leaves need, put together over all groups with the same of some keys.
    fn totals(&mut self, number: usize, keys: &[usize], leaves: &[usize]) -> Result<Vec<Expr>> {
        let by: Vec<Expr> = keys.iter().map(|at| key_column(*at)).collect();
        let (mut totals, mut windows) = (Vec::new(), Vec::new());
        for (at, (leaf, call)) in self.calls.iter().enumerate() {
            // Outputs that are not put together from parts are of one leaf each.
            if self.finals.is_none() && !leaves.contains(leaf) {
                totals.push(lit(ScalarValue::Null));
                continue;
            }
            let over = WindowFunctionDefinition::AggregateUDF(match name_of(call) {
                Some("min") => min_udaf(),
                Some("max") => max_udaf(),
                _ => sum_udaf(),
            });
            let total = Expr::from(WindowFunction::new(over, vec![plain(&output_name(at))]));
            let name = format!("$total{number}_{at}");
            windows.push(total.partition_by(by.clone()).build()?.alias(&name));
            totals.push(plain(&name));
        }
        self.add(windows)?;
        Ok(totals)
    }

    /// A value of the group that lies so far before by one key, and is the same by the others.
    fn earlier(&mut self, keys: &[usize], moved: (usize, TimeSpan), of: (usize, Expr)) -> Result<Expr> {
        let ((key, by), (leaf, value)) = (moved, of);
        let before = || match interval_of(by) {
            Expr::Literal(value, _) => WindowFrameBound::Preceding(value),
            _ => WindowFrameBound::Preceding(ScalarValue::Null),
        };
        let there = WindowFrame::new_bounds(WindowFrameUnits::Range, before(), before());
        let others = keys.iter().filter(|at| **at != key).map(|at| key_column(*at)).collect();
        let name = format!("$earlier{leaf}");
        let first = WindowFunctionDefinition::WindowUDF(first_value_udwf());
        let found = Expr::from(WindowFunction::new(first, vec![value]))
            .partition_by(others)
            .order_by(vec![key_column(key).sort(true, true)])
            .window_frame(there)
            .build()?;
        self.add(vec![found.alias(&name)])?;
        // Without a time there is nothing before.
        when(key_column(key).is_not_null(), plain(&name)).end()
    }

    fn add(&mut self, windows: Vec<Expr>) -> Result<()> {
        self.rows = self.rows.clone().window(windows)?;
        Ok(())
    }
}

/// Whether the value of several groups is that of their values, to the last digit.
fn adds_up(call: &Expr, schema: &DFSchema) -> bool {
    match call {
        Expr::Alias(alias) => adds_up(&alias.expr, schema),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            let exact = |argument: &Expr| argument.get_type(schema).is_ok_and(|kind| !kind.is_floating());
            let of_parts = match func.name() {
                "sum" => params.args.iter().all(exact),
                name => matches!(name, "count" | "min" | "max"),
            };
            of_parts && !params.distinct && params.order_by.is_empty() && params.null_treatment.is_none()
        }
        _ => false,
    }
}

fn name_of(call: &Expr) -> Option<&str> {
    match call {
        Expr::Alias(alias) => name_of(&alias.expr),
        Expr::AggregateFunction(function) => Some(function.func.name()),
        _ => None,
    }
}

fn output_name(at: usize) -> String {
    format!("$o{at}")
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
