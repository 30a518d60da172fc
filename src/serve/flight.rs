//! Arrow Flight SQL: answers in Arrow's own form, for bulk reads (ADBC, JDBC's Flight driver).
//!
//! The server remembers nothing between calls: a ticket is the question itself, with its parameters, and is asked by whoever
//! shows it, with their eyes.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightServiceServer;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandPreparedStatementQuery, CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, SchemaAsIpc,
    Ticket,
};
use axum::Router;
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use futures::{Stream, TryStreamExt, stream};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::Entrance;
use super::failed::Failed;
use super::http::{Doorkeeper, one_statement};
use super::session::{Planned, Session, Shared};
use crate::engine::{Engine, Question};

/// The service, to be served as HTTP/2.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let service = FlightServiceServer::new(Flight { shared, doorkeeper: Doorkeeper::default() });
    Routes::new(service).prepare().into_axum_router()
}

struct Flight {
    shared: Arc<Shared>,
    doorkeeper: Doorkeeper,
}

type Batches = Pin<Box<dyn Stream<Item = Result<arrow_flight::FlightData, Status>> + Send>>;

/// A question with its parameters, as tickets and handles of prepared statements hold it.
struct Asked {
    statement: String,
    /// One row of values, as an Arrow IPC stream; empty for none.
    parameters: Bytes,
}

impl Asked {
    fn to_bytes(&self) -> Bytes {
        let length = (self.statement.len() as u32).to_be_bytes();
        [&length, self.statement.as_bytes(), &self.parameters].concat().into()
    }

    fn read(bytes: &Bytes) -> Result<Asked, Status> {
        let wrong = || Status::invalid_argument("this is no ticket of this server");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
        let (statement, parameters) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(wrong)?;
        let statement = std::str::from_utf8(statement).map_err(|_| wrong())?.to_string();
        Ok(Asked { statement, parameters: Bytes::copy_from_slice(parameters) })
    }

    /// The values of `$1`, `$2` …; `None`, if nothing was given.
    fn values(&self) -> Result<Option<ParamValues>, Status> {
        if self.parameters.is_empty() {
            return Ok(None);
        }
        let mut reader = StreamReader::try_new(self.parameters.as_ref(), None).map_err(unreadable)?;
        let row = reader.next().transpose().map_err(unreadable)?;
        let Some(row) = row.filter(|row| row.num_rows() == 1) else {
            return Err(Status::invalid_argument("one row of parameters is needed"));
        };
        let values = row.columns().iter().map(|column| ScalarValue::try_from_array(column, 0));
        let values =
            values.collect::<Result<Vec<_>, _>>().map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Some(ParamValues::from(values)))
    }
}

impl Flight {
    /// A session of whoever calls.
    fn session<T>(&self, request: &Request<T>) -> Result<Arc<Session>, Status> {
        self.session_of(request.metadata(), request.remote_addr())
    }

    fn session_of(&self, said: &MetadataMap, peer: Option<std::net::SocketAddr>) -> Result<Arc<Session>, Status> {
        let headers = said.clone().into_headers();
        let session = self.doorkeeper.session(&self.shared, &headers, None, peer, Entrance::Flight);
        session.map_err(|refusal| Status::unauthenticated(refusal.message().to_string()))
    }

    fn engine(session: &Session) -> Result<Arc<Engine>, Status> {
        session.engine().map(|(_, engine)| engine).map_err(|error| status(&Failed::of(error)))
    }

    async fn planned(session: &Arc<Session>, statement: &str) -> Result<Planned, Status> {
        let one =
            one_statement(statement).map_err(|refusal| Status::invalid_argument(refusal.message().to_string()))?;
        session.plan(Question::sql(one)).await.map_err(|failed| status(&failed))
    }

    /// Where an answer is to be fetched: here, with the question as the ticket.
    async fn info(
        session: &Arc<Session>,
        asked: Asked,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let planned = Flight::planned(session, &asked.statement).await?;
        let ticket = TicketStatementQuery { statement_handle: asked.to_bytes() };
        described(planned.plan.schema().as_arrow(), ticket.as_any(), descriptor)
    }

    async fn rows(session: &Arc<Session>, asked: &Asked) -> Result<Response<Batches>, Status> {
        let planned = Flight::planned(session, &asked.statement).await?;
        let values = asked.values()?;
        let answer = session.run(&planned, values.as_ref()).map_err(|failed| status(&failed))?;
        let schema = SchemaRef::clone(&answer.schema);
        let batches = answer.map_err(|failed| FlightError::Tonic(Box::new(status(&failed))));
        Ok(sent(schema, batches))
    }
}

