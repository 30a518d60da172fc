//! The present, its shifts and its windows in one scan.
//!
//! Parts that read the same rows and differ only in which periods a row counts for (its own, one a year later, three
//! running ones) need the rows once: they are added up by cell ([`running::per_group`]), the cells meet one table of
//! pairs of periods and cells in which each pair says whose window it is of, and each value is aggregated over the pairs
//! of its own window.

use datafusion::common::{Column, DFSchema, JoinType, NullEquality, Result, ScalarValue, TableReference};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};

use super::combine::Question;
use super::frame::{Condition, Frame, Role, Window};
use super::part::{Key, Part};
use super::prepared::BuiltPart;
use super::rows::distinct;
use super::running;
use super::situation::Shows;
use super::windows::{self, Periods, Shape};

const PAIRS: &str = "$pairs";
const WHOSE: &str = "$whose";

/// The first parts that can share their rows, as one; and which they are.
pub(crate) fn together(
    question: &Question<'_>,
    parts: &[Part],
    periods: &Periods<'_>,
) -> Result<Option<(BuiltPart, Vec<usize>)>> {
    for part in parts.iter().filter(|part| part.has_window()) {
        let group: Vec<usize> = (0..parts.len()).filter(|at| part.reads_the_same(&parts[*at], question)).collect();
        if group.len() < 2 {
            continue;
        }
        let members: Vec<&Part> = group.iter().map(|at| &parts[*at]).collect();
        if let Some(built) = build(question, part, &members, periods)? {
            return Ok(Some((built, group)));
        }
    }
    Ok(None)
}

impl Part {
    /// Whether another part reads just the rows that this one reads, for periods of the same key: its own, or those of
    /// another window.
    pub(crate) fn reads_the_same(&self, other: &Part, question: &Question<'_>) -> bool {
        let (mine, others) = (&self.key.situation, &other.key.situation);
        let axis = self.axis(question);
        let untimed = |frame: &Frame| {
            let timed = |c: &Condition| axis.range(&c.expr).is_some() || axis.is_range_of_table(&c.expr);
            !frame.conditions.iter().any(timed) && frame.edges.is_empty() && frame.dated.is_empty()
        };
        let key_alike = |at: usize| {
            let (mine, others) = (&mine.frame.keys[at], &others.frame.keys[at]);
            let whose = others.role == Role::Equal || is_period(&mine.role) == is_period(&others.role);
            mine.expr == others.expr && mine.kept == others.kept && mine.stands_for == others.stands_for && whose
        };
        let windows = match (mine.frame.window(), others.frame.window()) {
            (Some((a, mine)), Some((b, others))) => {
                a == b && mine.grain == others.grain && mine.end == others.end && others.periods.is_none()
            }
            (Some((_, mine)), None) => mine.end.is_none() && others.shows == Shows::All,
            (None, _) => false,
        };
        self.is_beside(other)
            && windows
            && mine.links == others.links
            && mine.frame.keys.len() == others.frame.keys.len()
            && (0..mine.frame.keys.len()).all(key_alike)
            && mine.frame.conditions == others.frame.conditions
            && untimed(&mine.frame)
            && untimed(&others.frame)
            && self.alternatives_are(other)
    }

    /// Whether another part differs in its context only, and nothing else than conditions and keys decides about rows.
    pub(crate) fn is_beside(&self, other: &Part) -> bool {
        let Key { redated, child_conditions, child_filters, own, counted, .. } = &self.key;
        let plain = redated.is_none() && child_conditions.is_empty() && child_filters.is_empty();
        let same = Key { situation: self.key.situation.clone(), ..other.key.clone() } == self.key;
        plain && own.is_empty() && counted.is_empty() && same && self.precision == other.precision
    }

    /// Whether the same conditions of indicators decide about its rows.
    fn alternatives_are(&self, other: &Part) -> bool {
        let within = |a: &Part, b: &Part| a.alternatives.iter().all(|way| b.alternatives.contains(way));
        within(self, other) && within(other, self)
    }

