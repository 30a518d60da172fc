//! A part of a question: the aggregates that share one source, one time axis, one context and one set of rows, in one
//! scan and one aggregation.

use datafusion::common::Result;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::apart::kept_apart;
use super::axis::{Axis, Precision};
use super::combine::Question;
use super::context::{Leaf, LeafKind, Surroundings};
use super::dated::Redated;
use super::edges;
use super::frame::{Frame, Role};
use super::guards::guarded;
use super::instant::TimeOp;
use super::lean;
use super::prepared::{BuiltPart, Prepared};
use super::reduce::{Reduced, reduced};
use super::rolled_up::{Rolled, rolled_up};
use super::rows::with_exact_types;
use super::running::Finals;
use super::scan::Scan;
use super::situation::{Link, Nulls, Shows, Situation};
use super::steps;
use super::windows::{self, Periods, Shape};
use crate::catalog::expr::Expression;
use crate::catalog::indicator::Measure;
use crate::catalog::modifier::Modifier;
use crate::catalog::reach::{Unreachable, flatten};
use crate::catalog::time::{cast, local, wall_clock};
use crate::catalog::{Catalog, IndicatorId, SourceId};
use crate::check::{needs_key, unreachable};
use crate::diagnostic::Diagnostic;

/// Which leaves may share a part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) source: SourceId,
    pub(super) axis: Option<Expression>,
    /// The days on which the rows count, if not on their own.
    pub(super) redated: Option<Redated>,
    pub(super) situation: Situation,
    /// Conditions against a join's direction: they choose among child rows, so they must act before de-duplication.
    pub(super) child_conditions: Vec<Expression>,
    /// The same from `filter`s, and other filters that act on rows apart.
    pub(super) child_filters: Vec<Expression>,
    /// The leaf's own conditions, where something is found among the rows that fulfil them: an edge, the last period.
    pub(super) own: Vec<Expression>,
    /// The leaf's own filters, where an edge is found among the rows that fulfil them.
    pub(super) counted: Vec<Expression>,
}

/// Leaves that share rows.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(super) key: Key,
    pub(super) precision: Precision,
    pub(super) leaves: Vec<PlacedLeaf>,
    /// For each indicator asked of it: the conditions that its rows fulfil; together they decide which groups there are.
    pub(super) alternatives: Vec<Vec<Expression>>,
    pub(super) asked: Option<IndicatorId>,
}

/// What is asked of the rows of a part, over their columns.
pub(crate) struct Placed<'q> {
    pub(crate) scan: Scan<'q>,
    pub(crate) keys: Vec<(usize, Expr)>,
    /// AND-ed.
    pub(crate) filters: Vec<Expr>,
    pub(crate) calls: Vec<(usize, Expr)>,
    pub(crate) edges: Vec<edges::PlacedEdge>,
    pub(crate) instant: Option<Expr>,
    /// The day on which a row counts, where it is not its own.
    pub(crate) day: Option<Expr>,
}

/// A leaf with its conditions flattened to the part's source.
#[derive(Debug, Clone)]
pub(super) struct PlacedLeaf {
    pub(super) number: usize,
    pub(super) aggregate: Expression,
    pub(super) conditions: Vec<Expression>,
    pub(super) filters: Vec<Expression>,
    /// The indicator that was asked for.
    pub(super) asked: Option<IndicatorId>,
}