/// The answer to a question about what there is.
fn described(schema: &Schema, ticket: Any, descriptor: FlightDescriptor) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket.encode_to_vec()));
    let info = FlightInfo::new().with_endpoint(endpoint).with_descriptor(descriptor);
    Ok(Response::new(info.try_with_schema(schema).map_err(unreadable)?))
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Flight;

    /// A login by name and password: whoever is let in says the same again with every call.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        self.session(&request)?;
        let said = request.metadata().get(AUTHORIZATION).cloned();
        let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::new() };
        let mut response: Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>> =
            Response::new(Box::pin(stream::iter([Ok(answer)])));
        if let Some(said) = said {
            response.metadata_mut().insert(AUTHORIZATION, said);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let session = self.session(&request)?;
        let asked = Asked { statement: query.query, parameters: Bytes::new() };
        Flight::info(&session, asked, request.into_inner()).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        Flight::rows(&self.session(&request)?, &Asked::read(&ticket.statement_handle)?).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let planned = Flight::planned(&self.session(&request)?, &query.query).await?;
        let asked = Asked { statement: query.query, parameters: Bytes::new() };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: asked.to_bytes(),
            dataset_schema: message(planned.plan.schema().as_arrow())?,
            parameter_schema: message(&parameters(&planned.plan)?)?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        self.session(&request)?;
        let asked = Asked::read(&query.prepared_statement_handle)?;
        let data = request.into_inner().map_err(|status| FlightError::Tonic(Box::new(status)));
        let batches: Vec<RecordBatch> =
            FlightRecordBatchStream::new_from_flight_data(data).try_collect().await.map_err(Status::from)?;
        let [row] = batches.as_slice() else {
            return Err(Status::invalid_argument("one row of parameters is needed"));
        };
        let asked = Asked { parameters: ipc(row).map_err(unreadable)?, ..asked };
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(asked.to_bytes()) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let session = self.session(&request)?;
        Flight::info(&session, Asked::read(&query.prepared_statement_handle)?, request.into_inner()).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        Flight::rows(&self.session(&request)?, &Asked::read(&query.prepared_statement_handle)?).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        _query: ActionClosePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.session(&request)?;
        described(&query.into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let engine = Flight::engine(&*self.session(&request)?)?;
        let mut found = query.into_builder();
        found.append(catalog_of(&engine));
        Ok(one(found.build().map_err(Status::from)?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.session(&request)?;
        described(&query.clone().into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let engine = Flight::engine(&*self.session(&request)?)?;
        let mut found = query.into_builder();
        schemas(&engine).iter().for_each(|schema| found.append(catalog_of(&engine), schema));
        Ok(one(found.build().map_err(Status::from)?))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.session(&request)?;
        described(&query.clone().into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        let engine = Flight::engine(&*self.session(&request)?)?;
        let name = catalog_of(&engine);
        let catalog = engine.context().catalog(&name);
        let mut found = query.into_builder();
        for schema in schemas(&engine) {
            let Some(tables) = catalog.as_ref().and_then(|catalog| catalog.schema(&schema)) else { continue };
            for table in tables.table_names() {
                let columns = match tables.table(&table).await {
                    Ok(Some(table)) => table.schema(),
                    // What somebody may not see at all is not there for them.
                    _ => continue,
                };
                found.append(&name, &schema, &table, VIEW, &columns).map_err(Status::from)?;
            }
        }
        Ok(one(found.build().map_err(Status::from)?))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.session(&request)?;
        described(&query.into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.session(&request)?;
        let mut found = query.into_builder();
        found.append(VIEW);
        Ok(one(found.build().map_err(Status::from)?))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.session(&request)?;
        described(&query.clone().into_builder(&INFO).schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<Batches>, Status> {
        self.session(&request)?;
        Ok(one(query.into_builder(&INFO).build().map_err(Status::from)?))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

const AUTHORIZATION: &str = "authorization";
/// What all tables are: nobody writes to them.
const VIEW: &str = "VIEW";

/// What clients are told of the server.
static INFO: LazyLock<SqlInfoData> = LazyLock::new(|| {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Bellwether");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    // Only what is not known at all is not told.
    info.build().unwrap_or_else(|_| unreachable!("the columns of this table are fixed"))
});

fn catalog_of(engine: &Engine) -> String {
    engine.context().state().config_options().catalog.default_catalog.clone()
}

/// The schemas with something of the project in them.
fn schemas(engine: &Engine) -> Vec<String> {
    let catalog = engine.context().catalog(&catalog_of(engine));
    let all = catalog.map(|catalog| catalog.schema_names()).unwrap_or_default();
    all.into_iter().filter(|schema| !["information_schema", "pg_catalog"].contains(&schema.as_str())).collect()
}

/// `$1`, `$2` … with their types, as far as they are known.
fn parameters(plan: &LogicalPlan) -> Result<Schema, Status> {
    let types = plan.get_parameter_types().map_err(|error| Status::invalid_argument(error.to_string()))?;
    let mut fields: Vec<Field> =
        types.into_iter().map(|(name, kind)| Field::new(name, kind.unwrap_or(DataType::Null), true)).collect();
    fields.sort_by_key(|field| field.name().trim_start_matches('$').parse::<usize>().unwrap_or(usize::MAX));
    Ok(Schema::new(fields))
}

/// A schema as a message.
fn message(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into().map_err(unreadable)?;
    Ok(bytes)
}

/// Rows as an Arrow IPC stream.
fn ipc(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?.into())
}

fn sent(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
) -> Response<Batches> {
    let encoded = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Response::new(Box::pin(encoded.map_err(Status::from)))
}

fn one(batch: RecordBatch) -> Response<Batches> {
    sent(batch.schema(), stream::iter([Ok(batch)]))
}

fn unreadable(error: ArrowError) -> Status {
    Status::invalid_argument(error.to_string())
}

/// Why there is no answer; the fix, where one is known, stands after it.
fn status(failed: &Failed) -> Status {
    let text = match failed.help() {
        Some(help) => format!("{}; {help}", failed.message()),
        None => failed.message(),
    };
    match failed.sqlstate() {
        "42501" | "25006" => Status::permission_denied(text),
        "57014" => match failed {
            Failed::TimedOut(_) => Status::deadline_exceeded(text),
            _ => Status::cancelled(text),
        },
        "53200" | "54000" => Status::resource_exhausted(text),
        "58030" | "XX000" => Status::internal(text),
        _ => Status::invalid_argument(text),
    }
}
