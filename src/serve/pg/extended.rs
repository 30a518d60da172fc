//! Prepared statements, with parameters, and portals that are fetched from piece by piece.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use futures::Sink;
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{
    ExtendedQueryHandler, send_describe_response, send_execution_response, send_partial_query_response,
    send_ready_for_query,
};
use pgwire::api::results::{DescribePortalResponse, FieldFormat, FieldInfo, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{Describe, Execute, Sync as PgSync, TARGET_TYPE_BYTE_PORTAL};

use super::cursors::Cursors;
use super::errors::{error, user};
use super::sending::send;
use super::statement::{self, Statement};
use super::transactions::allow;
use super::{Connection, copy, parameters, rows, values};
use crate::engine::Question;
use crate::serve::session::{Planned, Session};
use crate::syntax::statements;

/// A statement that was parsed.
#[derive(Clone)]
pub struct Prepared {
    text: Arc<str>,
    statement: Statement,
    /// If it is a question.
    planned: Option<Planned>,
    /// The types that the client says its parameters have.
    types: Vec<Option<Type>>,
}

/// Plans statements in a session.
pub struct Parser {
    session: Option<Arc<Session>>,
    cursors: Arc<Cursors>,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, client: &C, text: &str, types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let Some(session) = &self.session else { return Ok(None) };
        let mut all = statements::split(text).statements();
        if all.next().is_none() {
            return Ok(None);
        }
        if all.next().is_some() {
            return Err(user("42601", "cannot insert multiple commands into a prepared statement"));
        }
        let statement = statement::read(text)?;
        allow(&statement, client.transaction_status())?;
        let planned = match question(&statement, text) {
            Some(question) => Some(plan(session, question, types, text).await?),
            None => None,
        };
        Ok(Some(Prepared { text: text.into(), statement, planned, types: types.to_vec() }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        match &prepared.planned {
            Some(planned) => Ok(placeholders(&planned.plan)?.into_iter().map(|(_, wire)| wire).collect()),
            None => Ok(vec![]),
        }
    }

    fn get_result_schema(&self, prepared: &Prepared, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        let format = format.unwrap_or(&Format::UnifiedText);
        match (&prepared.planned, &prepared.statement) {
            (Some(_), Statement::Declare { .. }) => Ok(vec![]),
            (Some(planned), _) => values::fields(planned.plan.schema().as_arrow(), format),
            (None, Statement::Show { name }) => values::fields(&super::simple::shown_schema(name), format),
            (None, Statement::Fetch(fetch)) if !fetch.passes => {
                values::fields(self.cursors.schema(&fetch.name)?.as_ref(), format)
            }
            _ => Ok(vec![]),
        }
    }
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser { session: self.session.get().cloned(), cursors: Arc::clone(&self.cursors) })
    }

    /// A cursor can be described as a portal of its name.
    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let is_portal = message.target_type == TARGET_TYPE_BYTE_PORTAL;
        let cursor = message.name.as_deref().filter(|_| is_portal).and_then(|name| self.cursors.schema(name).ok());
        match cursor {
            Some(schema) => {
                let fields = values::fields(&schema, &Format::UnifiedText)?;
                send_describe_response(client, &DescribePortalResponse::new(fields)).await
            }
            None => self._on_describe(client, message).await,
        }
    }

    /// Rows are sent as they are made, so many at a time as the client wants; none are held back.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        // As in PostgreSQL, zero and less mean all.
        let most = usize::try_from(message.max_rows).unwrap_or(0);
        client.set_state(PgWireConnectionState::QueryInProgress);
        match client.portal_store().get_portal(name) {
            None => return Err(PgWireError::PortalNotFound(name.to_string())),
            Some(Entry::Empty) => send(client, Response::EmptyQuery, true).await?,
            Some(Entry::Value(portal)) => self.execute(client, &portal, most).await?,
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        client.set_transaction_status(self.transactions.status());
        Ok(())
    }

    /// What was done without `BEGIN` lasts from one of these to the next.
    async fn on_sync<C>(&self, client: &mut C, _message: PgSync) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        client.portal_store().rm_portal(DEFAULT_NAME);
        self.message_over()?;
        send_ready_for_query(client, self.transactions.status()).await
    }

    async fn do_query<C>(&self, _client: &mut C, portal: &Portal<Prepared>, _max_rows: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (session, prepared) = (self.session()?, &portal.statement.statement);
        if let Statement::Copy { from, to, form } = &prepared.statement {
            let question = statements::in_place(&prepared.text, &(*from..*to));
            return copy::out(session, &question, *form, &prepared.text).await;
        }
        if let Statement::Fetch(fetch) = &prepared.statement {
            return self.cursors.fetch(fetch, &portal.result_column_format).await;
        }
        let Some(planned) = &prepared.planned else {
            return self.talk(&prepared.statement, &portal.result_column_format);
        };
        let told = values::fields(planned.plan.schema().as_arrow(), &portal.result_column_format)?;
        let (text, planned) = (&prepared.text, self.over_the_present(planned, prepared).await?);
        let known = placeholders(&planned.plan)?;
        let values = parameters::values(portal, &known)?;
        let values = Some(values).filter(|_| !known.is_empty());
        if let Statement::Declare { cursor, .. } = &prepared.statement {
            return self.cursors.open(cursor, session, &planned, values.as_ref(), text);
        }
        let answer = session.run(&planned, values.as_ref()).map_err(|failed| error(&failed, text))?;
        let response = rows::response(answer, &portal.result_column_format, text)?;
        as_told(&told, &response.row_schema)?;
        Ok(Response::Query(response))
    }
}

