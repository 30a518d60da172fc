//! The rows of one source with the columns of those that it reaches: scans and joins, nothing that is not asked for.

use std::collections::BTreeSet;

use datafusion::common::{Column, JoinType, Result, TableReference};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, try_cast, when};

use super::combine::{Question, inner_values};
use super::events::with_event;
use super::join_order::{Narrowing, Planned, as_declared, planned};
use super::late_lookup::Station;
use super::names::Names;
use super::options::Rewrites;
use super::refuse;
use super::selectivity::Sizes;
use crate::catalog::calendar::PeriodId;
use crate::catalog::event::{Event, EventValue};
use crate::catalog::expr::{Expression, Input, Per};
use crate::catalog::path::{ColumnRef, JoinPath, Step};
use crate::catalog::reach::{Standpoint, if_found, keeps_null, replace_inputs};
use crate::catalog::source::{Bound, Rows, SourceColumn, Validity};
use crate::catalog::time::comparable;
use crate::catalog::validity::{Moment, Way, in_order, last_join};
use crate::catalog::{Catalog, SourceId};
use crate::check::unreachable;

/// The paths that a part of a question needs; expressions are registered first, then the plan is built.
#[derive(Clone)]
pub(crate) struct Scan<'c> {
    catalog: &'c Catalog,
    root: SourceId,
    /// The time of the rows, by which slowly changing joins are asked.
    axis: Option<&'c Expression>,
    pub(super) paths: BTreeSet<JoinPath>,
    names: Names,
    /// What is looked up for each row once the paths are joined, each once, and after what it is looked up by.
    lookups: Vec<Lookup>,
    /// What later rows tell of the root's, each once.
    events: Vec<Event>,
    /// The root's rows, where they are not read from its table.
    rows: Option<LogicalPlan>,
    /// About how many rows others are joined to.
    pub(crate) row_count: Option<usize>,
    question: Option<Question<'c>>,
    /// What the joined rows will be narrowed by; it says which joins come first.
    conditions: Vec<Expr>,
    /// A masked column that more than shown is asked of, and the policy that masks it.
    hidden: Option<(ColumnRef, &'c str)>,
}

/// One row more for each row.
#[derive(Clone)]
enum Lookup {
    /// `x per d`: the inner question, and the rows' own d.
    Per { per: Per, of_row: Vec<Expr> },
    /// The day's row in the table of a calendar.
    Day { source: SourceId, column: usize, value: Expr },
}

impl<'c> Scan<'c> {
    pub(crate) fn new(catalog: &'c Catalog, root: SourceId) -> Self {
        let axis = catalog.source(root).time.as_ref();
        Scan {
            catalog,
            root,
            axis,
            paths: BTreeSet::new(),
            names: Names::default(),
            lookups: vec![],
            events: vec![],
            rows: None,
            row_count: catalog.source(root).size.rows,
            question: None,
            conditions: vec![],
            hidden: None,
        }
    }

    /// For rows that these conditions will choose among.
    pub(crate) fn narrowed_by(mut self, conditions: &[Expr]) -> Self {
        self.conditions = conditions.to_vec();
        self
    }

    /// Over these rows of the root, which stand under its name.
    pub(crate) fn over(mut self, rows: LogicalPlan) -> Self {
        self.rows = Some(rows);
        self
    }

    /// For the conditions of the question, which a value that is looked up may see.
    pub(crate) fn in_question(mut self, question: &Question<'c>) -> Self {
        self.question = Some(question.clone());
        self
    }

    /// The same as of that time, if the source has none of its own.
    pub(crate) fn dated_by(mut self, axis: Option<&'c Expression>) -> Self {
        self.axis = self.axis.or(axis);
        self
    }

    /// The expression over columns of the joined rows; `flat` has only columns that begin at the root.
    pub(crate) fn place(&mut self, flat: &Expression) -> Expr {
        let values: Vec<Expr> = flat
            .inputs
            .iter()
            .map(|input| match input {
                Input::Column(column) => {
                    self.keep_hidden(column);
                    self.reached(column)
                }
                Input::Per(per) => self.per(per),
                Input::Event(value) => self.event(value),
                Input::Period(id, day) => self.period(*id, day),
                // `flatten` leaves nothing else.
                other => unreachable!("a flat expression has {other:?} as an input"),
            })
            .collect();
        replace_inputs(flat.expr.clone(), &values)
    }

