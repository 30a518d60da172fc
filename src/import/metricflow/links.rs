//! Linked names: `listing__user__home_state` is a dimension of users, met over an entity of listings.
//!
//! A name may be reached from several models; in Bell it is one dimension, conformed over all of them.

use std::collections::HashSet;

use super::model::{Join, Model, needs_own};

/// A linked name.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// The name in MetricFlow, and in Bell.
    pub(crate) name: String,
    /// What it is.
    pub(crate) element: Element,
    /// From which models it is reached, and how.
    pub(crate) ways: Vec<Way>,
}

/// What a linked name stands for: its model and position there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Dimension { model: usize, at: usize },
    Entity { model: usize },
}

impl Element {
    pub(crate) fn model(self) -> usize {
        match self {
            Element::Dimension { model, .. } | Element::Entity { model } => model,
        }
    }
}

/// How a model reaches a name: joins, the first of them its own, and a column at their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) from: usize,
    pub(crate) path: Vec<usize>,
    pub(crate) column: String,
}

/// The model at the end of a path.
pub(crate) fn target(models: &[Model], from: usize, path: &[usize]) -> usize {
    path.iter().fold(from, |at, join| models[at].joins[*join].to)
}

/// All linked names, in order of the models that have them, and what is ambiguous.
pub(crate) fn links(models: &[Model]) -> (Vec<Link>, Vec<String>) {
    let mut found = Collector { models, links: vec![], ambiguous: vec![] };
    for from in 0..models.len() {
        found.own(from);
    }
    for from in 0..models.len() {
        found.joined(from);
    }
    (found.links, found.ambiguous)
}

struct Collector<'m> {
    models: &'m [Model],
    links: Vec<Link>,
    ambiguous: Vec<String>,
}

impl Collector<'_> {
    fn own(&mut self, from: usize) {
        let prefixes = self.models[from].own_links();
        match prefixes.is_empty() {
            true => self.dimensions(from, &[], ""),
            false => prefixes.iter().for_each(|prefix| self.dimensions(from, &[], prefix)),
        }
        self.entities(from, &[], "");
    }

    fn joined(&mut self, from: usize) {
        for (at, join) in self.models[from].joins.iter().enumerate().filter(|(_, join)| join.again.is_none()) {
            let prefix = match join.through {
                Some(first) => format!("{}__{}", self.models[from].joins[first].entity, join.entity),
                None => join.entity.clone(),
            };
            self.elements(from, &[at], &prefix, &join.entity);
            if join.through.is_none() {
                self.two_hops(from, at, join);
            }
        }
    }

    fn two_hops(&mut self, from: usize, first: usize, join: &Join) {
        let middle = &self.models[join.to];
        for (at, second) in middle.joins.iter().enumerate() {
            let back = second.to == from || second.entity == join.entity || second.through.is_some();
            if !back && !needs_own(self.models, from, join.to, second.to) {
                let prefix = format!("{}__{}", join.entity, second.entity);
                let anew = |other: &Join| other.again == Some((first, second.to));
                let first = self.models[from].joins.iter().position(anew).unwrap_or(first);
                self.elements(from, &[first, at], &prefix, &second.entity);
            }
        }
    }

    fn elements(&mut self, from: usize, path: &[usize], prefix: &str, entity: &str) {
        self.dimensions(from, path, prefix);
        let to = target(self.models, from, path);
        for other in self.models[to].entities.iter().filter(|other| other.name != entity) {
            let way = Way { from, path: path.to_vec(), column: other.column.clone() };
            self.add(format!("{prefix}__{}", other.name), Element::Entity { model: to }, way);
        }
    }

    fn dimensions(&mut self, from: usize, path: &[usize], prefix: &str) {
        let to = target(self.models, from, path);
        for dimension in &self.models[to].dimensions {
            let name = match prefix {
                "" => dimension.name.clone(),
                prefix => format!("{prefix}__{}", dimension.name),
            };
            let way = Way { from, path: path.to_vec(), column: dimension.column.clone() };
            self.add(name, Element::Dimension { model: to, at: dimension.at }, way);
        }
    }

    fn entities(&mut self, from: usize, path: &[usize], prefix: &str) {
        for entity in &self.models[from].entities {
            let way = Way { from, path: path.to_vec(), column: entity.column.clone() };
            self.add(format!("{prefix}{}", entity.name), Element::Entity { model: from }, way);
        }
    }

    fn add(&mut self, name: String, element: Element, way: Way) {
        let Some(link) = self.links.iter_mut().find(|link| link.name == name) else {
            return self.links.push(Link { name, element, ways: vec![way] });
        };
        let Some(known) = link.ways.iter().find(|known| known.from == way.from) else {
            return link.ways.push(way);
        };
        // The shorter way is meant; two of one length mean two things.
        if known.path.len() == way.path.len() && *known != way {
            let source = &self.models[way.from].name;
            self.ambiguous.push(format!("`{name}` of `{source}` could be of two models; the first is meant"));
        }
    }
}

/// The definitions of a dimension: as few as say the same.
pub(crate) fn definitions(models: &[Model], link: &Link) -> Vec<Way> {
    let mut found: Vec<Way> = link.ways.iter().filter(|way| way.path.is_empty()).cloned().collect();
    if found.is_empty() {
        found = shared_root(models, link).map_or_else(|| link.ways.iter().take(1).cloned().collect(), |way| vec![way]);
    }
    // A definition that is added may make another source's way ambiguous: until nothing changes.
    while let Some(missing) = link.ways.iter().find(|way| !serves(models, &found, way)) {
        found.push(missing.clone());
    }
    found
}

/// Where several models go on from one that all of them join, the dimension begins there.
fn shared_root(models: &[Model], link: &Link) -> Option<Way> {
    let root = |way: &Way| {
        let (first, rest) = way.path.split_first()?;
        let join = &models[way.from].joins[*first];
        let plain = join.through.is_none() && !rest.is_empty();
        plain.then(|| Way { from: join.to, path: rest.to_vec(), column: way.column.clone() })
    };
    let first = root(link.ways.first()?)?;
    (link.ways.len() > 1 && link.ways.iter().all(|way| root(way).as_ref() == Some(&first))).then_some(first)
}

/// Whether Bell, with these definitions, goes the way that is meant.
fn serves(models: &[Model], definitions: &[Way], way: &Way) -> bool {
    if let Some(own) = definitions.iter().find(|definition| definition.from == way.from) {
        return own == way;
    }
    let mut reached = HashSet::new();
    for definition in definitions {
        let chains = chains(models, way.from, definition.from);
        reached.extend(chains.into_iter().map(|mut chain| {
            chain.extend(&definition.path);
            chain
        }));
    }
    reached.len() == 1 && reached.contains(&way.path)
}

/// The chains of joins from one model to another, each through a model at most once.
fn chains(models: &[Model], from: usize, to: usize) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    extend(models, &mut vec![from], &mut vec![], to, &mut found);
    found
}

fn extend(models: &[Model], visited: &mut Vec<usize>, path: &mut Vec<usize>, to: usize, found: &mut Vec<Vec<usize>>) {
    let Some(here) = visited.last().copied() else { return };
    for (at, join) in models[here].joins.iter().enumerate() {
        if visited.contains(&join.to) {
            continue;
        }
        path.push(at);
        if join.to == to {
            found.push(path.clone());
        } else {
            visited.push(join.to);
            extend(models, visited, path, to, found);
            visited.pop();
        }
        path.pop();
    }
}
