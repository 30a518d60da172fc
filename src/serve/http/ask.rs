//! Questions: `/v1/query`, `/v1/sql`, and an address for each analysis.
//!
//! A question is posted as JSON, or its parts are given in the address, as in SQL: `/v1/status?indicator=gmv&at=2026-10`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Query};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Http;
use super::answer::answer;
use super::format::Format;
use super::refusal::Refusal;
use super::who::Asking;
use crate::analysis::function::{Function, assign};
use crate::diagnostic::Diagnostic;
use crate::engine::Question;
use crate::serve::failed::Failed;
use crate::syntax::statements;
use crate::{Anomalies, Change, ChangePoints, Forecast, Localise, Outline, Request, Score, Status};

pub(super) fn router() -> Router<Arc<Http>> {
    Router::new()
        .route("/query", post(query))
        .route("/sql", get(sql_by_address).post(sql))
        .route("/why", analysis::<Change>())
        .route("/localise", analysis::<Localise>())
        .route("/anomalies", analysis::<Anomalies>())
        .route("/change_points", analysis::<ChangePoints>())
        .route("/forecast", analysis::<Forecast>())
        .route("/status", analysis::<Status>())
        .route("/scorecard", analysis::<Score>())
        .route("/tree", analysis::<Outline>())
}

type Answered = Result<Response, Refusal>;

async fn query(Asking(session): Asking, Wanted(format): Wanted, body: Bytes) -> Answered {
    let request: Request = read(&body)?;
    answer(&session, Question::Request(request), format).await
}

/// A statement as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[derive(schemars::JsonSchema)]
pub(super) struct Statement {
    /// One SQL statement that reads.
    pub(super) sql: String,
}

async fn sql(Asking(session): Asking, Wanted(format): Wanted, headers: HeaderMap, body: Bytes) -> Answered {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let text = match kind.split(';').next().unwrap_or_default().trim() {
        "text/plain" | "application/sql" => String::from_utf8(body.to_vec()).map_err(Refusal::body)?,
        _ => read::<Statement>(&body)?.sql,
    };
    answer(&session, Question::sql(one_statement(&text)?), format).await
}

/// What is asked in an address: links that download an answer do so.
#[derive(Debug, Deserialize)]
struct Addressed {
    q: String,
}

async fn sql_by_address(Asking(session): Asking, Wanted(format): Wanted, Query(asked): Query<Addressed>) -> Answered {
    answer(&session, Question::sql(one_statement(&asked.q)?), format).await
}

/// The statement of a text that is one.
pub(in crate::serve) fn one_statement(text: &str) -> Result<&str, Refusal> {
    match statements::split(text).statements().count() {
        1 => Ok(text),
        0 => Err(Refusal::new(StatusCode::BAD_REQUEST, "there is no statement")),
        more => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, format!("there are {more} statements: ask for one at a time")))
        }
    }
}

/// An analysis, posted or by its address.
fn analysis<F: Function + Default + DeserializeOwned + 'static>() -> MethodRouter<Arc<Http>> {
    let by_address = async |Asking(session): Asking, Wanted(format): Wanted, Query(parts): Query<Parameters>| {
        answer(&session, Question::Function(Box::new(from_parts::<F>(&parts)?)), format).await
    };
    let posted = async |Asking(session): Asking, Wanted(format): Wanted, body: Bytes| {
        answer(&session, Question::function(read::<F>(&body)?), format).await
    };
    get(by_address).post(posted)
}

type Parameters = Vec<(String, String)>;

/// An analysis from texts by the names of its arguments.
fn from_parts<F: Function + Default>(parts: &[(String, String)]) -> Result<F, Refusal> {
    let mut function = F::default();
    for (name, text) in parts.iter().filter(|(name, _)| name != FORMAT) {
        let assigned = assign(&mut function, name, text);
        assigned.map_err(|wrong: Diagnostic| Refusal::from(Failed::of(wrong.into())))?;
    }
    match function.needed() {
        Some(needed) if !parts.iter().any(|(name, text)| name == needed && !text.is_empty()) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, format!("`{}` needs `{needed}`", function.name())))
        }
        _ => Ok(function),
    }
}

/// A body as JSON.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(Refusal::body)
}

/// The form in which the answer is wanted.
pub(super) struct Wanted(pub(super) Format);

/// The parameter that says it.
const FORMAT: &str = "format";

impl FromRequestParts<Arc<Http>> for Wanted {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Arc<Http>) -> Result<Wanted, Refusal> {
        let Query(said) = Query::<Parameters>::from_request_parts(parts, http).await.map_err(Refusal::body)?;
        let format = said.iter().find(|(name, _)| name == FORMAT).map(|(_, format)| format.as_str());
        Format::asked(format, &parts.headers).map(Wanted)
    }
}
