//! Answers from rollups: a part of a question over stored cells instead of its source's rows.
//!
//! A part can be put together from cells if every key is one of theirs or follows from theirs (a month from days), every
//! condition holds for whole cells, ranges begin and end where cells do, and the state of every aggregate is stored, with
//! at most conditions on keys missing. Then its keys, conditions and aggregates are written over the cells' columns, and
//! everything after (windows, links, formulas) is as over rows. Of several rollups that fit, the one with the fewest
//! cells answers. Why the others do not is told to whoever asks ([`notes`](super::notes)).

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, TableReference};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::axis::Axis;
use super::cells::{
    Kind, LaidOut, RollupPart, State, call_of, column, parts_of_rollup, question_of, relation, rows_name,
};
use super::combine::Question;
use super::edges::PlacedEdge;
use super::frame::Role;
use super::guards::guarded;
use super::notes::{Note, Notes};
use super::part::Part;
use super::prepared::Prepared;
use super::range::{Range, conjuncts};
use super::rows::columns_of;
use super::running::{Final, Finals};
use super::scan::Scan;
use super::situation::Nulls;
use super::sought;
use super::windows::{self, Shape};
use crate::catalog::calendar::{DatePart, Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::replace_inputs;
use crate::catalog::rollup::{Kept, Rollup, Stored};
use crate::catalog::time::{cast, local, wall_clock};

/// A part over cells.
pub(crate) struct Rolled {
    pub(crate) prepared: Prepared,
    pub(crate) finals: Finals,
    /// The first and the last instant of the rows, as far as the periods of the question tell instants apart; `None`, if
    /// cells do not tell.
    pub(crate) bounds: Option<LogicalPlan>,
}

/// The part over the cells of a rollup, if one can answer it.
pub(crate) fn rolled_up(question: &Question<'_>, part: &Part) -> Result<Option<Rolled>> {
    let catalog = question.catalog;
    if !question.rewrites.use_rollups {
        return Ok(None);
    }
    let supposed = question.notes.iter().flat_map(Notes::supposed);
    let all = catalog.rollups.iter().chain(supposed);
    let mut rollups: Vec<&Rollup> = all.filter(|rollup| rollup.sources.contains(&part.key.source)).collect();
    // The first that fits is the best.
    rollups.sort_by_key(|rollup| fewest_cells(rollup));
    let mut sought = question.notes.as_ref().map(|_| sought::sought(question, part));
    let mut best: Option<(Rolled, &Rollup, u64)> = None;
    for rollup in rollups {
        let fitting = fit(question, part, rollup)?;
        if let Some(sought) = &mut sought {
            match &fitting {
                Ok((kept, _)) => sought.fits.push((rollup.qualified(), kept.rows)),
                Err(missed) => sought.missed.push((rollup.qualified(), missed.clone())),
            }
        }
        match (fitting, &best) {
            (Ok((kept, rolled)), None) => {
                note(question, part, rollup, vec![], Some(kept));
                best = Some((rolled, rollup, kept.rows));
                // Whoever asks is told about the others, too.
                if question.notes.is_none() {
                    break;
                }
            }
            (Ok(_), Some((_, first, rows))) => {
                note(question, part, rollup, vec![format!("`{}` has no more cells ({rows})", first.item.name)], None);
            }
            (Err(missed), _) => note(question, part, rollup, missed, None),
        }
    }
    if let (Some(notes), Some(sought)) = (&question.notes, sought) {
        notes.seek(sought);
    }
    Ok(best.map(|(rolled, ..)| rolled))
}

/// How many cells there are in the smallest of a rollup's tables that can answer; most of all, if there is none.
fn fewest_cells(rollup: &Rollup) -> u64 {
    let cells = |stored: &Stored| match stored {
        Stored::Current(kept) => Some(kept.rows),
        Stored::Unusable(_) => None,
    };
    rollup.tables.iter().filter_map(cells).min().unwrap_or(u64::MAX)
}

fn note(question: &Question<'_>, part: &Part, rollup: &Rollup, missed: Vec<String>, late: Option<&Kept>) {
    if let Some(notes) = &question.notes {
        let source = question.catalog.source(part.key.source).item.name.clone();
        let late_since = late.filter(|kept| kept.late).map(|kept| kept.at.clone());
        notes.add(Note { rollup: rollup.qualified(), source, missed, late_since });
    }
}

/// The part over the cells of that rollup, or why not.
fn fit<'r>(
    question: &Question<'_>,
    part: &Part,
    rollup: &'r Rollup,
) -> Result<Result<(&'r Kept, Rolled), Vec<String>>> {
    let key = &part.key;
    // What is not there need not be looked at, unless somebody asks why.
    if question.notes.is_none() && fewest_cells(rollup) == u64::MAX {
        return Ok(Err(vec![]));
    }
    let plain = question_of(question.catalog);
    let parts = parts_of_rollup(&plain, rollup)?;
    let same_rows = |stored: &RollupPart| stored.part.key.source == key.source && stored.part.key.axis == key.axis;
    let Some(at) = parts.iter().position(same_rows) else {
        return Ok(Err(vec!["it goes by another time of these rows".to_string()]));
    };
    let kept = match rollup.tables.get(at) {
        Some(Stored::Current(kept)) => kept,
        Some(Stored::Unusable(reason)) => return Ok(Err(vec![reason.clone()])),
        None => return Ok(Err(vec!["nobody has looked for what it stores".to_string()])),
    };
    if let Some(reason) = looks_elsewhere(part) {
        return Ok(Err(vec![reason.to_string()]));
    }
    let mut scan = part.scan(question);
    let laid_out = LaidOut::of(&plain, &parts[at], rollup, &mut scan)?;
    let rolled = Over::new(question, part, rollup, &laid_out, &mut scan)?.part(kept)?;
    Ok(rolled.map(|rolled| (kept, rolled)))
}

