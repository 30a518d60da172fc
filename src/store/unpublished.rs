//! The table of a source over a folder that a publication of the same project has not written yet: it has that one's columns,
//! and whoever reads it is told what must run first. No rows would look like a true zero; where it has run and found none,
//! they are one.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::project_schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::SourceSpec;
use super::csv::declared_type;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

/// A publication that has not run, as far as sources need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Its name with its package.
    pub publication: String,
    /// The columns of its files, those included whose values are in the names of folders.
    pub columns: SchemaRef,
}

/// The table of such a source.
#[derive(Debug)]
pub(super) struct Unpublished {
    pub source: String,
    publication: String,
    schema: SchemaRef,
    location: Span,
    /// Whether the publication has run, and there was nothing to write.
    is_empty: bool,
}

impl Unpublished {
    /// The table that a source will be: its partitions come last, and declared types count.
    pub fn new(spec: &SourceSpec, awaited: &Awaited, location: Span, is_empty: bool) -> Self {
        let is_partition = |name: &str| spec.partitions.iter().any(|(partition, _)| partition == name);
        let of_files = awaited.columns.fields().iter().filter(|field| !is_partition(field.name())).map(|field| {
            let data_type: &DataType = declared_type(&spec.types, field.name()).unwrap_or(field.data_type());
            Field::new(field.name(), data_type.clone(), true)
        });
        let partitions = spec.partitions.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true));
        let schema = Arc::new(Schema::new(of_files.chain(partitions).collect::<Vec<_>>()));
        let publication = awaited.publication.clone();
        Unpublished { source: spec.name.clone(), publication, schema, location, is_empty }
    }

    /// What a project that has it is told when it is opened.
    pub fn warning(&self) -> Option<Diagnostic> {
        (!self.is_empty).then(|| self.awaiting())
    }

    fn awaiting(&self) -> Diagnostic {
        let message =
            format!("source `{}` has no files yet: publication `{}` has written none", self.source, self.publication);
        Diagnostic::new(codes::AWAITED, message)
            .at(self.location)
            .help(format!("`bell run {}` writes them; until then what reads the source is refused", self.publication))
    }

    fn refusal(&self) -> Diagnostic {
        let message =
            format!("source `{}` has no rows yet: publication `{}` has written none", self.source, self.publication);
        Diagnostic::new(codes::UNPUBLISHED, message)
            .at(self.location)
            .help(format!("`bell run {}` writes them", self.publication))
    }
}

#[async_trait]
impl TableProvider for Unpublished {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.is_empty {
            true => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            false => Err(self.refusal().into()),
        }
    }
}

/// The publication that a table awaits, if it does.
pub fn awaited_by(table: &Arc<dyn TableSource>) -> Option<String> {
    let provider = source_as_provider(table).ok()?;
    let any: &dyn Any = provider.as_ref();
    any.downcast_ref::<Unpublished>().map(|table| table.publication.clone())
}

/// Those that the tables of a plan await.
///
/// # Errors
/// DataFusion's, if the plan cannot be walked.
pub fn all_awaited_by(plan: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.extend(awaited_by(&scan.source));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
