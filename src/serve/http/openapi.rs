//! `/v1/openapi.json`: what can be asked here, for programs that write programs.

use std::sync::{Arc, LazyLock};

use axum::routing::get;
use axum::{Json, Router};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Http;
use super::ask::Statement;
use super::format;
use crate::analysis::Function;
use crate::serve::described::{Brief, Described};
use crate::{Anomalies, Change, ChangePoints, Forecast, Localise, Outline, Request, Score, Status};

pub(super) fn router() -> Router<Arc<Http>> {
    Router::new().route("/openapi.json", get(|| async { Json(DOCUMENT.clone()) }))
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

fn document() -> Value {
    let mut schemas = SchemaSettings::openapi3().into_generator();
    let mut paths = Map::new();
    let query = body::<Request>(&mut schemas);
    paths.insert("/v1/query".into(), json!({ "post": rows("Indicators by name", vec![], Some(query)) }));
    let statement = body::<Statement>(&mut schemas);
    let by_address = rows("One SQL statement that reads", vec![parameter("q", "query", true)], None);
    let posted = rows("One SQL statement that reads", vec![], Some(statement));
    paths.insert("/v1/sql".into(), json!({ "get": by_address, "post": posted }));
    let mut analysis = |address: &str, summary: &str, body: Value, function: &dyn Function| {
        let parameters =
            function.arguments().iter().map(|name| parameter(name, "query", function.needed() == Some(name)));
        let asked =
            json!({ "get": rows(summary, parameters.collect(), None), "post": rows(summary, vec![], Some(body)) });
        paths.insert(address.to_string(), asked);
    };
    let of = &mut schemas;
    analysis("/v1/why", "Why did an indicator change?", body::<Change>(of), &Change::default());
    analysis("/v1/localise", "Which slice is to blame?", body::<Localise>(of), &Localise::default());
    analysis("/v1/anomalies", "Which values stand out?", body::<Anomalies>(of), &Anomalies::default());
    analysis(
        "/v1/change_points",
        "Since when is it on another level?",
        body::<ChangePoints>(of),
        &ChangePoints::default(),
    );
    analysis("/v1/forecast", "What comes next?", body::<Forecast>(of), &Forecast::default());
    analysis("/v1/status", "Are indicators on track?", body::<Status>(of), &Status::default());
    analysis("/v1/scorecard", "A scorecard with its scores", body::<Score>(of), &Score::default());
    analysis("/v1/tree", "A tree with its values", body::<Outline>(of), &Outline::default());
    let search = parameter("search", "query", false);
    let list = known("Indicators, the nearest to a text first", vec![search], schemas.subschema_for::<Vec<Brief>>());
    paths.insert("/v1/indicators".into(), json!({ "get": list }));
    let one = known("An indicator", vec![parameter("name", "path", true)], schemas.subschema_for::<Described>());
    paths.insert("/v1/indicators/{name}".into(), json!({ "get": one }));
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Bellwether", "version": env!("CARGO_PKG_VERSION"),
            "description": "Indicators of one project: the same numbers as over the PostgreSQL wire, under the same policies.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" }, "password": { "type": "http", "scheme": "basic" },
            },
            "responses": { "refusal": refusal() },
        },
        "security": [{}, { "token": [] }, { "password": [] }],
    })
}

fn parameter(name: &str, place: &str, required: bool) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } })
}

fn body<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schemas.subschema_for::<T>() } } })
}

/// What answers with rows, in the form that is accepted.
fn rows(summary: &str, parameters: Vec<Value>, body: Option<Value>) -> Value {
    let content = format::kinds().map(|kind| {
        let schema = match kind {
            "application/json" => json!({ "type": "array", "items": { "type": "object" } }),
            _ => json!({ "type": "string" }),
        };
        (kind.to_string(), json!({ "schema": schema }))
    });
    let form = json!({ "name": "format", "in": "query", "schema": { "type": "string", "enum": format::names() } });
    let mut operation = json!({
        "summary": summary,
        "parameters": parameters.into_iter().chain([form]).collect::<Vec<_>>(),
        "responses": {
            "200": { "description": "The rows", "content": content.collect::<Map<_, _>>() },
            "default": { "$ref": "#/components/responses/refusal" },
        },
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// What answers with a description.
fn known(summary: &str, parameters: Vec<Value>, schema: impl serde::Serialize) -> Value {
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "What is known", "content": { "application/json": { "schema": schema } } },
            "default": { "$ref": "#/components/responses/refusal" },
        },
    })
}

fn refusal() -> Value {
    let text = json!({ "type": "string", "nullable": true });
    let error = json!({
        "type": "object",
        "properties": {
            "sqlstate": text, "message": { "type": "string" }, "help": text,
            "diagnostics": { "type": "array", "items": { "type": "object" } },
        },
    });
    let schema = json!({ "type": "object", "properties": { "error": error } });
    json!({ "description": "Why there is no answer", "content": { "application/json": { "schema": schema } } })
}
