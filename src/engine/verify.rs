//! `bell check --data`: does the data keep what the model declares?

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Column;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::analysis::{Cells, NamedSlices, Promise, Question};
use crate::catalog::calendar::Calendar;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::replace_inputs;
use crate::catalog::source::{Join, Source, Validity};
use crate::catalog::time::{cast, wall_clock};
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::Diagnostic;
use crate::plan::whole_source;
use crate::store::verify::{verify_join, verify_key, verify_readable, verify_validity};

/// What reading all data has shown.
#[derive(Debug, Default)]
pub struct Verified {
    /// Promises that the data breaks, at the places where they are made.
    pub findings: Vec<Diagnostic>,
    /// Sources that could not be read to their ends.
    pub failures: Vec<DataFusionError>,
}

/// Reads every source: all values fit their types, keys are unique and never NULL, join columns find their match; trees
/// that the definitions do not prove are identities; slices that targets name have rows. A source that cannot be read is reported once and the others go on.
pub async fn verify(ctx: &SessionContext, catalog: &Arc<Catalog>) -> Verified {
    let mut verified = Verified::default();
    for id in (0..catalog.sources.len() as u32).map(SourceId) {
        match verify_source(ctx, catalog, id).await {
            Ok(findings) => verified.findings.extend(findings),
            // A damaged file shows again through the joins that lead to it.
            Err(error) if verified.failures.iter().any(|known| known.to_string() == error.to_string()) => {}
            Err(error) => verified.failures.push(error),
        }
    }
    if verified.failures.is_empty() {
        match verify_trees(ctx, catalog).await {
            Ok(findings) => verified.findings.extend(findings),
            Err(error) => verified.failures.push(error),
        }
    }
    if verified.failures.is_empty() {
        match verify_slices(ctx, catalog).await {
            Ok(findings) => verified.findings.extend(findings),
            Err(error) => verified.failures.push(error),
        }
    }
    verified
}

/// Slices that targets name: are there rows of them?
async fn verify_slices(ctx: &SessionContext, catalog: &Arc<Catalog>) -> Result<Vec<Diagnostic>> {
    let state = ctx.state();
    let mut findings = Vec::new();
    for slices in NamedSlices::all(catalog, state.config_options())? {
        findings.extend(slices.missing(&answers(ctx, std::slice::from_ref(&slices.question)).await?));
    }
    Ok(findings)
}

async fn answers(ctx: &SessionContext, questions: &[Question]) -> Result<Cells> {
    let mut cells = Cells::default();
    for question in questions {
        for batch in DataFrame::new(ctx.state(), question.plan.clone()).collect().await? {
            cells.add(question, &batch);
        }
    }
    Ok(cells)
}

/// Trees that the definitions do not prove: are they identities in this data?
async fn verify_trees(ctx: &SessionContext, catalog: &Arc<Catalog>) -> Result<Vec<Diagnostic>> {
    let state = ctx.state();
    let mut findings = Vec::new();
    for promise in Promise::all(catalog, state.config_options())? {
        findings.extend(promise.broken(&answers(ctx, &promise.questions).await?));
    }
    Ok(findings)
}

async fn verify_source(ctx: &SessionContext, catalog: &Catalog, id: SourceId) -> Result<Vec<Diagnostic>> {
    let source = catalog.source(id);
    let rows = rows_of(ctx, catalog, id)?;
    verify_readable(rows.clone()).await?;
    let mut findings = Vec::new();
    for key in &source.keys {
        let columns: Vec<&str> = key.iter().map(|at| source.columns[*at].name.as_str()).collect();
        let subject = format!("{}.key ({})", source.item.name, columns.join(", "));
        let columns: Vec<Expr> = columns.into_iter().map(named).collect();
        let found = verify_key(rows.clone(), &subject, &columns).await?;
        findings.extend(found.into_iter().map(|finding| finding.into_diagnostic().at(source.item.span)));
    }
    // A join that goes on from another finds no row wherever that one does: its orphans say nothing.
    for join in source.joins.iter().filter(|join| join.is_own()) {
        findings.extend(verify_one_join(ctx, catalog, (source, rows.clone()), join).await?);
    }
    Ok(findings)
}

async fn verify_one_join(
    ctx: &SessionContext,
    catalog: &Catalog,
    (source, rows): (&Source, DataFrame),
    join: &Join,
) -> Result<Vec<Diagnostic>> {
    let joined = catalog.source(join.to);
    // A joined source that cannot be read is reported as itself.
    let Ok(their_rows) = rows_of(ctx, catalog, join.to) else { return Ok(vec![]) };
    let on: Vec<(Expr, Expr)> = join.on.iter().map(|(ours, theirs)| (own(source, ours), own(joined, theirs))).collect();
    let subject = format!("{}.join {}", source.item.name, join.name);
    let mut findings = Vec::from_iter(verify_join(rows, their_rows.clone(), &subject, &on).await?);
    if let Some(valid) = &join.valid {
        let key: Vec<Expr> = on.into_iter().map(|(_, theirs)| theirs).collect();
        let bounds = alike(joined, valid, &catalog.calendar);
        findings.extend(verify_validity(their_rows, &subject, &key, bounds).await?);
    }
    Ok(findings.into_iter().map(|finding| finding.into_diagnostic().at(join.span)).collect())
}

/// The bounds of a validity in one type.
fn alike(joined: &Source, valid: &Validity, calendar: &Calendar) -> (Expr, Expr) {
    let Validity { from, to } = valid;
    let (begins, ends) = (own(joined, &from.value), own(joined, &to.value));
    if from.data_type == to.data_type {
        return (begins, ends);
    }
    let wall = |bound: Expr, data_type: &DataType| {
        cast(wall_clock(bound, data_type, calendar), DataType::Timestamp(TimeUnit::Microsecond, None))
    };
    (wall(begins, &from.data_type), wall(ends, &to.data_type))
}

fn rows_of(ctx: &SessionContext, catalog: &Catalog, id: SourceId) -> Result<DataFrame> {
    Ok(DataFrame::new(ctx.state(), whole_source(catalog, id)?))
}

/// An expression of a source over the columns of its rows.
fn own(source: &Source, expression: &Expression) -> Expr {
    let columns: Vec<Expr> = expression
        .inputs
        .iter()
        .map(|input| match input {
            Input::Column(column) => named(&source.columns[column.column].name),
            // `check` admits only own columns in joins.
            other => unreachable!("a join has {other:?} as an input"),
        })
        .collect();
    replace_inputs(expression.expr.clone(), &columns)
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
