//! The rows of a source as somebody sees them: those that a policy opens, with masks in place of what it hides.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::scan::Scan;
use crate::catalog::expr::Expression;
use crate::catalog::{Catalog, SourceId};

/// What a masked text reads.
pub const MASK: &str = "***";

/// What is seen of a source.
pub struct Shown<'p> {
    /// Conditions of which one holds for a row that is seen; without any, all rows are.
    pub any: Vec<Vec<&'p Expression>>,
    /// Conditions that all hold.
    pub all: Vec<&'p Expression>,
    /// The columns that are masked, by position.
    pub masked: Vec<usize>,
}

/// The columns of a source's table, of the rows that are seen. `catalog` sees everything: a policy's condition may look at
/// what the one that it holds for may not.
///
/// # Errors
/// What DataFusion says.
pub fn policed_rows(catalog: &Catalog, id: SourceId, shown: &Shown<'_>) -> Result<LogicalPlan> {
    let mut scan = Scan::new(catalog, id);
    let mut placed = |conditions: &[&Expression]| {
        conjunction(conditions.iter().map(|it| scan.place(it)).collect::<Vec<_>>()).unwrap_or(lit(true))
    };
    let opened = disjunction(shown.any.iter().map(|conditions| placed(conditions)).collect::<Vec<_>>());
    let kept = conjunction(opened.into_iter().chain([placed(&shown.all)]));
    let rows = scan.build()?;
    let rows = match kept {
        Some(kept) => rows.filter(kept)?,
        None => rows,
    };
    let declared = catalog.source(id).columns.iter().enumerate().filter(|(_, column)| column.computed.is_none());
    let columns = declared.map(|(at, column)| {
        let value = match shown.masked.contains(&at) {
            true => mask_of(&column.data_type)?,
            false => scan.own_column(at),
        };
        Ok(value.alias(&column.name))
    });
    let columns = columns.collect::<Result<Vec<Expr>>>()?;
    LogicalPlanBuilder::from(rows.build()?).project(columns)?.build()
}

/// What stands in the place of a value: a mask for texts, whether there is one or not; nothing for all else.
///
/// # Errors
/// If DataFusion has no value of that type.
pub fn mask_of(data_type: &DataType) -> Result<Expr> {
    let mask = match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ScalarValue::from(MASK).cast_to(data_type)?,
        DataType::Dictionary(_, value) if value.is_string() => ScalarValue::from(MASK).cast_to(data_type)?,
        other => ScalarValue::try_from(other)?,
    };
    Ok(lit(mask))
}