/// What no cells can tell.
pub(super) fn looks_elsewhere(part: &Part) -> Option<&'static str> {
    let key = &part.key;
    if key.redated.is_some() {
        return Some("the rows count on other days than their own");
    }
    if !key.child_conditions.is_empty() || !key.child_filters.is_empty() {
        return Some("a condition looks at rows that join to the source's");
    }
    None
}

/// How a rollup's cells lie in time.
struct Time {
    /// The wall-clock time of a row, and its type.
    wall: Expr,
    data_type: DataType,
    /// The column that holds its period.
    column: Expr,
    grain: Option<Grain>,
}

/// A part, written over the columns of a rollup.
struct Over<'o, 'c, 's> {
    question: &'o Question<'c>,
    part: &'o Part,
    rollup: &'o Rollup,
    laid_out: &'o LaidOut,
    axis: Axis<'o>,
    scan: &'o mut Scan<'s>,
    /// Expressions over rows, and the columns that hold them.
    keys: Vec<(Expr, Expr)>,
    time: Option<Time>,
    /// Why it cannot answer.
    missed: Vec<String>,
}

impl<'o, 'c, 's> Over<'o, 'c, 's> {
    fn new(
        question: &'o Question<'c>,
        part: &'o Part,
        rollup: &'o Rollup,
        laid_out: &'o LaidOut,
        scan: &'o mut Scan<'s>,
    ) -> Result<Self> {
        let axis = part.axis(question);
        let mut keys: Vec<(Expr, Expr)> =
            laid_out.keys.iter().map(|(name, _, key)| (key.clone(), column(rollup, name))).collect();
        let mut time = None;
        if let Some(of_rows) = &part.key.axis {
            let native = question.catalog.axis_type(of_rows);
            let value = scan.place(&part.flat(question, &axis, of_rows)?);
            let wall = wall_clock(value, &native, &question.catalog.calendar);
            let data_type = local(&native);
            let times = laid_out.keys.iter().filter_map(|(name, input, _)| Some((name, axis.part(input)?)));
            let finest = times.filter_map(|(name, part)| match part {
                TimePart::Grain(Grain::Day) if data_type == DataType::Date32 => Some((name, None)),
                TimePart::Grain(grain) => Some((name, Some(grain))),
                TimePart::Whole => Some((name, None)),
                _ => None,
            });
            // `None` is before all grains: the time itself.
            if let Some((name, grain)) = finest.min_by_key(|(_, grain)| *grain) {
                let column = cast(column(rollup, name), data_type.clone());
                if grain.is_none() {
                    keys.push((wall.clone(), column.clone()));
                }
                time = Some(Time { wall, data_type, column, grain });
            }
        }
        Ok(Over { question, part, rollup, laid_out, axis, scan, keys, time, missed: vec![] })
    }

