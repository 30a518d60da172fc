//! `bell.diagnostics`: what is wrong with the texts as they are now, while the last right edition is served.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use super::live::Broken;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::SourceSet;

/// The table; its rows are found out when it is scanned.
#[derive(Debug)]
pub(super) struct DiagnosticsTable {
    broken: Arc<RwLock<Broken>>,
    schema: SchemaRef,
}

impl DiagnosticsTable {
    pub(super) fn of(broken: Arc<RwLock<Broken>>) -> DiagnosticsTable {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::UInt64, true);
        let fields = vec![
            text("severity"),
            text("code"),
            text("message"),
            text("file"),
            number("line"),
            number("column"),
            text("help"),
        ];
        DiagnosticsTable { broken, schema: Arc::new(Schema::new(fields)) }
    }

    fn rows(&self) -> Result<RecordBatch> {
        let broken = self.broken.read().unwrap_or_else(PoisonError::into_inner);
        let all = &broken.diagnostics;
        let texts =
            |value: &dyn Fn(&Diagnostic) -> Option<String>| Arc::new(all.iter().map(value).collect::<StringArray>());
        let place = |at: usize| {
            let numbers = all.iter().map(|it| place_of(&broken.sources, it).map(|(_, place)| place[at]));
            Arc::new(numbers.collect::<UInt64Array>())
        };
        let severity = |it: &Diagnostic| match it.severity() {
            Severity::Error => Some("error".to_string()),
            Severity::Warning => Some("warning".to_string()),
        };
        Ok(RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                texts(&severity),
                texts(&|it| Some(it.code.id().to_string())),
                texts(&|it| Some(it.message.clone())),
                texts(&|it| place_of(&broken.sources, it).map(|(file, _)| file)),
                place(0),
                place(1),
                texts(&|it| it.help.clone()),
            ],
        )?)
    }
}

/// The file, and line and column in it.
fn place_of(sources: &SourceSet, diagnostic: &Diagnostic) -> Option<(String, [u64; 2])> {
    let span = diagnostic.primary.as_ref()?.span;
    let file = sources.file(span.file);
    let (line, column) = file.line_column(span.start);
    Some((file.name.clone(), [line as u64, column as u64]))
}

#[async_trait]
impl TableProvider for DiagnosticsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = MemTable::try_new(self.schema(), vec![vec![self.rows()?]])?;
        rows.scan(state, projection, filters, limit).await
    }
}
