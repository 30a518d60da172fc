//! The Model Context Protocol: an assistant finds indicators, asks for them, and asks why they changed.
//!
//! It has no SQL: what it says comes from declared indicators, with the numbers that everybody else gets, under the
//! policies of whoever it works for. It speaks over stdin and stdout, so that it is started by the assistant's program.

use std::sync::Arc;

use futures::StreamExt;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::transport::stdio;
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::described::{brief, described, search};
use super::failed::Failed;
use super::session::{Session, User};
use super::{Entrance, Options, Watch, open};
use crate::engine::Question;
use crate::engine::show::find_indicator;
use crate::error::{Error, Result};
use crate::store::rows::json::texts;
use crate::{Change, Localise, Request, Status};

/// As many rows are told; a longer answer says that it is not all.
const MOST: usize = 500;

/// Serves one assistant until it hangs up.
///
/// # Errors
/// What is wrong with the project, or with what the assistant says.
pub async fn serve(options: Options, user: User, watch: Arc<Watch>) -> Result<()> {
    let refresh = options.refresh;
    let (shared, compute) = open(&options, None, None, watch).await?;
    let session = Arc::new(Session::open(&shared, user, Entrance::Mcp)?);
    let assistant = Assistant { session, tool_router: Assistant::tool_router() };
    let follow = shared.live.follow(refresh, shared.watch.as_ref());
    let conversation = async {
        let unheard = |error: String| Error::Data(format!("the assistant cannot be served: {error}"));
        let service = assistant.serve(stdio()).await.map_err(|error| unheard(error.to_string()))?;
        service.waiting().await.map(drop).map_err(|error| unheard(error.to_string()))
    };
    let outcome = tokio::select! {
        outcome = conversation => outcome,
        () = follow => Ok(()),
    };
    compute.shutdown_background();
    outcome
}

/// What an assistant is told of all this before it asks.
const INSTRUCTIONS: &str = "Bellwether answers questions about a company's indicators (KPIs, 指标). Numbers come only from \
declared indicators: search for them first, describe one to see what it can be grouped by, then query. Never compute an \
indicator from others or from rows: ask for it by name, at the grain and by the dimensions that are needed. Values have the \
indicator's unit; `percent` means a share of 1. If an answer is refused, the error says what to do. `complete: false` means \
that only the first rows are shown: narrow the question, and do not add up what is shown.";

struct Assistant {
    session: Arc<Session>,
    tool_router: ToolRouter<Assistant>,
}

/// What is looked for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Sought {
    /// Words in Chinese or English that are in the name, label, description or owner; empty for all indicators.
    text: String,
}

/// Which indicator.
#[derive(Debug, Deserialize, JsonSchema)]
struct Named {
    /// Its name: `gmv`, or `retail.gmv` where several packages have one.
    name: String,
}

#[tool_router]
impl Assistant {
    /// Finds indicators by words.
    #[tool(description = "Find indicators (KPIs, 指标) by words; the nearest first")]
    async fn search(&self, Parameters(sought): Parameters<Sought>) -> CallToolResult {
        self.told(|catalog| {
            let found: Vec<_> = search(catalog, &sought.text).into_iter().map(|id| brief(catalog, id)).collect();
            Ok(json!({ "indicators": found }))
        })
    }

    /// Everything about one.
    #[tool(
        description = "Describe an indicator: meaning, definition, unit, owner, targets, the dimensions that it can be grouped and filtered by"
    )]
    async fn describe(&self, Parameters(named): Parameters<Named>) -> CallToolResult {
        self.told(|catalog| {
            let parts: Vec<String> = named.name.split('.').map(str::to_string).collect();
            let id = find_indicator(catalog, &parts).map_err(|unknown| Failed::of(unknown.into()))?;
            Ok(json!(described(catalog, id)))
        })
    }

    /// Values.
    #[tool(description = "Values of indicators, by dimensions and time, under conditions")]
    async fn query(&self, Parameters(request): Parameters<Request>) -> CallToolResult {
        self.answer(Question::Request(request)).await
    }

    /// Whether they are on track.
    #[tool(
        description = "Are indicators on track? Value, target, red, amber or green; all that have a target, if none is named. `at`: a period, or `latest` for the last one with data"
    )]
    async fn status(&self, Parameters(status): Parameters<Status>) -> CallToolResult {
        self.answer(Question::function(status)).await
    }

    /// Why it changed.
    #[tool(
        description = "Why did an indicator change between two periods? What each part of its tree, and each slice of the dimensions in `by`, did to it"
    )]
    async fn why(&self, Parameters(change): Parameters<Change>) -> CallToolResult {
        self.answer(Question::function(change)).await
    }

    /// Which slice is to blame.
    #[tool(description = "Which combination of values of the dimensions in `by` is to blame for a change?")]
    async fn localise(&self, Parameters(localise): Parameters<Localise>) -> CallToolResult {
        self.answer(Question::function(localise)).await
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Assistant {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("bellwether", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}

impl Assistant {
    /// What the model says.
    fn told(&self, tell: impl FnOnce(&crate::catalog::Catalog) -> Result<Value, Failed>) -> CallToolResult {
        let engine = self.session.engine().map_err(Failed::of);
        result(engine.and_then(|(_, engine)| tell(engine.catalog())))
    }

    /// What the data say.
    async fn answer(&self, question: Question) -> CallToolResult {
        result(self.rows(question).await)
    }

    async fn rows(&self, question: Question) -> Result<Value, Failed> {
        let planned = self.session.plan(question).await?;
        let mut answer = self.session.run(&planned, None)?;
        let (mut rows, mut complete) = (Vec::new(), true);
        while let Some(batch) = answer.next().await.transpose()? {
            let wrong = |error: String| Failed::Internal(error);
            let schema = batch.schema();
            let columns: Vec<Vec<Option<String>>> = schema
                .fields()
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| texts(field, column).map_err(|error| wrong(error.to_string())))
                .collect::<Result<_, Failed>>()?;
            for row in 0..batch.num_rows() {
                if rows.len() == MOST {
                    complete = false;
                    break;
                }
                let values = schema.fields().iter().zip(&columns).map(|(field, column)| {
                    let value = column[row].as_deref().unwrap_or("null");
                    let value = serde_json::from_str(value).map_err(|error| wrong(error.to_string()))?;
                    Ok((field.name().clone(), value))
                });
                rows.push(Value::Object(values.collect::<Result<_, Failed>>()?));
            }
            if !complete {
                break;
            }
        }
        Ok(json!({ "rows": rows, "complete": complete }))
    }
}

fn result(outcome: Result<Value, Failed>) -> CallToolResult {
    match outcome {
        Ok(value) => CallToolResult::structured(value),
        Err(failed) => CallToolResult::structured_error(failed.to_json()),
    }
}