    fn part(mut self, kept: &Kept) -> Result<Result<Rolled, Vec<String>>> {
        let Written { filters, keys, edges, instant, calls } = self.written()?;
        if !self.missed.is_empty() {
            return Ok(Err(self.missed));
        }
        let cells = LogicalPlanBuilder::scan(relation(self.rollup), Arc::clone(&kept.table), None)?;
        let rows = match conjunction(filters).map(guarded) {
            Some(condition) => cells.filter(condition)?,
            None => cells,
        };
        let (mut outputs, mut finals): (Vec<Expr>, Finals) = (vec![], vec![]);
        for Output { leaf, merged, data_type, counts } in calls {
            let at = outputs.iter().position(|known| *known == merged).unwrap_or_else(|| {
                outputs.push(merged);
                outputs.len() - 1
            });
            finals.push((leaf, if counts { Final::Count(at) } else { Final::Same(at, data_type) }));
        }
        let own = instant.clone().map(|instant| windows::first_and_last(rows.clone(), instant)).transpose()?;
        let instant_of_cell =
            self.tells_periods().then(|| self.time.as_ref().map(|time| time.column.clone())).flatten();
        let bounds = match (&own, instant_of_cell) {
            (None, Some(time)) => {
                let instant = cast(time, self.axis.instants().data_type);
                Some(windows::first_and_last(rows.clone(), instant)?)
            }
            _ => own.clone(),
        };
        let situation = self.part.situation();
        let prepared = Prepared {
            rows,
            keys,
            calls: outputs.into_iter().enumerate().collect(),
            edges,
            instant,
            fact_key: None,
            links: situation.links.clone(),
            shows: self.part.shows(),
            own,
        };
        Ok(Ok(Rolled { prepared, finals, bounds }))
    }

    /// All that is asked of the rows. Where cells do not tell it, the reason is noted, and the rest is looked at all the
    /// same: how much is missing tells how near a rollup is.
    fn written(&mut self) -> Result<Written> {
        let frame = self.part.frame();
        let mut keys = Vec::new();
        for at in frame.kept().into_iter().filter(|at| frame.keys[*at].role == Role::Equal) {
            keys.extend(self.expression(&frame.keys[at].expr)?.map(|key| (at, key)));
        }
        let mut filters = Vec::new();
        let (ranges, conditions) = frame.ranges(&self.axis)?;
        for condition in &conditions {
            filters.extend(self.condition(condition)?);
        }
        for range in &ranges {
            filters.extend(self.range(range));
        }
        for link in self.part.situation().links.iter().filter(|link| link.nulls == Nulls::Never) {
            filters.extend(self.expression(&frame.keys[link.key].expr)?.map(Expr::is_not_null));
        }
        filters.extend(self.groups()?);
        let instant = self.instant();
        let mut calls = Vec::new();
        for leaf in 0..self.part.leaves.len() {
            calls.extend(self.leaf(leaf)?);
        }
        Ok(Written { filters, keys, edges: self.edges()?, instant, calls })
    }

    fn miss<T>(&mut self, reason: impl Into<String>) -> Option<T> {
        let reason = reason.into();
        if !self.missed.contains(&reason) {
            self.missed.push(reason);
        }
        None
    }

    /// Which cells are the first or the last of something. It is found among those with rows that fulfil the indicator's
    /// conditions, which [`Over::groups`] leaves: these are the same for all aggregates of a part with an edge.
    fn edges(&mut self) -> Result<Vec<PlacedEdge>> {
        let part = self.part;
        let mut placed = Vec::new();
        let counted = if part.frame().edges.is_empty() { None } else { self.counted()? };
        for edge in &part.frame().edges {
            let by = self.expression(&edge.edge.by)?;
            let mut per = Vec::new();
            for key in &edge.edge.per {
                per.extend(self.expression(key)?);
            }
            let (end, origin, group) = (edge.edge.end, edge.origin, edge.group.clone().unwrap_or_default());
            let counted = counted.clone();
            placed.extend(by.map(|by| PlacedEdge { end, by, per, group, counted, origin }));
        }
        Ok(placed)
    }

