//! A Bell source inside a `from query`: its own rows, on which `check` later puts the source's `where`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::{Expr, TableSource};
use datafusion::physical_plan::ExecutionPlan;

use super::Table;

/// Stands for a source by name while queries are planned; `check` replaces it by the source's rows.
#[derive(Debug)]
pub struct SourceRows {
    /// The source's package.
    pub package: String,
    /// The source's name.
    pub name: String,
    schema: SchemaRef,
}

/// The stand-in for a source.
pub fn named(package: &str, name: &str, table: &Table) -> Arc<dyn TableSource> {
    let rows = SourceRows { package: package.to_string(), name: name.to_string(), schema: Arc::clone(&table.schema) };
    provider_as_source(Arc::new(rows))
}

#[async_trait]
impl TableProvider for SourceRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("source {} was not put in place", self.name)
    }
}
