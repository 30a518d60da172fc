//! Expressions that DataFusion has planned already: most definitions of a project have one of a few shapes.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{HashMap, Result};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast as sql;

use super::functions::Functions;
use super::schema_of;

/// What expressions over numbered columns of some types became. They are compared without their places, which a plan
/// does not keep.
#[derive(Default)]
pub(super) struct Planned {
    known: HashMap<(sql::Expr, Vec<DataType>), (Expr, DataType)>,
}

impl Planned {
    /// The same as [`Functions::plan`] over numbered columns.
    ///
    /// # Errors
    /// As there; what was refused is not kept, since the message may name a place.
    pub(super) fn plan(
        &mut self,
        functions: &Functions,
        expr: sql::Expr,
        types: Vec<DataType>,
    ) -> Result<(Expr, DataType)> {
        let key = (expr, types);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let planned = functions.plan(key.0.clone(), &schema_of(key.1.clone()))?;
        self.known.insert(key, planned.clone());
        Ok(planned)
    }
}