    /// The same for what rows are grouped by: a column that is masked shows its mask.
    pub(crate) fn place_key(&mut self, flat: &Expression) -> Expr {
        match flat.as_input() {
            Some(Input::Column(column)) => self.reached(column),
            _ => self.place(flat),
        }
    }

    fn reached(&mut self, column: &ColumnRef) -> Expr {
        self.need(&column.path);
        self.name(column);
        self.column(column)
    }

    /// Of a masked column nothing is counted, compared or computed: over masks, that would be another number.
    fn keep_hidden(&mut self, column: &ColumnRef) {
        let Some(seen) = &self.catalog.seen else { return };
        if let Some(policy) = seen.masked.get(&(column.path.target(self.catalog), column.column)) {
            self.hidden = Some((column.clone(), policy));
        }
    }

    /// The columns that the inputs of a flat expression over columns are.
    fn columns(&self, flat: &Expression) -> Vec<Expr> {
        let column = |input: &Input| match input {
            Input::Column(column) => self.column(column),
            // A time axis is a column.
            other => unreachable!("a time has {other:?} as an input"),
        };
        flat.inputs.iter().map(column).collect()
    }

    /// A column of the root by its position.
    pub(crate) fn own_column(&self, column: usize) -> Expr {
        self.column(&ColumnRef { path: JoinPath::root(self.root), column })
    }

    /// Whether any path leaves a join's direction, so that a root row may appear several times.
    pub(crate) fn fans_out(&self) -> bool {
        self.paths.iter().any(JoinPath::fans_out)
    }

    /// The source whose rows these are.
    pub(crate) fn root(&self) -> SourceId {
        self.root
    }

    /// The name under which its columns stand.
    pub(crate) fn root_name(&self) -> TableReference {
        alias(self.catalog, &JoinPath::root(self.root))
    }

    /// Its rows alone.
    pub(crate) fn root_relation(&self) -> Result<LogicalPlan> {
        self.relation(&JoinPath::root(self.root))
    }

    /// Whether each row is one of the source's table, with at most one row of each source that it joins to, whenever it
    /// is valid.
    pub(crate) fn is_plain(&self) -> bool {
        let changing = |path: &JoinPath| last_join(self.catalog, path).is_none_or(|join| join.valid.is_some());
        let apart = self.rows.is_some() || !self.lookups.is_empty() || !self.events.is_empty();
        !apart && !self.fans_out() && !self.paths.iter().any(changing)
    }

    /// Whether its values depend on nothing but the rows of the root and of those that it joins to, so that they stay what
    /// they are when other rows come.
    pub(crate) fn is_storable(&self) -> bool {
        let calendar = |lookup: &Lookup| matches!(lookup, Lookup::Day { .. });
        self.rows.is_none() && self.events.is_empty() && self.lookups.iter().all(calendar) && !self.fans_out()
    }

    /// Whether other sources are joined.
    pub(crate) fn joins(&self) -> bool {
        !self.paths.is_empty()
    }

    /// What other sources are joined by, over columns of all of them, with about how many values it has: no more than
    /// the joined source has rows, if it is one column.
    pub(crate) fn join_columns(&self) -> Vec<(Expr, Option<usize>)> {
        self.paths.iter().flat_map(|path| self.joined_by(path)).collect()
    }

    /// The same for one.
    pub(crate) fn joined_by(&self, path: &JoinPath) -> Vec<(Expr, Option<usize>)> {
        let parent = JoinPath { root: path.root, steps: path.steps[..path.steps.len() - 1].to_vec() };
        let on = last_join(self.catalog, path).map_or(&[][..], |join| &join.on);
        let rows = self.catalog.source(path.target(self.catalog)).size.rows.filter(|_| on.len() == 1);
        on.iter().map(|(ours, _)| (self.at(&parent, ours), rows)).collect()
    }

    /// The joined source by way of which all others are joined, its name, and the ways to those.
    pub(crate) fn only_way(&self) -> Option<(JoinPath, TableReference, Vec<&JoinPath>)> {
        let near = self.paths.iter().find(|path| path.steps.len() == 1)?;
        let far: Vec<_> = self.paths.iter().filter(|path| *path != near).collect();
        let beyond = !far.is_empty() && far.iter().all(|path| path.steps.starts_with(&near.steps));
        beyond.then(|| (near.clone(), alias(self.catalog, near), far))
    }

