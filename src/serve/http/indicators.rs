//! What there is: `/v1/indicators`, `/v1/indicators/gmv`.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Http;
use super::refusal::Refusal;
use super::who::Asking;
use crate::engine::Engine;
use crate::engine::show::find_indicator;
use crate::serve::described::{Brief, Described, brief, described, search};
use crate::serve::failed::Failed;
use crate::serve::session::Session;

pub(super) fn router() -> Router<Arc<Http>> {
    Router::new().route("/indicators", get(list)).route("/indicators/{name}", get(one))
}

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sought {
    search: String,
}

async fn list(Asking(session): Asking, Query(sought): Query<Sought>) -> Result<Json<Vec<Brief>>, Refusal> {
    let engine = engine(&session)?;
    let found = search(engine.catalog(), &sought.search);
    Ok(Json(found.into_iter().map(|id| brief(engine.catalog(), id)).collect()))
}

async fn one(Asking(session): Asking, Path(name): Path<String>) -> Result<Json<Described>, Refusal> {
    let engine = engine(&session)?;
    let parts: Vec<String> = name.split('.').map(str::to_string).collect();
    match find_indicator(engine.catalog(), &parts) {
        Ok(id) => Ok(Json(described(engine.catalog(), id))),
        Err(unknown) => Err(Refusal::from(Failed::of(unknown.into())).with(StatusCode::NOT_FOUND)),
    }
}

/// The engine over the present edition.
pub(in crate::serve) fn engine(session: &Session) -> Result<Arc<Engine>, Refusal> {
    session.engine().map(|(_, engine)| engine).map_err(|error| Failed::of(error).into())
}
