//! Which expectations are asked together, and what becomes of them where that fails.

use chrono::NaiveDateTime;

use super::{rows, values};
use crate::catalog::expectation::{EveryValue, Expectation, Subject};
use crate::catalog::{Catalog, SourceId};
use crate::engine::Engine;
use crate::error::Result;
use crate::store::manifest::{Finding, Kept};

/// Expectations that one question answers, by position in the catalog.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) members: Vec<usize>,
    of: Of,
}

#[derive(Debug, Clone, PartialEq)]
enum Of {
    /// The rows of a source.
    Source(SourceId),
    /// Values by the keys, and of the rows, of the expectation at that position.
    Values(usize),
}

/// Expectations as groups, in order of their first members.
pub(super) fn grouped(catalog: &Catalog, chosen: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for at in chosen {
        let of = match &catalog.expectations[*at].subject {
            Subject::Rows(rows) => Of::Source(rows.source),
            Subject::Fresh(fresh) => Of::Source(fresh.source),
            Subject::Values(values) => {
                let alike =
                    |first: &usize| first_values(catalog, *first).is_some_and(|known| asked_alike(known, values));
                let known = groups.iter().filter_map(|group| match group.of {
                    Of::Values(first) => Some(first),
                    Of::Source(_) => None,
                });
                Of::Values(known.clone().find(alike).unwrap_or(*at))
            }
        };
        match groups.iter_mut().find(|group| group.of == of) {
            Some(group) => group.members.push(*at),
            None => groups.push(Group { members: vec![*at], of }),
        }
    }
    groups
}

fn first_values(catalog: &Catalog, at: usize) -> Option<&EveryValue> {
    match &catalog.expectations[at].subject {
        Subject::Values(values) => Some(values),
        _ => None,
    }
}

fn asked_alike(one: &EveryValue, other: &EveryValue) -> bool {
    one.by == other.by && one.conditions == other.conditions
}

impl Group {
    /// What is found of its members, with their positions. Where they cannot be asked together each is asked alone, so that
    /// none fails for another.
    pub(super) async fn findings(&self, engine: &Engine, as_of: NaiveDateTime) -> Vec<(usize, Finding)> {
        match self.asked(engine, as_of).await {
            Ok(findings) => self.members.iter().copied().zip(findings).collect(),
            Err(error) if self.members.len() == 1 => {
                let message = format!("it could not be found out: {error}");
                let finding = finding(&engine.catalog().expectations[self.members[0]], Kept::Failed);
                vec![(self.members[0], Finding { message: Some(message), ..finding })]
            }
            Err(_) => {
                let mut found = Vec::new();
                for member in &self.members {
                    let alone = Group { members: vec![*member], of: self.of.clone() };
                    found.extend(Box::pin(alone.findings(engine, as_of)).await);
                }
                found
            }
        }
    }

    async fn asked(&self, engine: &Engine, as_of: NaiveDateTime) -> Result<Vec<Finding>> {
        let all = &engine.catalog().expectations;
        let members: Vec<&Expectation> = self.members.iter().map(|at| &all[*at]).collect();
        match self.of {
            Of::Source(source) => rows::found(engine, source, &members, as_of).await,
            Of::Values(_) => values::found(engine, &members).await,
        }
    }
}

/// A finding of which nothing is known but how it is.
pub(super) fn finding(expectation: &Expectation, outcome: Kept) -> Finding {
    Finding {
        package: expectation.item.package.clone(),
        expectation: expectation.item.name.clone(),
        severity: expectation.severity.name().to_string(),
        outcome,
        broken: 0,
        of: 0,
        examples: vec![],
        message: None,
    }
}

/// The same of one that so many of so many break.
pub(super) fn counted(expectation: &Expectation, (broken, of): (u64, u64), noun: &str) -> Finding {
    let outcome = if broken == 0 { Kept::Kept } else { Kept::Broken };
    let (nouns, verb) = (if of == 1 { "" } else { "s" }, if broken == 1 { "breaks" } else { "break" });
    let message = (broken > 0).then(|| format!("{broken} of {of} {noun}{nouns} {verb} it"));
    Finding { broken, of, message, ..finding(expectation, outcome) }
}
