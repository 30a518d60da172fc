//! Ways from one source to another along declared joins.

use super::{Catalog, SourceId};

/// One step along a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Along the join's direction, many to one: the position in the source's `joins`.
    Join(usize),
    /// Against the direction, one to many: to a source that joins to this one, by that source's join.
    Child {
        /// The source with the many rows.
        source: SourceId,
        /// The position in *its* `joins`.
        join: usize,
    },
}

/// A root source and the steps from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JoinPath {
    /// Where it begins.
    pub root: SourceId,
    /// The way; empty for the root itself.
    pub steps: Vec<Step>,
}

/// A column at the end of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnRef {
    /// The way to its source.
    pub path: JoinPath,
    /// Its position in that source's `columns`.
    pub column: usize,
}

impl JoinPath {
    /// The path that stays at its root.
    pub fn root(root: SourceId) -> Self {
        JoinPath { root, steps: vec![] }
    }

    /// Whether it leaves a join's direction anywhere, so that one root row may meet several rows.
    pub fn fans_out(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Child { .. }))
    }

    /// The same way with one step more.
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        JoinPath { root: self.root, steps }
    }

    /// The same way begun earlier: `prefix` leads from its root to ours.
    pub fn after(&self, prefix: &JoinPath) -> Self {
        JoinPath { root: prefix.root, steps: prefix.steps.iter().chain(&self.steps).copied().collect() }
    }

    /// The path without steps up a join and down the same one again: `items.order.items` is the line itself, since
    /// grouping and conditions on one child source mean the same child row.
    pub fn without_returns(&self, catalog: &Catalog) -> Self {
        let mut short = JoinPath::root(self.root);
        for step in &self.steps {
            if let (Some((Step::Join(up), before)), Step::Child { source, join }) = (short.steps.split_last(), step) {
                let parent = JoinPath { root: self.root, steps: before.to_vec() };
                if up == join && parent.target(catalog) == *source {
                    short = parent;
                    continue;
                }
            }
            short.steps.push(*step);
        }
        short
    }

    /// The source at its end.
    pub fn target(&self, catalog: &Catalog) -> SourceId {
        self.steps.iter().fold(self.root, |at, step| match step {
            Step::Join(join) => catalog.source(at).joins[*join].to,
            Step::Child { source, .. } => *source,
        })
    }

    /// A column at its end that is never NULL where the path leads to a row; none for the root itself.
    pub fn marker(&self, catalog: &Catalog) -> Option<ColumnRef> {
        let (last, before) = self.steps.split_last()?;
        let parent = JoinPath { root: self.root, steps: before.to_vec() };
        let joined = |expression: &super::expr::Expression| expression.as_column().map(|column| column.column);
        // Rows meet by equality, so a joined column that is met is not NULL.
        let column = match last {
            Step::Join(join) => {
                let join = &catalog.source(parent.target(catalog)).joins[*join];
                join.on.iter().find_map(|(_, far)| joined(far))
            }
            Step::Child { source, join } => {
                catalog.source(*source).joins[*join].on.iter().find_map(|(near, _)| joined(near))
            }
        };
        let key = || catalog.source(self.target(catalog)).keys.first().and_then(|key| key.first().copied());
        Some(ColumnRef { path: self.clone(), column: column.or_else(key)? })
    }

    /// How it is written: `orders.store`.
    pub fn display(&self, catalog: &Catalog) -> String {
        self.names(catalog).join(".")
    }

    /// The names that lead there: those of the source, and of each step.
    pub fn names(&self, catalog: &Catalog) -> Vec<String> {
        let mut names = vec![catalog.source(self.root).item.name.clone()];
        let mut at = self.root;
        for step in &self.steps {
            let (name, next) = match step {
                Step::Join(join) => {
                    let join = &catalog.source(at).joins[*join];
                    (&join.name, join.to)
                }
                Step::Child { source, .. } => (&catalog.source(*source).item.name, *source),
            };
            names.push(name.clone());
            at = next;
        }
        names
    }
}

impl ColumnRef {
    /// How it is written: `orders.store.region`.
    pub fn display(&self, catalog: &Catalog) -> String {
        let source = catalog.source(self.path.target(catalog));
        format!("{}.{}", self.path.display(catalog), source.columns[self.column].name)
    }
}

/// How many listed ways are enough to know that there are several.
const ENOUGH: usize = 3;

/// The many-to-one chains from one source to another, each through a source at most once; at most three are listed.
/// From a source to itself there is one: to stay.
pub fn chains(catalog: &Catalog, from: SourceId, to: SourceId) -> Vec<JoinPath> {
    let mut found = Vec::new();
    if from == to {
        return vec![JoinPath::root(from)];
    }
    extend(catalog, &mut vec![from], &JoinPath::root(from), to, &mut found);
    found
}

fn extend(catalog: &Catalog, visited: &mut Vec<SourceId>, path: &JoinPath, to: SourceId, found: &mut Vec<JoinPath>) {
    let Some(here) = visited.last().copied() else { return };
    for (position, join) in catalog.source(here).joins.iter().enumerate() {
        if found.len() >= ENOUGH || visited.contains(&join.to) {
            continue;
        }
        let longer = path.then(Step::Join(position));
        if join.to == to {
            found.push(longer);
            continue;
        }
        visited.push(join.to);
        extend(catalog, visited, &longer, to, found);
        visited.pop();
    }
}
