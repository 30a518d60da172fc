//! `avg(x per d)`: an inner question with d among its keys, and an aggregate over its values.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::axis::Axis;
use super::combine::{Question, answer_leaves};
use super::context::{Leaf, LeafKind, Leaves, Surroundings};
use super::frame::{Frame, Role};
use super::part::{asked_by, axis_of, parts_of};
use super::prepared::BuiltPart;
use super::refuse::made_of_masked;
use super::rows::Rows;
use super::situation::{Nulls, Shows, Situation};
use super::windows::{Periods, Shape};
use crate::catalog::expr::{Expression, Fold};
use crate::catalog::reach::replace_inputs;
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{Catalog, IndicatorId, SourceId};
use crate::diagnostic::{Diagnostic, codes};

/// Folds of the same inner question.
pub(crate) struct FoldPart {
    situation: Situation,
    by: Vec<Expression>,
    /// What surrounds the values inside: the modifiers have acted already.
    inside: Surroundings,
    /// The source and surroundings of some aggregate inside: its axis is the time of the modifiers.
    source: SourceId,
    around: Surroundings,
    asked: Option<IndicatorId>,
    folds: Vec<(usize, Fold)>,
    /// Whether it is only looked up for the groups that others show.
    looks: bool,
}

/// An input of an aggregate over values.
enum Inner {
    /// What the values are for, by position.
    Key(usize),
    /// A formula over the leaves inside.
    Value(Expr),
}

/// The leaves that fold values, grouped by their inner question.
pub(crate) fn folds_of(question: &Question<'_>, frame: &Frame, leaves: &[Leaf]) -> Result<Vec<FoldPart>, Diagnostic> {
    let mut parts: Vec<FoldPart> = Vec::new();
    for (number, leaf) in leaves.iter().enumerate() {
        let LeafKind::Fold(fold) = &leaf.kind else { continue };
        // Over masks there would be one value where there are many.
        fold.by.iter().try_for_each(|by| made_of_masked(question.catalog, by))?;
        let (source, around, mut situation) = situation_of(question, frame, leaf, fold)?;
        let looks = leaf.around.looks;
        if looks && situation.shows == Shows::All {
            situation.shows = Shows::Nothing;
        }
        let inside = Surroundings { modifiers: vec![], looks: false, ..leaf.around.clone() };
        // Other values have other groups: what one of them lacks, another must not add.
        let values =
            |part: &FoldPart| part.folds.iter().all(|(_, other)| other.aggregate.inputs == fold.aggregate.inputs);
        let same = |part: &FoldPart| {
            part.situation == situation
                && part.by == fold.by
                && part.inside == inside
                && part.looks == looks
                && values(part)
        };
        match parts.iter_mut().find(|part| same(part)) {
            Some(part) => {
                part.folds.push((number, fold.clone()));
                // What several ask for, no one of them stands for.
                part.asked = part.asked.filter(|asked| Some(*asked) == leaf.asked);
            }
            None => parts.push(FoldPart {
                situation,
                by: fold.by.clone(),
                inside,
                source,
                around,
                asked: leaf.asked,
                folds: vec![(number, fold.clone())],
                looks,
            }),
        }
    }
    Ok(parts)
}

/// The context of a fold, which must be one for all aggregates inside it.
fn situation_of(
    question: &Question<'_>,
    frame: &Frame,
    leaf: &Leaf,
    fold: &Fold,
) -> Result<(SourceId, Surroundings, Situation), Diagnostic> {
    let catalog = question.catalog;
    let mut found: Option<(SourceId, Surroundings, Situation)> = None;
    for (source, time) in facts_of(catalog, fold, &leaf.around) {
        let around = Surroundings { axis: time, ..leaf.around.clone() };
        let (axis, _) = axis_of(catalog, frame, &around, source);
        let situation = Situation::after(frame, &around.modifiers, &question.visible, &axis)
            .map_err(|problem| asked_by(problem, catalog, leaf.asked))?;
        match &found {
            None => found = Some((source, around, situation)),
            Some((_, _, known)) if *known == situation => {}
            Some(_) => return Err(asked_by(different_times(), catalog, leaf.asked)),
        }
    }
    // `check` admits only formulas with an aggregate somewhere inside.
    found.ok_or_else(|| Diagnostic::new(codes::CONTEXT, "an aggregate over values that measure nothing"))
}

fn facts_of(catalog: &Catalog, fold: &Fold, around: &Surroundings) -> Vec<(SourceId, Option<Expression>)> {
    let mut facts = Vec::new();
    let outer = Around { conditions: vec![], time: around.axis.clone() };
    for_each_measure(catalog, &fold.aggregate, &outer, &mut |measure, around| {
        let fact = (measure.source, around.time.clone());
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    });
    facts
}

