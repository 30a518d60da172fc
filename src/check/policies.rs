//! Policies: can what they say be held, without a number becoming a wrong one?

use std::collections::BTreeSet;

use super::declare::{Declared, item_of};
use super::resolve::{Place, Scope};
use super::sources::read_by;
use super::{Checker, Failure};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::policy::Policy;
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::{Expr, Name};
use crate::syntax::policies;

impl<'a> Checker<'a> {
    /// Policies of all packages.
    pub(crate) fn check_policies(&mut self) {
        for declared in self.declared.policies.clone() {
            let policy = self.policy(declared);
            if let Some(policy) = self.keep(policy) {
                self.catalog.to_mut().policies.push(policy);
            }
        }
        self.refuse_looks_in_circles();
        self.warn_of_children();
    }

    /// What a role sees of one source may depend on what it sees of another, but not the other way round, too.
    fn refuse_looks_in_circles(&mut self) {
        for policy in self.catalog.policies.clone() {
            match looks_back(&self.catalog, policy.source) {
                Ok(None) => {}
                Ok(Some(other)) => {
                    let name = |id| self.catalog.source(id).item.name.clone();
                    let message = format!(
                        "`{}` and `{}` look at each other to tell who sees them",
                        name(policy.source),
                        name(other)
                    );
                    self.report(bad(message, policy.item.span).help("let one of them say so by its own columns"));
                }
                Err(error) => self.report(super::expression_error(&error, policy.item.span)),
            }
        }
    }

    /// Parts of rows that somebody may not see are seen, unless they have a policy of their own.
    fn warn_of_children(&mut self) {
        let mut found = Vec::new();
        for (id, source) in (0..).map(SourceId).zip(&self.catalog.sources) {
            if is_narrowed(&self.catalog, id) {
                continue;
            }
            let Some(join) = source.joins.iter().find(|join| is_narrowed(&self.catalog, join.to)) else { continue };
            let (name, parent) = (&source.item.name, &self.catalog.source(join.to).item.name);
            let key = self.catalog.source(join.to).keys.first().and_then(|key| key.first());
            let key = key.map_or("id", |at| self.catalog.source(join.to).columns[*at].name.as_str());
            found.push(
                Diagnostic::new(codes::SEEN_PARTS, format!("policies narrow `{parent}`, but everybody sees all of `{name}`, which joins it"))
                    .at(source.item.span)
                    .help(format!(
                        "where `{name}` are parts of `{parent}`: `policy … on {name} where {}.{key} is not null`; where they are not: `where true`",
                        join.name
                    )),
            );
        }
        found.into_iter().for_each(|diagnostic| self.report(diagnostic));
    }

    fn policy(&mut self, declared: Declared<'a, &'a policies::Policy>) -> Result<Policy, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let item = item_of(package, declared.item, &tree.name, &tree.labels);
        if tree.conditions.is_empty() && tree.masks.is_empty() {
            return Err(bad(format!("policy `{}` says nothing about rows or columns", item.name), tree.name.span)
                .help(
                    "write which rows are seen, `where store.region = 'east'`, or which columns are not, `mask phone`",
                )
                .into());
        }
        let source = self.joined_source(package, &tree.on)?;
        if self.is_of_calendar(source) {
            return Err(bad("a calendar's days are everybody's", tree.on.span)
                .help("without some of them, values of their periods would be lost")
                .into());
        }
        let conditions = tree.conditions.iter().map(|it| self.seen_rows(package, source, it));
        let conditions = conditions.collect::<Result<_, _>>()?;
        let masks = tree.masks.iter().map(|name| self.maskable(source, name)).collect::<Result<_, _>>()?;
        let roles = |names: &[Name]| names.iter().map(|name| name.text.clone()).collect();
        let said = tree.conditions.iter().map(|condition| condition.sql.to_string()).collect();
        Ok(Policy { item, source, to: roles(&tree.to), except: roles(&tree.except), conditions, said, masks })
    }

    /// A condition that every row of the source answers once, by itself and by what it joins.
    fn seen_rows(&mut self, package: &str, source: SourceId, tree: &Expr) -> Result<Expression, Failure> {
        let condition = self.resolve_condition(tree, Scope::rows(package, Some(source)).at(Place::Seen))?;
        let standpoint = Standpoint { source, axis: self.catalog.source(source).time.as_ref() };
        match flatten(&self.catalog, standpoint, &condition) {
            // It would count rows of others, who are seen with other eyes.
            Ok(flat) if flat.inputs.iter().any(|input| matches!(input, Input::Per(_))) => {
                Err(bad("a policy cannot look at an indicator of other rows (`per`)", tree.span)
                    .help("let the data say it: a column of the source, or of what it joins")
                    .into())
            }
            Ok(flat) if flat.fans_out() => Err(bad("one row meets several rows here", tree.span)
                .help("say it of the rows themselves, or of what they join: `store.region = 'east'`")
                .into()),
            Ok(flat) => Ok(flat),
            Err(problem) => Err(super::unreachable(&self.catalog, source, &problem).at(tree.span).into()),
        }
    }

    fn is_of_calendar(&self, source: SourceId) -> bool {
        let calendar = &self.catalog.calendar;
        let periods = calendar.periods.iter().map(|period| period.source);
        periods.chain(calendar.tables.iter().map(|table| table.source)).any(|known| known == source)
    }

    /// A column of which nothing else is made than values of rows.
    fn maskable(&self, source: SourceId, name: &Name) -> Result<usize, Failure> {
        let known = self.catalog.source(source);
        let column = self.column_of(known, name)?;
        let Some(use_) = structural(&self.catalog).into_iter().find(|it| it.source == source && it.column == column)
        else {
            return Ok(column);
        };
        let message = format!("`{}` cannot be masked: {}", name.text, use_.what);
        Err(bad(message, name.span)
            .help("mask the columns that tell about people, not those that rows are found by")
            .into())
    }
}

