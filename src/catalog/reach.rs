//! How a fact reaches what an expression asks for.
//!
//! [`flatten`] turns an expression over dimensions and paths into one over columns that all begin at a given source,
//! or says why it cannot be (invariants 1, 5 and 6 of the language: nothing is dropped, two ways are an error).

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};

use super::calendar::TimePart;
use super::dimension::Dimension;
use super::expr::{Expression, Input, Per, input_column, input_number};
use super::modifier::TimeSpan;
use super::path::{ColumnRef, JoinPath, chains};
use super::time::{cast, later, local, part_of, wall_clock};
use super::{Catalog, DimensionId, SourceId};

/// A fact and the time axis by which it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Standpoint<'c> {
    /// The source whose rows are aggregated.
    pub source: SourceId,
    /// What `metric_time` means for it.
    pub axis: Option<&'c Expression>,
}

/// Why an expression cannot be evaluated for the rows of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// No chain of many-to-one joins leads there.
    NoPath {
        /// The dimension or column asked for.
        wanted: String,
        /// The sources it could come from.
        roots: Vec<SourceId>,
    },
    /// Several chains do.
    SeveralPaths {
        /// The dimension or column asked for.
        wanted: String,
        /// All of them, as they would be written.
        ways: Vec<String>,
    },
    /// `metric_time` of something that has no time axis.
    NoTimeAxis,
    /// A slowly changing join of something that has no time.
    Undated {
        /// The way to the join.
        wanted: String,
    },
    /// A time axis that comes through a slowly changing join, which is itself asked by the axis.
    DatedByItself {
        /// The way to the join.
        wanted: String,
    },
    /// The values are coarser than the asked grain.
    TooFine {
        /// What was asked for.
        wanted: String,
    },
    /// An indicator stands where a value of a row is due.
    Aggregate,
}

/// The expression over columns that begin at the standpoint's source.
///
/// # Errors
/// [`Unreachable`] names the first input that cannot be reached.
pub fn flatten(catalog: &Catalog, from: Standpoint<'_>, expression: &Expression) -> Result<Expression, Unreachable> {
    let (mut inputs, mut values) = (vec![], Vec::with_capacity(expression.inputs.len()));
    for input in &expression.inputs {
        let value = flatten_input(catalog, from, input)?;
        values.push(append(&mut inputs, value));
    }
    Ok(Expression { expr: replace_inputs(expression.expr.clone(), &values), inputs })
}

fn flatten_input(catalog: &Catalog, from: Standpoint<'_>, input: &Input) -> Result<Expression, Unreachable> {
    match input {
        Input::Column(column) => reach_column(catalog, from.source, column),
        Input::Dimension(id, part) => {
            let dimension = catalog.dimension(*id);
            let definition = definition_for(catalog, from.source, *id)?;
            let value = flatten(catalog, from, definition)?;
            let value = only_where_found(catalog, from.source, definition, value);
            Ok(time_part(catalog, value, dimension, *part))
        }
        Input::MetricTime(part) => metric_time(catalog, from, *part),
        Input::Moved(input, span) => moved(catalog, from, input, *span),
        Input::Per(per) => {
            let of_row = per.of_row.iter().map(|by| flatten(catalog, from, by)).collect::<Result<Vec<_>, _>>()?;
            Ok(Expression::input(Input::Per(Box::new(Per { of_row, ..per.as_ref().clone() }))))
        }
        Input::Event(value) if value.event.source() == from.source => Ok(Expression::input(input.clone())),
        Input::Event(value) => Err(Unreachable::NoPath {
            wanted: value.event.name(catalog).to_string(),
            roots: vec![value.event.source()],
        }),
        Input::Indicator(..) | Input::Measure(_) | Input::At(_) | Input::Fold(_) | Input::Current(_) => {
            Err(Unreachable::Aggregate)
        }
        // Only flat expressions have these.
        Input::Period(..) => Ok(Expression::input(input.clone())),
    }
}

/// The value of a definition that begins at another source: NULL for a row that finds none there, even where the
/// expression would make something of NULLs (`coalesce`, `case`). What gives NULL for NULLs needs no test.
fn only_where_found(catalog: &Catalog, from: SourceId, definition: &Expression, value: Expression) -> Expression {
    let roots = roots_of(catalog, definition);
    let ([root], false) = (roots.as_slice(), keeps_null(&definition.expr)) else { return value };
    match chains(catalog, from, *root).as_slice() {
        [path] => when_found(catalog, path, value),
        _ => value,
    }
}