impl Connection {
    /// The next rows of a portal, or what else it has to say.
    async fn execute<C>(&self, client: &mut C, portal: &Portal<Prepared>, most: usize) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        allow(&portal.statement.statement.statement, self.transactions.status())?;
        self.step();
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match self.do_query(client, portal, most).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                other => {
                    *state = PortalExecutionState::Finished;
                    self.transactions.warn(client).await?;
                    return send(client, other, true).await;
                }
            }
        }
        // If it fails, there is nothing more to come.
        match std::mem::replace(&mut *state, PortalExecutionState::Finished) {
            PortalExecutionState::Suspended(mut rows) => {
                if send_partial_query_response(client, &mut rows, most).await? {
                    *state = PortalExecutionState::Suspended(rows);
                }
            }
            _ => send_execution_response(client, Tag::new("SELECT").with_rows(0)).await?,
        }
        Ok(())
    }

    /// A statement that was planned over an earlier edition is planned again; the client knows its columns already.
    async fn over_the_present(&self, planned: &Planned, prepared: &Prepared) -> PgWireResult<Planned> {
        let (session, text) = (self.session()?, &prepared.text);
        let (number, _) = session.engine().map_err(|error| PgWireError::ApiError(Box::new(error)))?;
        let Some(asked) = question(&prepared.statement, text).filter(|_| number != planned.number) else {
            return Ok(planned.clone());
        };
        let again = plan(session, asked, &prepared.types, text).await?;
        let columns = |plan: &LogicalPlan| {
            let fields = plan.schema().fields().iter();
            fields.map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        match columns(&again.plan) == columns(&planned.plan) {
            true => Ok(again),
            false => Err(user("0A000", "the project has changed: prepare this statement again")),
        }
    }
}

/// Plans a question whose parameters have the types that a client says they have.
async fn plan(session: &Arc<Session>, question: Question, types: &[Option<Type>], text: &str) -> PgWireResult<Planned> {
    let mut planned = session.plan(question).await.map_err(|failed| error(&failed, text))?;
    planned.plan = said(planned.plan, types).map_err(|error| PgWireError::ApiError(Box::new(error)))?;
    Ok(planned)
}

/// Clients read columns as they were told before parameters were known.
///
/// # Errors
/// If a column has become another by them.
fn as_told(told: &[FieldInfo], are: &[FieldInfo]) -> PgWireResult<()> {
    let text = |field: &FieldInfo| field.format() == FieldFormat::Text || *field.datatype() == Type::TEXT;
    let same = |(told, is): &(&FieldInfo, &FieldInfo)| {
        told.datatype() == is.datatype() || *told.datatype() == Type::UNKNOWN && text(is)
    };
    match told.iter().zip(are).find(|pair| !same(pair)) {
        None => Ok(()),
        Some((told, is)) => {
            let (name, is, said) = (told.name(), is.datatype(), told.datatype());
            let message = format!("column {name} becomes {is} by these parameters, not {said}: cast it");
            Err(user("42804", message))
        }
    }
}

/// A plan with such parameters.
fn said(plan: LogicalPlan, types: &[Option<Type>]) -> datafusion::common::Result<LogicalPlan> {
    let of = |id: &str| {
        let at = id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)?;
        parameters::data_type(types.get(at)?.as_ref()?)
    };
    if types.iter().flatten().all(|said| parameters::data_type(said).is_none()) {
        return Ok(plan);
    }
    let one = |expr: Expr| match expr {
        Expr::Placeholder(mut place) => Ok(match of(&place.id) {
            Some(data_type) => {
                place.field = Some(Arc::new(Field::new(&place.id, data_type, true)));
                Transformed::yes(Expr::Placeholder(place))
            }
            None => Transformed::no(Expr::Placeholder(place)),
        }),
        other => Ok(Transformed::no(other)),
    };
    let told = plan.transform_up_with_subqueries(|node| {
        let node = node.map_expressions(|expr| expr.transform_up(one))?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(told.data)
}

/// What a statement asks, if it does; in the place where it stands.
fn question(statement: &Statement, text: &str) -> Option<Question> {
    match statement {
        Statement::Ask => Some(Question::sql(text)),
        Statement::Declare { from, .. } => Some(Question::sql(&statements::in_place(text, &(*from..text.len())))),
        _ => None,
    }
}

/// The wire counts parameters in two bytes.
const MOST_PARAMETERS: usize = 65_535;

/// The types of `$1`, `$2` …: as far as they are known, and as they come over the wire.
fn placeholders(plan: &LogicalPlan) -> PgWireResult<Vec<(Option<DataType>, Type)>> {
    let mut known: Vec<(usize, Option<FieldRef>)> = Vec::new();
    let mut found = |id: &str, field: Option<FieldRef>| {
        let Some(number) = id.strip_prefix('$').and_then(|number| number.parse().ok()) else { return };
        match known.iter_mut().find(|(other, _)| *other == number) {
            Some((_, place)) => *place = place.take().or(field),
            None => known.push((number, field)),
        }
    };
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(place) = cast.expr.as_ref() {
                            found(&place.id, place.field.clone().or(Some(Arc::clone(&cast.field))));
                        }
                    }
                    Expr::Placeholder(place) => found(&place.id, place.field.clone()),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error| PgWireError::ApiError(Box::new(error)))?;
    let count = known.iter().map(|(number, _)| *number).max().unwrap_or(0);
    if count > MOST_PARAMETERS {
        return Err(user("54000", format!("a statement has at most {MOST_PARAMETERS} parameters")));
    }
    let of = |number: usize| known.iter().find(|(other, _)| *other == number).and_then(|(_, field)| field.clone());
    (1..=count)
        .map(|number| {
            let field = of(number);
            let wire = match &field {
                Some(field) => values::wire_type(field)?,
                None => Type::UNKNOWN,
            };
            Ok((field.map(|field| field.data_type().clone()), wire))
        })
        .collect()
}