/// The sources that the query and the policies of a source look at, without itself.
///
/// # Errors
/// What DataFusion says of a query that cannot be walked.
pub(crate) fn looked_at(catalog: &Catalog, id: SourceId) -> datafusion::error::Result<BTreeSet<SourceId>> {
    let mut all = match &catalog.source(id).query {
        Some(query) => read_by(catalog, query)?,
        None => BTreeSet::new(),
    };
    let policies = catalog.policies.iter().filter(|policy| policy.source == id);
    for condition in policies.flat_map(|policy| &policy.conditions) {
        for column in condition.columns() {
            let steps = 0..=column.path.steps.len();
            let before = |length| JoinPath { root: column.path.root, steps: column.path.steps[..length].to_vec() };
            all.extend(steps.map(|length| before(length).target(catalog)));
        }
    }
    all.remove(&id);
    Ok(all)
}

/// Whether what a source looks at looks back at it.
fn looks_back(catalog: &Catalog, id: SourceId) -> datafusion::error::Result<Option<SourceId>> {
    let mut waiting: Vec<SourceId> = looked_at(catalog, id)?.into_iter().collect();
    let mut known = BTreeSet::new();
    while let Some(other) = waiting.pop() {
        if !known.insert(other) {
            continue;
        }
        let further = looked_at(catalog, other)?;
        if further.contains(&id) {
            return Ok(Some(other));
        }
        waiting.extend(further);
    }
    Ok(None)
}

/// Whether policies narrow the rows of a source.
fn is_narrowed(catalog: &Catalog, id: SourceId) -> bool {
    catalog.policies.iter().any(|policy| policy.source == id && !policy.conditions.is_empty())
}

/// A column by which rows are found.
struct Structural {
    source: SourceId,
    column: usize,
    what: String,
}

/// The columns of keys, joins, validities and time axes, and those that such columns are computed from.
fn structural(catalog: &Catalog) -> Vec<Structural> {
    let mut all = Vec::new();
    for (id, source) in (0..).map(SourceId).zip(&catalog.sources) {
        let name = &source.item.name;
        let own = |at: &usize| (id, *at);
        add(catalog, &mut all, source.keys.iter().flatten().map(own), &format!("it is of a key of `{name}`"));
        add(
            catalog,
            &mut all,
            source.time.iter().flat_map(|it| read(catalog, it)),
            &format!("`{name}` has its time from it"),
        );
        for join in &source.joins {
            let what = format!("the join `{}` of `{name}` goes by it", join.name);
            let sides = join.on.iter().flat_map(|(near, far)| [near, far]);
            let bounds = join.valid.iter().flat_map(|valid| [&valid.from.value, &valid.to.value]);
            add(catalog, &mut all, sides.chain(bounds).flat_map(|it| read(catalog, it)), &what);
        }
    }
    all
}

fn add(catalog: &Catalog, all: &mut Vec<Structural>, columns: impl Iterator<Item = (SourceId, usize)>, what: &str) {
    let mut waiting: Vec<(SourceId, usize)> = columns.collect();
    let mut known = BTreeSet::new();
    while let Some((source, column)) = waiting.pop() {
        if known.insert((source, column)) {
            all.push(Structural { source, column, what: what.to_string() });
            let computed = &catalog.source(source).columns[column].computed;
            waiting.extend(computed.iter().flat_map(|it| read(catalog, it)));
        }
    }
}

/// The columns that an expression of a source reads.
fn read(catalog: &Catalog, expression: &Expression) -> Vec<(SourceId, usize)> {
    let column = |input: &Input| match input {
        Input::Column(ColumnRef { path, column }) => vec![(path.target(catalog), *column)],
        Input::Dimension(id, _) => {
            catalog.dimension(*id).definitions.iter().flat_map(|definition| read(catalog, definition)).collect()
        }
        _ => vec![],
    };
    expression.inputs.iter().flat_map(column).collect()
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_POLICY, message).at(span)
}
