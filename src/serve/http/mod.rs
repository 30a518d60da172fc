//! HTTP: questions and answers for programs, the page for people, and what operators look at.

mod answer;
mod ask;
mod format;
mod indicators;
mod openapi;
mod refusal;
mod who;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures::FutureExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Entrance;
use super::door::{self, Caller};
use super::session::Shared;
pub(super) use ask::one_statement;
pub(super) use refusal::Refusal;
pub(super) use who::{Asking, Doorkeeper};

/// What a request may be long.
const LONGEST_BODY: usize = 1 << 20;
/// How long a caller may take to say what they want, or to agree on a key.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the head of a request may be long.
const LONGEST_HEAD: usize = 1 << 16;
/// How many requests one connection may have open.
const STREAMS: u32 = 64;

/// What all handlers share.
pub(super) struct Http {
    pub(super) shared: Arc<Shared>,
    doorkeeper: Doorkeeper,
    stopped: watch::Receiver<bool>,
}

/// Lets callers in until the server stops; then waits for the answers that are being sent.
pub(super) async fn serve(
    entrance: Entrance,
    listener: TcpListener,
    router: Router,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
) {
    let tls = shared.tls.as_ref().map(|tls| tls.acceptor(&["h2", "http/1.1"]));
    let attend = |caller: Caller| {
        let (tls, router) = (tls.clone(), router.clone());
        async move {
            // Who finds no place is hung up on.
            let Some(_place) = caller.place else { return };
            let router = router.layer(Extension(caller.peer));
            match tls {
                None => converse(caller.socket, router, caller.stopped).await,
                Some(tls) => {
                    if let Ok(Ok(socket)) = tokio::time::timeout(PATIENCE, tls.accept(caller.socket)).await {
                        converse(socket, router, caller.stopped).await;
                    }
                }
            }
        }
    };
    door::open(entrance, listener, shared, stopped, attend).await;
}

/// One connection, until the caller leaves or, when the server stops, its answers are sent.
async fn converse(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD);
    server.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(PATIENCE);
    let conversation = server.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    tokio::pin!(conversation);
    tokio::select! {
        _ = conversation.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => conversation.as_mut().graceful_shutdown(),
    }
    let _ = conversation.await;
}

/// The API and the page.
pub(super) fn router(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Router {
    let http = Arc::new(Http { shared, doorkeeper: Doorkeeper::default(), stopped });
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(counts))
        .merge(super::page::router())
        .nest("/v1", ask::router().merge(indicators::router()).merge(openapi::router()))
        .fallback(super::page::missing)
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this is asked for in another way: see /v1/openapi.json")
        })
        .layer(from_fn(caught))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(map_response(hardened))
        .with_state(http)
}

/// A mistake of ours is told as one; the caller is not just hung up on.
async fn caught(request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mistake = "this is a mistake of the server, of which its log tells";
    answered.unwrap_or_else(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, mistake).into_response())
}

/// What every answer says: it is what it says it is, and not for others to keep.
async fn hardened(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether new questions are taken.
async fn ready(State(http): State<Arc<Http>>) -> Response {
    match *http.stopped.borrow() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
        false => "ready\n".into_response(),
    }
}

async fn counts(State(http): State<Arc<Http>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], http.shared.metrics.text(http.shared.live.memory())).into_response()
}
