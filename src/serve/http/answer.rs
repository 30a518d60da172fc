//! Sends an answer as it comes, in the form that was asked for.
//!
//! What goes wrong before the first rows is a status and an error. What goes wrong later breaks the answer off: whoever
//! reads it finds it incomplete, and never takes a part for the whole.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use futures::{StreamExt, stream};

use super::format::Format;
use super::refusal::Refusal;
use crate::engine::Question;
use crate::serve::failed::Failed;
use crate::serve::session::{Answer, Session};
use crate::store::rows::RowWriter;

/// Answers a question.
pub(super) async fn answer(session: &Arc<Session>, question: Question, format: Format) -> Result<Response, Refusal> {
    let planned = session.plan(question).await?;
    let mut answer = session.run(&planned, None)?;
    if format.by_name() {
        without_twins(&answer.schema)?;
    }
    let first = answer.next().await.transpose()?;
    let encoder = Encoder::new(format, &answer.schema).map_err(unwritten)?;
    Ok(([(CONTENT_TYPE, format.kind())], Body::from_stream(pieces(encoder, first, answer))).into_response())
}

/// Readers that find values by name would see only one of two columns called the same.
fn without_twins(schema: &SchemaRef) -> Result<(), Refusal> {
    match crate::store::rows::twins(schema) {
        Some(name) => {
            let message = format!("two columns are called \"{name}\": give one another name with AS");
            Err(Refusal::new(StatusCode::BAD_REQUEST, message))
        }
        None => Ok(()),
    }
}

fn unwritten(error: ArrowError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("the answer cannot be written so: {error}"))
}

/// Rows to bytes.
struct Encoder {
    writer: Box<dyn RowWriter>,
    written: Written,
}

impl Encoder {
    fn new(format: Format, schema: &SchemaRef) -> Result<Encoder, ArrowError> {
        let written = Written::default();
        Ok(Encoder { writer: format.writer(Box::new(written.clone()), schema)?, written })
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Bytes, ArrowError> {
        self.writer.write(batch)?;
        Ok(self.written.take())
    }

    fn end(&mut self) -> Result<Bytes, ArrowError> {
        self.writer.finish()?;
        Ok(self.written.take())
    }
}

/// What has been written since it was last taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The bytes of an answer; an error among them breaks it off.
fn pieces(
    encoder: Encoder,
    first: Option<RecordBatch>,
    answer: Answer,
) -> impl futures::Stream<Item = Result<Bytes, Broken>> + Send + 'static {
    let rows = stream::iter(first.map(Ok)).chain(answer);
    stream::unfold(Some((encoder, Box::pin(rows))), |open| async move {
        let (mut encoder, mut rows) = open?;
        match rows.next().await {
            Some(Ok(batch)) => match encoder.rows(&batch) {
                Ok(bytes) => Some((Ok(bytes), Some((encoder, rows)))),
                Err(error) => Some((Err(Broken(error.to_string())), None)),
            },
            Some(Err(failed)) => Some((Err(Broken::of(&failed)), None)),
            None => Some((encoder.end().map_err(|error| Broken(error.to_string())), None)),
        }
    })
}

/// Why an answer was broken off.
#[derive(Debug)]
struct Broken(String);

impl Broken {
    fn of(failed: &Failed) -> Broken {
        Broken(failed.message())
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}
