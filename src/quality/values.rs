//! What is expected of the values of indicators, by the same keys and of the same rows: one question counts where it is so.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, lit, when};

use super::groups::counted;
use super::rows::{collected, first, frame_of, named};
use crate::catalog::expectation::{EveryValue, Expectation, Subject};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::formulas::Formulas;
use crate::store::manifest::Finding;

/// What is found of expectations that are asked alike, in their order.
pub(super) async fn found(engine: &Engine, members: &[&Expectation]) -> Result<Vec<Finding>> {
    let tests: Vec<&EveryValue> = members.iter().filter_map(|member| of_values(member)).collect();
    let broken = |at: usize| {
        Ok::<Expr, datafusion::error::DataFusionError>(
            count(when(named(&format!("v{at}")).is_false(), lit(1_i64)).end()?).alias(format!("b{at}")),
        )
    };
    let counts = (0..tests.len()).map(broken).collect::<std::result::Result<Vec<_>, _>>()?;
    let counts = [count(lit(1_i64)).alias("groups")].into_iter().chain(counts).collect();
    let frame = frame_of(engine, asked(members, &tests))?.aggregate(vec![], counts)?;
    let batches = collected(engine, frame).await?;
    let value = |column: usize| {
        let batch = batches.iter().find(|batch| batch.num_rows() > 0);
        batch.map_or(0, |batch| batch.column(column).as_primitive::<Int64Type>().value(0) as u64)
    };
    let mut findings = Vec::new();
    for (at, (member, test)) in members.iter().zip(&tests).enumerate() {
        let noun = if test.by.is_empty() { "value" } else { "group" };
        let mut finding = counted(member, (value(at + 1), value(0)), noun);
        if finding.broken > 0 && !test.by.is_empty() {
            let frame = frame_of(engine, asked(&[member], &[test]))?.filter(named("v0").is_false())?;
            finding.examples = first(engine, frame, &test.by).await?;
        }
        findings.push(finding);
    }
    Ok(findings)
}

fn of_values(expectation: &Expectation) -> Option<&EveryValue> {
    match &expectation.subject {
        Subject::Values(values) => Some(values),
        Subject::Rows(_) | Subject::Fresh(_) => None,
    }
}

fn asked(members: &[&Expectation], tests: &[&EveryValue]) -> Formulas {
    Formulas {
        package: members[0].item.package.clone(),
        place: members[0].item.span,
        by: tests[0].by.clone(),
        formulas: tests.iter().map(|test| (test.holds.clone(), DataType::Boolean)).collect(),
        conditions: tests[0].conditions.clone(),
    }
}
