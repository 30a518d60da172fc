//! Statements as texts, several in one message.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use futures::{Sink, stream};
use pgwire::api::portal::Format;
use pgwire::api::query::{SimpleQueryHandler, send_ready_for_query};
use pgwire::api::results::{QueryResponse, Response, Tag};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::simplequery::Query;

use super::Connection;
use super::errors::{error, user};
use super::sending::send;
use super::statement::{self, Statement};
use super::transactions::allow;
use super::{copy, rows, values};
use crate::engine::Question;
use crate::syntax::statements;

/// As many statements may stand in one message.
const MOST: usize = 1000;

#[async_trait]
impl SimpleQueryHandler for Connection {
    /// One statement after the other: each is planned when the one before it has been sent.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let whole = Arc::<str>::from(query.query);
        let statements: Vec<_> = statements::split(&whole).statements().collect();
        if statements.len() > MOST {
            return Err(user("54000", format!("more than {MOST} statements in one message")));
        }
        if statements.is_empty() {
            send(client, Response::EmptyQuery, false).await?;
        }
        for range in statements {
            // What stands before is blank, so that places are places in the whole text.
            let answer = self.answer(&statements::in_place(&whole, &range), &whole).await?;
            self.transactions.warn(client).await?;
            send(client, answer, false).await?;
            client.set_transaction_status(self.transactions.status());
        }
        self.message_over()?;
        let status = self.transactions.status();
        client.set_state(PgWireConnectionState::ReadyForQuery);
        client.set_transaction_status(status);
        send_ready_for_query(client, status).await
    }

    /// Unused: every statement of a message is answered above.
    async fn do_query<C>(&self, _client: &mut C, text: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Ok(vec![self.answer(text, &Arc::from(text)).await?])
    }
}

impl Connection {
    /// Answers a statement that stands in the whole text where it does in its own.
    async fn answer(&self, text: &str, whole: &Arc<str>) -> PgWireResult<Response> {
        let statement = statement::read(text)?;
        allow(&statement, self.transactions.status())?;
        self.step();
        match &statement {
            Statement::Ask => {
                let session = self.session()?;
                let planned = session.plan(Question::sql(text)).await.map_err(|failed| error(&failed, whole))?;
                let answer = session.run(&planned, None).map_err(|failed| error(&failed, whole))?;
                Ok(Response::Query(rows::response(answer, &Format::UnifiedText, whole)?))
            }
            Statement::Copy { from, to, form } => {
                let question = statements::in_place(text, &(*from..*to));
                copy::out(self.session()?, &question, *form, whole).await
            }
            Statement::Declare { cursor, from } => {
                let session = self.session()?;
                let question = Question::sql(&statements::in_place(text, &(*from..text.len())));
                let planned = session.plan(question).await.map_err(|failed| error(&failed, whole))?;
                self.cursors.open(cursor, session, &planned, None, whole)
            }
            Statement::Fetch(fetch) => self.cursors.fetch(fetch, &Format::UnifiedText).await,
            talk => self.talk(talk, &Format::UnifiedText),
        }
    }

    /// Answers what is no question.
    pub(super) fn talk(&self, statement: &Statement, format: &Format) -> PgWireResult<Response> {
        let wrong = |info| PgWireError::UserError(Box::new(info));
        match statement {
            Statement::Begin => Ok(self.begin_transaction()),
            Statement::End { commits, chains } => self.end_transaction(*commits, *chains),
            Statement::Savepoint(name) => self.save(name),
            Statement::RollbackTo(name) => self.roll_back_to(name),
            Statement::Release(name) => self.release(name),
            Statement::Close(name) => self.cursors.close(name.as_deref()),
            Statement::Nothing(words) => Ok(Response::Execution(Tag::new(words))),
            Statement::Discard => self.discard(),
            Statement::Set { name, value, local } => self.set(name, value, *local),
            Statement::Reset { name } => self.reset(name),
            Statement::Show { name } => {
                let shown = self.settings.shown(name).map_err(wrong)?;
                let schema = Arc::new(shown_schema(name));
                let columns = match name.as_str() {
                    "all" => vec![
                        Arc::new(shown.iter().map(|(name, _)| Some(name)).collect::<StringArray>()) as _,
                        Arc::new(shown.iter().map(|(_, value)| Some(value)).collect::<StringArray>()) as _,
                    ],
                    _ => vec![Arc::new(shown.iter().map(|(_, value)| Some(value)).collect::<StringArray>()) as _],
                };
                let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
                    .map_err(|error| PgWireError::ApiError(Box::new(error)))?;
                let fields = Arc::new(values::fields(&schema, format)?);
                let rows = values::rows(&batch, &fields);
                let mut response = QueryResponse::new(fields, stream::iter(rows));
                response.set_command_tag("SHOW");
                Ok(Response::Query(response))
            }
            Statement::Ask | Statement::Copy { .. } | Statement::Declare { .. } | Statement::Fetch(_) => {
                Ok(Response::EmptyQuery)
            }
        }
    }
}

/// The columns of `SHOW`.
pub(super) fn shown_schema(name: &str) -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    match name {
        "all" => Schema::new(vec![text("name"), text("setting")]),
        one => Schema::new(vec![text(one)]),
    }
}