    /// Whether the conditions of its own indicators leave all rows that those of another part leave.
    pub(crate) fn has_rows_of(&self, other: &Part) -> bool {
        let all = self.alternatives.iter().any(Vec::is_empty);
        all || other.alternatives.iter().all(|way| self.alternatives.contains(way))
    }

    /// The part with all these leaves.
    pub(crate) fn with_leaves_of(&self, parts: &[&Part]) -> Part {
        let leaves = parts.iter().flat_map(|part| part.leaves.iter().cloned()).collect();
        Part { leaves, alternatives: self.alternatives.clone(), ..self.bare() }
    }
}

fn build(question: &Question<'_>, first: &Part, members: &[&Part], periods: &Periods<'_>) -> Result<Option<BuiltPart>> {
    let all = first.with_leaves_of(members);
    let axis = all.axis(question);
    let Some((at, window)) = all.frame().window() else { return Ok(None) };
    // The period itself is a window, too.
    let own = Window { ops: vec![], ..window.clone() };
    let frame = all.frame();
    let shapes: Vec<Shape<'_>> = members
        .iter()
        .map(|part| Shape {
            frame,
            outer: periods.frame,
            at,
            window: part.frame().window().map_or(&own, |(_, window)| window),
            axis: &axis,
            shows: part.shows(),
        })
        .collect();
    let cell = windows::cell_grain(&shapes[0]);
    let alike = |shape: &Shape<'_>| windows::cell_grain(shape) == cell && windows::cells_are_exact(shape);
    if !shapes.iter().all(alike) {
        return Ok(None);
    }
    let placed = all.place(question, &axis)?;
    let (prepared, finals) = all.prepare(question, placed, None)?;
    if prepared.fact_key.is_some() || !prepared.edges.is_empty() {
        return Ok(None);
    }
    let calls: Vec<Expr> = prepared.calls.iter().map(|(_, call)| call.clone()).collect();
    // The present is computed as it is alone, to the last digit; windows are put together from days anyway.
    let of_present = |leaf: &usize| members.iter().any(|part| !part.has_window() && part.leaf_numbers().contains(leaf));
    let mut present = prepared.calls.iter().filter(|(leaf, _)| finals.is_none() && of_present(leaf));
    if !present.all(|(_, call)| adds_up_exactly(call, prepared.rows.schema())) {
        return Ok(None);
    }
    let unique = distinct(&calls);
    let (Some(reduced), Some(bounds)) = (running::per_cell(&prepared, &shapes[0], &unique)?, prepared.own.clone())
    else {
        return Ok(None);
    };
    let pairs = pairs_of_all(&shapes, &bounds, periods)?;
    let (Expr::Column(cell), Expr::Column(of_pair)) = (running::cell_column(), pair("c")) else { return Ok(None) };
    let on = (vec![cell], vec![of_pair]);
    let rows = reduced.rows.join_detailed(pairs, JoinType::Inner, on, None, NullEquality::NullEqualsNull)?;
    let period =
        frame.kept().into_iter().filter_map(|key| Some((key, windows::period_key(&shapes[0], key, pair("p"))?)));
    let mut keys: Vec<(usize, Expr)> =
        prepared.keys.iter().map(|(key, _)| (*key, windows::key_column(*key))).chain(period).collect();
    keys.sort_by_key(|(key, _)| *key);
    let groups = keys.iter().map(|(key, value)| value.clone().alias(windows::key_name(*key)));
    let groups: Vec<Expr> = groups.collect();
    let mut aggregates = vec![max(pair("shown")).alias(windows::SHOWN)];
    for number in 0..members.len() {
        for (output, aggregate) in reduced.aggregates.iter().enumerate() {
            let of_it = aggregate.clone().filter(pair(WHOSE).eq(whose(number))).build()?;
            aggregates.push(of_it.alias(output_name(number, output)));
        }
    }
    let plan = rows.aggregate(groups, aggregates)?.build()?;
    let outputs_of = |number: usize| -> Vec<Expr> {
        let raw: Vec<Expr> = (0..reduced.aggregates.len()).map(|output| plain(&output_name(number, output))).collect();
        let value = |call: &Expr| {
            let at = unique.iter().position(|known| known == call).unwrap_or_default();
            reduced.finals[at].of(&raw)
        };
        calls.iter().map(value).collect()
    };
    let mut values = Vec::new();
    for (number, part) in members.iter().enumerate() {
        let outputs = outputs_of(number);
        for leaf in part.leaf_numbers() {
            let value = match &finals {
                Some(finals) => finals.iter().find(|(of, _)| *of == leaf).map(|(_, value)| value.of(&outputs)),
                None => prepared.calls.iter().position(|(of, _)| *of == leaf).map(|call| outputs[call].clone()),
            };
            values.extend(value.map(|value| (leaf, value)));
        }
    }
    let links = first.links();
    Ok(Some(BuiltPart {
        plan,
        keys: links.iter().map(|link| windows::key_column(link.key)).collect(),
        links,
        grouping_id: None,
        values,
        shows: Shows::Running,
        shown: Some(windows::shown_column()),
    }))
}

