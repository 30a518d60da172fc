//! A box for SQL, with the answers that every other client gets.

use maud::html;

use super::address::{Picks, identifier, quoted};
use super::frame::table;
use super::rows::{SHOWN, first};
use super::{Page, Visitor};
use crate::engine::Question;
use crate::serve::http::one_statement;

pub(super) async fn page(visitor: Visitor, picks: Picks) -> Page {
    let asked = picks.one("q");
    let answer = match asked {
        "" => None,
        text => Some(match one_statement(text) {
            Ok(statement) => first(&visitor.session, Question::sql(statement), SHOWN).await,
            Err(refusal) => Err(refusal),
        }),
    };
    let example = visitor.catalog().declared_indicators().next().map(|(_, indicator)| {
        let (package, name) = (identifier(&indicator.item.package), identifier(&indicator.item.name));
        format!("SELECT metric_time__month, MEASURE({name}) FROM {package}.indicators GROUP BY 1 ORDER BY 1")
    });
    Ok(visitor.page(
        "SQL",
        html! {
            h1 { "SQL" }
            form.sql {
                textarea name="q" rows="6" spellcheck="false" aria-label="SQL" placeholder=(example.unwrap_or_default()) { (asked) }
                button { (visitor.say("Ask", "查询")) }
            }
            @match &answer {
                None => p.note { (visitor.say("One statement that reads. ", "一条只读语句。")) code { "SHOW INDICATORS" } },
                Some(Err(refusal)) => (visitor.refused(refusal)),
                Some(Ok(rows)) => {
                    (table(visitor.language, rows))
                    p { a href={ "/v1/sql?format=csv&q=" (quoted(asked)) } download="answer.csv" { (visitor.say("All rows as CSV", "下载全部数据（CSV）")) } }
                }
            }
        },
    ))
}
