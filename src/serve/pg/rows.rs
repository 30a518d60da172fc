//! Rows of an answer as rows of the wire, as they come.

use std::sync::Arc;

use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use futures::{Stream, StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;

use super::errors::error;
use crate::serve::session::Answer;

/// The columns of an answer.
pub(super) fn fields(schema: &datafusion::arrow::datatypes::Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    arrow_schema_to_pg_fields(schema, format, None)
}

/// The whole answer.
pub(super) fn response(answer: Answer, format: &Format, text: &Arc<str>) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(fields(&answer.schema, format)?);
    let rows = rows(answer, Arc::clone(&fields), Arc::clone(text));
    Ok(QueryResponse::new(fields, rows))
}

fn rows(
    answer: Answer,
    fields: Arc<Vec<FieldInfo>>,
    text: Arc<str>,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send + 'static {
    answer.flat_map(move |batch| match batch {
        Ok(batch) => stream::iter(encode_recordbatch(Arc::clone(&fields), batch).collect::<Vec<_>>()),
        Err(failed) => stream::iter(vec![Err(error(&failed, &text))]),
    })
}
