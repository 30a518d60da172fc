//! Questions without an indicator: the values of dimensions.
//!
//! Dimensions that are columns of one table have the values of that table, whether or not a fact uses them. Others have
//! the combinations that occur: in the rows of every source that has one of them as its own and reaches all of them;
//! if there is none, of every source that one of them begins at.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::context::Context;
use super::guards::guarded;
use super::scan::Scan;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath, chains};
use crate::catalog::reach::{Standpoint, flatten, roots_of};
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::{Diagnostic, codes};

/// Distinct combinations of the asked keys.
pub(crate) struct Values {
    pub(crate) plan: LogicalPlan,
    pub(crate) keys: Vec<Expr>,
}

/// The distinct values of the context's keys under its conditions.
pub(crate) fn dimension_values(context: &Context<'_>) -> Result<Values> {
    if context.grouping.keys.is_empty() {
        return Err(nothing_asked().into());
    }
    let mut plans = homes(context)?.into_iter().map(|home| home.plan(context.catalog));
    let Some(first) = plans.next() else { return Err(no_common_source(context).into()) };
    let mut plan = LogicalPlanBuilder::from(first?);
    for other in plans {
        plan = plan.union(other?)?;
    }
    let keys: Vec<Expr> =
        (0..context.grouping.keys.len()).map(|at| Expr::Column(Column::new_unqualified(format!("g{at}")))).collect();
    let plan = plan.distinct()?.build()?;
    Ok(Values { plan, keys })
}

/// A source whose rows hold values, with the keys and conditions as it sees them.
struct Home {
    source: SourceId,
    keys: Vec<Expression>,
    conditions: Vec<Expression>,
}

impl Home {
    fn plan(&self, catalog: &Catalog) -> Result<LogicalPlan> {
        let mut scan = Scan::new(catalog, self.source);
        let keys: Vec<Expr> = self.keys.iter().map(|key| scan.place_key(key)).collect();
        let filter = conjunction(self.conditions.iter().map(|condition| scan.place(condition)).collect::<Vec<_>>());
        let rows = match filter {
            Some(filter) => scan.build()?.filter(guarded(filter))?,
            None => scan.build()?,
        };
        rows.project(keys.into_iter().enumerate().map(|(at, key)| key.alias(format!("g{at}"))))?.distinct()?.build()
    }
}

fn homes(context: &Context<'_>) -> Result<Vec<Home>> {
    let catalog = context.catalog;
    // Where the values themselves are kept: a definition through joins only says who else has them.
    let mut held: Vec<SourceId> = Vec::new();
    for asked in context.grouping.keys.iter().chain(&context.conditions) {
        held_by(catalog, asked, &mut held);
    }
    let mut homes: Vec<Home> = held.iter().filter_map(|source| home_at(context, *source)).collect();
    if !homes.is_empty() {
        return Ok(homes.into_iter().map(|home| moved_to_table(catalog, home)).collect());
    }
    let mut begins: Vec<SourceId> = Vec::new();
    for key in &context.grouping.keys {
        for root in roots_of(catalog, key) {
            if !begins.contains(&root) {
                begins.push(root);
            }
        }
    }
    homes = begins.iter().filter_map(|source| home_at(context, *source)).collect();
    if homes.is_empty() {
        let all = (0..catalog.sources.len() as u32).map(SourceId);
        let reaching: Vec<SourceId> = all.filter(|source| home_at(context, *source).is_some()).collect();
        let nearest = reaching.iter().filter(|source| {
            !reaching.iter().any(|other| other != *source && !chains(catalog, **source, *other).is_empty())
        });
        homes = nearest.filter_map(|source| home_at(context, *source)).collect();
    }
    Ok(homes.into_iter().map(|home| moved_to_table(catalog, home)).collect())
}

/// The sources at the ends of the paths that an expression is made of, each once.
fn held_by(catalog: &Catalog, expression: &Expression, held: &mut Vec<SourceId>) {
    for input in &expression.inputs {
        match input {
            Input::Column(column) => {
                let source = column.path.target(catalog);
                if !held.contains(&source) {
                    held.push(source);
                }
            }
            Input::Dimension(id, _) => {
                catalog.dimension(*id).definitions.iter().for_each(|definition| held_by(catalog, definition, held));
            }
            _ => {}
        }
    }
}

fn home_at(context: &Context<'_>, source: SourceId) -> Option<Home> {
    let standpoint = Standpoint { source, axis: None };
    let flat = |expressions: &[Expression]| {
        expressions.iter().map(|e| flatten(context.catalog, standpoint, e).ok()).collect::<Option<Vec<_>>>()
    };
    Some(Home { source, keys: flat(&context.grouping.keys)?, conditions: flat(&context.conditions)? })
}

/// If everything asked lies at the end of one path, the table there is the home.
fn moved_to_table(catalog: &Catalog, home: Home) -> Home {
    let all = || home.keys.iter().chain(&home.conditions).flat_map(|e| &e.inputs);
    let Some(Input::Column(first)) = all().next() else { return home };
    let path = first.path.clone();
    let same = |input: &Input| matches!(input, Input::Column(column) if column.path == path);
    if path.steps.is_empty() || !all().all(same) {
        return home;
    }
    let source = path.target(catalog);
    let moved = |expression: &Expression| Expression {
        expr: expression.expr.clone(),
        inputs: expression
            .inputs
            .iter()
            .map(|input| match input {
                Input::Column(column) => {
                    Input::Column(ColumnRef { path: JoinPath::root(source), column: column.column })
                }
                other => other.clone(),
            })
            .collect(),
    };
    Home {
        source,
        keys: home.keys.iter().map(moved).collect(),
        conditions: home.conditions.iter().map(moved).collect(),
    }
}

fn nothing_asked() -> Diagnostic {
    Diagnostic::new(codes::MIXED, "neither an indicator nor a dimension is asked for: a view has no rows of its own")
        .help("ask for MEASURE(indicator), or count(DISTINCT dimension)")
}

fn no_common_source(context: &Context<'_>) -> Diagnostic {
    let time = context
        .grouping
        .keys
        .iter()
        .chain(&context.conditions)
        .any(|key| key.inputs.iter().any(|input| matches!(input, Input::MetricTime(_))));
    if time {
        return Diagnostic::new(
            codes::VALUES,
            "`metric_time` has no values of its own: it is each indicator's own time axis",
        )
        .help("ask for it together with an indicator");
    }
    Diagnostic::new(
        codes::VALUES,
        "no source reaches all of these dimensions, so no combinations of them occur anywhere",
    )
    .help("ask for them one by one, or together with an indicator")
}
