//! `COPY (question) TO STDOUT`.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use futures::{StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{CopyEncoder, CopyResponse, CopyTextOptions, FieldInfo, Response};
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

fn lines(batch: &RecordBatch, fields: &Arc<Vec<FieldInfo>>, form: CopyForm) -> Vec<PgWireResult<CopyData>> {
    if form.csv {
        let rows = values::rows(batch, fields).into_iter();
        return rows.map(|row| row.map(|row| CopyData::new(csv(&row.data)))).collect();
    }
    let mut encoder = CopyEncoder::new_text(Arc::clone(fields), CopyTextOptions::default());
    let schema = batch.schema();
    let mut line = |row: usize| {
        for (at, column) in batch.columns().iter().enumerate() {
            encode(&mut encoder, column, row, schema.field(at), &fields[at])?;
        }
        Ok(encoder.take_copy())
    };
    (0..batch.num_rows()).map(&mut line).collect()
}

/// A row of texts, each after its length, as a line: NULL is nothing, and an empty text is told from it by its quotes.
fn csv(mut row: &[u8]) -> Bytes {
    let mut fields = Vec::new();
    while let Some((length, rest)) = row.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (text, rest) = rest.split_at_checked(length.unwrap_or(0)).unwrap_or((rest, &[]));
        fields.push(match length {
            None => vec![],
            Some(0) => b"\"\"".to_vec(),
            Some(_) => quoted(text),
        });
        row = rest;
    }
    let mut line = fields.join(&b","[..]);
    line.push(b'\n');
    line.into()
}

/// A text as a field of a line.
fn quoted(text: &[u8]) -> Vec<u8> {
    let plain = !text.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) && text != b"\\.";
    match plain {
        true => text.to_vec(),
        false => {
            let inner = text.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
            [b'"'].into_iter().chain(inner).chain([b'"']).collect()
        }
    }
}

fn header(fields: &[FieldInfo], form: CopyForm) -> CopyData {
    let name = |field: &FieldInfo| match form.csv {
        true => quoted(field.name().as_bytes()),
        false => field.name().as_bytes().to_vec(),
    };
    let names: Vec<Vec<u8>> = fields.iter().map(name).collect();
    let mut line = names.join(if form.csv { &b","[..] } else { &b"\t"[..] });
    line.push(b'\n');
    CopyData::new(line.into())
}
