//! The page: what indicators say, why they changed, and where to look next, for people with a browser.
//!
//! Every page is HTML made here, of answers to the same questions that everybody can ask; it has no scripts and asks
//! nobody else for anything. What is picked stands in the address, so that a page can be sent to somebody.

mod address;
mod chart;
mod definition;
mod frame;
mod home;
mod indicator;
mod language;
mod list;
mod rows;
mod scenario;
mod scorecard;
mod sql;
mod standing;
mod time;
mod tree;
mod view;
mod waterfall;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

use self::language::Language;
use super::http::{Asking, Http, Refusal};
use super::session::Session;
use crate::catalog::{Catalog, IndicatorId};
use crate::engine::Engine;
use crate::engine::show::find_indicator;
use crate::serve::failed::Failed;

/// What the browser may do with the page: show it with its own style, and send its forms back.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Arc<Http>> {
    Router::new()
        .route("/", get(home::page))
        .route("/i/{name}", get(indicator::page))
        .route("/why/{name}", get(why::page))
        .route("/tree/{name}", get(tree::page))
        .route("/scorecard/{name}", get(scorecard::page))
        .route("/scenarios", get(scenario::all))
        .route("/scenario/{name}", get(scenario::page))
        .route("/sql", get(sql::page))
        .layer(map_response(guarded))
        .route("/style.css", get(|| fixed("text/css; charset=utf-8", include_str!("style.css"))))
        .route("/icon.svg", get(|| fixed("image/svg+xml", include_str!("icon.svg"))))
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn fixed(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], text)
}

/// Somebody who looks at a page.
pub(super) struct Visitor {
    session: Arc<Session>,
    engine: Arc<Engine>,
    language: Language,
}

type Page = Result<Markup, Sorry>;

impl Visitor {
    fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        self.language.say(english, chinese)
    }

    fn catalog(&self) -> &Arc<Catalog> {
        self.engine.catalog()
    }

    /// The indicator of a name in an address.
    fn indicator(&self, name: &str) -> Result<IndicatorId, Sorry> {
        let parts: Vec<String> = name.split('.').map(str::to_string).collect();
        let unknown = |diagnostic: crate::diagnostic::Diagnostic| {
            self.sorry(Refusal::from(Failed::of(diagnostic.into())).with(StatusCode::NOT_FOUND))
        };
        find_indicator(self.catalog(), &parts).map_err(unknown)
    }

    fn page(&self, title: &str, content: Markup) -> Markup {
        frame::page(self.language, title, "", content)
    }

    fn sorry(&self, refusal: Refusal) -> Sorry {
        Sorry { language: self.language, refusal }
    }

    /// A refusal in the middle of a page.
    fn refused(&self, refusal: &Refusal) -> Markup {
        refused(self.language, refusal)
    }
}

impl FromRequestParts<Arc<Http>> for Visitor {
    type Rejection = Sorry;

    async fn from_request_parts(parts: &mut Parts, http: &Arc<Http>) -> Result<Visitor, Sorry> {
        let language = Language::of(&parts.headers);
        let sorry = |refusal| Sorry { language, refusal };
        let Asking(session) = Asking::from_request_parts(parts, http).await.map_err(sorry)?;
        let (_, engine) = session.engine().map_err(|error| sorry(Failed::of(error).into()))?;
        Ok(Visitor { session, engine, language })
    }
}

/// A page that says why there is none.
pub(super) struct Sorry {
    language: Language,
    refusal: Refusal,
}

impl IntoResponse for Sorry {
    fn into_response(self) -> Response {
        let title = self.language.say("No answer", "无法回答");
        let page = frame::page(
            self.language,
            title,
            "",
            html! {
                h1 { (title) }
                (refused(self.language, &self.refusal))
                p { a href="/" { (self.language.say("All indicators", "全部指标")) } }
            },
        );
        self.refusal.respond_with(page)
    }
}

fn refused(language: Language, refusal: &Refusal) -> Markup {
    html! {
        div.refused role="alert" {
            p { (refusal.message()) }
            @if let Some(help) = refusal.help() { p { strong { (language.say("What to do: ", "建议：")) } (help) } }
            @if let Some((line, column)) = refusal.place() {
                p.note { (language.say("Line ", "行 ")) (line) (language.say(", column ", "，列 ")) (column) }
            }
            @for code in refusal.codes() {
                details { summary { (code.id()) " · " (code.summary()) } pre tabindex="0" { (code.explanation()) } }
            }
        }
    }
}

/// What is where nothing is: a page for browsers, JSON for programs.
pub(super) async fn missing(headers: HeaderMap) -> Response {
    let refusal = Refusal::new(StatusCode::NOT_FOUND, "there is nothing here; /v1/openapi.json tells what is");
    let browser =
        headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok()).is_some_and(|kinds| kinds.contains("text/html"));
    match browser {
        true => guarded(Sorry { language: Language::of(&headers), refusal }.into_response()).await,
        false => refusal.into_response(),
    }
}