    /// Which cells have rows that the filters admit; only among these an end is looked for.
    fn counted(&mut self) -> Result<Option<Expr>> {
        let key = &self.part.key;
        if key.counted.is_empty() {
            return Ok(None);
        }
        let conditions: Vec<Expression> = key.own.iter().chain(&key.counted).cloned().collect();
        let found = self.with_rows(&conditions)?;
        if found.is_none() {
            let reason = "a filter decides which rows are the first or the last of something, and its cells do not tell which have such rows";
            return Ok(self.miss(reason));
        }
        Ok(found.map(guarded))
    }

    /// The condition that some row of a cell fulfils these conditions; `None`, if cells do not tell.
    fn with_rows(&mut self, conditions: &[Expression]) -> Result<Option<Expr>> {
        let laid_out = self.laid_out;
        let wanted = self.parts_of(conditions);
        for at in by_most_conditions(laid_out.ways.iter().map(Vec::as_slice)) {
            if let Some(rest) = self.rest(&wanted, &laid_out.ways[at])? {
                let there = column(self.rollup, &rows_name(at)).gt(lit(0_i64));
                return Ok(conjunction([there].into_iter().chain(rest)));
            }
        }
        Ok(None)
    }

    /// Some row of a cell fulfils the conditions of some indicator.
    fn groups(&mut self) -> Result<Option<Expr>> {
        let part = self.part;
        let mut ways: Vec<Expr> = Vec::new();
        // Without any, every row counts.
        let every = vec![vec![]];
        let alternatives = if part.alternatives.is_empty() { &every } else { &part.alternatives };
        for conditions in alternatives {
            match self.with_rows(conditions)? {
                Some(found) if ways.contains(&found) => {}
                Some(found) => ways.push(found),
                None if conditions.is_empty() => {
                    _ = self.miss::<()>("it keeps only rows that fulfil the conditions of its indicators");
                }
                None => _ = self.miss::<()>("it does not keep which rows fulfil the conditions of the indicator"),
            }
        }
        Ok(disjunction(ways))
    }

    /// The aggregate of a leaf over cells.
    fn leaf(&mut self, at: usize) -> Result<Option<Output>> {
        let (laid_out, leaf) = (self.laid_out, &self.part.leaves[at]);
        let Some((call, all)) = call_of(leaf, self.scan) else { return Ok(self.miss("an aggregate is none")) };
        let conditions: Vec<Expression> = leaf.conditions.iter().chain(&leaf.filters).cloned().collect();
        let when = self.parts_of(&conditions);
        if !all.iter().all(|it| when.iter().any(|(_, placed)| placed == it)) {
            return Ok(self.miss("an aggregate has a filter of its own"));
        }
        let answers = |state: &State| {
            let asked = leaf.asked.is_some_and(|asked| state.only_for.contains(&asked));
            state.call == call && (state.only_for.is_empty() || asked)
        };
        for number in by_most_conditions(laid_out.states.iter().map(|state| state.when.as_slice())) {
            let state = &laid_out.states[number];
            if !answers(state) {
                continue;
            }
            if let Some(rest) = self.rest(&when, &state.when)? {
                return Ok(Some(self.put_together(leaf.number, &call, state, rest)?));
            }
        }
        let shown = Expr::AggregateFunction(call.clone()).schema_name().to_string();
        let stored = laid_out.states.iter().any(|state| state.call == call);
        Ok(self.miss(match stored {
            true if laid_out.states.iter().any(answers) => {
                format!("it stores `{shown}` of other rows, and what tells them apart is not among its keys")
            }
            true => format!("it stores `{shown}` for approximate answers only"),
            false => format!("it does not store `{shown}`"),
        }))
    }

    fn put_together(&self, leaf: usize, call: &AggregateFunction, state: &State, rest: Vec<Expr>) -> Result<Output> {
        let merged = state.put_together(&self.laid_out.schema, column(self.rollup, &state.column))?;
        let merged = match conjunction(rest).map(guarded) {
            Some(condition) => merged.filter(condition).build()?,
            None => merged,
        };
        let data_type = match state.kind {
            Kind::Estimated => DataType::Int64,
            _ => Expr::AggregateFunction(call.clone()).get_type(&self.laid_out.schema)?,
        };
        Ok(Output { leaf, merged, data_type, counts: state.kind == Kind::Count })
    }