/// `case when` the path leads to a row `then` the value; the value itself at the root.
fn when_found(catalog: &Catalog, path: &JoinPath, value: Expression) -> Expression {
    let Some(marker) = path.marker(catalog) else { return value };
    let mut inputs = value.inputs;
    let found = append(&mut inputs, Expression::input(Input::Column(marker)));
    Expression { expr: if_found(found, value.expr), inputs }
}

/// The value where the marker is not NULL, else NULL.
pub fn if_found(marker: Expr, value: Expr) -> Expr {
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(marker.is_not_null()), Box::new(value))],
        else_expr: None,
    })
}

/// Whether an expression surely gives NULL when all its columns are NULL.
pub fn keeps_null(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => keeps_null(&cast.expr),
        Expr::Negative(inner) | Expr::Not(inner) => keeps_null(inner),
        Expr::Like(like) => keeps_null(&like.expr),
        Expr::InList(list) => keeps_null(&list.expr),
        Expr::Between(between) => keeps_null(&between.expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => keeps_null(left) && keeps_null(right),
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => false,
            _ => keeps_null(left) || keeps_null(right),
        },
        _ => false,
    }
}

fn reach_column(catalog: &Catalog, from: SourceId, column: &ColumnRef) -> Result<Expression, Unreachable> {
    let ways = chains(catalog, from, column.path.root);
    match ways.as_slice() {
        [prefix] => {
            let path = column.path.after(prefix).without_returns(catalog);
            Ok(Expression::input(Input::Column(ColumnRef { path, column: column.column })))
        }
        [] => Err(Unreachable::NoPath { wanted: column.display(catalog), roots: vec![column.path.root] }),
        ways => Err(Unreachable::SeveralPaths {
            wanted: column.display(catalog),
            ways: ways
                .iter()
                .map(|way| ColumnRef { path: column.path.after(way), ..column.clone() }.display(catalog))
                .collect(),
        }),
    }
}

/// The definition of a dimension that serves a source: one that begins there, else the only one that it reaches.
///
/// # Errors
/// [`Unreachable`], if none does or several do.
pub fn definition_for(catalog: &Catalog, source: SourceId, id: DimensionId) -> Result<&Expression, Unreachable> {
    let dimension = catalog.dimension(id);
    let own =
        dimension.definitions.iter().find(|definition| roots_of(catalog, definition).iter().all(|r| *r == source));
    if let Some(definition) = own {
        return Ok(definition);
    }
    let (mut reached, mut several) = (Vec::new(), None);
    for definition in &dimension.definitions {
        match flatten(catalog, Standpoint { source, axis: None }, definition) {
            // Two definitions may come to the same columns.
            Ok(flat) if reached.iter().any(|(_, known)| *known == flat) => {}
            Ok(flat) => reached.push((definition, flat)),
            Err(problem @ Unreachable::SeveralPaths { .. }) => several = Some(problem),
            Err(_) => {}
        }
    }
    match (reached.as_slice(), several) {
        ([(definition, _)], None) => Ok(definition),
        ([], None) => {
            Err(Unreachable::NoPath { wanted: dimension.item.name.clone(), roots: all_roots(catalog, dimension) })
        }
        ([], Some(Unreachable::SeveralPaths { ways, .. })) => {
            Err(Unreachable::SeveralPaths { wanted: dimension.item.name.clone(), ways })
        }
        _ => Err(Unreachable::SeveralPaths {
            wanted: dimension.item.name.clone(),
            ways: all_roots(catalog, dimension).iter().map(|root| catalog.source(*root).item.name.clone()).collect(),
        }),
    }
}

/// The sources at which an expression's columns begin, each once.
pub fn roots_of(catalog: &Catalog, expression: &Expression) -> Vec<SourceId> {
    roots_of_inputs(catalog, &expression.inputs)
}

