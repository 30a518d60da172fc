//! Rows of an answer as rows of the wire, as they come.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use futures::{Stream, StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;

use super::errors::error;
use super::values;
use crate::serve::failed::Failed;
use crate::serve::session::Answer;

/// The whole answer.
pub(super) fn response(answer: Answer, format: &Format, text: &Arc<str>) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(values::fields(&answer.schema, format)?);
    let rows = rows(answer, Arc::clone(&fields), Arc::clone(text));
    Ok(QueryResponse::new(fields, rows))
}

/// Rows of these columns, as they come.
pub(super) fn rows(
    batches: impl Stream<Item = Result<RecordBatch, Failed>> + Send + 'static,
    fields: Arc<Vec<FieldInfo>>,
    text: Arc<str>,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send + 'static {
    batches.flat_map(move |batch| match batch {
        Ok(batch) => stream::iter(values::rows(&batch, &fields)),
        Err(failed) => stream::iter(vec![Err(error(&failed, &text))]),
    })
}