    /// The sizes of all sources, under the names that their columns have.
    pub(crate) fn sizes(&self) -> Sizes<'c> {
        let root = JoinPath::root(self.root);
        let named = |path: &JoinPath| (alias(self.catalog, path), self.catalog.source(path.target(self.catalog)));
        Sizes::of([&root].into_iter().chain(&self.paths).map(named).collect())
    }

    /// The joined rows.
    pub(crate) fn build(&self) -> Result<LogicalPlanBuilder> {
        self.build_from(self.root_rows()?)
    }

    /// The same without the days on which rows count: what is placed by them has no column there.
    pub(crate) fn build_undated(&self) -> Result<LogicalPlanBuilder> {
        self.build_from(self.rows_with(|event| !matches!(event, Event::Dated(_)))?)
    }

    /// Whether something is looked up by that column.
    pub(crate) fn looks_up(&self, column: &Column) -> bool {
        self.lookups.iter().any(|lookup| match lookup {
            Lookup::Per { of_row, .. } => of_row.iter().any(|own| own.column_refs().contains(column)),
            Lookup::Day { value, .. } => value.column_refs().contains(column),
        })
    }

    /// The joined rows, which are added up on the way; nothing is looked up for each row.
    pub(crate) fn build_by_way_of(&self, station: &Station<'_>) -> Result<LogicalPlanBuilder> {
        self.join_all(self.root_rows()?, Some(station))
    }

    fn build_from(&self, root: LogicalPlan) -> Result<LogicalPlanBuilder> {
        let mut plan = self.join_all(root, None)?;
        for (at, lookup) in self.lookups.iter().enumerate() {
            plan = match lookup {
                Lookup::Per { per, of_row } => self.join_per(plan, at, per, of_row)?,
                Lookup::Day { source, column, value } => self.join_day(plan, at, (*source, *column), value)?,
            };
        }
        Ok(plan)
    }

    /// The root's rows with all that is joined to them.
    fn join_all(&self, root: LogicalPlan, station: Option<&Station<'_>>) -> Result<LogicalPlanBuilder> {
        if let Some((column, policy)) = &self.hidden {
            return Err(refuse::masked(self.catalog, column, policy).into());
        }
        let standpoint = Standpoint { source: self.root, axis: self.axis };
        let ways = in_order(self.catalog, standpoint, self.paths.iter().collect())
            .map_err(|problem| unreachable(self.catalog, self.root, &problem))?;
        let mut scan = self.clone();
        ways.iter().for_each(|way| scan.name_joined(way));
        let Some(station) = station else { return scan.join_in_order(root, &ways) };
        let (near, far): (Vec<Way>, Vec<Way>) = ways.into_iter().partition(|way| way.path == station.path);
        let there = scan.join_in_order(root, &near)?.build()?;
        let needed = far.iter().flat_map(|way| scan.joined_by(&way.path)).map(|(column, _)| column).collect();
        scan.join_in_order((station.add_up)(there, needed)?, &far)
    }

    fn join_in_order(&self, root: LogicalPlan, ways: &[Way]) -> Result<LogicalPlanBuilder> {
        let relation = |path: &JoinPath| alias(self.catalog, path);
        let rewrites = self.question.as_ref().map_or_else(Rewrites::default, |question| question.rewrites);
        let ordered = match rewrites.order_joins {
            true => {
                planned(self.catalog, ways, self.row_count, &Narrowing::by(&self.conditions, &self.sizes()), &relation)
            }
            false => as_declared(ways),
        };
        ordered.iter().try_fold(LogicalPlanBuilder::from(root), |plan, step| self.join(plan, step))
    }

    /// The column of a value that is looked up.
    fn per(&mut self, per: &Per) -> Expr {
        let of_row: Vec<Expr> = per.of_row.iter().map(|by| self.place(by)).collect();
        let known =
            self.lookups.iter().position(|known| matches!(known, Lookup::Per { per: known, .. } if known == per));
        let at = known.unwrap_or_else(|| {
            self.lookups.push(Lookup::Per { per: per.clone(), of_row });
            self.lookups.len() - 1
        });
        Expr::Column(Column::new(Some(lookup_relation(at)), VALUE))
    }

    /// Adds the values of an inner question: one row for each d, so that rows stay as many as they are. Where it has no
    /// group, the value is the one over no rows.
    fn join_per(&self, plan: LogicalPlanBuilder, at: usize, per: &Per, of_row: &[Expr]) -> Result<LogicalPlanBuilder> {
        let question = match &self.question {
            Some(question) => question.inner()?,
            None => super::cells::question_of(self.catalog),
        };
        let inner = inner_values(&question, &per.value, &per.by)?;
        let found = TableReference::bare(format!("found{at}"));
        let right = LogicalPlanBuilder::from(inner.plan).alias(found.clone())?.build()?;
        let column = |name: &str| Expr::Column(Column::new(Some(found.clone()), name));
        let keys = of_row.iter().enumerate();
        let equal = keys.map(|(key, own)| {
            Expr::BinaryExpr(BinaryExpr {
                left: Box::new(own.clone()),
                op: Operator::IsNotDistinctFrom,
                right: Box::new(column(&format!("g{key}"))),
            })
        });
        let before: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let joined = plan.join_on(right, JoinType::Left, equal)?;
        let value = when(column("there").is_not_null(), column(VALUE)).otherwise(inner.nothing)?;
        joined.project(before.into_iter().chain([value.alias_qualified(Some(lookup_relation(at)), VALUE)]))
    }

    /// The column with the period that a day belongs to.
    fn period(&mut self, id: PeriodId, day: &Expression) -> Expr {
        let day = self.place(day);
        let period = self.catalog.calendar.period(id);
        let known = self.lookups.iter().position(|known| {
            matches!(known, Lookup::Day { source, column, value }
                if (*source, *column, value) == (period.source, period.day, &day))
        });
        let at = known.unwrap_or_else(|| {
            self.lookups.push(Lookup::Day { source: period.source, column: period.day, value: day });
            self.lookups.len() - 1
        });
        let name = &self.catalog.source(period.source).columns[period.column].name;
        Expr::Column(Column::new(Some(day_relation(at)), name))
    }

    /// Adds the row of a day in a calendar's table, or NULLs where it has none; the day is a key there.
    fn join_day(
        &self,
        plan: LogicalPlanBuilder,
        at: usize,
        (source, column): (SourceId, usize),
        value: &Expr,
    ) -> Result<LogicalPlanBuilder> {
        let table = LogicalPlanBuilder::from(whole_source(self.catalog, source)?).alias(day_relation(at))?;
        let column = &self.catalog.source(source).columns[column];
        let own = Expr::Column(Column::new(Some(day_relation(at)), &column.name));
        plan.join_on(table.build()?, JoinType::Left, [try_cast(value.clone(), column.data_type.clone()).eq(own)])
    }

    /// The root's rows, with the columns of the events that are asked for.
    fn root_rows(&self) -> Result<LogicalPlan> {
        self.rows_with(|_| true)
    }

    fn rows_with(&self, wanted: impl Fn(&Event) -> bool) -> Result<LogicalPlan> {
        let mut plan = match &self.rows {
            Some(rows) => rows.clone(),
            None => self.relation(&JoinPath::root(self.root))?,
        };
        // Days come last: they make several rows of one.
        let (days, others): (Vec<_>, Vec<_>) =
            self.events.iter().enumerate().partition(|(_, event)| matches!(event, Event::Dated(_)));
        for (at, event) in others.into_iter().chain(days).filter(|(_, event)| wanted(event)) {
            plan = with_event(self.catalog, plan, event, &event_relation(at))?;
        }
        Ok(plan)
    }

    /// A column of an event.
    fn event(&mut self, value: &EventValue) -> Expr {
        let known = self.events.iter().position(|known| *known == value.event);
        let at = known.unwrap_or_else(|| {
            self.events.push(value.event.clone());
            self.events.len() - 1
        });
        Expr::Column(Column::new(Some(event_relation(at)), value.column.name()))
    }

    /// Registers a path and all that it goes through.
    fn need(&mut self, path: &JoinPath) {
        for length in 1..=path.steps.len() {
            self.paths.insert(JoinPath { root: path.root, steps: path.steps[..length].to_vec() });
        }
    }

    /// A column at the end of a path; computed ones are written out.
    fn column(&self, column: &ColumnRef) -> Expr {
        let source = self.catalog.source(column.path.target(self.catalog));
        let declared = &source.columns[column.column];
        match &declared.computed {
            Some(expression) => self.computed(&column.path, expression),
            None => {
                let relation = alias(self.catalog, &column.path);
                let name = self.names.of(&column.path, &declared.name, &relation);
                Expr::Column(Column::new(Some(relation), name))
            }
        }
    }

    /// Sees to it that a column has a name of its own among all that are asked for.
    fn name(&mut self, column: &ColumnRef) {
        if column.path.steps.is_empty() {
            return;
        }
        let declared = &self.catalog.source(column.path.target(self.catalog)).columns[column.column];
        match &declared.computed {
            Some(expression) => {
                self.name_at(&column.path, expression);
                let marker = column.path.marker(self.catalog);
                marker.iter().for_each(|marker| self.name(marker));
            }
            None => {
                // The root's rows always have the names that their source gives them.
                match self.catalog.source(self.root).column(&declared.name) {
                    Some(_) => self.names.rename(&column.path, &declared.name),
                    None => self.names.claim(&column.path, &declared.name),
                }
            }
        }
    }

    /// The same for all columns of an expression over a source's columns.
    fn name_at(&mut self, path: &JoinPath, own: &Expression) {
        for input in &own.inputs {
            if let Input::Column(column) = input {
                self.name(&ColumnRef { path: column.path.after(path), column: column.column });
            }
        }
    }

    /// The same for all that a join needs.
    fn name_joined(&mut self, way: &Way) {
        let (Some((last, before)), Some(join)) = (way.path.steps.split_last(), last_join(self.catalog, &way.path))
        else {
            return;
        };
        let parent = JoinPath { root: way.path.root, steps: before.to_vec() };
        for (ours, theirs) in &join.on {
            let (near, far) = if let Step::Join(_) = last { (ours, theirs) } else { (theirs, ours) };
            self.name_at(&parent, near);
            // What equals a column of that name may be taken for it.
            let other = self.at(&way.path, far);
            match column_name(&other) {
                name @ Some(same) if name == column_name(&self.at(&parent, near)) => self.names.keep(&way.path, same),
                _ => self.name_at(&way.path, far),
            }
        }
        let far = if let Step::Join(_) = last { &way.path } else { &parent };
        let bounds = join.valid.iter().flat_map(|valid| [&valid.from.value, &valid.to.value]);
        bounds.for_each(|bound| self.name_at(far, bound));
        let root = JoinPath::root(self.root);
        way.moment.iter().for_each(|moment| self.name_at(&root, &moment.value));
        let source = self.catalog.source(way.path.target(self.catalog));
        source.filter.iter().for_each(|filter| self.name_at(&way.path, filter));
    }

    /// A computed column is a column of its source's rows: where a path finds no row it is NULL, whatever the expression
    /// would make of NULLs.
    fn computed(&self, path: &JoinPath, expression: &Expression) -> Expr {
        let value = self.at(path, expression);
        match path.marker(self.catalog).filter(|_| !keeps_null(&expression.expr)) {
            Some(marker) => if_found(self.column(&marker), value),
            None => value,
        }
    }

    /// An expression over a source's columns, at the place where a path reaches that source.
    fn at(&self, path: &JoinPath, own: &Expression) -> Expr {
        let values: Vec<Expr> = own
            .inputs
            .iter()
            .map(|input| match input {
                Input::Column(column) => {
                    self.column(&ColumnRef { path: column.path.after(path), column: column.column })
                }
                // `check` admits only columns in sources.
                other => unreachable!("an expression of a source has {other:?} as an input"),
            })
            .collect();
        replace_inputs(own.expr.clone(), &values)
    }

    fn relation(&self, path: &JoinPath) -> Result<LogicalPlan> {
        let source = self.catalog.source(path.target(self.catalog));
        let name = alias(self.catalog, path);
        let plan = match &source.rows {
            Rows::Table(table) => LogicalPlanBuilder::scan(name, table.clone(), None)?,
            Rows::Query(plan) => LogicalPlanBuilder::from(plan.as_ref().clone()).alias(name)?,
        };
        let plan = self.names.renamed(plan, path)?;
        match &source.filter {
            Some(filter) => plan.filter(self.at(path, filter))?.build(),
            None => plan.build(),
        }
    }

    /// Adds the relation at the end of a path; rows without a match are kept, with NULL for its columns.
    fn join(&self, plan: LogicalPlanBuilder, step: &Planned<'_>) -> Result<LogicalPlanBuilder> {
        let way = step.way;
        let path = &way.path;
        let (Some((last, before)), Some(join)) = (path.steps.split_last(), last_join(self.catalog, path)) else {
            return Ok(plan);
        };
        let parent = JoinPath { root: path.root, steps: before.to_vec() };
        let far = if let Step::Join(_) = last { path } else { &parent };
        let equal = join.on.iter().map(|(ours, theirs)| match last {
            Step::Join(_) => self.at(&parent, ours).eq(self.at(path, theirs)),
            Step::Child { .. } => self.at(&parent, theirs).eq(self.at(path, ours)),
        });
        let valid = way.moment.iter().zip(&join.valid).flat_map(|(moment, valid)| self.valid(moment, valid, far));
        let condition = conjunction(equal.chain(valid));
        let mut right = LogicalPlanBuilder::from(self.relation(path)?);
        for step in &step.before {
            right = self.join(right, step)?;
        }
        plan.join_on(right.build()?, JoinType::Left, condition)
    }

    /// The bounds of a slowly changing row at the end of a path, each of which may be open.
    fn valid(&self, moment: &Moment, valid: &Validity, path: &JoinPath) -> [Expr; 2] {
        let time = replace_inputs(moment.value.expr.clone(), &self.columns(&moment.value));
        let sides = |bound: &Bound| {
            let value = (self.at(path, &bound.value), &bound.data_type);
            comparable((time.clone(), &moment.data_type), value, &self.catalog.calendar)
        };
        let ((after, from), (before, to)) = (sides(&valid.from), sides(&valid.to));
        [from.clone().is_null().or(from.lt_eq(after)), to.clone().is_null().or(before.lt(to))]
    }
}

