//! `COPY (question) TO STDOUT`.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use futures::{StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{CopyCsvOptions, CopyEncoder, CopyResponse, CopyTextOptions, FieldInfo, Response};
use pgwire::error::PgWireResult;
use pgwire::messages::copy::CopyData;

use super::errors::error;
use super::statement::CopyForm;
use super::values::{self, encode};
use crate::engine::Question;
use crate::serve::session::Session;

/// The answer to a question as lines; the question stands in the whole text where it does in its own.
pub(super) async fn out(
    session: &Arc<Session>,
    question: &str,
    form: CopyForm,
    whole: &Arc<str>,
) -> PgWireResult<Response> {
    let planned = session.plan(Question::sql(question)).await.map_err(|failed| error(&failed, whole))?;
    let answer = session.run(&planned, None).map_err(|failed| error(&failed, whole))?;
    let fields = Arc::new(values::fields(&answer.schema, &Format::UnifiedText)?);
    let (columns, text) = (fields.len(), Arc::clone(whole));
    let header = form.header.then(|| Ok(header(&fields, form)));
    let lines = answer.flat_map(move |batch| match batch {
        Ok(batch) => stream::iter(lines(&batch, &fields, form)),
        Err(failed) => stream::iter(vec![Err(error(&failed, &text))]),
    });
    Ok(Response::CopyOut(CopyResponse::new(0, columns, stream::iter(header).chain(lines))))
}

fn encoder(fields: &Arc<Vec<FieldInfo>>, form: CopyForm) -> CopyEncoder {
    match form.csv {
        true => CopyEncoder::new_csv(Arc::clone(fields), CopyCsvOptions::default()),
        false => CopyEncoder::new_text(Arc::clone(fields), CopyTextOptions::default()),
    }
}

fn lines(batch: &RecordBatch, fields: &Arc<Vec<FieldInfo>>, form: CopyForm) -> Vec<PgWireResult<CopyData>> {
    let mut encoder = encoder(fields, form);
    let schema = batch.schema();
    let mut line = |row: usize| {
        for (at, column) in batch.columns().iter().enumerate() {
            encode(&mut encoder, column, row, schema.field(at), &fields[at])?;
        }
        Ok(encoder.take_copy())
    };
    (0..batch.num_rows()).map(&mut line).collect()
}

fn header(fields: &[FieldInfo], form: CopyForm) -> CopyData {
    let quoted = |name: &str| match name.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_string(),
    };
    let names: Vec<String> =
        fields.iter().map(|field| if form.csv { quoted(field.name()) } else { field.name().to_string() }).collect();
    let line = names.join(if form.csv { "," } else { "\t" }) + "\n";
    CopyData::new(Bytes::from(line))
}