/// The pairs of periods and cells of each window, with the window's number.
fn pairs_of_all(shapes: &[Shape<'_>], bounds: &LogicalPlan, periods: &Periods<'_>) -> Result<LogicalPlan> {
    let mut all: Option<LogicalPlanBuilder> = None;
    for (number, shape) in shapes.iter().enumerate() {
        let shown = match shape.shows {
            Shows::All => lit(true),
            Shows::Running => pair("shown"),
            Shows::Nothing => lit(false),
        };
        let pairs = LogicalPlanBuilder::from(windows::pairs(shape, bounds.clone(), periods)?).project([
            pair("p").alias("p"),
            pair("c").alias("c"),
            shown.alias("shown"),
            whose(number).alias(WHOSE),
        ])?;
        all = Some(match all {
            Some(all) => all.union(pairs.build()?)?,
            None => pairs,
        });
    }
    let Some(mut all) = all else { return datafusion::common::internal_err!("windows of nothing") };
    // Rows without a time are of the group without a period, and in no window.
    for (number, shape) in shapes.iter().enumerate().filter(|(_, shape)| shape.shows == Shows::All) {
        let unknown = lit(ScalarValue::try_from(&shape.axis.instants().data_type)?);
        let row = LogicalPlanBuilder::empty(true);
        let columns =
            [unknown.clone().alias("p"), unknown.alias("c"), lit(true).alias("shown"), whose(number).alias(WHOSE)];
        all = all.union(row.project(columns)?.build()?)?;
    }
    all.alias(PAIRS)?.build()
}

/// Whether a call gives the same digits however its rows are put together.
fn adds_up_exactly(call: &Expr, schema: &DFSchema) -> bool {
    match call {
        Expr::Alias(alias) => adds_up_exactly(&alias.expr, schema),
        Expr::AggregateFunction(function) if matches!(function.func.name(), "sum" | "avg") => {
            let exact = |argument: &Expr| argument.get_type(schema).is_ok_and(|kind| !kind.is_floating());
            function.params.args.iter().all(exact)
        }
        _ => true,
    }
}

fn whose(number: usize) -> Expr {
    lit(i64::try_from(number).unwrap_or(i64::MAX))
}

fn output_name(number: usize, output: usize) -> String {
    format!("$of{number}_{output}")
}

fn pair(name: &str) -> Expr {
    Expr::Column(Column::new(Some(TableReference::bare(PAIRS)), name))
}

fn plain(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// Whether a key is equal to the row's own, or a period that a window tells.
pub(crate) fn is_period(role: &Role) -> bool {
    !matches!(role, Role::Equal)
}
