//! What a question exercises: counted, so that a run shows what it covered.

use std::collections::BTreeMap;

use super::case::Outcome;
use super::draw_items::facts_of;
use super::expr::{Agg, Ex, Grain};
use super::model::Model;
use super::pairs::Pairs;
use super::question::{Form, Question, Sets};
use super::reach::{children, resolve};

/// Every feature that a run must have compared.
pub const ALL: [&str; 29] = [
    "against a direction",
    "average",
    "bare indicator",
    "composite",
    "condition",
    "conversion",
    "cube",
    "distinct",
    "distinct count",
    "drill-across",
    "expression key",
    "filter in a definition",
    "filter in SQL",
    "grain",
    "grouping sets",
    "having",
    "join",
    "limit",
    "median",
    "no grouping",
    "order",
    "own time axis",
    "range",
    "refusal",
    "request",
    "rollup",
    "segment",
    "spread",
    "view",
];

/// Counts of questions by outcome and, for those that were compared, by feature.
#[derive(Default)]
pub struct Tally {
    pub equal: usize,
    pub refused: usize,
    pub unspecified: usize,
    pub different: usize,
    pub declined: usize,
    pub pairs: Pairs,
    pub features: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub fn count(&mut self, model: &Model, question: &Question, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Unspecified) {
            self.pairs.count(model, question, outcome);
        }
        match outcome {
            Outcome::Declined(_) => self.declined += 1,
            Outcome::Equal => {
                self.equal += 1;
                of(model, question).into_iter().for_each(|f| *self.features.entry(f).or_default() += 1);
            }
            Outcome::Refused(_) => {
                self.refused += 1;
                *self.features.entry("refusal").or_default() += 1;
            }
            Outcome::Unspecified => self.unspecified += 1,
            Outcome::Different(_) => self.different += 1,
        }
    }

    /// The features that never occurred.
    pub fn missing(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|f| !self.features.contains_key(f)).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { equal, refused, unspecified, different, declined, features, .. } = self;
        writeln!(
            f,
            "{equal} equal, {refused} refused by both, {declined} refused by the engine alone, {different} different, {unspecified} unspecified"
        )?;
        features.iter().try_for_each(|(feature, count)| writeln!(f, "  {feature}: {count}"))
    }
}

fn of(model: &Model, question: &Question) -> Vec<&'static str> {
    let mut found = vec![];
    let mut when = |yes: bool, feature| {
        if yes {
            found.push(feature);
        }
    };
    let Question { keys, conditions, items, .. } = question;
    when(keys.is_empty(), "no grouping");
    when(!conditions.is_empty(), "condition");
    when(question.having.is_some(), "having");
    when(!question.order.is_empty(), "order");
    when(question.limit.is_some(), "limit");
    when(question.from.is_some() || question.to.is_some(), "range");
    when(matches!(question.sets, Sets::Rollup(_)), "rollup");
    when(question.sets == Sets::Cube, "cube");
    when(matches!(question.sets, Sets::Listed(_)), "grouping sets");
    when(question.form == Form::Sql(""), "bare indicator");
    when(question.form == Form::Request, "request");
    when(matches!(question.form, Form::Distinct(_)), "distinct");
    when(matches!(question.form, Form::View(_)), "view");
    when(keys.iter().any(|k| !matches!(k, Ex::Dim(..) | Ex::MetricTime(_))), "expression key");
    when(items.iter().any(|i| any(i, &|ex| matches!(ex, Ex::Filter(..)))), "filter in SQL");
    let cut = |ex: &Ex| matches!(ex, Ex::Dim(_, g) | Ex::MetricTime(g) if *g != Grain::Raw);
    when(keys.iter().any(|k| any(k, &cut)), "grain");

    let facts: Vec<usize> = items.iter().flat_map(|i| facts_of(model, i)).collect();
    when(facts.iter().any(|f| *f != facts[0]), "drill-across");
    let rows: Vec<Ex> = keys
        .iter()
        .chain(conditions)
        .filter_map(|ex| facts.first().and_then(|fact| resolve(model, *fact, None, ex).ok()))
        .collect();
    when(rows.iter().any(|ex| !children(ex).is_empty()), "against a direction");
    when(rows.iter().any(|ex| any(ex, &|e| matches!(e, Ex::Col(p) if !p.steps.is_empty()))), "join");
    for item in items {
        definitions(model, item, &mut when);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn definitions(model: &Model, ex: &Ex, when: &mut dyn FnMut(bool, &'static str)) {
    ex.visit(&mut |inner| {
        if let Ex::Ind(at) = inner {
            let indicator = &model.indicators[*at];
            when(indicator.time.is_some(), "own time axis");
            when(any(&indicator.definition, &|e| matches!(e, Ex::Ind(_))), "composite");
            when(any(&indicator.definition, &|e| matches!(e, Ex::Filter(..))), "filter in a definition");
            let qualifiers = indicator.trailing.iter().chain(&indicator.clause).chain([&indicator.definition]);
            qualifiers.for_each(|q| when(any(q, &|e| matches!(e, Ex::Seg(_))), "segment"));
            let has = |agg: Agg| any(&indicator.definition, &|e| matches!(e, Ex::Agg(a, ..) if *a == agg));
            when(any(&indicator.definition, &|e| matches!(e, Ex::Conversion(_))), "conversion");
            when(has(Agg::Median), "median");
            when(has(Agg::Avg), "average");
            when(has(Agg::Stddev), "spread");
            when(has(Agg::CountDistinct), "distinct count");
            definitions(model, &indicator.definition, when);
        }
    });
}

fn any(ex: &Ex, is: &dyn Fn(&Ex) -> bool) -> bool {
    let mut found = false;
    ex.visit(&mut |inner| found |= is(inner));
    found
}
