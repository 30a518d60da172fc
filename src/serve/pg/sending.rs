//! Sends answers as they are made: one after the other, row by row, so that nothing is held back in memory.

use std::fmt::Debug;

use futures::{Sink, SinkExt, StreamExt};
use pgwire::api::query::{send_execution_response, send_query_response};
use pgwire::api::results::{CopyResponse, Response, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::copy::{CopyDone, CopyOutResponse};
use pgwire::messages::response::EmptyQueryResponse;

/// Sends one answer, with its columns if they were not described before.
///
/// # Errors
/// What goes wrong while its rows are made; it is told to the client by the caller.
pub(super) async fn send<C>(client: &mut C, response: Response, described: bool) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    match response {
        Response::EmptyQuery => {
            client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?
        }
        Response::Query(rows) => send_query_response(client, rows, !described).await?,
        Response::Execution(tag) | Response::TransactionStart(tag) | Response::TransactionEnd(tag) => {
            send_execution_response(client, tag).await?
        }
        Response::Error(error) => client.feed(PgWireBackendMessage::ErrorResponse((*error).into())).await?,
        Response::CopyOut(lines) => copy_out(client, lines).await?,
        // Nobody writes here, so nothing is copied in.
        Response::CopyIn(_) | Response::CopyBoth(_) => {}
    }
    Ok(())
}

/// Lines until the last, or until an error: that alone says that the rest is missing.
async fn copy_out<C>(client: &mut C, copied: CopyResponse) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    C::Error: Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let begun = CopyOutResponse::new(copied.format, copied.columns as i16, copied.column_formats());
    client.feed(PgWireBackendMessage::CopyOutResponse(begun)).await?;
    let (mut lines, mut count) = (copied.data_stream, 0);
    while let Some(line) = lines.next().await {
        client.feed(PgWireBackendMessage::CopyData(line?)).await?;
        count += 1;
    }
    client.feed(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
    send_execution_response(client, Tag::new("COPY").with_rows(count)).await
}
