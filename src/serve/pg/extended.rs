//! Prepared statements, with parameters, and portals that are fetched from piece by piece.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_pg::datatypes::{PG_OID_ALIAS_KEY, into_pg_type, pg_type_for_alias_kind};
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use futures::Sink;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::ExtendedQueryHandler;
use pgwire::api::results::{FieldInfo, Response};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;

use super::errors::{error, user};
use super::statement::{self, Statement};
use super::{Connection, copy, parameters, rows};
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
}

/// Plans statements in a session.
pub struct Parser {
    session: Option<Arc<Session>>,
}

#[async_trait]
impl QueryParser for Parser {
    type Statement = Prepared;

    async fn parse_sql<C>(&self, _client: &C, text: &str, _types: &[Option<Type>]) -> PgWireResult<Option<Prepared>>
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
        let planned = match &statement {
            Statement::Ask => Some(session.plan(Question::sql(text)).await.map_err(|failed| error(&failed, text))?),
            _ => None,
        };
        Ok(Some(Prepared { text: text.into(), statement, planned }))
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
            (Some(planned), _) => rows::fields(planned.plan.schema().as_arrow(), format),
            (None, Statement::Show { name }) => rows::fields(&super::simple::shown_schema(name), format),
            _ => Ok(vec![]),
        }
    }
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser { session: self.session.get().cloned() })
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
        let Some(planned) = &prepared.planned else {
            return self.talk(&prepared.statement, &portal.result_column_format);
        };
        let (text, planned) = (&prepared.text, self.over_the_present(planned, &prepared.text).await?);
        let known = placeholders(&planned.plan)?;
        let values = parameters::values(portal, &known)?;
        let values = Some(values).filter(|_| !known.is_empty());
        let answer = session.run(&planned, values.as_ref()).map_err(|failed| error(&failed, text))?;
        Ok(Response::Query(rows::response(answer, &portal.result_column_format, text)?))
    }
}

impl Connection {
    /// A statement that was planned over an earlier edition is planned again; the client knows its columns already.
    async fn over_the_present(&self, planned: &Planned, text: &str) -> PgWireResult<Planned> {
        let session = self.session()?;
        let (number, _) = session.engine().map_err(|error| PgWireError::ApiError(Box::new(error)))?;
        if number == planned.number {
            return Ok(planned.clone());
        }
        let again = session.plan(Question::sql(text)).await.map_err(|failed| error(&failed, text))?;
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
    let of = |number: usize| known.iter().find(|(other, _)| *other == number).and_then(|(_, field)| field.clone());
    (1..=count)
        .map(|number| {
            let field = of(number);
            let wire = match &field {
                Some(field) => wire_type(field)?,
                None => Type::UNKNOWN,
            };
            Ok((field.map(|field| field.data_type().clone()), wire))
        })
        .collect()
}

fn wire_type(field: &FieldRef) -> PgWireResult<Type> {
    let alias = field.metadata().get(PG_OID_ALIAS_KEY).and_then(|kind| pg_type_for_alias_kind(kind));
    match alias.filter(|_| *field.data_type() == DataType::Int32) {
        Some(oid) => Ok(oid),
        None => into_pg_type(field.data_type()),
    }
}
