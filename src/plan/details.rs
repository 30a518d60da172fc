//! Keys that hang on another key are looked up once the rows are grouped by that one.
//!
//! Who groups by a customer's key, name and nation means the groups of the keys: a source has each of its keys once, and
//! what it joins to is one row for it. So rows are grouped by the key alone, and names are looked up for the groups (of
//! which [`FirstRowsBeforeLookups`](super::first_rows::FirstRowsBeforeLookups) may leave few). Rows that lead to no
//! customer are one group, whose key is NULL, and find no name there either.

use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use super::axis::Axis;
use super::combine::Question;
use super::frame::{Key, Role, StandsFor};
use super::part::Part;
use super::prepared::BuiltPart;
use super::scan::Scan;
use super::situation::{Nulls, Shows};
use crate::catalog::Catalog;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath, Step};
use crate::catalog::validity::last_join;
use crate::diagnostic::Diagnostic;

/// Sources of fewer rows are looked up before rows are grouped: one join less.
const MANY: usize = 10_000;

/// A key, and the keys that hang on it.
struct Details {
    key: (usize, ColumnRef),
    others: Vec<(usize, ColumnRef)>,
}

impl Part {
    /// The part grouped by fewer keys, and the others looked up after; none, if none hangs on another.
    pub(super) fn with_details_after(&self, question: &Question<'_>, axis: &Axis<'_>) -> Result<Option<BuiltPart>> {
        let Some(details) = Details::of(self, question, axis)? else { return Ok(None) };
        // What rows are chosen or added up by is joined before anyway.
        let ungrouped = self.grouped_by(|_| false);
        if ungrouped.place(question, axis)?.scan.paths.contains(&details.key.1.path) {
            return Ok(None);
        }
        let hangs = |at: usize| details.others.iter().any(|(other, _)| *other == at);
        let groups = self.grouped_by(|at| !hangs(at)).build_grouped(question, axis)?;
        details.looked_up(question, self, groups).map(Some)
    }

    /// The part by some of its keys.
    fn grouped_by(&self, wanted: impl Fn(usize) -> bool) -> Part {
        let mut part = self.clone();
        let situation = &mut part.key.situation;
        situation.frame.keys.iter_mut().enumerate().for_each(|(at, key)| key.kept &= wanted(at));
        situation.links.retain(|link| wanted(link.key));
        part
    }
}

impl Details {
    fn of(part: &Part, question: &Question<'_>, axis: &Axis<'_>) -> Result<Option<Details>, Diagnostic> {
        let (catalog, frame) = (question.catalog, part.frame());
        let grouped = |key: &Key| key.role == Role::Equal && key.stands_for == StandsFor::Group;
        let equal = frame.keys.iter().filter(|key| key.kept).all(grouped)
            && part.shows() == Shows::All
            && part.situation().links.iter().all(|link| link.nulls == Nulls::Match);
        let plain = equal && frame.edges.is_empty() && frame.dated.is_empty() && part.key.redated.is_none();
        // Who does not see everything may see the same mask for all keys.
        if !plain || !question.rewrites.reduce_rows || catalog.seen.is_some() || frame.kept().len() < 2 {
            return Ok(None);
        }
        let mut columns = Vec::new();
        for at in frame.kept() {
            let flat = part.flat(question, axis, &frame.keys[at].expr)?;
            columns.extend(flat.as_column().map(|column| (at, column.clone())));
        }
        let many = |column: &ColumnRef| {
            let rows = catalog.source(column.path.target(catalog)).size.rows;
            question.rewrites.reduce_factor == 0 || rows.is_some_and(|rows| rows >= MANY)
        };
        Ok(columns.iter().filter(|(_, column)| is_key(catalog, column) && many(column)).find_map(|key| {
            let hangs = |(at, other): &&(usize, ColumnRef)| *at != key.0 && hangs_on(catalog, other, &key.1);
            let others: Vec<_> = columns.iter().filter(hangs).cloned().collect();
            (!others.is_empty()).then(|| Details { key: key.clone(), others })
        }))
    }

    /// The groups with the other keys beside them.
    fn looked_up(&self, question: &Question<'_>, whole: &Part, groups: BuiltPart) -> Result<BuiltPart> {
        let (held, found) = (TableReference::bare("$groups"), TableReference::bare("$details"));
        let keys = groups.links.iter().zip(&groups.keys).map(|(link, key)| key.clone().alias(key_name(link.key)));
        let values = groups.values.iter().map(|(leaf, value)| value.clone().alias(value_name(*leaf)));
        let left = LogicalPlanBuilder::from(groups.plan).project(keys.chain(values).collect::<Vec<_>>())?;
        let right = self.source_rows(question)?.alias(found.clone())?.build()?;
        let column = |of: &TableReference, name: String| Expr::Column(Column::new(Some(of.clone()), name));
        let same = column(&held, key_name(self.key.0)).eq(column(&found, KNOWN.to_string()));
        let plan = left.alias(held.clone())?.join_on(right, JoinType::Left, [same])?.build()?;
        let key = |at: usize| {
            let of = if self.others.iter().any(|(other, _)| *other == at) { &found } else { &held };
            column(of, key_name(at))
        };
        let links = whole.links();
        Ok(BuiltPart {
            keys: links.iter().map(|link| key(link.key)).collect(),
            values: groups.values.iter().map(|(leaf, _)| (*leaf, column(&held, value_name(*leaf)))).collect(),
            links,
            plan,
            ..groups
        })
    }

    /// The key of each row of its source, with what hangs on it.
    fn source_rows(&self, question: &Question<'_>) -> Result<LogicalPlanBuilder> {
        let path = &self.key.1.path;
        let mut scan = Scan::new(question.catalog, path.target(question.catalog)).in_question(question);
        let mut place = |column: &ColumnRef| {
            let steps = column.path.steps[path.steps.len()..].to_vec();
            let here = ColumnRef { path: JoinPath { root: scan.root(), steps }, column: column.column };
            scan.place_key(&Expression::input(Input::Column(here)))
        };
        let mut columns = vec![place(&self.key.1).alias(KNOWN)];
        columns.extend(self.others.iter().map(|(at, column)| place(column).alias(key_name(*at))));
        scan.build()?.project(columns)
    }
}

/// Whether a joined source has each value of a column at most once, and is found by it alone.
fn is_key(catalog: &Catalog, column: &ColumnRef) -> bool {
    let source = catalog.source(column.path.target(catalog));
    let by_it = last_join(catalog, &column.path).is_some_and(|join| {
        let far = join.on.first().and_then(|(_, far)| far.as_column());
        join.valid.is_none() && join.on.len() == 1 && far.is_some_and(|far| far.column == column.column)
    });
    let alone = source.keys.iter().any(|key| key[..] == [column.column]);
    let plain = source.columns[column.column].computed.is_none();
    by_it && alone && plain && !column.path.fans_out()
}

/// Whether a column has one value for each value of that key.
fn hangs_on(catalog: &Catalog, column: &ColumnRef, key: &ColumnRef) -> bool {
    let Some(beyond) = column.path.steps.strip_prefix(&key.path.steps[..]) else { return false };
    let mut path = key.path.clone();
    beyond.iter().all(|step| {
        path = path.then(*step);
        matches!(step, Step::Join(_)) && last_join(catalog, &path).is_some_and(|join| join.valid.is_none())
    })
}

/// The column of the source's key.
const KNOWN: &str = "$known";

fn key_name(at: usize) -> String {
    format!("$k{at}")
}

fn value_name(leaf: usize) -> String {
    format!("$v{leaf}")
}