/// The same for inputs of an expression.
pub fn roots_of_inputs<'i>(catalog: &Catalog, inputs: impl IntoIterator<Item = &'i Input>) -> Vec<SourceId> {
    let mut roots = Vec::new();
    for input in inputs {
        let more = match input {
            Input::Column(column) => vec![column.path.root],
            Input::Dimension(id, _) => all_roots(catalog, catalog.dimension(*id)),
            Input::Per(per) => per.of_row.iter().flat_map(|by| roots_of(catalog, by)).collect(),
            Input::Event(value) => vec![value.event.source()],
            _ => vec![],
        };
        for root in more {
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
    }
    roots
}

fn all_roots(catalog: &Catalog, dimension: &Dimension) -> Vec<SourceId> {
    let mut roots: Vec<SourceId> = dimension.definitions.iter().flat_map(|d| roots_of(catalog, d)).collect();
    roots.dedup();
    roots
}

fn time_part(catalog: &Catalog, value: Expression, dimension: &Dimension, part: TimePart) -> Expression {
    // `check` has cast every definition to the dimension's type.
    let expr = part_of(value.expr, &dimension.data_type, part, &catalog.calendar);
    period_of(part, Expression { expr, inputs: value.inputs })
}

/// The period of a day, if one from a table is meant; else the value as it is.
fn period_of(part: TimePart, value: Expression) -> Expression {
    match part {
        TimePart::Period(id) => Expression::input(Input::Period(id, Box::new(value))),
        _ => value,
    }
}

/// `metric_time` of the standpoint: its own axis. Finer grains than the axis has are refused, since the rows' place
/// within a day is not known.
fn metric_time(catalog: &Catalog, from: Standpoint<'_>, part: TimePart) -> Result<Expression, Unreachable> {
    let Some(axis) = from.axis else { return Err(Unreachable::NoTimeAxis) };
    let value = flatten(catalog, Standpoint { axis: None, ..from }, axis)?;
    let native = catalog.axis_type(axis);
    let fits = match part {
        TimePart::Whole | TimePart::Period(_) => true,
        TimePart::Grain(grain) => grain.fits(&native),
        TimePart::Extract(part) => part.fits(&native),
    };
    if !fits {
        return Err(Unreachable::TooFine { wanted: format!("metric_time{}", part.suffix(&catalog.calendar)) });
    }
    let expr = match part {
        TimePart::Whole => wall_clock(value.expr, &native, &catalog.calendar),
        part => part_of(value.expr, &native, part, &catalog.calendar),
    };
    if let TimePart::Period(_) = part {
        return Ok(period_of(part, Expression { expr, inputs: value.inputs }));
    }
    // A part's type follows the common axis, so that facts with different native types join.
    let common = part.data_type(&catalog.metric_time, &catalog.calendar);
    let expr = if part.data_type(&native, &catalog.calendar) == common { expr } else { cast(expr, common) };
    Ok(Expression { expr, inputs: value.inputs })
}

/// A time value, or a part of one, as if the row's time were later by a length of time.
fn moved(catalog: &Catalog, from: Standpoint<'_>, input: &Input, span: TimeSpan) -> Result<Expression, Unreachable> {
    let (mut input, mut spans) = (input, vec![span]);
    while let Input::Moved(inner, span) = input {
        spans.push(*span);
        input = inner;
    }
    let (whole, part) = match input {
        Input::MetricTime(part) => (Input::MetricTime(TimePart::Whole), *part),
        Input::Dimension(id, part) => (Input::Dimension(*id, TimePart::Whole), *part),
        other => return flatten_input(catalog, from, other),
    };
    let axis = catalog.input_type(&whole);
    let value = flatten_input(catalog, from, &whole)?;
    let instant = wall_clock(value.expr, &axis, &catalog.calendar);
    // The last modifier was put around the others and is undone first.
    let instant = spans.into_iter().fold(instant, |instant, span| later(instant, &local(&axis), span));
    let expr = part_of(instant, &local(&axis), part, &catalog.calendar);
    Ok(period_of(part, Expression { expr, inputs: value.inputs }))
}

/// Appends the inputs of `value` to `inputs` (each once) and returns its expression renumbered accordingly.
pub fn append(inputs: &mut Vec<Input>, value: Expression) -> Expr {
    let numbers: Vec<Expr> = value
        .inputs
        .into_iter()
        .map(|input| {
            let at = inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
                inputs.push(input);
                inputs.len() - 1
            });
            Expr::Column(input_column(at))
        })
        .collect();
    replace_inputs(value.expr, &numbers)
}

/// The expression with its numbered columns replaced by the values at their numbers.
pub fn replace_inputs(expr: Expr, values: &[Expr]) -> Expr {
    let replaced = expr.transform(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match input_number(column).and_then(|at| values.get(at)) {
                Some(value) => Transformed::yes(value.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    });
    // The closure never fails.
    replaced.map(|t| t.data).unwrap_or_else(|error| unreachable!("replacing columns cannot fail: {error}"))
}
