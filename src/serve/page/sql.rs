//! A box for SQL, with the answers that every other client gets.

use axum::extract::Query;
use maud::html;
use serde::Deserialize;

use super::frame::{quoted, table};
use super::rows::ask_sql;
use super::{Page, Visitor};
use crate::serve::http::one_statement;

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
}

pub(super) async fn page(visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    let answer = match asked.q.trim() {
        "" => None,
        text => Some(match one_statement(text) {
            Ok(statement) => ask_sql(&visitor.session, statement).await,
            Err(refusal) => Err(refusal),
        }),
    };
    let example = visitor.catalog().declared_indicators().next().map(|(_, indicator)| {
        let (package, name) = (&indicator.item.package, &indicator.item.name);
        format!("SELECT metric_time__month, MEASURE({name}) FROM {package}.indicators GROUP BY 1 ORDER BY 1")
    });
    Ok(visitor.page(
        "SQL",
        html! {
            h1 { "SQL" }
            form.sql {
                textarea name="q" rows="6" spellcheck="false" aria-label="SQL" placeholder=(example.unwrap_or_default()) { (asked.q) }
                button { (visitor.say("Ask", "查询")) }
            }
            @match &answer {
                None => p.note { (visitor.say("One statement that reads. ", "一条只读语句。")) code { "SHOW INDICATORS" } },
                Some(Err(refusal)) => (visitor.refused(refusal)),
                Some(Ok(rows)) => {
                    (table(visitor.language, rows))
                    p { a href={ "/v1/sql?format=csv&q=" (quoted(&asked.q)) } download="answer.csv" { (visitor.say("All rows as CSV", "下载全部数据（CSV）")) } }
                }
            }
        },
    ))
}