/// Distributes the leaves over rows over as few parts as their rows allow.
pub(crate) fn parts_of(question: &Question<'_>, frame: &Frame, leaves: &[Leaf]) -> Result<Vec<Part>, Diagnostic> {
    let mut parts: Vec<Part> = Vec::new();
    let mut unreached = None;
    for (number, leaf) in leaves.iter().enumerate() {
        let LeafKind::Measure(measure) = &leaf.kind else { continue };
        let placed = place(question, frame, leaf, measure)?;
        let (looks, mut placed) = (leaf.around.looks, placed);
        for spine in spines(&placed, frame).into_iter().filter(|_| !looks) {
            // Where a modifier drops what the leaf cannot reach, the leaf has no groups of its own.
            match reaches(question, &spine, leaf.asked) {
                Ok(()) => {
                    let spine = part_for(&mut parts, spine, placed.precision, leaf.asked);
                    spine.alternatives.push(placed.leaf.conditions.clone());
                }
                Err(problem) if placed.key.situation.shows == Shows::Nothing => unreached = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        let in_a_part = |parts: &[Part], placed: &Placement| {
            parts.iter().any(|part| part.key == placed.key && part.alternatives.contains(&placed.leaf.conditions))
        };
        if looks && placed.key.situation.shows == Shows::All && !in_a_part(&parts, &placed) {
            placed.key.situation.shows = Shows::Nothing;
        }
        let mut key = placed.key;
        key.child_filters.sort_by_key(|filter| filter.expr.to_string());
        let part = part_for(&mut parts, key, placed.precision, leaf.asked);
        part.alternatives.push(placed.leaf.conditions.clone());
        part.leaves.push(PlacedLeaf { number, ..placed.leaf });
    }
    match unreached {
        Some(problem) if !frame.kept().is_empty() && !parts.iter().any(|p| p.key.situation.shows == Shows::All) => {
            Err(problem)
        }
        _ => Ok(parts),
    }
}

/// The parts without leaves that show the groups of a leaf whose own part does not: those without filters, and those
/// without modifiers.
fn spines(placed: &Placement, frame: &Frame) -> Vec<Key> {
    let key = &placed.key;
    let unfiltered = Key { child_filters: vec![], counted: vec![], ..key.clone() };
    let mut spines = Vec::new();
    if key.situation.shows != Shows::All {
        let own = if frame.edges.is_empty() { vec![] } else { placed.leaf.conditions.clone() };
        let redated = key.redated.clone().filter(|_| !frame.dated.is_empty());
        spines.push(Key { own, redated, situation: Situation::of(frame), ..unfiltered.clone() });
    }
    if !key.child_filters.is_empty() && key.situation.shows != Shows::Nothing {
        spines.push(unfiltered);
    }
    spines
}

struct Placement {
    key: Key,
    precision: Precision,
    leaf: PlacedLeaf,
}

fn place(question: &Question<'_>, frame: &Frame, leaf: &Leaf, measure: &Measure) -> Result<Placement, Diagnostic> {
    let catalog = question.catalog;
    let source = measure.source;
    let (axis, precision) = axis_of(catalog, frame, &leaf.around, source);
    let mut situation = Situation::after(frame, &leaf.around.modifiers, &question.visible, &axis)
        .map_err(|problem| asked_by(problem, catalog, leaf.asked))?;
    let redated =
        Redated::of(catalog, &situation.frame, &axis).map_err(|problem| asked_by(problem, catalog, leaf.asked))?;
    if let Some(redated) = &redated {
        redated.choose_day(&mut situation.frame, &axis);
    }
    kept_apart(catalog, &situation.frame, measure, leaf.asked)?;
    let flat = |expression: &Expression| {
        flatten(catalog, axis.standpoint(), expression)
            .map_err(|problem| refusal(catalog, source, leaf.asked, &problem))
    };
    let split = |expressions: &[Expression]| -> Result<(Vec<Expression>, Vec<Expression>), Diagnostic> {
        let flat = expressions.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
        let flat = match &redated {
            Some(redated) => flat.iter().map(|expression| redated.put_in(expression)).collect(),
            None => flat,
        };
        Ok(flat.into_iter().partition(Expression::fans_out))
    };
    let (child_conditions, conditions) = split(&leaf.around.conditions)?;
    let (child_filters, filters) = split(&leaf.around.filters)?;
    let aggregate = flat(&measure.aggregate)?;
    let edges = !situation.frame.edges.is_empty();
    let own = if edges || situation.shows == Shows::Running { conditions.clone() } else { vec![] };
    let counted = if edges { filters.clone() } else { vec![] };
    Ok(Placement {
        key: Key { source, axis: axis.axis.clone(), redated, situation, child_conditions, child_filters, own, counted },
        precision,
        leaf: PlacedLeaf { number: 0, aggregate, conditions, filters, asked: leaf.asked },
    })
}

/// The time axis of a leaf on a source.
pub(crate) fn axis_of<'c>(
    catalog: &'c Catalog,
    frame: &Frame,
    around: &Surroundings,
    source: SourceId,
) -> (Axis<'c>, Precision) {
    let axis = around.axis.as_ref().or(catalog.source(source).time.as_ref());
    let finer = |modifier: &Modifier| match modifier {
        Modifier::Shift(span) | Modifier::Trailing(span) => !span.is_whole_days(),
        Modifier::ToDate(grain) => !TimeOp::ToDate(*grain).is_whole_days(),
        _ => false,
    };
    let window = frame.window().is_some_and(|(_, window)| !window.ops.iter().all(TimeOp::is_whole_days));
    let precision = if window || around.modifiers.iter().any(finer) { Precision::Finer } else { Precision::Days };
    (Axis::new(catalog, source, axis, precision), precision)
}

fn part_for(parts: &mut Vec<Part>, key: Key, precision: Precision, asked: Option<IndicatorId>) -> &mut Part {
    let at = parts.iter().position(|part| part.key == key).unwrap_or_else(|| {
        parts.push(Part { key, precision, leaves: vec![], alternatives: vec![], asked });
        parts.len() - 1
    });
    &mut parts[at]
}

fn reaches(question: &Question<'_>, key: &Key, asked: Option<IndicatorId>) -> Result<(), Diagnostic> {
    let axis = Axis::new(question.catalog, key.source, key.axis.as_ref(), Precision::Finer);
    let frame = &key.situation.frame;
    let keys = frame.kept().into_iter().map(|at| &frame.keys[at].expr);
    for expression in keys.chain(frame.conditions.iter().map(|condition| &condition.expr)) {
        flatten(question.catalog, axis.standpoint(), expression)
            .map_err(|problem| refusal(question.catalog, key.source, asked, &problem))?;
    }
    Ok(())
}

fn refusal(catalog: &Catalog, source: SourceId, asked: Option<IndicatorId>, problem: &Unreachable) -> Diagnostic {
    asked_by(unreachable(catalog, source, problem), catalog, asked)
}

/// The problem, with the indicator that the question asks for.
pub(crate) fn asked_by(diagnostic: Diagnostic, catalog: &Catalog, asked: Option<IndicatorId>) -> Diagnostic {
    match asked {
        Some(id) => diagnostic.note(format!("asked by indicator `{}`", catalog.indicator(id).item.name)),
        None => diagnostic,
    }
}

impl Part {
    pub(crate) fn shows(&self) -> Shows {
        // A part with a child `filter` only looks values up.
        if self.key.child_filters.is_empty() { self.key.situation.shows } else { Shows::Nothing }
    }

    /// Whether rows count for periods other than their own, so that the periods must be known.
    pub(crate) fn has_window(&self) -> bool {
        self.key.situation.frame.window().is_some_and(|(_, window)| window.periods.is_none())
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.key.situation.frame
    }

    pub(crate) fn situation(&self) -> &Situation {
        &self.key.situation
    }

    pub(crate) fn links(&self) -> Vec<Link> {
        self.key.situation.links.clone()
    }

    pub(crate) fn leaf_numbers(&self) -> Vec<usize> {
        self.leaves.iter().map(|leaf| leaf.number).collect()
    }

    /// The part over the rows of all times.
    pub(crate) fn without_ranges(mut self, axis: &Axis<'_>) -> Part {
        self.key.situation.frame.conditions.retain(|condition| axis.range(&condition.expr).is_none());
        self
    }

    /// The condition of its ranges, over the rows of a scan.
    pub(crate) fn range_filter(
        &self,
        question: &Question<'_>,
        axis: &Axis<'_>,
        scan: &mut Scan<'_>,
    ) -> Result<Option<Expr>, Diagnostic> {
        let mut ranges = Frame { conditions: self.frame().conditions.clone(), ..Frame::default() };
        ranges.conditions.retain(|condition| axis.range(&condition.expr).is_some());
        Ok(conjunction(self.context_filters(question, axis, scan, &ranges)?))
    }

    pub(crate) fn axis<'q>(&self, question: &Question<'q>) -> Axis<'q> {
        Axis::new(question.catalog, self.key.source, self.key.axis.as_ref(), self.precision)
    }

    /// The plans of the part: one, or in windows of time one for each distinct count and one for all else.
    pub(crate) fn build(
        &self,
        question: &Question<'_>,
        sets: Option<&[Vec<usize>]>,
        periods: &Periods<'_>,
    ) -> Result<Vec<BuiltPart>> {
        let axis = self.axis(question);
        if sets.is_none()
            && let Some(built) = self.with_details_after(question, &axis)?
        {
            return Ok(vec![built]);
        }
        let placed = self.place(question, &axis)?;
        if let Some(built) = self.by_steps(question, &placed, sets)? {
            return Ok(vec![built]);
        }
        let (prepared, finals) = self.prepare(question, placed, sets)?;
        self.build_prepared(&axis, sets, periods, prepared, finals.as_ref())
    }

    /// The same for a part without windows.
    pub(super) fn build_grouped(&self, question: &Question<'_>, axis: &Axis<'_>) -> Result<BuiltPart> {
        let placed = self.place(question, axis)?;
        if let Some(built) = self.by_steps(question, &placed, None)? {
            return Ok(built);
        }
        let (prepared, finals) = self.prepare(question, placed, None)?;
        let built = prepared.aggregated(None)?;
        Ok(match finals {
            Some(finals) => built.finished(&finals),
            None => built,
        })
    }

    /// The same over the cells of a rollup.
    pub(crate) fn build_from_cells(
        &self,
        question: &Question<'_>,
        sets: Option<&[Vec<usize>]>,
        periods: &Periods<'_>,
        cells: Rolled,
    ) -> Result<Vec<BuiltPart>> {
        self.build_prepared(&self.axis(question), sets, periods, cells.prepared, Some(&cells.finals))
    }

    fn build_prepared(
        &self,
        axis: &Axis<'_>,
        sets: Option<&[Vec<usize>]>,
        periods: &Periods<'_>,
        prepared: Prepared,
        finals: Option<&Finals>,
    ) -> Result<Vec<BuiltPart>> {
        let frame = &self.key.situation.frame;
        let built = match frame.window() {
            Some((at, window)) => {
                let shape = Shape { frame, outer: periods.frame, at, window, axis, shows: self.shows() };
                prepared.in_windows(&shape, periods)?
            }
            None => vec![prepared.aggregated(sets)?],
        };
        Ok(match finals {
            Some(finals) => built.into_iter().map(|part| part.finished(finals)).collect(),
            None => built,
        })
    }

    pub(super) fn scan<'q>(&'q self, question: &Question<'q>) -> Scan<'q> {
        Scan::new(question.catalog, self.key.source).in_question(question).dated_by(self.key.axis.as_ref())
    }

    /// What is asked of the rows, over their columns.
    pub(crate) fn place<'q>(&'q self, question: &Question<'q>, axis: &Axis<'_>) -> Result<Placed<'q>> {
        let frame = &self.key.situation.frame;
        let mut scan = self.scan(question);
        let mut keys = Vec::new();
        // The rows are there once for each of their days, also where nothing else is asked of these.
        let day = self.key.redated.as_ref().map(|redated| scan.place(&redated.day));
        for at in frame.kept() {
            if frame.keys[at].role == Role::Equal {
                keys.push((at, scan.place_key(&self.flat(question, axis, &frame.keys[at].expr)?)));
            }
        }
        let filters = self.row_filters(question, axis, &mut scan)?;
        let calls = with_exact_types(self.leaves.iter().map(|leaf| self.aggregate(leaf, &mut scan)).collect());
        let edges = self.edges(question, axis, &mut scan)?;
        let instant = match frame.window() {
            Some(_) => Some(self.instant(question, axis, &mut scan)?),
            None => None,
        };
        let calls = self.leaves.iter().map(|leaf| leaf.number).zip(calls).collect();
        Ok(Placed { scan, keys, filters, calls, edges, instant, day })
    }

    /// With the days on which rows count only once they are put together, if that is possible.
    fn by_steps(
        &self,
        question: &Question<'_>,
        placed: &Placed<'_>,
        sets: Option<&[Vec<usize>]>,
    ) -> Result<Option<BuiltPart>> {
        let Some(dated) = self.key.redated.as_ref().and_then(Redated::dated) else { return Ok(None) };
        if self.key.situation.frame.window().is_some() {
            return Ok(None);
        }
        steps::put_together(question.catalog, dated, placed, sets, (&self.key.situation.links, self.shows()))
    }

    /// The rows, or as few cells of them as they can be added up to, and what is asked of these.
    pub(crate) fn prepare(
        &self,
        question: &Question<'_>,
        placed: Placed<'_>,
        sets: Option<&[Vec<usize>]>,
    ) -> Result<(Prepared, Option<Finals>)> {
        let reduced = match question.rewrites.reduce_rows {
            true => reduced(question, &placed, sets)?,
            false => None,
        };
        let prepared = self.over_rows(question, placed)?;
        let Some(reduced) = reduced else { return Ok((prepared, None)) };
        let Reduced { rows, keys, instant, calls, finals } = reduced;
        let calls = calls.into_iter().enumerate().collect();
        Ok((Prepared { rows, keys, instant, calls, ..prepared }, Some(finals)))
    }

    fn over_rows(&self, question: &Question<'_>, placed: Placed<'_>) -> Result<Prepared> {
        let Placed { scan, keys, filters, calls, edges, instant, day } = placed;
        let scan = scan.narrowed_by(&filters);
        let rows = match conjunction(filters).map(guarded) {
            Some(filter) => LogicalPlanBuilder::from(lean::filter(scan.build()?.build()?, filter)?),
            None => scan.build()?,
        };
        let mut fact_key = if scan.fans_out() { Some(self.fact_key(question, &scan)?) } else { None };
        fact_key.iter_mut().for_each(|key| key.extend(day.clone()));
        let own = instant.clone().map(|instant| windows::first_and_last(rows.clone(), instant)).transpose()?;
        Ok(Prepared {
            rows,
            keys,
            calls,
            edges,
            instant,
            own,
            fact_key,
            links: self.key.situation.links.clone(),
            shows: self.shows(),
        })
    }

    /// The part without leaves and the conditions of indicators.
    pub(super) fn bare(&self) -> Part {
        Part {
            key: self.key.clone(),
            precision: self.precision,
            leaves: vec![],
            alternatives: vec![],
            asked: self.asked,
        }
    }

    pub(super) fn flat(
        &self,
        question: &Question<'_>,
        axis: &Axis<'_>,
        expression: &Expression,
    ) -> Result<Expression, Diagnostic> {
        let flat = flatten(question.catalog, axis.standpoint(), expression)
            .map_err(|problem| refusal(question.catalog, self.key.source, self.asked, &problem))?;
        Ok(self.key.redated.as_ref().map_or_else(|| flat.clone(), |redated| redated.put_in(&flat)))
    }

    /// The rows' instant on the time axis.
    fn instant(&self, question: &Question<'_>, axis: &Axis<'_>, scan: &mut Scan<'_>) -> Result<Expr, Diagnostic> {
        axis.require()?;
        let Some(expression) = &self.key.axis else {
            return Err(unreachable(question.catalog, self.key.source, &Unreachable::NoTimeAxis));
        };
        let native = question.catalog.axis_type(expression);
        let value = scan.place(&self.flat(question, axis, expression)?);
        let wall = wall_clock(value, &native, &question.catalog.calendar);
        let wanted = axis.instants().data_type;
        Ok(if local(&native) == wanted { wall } else { cast(wall, wanted) })
    }

    /// The context's conditions, those against a join's direction, and the alternatives of the indicators.
    fn row_filters(
        &self,
        question: &Question<'_>,
        axis: &Axis<'_>,
        scan: &mut Scan<'_>,
    ) -> Result<Vec<Expr>, Diagnostic> {
        let frame = &self.key.situation.frame;
        let mut all = self.context_filters(question, axis, scan, frame)?;
        // A set dimension equals the row's own value, which NULL never does.
        for link in self.key.situation.links.iter().filter(|link| link.nulls == Nulls::Never) {
            let key = self.flat(question, axis, &frame.keys[link.key].expr)?;
            all.push(scan.place(&key).is_not_null());
        }
        let own = self.key.own.iter();
        all.extend(self.key.child_conditions.iter().chain(&self.key.child_filters).chain(own).map(|c| scan.place(c)));
        if self.alternatives.iter().all(|conditions| !conditions.is_empty()) {
            let mut ways: Vec<Expr> = Vec::new();
            for conditions in &self.alternatives {
                let way = conjunction(conditions.iter().map(|condition| scan.place(condition)));
                ways.extend(way.filter(|way| !ways.contains(way)));
            }
            all.extend(disjunction(ways));
        }
        Ok(all)
    }

    /// The conditions of a frame.
    fn context_filters(
        &self,
        question: &Question<'_>,
        axis: &Axis<'_>,
        scan: &mut Scan<'_>,
        frame: &Frame,
    ) -> Result<Vec<Expr>, Diagnostic> {
        let (ranges, conditions) = frame.ranges(axis)?;
        let mut all: Vec<Expr> = Vec::new();
        for condition in &conditions {
            all.push(scan.place(&self.flat(question, axis, condition)?));
        }
        if !ranges.is_empty() {
            let instant = self.instant(question, axis, scan)?;
            all.extend(ranges.iter().filter_map(|range| range.contains(&instant)));
        }
        Ok(all)
    }

    /// The aggregate call of a leaf, filtered by what not all leaves share.
    fn aggregate(&self, leaf: &PlacedLeaf, scan: &mut Scan<'_>) -> Expr {
        let shared = self.alternatives.iter().all(|conditions| *conditions == leaf.conditions);
        let own = if shared { &[][..] } else { &leaf.conditions[..] };
        let filter = conjunction(own.iter().chain(&leaf.filters).map(|condition| scan.place(condition)));
        match (scan.place(&leaf.aggregate), filter.map(guarded)) {
            (Expr::AggregateFunction(mut call), Some(filter)) => {
                call.params.filter = Some(Box::new(filter));
                Expr::AggregateFunction(call)
            }
            (call, _) => call,
        }
    }

    fn edges(
        &self,
        question: &Question<'_>,
        axis: &Axis<'_>,
        scan: &mut Scan<'_>,
    ) -> Result<Vec<edges::PlacedEdge>, Diagnostic> {
        let mut placed = Vec::new();
        for edge in &self.key.situation.frame.edges {
            let by = scan.place(&self.flat(question, axis, &edge.edge.by)?);
            let mut per = Vec::new();
            for key in &edge.edge.per {
                per.push(scan.place(&self.flat(question, axis, key)?));
            }
            let counted = conjunction(self.key.counted.iter().map(|filter| scan.place(filter))).map(guarded);
            let group = edge.group.clone().unwrap_or_default();
            let (end, origin) = (edge.edge.end, edge.origin);
            placed.push(edges::PlacedEdge { end, by, per, group, counted, origin });
        }
        Ok(placed)
    }

    fn fact_key(&self, question: &Question<'_>, scan: &Scan<'_>) -> Result<Vec<Expr>, Diagnostic> {
        match question.catalog.source(self.key.source).keys.first() {
            Some(key) => Ok(key.iter().map(|column| scan.own_column(*column)).collect()),
            None => Err(asked_by(needs_key(question.catalog, self.key.source), question.catalog, self.asked)),
        }
    }

    /// The first and the last instant with rows, whatever the range's beginning: what the periods are made from.
    pub(crate) fn bounds(&self, question: &Question<'_>) -> Result<Option<LogicalPlan>> {
        let axis = self.axis(question);
        if axis.axis.is_none() {
            return Ok(None);
        }
        let mut opened = Part { alternatives: self.alternatives.clone(), ..self.bare() };
        for condition in &mut opened.key.situation.frame.conditions {
            if axis.range(&condition.expr).is_some() {
                condition.ops.push(super::range::RangeOp::Open);
            }
        }
        if let Some(bounds) = rolled_up(question, &opened)?.and_then(|cells| cells.bounds) {
            return Ok(Some(bounds));
        }
        let mut scan = self.scan(question);
        let filter = conjunction(opened.row_filters(question, &axis, &mut scan)?).map(guarded);
        let instant = opened.instant(question, &axis, &mut scan)?;
        let rows: LogicalPlanBuilder = match filter {
            Some(filter) => scan.build()?.filter(filter)?,
            None => scan.build()?,
        };
        Ok(Some(windows::first_and_last(rows, instant)?))
    }
}