fn column_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}

const VALUE: &str = "value";

fn lookup_relation(at: usize) -> TableReference {
    TableReference::bare(format!("$per{at}"))
}

fn event_relation(at: usize) -> TableReference {
    TableReference::bare(format!("$event{at}"))
}

/// A source as an ordinary table: its rows and its columns that are not hidden.
pub fn source_rows(catalog: &Catalog, id: SourceId) -> Result<LogicalPlan> {
    columns_where(catalog, id, |column| !column.hidden)
}

/// A source as an ordinary table with all its columns, hidden ones too.
pub fn whole_source(catalog: &Catalog, id: SourceId) -> Result<LogicalPlan> {
    columns_where(catalog, id, |_| true)
}

fn columns_where(catalog: &Catalog, id: SourceId, shown: impl Fn(&SourceColumn) -> bool) -> Result<LogicalPlan> {
    let scan = Scan::new(catalog, id);
    let columns = catalog.source(id).columns.iter().enumerate().filter(|(_, column)| shown(column));
    let columns: Vec<Expr> = columns.map(|(at, column)| scan.own_column(at).alias(&column.name)).collect();
    scan.build()?.project(columns)?.build()
}

/// The name of the relation with the rows of a day; names of sources have no space.
fn day_relation(at: usize) -> TableReference {
    TableReference::bare(format!("calendar {}", at + 1))
}

/// The name of the relation at the end of a path: the path as it is written, with a star before a step against a
/// join's direction, so that no two paths share one.
fn alias(catalog: &Catalog, path: &JoinPath) -> TableReference {
    let mut text = catalog.source(path.root).item.name.clone();
    let mut here = path.root;
    for step in &path.steps {
        match step {
            Step::Join(join) => {
                let join = &catalog.source(here).joins[*join];
                text = format!("{text}.{}", join.name);
                here = join.to;
            }
            Step::Child { source, .. } => {
                text = format!("{text}.*{}", catalog.source(*source).item.name);
                here = *source;
            }
        }
    }
    TableReference::bare(text)
}