    /// What of `wanted` is not among `stored`, over cells; `None`, if cells do not tell, or if not all of `stored` is wanted.
    fn rest(&mut self, wanted: &[(Expression, Expr)], stored: &[Expr]) -> Result<Option<Vec<Expr>>> {
        if !stored.iter().all(|it| wanted.iter().any(|(_, placed)| placed == it)) {
            return Ok(None);
        }
        // This only tries.
        let missed = self.missed.clone();
        let mut rest = Vec::new();
        for (condition, placed) in wanted.iter().filter(|(_, placed)| !stored.contains(placed)) {
            let found = match self.replaced(placed) {
                Some(condition) => Some(condition),
                None => self.condition(condition)?,
            };
            match found {
                Some(condition) => rest.push(condition),
                None => {
                    self.missed = missed;
                    return Ok(None);
                }
            }
        }
        Ok(Some(rest))
    }

    /// Conditions in parts, as they are declared and over the columns of rows.
    fn parts_of(&mut self, conditions: &[Expression]) -> Vec<(Expression, Expr)> {
        let mut all = Vec::new();
        for part in conditions.iter().flat_map(conjuncts) {
            for placed in split_conjunction_owned(self.scan.place(&part)) {
                all.push((part.clone(), placed));
            }
        }
        all
    }

    /// The time of a cell, where windows in time are asked for.
    fn instant(&mut self) -> Option<Expr> {
        let part = self.part;
        let (at, window) = part.frame().window()?;
        let Some(time) = &self.time else { return self.miss("it has no time among its keys") };
        let shape =
            Shape { frame: part.frame(), outer: part.frame(), at, window, axis: &self.axis, shows: part.shows() };
        let cell = windows::cell_grain(&shape);
        let exact = time.grain.is_none_or(|grain| windows::cells_are_exact(&shape) && cell.consists_of(grain));
        match exact {
            true => Some(cast(time.column.clone(), self.axis.instants().data_type)),
            false => self.miss(format!("windows in time need cells by {}", cell.name())),
        }
    }

    /// Whether the time of cells tells the periods that are asked for.
    fn tells_periods(&self) -> bool {
        let periods = self.part.frame().periods();
        let grain = self.time.as_ref().and_then(|time| time.grain);
        grain.is_none_or(|grain| {
            !periods.is_empty() && periods.iter().all(|(_, wanted)| *wanted >= Grain::Day) && grain <= Grain::Day
        })
    }

    /// A range, over the time of cells.
    fn range(&mut self, range: &Range) -> Option<Expr> {
        let Some(time) = &self.time else { return self.miss("it has no time among its keys") };
        let instants = self.axis.instants();
        let bounds = || range.stretches.iter().flat_map(|stretch| stretch.from.iter().chain(&stretch.to));
        let begins = |bound: &Expr, grain| is_true(&instants.start_of(bound.clone(), grain).eq(bound.clone()));
        match time.grain {
            Some(grain) if !bounds().all(|bound| begins(bound, grain)) => {
                self.miss(format!("a range does not begin and end with a {}", grain.name()))
            }
            _ => Some(range.contains(&cast(time.column.clone(), instants.data_type)).unwrap_or(lit(true))),
        }
    }

    /// A condition over cells.
    fn condition(&mut self, condition: &Expression) -> Result<Option<Expr>> {
        if let Some(placed) = self.placed(condition)?.and_then(|placed| self.replaced(&placed)) {
            return Ok(Some(placed));
        }
        match self.axis.range(condition) {
            Some(range) => Ok(self.range(&range)),
            None => self.expression(condition),
        }
    }

