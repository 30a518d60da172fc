//! What a part of a question looks at, for whoever thinks about rollups for it.

use super::combine::Question;
use super::notes::Sought;
use super::part::Part;
use super::rolled_up::looks_elsewhere;
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, Input};

/// What cells would have to tell for a part. Which cells do is not decided here.
pub(super) fn sought(question: &Question<'_>, part: &Part) -> Sought {
    let (axis, frame) = (part.axis(question), part.frame());
    let mut never = looks_elsewhere(part).map(str::to_string);
    let mut keys = Vec::new();
    let mut filters = Vec::new();
    let groups = frame.kept().into_iter().map(|at| &frame.keys[at].expr);
    let conditions = frame.conditions.iter().map(|condition| &condition.expr).filter(|it| axis.range(it).is_none());
    let mut look_at = |expression: &Expression, found: &mut Vec<Input>| {
        for input in expression.inputs.iter().map(unmoved) {
            match (input, axis.part(input)) {
                // Which periods the cells need is for the planner to say.
                (_, Some(TimePart::Whole | TimePart::Grain(_) | TimePart::Extract(_))) => {}
                // Those of a table of days do not follow from others.
                (_, Some(part @ TimePart::Period(_))) => push(found, Input::MetricTime(part)),
                (Input::Column(_) | Input::Dimension(..), None) => push(found, input.clone()),
                _ => never = never.take().or(Some("a value is looked up for each of its rows".to_string())),
            }
        }
    };
    let edges = frame.edges.iter().flat_map(|edge| std::iter::once(&edge.edge.by).chain(&edge.edge.per));
    groups.chain(conditions).chain(edges).for_each(|expression| look_at(expression, &mut keys));
    part.leaves.iter().flat_map(|leaf| &leaf.filters).for_each(|filter| look_at(filter, &mut filters));
    let mut indicators = Vec::new();
    for asked in part.leaves.iter().filter_map(|leaf| leaf.asked).chain(part.asked) {
        if !indicators.contains(&asked) {
            indicators.push(asked);
        }
    }
    Sought { source: part.key.source, indicators, keys, filters, never, fits: vec![], missed: vec![] }
}

fn push(found: &mut Vec<Input>, input: Input) {
    if !found.contains(&input) {
        found.push(input);
    }
}

/// A time, wherever it was moved to.
fn unmoved(input: &Input) -> &Input {
    match input {
        Input::Moved(inner, _) => unmoved(inner),
        other => other,
    }
}
