//! Slowly changing joins: in which order the joins of a question are made, and as of when.
//!
//! A join that is `valid between a and b` has one row for each moment. The moment is that of the *fact*, however long
//! the chain that leads from it to the join: an order's tier is the one of its customer when the order was placed. After
//! a step against a join's direction it is that of the child row, which is what is dated there. Where that row has no
//! time, the time of the source that declares the join counts, and after that the fact's.

use datafusion::arrow::datatypes::DataType;

use super::Catalog;
use super::expr::{Expression, Input};
use super::path::{ColumnRef, JoinPath, Step};
use super::reach::{Standpoint, Unreachable, flatten};
use super::source::Join;

/// A relation to join, at the end of its path.
#[derive(Debug, Clone)]
pub struct Way {
    /// The way to it; never empty.
    pub path: JoinPath,
    /// As of when its rows are valid, if its last join asks.
    pub moment: Option<Moment>,
}

/// The time that a slowly changing join is asked by.
#[derive(Debug, Clone)]
pub struct Moment {
    /// A time over columns that begin at the path's root.
    pub value: Expression,
    /// Its type.
    pub data_type: DataType,
}

/// The join that the last step of a path goes along or against.
pub fn last_join<'c>(catalog: &'c Catalog, path: &JoinPath) -> Option<&'c Join> {
    let (last, before) = path.steps.split_last()?;
    match last {
        Step::Join(join) => {
            let parent = JoinPath { root: path.root, steps: before.to_vec() };
            catalog.source(parent.target(catalog)).joins.get(*join)
        }
        Step::Child { source, join } => catalog.source(*source).joins.get(*join),
    }
}

/// The relations that paths go through, each once and after all that its join needs.
///
/// # Errors
/// [`Unreachable::Undated`] names a join for which no time is known, [`Unreachable::DatedByItself`] one that the time
/// itself comes through.
pub fn in_order(catalog: &Catalog, from: Standpoint<'_>, paths: Vec<&JoinPath>) -> Result<Vec<Way>, Unreachable> {
    let mut order = Order { catalog, from, begun: vec![], ways: vec![] };
    let mut paths = paths;
    paths.sort_by_key(|path| path.steps.len());
    for path in paths {
        order.add(path)?;
    }
    Ok(order.ways)
}

/// Whether each slowly changing join that a flat expression goes through has a time to be asked by.
///
/// # Errors
/// The errors of [`in_order`].
pub fn require_dated(catalog: &Catalog, from: Standpoint<'_>, flat: &Expression) -> Result<(), Unreachable> {
    in_order(catalog, from, flat.columns().into_iter().map(|column| &column.path).collect()).map(|_| ())
}

struct Order<'c> {
    catalog: &'c Catalog,
    from: Standpoint<'c>,
    /// Paths whose needs are being looked for: coming back to one of them means that a time depends on itself.
    begun: Vec<JoinPath>,
    ways: Vec<Way>,
}

impl Order<'_> {
    fn add(&mut self, path: &JoinPath) -> Result<(), Unreachable> {
        let Some((_, before)) = path.steps.split_last() else { return Ok(()) };
        if self.ways.iter().any(|way| way.path == *path) {
            return Ok(());
        }
        if self.begun.contains(path) {
            return Err(Unreachable::DatedByItself { wanted: path.display(self.catalog) });
        }
        self.begun.push(path.clone());
        self.add(&JoinPath { root: path.root, steps: before.to_vec() })?;
        self.add_near(path, before)?;
        let changing = last_join(self.catalog, path).is_some_and(|join| join.valid.is_some());
        let moment = if changing { Some(self.moment(path)?) } else { None };
        for input in moment.iter().flat_map(|moment| &moment.value.inputs) {
            let Input::Column(column) = input else { continue };
            // A child row that is joined by its own time has that time with it.
            let own = matches!(path.steps.last(), Some(Step::Child { .. })) && column.path == *path;
            if !own {
                self.add(&column.path)?;
            }
        }
        self.begun.pop();
        self.ways.push(Way { path: path.clone(), moment });
        Ok(())
    }

    /// The joins that a join goes on from.
    fn add_near(&mut self, path: &JoinPath, before: &[Step]) -> Result<(), Unreachable> {
        let (Some(Step::Join(_)), Some(join)) = (path.steps.last(), last_join(self.catalog, path)) else {
            return Ok(());
        };
        let parent = JoinPath { root: path.root, steps: before.to_vec() };
        for input in join.on.iter().flat_map(|(near, _)| &near.inputs) {
            if let Input::Column(column) = input
                && !column.path.steps.is_empty()
            {
                self.add(&column.path.after(&parent))?;
            }
        }
        Ok(())
    }

    fn moment(&self, path: &JoinPath) -> Result<Moment, Unreachable> {
        let upto = |length: usize| JoinPath { root: path.root, steps: path.steps[..length].to_vec() };
        let last = path.steps.len() - 1;
        if let Step::Child { .. } = path.steps[last] {
            return self.time_at(path).unwrap_or_else(|| Err(self.undated(path)));
        }
        let dated = path.steps.iter().rposition(|step| matches!(step, Step::Child { .. })).map_or(0, |at| at + 1);
        let candidates = [dated, last, 0].map(upto);
        candidates.iter().find_map(|at| self.time_at(at)).unwrap_or_else(|| Err(self.undated(path)))
    }

    /// The time of the rows at the end of a path, if they have one.
    fn time_at(&self, path: &JoinPath) -> Option<Result<Moment, Unreachable>> {
        let source = path.target(self.catalog);
        let own = self.catalog.source(source).time.as_ref();
        let axis = if path.steps.is_empty() { self.from.axis.or(own) } else { own }?;
        let standpoint = Standpoint { source, axis: None };
        Some(flatten(self.catalog, standpoint, axis).map(|flat| Moment {
            value: Expression { expr: flat.expr, inputs: flat.inputs.iter().map(|input| after(path, input)).collect() },
            data_type: self.catalog.axis_type(axis),
        }))
    }

    fn undated(&self, path: &JoinPath) -> Unreachable {
        Unreachable::Undated { wanted: path.display(self.catalog) }
    }
}

fn after(prefix: &JoinPath, input: &Input) -> Input {
    match input {
        Input::Column(column) => Input::Column(ColumnRef { path: column.path.after(prefix), column: column.column }),
        other => other.clone(),
    }
}