    /// A value of a row over cells.
    fn expression(&mut self, expression: &Expression) -> Result<Option<Expr>> {
        let whole = self.placed(expression)?;
        if let Some(found) = whole.as_ref().and_then(|placed| self.replaced(placed)) {
            return Ok(Some(found));
        }
        let mut values = Vec::new();
        for input in &expression.inputs {
            let placed = self.placed(&Expression::input(input.clone()))?;
            let value = placed.and_then(|placed| self.replaced(&placed).or_else(|| self.of_time(input, &placed)));
            match value {
                Some(value) => values.push(value),
                None if self.axis.part(input).is_some() => {
                    let reason = format!("its cells do not tell `{}`", self.axis.name(input));
                    return Ok(self.miss(reason));
                }
                None => {
                    let reason = format!("`{}` is not among its keys", self.axis.name(input));
                    return Ok(self.miss(reason));
                }
            }
        }
        Ok(Some(replace_inputs(expression.expr.clone(), &values)))
    }

    /// A value over the columns of rows; `None`, if it is looked up for each row in another way.
    fn placed(&mut self, expression: &Expression) -> Result<Option<Expr>> {
        let flat = self.part.flat(self.question, &self.axis, expression)?;
        let plain = flat.inputs.iter().all(|input| matches!(input, Input::Column(_) | Input::Period(..)));
        Ok(plain.then(|| self.scan.place(&flat)))
    }

    /// A period or a date part of the time axis, which follows from the period that a cell is of.
    fn of_time(&self, input: &Input, placed: &Expr) -> Option<Expr> {
        let time = self.time.as_ref()?;
        let follows = match self.axis.part(input)? {
            TimePart::Grain(wanted) => time.grain.is_none_or(|grain| wanted.consists_of(grain)),
            TimePart::Extract(part) => time.grain.is_none_or(|grain| grain <= coarsest_telling(part)),
            TimePart::Whole | TimePart::Period(_) => time.grain.is_none(),
        };
        let start = cast(time.column.clone(), time.data_type.clone());
        let keys = [(time.wall.clone(), start)];
        if follows { replaced(placed, &keys, &relation(self.rollup)) } else { None }
    }

    /// An expression over rows, over cells.
    fn replaced(&self, expr: &Expr) -> Option<Expr> {
        replaced(expr, &self.keys, &relation(self.rollup))
    }
}

/// A part over cells, before it is a plan.
struct Written {
    filters: Vec<Expr>,
    keys: Vec<(usize, Expr)>,
    edges: Vec<PlacedEdge>,
    instant: Option<Expr>,
    calls: Vec<Output>,
}

/// An aggregate over cells.
struct Output {
    leaf: usize,
    merged: Expr,
    /// The type that it has over rows.
    data_type: DataType,
    /// Whether it is a number of rows: of none, 0.
    counts: bool,
}

/// Positions, those with the most conditions first: what they leave to be filtered is least.
fn by_most_conditions<'w>(ways: impl Iterator<Item = &'w [Expr]>) -> Vec<usize> {
    let mut order: Vec<(usize, usize)> = ways.map(<[Expr]>::len).enumerate().collect();
    order.sort_by_key(|(_, conditions)| std::cmp::Reverse(*conditions));
    order.into_iter().map(|(at, _)| at).collect()
}

/// An expression with what keys hold replaced by their columns; `None`, if something else is left of the rows.
fn replaced(expr: &Expr, keys: &[(Expr, Expr)], relation: &TableReference) -> Option<Expr> {
    let found = expr.clone().transform_down(|part| {
        Ok(match keys.iter().find(|(of_rows, _)| *of_rows == part) {
            Some((_, column)) => Transformed::new(column.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(part),
        })
    });
    let found = found.ok()?.data;
    let of_cells = |column: &Expr| matches!(column, Expr::Column(column) if column.relation.as_ref() == Some(relation));
    columns_of(&found).iter().all(of_cells).then_some(found)
}

/// The coarsest periods whose beginnings still tell a part of a date.
fn coarsest_telling(part: DatePart) -> Grain {
    match part {
        DatePart::Hour => Grain::Hour,
        DatePart::Minute => Grain::Minute,
        DatePart::Second => Grain::Second,
        _ => Grain::Day,
    }
}

/// Whether a condition without columns holds.
fn is_true(condition: &Expr) -> bool {
    matches!(
        ExprSimplifier::new(SimplifyContext::default()).simplify(condition.clone()),
        Ok(Expr::Literal(ScalarValue::Boolean(Some(true)), _))
    )
}