/// The source of some aggregate inside a fold, with what surrounds it.
pub(crate) fn some_fact(catalog: &Catalog, fold: &Fold, around: &Surroundings) -> Option<(SourceId, Surroundings)> {
    let (source, time) = facts_of(catalog, fold, around).into_iter().next()?;
    Some((source, Surroundings { axis: time, ..around.clone() }))
}

fn different_times() -> Diagnostic {
    Diagnostic::new(
        codes::CONTEXT,
        "the aggregates inside a `per` have different times, so a modifier around it means different things for them",
    )
    .help("put the modifier inside, or group by `metric_time`")
}

impl FoldPart {
    pub(crate) fn has_window(&self) -> bool {
        self.situation.frame.window().is_some_and(|(_, window)| window.periods.is_none())
    }

    fn axis<'q>(&self, question: &Question<'q>, frame: &Frame) -> Axis<'q> {
        axis_of(question.catalog, frame, &self.around, self.source).0
    }

    /// The frame of the values, without `per`, whose periods are settled.
    fn settled(&self, question: &Question<'_>, periods: &Periods<'_>) -> Result<Frame> {
        let mut frame = self.situation.frame.clone();
        if let Some((at, window)) = self.situation.frame.window() {
            let axis = self.axis(question, &frame);
            let shape = Shape {
                frame: &self.situation.frame,
                outer: periods.frame,
                at,
                window,
                axis: &axis,
                shows: self.situation.shows,
            };
            let plan = Arc::new(periods.settled(&shape)?);
            if let Role::Window(window) = &mut frame.keys[at].role {
                window.periods = Some(plan);
            }
        }
        Ok(frame)
    }

    /// What is asked inside, and the inputs of each aggregate over it: a key stands for itself.
    fn leaves(&self, catalog: &Catalog) -> (Leaves, Vec<Vec<Inner>>) {
        let mut leaves = Leaves::of(catalog, &self.situation.frame.clone().per(&self.by));
        let values = self.folds.iter().map(|(_, fold)| {
            let inputs = fold.aggregate.inputs.iter();
            let inner = |input| match fold.key(input) {
                Some(key) => Inner::Key(key),
                None => Inner::Value(leaves.expand_input(catalog, input, &self.inside, self.asked)),
            };
            inputs.map(inner).collect()
        });
        let values = values.collect();
        (leaves, values)
    }

    /// The fold as a part, and the parts that show its groups where it does not.
    pub(crate) fn build(
        &self,
        question: &Question<'_>,
        outer: &Frame,
        periods: &Periods<'_>,
    ) -> Result<Vec<BuiltPart>> {
        let mut built = Vec::new();
        // Where only the rows at an edge are left, a group may have lost all of its rows.
        let at_an_edge = self.situation.frame.edges.len() > outer.edges.len();
        if !self.looks && (self.situation.shows != Shows::All || at_an_edge) {
            built.extend(self.spine(question, outer)?);
        }
        let frame = self.settled(question, periods)?;
        if at_an_edge && self.situation.shows == Shows::Running {
            let edges = outer.edges.clone();
            let part = self.over(question, &Frame { edges, ..frame.clone() }, &self.situation, false)?;
            built.push(self.with_shown(question, outer, part)?);
        }
        let mut part = self.over(question, &frame, &self.situation, true)?;
        if part.shows == Shows::Running {
            part = self.with_shown(question, outer, part)?;
        }
        built.push(part);
        Ok(built)
    }

    /// The groups in which the values have rows without any modifier.
    fn spine(&self, question: &Question<'_>, outer: &Frame) -> Result<Option<BuiltPart>> {
        let plain = Situation::of(outer);
        match self.over(question, outer, &plain, false) {
            Ok(part) => Ok(Some(part)),
            // What a modifier drops need not be reached.
            Err(_) if self.situation.shows == Shows::Nothing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells which of its groups a running window shows.
    fn with_shown(&self, question: &Question<'_>, outer: &Frame, part: BuiltPart) -> Result<BuiltPart> {
        let frame = &self.situation.frame;
        let Some((at, window)) = frame.window() else { return Ok(part) };
        let axis = self.axis(question, frame);
        let shape = Shape { frame, outer, at, window, axis: &axis, shows: part.shows };
        let position = self.situation.links.iter().position(|link| link.key == at).unwrap_or_default();
        let mut exprs: Vec<Expr> = Vec::new();
        exprs.extend(part.keys.iter().enumerate().map(|(at, key)| key.clone().alias(format!("$g{at}"))));
        exprs.extend(part.values.iter().map(|(at, value)| value.clone().alias(format!("$v{at}"))));
        let own = super::windows::overall(&self.bounds(question)?, &axis.instants())?.alias("$own")?.build()?;
        let plan = LogicalPlanBuilder::from(part.plan).project(exprs)?.cross_join(own)?.build()?;
        let bound = |name: &str| Expr::Column(datafusion::common::Column::new(Some("$own"), name));
        let period = crate::catalog::time::cast(column(&format!("$g{position}")), axis.instants().data_type);
        Ok(BuiltPart {
            shown: Some(shape.shown(period, (bound("lo"), bound("hi")))?),
            keys: (0..part.keys.len()).map(|at| column(&format!("$g{at}"))).collect(),
            values: part.values.iter().map(|(at, _)| (*at, column(&format!("$v{at}")))).collect(),
            plan,
            ..part
        })
    }

    /// The inner question of a frame, folded to the frame's groups.
    fn over(&self, question: &Question<'_>, frame: &Frame, situation: &Situation, values: bool) -> Result<BuiltPart> {
        let (leaves, inputs) = self.leaves(question.catalog);
        let inner = frame.clone().per(&self.by);
        let joined = answer_leaves(question, &inner, &leaves, None)?;
        let kept = frame.kept();
        let mut columns: Vec<Expr> = Vec::new();
        for (at, key) in joined.keys.iter().enumerate() {
            columns.push(key.clone().alias(format!("$d{at}")));
        }
        let mut calls = Vec::new();
        for ((_, fold), inputs) in self.folds.iter().zip(inputs).filter(|_| values) {
            let mut names = Vec::new();
            for input in inputs {
                let value = match input {
                    // Those of the fold come after those of the frame.
                    Inner::Key(key) => joined.keys[kept.len() + key].clone(),
                    Inner::Value(value) => joined.values_of(vec![value], &leaves)?.remove(0),
                };
                let name = format!("$x{}", columns.len());
                columns.push(value.alias(&name));
                names.push(column(&name));
            }
            calls.push(replace_inputs(fold.aggregate.expr.clone(), &names));
        }
        let mut rows = LogicalPlanBuilder::from(joined.plan).project(columns)?;
        // No group belongs to NULL by these.
        for link in situation.links.iter().filter(|link| link.nulls == Nulls::Never) {
            let at = kept.iter().position(|known| *known == link.key).unwrap_or_default();
            rows = rows.filter(column(&format!("$d{at}")).is_not_null())?;
        }
        let keys: Vec<Expr> = (0..kept.len()).map(|at| column(&format!("$d{at}"))).collect();
        let unique = super::rows::distinct(&calls);
        let aggregated = Rows { builder: rows, keys, aggregates: unique.clone() }.aggregate(None)?;
        let value = |call: &Expr| {
            let at = unique.iter().position(|known| known == call).unwrap_or_default();
            aggregated.values[at].clone()
        };
        let numbered = self.folds.iter().map(|(number, _)| *number).zip(calls.iter().map(value)).collect();
        let at = |key: usize| kept.iter().position(|known| *known == key).unwrap_or_default();
        Ok(BuiltPart {
            keys: situation.links.iter().map(|link| aggregated.keys[at(link.key)].clone()).collect(),
            links: situation.links.clone(),
            grouping_id: None,
            values: numbered,
            shows: situation.shows,
            shown: None,
            plan: aggregated.plan,
        })
    }

    /// The first and last instants of the aggregates inside, in their own context.
    pub(crate) fn bounds(&self, question: &Question<'_>) -> Result<Vec<LogicalPlan>> {
        self.bounds_in(question, &self.situation.frame)
    }

    /// The same in another context.
    pub(crate) fn bounds_in(&self, question: &Question<'_>, frame: &Frame) -> Result<Vec<LogicalPlan>> {
        let (leaves, _) = self.leaves(question.catalog);
        let mut inner = frame.clone();
        // Only what rows there are matters, not how they are grouped.
        inner.keys.iter_mut().for_each(|key| key.kept = false);
        inner.edges.clear();
        let bare: Vec<Leaf> = leaves
            .leaves
            .iter()
            .map(|leaf| Leaf { around: Surroundings { modifiers: vec![], ..leaf.around.clone() }, ..leaf.clone() })
            .collect();
        let mut all = Vec::new();
        for part in parts_of(question, &inner, &bare)? {
            all.extend(part.bounds(question)?);
        }
        for fold in folds_of(question, &inner, &bare)? {
            all.extend(fold.bounds(question)?);
        }
        Ok(all)
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(name))
}
