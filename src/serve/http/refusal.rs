//! [`Refusal`]: why a request is not answered, as a status and JSON.

use axum::Json;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::diagnostic::codes::Code;
use crate::engine::QUESTION;
use crate::serve::failed::Failed;

/// Why a request is not answered: `{"error": {sqlstate, message, help, diagnostics}}`.
#[derive(Debug)]
pub(in crate::serve) struct Refusal {
    status: StatusCode,
    error: Value,
}

impl Refusal {
    pub(in crate::serve) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        let message: String = message.into();
        Refusal { status, error: json!({ "sqlstate": null, "message": message, "help": null, "diagnostics": [] }) }
    }

    /// The same with another status.
    pub(in crate::serve) fn with(self, status: StatusCode) -> Refusal {
        Refusal { status, ..self }
    }

    /// The body of the request cannot be read.
    pub(super) fn body(error: impl ToString) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the request cannot be read: {}", error.to_string()))
    }

    /// The sentence.
    pub(in crate::serve) fn message(&self) -> &str {
        self.error["message"].as_str().unwrap_or_default()
    }

    /// The codes of what is wrong.
    pub(in crate::serve) fn codes(&self) -> Vec<Code> {
        let all = self.error["diagnostics"].as_array().into_iter().flatten();
        let mut codes: Vec<Code> = all.filter_map(|it| Code::find(it["code"].as_str()?)).collect();
        codes.dedup();
        codes
    }

    /// Where in a statement, as line and column.
    pub(in crate::serve) fn place(&self) -> Option<(u64, u64)> {
        let first = self.error["diagnostics"].get(0).filter(|it| it["file"] == QUESTION)?;
        Some((first["line"].as_u64()?, first["column"].as_u64()?))
    }

    /// What to do.
    pub(in crate::serve) fn help(&self) -> Option<&str> {
        self.error["help"].as_str()
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Refusal {
        let status = match failed.sqlstate() {
            "42501" | "25006" => StatusCode::FORBIDDEN,
            "57014" => StatusCode::GATEWAY_TIMEOUT,
            "54000" => StatusCode::PAYLOAD_TOO_LARGE,
            "53200" => StatusCode::SERVICE_UNAVAILABLE,
            "58030" | "XX000" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Refusal { status, error: failed.to_json() }
    }
}

impl Refusal {
    /// The answer with this status and that body.
    pub(in crate::serve) fn respond_with(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // Browsers ask for a name and a password then.
            let ways = HeaderValue::from_static("Basic realm=\"Bellwether\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, ways);
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": &self.error }));
        self.respond_with(body)
    }
}
